"""The engine against a plain model of one subscription, and properties that hold always.

The model is written from the rules alone and shares nothing with the engine but the names.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sublife.events.intake import Outcome, settle, submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload, Refusal
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Product,
    Purchase,
    Subscription,
    Suspend,
)
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

SECOND, DAY, WINDOW = timedelta(seconds=1), timedelta(days=1), timedelta(hours=168)
MONTHS = {"P1M": 1, "P1Y": 12, "P3Y": 36}
AMY = Actor(ActorKind.USER, "amy")
GONE = frozenset({"canceled", "deleted"})
LAPSED = frozenset({"grace", "disabled"})


@dataclass(slots=True)
class Model:
    """One subscription in plain Python: state, term, autorenew, windows, seats (SUB, TRM)."""

    term: str
    autorenew: bool
    seats: int
    sold_at: datetime
    state: str = "active"
    terms: int = 1
    version: int = 2
    window_opened_at: datetime = field(init=False)
    batches: list[tuple[int, datetime]] = field(init=False)
    due: list[tuple[str, datetime]] = field(default_factory=list[tuple[str, datetime]])

    def __post_init__(self) -> None:
        self.window_opened_at = self.sold_at
        self.batches = [(self.seats, self.sold_at)]

    def first_day(self, index: int) -> date:
        """The first day of the term after *index* full terms, counted from the sale (GEN-06)."""
        sold_on = self.sold_at.date()
        month = sold_on.month - 1 + index * MONTHS[self.term]
        year, month = sold_on.year + month // 12, month % 12 + 1
        return date(year, month, min(sold_on.day, monthrange(year, month)[1]))

    @property
    def term_ends_at(self) -> datetime:
        """TE of the running term: midnight after its last day (GEN-02)."""
        return datetime.combine(self.first_day(self.terms), time.min, UTC)

    @property
    def next_due_at(self) -> datetime | None:
        """When the calendar acts next."""
        if self.state in {"active", "suspended"}:
            return self.term_ends_at
        return self.due[0][1] if self.due else None

    def settle(self, until: datetime) -> None:
        """Let the calendar act, up to and including *until* (GEN-03)."""
        while (due_at := self.next_due_at) is not None and due_at <= until:
            if self.state in {"active", "suspended"}:
                self.end_term(due_at)
            else:
                self.version += 1
                self.state = self.due.pop(0)[0]

    def end_term(self, at: datetime) -> None:
        """Renew, expire or disable (TRM-06, SUB-03, SUB-10)."""
        if self.state == "active" and self.autorenew:
            self.terms += 1
            self.version += 2
            self.window_opened_at = at
            self.batches = [(self.seats, at)]
        elif self.state == "active":
            self.version += 2
            self.state = "grace"
            self.due = [("disabled", at + 30 * DAY), ("deleted", at + 120 * DAY)]
        else:
            self.version += 1
            self.state = "disabled"
            self.due = [("disabled", at + 30 * DAY), ("deleted", at + 120 * DAY)]
        self.autorenew = self.autorenew and self.state == "active"

    def ask(self, request: str, seats: int, at: datetime) -> str | None:
        """Return the code of the refusal, or change and return `None` (table 1.2)."""
        self.settle(at)
        code = self.refusal(request, seats, at)
        if code is None:
            self.version += 1
            self.accept(request, seats, at)
        return code

    def refusal(self, request: str, seats: int, at: datetime) -> str | None:
        """The answer of table 1.2 to a request that comes outside renewal processing."""
        if request == "reactivate":
            return {"suspended": None, "active": "BAD_STATE"}.get(self.state, "NO_REACTIVATION")
        if request.startswith("turn_autorenew") and self.state in LAPSED:
            return "TERM_ENDED"
        if self.state in LAPSED | GONE:
            return "BAD_STATE"
        if request == "cancel":
            return None if at <= self.window_opened_at + WINDOW else "CANCEL_WINDOW_CLOSED"
        if self.state == "suspended":
            locked = {"suspend": "ALREADY_SUSPENDED", "turn_autorenew_off": None}
            return locked.get(request, "SUSPENDED_LOCKED")
        return self.seat_refusal(seats, at) if request == "remove_seats" else None

    def seat_refusal(self, seats: int, at: datetime) -> str | None:
        """Once every window is over nothing goes; else one seat stays (TRM-15, TRM-16, 1.2)."""
        if self.reducible(at) == 0:
            return "SEAT_WINDOW_CLOSED"
        if seats >= self.seats:
            return "SEAT_MINIMUM"
        return "SEAT_WINDOW_CLOSED" if seats > self.reducible(at) else None

    def reducible(self, at: datetime) -> int:
        """How many seats are inside their window (TRM-16)."""
        return sum(seats for seats, added_at in self.batches if at <= added_at + WINDOW)

    def accept(self, request: str, seats: int, at: datetime) -> None:
        """Do what was asked."""
        match request:
            case "suspend":
                self.state, self.autorenew = "suspended", False
            case "reactivate":
                self.state = "active"
            case "cancel":
                self.state, self.autorenew = "canceled", False
                self.due = [("deleted", at + 7 * DAY)]
            case "add_seats":
                self.seats += seats
                self.batches.append((seats, at))
            case "remove_seats":
                self.seats -= seats
                self.take(seats, at)
            case _:
                self.autorenew = request == "turn_autorenew_on"

    def take(self, seats: int, at: datetime) -> None:
        """Use up the open batch that closes first (TRM-16)."""
        left: list[tuple[int, datetime]] = []
        for there, added_at in self.batches:
            gone = min(there, seats) if at <= added_at + WINDOW else 0
            seats -= gone
            if there > gone:
                left.append((there - gone, added_at))
        self.batches = left


REQUESTS = (
    "suspend",
    "reactivate",
    "cancel",
    "turn_autorenew_on",
    "turn_autorenew_off",
    "add_seats",
    "remove_seats",
)
INSTANTS = st.datetimes(
    min_value=datetime(2023, 1, 1),  # noqa: DTZ001 – the zone is given beside it
    max_value=datetime(2024, 12, 31, 23, 59, 59),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda at: at.replace(microsecond=0))
MONTH_ENDS = st.sampled_from(
    [datetime(2023, 1, 31, 11, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)]
)
PAUSES = st.one_of(
    st.integers(0, 3600), st.integers(0, 40 * 24 * 3600), st.integers(0, 400 * 24 * 3600)
).map(lambda seconds: timedelta(seconds=seconds))
SEATS = st.integers(1, 12)


def _payload(request: str, seats: int) -> Payload:
    match request:
        case "suspend":
            return Suspend()
        case "add_seats" | "remove_seats":
            return ChangeSeats(seats)
        case _:
            return EMPTY


def _purchase(term: str, seats: int, *, autorenew: bool) -> Purchase:
    return Purchase(
        "tailspin",
        "contoso",
        Product("E3"),
        seats,
        Term(term),
        Billing.MONTHLY,
        autorenew=autorenew,
    )


class Engine(RuleBasedStateMachine):
    """The engine and the model, asked the same things at the same instants."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SimulatedClock(datetime(2020, 1, 1, tzinfo=UTC))
        self.store = Store.open("sqlite://", clock=self.clock)
        self.count = 0

    def teardown(self) -> None:
        self.store.close()

    @initialize(
        sold_at=INSTANTS | MONTH_ENDS,
        term=st.sampled_from(sorted(MONTHS)),
        autorenew=st.booleans(),
        seats=SEATS,
    )
    def buy(self, sold_at: datetime, term: str, autorenew: bool, seats: int) -> None:
        """SUB-01, TRM-03: it begins with a purchase."""
        self.clock.move(sold_at)
        self.model = Model(term, autorenew, seats, sold_at)
        outcome = self.submit("purchase", _purchase(term, seats, autorenew=autorenew))
        assert outcome.accepted

    def submit(self, request: str, data: Payload) -> Outcome:
        self.count += 1
        event = Event(f"e{self.count}", request, "s1", self.clock.now(), AMY, data)
        return submit(self.store, event)

    @rule(pause=PAUSES, awake=st.booleans())
    def wait(self, pause: timedelta, awake: bool) -> None:
        """Time passes; perhaps the daemon wakes, perhaps it sleeps on."""
        self.clock.move(self.clock.now() + pause)
        if awake:
            self.wake()

    @rule(seconds=st.sampled_from([-1, 0, 1]), awake=st.booleans())
    def wait_for_the_calendar(self, seconds: int, awake: bool) -> None:
        """GEN-03: right before, at and right after the next thing that is due."""
        if (due_at := self.model.next_due_at) is not None:
            self.clock.move(max(self.clock.now(), due_at + seconds * SECOND))
        if awake:
            self.wake()

    @rule(seconds=st.sampled_from([-1, 0, 1]))
    def wait_for_the_window(self, seconds: int) -> None:
        """GEN-04: right before, at and right after the end of the cancellation window."""
        ends_at = self.model.window_opened_at + WINDOW + seconds * SECOND
        self.clock.move(max(self.clock.now(), ends_at))

    def wake(self) -> None:
        settled = settle(self.store, self.clock.now())
        self.model.settle(self.clock.now())
        assert settled.stuck == ()

    @rule(request=st.sampled_from(REQUESTS), seats=SEATS)
    def ask(self, request: str, seats: int) -> None:
        """1.2: the same yes, the same no, the same code."""
        wanted = self.model.ask(request, seats, self.clock.now())

        outcome = self.submit(request, _payload(request, seats))

        assert (outcome.refusal.code if outcome.refusal else None) == wanted

    @invariant()
    def the_engine_is_where_the_model_is(self) -> None:
        """SUB-01: state, term end, autorenew, window, seats and version agree."""
        found = self.store.get("s1")
        model = self.model
        assert isinstance(found, Subscription)
        assert (found.state, found.version) == (model.state, model.version)
        assert (found.quantity, found.autorenew) == (model.seats, model.autorenew)
        assert found.ends_on + DAY == model.term_ends_at.date()
        assert found.starts_on == model.first_day(model.terms - 1)
        if model.state in {"active", "suspended"}:
            assert found.window_opened_at == model.window_opened_at
            assert sum(batch.quantity for batch in found.batches) == model.seats

    @invariant()
    def what_is_due_is_what_the_model_waits_for(self) -> None:
        """GEN-08: the row is the timer."""
        assert self.store.next_due() == self.model.next_due_at

    @invariant()
    def the_history_has_no_gap(self) -> None:
        """EVT-05: accepted events count from 1, and time never goes back among them."""
        entries = self.store.history("s1")
        accepted = [entry for entry in entries if not isinstance(entry.outcome, Refusal)]
        instants = [entry.event.at for entry in accepted]
        assert [entry.version for entry in accepted] == list(range(1, self.model.version + 1))
        assert instants == sorted(instants)


Engine.TestCase.settings = settings(
    max_examples=sized(20, 60),
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEngineAgainstModel = Engine.TestCase


@dataclass(frozen=True, slots=True)
class Asked:
    """A request some time after the one before."""

    pause: timedelta
    subject: str
    request: str
    seats: int


STORIES = st.lists(
    st.builds(
        Asked,
        pause=PAUSES,
        subject=st.sampled_from(["s1", "s2"]),
        request=st.sampled_from(REQUESTS),
        seats=SEATS,
    ),
    max_size=12,
)
SOLD_AT = datetime(2024, 1, 31, 2, 35, tzinfo=UTC)
PATIENT = settings(
    max_examples=sized(8, 25),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def _told(story: Sequence[Asked]) -> list[Event]:
    """Return the events of a story about two subscriptions."""
    events = [
        Event(f"buy-{name}", "purchase", name, SOLD_AT, AMY, _purchase(term, 10, autorenew=True))
        for name, term in (("s1", "P1M"), ("s2", "P1Y"))
    ]
    at = SOLD_AT
    for number, asked in enumerate(story):
        at += asked.pause
        data = _payload(asked.request, asked.seats)
        events.append(Event(f"ask-{number}", asked.request, asked.subject, at, AMY, data))
    return events


def _lived(events: Sequence[Event], *, every: timedelta | None, times: int = 1) -> str:
    """Live through events, awake *every* so often or only at the end, and return the digest."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open("sqlite://", clock=clock)
    try:
        for event in events:
            while every is not None and clock.now() + every < event.at:
                clock.move(clock.now() + every)
                settle(store, clock.now())
            clock.move(event.at)
            for _ in range(times):
                submit(store, event)
        clock.move(events[-1].at + 130 * DAY)
        for _ in range(times):
            settle(store, clock.now())
        return store.digest()
    finally:
        store.close()


@PATIENT
@given(STORIES)
def test_once_is_twice(story: Sequence[Asked]) -> None:
    """Every event submitted twice and every settling done twice change nothing."""
    events = _told(story)

    assert _lived(events, every=None, times=2) == _lived(events, every=None)


@PATIENT
@given(STORIES)
def test_a_late_daemon_changes_nothing(story: Sequence[Asked]) -> None:
    """GEN-08: awake every day or asleep to the end, the history is the same."""
    events = _told(story)

    assert _lived(events, every=DAY) == _lived(events, every=None)


@PATIENT
@given(STORIES, st.integers(1, 60))
def test_final_means_final(story: Sequence[Asked], days: int) -> None:
    """SUB-06, SUB-12: whatever is asked of it, a deleted subscription stays deleted."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open("sqlite://", clock=clock)
    try:
        for event in _told([])[:1]:
            submit(store, event)
        submit(store, Event("off", "turn_autorenew_off", "s1", SOLD_AT, AMY))
        clock.move(SOLD_AT + timedelta(days=160 + days))
        settle(store, clock.now())
        for number, asked in enumerate(story):
            clock.move(clock.now() + asked.pause)
            data = _payload(asked.request, asked.seats)
            event = Event(f"ask-{number}", asked.request, "s1", clock.now(), AMY, data)
            outcome = submit(store, event)
            assert (outcome.accepted, outcome.state) == (False, "deleted")
        assert store.next_due() is None
    finally:
        store.close()
