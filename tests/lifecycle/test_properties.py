"""What holds for every course of events: replay equals live, a late wake-up changes nothing."""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sublife.events.packs import load_pack
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import allowed, decide, next_timer, reads, timed_event, timers
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    Payload,
    Refusal,
    Role,
    Snapshot,
    Value,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    BuyAgain,
    ChangeBilling,
    ChangeSeats,
    ChangeTerm,
    ChooseTermEnd,
    ConvertTrial,
    Patch,
    Platform,
    Price,
    Product,
    Purchase,
    Rename,
    RequestTransfer,
    ScheduleChange,
    Segment,
    SetPor,
    SetPrice,
    Subscription,
    Suspend,
    TermEndChoice,
    Upgrade,
)
from sublife.lifecycle.subscription.state import State
from tests.scale import sized

SUBSCRIPTION = LIFECYCLES["subscription"]
DAY = timedelta(days=1)
AFTERWARDS = 500 * DAY
"""How long a life is watched after the last request: past any lapse, and a renewal or more."""

WORLDS: Mapping[str, Mapping[str, str]] = {
    "as shipped": {},
    "processing reported": {"processing": "reported"},
    "extended service term": {"end_of_term": "est"},
    "suspended expires": {"suspended_at_term_end": "expired", "processing": "reported"},
    "other readings": {"cancelled_data_retention": "ninety_days"},
}
"""With a cut-off that is postponed Microsoft migrates: test_migration_properties.py lives there."""


class Due(Enum):
    """A request that comes with the calendar."""

    EXACTLY = timedelta(0)
    A_SECOND_BEFORE = timedelta(seconds=-1)


PRODUCTS = st.sampled_from(
    [
        Product("E1", rank=1),
        Product("E3", rank=2),
        Product("E5", rank=3),
        Product("BP", rank=1, smb=True),
        Product("FEW", rank=4, plans=("P1Y/monthly", "P1Y/annual")),
    ]
)
SOME_PLANS = [
    (term, billing) for term in Term for billing in Billing if billing.months <= term.months
]
PRICES = st.decimals(Decimal("0.01"), Decimal("99.99"), places=2).map(
    lambda unit: Price(unit, "EUR", monthly_unit=unit)
)
SEATS = st.one_of(st.integers(1, 5), st.integers(1, 5), st.integers(1, 200))
MAYBE = st.none()
SOON = st.integers(0, 4 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
LATER = st.integers(1, 400).map(lambda days: timedelta(days=days))
WAITS = st.one_of(st.sampled_from(Due), st.just(timedelta(0)), SOON, SOON, SOON, LATER)
SCHEDULES = st.builds(
    ScheduleChange,
    product=MAYBE | PRODUCTS,
    term=MAYBE | st.sampled_from(Term),
    billing=MAYBE | st.sampled_from(Billing),
    quantity=MAYBE | SEATS,
    align_month_end=st.booleans(),
)
PAYLOADS: Mapping[str, st.SearchStrategy[Payload]] = {
    "suspend": st.just(Suspend(("fraud",))),
    "schedule_change": SCHEDULES,
    "choose_term_end": st.builds(ChooseTermEnd, st.sampled_from(TermEndChoice)),
    "add_seats": st.builds(ChangeSeats, SEATS),
    "remove_seats": st.builds(ChangeSeats, SEATS),
    "change_term": st.sampled_from(SOME_PLANS).map(lambda plan: ChangeTerm(*plan)),
    "change_billing": st.builds(ChangeBilling, st.sampled_from(Billing)),
    "upgrade": st.builds(
        Upgrade,
        PRODUCTS,
        quantity=MAYBE | st.integers(1, 5),
        into=st.sampled_from([None, "new", "sibling"]),
    ),
    "convert_trial": st.sampled_from(SOME_PLANS).map(lambda plan: ConvertTrial(*plan)),
    "rename": st.just(Rename("the office")),
    "set_por": st.just(SetPor("4711")),
    "set_price": st.builds(SetPrice, PRICES),
    "patch": st.builds(
        Patch,
        auto_renew_enabled=st.booleans(),
        scheduled=MAYBE | SCHEDULES,
        quantity=MAYBE | SEATS,
        friendly_name=MAYBE | st.just("the other office"),
        status=st.sampled_from([None, "active", "suspended"]),
    ),
    "request_transfer": st.just(RequestTransfer("fabrikam", relationship_accepted=True)),
    "buy_again": st.builds(BuyAgain, st.just("new"), quantity=MAYBE | SEATS),
}
ASKED = [
    name
    for name in SUBSCRIPTION.requests
    if name not in {"purchase", "adopt"} | SUBSCRIPTION.internal
]
"""What people ask of a subscription that is there; the rest makes one, or follows by itself."""


@st.composite
def _purchases(draw: st.DrawFn) -> tuple[datetime, Purchase]:
    seconds = draw(st.integers(0, 6 * 365 * 86_400))
    bought_at = datetime(2021, 6, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    legacy, trial = draw(st.sampled_from([(False, False), (False, True), (True, False)]))
    closed = bought_at >= datetime(2022, 3, 10, tzinfo=UTC)
    term, billing = draw(st.sampled_from(SOME_PLANS))
    return bought_at, Purchase(
        "tailspin",
        "contoso",
        draw(st.sampled_from([Product("E1", rank=1), Product("BP", rank=1, smb=True)])),
        draw(st.integers(1, 25)),
        term,
        billing,
        autorenew=draw(st.booleans()),
        trial=trial,
        price=draw(MAYBE | PRICES),
        platform=Platform.LEGACY if legacy else Platform.NCE,
        segment=Segment.EDUCATION if legacy and closed else Segment.COMMERCIAL,
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One accepted event as it would be written down."""

    event: Event
    before: Subscription | None
    after: Subscription
    facts: tuple[tuple[str, tuple[tuple[str, Value], ...], tuple[str, ...]], ...]


@dataclass(slots=True)
class World:
    """A driver without store or clock: subjects, what happened to them, and what was refused."""

    policy: Policy
    subjects: dict[str, Subscription] = field(default_factory=dict[str, Subscription])
    told: list[Told] = field(default_factory=list[Told])
    refused: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    def next_due(self, subject: str | None = None) -> tuple[datetime, str] | None:
        """Return when something is due next, and to whom."""
        names = self.subjects if subject is None else [subject] * (subject in self.subjects)
        found = (
            (timer.due_at, name)
            for name in names
            if (timer := next_timer(self.subjects[name], "subscription")) is not None
        )
        return min(found, default=None)

    def settle(self, until: datetime, *, subject: str | None = None) -> None:
        """Apply what is due by *until*, of one subject or of all."""
        while (due := self.next_due(subject)) is not None and due[0] <= until:
            held = self.subjects[due[1]]
            timer = next_timer(held, "subscription")
            assert timer is not None
            refusal = self._take(timed_event(held, timer, "subscription"))
            assert refusal is None, refusal

    def submit(self, event: Event) -> None:
        """Take in a request as it is taken in for real: what is due comes first (GEN-08).

        A subject that is not there may be one that is still to arise, if all have slept.
        """
        if event.subject not in self.subjects:
            self.settle(event.at)
        self.settle(event.at, subject=event.subject)
        for name in self._asked_for(event):
            self.settle(event.at, subject=name)
        first = len(self.told)
        if (refusal := self._take(event)) is not None:
            self.refused.append((event.id, refusal.code, refusal.sentence))
        for told in self.told[first:]:
            self.settle(event.at, subject=told.event.subject)

    def replay(self, event: Event) -> None:
        """Take in an event of a journal; what follows from it stands in the journal too."""
        held = self.subjects
        answer = decide(held.get(event.subject), event, self.policy, seen=self._seen(event, held))
        assert isinstance(answer, Decision), answer
        self.told.append(_written(event, held.get(event.subject), answer))
        held[event.subject] = self.told[-1].after

    def _asked_for(self, event: Event) -> list[str]:
        asked = reads(self.subjects.get(event.subject), event)
        of_customers = (
            name for name, held in self.subjects.items() if held.customer in asked.customers
        )
        return sorted({*asked.subjects, *of_customers} - {event.subject})

    def _take(self, event: Event) -> Refusal | None:
        """Decide an event and what follows from it; one no refuses all."""
        decided: dict[str, Subscription] = {}
        told: list[Told] = []
        refusal = self._decide(event, decided, told)
        if refusal is None:
            self.subjects.update(decided)
            self.told.extend(told)
        return refusal

    def _decide(
        self, event: Event, decided: dict[str, Subscription], told: list[Told]
    ) -> Refusal | None:
        held = {**self.subjects, **decided}
        before = held.get(event.subject)
        answer = decide(before, event, self.policy, seen=self._seen(event, held))
        if isinstance(answer, Refusal):
            return answer
        told.append(_written(event, before, answer))
        decided[event.subject] = told[-1].after
        for follow_up in answer.follow_ups:
            if (refusal := self._decide(follow_up, decided, told)) is not None:
                return refusal
        return None

    def _seen(self, event: Event, held: Mapping[str, Subscription]) -> Mapping[str, Snapshot]:
        return {name: held[name] for name in self._asked_for(event) if name in held}

    def histories(self) -> Mapping[str, list[Told]]:
        """Return what happened to each subject, in order."""
        found: defaultdict[str, list[Told]] = defaultdict(list)
        for each in self.told:
            found[each.event.subject].append(each)
        return dict(found)


def _written(event: Event, before: Subscription | None, answer: Decision) -> Told:
    assert isinstance(answer.snapshot, Subscription)
    facts = tuple(
        (fact.name, tuple(sorted(fact.data.items())), fact.rules) for fact in answer.facts
    )
    return Told(event, before, answer.snapshot, facts)


class Life:
    """What was asked for and when, and what became of it with everybody awake all the time."""

    def __init__(self, policy: Policy, script: tuple[Event, ...], world: World) -> None:
        self.policy = policy
        self.script = script
        self.world = world

    @property
    def watched_until(self) -> datetime:
        return self.script[-1].at + AFTERWARDS

    def __repr__(self) -> str:
        """Return the script, which is all that one needs to live through it again."""
        return "\n".join(
            f"{each.at:%Y-%m-%dT%H:%M:%S}Z {each.subject} {each.name} {each.data}"
            for each in self.script
        )


@st.composite
def _lives(draw: st.DrawFn, *, world: str | None = None) -> Life:
    """Draw a purchase and up to twelve requests; half of those that the state allows."""
    policy = POLICIES[world or draw(st.sampled_from(list(WORLDS)))]
    lived = World(policy)
    at, ask = draw(_purchases())
    script = list(_orders(at, ask, policy, sibling=draw(st.booleans())))
    for each in script:
        lived.submit(each)
    for number in range(draw(st.integers(0, 12))):
        at = _later(at, draw(WAITS), lived)
        _wake_at_every_due(lived, at)
        subject = lived.subjects[draw(st.sampled_from(sorted(lived.subjects)))]
        names = allowed(subject, policy=policy, at=at) if draw(st.booleans()) else ()
        name = draw(st.sampled_from([each for each in names if each in ASKED] or ASKED))
        data = draw(PAYLOADS.get(name, st.just(EMPTY)))
        script.append(_sent(name, data, number, at, subject))
        lived.submit(script[-1])
    _wake_at_every_due(lived, at + AFTERWARDS)
    return Life(policy, tuple(script), lived)


def _orders(at: datetime, ask: Purchase, policy: Policy, *, sibling: bool) -> Iterator[Event]:
    """Yield the purchases, and the reports that they have been provisioned."""
    orders = [("s1", at, ask)]
    if sibling:
        orders.insert(0, ("sibling", at - 10 * DAY, SIBLING))
    for subject, ordered_at, order in orders:
        yield Event(f"order-{subject}", "purchase", subject, ordered_at, AMY, order)
        if policy.switch("processing", ordered_at) == "reported":
            yield Event(f"report-{subject}", "provision", subject, ordered_at, AMY)


def _later(at: datetime, wait: timedelta | Due, world: World) -> datetime:
    """Return the instant of the next request: some time later, or with what is due next."""
    if isinstance(wait, timedelta):
        return at + wait
    due = world.next_due()
    return at if due is None else max(at, due[0] + wait.value)


def _sent(name: str, data: Payload, number: int, at: datetime, subject: Subscription) -> Event:
    """Return a request with a new id for what it leads to, by an agent who may send it."""
    if isinstance(data, BuyAgain) or (isinstance(data, Upgrade) and data.into == "new"):
        data = replace(data, into=f"new-{number}")
    partner = "fabrikam" if name in {"request_transfer", "withdraw_transfer"} else subject.partner
    actor = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner=partner)
    return Event(f"request-{number}", name, subject.id, at, actor, data)


def _wake_at_every_due(world: World, until: datetime) -> None:
    while (due := world.next_due()) is not None and due[0] <= until:
        world.settle(due[0])


def _late(life: Life, wakes: Iterable[datetime] = ()) -> World:
    """Live through the same requests, asleep but for them and a few other instants."""
    world = World(life.policy)
    for request in life.script:
        for wake in sorted(wake for wake in wakes if wake < request.at):
            world.settle(wake)
        world.submit(request)
    world.settle(life.watched_until)
    return world


AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso")
SIBLING = Purchase(
    "tailspin", "contoso", Product("E5", rank=3), 3, Term.P3Y, Billing.MONTHLY, autorenew=False
)
POLICIES = {name: load_pack().choosing(choice) for name, choice in WORLDS.items()}
RANDOM = settings(max_examples=sized(20, 60), deadline=None, print_blob=True)
GONE = frozenset({State.DISABLED, State.CANCELED, State.DELETED})
LAPSE = {
    State.PENDING: 0,
    State.ACTIVE: 1,
    State.SUSPENDED: 1,
    State.EXPIRED: 2,
    State.GRACE: 3,
    State.DISABLED: 4,
    State.CANCELED: 4,
    State.DELETED: 5,
}


@given(life=_lives())
@RANDOM
def test_one_late_wake_up_writes_the_history_of_one_that_never_slept(life: Life) -> None:
    """GEN-08, GEN-09: the same facts with the same instants, and the same refusals."""
    late = _late(life)

    assert late.histories() == life.world.histories()
    assert late.refused == life.world.refused
    assert late.subjects == life.world.subjects


@given(life=_lives(), data=st.data())
@RANDOM
def test_it_makes_no_difference_when_anybody_wakes(life: Life, data: st.DataObject) -> None:
    """GEN-08, GEN-09: any number of wake-ups at any instants."""
    first, last = life.script[0].at, life.script[-1].at
    length = int((last - first).total_seconds())
    offsets = data.draw(st.lists(st.integers(0, max(length, 1)), max_size=6))

    late = _late(life, [first + timedelta(seconds=each) for each in offsets])

    assert late.histories() == life.world.histories()
    assert late.refused == life.world.refused
    assert late.subjects == life.world.subjects


@given(life=_lives())
@RANDOM
def test_what_was_written_down_replays_to_the_same_history(life: Life) -> None:
    """GEN-09: requests and timed events in one go, one after the other."""
    again = World(life.policy)

    for each in life.world.told:
        again.replay(each.event)

    assert again.told == life.world.told
    assert again.subjects == life.world.subjects


@given(life=_lives())
@RANDOM
def test_no_timer_is_due_before_its_cause(life: Life) -> None:
    """GEN-03: nor dated before the change it follows from, once it has become an event."""
    for each in life.world.told:
        assert all(
            timer.due_at >= each.after.changed_at for timer in timers(each.after, "subscription")
        )
        assert each.before is None or each.event.at >= each.before.changed_at
        assert each.after.changed_at == each.event.at


@given(life=_lives())
@RANDOM
def test_timers_are_a_function_of_the_snapshot_alone(life: Life) -> None:
    """No timer is remembered: the same snapshot has the same timers, however it came to be."""
    for each in life.world.told:
        found = timers(each.after, "subscription")
        assert timers(copy.deepcopy(each.after), "subscription") == found
        assert {timer.name for timer in found} <= set(SUBSCRIPTION.ticks)
        first = next_timer(each.after, "subscription")
        assert first == (min(found, key=lambda timer: timer.due_at) if found else None)


@given(life=_lives())
@RANDOM
def test_the_version_grows_by_exactly_one_with_each_accepted_event(life: Life) -> None:
    """From 1 without a gap; a refusal leaves no trace on the subject."""
    for history in life.world.histories().values():
        assert [each.after.version for each in history] == list(range(1, len(history) + 1))
        for before, after in pairwise(history):
            assert after.before == before.after


@given(life=_lives())
@RANDOM
def test_a_lapse_never_runs_backwards(life: Life) -> None:
    """SUB-01, SUB-12: pending, active or suspended, expired, grace, disabled, deleted."""
    for history in life.world.histories().values():
        passed = [LAPSE[State(each.after.state)] for each in history]
        assert passed == sorted(passed)
        gone = [each.after.state for each in history if each.after.state in GONE]
        assert len(set(gone) & {State.DISABLED, State.CANCELED}) <= 1


@given(life=_lives())
@RANDOM
def test_final_means_final(life: Life) -> None:
    """SUB-06, SUB-12: what is deleted takes nothing but buying anew, and stays deleted."""
    for history in life.world.histories().values():
        ends = [number for number, each in enumerate(history) if each.after.state == State.DELETED]
        if not ends:
            continue
        later = history[ends[0] + 1 :]
        assert {each.event.name for each in later} <= {"buy_again"}
        assert {each.after.state for each in later} <= {State.DELETED}
        assert timers(history[-1].after, "subscription") == ()


@given(life=_lives(), data=st.data())
@RANDOM
def test_a_deleted_subscription_refuses_whatever_is_asked(life: Life, data: st.DataObject) -> None:
    """SUB-06: any request but buying anew, with any payload, at any time."""
    deleted = [each for each in life.world.subjects.values() if each.state == State.DELETED]

    for held in deleted:
        name = data.draw(st.sampled_from(ASKED))
        at = held.changed_at + data.draw(st.timedeltas(timedelta(0), 3000 * DAY))
        asked = _sent(name, data.draw(PAYLOADS.get(name, st.just(EMPTY))), 99, at, held)
        assert isinstance(decide(held, asked, life.policy), Decision) is (name == "buy_again")


@given(life=_lives())
@RANDOM
def test_the_batches_hold_exactly_the_licences_that_there_are(life: Life) -> None:
    """TRM-16: no seat without a window of its own, and never less than one seat (TRM-15)."""
    for each in life.world.told:
        assert sum(batch.quantity for batch in each.after.batches) == each.after.quantity >= 1
        assert all(batch.quantity >= 1 for batch in each.after.batches)


@given(life=_lives())
@RANDOM
def test_a_term_ends_on_time_and_nothing_else_makes_a_subscription_expire(life: Life) -> None:
    """GEN-02, SUB-03: a term that was over before it was provisioned ends as soon as it is."""
    for each in life.world.told:
        assert each.after.starts_on <= each.after.ends_on
        if each.event.name == "term_ended":
            assert each.before is not None
            assert each.event.at == max(_term_end(each.before), each.before.changed_at)
        if each.after.state == State.EXPIRED:
            assert each.event.name in {"term_ended", "buy_again"}


def _term_end(subject: Subscription) -> datetime:
    return datetime.combine(subject.ends_on + DAY, time.min, UTC)


@given(life=_lives())
@RANDOM
def test_autorenew_and_scheduled_changes_stand_only_while_active(life: Life) -> None:
    """SUB-08, TRM-17, TRM-18: and a scheduled change only with autorenew on."""
    for each in life.world.told:
        held = each.after
        assert held.autorenew is False or held.state in {State.PENDING, State.ACTIVE}
        assert held.scheduled is None or (held.state == State.ACTIVE and held.autorenew)


@pytest.mark.parametrize("world", WORLDS)
@given(data=st.data())
@settings(max_examples=sized(10, 25), deadline=None, print_blob=True)
def test_what_is_not_renewed_is_deleted_120_days_after_its_term(
    world: str, data: st.DataObject
) -> None:
    """SUB-06, SUB-10, SUB-11: nothing lingers; without a grace it is 90 days (TRM-36)."""
    life = data.draw(_lives(world=world))
    days = {90, 120} if world == "extended service term" else {120}

    for history in life.world.histories().values():
        ended_at = [each.event.at for each in history if _lapses(each)]
        deleted_at = [each.event.at for each in history if each.event.name == "retention_ended"]
        if ended_at and ended_at[0] + 120 * DAY <= life.watched_until:
            assert (len(ended_at), len(deleted_at)) == (1, 1)
            assert (deleted_at[0] - ended_at[0]) in {each * DAY for each in days}


def _lapses(told: Told) -> bool:
    ends = {State.EXPIRED, State.DISABLED}
    return told.event.name == "term_ended" and told.after.state in ends
