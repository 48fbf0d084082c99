"""Migrations in the store: as resources and events, decided in any order, late or on time."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sublife.events import migration
from sublife.events.codec import decode_snapshot, encode_snapshot
from sublife.events.intake import Outcome, settle, submit
from sublife.events.packs import load_pack
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.migration.model import (
    Fail,
    Logged,
    Migration,
    Part,
    Request,
    Retry,
    Schedule,
    State,
    Step,
)
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload, Role, Segment, Snapshot
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.programme import Enrol, Fulfil, Item
from sublife.lifecycle.subscription.model import (
    Platform,
    Product,
    Purchase,
    Rename,
    Subscription,
    Suspend,
)
from sublife.lifecycle.subscription.state import meaning
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
AT = datetime(2022, 12, 1, 8, tzinfo=UTC)
ADMIN = Actor(ActorKind.USER, "mia", Role.GLOBAL_ADMIN, "contoso")
SCHEDULED = Migration(
    id="m1",
    state=State.SCHEDULED,
    changed_at=AT,
    customer="tailspin",
    partner="contoso",
    parts=(Part("s1", "s1-nce", quantity=12), Part("a1", "a1-nce")),
    created_at=AT - DAY,
    target_at=AT + DAY,
    external_reference="batch-7",
)


class TestResource:
    """LEG-16, LEG-21: what Partner Center shows."""

    @pytest.mark.parametrize(
        ("state", "status"),
        [
            pytest.param("scheduled", "Created", id="scheduled"),
            pytest.param("processing", "Processing", id="processing"),
            pytest.param("completed", "Completed", id="completed"),
            pytest.param("failed", "Failed", id="failed"),
            pytest.param("cancelled", "Cancelled", id="cancelled"),
            pytest.param("reverted", "Failed", id="reverted"),
        ],
    )
    def test_each_state_has_a_status(self, state: str, status: str) -> None:
        """LEG-16, LEG-21."""
        assert migration.resource(replace(SCHEDULED, state=state))["status"] == status

    def test_a_schedule_shows_its_target(self) -> None:
        """LEG-21: either a day or the renewal."""
        by_day = migration.resource(SCHEDULED)
        on_renewal = migration.resource(replace(SCHEDULED, on_renewal=True))

        assert (by_day["targetDate"], by_day["migrateOnRenewal"]) == (
            "2022-12-02T08:00:00Z",
            False,
        )
        assert (on_renewal["targetDate"], on_renewal["migrateOnRenewal"]) == (None, True)
        assert by_day["addOnMigrations"][0]["currentSubscriptionId"] == "a1"
        assert by_day["newCommerceMigrationId"] is None

    def test_a_request_shows_no_schedule(self) -> None:
        """LEG-21: there is none."""
        shown = migration.resource(replace(SCHEDULED, target_at=None, started_at=AT))

        assert "targetDate" not in shown
        assert shown["startedTime"] == "2022-12-01T08:00:00Z"

    def test_what_came_of_it_shows_when_it_is_completed(self) -> None:
        """LEG-15."""
        done = replace(
            SCHEDULED,
            state=State.COMPLETED,
            started_at=AT,
            finished_at=AT + DAY,
            order_id="o1",
            ends_on=AT.date(),
        )

        shown = migration.resource(done)

        assert (shown["newCommerceSubscriptionId"], shown["newCommerceOrderId"]) == ("s1-nce", "o1")
        assert shown["subscriptionEndDate"] == "2022-12-01T00:00:00Z"
        assert shown["completedTime"] == "2022-12-02T08:00:00Z"

    def test_its_events_have_the_documented_names_and_order(self) -> None:
        """LEG-25."""
        log = tuple(Logged(step, AT) for step in Step)

        shown = migration.events(replace(SCHEDULED, log=log))

        assert [each["eventName"] for each in shown] == [
            "MigrationStarted",
            "NewCommerceSubscriptionCreated",
            "NewCommerceSubscriptionProvisioned",
            "MigrationCompleted",
            "MigrationFailed",
        ]
        assert {each["currentSubscriptionId"] for each in shown} == {"s1"}
        assert len({each["id"] for each in shown}) == len(Step)


INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 – given its zone
PARTS = st.builds(
    Part,
    subscription=st.text(min_size=1),
    into=st.text(min_size=1),
    product=st.none() | st.builds(Product, st.text(), smb=st.booleans()),
    quantity=st.none() | st.integers(1, 300),
    term=st.none() | st.sampled_from(Term),
    billing=st.none() | st.sampled_from(Billing),
    purchase_full_term=st.booleans(),
    custom_end_on=st.none() | st.dates(),
    align_with=st.none() | st.text(),
    align_month_end=st.booleans(),
)


@given(
    parts=st.lists(PARTS, min_size=1, max_size=3).map(tuple),
    at=INSTANTS,
    state=st.sampled_from(State),
    log=st.lists(st.builds(Logged, st.sampled_from(Step), INSTANTS), max_size=3).map(tuple),
    flags=st.tuples(*[st.booleans()] * 4),
    texts=st.tuples(*[st.text()] * 4),
)
def test_a_migration_comes_back_from_its_row_as_it_was(
    parts: tuple[Part, ...],
    at: datetime,
    state: State,
    log: tuple[Logged, ...],
    flags: tuple[bool, bool, bool, bool],
    texts: tuple[str, str, str, str],
) -> None:
    """Encode, decode: the same."""
    subject = replace(
        SCHEDULED,
        parts=parts,
        state=state,
        changed_at=at,
        started_at=at,
        overdue_at=at,
        log=log,
        trade_blocked=flags[0],
        on_renewal=flags[1],
        alerted=flags[2],
        legacy_suspended=flags[3],
        por=texts[0],
        code=texts[1],
        reason=texts[2],
        external_reference=texts[3],
    )

    assert decode_snapshot("migration", encode_snapshot(subject)) == subject


def _tell(desk: "Desk", name: str, subject: str, at: datetime, data: Payload = EMPTY) -> Outcome:
    """Submit an event of a migration or a programme."""
    lifecycle = "programme" if "/" in subject else "migration"
    event = replace(desk.event(name, subject, at, data), lifecycle=lifecycle, actor=ADMIN)
    desk.clock.move(max(at, desk.clock.now()))
    return submit(desk.store, event)


LEGACY_AT = datetime(2022, 2, 15, 8, tzinfo=UTC)


class TestLate:
    """GEN-08, GEN-09: whoever wakes whom, the history is the same."""

    def test_a_request_on_the_subscription_wakes_the_migration_it_waits_for(
        self, desk: "Desk"
    ) -> None:
        """LEG-21: asleep for a month, the schedule has still run on its day."""
        desk.sell("s1", LEGACY_AT, platform=Platform.LEGACY, term=Term.P3Y)
        ask = Schedule(into="new", customer="tailspin", subscription="s1", target_at=AT)
        _tell(desk, "schedule", "m1", AT - 10 * DAY, ask)

        outcome = desk.do("rename", "s1", AT + 30 * DAY, _rename("late"))

        assert outcome.refusal is not None
        assert desk.subscription("s1").changed_at == AT
        assert desk.subscription("new").created_at == AT

    def test_a_subscription_that_is_to_come_of_it_is_found(self, desk: "Desk") -> None:
        """GEN-08: a request for the twin settles what creates it."""
        desk.sell("s1", LEGACY_AT, platform=Platform.LEGACY, term=Term.P3Y)
        ask = Schedule(into="new", customer="tailspin", subscription="s1", target_at=AT)
        _tell(desk, "schedule", "m1", AT - 10 * DAY, ask)

        outcome = desk.do("rename", "new", AT + 30 * DAY, _rename("twin"))

        assert outcome.accepted

    @pytest.mark.parametrize("first", ["base", "add-on"])
    def test_a_bundle_moves_as_one_whoever_is_woken_first(self, desk: "Desk", first: str) -> None:
        """LEG-19: base and add-on end at one instant."""
        self._enrolled_bundle(desk)
        te = datetime(2022, 8, 1, tzinfo=UTC)

        desk.do("rename", first, te + DAY, _rename("late"))
        desk.wake(te + DAY)

        moved = desk.store.get("base-migration-2022-08-01")
        assert isinstance(moved, Migration)
        assert [part.subscription for part in moved.parts] == ["base", "add-on"]
        assert desk.subscription("add-on-nce").parent == "base-nce"
        assert desk.store.get("add-on-migration-2022-08-01") is None

    @pytest.mark.parametrize("first", ["base", "add-on"])
    def test_an_add_on_that_lapses_with_its_base_is_left_behind(
        self, desk: "Desk", first: str
    ) -> None:
        """LEG-19: at the instant of its own end it is no active add-on any more."""
        self._enrolled_bundle(desk)
        te = datetime(2022, 8, 1, tzinfo=UTC)
        desk.do("turn_autorenew_off", "add-on", te - DAY)

        desk.do("rename", first, te + DAY, _rename("late"))

        assert desk.subscription("add-on").state == "grace"
        assert desk.subscription("base-nce").state == "active"
        assert desk.store.get("add-on-nce") is None

    @staticmethod
    def _enrolled_bundle(desk: "Desk") -> None:
        at = datetime(2021, 8, 1, 8, tzinfo=UTC)
        desk.sell("base", at, platform=Platform.LEGACY)
        desk.sell("add-on", at, platform=Platform.LEGACY, add_on_to="base")
        programme, enrolled_at = "contoso/tailspin", datetime(2022, 5, 20, tzinfo=UTC)
        _tell(desk, "enrol", programme, enrolled_at, Enrol("tailspin", "contoso"))
        for item in Item:
            _tell(desk, "fulfil", programme, enrolled_at, Fulfil(item, "6012345"))

    def test_what_several_read_of_each_other_ends_at_one_instant(self, desk: "Desk") -> None:
        """Two that end together and look at all of the customer are both moved, once."""
        self._enrolled_bundle(desk)
        desk.sell("other", datetime(2022, 5, 20, 1, tzinfo=UTC), platform=Platform.NCE)

        settled = desk.wake(datetime(2022, 8, 2, tzinfo=UTC))

        assert settled.stuck == ()
        assert desk.subscription("base-nce").state == "active"
        assert desk.subscription("add-on-nce").state == "active"


def _rename(name: str) -> Payload:
    return Rename(name)


class Asleep:
    """A store that nobody wakes between requests, or that somebody wakes all the time."""

    def __init__(self, policy: Policy, *, awake: bool) -> None:
        self.clock = SimulatedClock(datetime(2020, 1, 1, tzinfo=UTC))
        self.store = Store.open("sqlite://", clock=self.clock, policy=policy)
        self.awake = awake
        self.refused: list[tuple[str, str]] = []

    def take(self, event: Event) -> None:
        """Submit an event; what cannot be taken in since its subject is missing is passed over."""
        self.clock.move(event.at)
        if self.awake:
            assert settle(self.store, event.at).stuck == ()
        outcome = submit(self.store, event)
        if outcome.refusal is not None:
            self.refused.append((event.id, outcome.refusal.code))

    def end(self, at: datetime) -> dict[str, Snapshot]:
        """Return every subject at *at*."""
        self.clock.move(at)
        assert settle(self.store, at).stuck == ()
        found = dict(self.store.all())
        self.store.close()
        return found


PURCHASES = st.fixed_dictionaries(
    {
        "at": st.integers(0, 280 * 86_400).map(
            lambda seconds: datetime(2021, 6, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        ),
        "term": st.sampled_from(Term),
        "segment": st.sampled_from([Segment.COMMERCIAL, Segment.EDUCATION]),
        "autorenew": st.booleans(),
        "from": st.sampled_from(
            [
                datetime(2022, 3, 20, tzinfo=UTC),
                datetime(2022, 6, 20, tzinfo=UTC),
                datetime(2022, 11, 5, tzinfo=UTC),
                datetime(2023, 12, 25, tzinfo=UTC),
            ]
        ),
    }
)
ON_SUBSCRIPTIONS = st.sampled_from(["suspend", "reactivate", "turn_autorenew_off", "cancel"])
ON_MIGRATIONS = st.sampled_from(
    ["request", "on renewal", "by day", "cancel", "complete", "fail", "broken", "revert", "retry"]
)
WAITS = st.one_of(
    st.integers(0, 3 * 86_400), st.integers(0, 120 * 86_400), st.just(0), st.just(86_400)
).map(lambda seconds: timedelta(seconds=seconds))
STEPS = st.lists(
    st.tuples(
        WAITS,
        st.one_of(
            st.tuples(st.sampled_from(["s1", "s2", "a1"]), ON_SUBSCRIPTIONS),
            st.tuples(st.sampled_from(["m1", "m2", "m3"]), ON_MIGRATIONS),
            st.tuples(st.sampled_from(["m1", "m2", "m3"]), ON_MIGRATIONS),
            st.just(("contoso/tailspin", "opt_out")),
        ),
        st.integers(0, 40),
        st.sampled_from(["s1", "s1", "s2", "a1"]),
    ),
    max_size=12,
)


def _script(bought: Any, steps: Any) -> Iterator[Event]:
    """Yield purchases, the programme and the requests, in order of time."""
    count = itertools.count(1)
    at: datetime = bought["at"]

    def event(name: str, subject: str, data: Payload, lifecycle: str = "subscription") -> Event:
        return Event(f"e{next(count)}", name, subject, at, ADMIN, data, None, lifecycle)

    for subject, base in (("s1", None), ("s2", None), ("a1", "s1")):
        order = Purchase(
            "tailspin",
            "contoso",
            Product("E3"),
            5,
            bought["term"],
            Billing.MONTHLY,
            platform=Platform.LEGACY,
            segment=bought["segment"],
            autorenew=bought["autorenew"] or subject == "s1",
            add_on_to=base,
        )
        yield event("purchase", subject, order)
    at = max(at, datetime(2022, 3, 20, tzinfo=UTC))
    yield event("enrol", "contoso/tailspin", Enrol("tailspin", "contoso"), "programme")
    for item in Item:
        yield event("fulfil", "contoso/tailspin", Fulfil(item, "1"), "programme")
    at = bought["from"]
    for wait, (subject, name), days, source in steps:
        at += wait
        yield _step(event, subject, name, source, at, days)


def _step(
    event: Callable[..., Event], subject: str, name: str, source: str, at: datetime, days: int
) -> Event:
    plan: dict[str, Any] = {
        "customer": "tailspin",
        "subscription": source,
        "into": f"{source}-{subject}",
        "add_ons": (Part("a1", f"a1-{subject}"),) if source == "s1" and days % 2 else (),
    }
    match subject, name:
        case "contoso/tailspin", _:
            return event(name, subject, EMPTY, "programme")
        case _, "suspend":
            return event(name, subject, Suspend())
        case (("s1" | "s2" | "a1"), _):
            return event(name, subject, EMPTY)
        case _, "request":
            return event("request", subject, Request(**plan, purchase_full_term=True), "migration")
        case _, "on renewal":
            on_renewal = Schedule(**plan, migrate_on_renewal=True)
            return event("schedule", subject, on_renewal, "migration")
        case _, "by day":
            return event(
                "schedule", subject, Schedule(**plan, target_at=at + days * DAY), "migration"
            )
        case _, ("fail" | "broken"):
            broken = Fail("timeout", legacy_suspended=name == "broken")
            return event("fail", subject, broken, "migration")
        case _, "retry":
            return event(name, subject, Retry(), "migration")
        case _:
            return event(name, subject, EMPTY, "migration")


POLICIES = {
    f"{cutoff}, {processing}": load_pack().choosing(
        {"legacy_cutoff": cutoff, "processing": processing}
    )
    for cutoff in ("seed", "postponed")
    for processing in ("simulated", "reported")
}
RANDOM = settings(
    max_examples=sized(8, 25),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def _lived(script: list[Event], policy: Policy, *, awake: bool) -> Asleep:
    world = Asleep(policy, awake=awake)
    known: set[str] = set()
    for each in script:
        begins = each.name in {"purchase", "enrol", "request", "schedule"}
        if not begins and each.subject not in known:
            continue
        world.take(each)
        if each.name == "purchase" and policy.switch("processing", each.at) == "reported":
            world.take(replace(each, id=f"{each.id}-p", name="provision", data=EMPTY))
        if world.store.get(each.subject) is not None:
            known.add(each.subject)
    return world


@pytest.mark.parametrize("reading", POLICIES)
@given(bought=PURCHASES, steps=STEPS)
@RANDOM
def test_migrations_bill_nobody_twice_and_do_not_mind_who_wakes_whom(
    reading: str, bought: Any, steps: Any
) -> None:
    """LEG-15, LEG-17, GEN-09: legacy and twin are never both billed; late is like on time."""
    policy = POLICIES[reading]
    script = list(_script(bought, steps))
    until = script[-1].at + 400 * DAY

    awake, asleep = (_lived(script, policy, awake=each) for each in (True, False))

    assert awake.refused == asleep.refused
    subjects = awake.end(until)
    assert subjects == asleep.end(until)
    _check_soundness(subjects)


def _check_soundness(subjects: dict[str, Snapshot]) -> None:
    claimed = [
        part.subscription
        for each in subjects.values()
        if isinstance(each, Migration) and each.is_live
        for part in each.parts
    ]
    assert len(claimed) == len(set(claimed))
    for each in subjects.values():
        match each:
            case Subscription(migrated_from=str() as origin):
                legacy = subjects[origin]
                assert isinstance(legacy, Subscription)
                assert legacy.state == "deleted"
                assert not meaning(legacy).partner_billed
            case Subscription(move=move) if move is not None:
                moving = subjects[move.migration]
                assert isinstance(moving, Migration)
                assert moving.is_live
                assert each.id in {part.subscription for part in moving.parts}
            case Migration(state="completed"):
                for part in each.parts:
                    new = subjects[part.into]
                    assert isinstance(new, Subscription)
                    assert new.migrated_from == part.subscription
            case _:
                pass
