"""verify(rebuild=True): decided again, every event leads to what is stored, or the row is named."""

# ruff: noqa: S608 – the SQL of somebody who must not, of names and values of our own

import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sublife.events.intake import settle, submit
from sublife.events.packs import load_pack
from sublife.events.store import ConflictError, Store
from sublife.events.store.audit import Line
from sublife.events.store.chain import chained
from sublife.events.store.history import NEW_ENTRY
from sublife.events.store.link import Link
from sublife.events.store.statement import written
from sublife.events.verify import Verdict, Wrong, verify
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event, ModelError, Payload
from sublife.lifecycle.subscription.model import (
    BuyAgain,
    ChangeSeats,
    Platform,
    Product,
    Purchase,
    ScheduleChange,
    Suspend,
    Upgrade,
)
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.verify.conftest import Hands

Look = Callable[..., Verdict]
Brief = tuple[str, str, str | None, Wrong, str | None]
CHANGED, DROPPED, INSERTED = Wrong.CHANGED, Wrong.DROPPED, Wrong.INSERTED
DAY = timedelta(days=1)
START = datetime.fromisoformat("2021-04-01T02:35:00Z")
"""Legacy subscriptions are still sold and can already be migrated."""
AMY = Actor(ActorKind.USER, "amy")


def brief(verdict: Verdict) -> Brief:
    """Return the first finding, as far as a table of cases tells it."""
    first = verdict.findings[0]
    return first.table, first.subject, first.event, first.wrong, first.column


@pytest.fixture
def again(look: Look) -> Callable[..., Verdict]:
    """Verifies the history and rebuilds it."""
    return partial(look, rebuild=True)


class TestSound:
    def test_a_history_decided_again_leads_to_what_is_stored(self, again: Look) -> None:
        """18 rows, two of them refused; eight activity records and five orders."""
        verdict = again()

        assert verdict.is_sound
        assert (verdict.rows, verdict.decided, verdict.records) == (18, 16, 13)

    def test_nothing_is_written(self, history: "Desk", again: Look) -> None:
        """Looking changes nothing."""
        before = history.rows()

        again()

        assert history.rows() == before

    def test_an_unsound_chain_is_not_decided_again(self, hands: "Hands", again: Look) -> None:
        """Rows that were changed prove nothing; the chain names them."""
        hands.edit("s1", 4, "data", """'{"quantity":6}'""")

        verdict = again()

        assert (verdict.decided, verdict.records, len(verdict.findings)) == (0, 0, 1)


class TestJournal:
    """Somebody who knows how hashes are made can write a chain anew, but not the rules."""

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("outcome", """'{"of":[["price-noted",{},["SUB-01"]]],"v":1}'"""),
            ("rules", "'SUB-99'"),
            ("version", "9"),
            ("state_before", "'suspended'"),
        ],
        ids=lambda each: each if each.isidentifier() else "",
    )
    def test_a_chain_written_anew_is_found_by_the_rules(
        self, hands: "Hands", look: Look, again: Look, column: str, value: str
    ) -> None:
        """The row says what its event does not lead to."""
        hands.edit("s1", 4, column, value)
        hands.rewrite("s1", 4)

        assert look().is_sound
        assert brief(again()) == ("journal", "s1", "event-4", CHANGED, column)

    def test_another_payload_leads_elsewhere(self, hands: "Hands", look: Look, again: Look) -> None:
        """Who changes what was asked for, must change what came of it too."""
        hands.edit("s1", 4, "data", """'{"quantity":6}'""")
        hands.rewrite("s1", 4)

        assert look().is_sound
        assert brief(again()) == ("journal", "s1", "event-4", CHANGED, "outcome")

    def test_a_refusal_that_leaves_another_state_is_found(
        self, hands: "Hands", again: Look
    ) -> None:
        """A refused event leaves its subject as it is."""
        hands.edit("s1", 3, "state", "'suspended'")
        hands.rewrite("s1", 3)

        assert brief(again()) == ("journal", "s1", "event-3", CHANGED, "state")

    def test_a_timer_must_have_the_id_of_its_due_instant(self, hands: "Hands", again: Look) -> None:
        """A timed event's id is made of subject, timer, due instant and version."""
        hands.edit("s1", 8, "event_id", "'timer:s1/grace_ended'")
        hands.rewrite("s1", 8)

        assert brief(again())[3:] == (CHANGED, "event_id")

    def test_an_event_that_the_rules_refuse_or_do_not_know_is_named(
        self, hands: "Hands", again: Look
    ) -> None:
        """With what the rules say about it."""
        said: list[str] = []
        for name in ("reactivate", "no_such_thing"):
            hands.edit("s1", 4, "name", f"'{name}'")
            hands.edit("s1", 4, "data", "'{}'")
            hands.rewrite("s1", 4)
            verdict = again()
            assert brief(verdict) == ("journal", "s1", "event-4", Wrong.UNKNOWN, None)
            said.append(verdict.findings[0].says)

        assert said[0].startswith("decided again it is refused: ")
        assert said[1].startswith('it cannot be decided again: subscription s1: no event "no_such')

    def test_rows_must_lie_in_the_order_of_their_sequence(
        self, hands: "Hands", again: Look
    ) -> None:
        """The position says in which order events were taken down."""
        hands.write(
            "UPDATE sublife_journal SET position = 9999 WHERE subject = 's1' AND sequence = 4"
        )

        assert brief(again())[3:] == (CHANGED, "position")

    def test_a_subject_that_another_led_to_cannot_vanish(
        self, hands: "Hands", look: Look, again: Look
    ) -> None:
        """Its chain is gone with it, but the event it arose from is not."""
        for table, column in (
            ("activity", "subscription"),
            ("order", "subscription"),
            ("journal", "subject"),
            ("subject", "id"),
        ):
            hands.write(f"DELETE FROM sublife_{table} WHERE {column} = 's3'")

        assert look().is_sound
        assert brief(again()) == ("journal", "s3", "event-5/0", DROPPED, None)

    def test_a_follow_up_that_nothing_leads_to_is_named(self, hands: "Hands", again: Look) -> None:
        """Nobody can ask for seats to move; only an upgrade leads to it."""
        hands.edit("s3", 1, "event_id", "'event-99'")
        hands.rewrite("s3", 1)

        assert brief(again()) == ("journal", "s3", "event-99", INSERTED, None)


class TestRecords:
    RENEWED = "timer:s2/renewal_ended/2025-10-02T00:00:00Z/3"
    VALUES: Mapping[str, str] = {
        "effective_at": "an instant",
        "recorded_at": "an instant",
        "amount": "12.34",
    }
    NUMBERS = frozenset({"version", "number", "quantity"})

    @pytest.mark.parametrize("table", ["activity", "order"])
    def test_each_column_of_a_record_in_turn(
        self, history: "Desk", hands: "Hands", again: Look, table: str
    ) -> None:
        """What identifies it counts as a record that its event does not leave, or lacks."""
        columns = list(history.store.records()[0].model_dump())
        if table == "order":
            columns = list(history.store.orders()[0].model_dump())
        found: dict[str, Brief] = {}
        for column in columns:
            value = self.VALUES.get(column, "77" if column in self.NUMBERS else "'x'")
            said = hands.at("2025-01-01 00:00:00") if value == "an instant" else value
            with hands.only_now(f"sublife_{table}"):
                hands.write(
                    f"UPDATE sublife_{table} SET \"{column}\" = {said} WHERE id = '{self.RENEWED}'"
                )
                found[column] = brief(again())

        where = (table, "s2", self.RENEWED)
        assert found == {
            **{column: (*where, CHANGED, column) for column in columns},
            "tenant": (*where, DROPPED, None),
            "event_id": (*where, DROPPED, None),
            "id": (*where, INSERTED, None),
        }
        assert again().is_sound

    def test_a_record_that_is_gone(self, hands: "Hands", again: Look) -> None:
        """Its event leaves it."""
        hands.write(f"DELETE FROM sublife_activity WHERE id = '{self.RENEWED}'")

        assert brief(again()) == ("activity", "s2", self.RENEWED, DROPPED, None)

    def test_a_record_that_was_put_in(self, history: "Desk", hands: "Hands", again: Look) -> None:
        """Its event does not leave it; a refused one leaves none at all."""
        found: list[Brief] = []
        for event in ("event-4", "event-3", "no-such-event"):
            with hands.only_now("sublife_order"):
                columns = [f'"{name}"' for name in history.store.orders()[0].model_dump()]
                said = {'"id"': "'made-up'", '"event_id"': f"'{event}'"}
                hands.write(
                    f"INSERT INTO sublife_order ({', '.join(columns)}) "
                    f"SELECT {', '.join(said.get(name, name) for name in columns)} "
                    "FROM sublife_order WHERE id = 'event-4'"
                )
                found.append(brief(again()))

        assert found == [
            ("order", "s1", event, INSERTED, None)
            for event in ("event-4", "event-3", "no-such-event")
        ]


class TestSubjects:
    def test_each_column_of_a_subject_in_turn(self, hands: "Hands", again: Look) -> None:
        """What the journal does not say by itself, its events lead to."""
        edits = (
            ("customer", "'northwind'"),
            ("partner", "'adatum'"),
            ("due_at", hands.at("2031-01-01 00:00:00")),
            ("due_at", "NULL"),
            ("due", "'term_ended'"),
            ("snapshot", """'{"id":"s1"}'"""),
        )
        found: list[Brief] = []
        for column, value in edits:
            with hands.only_now("sublife_subject"):
                hands.write(f"UPDATE sublife_subject SET {column} = {value} WHERE id = 's1'")
                found.append(brief(again()))

        columns = ("customer", "partner", "due_at", "due_at", "due", "snapshot.anchor_on")
        assert found == [("subject", "s1", None, CHANGED, column) for column in columns]

    def test_a_field_of_a_snapshot_is_told(self, hands: "Hands", again: Look) -> None:
        """With what it says and what it must say."""
        hands.write(
            """UPDATE sublife_subject SET snapshot = """
            + (
                "replace(snapshot, '\"quantity\":32', '\"quantity\":320')"
                if hands.is_sqlite
                else "jsonb_set(snapshot, '{quantity}', '320')"
            )
            + " WHERE id = 's1'"
        )

        verdict = again()

        assert brief(verdict)[4] == "snapshot.quantity"
        assert 'is "320"; rebuilt it is "32"' in verdict.findings[0].says

    def test_a_claim_that_was_put_in(self, hands: "Hands", again: Look) -> None:
        """Only a subject that holds it may."""
        found: list[Brief] = []
        for subject in ("s2", "s9"):
            with hands.only_now("sublife_claim"):
                hands.write(
                    "INSERT INTO sublife_claim (tenant, name, subject) "
                    f"VALUES ('default', 'ea-1', '{subject}')"
                )
                found.append(brief(again()))

        assert found == [("claim", subject, None, INSERTED, None) for subject in ("s2", "s9")]


class TestPolicies:
    PACK = (
        "pack: short-grace\ntitle: Ten days of grace\nextends: microsoft-csp\nfigures:\n"
        "  grace: {unit: days, rule: SUB-04, spans: [{value: 10}]}\n"
    )

    def test_a_pack_of_ones_own_must_be_at_hand(self, history: "Desk", tmp_path: Path) -> None:
        """The pack that decided stands on every row; which ones are missing is told (GEN-09)."""
        path = tmp_path / "own.yaml"
        path.write_text(self.PACK, encoding="utf-8")
        own = load_pack(str(path))
        theirs = history.store.of("other", policy=own)
        submit(theirs, history.store.history("s2")[0].event)
        settle(theirs, history.clock.now())

        without = verify(history.store, rebuild=True)
        with_ = verify(history.store, rebuild=True, policies=[own])

        assert (without.missing, without.decided) == ((own.version,), 0)
        assert with_.is_sound
        assert (with_.missing, with_.decided) == ((), 20)

    def test_another_reading_of_a_switch_is_found_by_itself(self, history: "Desk") -> None:
        """A host may choose; the hash on the rows tells which."""
        chosen = history.store.policy.choosing(
            {"end_of_term": "est", "cancelled_data_retention": "ninety_days"}
        )
        theirs = history.store.of("other", policy=chosen)
        submit(theirs, history.store.history("s1")[0].event)
        settle(theirs, history.clock.now())

        verdict = verify(history.store, rebuild=True)

        assert verdict.is_sound
        assert verdict.missing == ()


E1, E3, SMALL = Product("E1", rank=1), Product("E3", rank=2), Product("BP", rank=1, smb=True)
NAMES = st.sampled_from(["new-1", "new-2", "new-3", "plain", "small", "legacy"])
SEATS = st.integers(1, 150)
ORDER = Purchase("tailspin", "contoso", E1, 40, Term.P1Y, Billing.MONTHLY)
PURCHASES = st.builds(
    replace,
    st.just(ORDER),
    product=st.sampled_from([E1, SMALL]),
    quantity=SEATS,
    term=st.sampled_from([Term.P1M, Term.P1Y]),
    align_with=st.none() | NAMES,
    autorenew=st.booleans(),
)
REQUESTS: st.SearchStrategy[tuple[str, Payload]] = st.one_of(
    st.tuples(st.just("purchase"), PURCHASES),
    st.tuples(st.just("add_seats"), st.builds(ChangeSeats, SEATS)),
    st.tuples(st.just("remove_seats"), st.builds(ChangeSeats, st.integers(1, 5))),
    st.tuples(
        st.just("schedule_change"),
        st.builds(ScheduleChange, quantity=SEATS, align_with=st.none() | NAMES),
    ),
    st.tuples(
        st.just("upgrade"), st.builds(Upgrade, st.just(E3), st.none() | st.integers(1, 3), NAMES)
    ),
    st.tuples(st.just("buy_again"), st.builds(BuyAgain, NAMES)),
    st.tuples(st.just("suspend"), st.just(Suspend())),
    st.tuples(st.sampled_from(["reactivate", "turn_autorenew_off"]), st.just(Payload())),
)
Step = tuple[int, str, tuple[str, Payload], bool]
BIRTHS: tuple[Step, ...] = (
    (0, "plain", ("purchase", ORDER), False),
    (1, "small", ("purchase", replace(ORDER, product=SMALL, term=Term.P1M)), False),
    (2, "legacy", ("purchase", replace(ORDER, platform=Platform.LEGACY)), False),
)
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 30, 90]), NAMES, REQUESTS, st.booleans()),
    min_size=5,
    max_size=25,
)


@settings(deadline=None)
@given(STEPS)
def test_every_course_of_events_verifies_and_rebuilds(steps: list[Step]) -> None:
    """Subjects that read each other, timers late and early, refusals: decided again, the same."""
    clock = SimulatedClock(START)
    store = Store.open("sqlite://", clock=clock)
    for number, (days, subject, (name, data), wakes) in enumerate((*BIRTHS, *steps)):
        clock.move(clock.now() + days * DAY)
        if wakes:
            settle(store, clock.now(), batch=2)
        try:
            submit(store, Event(f"event-{number}", name, subject, clock.now(), AMY, data))
        except ModelError:
            continue  # a subject that does not exist; nothing is written

    verdict = verify(store, rebuild=True)

    assert [str(each) for each in verdict.findings] == []
    assert verdict.rows == len(list(store.journal()))
    store.close()


def test_what_several_writers_took_down_at_once_is_rebuilt_in_that_order(
    shared_url: str, open_desk: Callable[..., "Desk"]
) -> None:
    """Seats of one customer's subscriptions count together, so each decision sees the others."""
    desks = [open_desk(shared_url) for _ in range(2)]
    for desk in desks:
        desk.clock.move(START)

    def work(number: int) -> int:
        store, accepted = desks[number].store, 0
        order = replace(ORDER, product=SMALL, quantity=20)
        for turn in range(12):
            subject = f"{number}-{turn // 4}"
            name, data = ("add_seats", ChangeSeats(9)) if turn % 4 else ("purchase", order)
            event = Event(f"event-{number}-{turn}", name, subject, START, AMY, data)
            accepted += _submitted(store, event)
        return accepted

    with ThreadPoolExecutor(2) as pool:
        accepted = sum(pool.map(work, range(2)))

    verdict = verify(desks[0].store, rebuild=True)
    assert [str(each) for each in verdict.findings] == []
    assert verdict.decided > accepted > 6


def _submitted(store: Store, event: Event) -> bool:
    """Submit an event as its caller must: again, where another writer was first."""
    while True:
        with suppress(ConflictError):
            return submit(store, event).accepted


@pytest.mark.soak
def test_memory_stays_flat_however_long_the_history_is(
    shared_url: str, open_desk: Callable[..., "Desk"]
) -> None:
    """Five times the subjects and rows, the same peak."""
    store = open_desk(shared_url).store
    peaks: list[int] = []
    verify(store, rebuild=True)
    for count in sized((2_000, 6_000), (2_000, 10_000)):
        _fill(store, f"tenant-{count}", count)
        peaks.append(_peak(store, f"tenant-{count}", count))

    assert peaks[1] < 1.25 * peaks[0]


@pytest.mark.parametrize("table", ["sublife_activity", "sublife_order"])
def test_the_records_of_a_batch_are_looked_up_by_their_events(
    open_desk: Callable[..., "Desk"], table: str
) -> None:
    """SQLite would read all records of the tenant for every batch if it were not told otherwise."""
    store = open_desk().store
    statements: list[str] = []
    with store.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
    driver.set_trace_callback(statements.append)
    with store.audit() as audit:
        audit.activities("default", ["event-1"])
        audit.orders("default", ["event-1"])
    driver.set_trace_callback(None)

    asked = next(each for each in statements if f"FROM {table}" in each)
    plan = [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {asked}")]

    assert plan[0] == f"SEARCH {table} USING INDEX {table}_event (tenant=? AND event_id=?)"


def _peak(store: Store, tenant: str, count: int) -> int:
    tracemalloc.start()
    verdict = verify(store, tenant=tenant, rebuild=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (verdict.is_sound, verdict.rows) == (True, count)
    return peak


def _fill(store: Store, tenant: str, count: int) -> None:
    """Write *count* refused events, two on each subject; nothing else has to be there for them."""
    at = written(START) or ""
    with store.engine.begin() as connection:
        rows: list[tuple[Any, ...]] = []
        for number in range(count):
            subject, sequence = f"s{number // 2:06}", number % 2 + 1
            head = rows[-1][-1] if sequence == 2 else ""
            line = Line(
                *(tenant, subject, sequence, f"event-{number}", "subscription", 0, "purchase"),
                *(at, at, '{"id":"amy","kind":"user"}', None, "absent", "absent", "TRM-21"),
                *(store.policy.version, "BAD_STATE", "{}", '{"of":{},"v":1}', "", 0),
                *("user", "amy"),
            )
            said = {**line._asdict(), "stamp": 0, "hash": chained(head, line.parts)}
            rows.append(tuple(said[name] for name in NEW_ENTRY.columns))
        NEW_ENTRY.write(Link(connection.connection, connection.dialect), rows)
