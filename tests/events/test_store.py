"""The store: what is kept, what is undone, who sees what, and which index answers."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError
from sqlmodel import Session, col, select

from sublife.events.intake import settle, submit
from sublife.events.store import ConflictError, Store, StoreError, Transaction
from sublife.events.store.link import Link
from sublife.events.tables import ActivityRow, OrderRow, SubjectRow, UtcDateTime
from sublife.lifecycle.dates import Term
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import Actor, ActorKind, Decision, Event, Refusal
from sublife.lifecycle.subscription.model import ChangeSeats, Price, Suspend

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
OpenDesk = Callable[..., "Desk"]


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql", "postgresql-partitioned"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database, that with partitions too: these tests write and read all there is."""
    return str(request.param)


class TestTransactions:
    def test_what_is_rolled_back_leaves_no_trace(self, desk: "Desk") -> None:
        """One transaction per event: all of it or nothing."""
        desk.sell("s1")
        before = desk.rows()
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))

        with pytest.raises(OSError, match="the power is gone"):
            _fail_after_writing(desk, event)

        assert desk.rows() == before
        assert desk.store.get("s1") == desk.subscription("s1")

    def test_after_a_rollback_the_same_event_can_be_taken(self, desk: "Desk") -> None:
        """The event id was never used."""
        desk.sell("s1")
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))
        with pytest.raises(OSError, match="the power is gone"):
            _fail_after_writing(desk, event)
        desk.clock.move(MID_TERM)

        outcome = submit(desk.store, event)

        assert (outcome.accepted, outcome.repeated) == (True, False)

    def test_a_version_that_somebody_else_has_written_is_a_conflict(self, desk: "Desk") -> None:
        """The write checks the version that was decided on."""
        desk.sell("s1")
        store = desk.store
        mine = desk.event("suspend", "s1", MID_TERM, Suspend())
        theirs = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))

        with store.engine.connect() as connection, connection.begin() as undone:
            link = Link(connection.connection, connection.dialect)
            one = Transaction(link, tenant=store.tenant, policy=store.policy)
            other = Transaction(link, tenant=store.tenant, policy=store.policy)
            _accept(one, mine)
            _accept(other, theirs)
            other.flush()
            with pytest.raises(ConflictError, match="s1 was changed by another writer"):
                one.flush()
            undone.rollback()

        assert desk.subscription("s1").version == 2

    def test_two_stores_on_one_database_see_each_others_commits(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """A second process works on with what the first has written."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1")
        other.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="theirs")

        one.do("suspend", "s1", MID_TERM + DAY, Suspend())

        assert other.subscription("s1").state == "suspended"
        assert one.subscription("s1").quantity == 35
        assert one.store.digest() == other.store.digest()

    def test_two_stores_on_one_database_take_an_event_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """A retry by another process is a repetition too."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        first = one.sell("s1")
        other.clock.move(SOLD_AT)

        again = submit(other.store, first.event)

        assert (first.repeated, again.repeated) == (False, True)
        assert len(one.store.history("s1")) == 2

    def test_two_stores_on_one_database_settle_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """Two daemons cannot apply one timer twice."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1", autorenew=False)

        counts = [one.wake(TERM_END).count, other.wake(TERM_END).count]

        assert counts == [2, 0]

    def test_an_uncommitted_change_is_not_seen(self, shared_url: str, open_desk: OpenDesk) -> None:
        """Readers see what is committed, and need not wait for the writer."""
        one, other = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1")

        with one.store.transaction() as tx:
            _accept(tx, one.event("suspend", "s1", MID_TERM, Suspend()))
            tx.flush()
            seen_before = other.subscription("s1").state
        seen_after = other.subscription("s1").state

        assert (seen_before, seen_after) == ("active", "suspended")

    def test_what_is_written_outlives_the_store(self, shared_url: str, open_desk: OpenDesk) -> None:
        """Closed and opened again, nothing is missing."""
        desk = open_desk(shared_url)
        desk.sell("s1")
        digest, rows = desk.store.digest(), desk.rows()
        desk.store.close()

        again = open_desk(shared_url)

        assert (again.store.digest(), again.rows()) == (digest, rows)

    def test_a_store_says_whether_it_is_empty(self, desk: "Desk") -> None:
        """Empty is a tenant without a journal."""
        empty = desk.store.is_empty()
        desk.sell("s1")

        assert (empty, desk.store.is_empty()) == (True, False)


class TestInstants:
    """GEN-01: instants are UTC in every column of every database."""

    @pytest.mark.parametrize(
        "column", ["due_at", "changed_at"], ids=["may be empty", "must be there"]
    )
    def test_a_naive_instant_is_refused(self, desk: "Desk", column: str) -> None:
        """GEN-01: a host that writes an instant without its zone is told."""
        instants: dict[str, Any] = {"due_at": None, "changed_at": SOLD_AT}
        instants[column] = datetime(2024, 10, 1, 2, 35)  # noqa: DTZ001 – that is the point
        row = SubjectRow(
            tenant="t",
            id="s1",
            lifecycle="subscription",
            state="active",
            version=1,
            sequence=1,
            stamp=0,
            head="",
            customer="tailspin",
            partner="contoso",
            snapshot="{}",
            **instants,
        )

        with Session(desk.store.engine) as session:
            session.add(row)
            with pytest.raises((StatementError, ValueError), match="time zone"):
                session.commit()

        assert desk.rows()["sublife_subject"] == []

    def test_a_naive_instant_is_refused_by_the_column_type(self) -> None:
        """GEN-01: with what to do instead."""
        naive = datetime(2024, 10, 1, 2, 35)  # noqa: DTZ001 – that is the point

        with pytest.raises(ValueError, match="no time zone; give an aware datetime"):
            UtcDateTime().process_bind_param(naive, sqlite.dialect())

    def test_an_instant_of_another_zone_comes_back_in_utc(self, desk: "Desk") -> None:
        """GEN-01: the same instant, in the one zone there is."""
        summer = timezone(timedelta(hours=2))
        sold_at = SOLD_AT.astimezone(summer)

        desk.sell("s1", sold_at)

        with Session(desk.store.engine) as session:
            row = session.exec(select(SubjectRow)).one()
            found = (row.changed_at, row.due_at)
        assert found == (SOLD_AT, TERM_END)
        assert all(each is not None and each.tzinfo is UTC for each in found)

    def test_microseconds_are_kept(self, desk: "Desk") -> None:
        """An instant comes back as it went in."""
        sold_at = SOLD_AT + timedelta(microseconds=1)

        desk.sell("s1", sold_at)

        entry = desk.store.history("s1")[0]
        assert (entry.event.at, entry.recorded_at) == (sold_at, sold_at)


class TestTenants:
    def test_tenants_never_see_each_other(self, desk: "Desk") -> None:
        """The same ids in two tenants are two subjects, two events, two histories."""
        one = desk.store
        other = one.of("other")
        sold = desk.sell("s1", autorenew=False)
        before = (one.digest(), one.get("s1"), tuple(one.journal()), one.orders(), one.records())

        unseen = (other.is_empty(), other.get("s1"), other.next_due(), tuple(other.journal()))
        bought = submit(other, sold.event)
        settle(other, TERM_END)

        assert unseen == (True, None, None, ())
        assert (bought.accepted, bought.repeated) == (True, False)
        assert before[:3] == (one.digest(), one.get("s1"), tuple(one.journal()))
        assert [each.id for each in one.orders()] == [each.id for each in before[3]]
        assert one.records() == ()
        assert len(other.records()) == 2

    def test_settling_one_tenant_leaves_the_others_due(self, desk: "Desk") -> None:
        """A tenant is settled by its own store."""
        desk.sell("s1", autorenew=False)
        settled = settle(desk.store.of("other"), TERM_END)

        assert settled.count == 0
        assert desk.store.next_due() == TERM_END

    def test_two_tenants_may_use_the_same_ids(self, desk: "Desk") -> None:
        """The key of every row begins with the tenant, so both records stand side by side."""
        sold = desk.sell("s1")
        other = desk.store.of("other")
        submit(other, sold.event)

        ours, theirs = desk.store.orders(), other.orders()

        assert [(row.tenant, row.id) for row in ours] == [("default", sold.event.id)]
        assert [(row.tenant, row.id) for row in theirs] == [("other", sold.event.id)]

    def test_another_policy_on_the_same_database_decides_by_its_own_figures(
        self, desk: "Desk"
    ) -> None:
        """GEN-09: the policy that decided stands on every line."""
        choosing = desk.store.policy.choosing({"cancelled_data_retention": "ninety_days"})
        store = desk.store.of("other", policy=choosing)
        desk.clock.move(SOLD_AT)
        submit(store, desk.sell("s1").event)

        policies = {entry.policy for entry in store.journal()}

        assert policies == {choosing.version}
        assert choosing.version != desk.store.policy.version


class TestHistory:
    def test_an_entry_says_what_when_written_when_who_and_by_which_rule_and_policy(
        self, desk: "Desk"
    ) -> None:
        """EVT-06: everything an auditor asks for."""
        amy = Actor(ActorKind.USER, "amy")
        desk.sell("s1")
        desk.clock.move(MID_TERM + DAY)
        event = Event("e1", "add_seats", "s1", MID_TERM, amy, ChangeSeats(5))

        submit(desk.store, event)

        entry = desk.store.history("s1")[-1]
        assert entry.event == event
        assert (entry.state_before, entry.state, entry.version) == ("active", "active", 3)
        assert entry.recorded_at == MID_TERM + DAY
        assert entry.rules == ("TRM-14", "TRM-16")
        assert entry.policy == desk.store.policy.version
        assert not isinstance(entry.outcome, Refusal)
        assert [fact.name for fact in entry.outcome] == ["subscription-quantity-changed"]

    def test_a_timed_event_names_its_timer_as_the_actor(self, desk: "Desk") -> None:
        """EVT-06: nobody asked; the calendar did."""
        desk.sell("s1", autorenew=False)

        desk.wake(TERM_END)

        assert desk.store.history("s1")[2].event.actor == Actor(ActorKind.TIMER, "term_ended")

    def test_a_history_has_every_version_once_and_in_order(self, desk: "Desk") -> None:
        """EVT-05: accepted events count from 1 without a gap; refusals repeat a number."""
        desk.sell("s1", autorenew=False)
        desk.do("reactivate", "s1", MID_TERM)
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.wake(TERM_END + 121 * DAY)

        entries = desk.store.history("s1")

        accepted = [each.version for each in entries if not isinstance(each.outcome, Refusal)]
        assert accepted == list(range(1, 8))
        assert [each.version for each in entries] == sorted(each.version for each in entries)

    def test_the_history_of_all_is_the_histories_of_each(self, desk: "Desk") -> None:
        """By subject, then version."""
        desk.sell("s2")
        desk.sell("s1")

        whole = tuple(desk.store.journal())

        assert whole == (*desk.store.history("s1"), *desk.store.history("s2"))

    def test_the_records_are_in_order_of_instant_then_sequence(self, desk: "Desk") -> None:
        """EVT-05: whatever order they were written in."""
        desk.sell("s1", autorenew=False)
        desk.sell("s2", SOLD_AT + DAY, autorenew=False, term=Term.P1M)
        desk.wake(TERM_END)

        records = desk.store.records()

        order = [(each.effective_at, each.subscription, each.version) for each in records]
        assert order == sorted(order)
        assert [each.fact for each in records if each.subscription == "s1"] == [
            "subscription-expired",
            "subscription-grace-started",
        ]

    def test_an_amount_is_exact_to_the_cent(self, desk: "Desk") -> None:
        """TRM-13: no rounding on the way through the database."""
        price = Price(Decimal("333333333333.33"), "EUR")

        desk.sell("s1", quantity=3, price=price)

        assert desk.store.orders()[0].amount == Decimal("999999999999.99")

    def test_the_subscription_names_the_order_record_that_created_it(self, desk: "Desk") -> None:
        """EVT-06, EVT-09: `orderId` of the resource is the id of the order."""
        desk.sell("s1")

        assert desk.subscription("s1").order_id == desk.store.orders()[0].id


TABLES = {ActivityRow: "sublife_activity", OrderRow: "sublife_order"}
MONTH = (datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 11, 1, tzinfo=UTC))


class TestQueries:
    """A host asks our tables with its own SQLModel session (EVT-07)."""

    @pytest.fixture
    def busy(self, desk: "Desk") -> "Desk":
        """Two customers, two partners, three subscriptions, a renewal, a lapse and a move."""
        desk.sell("s1")
        desk.sell("s2", customer="wingtip", autorenew=False)
        desk.sell("s3", customer="wingtip", partner="fabrikam")
        desk.wake(TERM_END + DAY)
        return desk

    @pytest.mark.parametrize(
        ("where", "subscriptions"),
        [
            pytest.param({"customer": "wingtip"}, {"s2", "s3"}, id="customer"),
            pytest.param({"partner": "contoso"}, {"s1", "s2"}, id="partner"),
            pytest.param({"subscription": "s3"}, {"s3"}, id="subscription"),
            pytest.param({"kind": "renewal"}, {"s1", "s2", "s3"}, id="kind"),
            pytest.param({"kind": "migration"}, set[str](), id="kind without a record"),
        ],
    )
    def test_activity_records_answer(
        self, busy: "Desk", where: dict[str, str], subscriptions: set[str]
    ) -> None:
        """EVT-07: by customer, partner, subscription and kind."""
        with Session(busy.store.engine) as session:
            found = session.exec(select(ActivityRow).filter_by(**where)).all()

        assert {row.subscription for row in found} == subscriptions

    @pytest.mark.parametrize(
        ("where", "count"),
        [
            pytest.param({"customer": "wingtip"}, 3, id="customer"),
            pytest.param({"partner": "contoso"}, 3, id="partner"),
            pytest.param({"subscription": "s3"}, 2, id="subscription"),
            pytest.param({"transaction": "new"}, 3, id="transaction"),
        ],
    )
    def test_order_records_answer(self, busy: "Desk", where: dict[str, str], count: int) -> None:
        """EVT-02: three orders and two renewals."""
        with Session(busy.store.engine) as session:
            found = session.exec(select(OrderRow).filter_by(**where)).all()

        assert len(found) == count

    def test_a_period_includes_its_first_instant_and_excludes_its_last(self, busy: "Desk") -> None:
        """EVT-07, GEN-03: everything of October, nothing of November."""
        first, end = MONTH
        query = select(ActivityRow).where(
            col(ActivityRow.effective_at) >= first, col(ActivityRow.effective_at) < end
        )

        with Session(busy.store.engine) as session:
            october = session.exec(query).all()

        assert {row.effective_at for row in october} == {TERM_END}
        assert len(october) == len(busy.store.records())

    def test_a_host_reads_what_the_store_reads(self, busy: "Desk") -> None:
        """The rows are the same, whoever asks."""
        with Session(busy.store.engine) as session:
            rows = session.exec(select(ActivityRow).order_by(col(ActivityRow.id))).all()
            theirs = [row.model_dump() for row in rows]

        ours = sorted((row.model_dump() for row in busy.store.records()), key=_id_of)
        assert theirs == ours


def _id_of(row: dict[str, Any]) -> str:
    return str(row["id"])


def _plan(engine: Engine, ask: Callable[[], object], fragment: str) -> str:
    """Return how SQLite answers the first statement holding *fragment* that *ask* sends."""
    statements: list[str] = []
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    driver.set_trace_callback(statements.append)
    try:
        ask()
    finally:
        driver.set_trace_callback(None)
    statement = next(each for each in statements if fragment in each)
    rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    return "; ".join(str(row[3]) for row in rows)


class TestIndexes:
    """What is asked often is answered by an index: no scan, no sorting."""

    @pytest.fixture
    def desk(self, open_desk: OpenDesk) -> "Desk":
        """A desk at SQLite, whose planner these tests ask."""
        return open_desk("sqlite://")

    @pytest.mark.parametrize(
        ("row", "column"),
        [
            pytest.param(ActivityRow, "customer", id="activities of a customer"),
            pytest.param(ActivityRow, "subscription", id="activities of a subscription"),
            pytest.param(OrderRow, "customer", id="orders of a customer"),
            pytest.param(OrderRow, "subscription", id="orders of a subscription"),
        ],
    )
    def test_records_of_somebody_in_a_period_are_found_by_an_index(
        self, desk: "Desk", row: type[ActivityRow] | type[OrderRow], column: str
    ) -> None:
        """EVT-07: the activity log and the order history, one span at a time."""
        query = (
            select(row)
            .filter_by(tenant="default", **{column: "x"})
            .where(col(row.effective_at) >= MONTH[0], col(row.effective_at) < MONTH[1])
            .order_by(col(row.effective_at))
        )

        plan = self._plan_of(desk, query, row)

        asked = f"(tenant=? AND {column}=? AND effective_at>? AND effective_at<?)"
        assert plan == f"SEARCH {TABLES[row]} USING INDEX {TABLES[row]}_{column} {asked}"

    @pytest.mark.parametrize("row", [ActivityRow, OrderRow], ids=["activities", "orders"])
    def test_records_of_everybody_in_a_period_are_found_by_an_index(
        self, desk: "Desk", row: type[ActivityRow] | type[OrderRow]
    ) -> None:
        """EVT-07: a month of one tenant does not read all its years."""
        query = (
            select(row)
            .filter_by(tenant="default")
            .where(col(row.effective_at) >= MONTH[0], col(row.effective_at) < MONTH[1])
        )

        plan = self._plan_of(desk, query, row)

        assert "SCAN" not in plan
        assert "(tenant=? AND effective_at>? AND effective_at<?)" in plan

    def test_what_is_due_is_found_by_an_index(self, desk: "Desk") -> None:
        """GEN-08: claiming a batch neither scans the subjects nor sorts them."""
        plan = _plan(desk.store.engine, lambda: settle(desk.store, TERM_END), "due_at <= ")

        assert plan.startswith("SEARCH sublife_subject USING INDEX sublife_subject_due")
        assert "due_at<?" in plan
        assert "TEMP B-TREE" not in plan

    def test_the_next_due_instant_is_found_by_an_index(self, desk: "Desk") -> None:
        """The simulated clock asks it at every step."""
        plan = _plan(desk.store.engine, desk.store.next_due, "FROM sublife_subject")

        assert "sublife_subject_due" in plan

    def test_the_history_of_a_subject_is_found_by_an_index(self, desk: "Desk") -> None:
        """EVT-05: one subject's journal does not read the others'."""
        plan = _plan(desk.store.engine, lambda: desk.store.history("s1"), "FROM sublife_journal")

        assert "(tenant=? AND subject=? AND sequence>?)" in plan

    def test_an_event_id_is_found_by_an_index(self, desk: "Desk") -> None:
        """Every event asks whether its id is known."""
        event = desk.event("purchase", "s1", SOLD_AT)

        def ask() -> None:
            with desk.store.transaction() as tx:
                tx.look(event)

        plan = _plan(desk.store.engine, ask, "sublife_journal.event_id")

        assert "(tenant=? AND event_id=?)" in plan
        assert "SCAN sublife" not in plan

    @staticmethod
    def _plan_of(desk: "Desk", query: Select[Any], row: type[ActivityRow] | type[OrderRow]) -> str:
        def ask() -> None:
            with Session(desk.store.engine) as session:
                session.connection().execute(query).all()

        return _plan(desk.store.engine, ask, f"FROM {TABLES[row]}")


class TestOpening:
    """A database that cannot be opened is an error that names the remedy."""

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("mysql://host/base", id="another database"),
            pytest.param("store.db", id="a bare path"),
            pytest.param("sqlite:store.db", id="slashes missing"),
            pytest.param("", id="nothing"),
        ],
    )
    def test_an_address_that_is_none_is_refused(self, open_desk: OpenDesk, url: str) -> None:
        """The message shows an address that works."""
        with pytest.raises(StoreError, match=r"sqlite:///file\.db"):
            open_desk(url)

    def test_a_directory_is_refused(self, open_desk: OpenDesk, tmp_path: Path) -> None:
        """The path, and what to check."""
        with pytest.raises(StoreError, match=r"cannot be opened: .*; check path, rights") as caught:
            open_desk(f"sqlite:///{tmp_path}")

        assert str(tmp_path) in str(caught.value)

    def test_a_folder_that_is_not_there_is_refused(
        self, open_desk: OpenDesk, tmp_path: Path
    ) -> None:
        """No folder is made on the way."""
        with pytest.raises(StoreError, match="check path"):
            open_desk(f"sqlite:///{tmp_path / 'missing' / 'store.db'}")

        assert list(tmp_path.iterdir()) == []

    def test_a_file_that_is_no_database_is_refused(
        self, open_desk: OpenDesk, tmp_path: Path
    ) -> None:
        """And stays as it is."""
        path = tmp_path / "notes.txt"
        path.write_text("not a database, only a few words about one\n" * 50)
        before = path.read_bytes()

        with pytest.raises(StoreError, match="check path, rights and format"):
            open_desk(f"sqlite:///{path}")

        assert path.read_bytes() == before

    def test_opening_twice_makes_the_tables_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """What is there stays."""
        open_desk(shared_url).sell("s1")

        assert open_desk(shared_url).subscription("s1").quantity == 30

    def test_a_store_takes_an_engine_of_its_host(self, desk: "Desk") -> None:
        """Embedded: the host's engine, our tables."""
        store = Store(desk.store.engine, clock=desk.clock)
        desk.sell("s1")

        assert store.get("s1") == desk.subscription("s1")


def _fail_after_writing(desk: "Desk", event: Event) -> None:
    with desk.store.transaction() as tx:
        _accept(tx, event)
        tx.flush()
        raise OSError("the power is gone")


def _accept(tx: Transaction, event: Event) -> None:
    """Decide an event against what the transaction holds, and take it down."""
    held = tx.held(event.subject)
    decision = decide(held.snapshot if held else None, event, tx.policy)
    assert isinstance(decision, Decision)
    tx.accept(event, decision, recorded_at=event.at)
