"""Our lifecycle inside a host's own transaction, on whatever engine the host has."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from sqlalchemy import Connection, Engine, MetaData, create_engine, text
from sqlalchemy import event as sa_event
from sqlalchemy import select as sa_select
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.pool import NullPool
from sqlmodel import Field, Session, SQLModel, select

from sublife.events.intake import (
    EventIdTakenError,
    EventInFutureError,
    Outcome,
    StaleVersionError,
    settle,
    submit,
)
from sublife.events.permission import allowed
from sublife.events.store import (
    ConflictError,
    FullError,
    IsolationError,
    LockedError,
    Store,
    StoreError,
    UnreachableError,
    begin_at_once,
)
from sublife.events.tables import SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownSubjectError, decide
from sublife.lifecycle.model import EMPTY, Decision, Event, ModelError, Payload
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Price,
    Product,
    Purchase,
    Rename,
    Suspend,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


class HostTable(SQLModel):
    """What the host's own tables share."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]


class InvoiceLine(HostTable, table=True):
    """A table of the host's."""

    id: int | None = Field(default=None, primary_key=True)
    subscription: str
    amount: Decimal
    number: str = Field(unique=True)


@dataclass(slots=True)
class Host:
    """A host with an engine of its own, and a desk that looks at the database from outside."""

    engine: Engine
    desk: "Desk"
    lines: int = 0

    @property
    def store(self) -> Store:
        """The store that the host opened at its start."""
        return self.desk.store

    def line(self, subscription: str = "s1") -> InvoiceLine:
        """Return a new row of the host's own."""
        self.lines += 1
        return InvoiceLine(subscription=subscription, amount=Decimal(30), number=f"L{self.lines}")

    def event(self, name: str, subject: str, data: Payload = EMPTY, **more: Any) -> Event:
        """Return an event of the present."""
        return self.desk.event(name, subject, self.desk.clock.now(), data, **more)

    def purchase(self, subject: str, **changes: Any) -> Event:
        """Return the event that sells 30 seats of E3 for a year, unless *changes* say otherwise."""
        return self.event("purchase", subject, replace(ORDER, **changes))

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table, ours and the host's."""
        found = self.desk.rows()
        table = InvoiceLine.metadata.tables["invoiceline"]
        with self.store.engine.begin() as connection:
            found["invoiceline"] = [tuple(row) for row in connection.execute(sa_select(table))]
        return found


def plain(url: str, **more: Any) -> Engine:
    """Return an engine as a host makes it: nothing is configured."""
    return create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1), **more)


def beginning(url: str) -> Engine:
    """Return an engine with the recipe of SQLAlchemy's handbook: BEGIN where SQLAlchemy says."""
    engine = plain(url, connect_args={"timeout": 0.2})

    def connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    sa_event.listen(engine, "connect", connected)
    sa_event.listen(engine, "begin", begun)
    return engine


HOSTS = [
    "sqlite-memory",
    "sqlite-ours",
    "sqlite-plain",
    "sqlite-begin",
    "postgresql",
    "postgresql-partitioned",
    "repeatable-read",
    "serializable",
]
NESTING = [name for name in HOSTS if name != "sqlite-plain"]


@pytest.fixture
def open_host(
    request: pytest.FixtureRequest, tmp_path: Path, open_desk: OpenDesk
) -> Iterator[Callable[[str], Host]]:
    """Opens a host on an empty database."""
    engines: list[Engine] = []

    def open_(kind: str) -> Host:
        url = f"sqlite:///{tmp_path / 'host.db'}"
        match kind:
            case "sqlite-memory":
                desk = open_desk("sqlite://")
                engine = desk.store.engine
            case "sqlite-ours":
                desk = open_desk(url)
                engine = desk.store.engine
            case "sqlite-plain":
                desk = open_desk(url)
                engine = plain(url)
            case "sqlite-begin":
                desk = open_desk(url)
                engine = beginning(url)
            case "postgresql-partitioned":
                url = str(request.getfixturevalue("partitioned_database"))
                desk, engine = open_desk(url), plain(url)
            case _:
                url = str(request.getfixturevalue("migrated_database"))
                level = {
                    "repeatable-read": "REPEATABLE READ",
                    "serializable": "SERIALIZABLE",
                }.get(kind, "READ COMMITTED")
                desk, engine = open_desk(url), plain(url, isolation_level=level)
        if engine is not desk.store.engine:
            engines.append(engine)
        HostTable.metadata.create_all(engine)
        desk.clock.move(SOLD_AT)
        return Host(engine, desk)

    yield open_
    for engine in engines:
        engine.dispose()


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, open_host: Callable[[str], Host]) -> Host:
    """A host on every engine there is."""
    return open_host(request.param)


@pytest.fixture(params=NESTING)
def nesting_host(request: pytest.FixtureRequest, open_host: Callable[[str], Host]) -> Host:
    """A host whose engine can nest transactions."""
    return open_host(request.param)


def _fail_after_writing(host: Host, session: Session) -> None:
    """Write an event inside the host's transaction, then fail."""
    event = host.event("suspend", "s1", Suspend())
    with host.store.within(session).transaction() as tx:
        held = tx.held("s1")
        decision = decide(held.snapshot if held else None, event, tx.policy)
        assert isinstance(decision, Decision)
        tx.accept(event, decision, recorded_at=event.at)
        tx.flush()
        raise OSError("the power is gone")


def _ask(host: Host, question: str) -> list[Any]:
    """Ask the PostgreSQL server something, from outside."""
    with host.store.engine.connect() as connection:
        return list(connection.execute(text(question)))


def _wait_until_somebody_waits(host: Host) -> None:
    """Return when a connection waits for a lock of another."""
    while not _ask(host, "SELECT 1 FROM pg_locks WHERE NOT granted"):
        pass


def _end_all_connections(host: Host) -> None:
    """End every other connection to the database, as an administrator may."""
    _ask(
        host,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def _sell_many(store: Store, host: Host) -> None:
    for number in range(1000):
        submit(store, host.purchase(f"many-{number}"))


def _sell_and_fail(store: Store, host: Host) -> None:
    """Submit inside a transaction of ours that fails afterwards."""
    with store.transaction():
        submit(store, host.purchase("s1"))
        raise OSError("the power is gone")


def _pragma(session: Session, name: str) -> int:
    return int(session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one())


def _limit_pages(session: Session, more: int) -> None:
    """Let the SQLite file of the session's connection grow by so many pages and no further."""
    _pragma(session, f"max_page_count={_pragma(session, 'page_count') + more}")


class TestTogether:
    def test_what_the_host_commits_is_there_together(self, host: Host) -> None:
        """State, journal and records beside the host's own row."""
        event = host.purchase("s1", price=Price(Decimal(10), "EUR"))

        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            outcome = submit(host.store.within(session), event)
            session.add(host.line())

        rows = host.rows()
        assert (outcome.accepted, outcome.state) == (True, "active")
        assert host.desk.subscription("s1").version == outcome.version == 2
        assert [len(rows[f"sublife_{name}"]) for name in ("subject", "journal", "order")] == [
            1,
            2,
            1,
        ]
        assert [row[3] for row in rows["invoiceline"]] == ["L1", "L2"]

    def test_what_the_host_rolls_back_leaves_no_trace_in_any_table(self, host: Host) -> None:
        """Neither state nor journal nor records nor outbox."""
        host.desk.sell("s1", autorenew=False)
        before = host.rows()
        host.desk.clock.move(TERM_END + DAY)
        event = host.purchase("s2")

        with Session(host.engine) as session:
            store = host.store.within(session)
            session.add(host.line())
            sold = submit(store, event)
            refused = submit(store, host.event("reactivate", "s1"))
            seen = (store.get("s2"), len(store.history("s1")), len(store.records()))
            session.rollback()

        assert (sold.accepted, len(sold.before)) == (True, 2)
        assert (refused.accepted, refused.before) == (False, ())
        assert seen[0] is not None
        assert seen[1:] == (5, 2)
        assert host.rows() == before

    def test_after_a_rollback_the_same_event_is_taken_in_anew(self, host: Host) -> None:
        """The event id was never used."""
        event = host.purchase("s1")

        outcomes: list[Outcome] = []
        for ending in (Session.rollback, Session.commit, Session.commit):
            with Session(host.engine) as session:
                outcomes.append(submit(host.store.within(session), event))
                ending(session)

        assert [each.repeated for each in outcomes] == [False, False, True]
        assert len(host.store.history("s1")) == 2

    def test_one_store_serves_a_session_through_its_transactions(self, host: Host) -> None:
        """It is joined to the session, not to one transaction of it."""
        with Session(host.engine) as session:
            store = host.store.within(session)
            submit(store, host.purchase("s1"))
            session.rollback()
            submit(store, host.purchase("s2"))
            session.commit()
            submit(store, host.purchase("s3"))
            session.commit()

        assert list(host.store.all()) == ["s2", "s3"]

    def test_several_events_are_one_transaction(self, host: Host) -> None:
        """Each sees what the one before has done; none is there before the commit."""
        with Session(host.engine) as session, session.begin():
            store = host.store.within(session)
            submit(store, host.purchase("s1"))
            added = submit(store, host.event("add_seats", "s1", ChangeSeats(5)), expected_version=2)
            suspended = submit(store, host.event("suspend", "s1", Suspend()))

        assert (added.version, suspended.version) == (3, 4)
        assert host.desk.subscription("s1").quantity == 35

    def test_two_tenants_in_one_transaction_stay_apart(self, host: Host) -> None:
        """The same ids are two subjects; both are there, or neither."""
        event = host.purchase("s1")

        with Session(host.engine) as session, session.begin():
            one = host.store.within(session)
            other = one.of("other")
            first = submit(one, event)
            unseen = other.get("s1")
            second = submit(other, event)

        assert (first.repeated, unseen, second.repeated) == (False, None, False)
        assert [each.tenant for each in host.store.orders()] == ["default"]
        assert [each.tenant for each in host.store.of("other").orders()] == ["other"]

    def test_a_connection_will_do_for_a_session(self, host: Host) -> None:
        """A host without ORM joins with the connection it has begun a transaction on."""
        kept, dropped = host.purchase("s1"), host.purchase("s2")

        with host.engine.connect() as connection:
            with connection.begin():
                submit(host.store.within(connection), kept)
            with connection.begin() as undone:
                submit(host.store.within(connection), dropped)
                undone.rollback()

        assert list(host.store.all()) == ["s1"]


class TestErrorsInside:
    ERRORS: ClassVar[dict[str, tuple[type[Exception], Callable[[Host], Event]]]] = {
        "stale": (StaleVersionError, lambda host: host.event("suspend", "s1", Suspend())),
        "unknown": (UnknownSubjectError, lambda host: host.event("suspend", "s9", Suspend())),
        "payload": (ModelError, lambda host: host.event("suspend", "s1", ChangeSeats(1))),
        "future": (
            EventInFutureError,
            lambda host: host.desk.event("cancel", "s1", TERM_END + 9 * DAY),
        ),
        "id taken": (
            EventIdTakenError,
            lambda host: host.event("cancel", "s1", event_id="sale"),
        ),
    }

    @pytest.mark.parametrize("error", ERRORS)
    def test_an_error_undoes_ours_alone(self, host: Host, error: str) -> None:
        """Also what was due and had been settled before; the host goes on as if never asked."""
        raised, event = self.ERRORS[error]
        expected = 1 if raised is StaleVersionError else None
        host.desk.sell("s1", autorenew=False)
        submit(host.store, host.event("rename", "s1", Rename("Ours"), event_id="sale"))
        ours = host.desk.rows()
        host.desk.clock.move(TERM_END + DAY)

        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            session.flush()
            session.add(host.line())
            with pytest.raises(raised):
                submit(host.store.within(session), event(host), expected_version=expected)
            session.add(host.line())

        rows = host.rows()
        assert [row[3] for row in rows.pop("invoiceline")] == ["L1", "L2", "L3"]
        assert rows == ours

    def test_a_refusal_is_written_down_with_what_the_host_commits(self, host: Host) -> None:
        """A refusal is an outcome: it is on record, and the host decides what to make of it."""
        host.desk.sell("s1")
        host.desk.clock.move(MID_TERM)
        standing = host.desk.standing()

        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            outcome = submit(host.store.within(session), host.event("reactivate", "s1"))

        assert outcome.refusal is not None
        assert outcome.refusal.code == "BAD_STATE"
        assert [each.sequence for each in host.store.history("s1")] == [1, 2, 3]
        assert host.desk.standing() == standing
        assert len(host.rows()["invoiceline"]) == 1

    def test_a_fault_after_our_rows_are_written_undoes_them(self, host: Host) -> None:
        """A savepoint holds what reached the database already."""
        host.desk.sell("s1")
        ours = host.desk.rows()

        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            with pytest.raises(OSError, match="the power is gone"):
                _fail_after_writing(host, session)

        rows = host.rows()
        assert len(rows.pop("invoiceline")) == 1
        assert rows == ours

    def test_an_error_while_reading_leaves_the_hosts_work_alone(self, host: Host) -> None:
        """On PostgreSQL an error ends a transaction, unless a savepoint stands before it."""
        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            with pytest.raises(StoreError):
                host.store.within(session).records(after="no cursor")
            with suppress(StoreError):
                host.store.within(session).get("\x00")

        assert len(host.rows()["invoiceline"]) == 1


class TestSession:
    def test_what_is_pending_goes_first(self, host: Host) -> None:
        """As before a query of the host's own, so statements come in the order of the program."""
        with Session(host.engine) as session:
            session.add(host.line())
            submit(host.store.within(session), host.purchase("s1"))
            pending = tuple(session.new)
            session.rollback()

        assert pending == ()

    def test_an_error_of_what_is_pending_is_the_hosts_own(self, host: Host) -> None:
        """It is raised as SQLAlchemy raises it, before we do anything."""
        first, second = host.line(), host.line()
        second.number = first.number
        before = host.rows()

        with Session(host.engine) as session:
            session.add_all([first, second])
            with pytest.raises(IntegrityError):
                submit(host.store.within(session), host.purchase("s1"))

        assert host.rows() == before

    def test_without_autoflush_what_is_pending_waits(self, host: Host) -> None:
        """`no_autoflush` means what it says."""
        with Session(host.engine) as session:
            with session.no_autoflush:
                session.add(host.line())
                submit(host.store.within(session), host.purchase("s1"))
                pending = len(session.new)
            session.commit()

        assert pending == 1
        assert len(host.rows()["invoiceline"]) == 1

    def test_our_rows_in_the_session_are_read_anew(self, host: Host) -> None:
        """A row that the host has loaded shows what we have written meanwhile."""
        host.desk.sell("s1")

        with Session(host.engine) as session:
            row = session.exec(select(SubjectRow)).one()
            before = row.state
            submit(host.store.within(session), host.event("suspend", "s1", Suspend()))
            after = row.state
            session.rollback()
            undone = row.state

        assert (before, after, undone) == ("active", "suspended", "active")

    def test_a_session_bound_table_by_table_is_asked_for_our_database(self, host: Host) -> None:
        """Our tables may be bound elsewhere than the host's others."""
        elsewhere = create_engine("sqlite://")
        binds: dict[Any, Any] = {InvoiceLine: elsewhere, SubjectRow: host.engine}

        with Session(binds=binds) as session, session.begin():
            submit(host.store.within(session), host.purchase("s1"))

        elsewhere.dispose()
        assert list(host.store.all()) == ["s1"]

    @pytest.mark.parametrize(
        "kind", ["sqlite-plain", "sqlite-begin", "postgresql", "repeatable-read"]
    )
    def test_looking_locks_nothing(self, open_host: Callable[[str], Host], kind: str) -> None:
        """While a host's transaction has only read, others write."""
        host = open_host(kind)
        host.desk.sell("s1", autorenew=False)
        host.desk.clock.move(TERM_END)

        with Session(host.engine) as session:
            store = host.store.within(session)
            seen = (store.get("s1"), len(store.history("s1")), allowed(store, "s1"))
            outcome = submit(host.store, host.event("turn_autorenew_on", "s1"))
            session.rollback()

        assert seen[0] is not None
        assert "suspend" not in seen[2]
        assert len(outcome.before) == 2


class TestNested:
    def test_an_inner_rollback_undoes_what_was_submitted_inside(self, nesting_host: Host) -> None:
        host = nesting_host
        with Session(host.engine) as session, session.begin():
            store = host.store.within(session)
            submit(store, host.purchase("s1"))
            inner = session.begin_nested()
            session.add(host.line())
            submit(store, host.purchase("s2"))
            inner.rollback()
            submit(store, host.purchase("s3"))

        assert list(host.store.all()) == ["s1", "s3"]
        assert host.rows()["invoiceline"] == []

    def test_an_outer_rollback_undoes_what_was_committed_inside(self, nesting_host: Host) -> None:
        host = nesting_host
        before = host.rows()

        with Session(host.engine) as session:
            with session.begin_nested():
                session.add(host.line())
                submit(host.store.within(session), host.purchase("s1"))
            session.rollback()

        assert host.rows() == before

    def test_ours_within_ours_is_undone_with_it(self, nesting_host: Host) -> None:
        host = nesting_host
        before = host.rows()

        with Session(host.engine) as session, session.begin():
            store = host.store.within(session)
            with pytest.raises(OSError, match="the power is gone"):
                _sell_and_fail(store, host)

        assert host.rows() == before

    def test_a_savepoint_that_would_commit_is_refused(self, open_host: Callable[..., Host]) -> None:
        """The SQLite driver begins no transaction before SAVEPOINT, so releasing it commits."""
        host = open_host("sqlite-plain")

        with Session(host.engine) as session:
            with pytest.raises(StoreError, match="begin_at_once"), session.begin_nested():
                submit(host.store.within(session), host.purchase("s1"))
            session.rollback()

        assert host.store.is_empty()

    def test_a_savepoint_inside_a_transaction_of_ours_is_sound(
        self, open_host: Callable[..., Host]
    ) -> None:
        """Where we have begun it, the driver's late beginning does no harm."""
        host = open_host("sqlite-plain")

        with Session(host.engine) as session:
            submit(host.store.within(session), host.purchase("s1"))
            with session.begin_nested():
                submit(host.store.within(session), host.purchase("s2"))
            session.rollback()

        assert host.store.is_empty()

    def test_an_engine_that_begins_at_once_can_nest(self, open_host: Callable[..., Host]) -> None:
        """One line of the host's makes the driver behave."""
        host = open_host("sqlite-plain")
        engine = begin_at_once(plain(str(host.engine.url)))

        with Session(engine) as session:
            with session.begin_nested():
                submit(host.store.within(session), host.purchase("s1"))
            session.rollback()

        engine.dispose()
        assert host.store.is_empty()


class TestSettling:
    @pytest.fixture
    def due(self, host: Host) -> Host:
        """Five subscriptions whose term has ended."""
        for number in range(5):
            host.desk.sell(f"s{number}", autorenew=False)
        host.desk.clock.move(TERM_END + DAY)
        return host

    def test_a_settled_night_is_there_when_the_host_commits(self, due: Host) -> None:
        with Session(due.engine) as session:
            settled = settle(due.store.within(session), TERM_END + DAY, batch=2)
            session.add_all(due.line(each.event.subject) for each in settled.outcomes)
            session.commit()

        assert settled.count == 10
        assert {each.state for each in due.store.all().values()} == {"grace"}
        assert len(due.rows()["invoiceline"]) == 10

    def test_a_settled_night_is_gone_when_the_host_rolls_back(self, due: Host) -> None:
        before = due.rows()

        with Session(due.engine) as session:
            counts = [
                settle(due.store.within(session), TERM_END + DAY, collect=collect).count
                for collect in (False, True)
            ]
            session.rollback()

        assert counts == [10, 0]
        assert due.rows() == before

    def test_a_host_commits_part_after_part(self, due: Host) -> None:
        """Each part with the host's rows for it, until one counts nothing."""
        counts: list[int] = []
        while not counts or counts[-1]:
            with Session(due.engine) as session, session.begin():
                part = settle(due.store.within(session), TERM_END + DAY, batch=2, limit=1)
                session.add_all(due.line(each.event.subject) for each in part.outcomes)
            counts.append(part.count)

        assert sum(counts) == len(due.rows()["invoiceline"]) == 10
        assert len(counts) > 3


class TestConflicts:
    @pytest.mark.parametrize("kind", ["sqlite-begin", "repeatable-read", "serializable"])
    def test_a_transaction_that_sees_no_news_is_told_to_begin_anew(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """Somebody commits after the host has looked; only a new transaction can see it."""
        host = open_host(kind)
        host.desk.sell("s1")
        event = host.event("suspend", "s1", Suspend())

        with Session(host.engine) as session:
            session.exec(select(SubjectRow)).all()
            submit(host.store, host.event("add_seats", "s1", ChangeSeats(5)))
            with pytest.raises(ConflictError, match="roll back your transaction") as raised:
                submit(host.store.within(session), event)
            session.rollback()
            again = submit(host.store.within(session), event)
            session.commit()

        assert raised.value.whole
        assert (again.accepted, again.version) == (True, 4)

    @pytest.mark.parametrize("kind", ["sqlite-plain", "postgresql"])
    def test_a_transaction_that_sees_news_goes_on(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """What somebody has committed meanwhile is what is decided on."""
        host = open_host(kind)
        host.desk.sell("s1")
        event = host.event("suspend", "s1", Suspend())

        with Session(host.engine) as session:
            session.exec(select(SubjectRow)).all()
            submit(host.store, host.event("add_seats", "s1", ChangeSeats(5)))
            outcome = submit(host.store.within(session), event)
            session.commit()

        assert outcome.version == 4

    @pytest.mark.parametrize("kind", ["postgresql", "repeatable-read"])
    def test_after_a_conflict_the_hosts_own_work_can_be_committed(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """The savepoint keeps it, whether or not the host gives the event up."""
        host = open_host(kind)
        host.desk.sell("s1")

        with Session(host.engine) as session:
            session.add(host.line())
            session.flush()
            with host.store.transaction() as tx:
                tx.held("s1")
                session.exec(text("SET LOCAL lock_timeout = '50ms'"))  # type: ignore[call-overload]
                with pytest.raises(ConflictError):
                    submit(host.store.within(session), host.event("suspend", "s1", Suspend()))
            session.commit()

        assert len(host.rows()["invoiceline"]) == 1
        assert host.desk.subscription("s1").version == 2

    def test_a_locked_file_costs_the_host_nothing(self, open_host: Callable[[str], Host]) -> None:
        host = open_host("sqlite-begin")
        event = host.purchase("s1")

        with Session(host.engine) as session:
            store = host.store.within(session)
            with (
                host.store.transaction(),
                pytest.raises(LockedError, match="another connection or process"),
            ):
                submit(store, event)
            outcome = submit(store, event)
            session.commit()

        assert outcome.accepted

    def test_two_first_writers_of_a_tenant_do_not_wait_for_each_other(
        self, open_host: Callable[[str], Host]
    ) -> None:
        """Both see that the tenant is live, each in a process of its own."""
        host = open_host("repeatable-read")
        host.desk.sell("a")
        host.desk.sell("b")
        soon = {"options": "-c lock_timeout=3000"}
        engines = [
            create_engine(host.engine.url, isolation_level="REPEATABLE READ", connect_args=soon)
            for _ in "ab"
        ]

        with (
            Session(engines[0]) as one,
            one.begin(),
            Session(engines[1]) as other,
            other.begin(),
        ):
            found = [
                submit(
                    host.store.within(session), host.event("rename", name, Rename("it"))
                ).accepted
                for session, name in ((one, "a"), (other, "b"))
            ]

        assert found == [True, True]
        for engine in engines:
            engine.dispose()

    @pytest.mark.parametrize("kind", ["postgresql", "repeatable-read", "serializable"])
    def test_the_victim_of_a_deadlock_rolls_back_and_runs_again(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """Two hosts take the same two subscriptions in opposite order."""
        host = open_host(kind)
        host.desk.sell("a")
        host.desk.sell("b")
        met = threading.Barrier(2, timeout=30)
        work = {
            order: [host.event("rename", name, Rename(order)) for name in order]
            for order in ("ab", "ba")
        }
        conflicts: list[ConflictError] = []

        def run(order: str) -> None:
            first = True
            while True:
                try:
                    with Session(host.engine) as session, session.begin():
                        store = host.store.within(session)
                        submit(store, work[order][0])
                        if first:
                            first = False
                            met.wait()
                        submit(store, work[order][1])
                        return
                except ConflictError as error:
                    conflicts.append(error)

        threads = [threading.Thread(target=run, args=(order,)) for order in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert conflicts
        assert all(each.whole for each in conflicts)
        assert [len(host.store.history(name)) for name in "ab"] == [4, 4]

    @pytest.mark.parametrize("kind", ["postgresql", "repeatable-read", "serializable"])
    def test_one_event_in_two_hosts_at_once_is_taken_in_once(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """The second one waits for the first, then sees it, in the same transaction or the next."""
        host = open_host(kind)
        event = host.purchase("s1")
        outcomes: list[Outcome] = []
        conflicts: list[ConflictError] = []

        def run() -> None:
            while len(outcomes) < 2:
                try:
                    with Session(host.engine) as session, session.begin():
                        outcome = submit(host.store.within(session), event)
                except ConflictError as error:
                    conflicts.append(error)
                else:
                    outcomes.append(outcome)
                    return

        with Session(host.engine) as session:
            outcomes.append(submit(host.store.within(session), event))
            other = threading.Thread(target=run)
            other.start()
            _wait_until_somebody_waits(host)
            session.commit()
        other.join(60)

        assert [each.repeated for each in outcomes] == [False, True]
        assert len(host.store.history("s1")) == 2
        assert [each.whole for each in conflicts] == ([] if kind == "postgresql" else [True])

    @pytest.mark.parametrize("kind", ["repeatable-read", "serializable"])
    def test_what_needs_all_of_a_customer_needs_read_committed(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """TRM-33: a limit over all subscriptions cannot hold where new ones are not seen."""
        host = open_host(kind)
        small = Product("E3", "Office E3", smb=True)
        order = host.purchase("s1", product=small)

        with Session(host.engine) as session, session.begin():
            session.add(host.line())
            with pytest.raises(IsolationError, match="READ COMMITTED"):
                submit(host.store.within(session), order)

        outcome = submit(host.store, order)
        assert (outcome.accepted, outcome.repeated) == (True, False)
        assert len(host.rows()["invoiceline"]) == 1


class TestLostTransactions:
    def test_a_lost_connection_must_be_rolled_back(self, open_host: Callable[[str], Host]) -> None:
        """What the host did before is gone too, so it may not go on as if it were there."""
        host = open_host("postgresql")
        event = host.purchase("s1")

        with Session(host.engine) as session:
            store = host.store.within(session)
            session.add(host.line())
            session.flush()
            _end_all_connections(host)
            with pytest.raises(UnreachableError, match="submit again"):
                submit(store, event)
            session.add(host.line())
            with pytest.raises(InvalidRequestError, match="invalid transaction"):
                session.flush()
            session.rollback()
            again = submit(store, event)
            session.commit()

        assert (again.accepted, again.repeated) == (True, False)
        assert host.rows()["invoiceline"] == []

    @pytest.mark.parametrize("kind", ["sqlite-ours", "sqlite-plain", "sqlite-begin"])
    def test_a_full_file_must_be_rolled_back(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """SQLite ends the whole transaction when there is no room, without asking the host."""
        host = open_host(kind)
        before = host.rows()

        with Session(host.engine) as session:
            store = host.store.within(session)
            session.add(host.line())
            session.flush()
            _limit_pages(session, 2)
            with pytest.raises(FullError, match="no room"):
                _sell_many(store, host)
            session.add(host.line())
            with pytest.raises(InvalidRequestError, match="invalid transaction"):
                session.commit()
            session.rollback()
            _limit_pages(session, 1000)
            again = submit(store, host.purchase("s1"))
            session.rollback()

        assert again.accepted
        assert host.rows() == before

    def test_a_full_memory_must_be_rolled_back(self, open_host: Callable[[str], Host]) -> None:
        """The connection is all there is of that database, so it is kept."""
        host = open_host("sqlite-memory")
        host.desk.sell("s1")
        before = host.rows()

        with Session(host.engine) as session:
            session.add(host.line())
            _limit_pages(session, 2)
            with pytest.raises(FullError, match="no room"):
                _sell_many(host.store.within(session), host)
            with pytest.raises(InvalidRequestError, match="inactive"):
                session.commit()

        assert host.rows() == before


class TestWrongHosts:
    def test_a_connection_without_a_transaction_is_refused(self, host: Host) -> None:
        with host.engine.connect() as connection, pytest.raises(StoreError, match="begin one"):
            submit(host.store.within(connection), host.purchase("s1"))

    @pytest.mark.parametrize("kind", ["sqlite-plain", "postgresql"])
    def test_a_connection_that_commits_by_itself_is_refused(
        self, open_host: Callable[[str], Host], kind: str
    ) -> None:
        """Nothing could be rolled back."""
        host = open_host(kind)
        engine = host.engine.execution_options(isolation_level="AUTOCOMMIT")

        with Session(engine) as session, pytest.raises(StoreError, match="AUTOCOMMIT"):
            submit(host.store.within(session), host.purchase("s1"))

        assert host.store.is_empty()

    def test_another_driver_is_refused(self, open_host: Callable[[str], Host]) -> None:
        """Statements are written for the drivers they are tested on."""
        host = open_host("sqlite-plain")
        host.engine.dialect.driver = "another"

        with Session(host.engine) as session, pytest.raises(StoreError, match="through another"):
            submit(host.store.within(session), host.purchase("s1"))

    @pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
    def test_a_database_without_our_tables_says_what_to_run(
        self, request: pytest.FixtureRequest, open_desk: OpenDesk, tmp_path: Path, kind: str
    ) -> None:
        """The host's own work is not harmed."""
        url = (
            f"sqlite:///{tmp_path / 'empty.db'}"
            if kind == "sqlite"
            else str(request.getfixturevalue("empty_database"))
        )
        engine = plain(url, poolclass=NullPool)
        HostTable.metadata.create_all(engine)
        desk = open_desk()
        desk.clock.move(SOLD_AT)

        with Session(engine) as session:
            session.add(InvoiceLine(subscription="s1", amount=Decimal(1), number="L1"))
            with pytest.raises(StoreError, match="sublife migrate"):
                submit(desk.store.within(session), desk.event("suspend", "s1", SOLD_AT, Suspend()))
            session.commit()
            kept = session.exec(select(InvoiceLine)).all()

        assert len(kept) == 1
