"""submit() and settle(): the one door. One transaction per event, due before command (GEN-08)."""

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import NamedTuple

from sublife.events.logs import is_told_each, log
from sublife.events.store import Entry, Held, Store, Transaction
from sublife.events.store.pause import HeldUp, PausedError
from sublife.lifecycle.machine import decide, may_begin, reads, timed_event
from sublife.lifecycle.model import (
    ABSENT,
    NOBODY,
    TIMER_ID,
    Decision,
    Event,
    Fact,
    ModelError,
    Payload,
    Reads,
    Refusal,
    Snapshot,
    iso,
    utc,
)

BATCH = 1000
"""Subjects claimed, decided and written together."""


_RECORD_ID = re.compile(r"#\d+\Z")
"""How ids of further records of one event end."""


class IntakeError(RuntimeError):
    """An event cannot be taken in; nothing was changed."""


class EventInFutureError(IntakeError):
    """The event is dated later than the store's clock; what has not happened cannot be decided."""


class StaleVersionError(IntakeError):
    """The subject has moved on since the caller looked at it.

    Attributes:
        subject: id.
        expected: the version the caller has seen.
        found: the version the subject has when the event is to be decided.
    """

    def __init__(self, subject: str, expected: int, found: int) -> None:
        self.subject, self.expected, self.found = subject, expected, found
        super().__init__(
            f"{subject} is at version {found}, not {expected}; look at it again, then decide"
        )


class EventIdTakenError(IntakeError):
    """The event id belongs to another event, or to the calendar."""


class Outcome(NamedTuple):
    """What became of a submitted event.

    Args:
        event: as it was first submitted.
        facts: what happened; empty if refused.
        refusal: why not; `None` if accepted.
        state: of the subject afterwards, with all that fell due at the same instant.
        version: of the subject afterwards; 0 if it does not exist.
        rules: ids of the rules that decided it.
        repeated: the event id was known already, and this is the first outcome.
        before: what was due and happened first, to this subject and those it reads.
        followed: what the event caused on other subjects.
        after: what fell due at the event's own instant because of it.
        state_before: of the subject just before the event.
        own_state: of the subject just after the event, before what fell due with it.
        snapshot: of the subject just after the event; `None` where nothing was decided now.
    """

    event: Event
    facts: tuple[Fact, ...]
    refusal: Refusal | None
    state: str
    version: int
    rules: tuple[str, ...]
    repeated: bool = False
    before: tuple["Outcome", ...] = ()
    followed: tuple["Outcome", ...] = ()
    after: tuple["Outcome", ...] = ()
    state_before: str = ABSENT
    own_state: str = ABSENT
    snapshot: Snapshot | None = None

    @property
    def accepted(self) -> bool:
        """Whether the event took effect."""
        return self.refusal is None

    def events(self) -> int:
        """Return how many events there are in the sequence."""
        parts = (*self.before, *self.followed, *self.after)
        return 1 + sum(each.events() for each in parts) if parts else 1

    def sequence(self) -> Iterator["Outcome"]:
        """Yield everything that happened, in order: before, itself, what followed, after."""
        for each in self.before:
            yield from each.sequence()
        yield self
        for each in (*self.followed, *self.after):
            yield from each.sequence()


@dataclass(frozen=True, slots=True)
class Stuck:
    """A due subject that could not be moved, and why; it stays due.

    Args:
        subject: id.
        reason: in a sentence.
        held_up: what waits with it, where a pause is the reason.
    """

    subject: str
    reason: str
    held_up: HeldUp | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle` did.

    Args:
        outcomes: every timed event and what followed from it, in the order they took effect;
            empty if not asked for.
        count: how many there were.
        stuck: subjects that stay due because their timer could not be applied.
    """

    outcomes: tuple[Outcome, ...]
    count: int
    stuck: tuple[Stuck, ...] = ()


def submit(store: Store, event: Event, *, expected_version: int | None = None) -> Outcome:
    """Take in one user event: settle what is due by then, decide it, write it down.

    All in one transaction. The same event id a second time changes nothing and returns the first
    outcome. A refusal is written to the journal and changes nothing else.

    Args:
        store: of the tenant the subject belongs to; `store.within(session)` to take the event in
            as part of a host's transaction.
        event: dated when it happened, at the latest now.
        expected_version: the version the caller has seen; 0 for a subject that is to be new.

    Raises:
        StaleVersionError: the subject is at another version, after what was due has happened.
        EventInFutureError: it is dated after the store's clock.
        EventIdTakenError: its id, or one that follows from it, was used for something else.
        UnknownSubjectError: its subject does not exist, and it creates none.
        PausedError: what it changes, or what must happen before it, is paused (GEN-08).
        UnknownEventError: the lifecycle has no such request.
        ModelError: its payload is not the request's own.
        ConflictError: another writer came between; submit it again.
    """
    now = utc(store.clock.now(), name="now")
    if event.id.startswith(TIMER_ID):
        raise EventIdTakenError(
            f'event {event.id} on {event.subject}: ids that begin with "{TIMER_ID}" belong to '
            "timed events; give it another"
        )
    if _RECORD_ID.search(event.id):
        raise EventIdTakenError(
            f'event {event.id} on {event.subject}: ids that end with "#" and a number belong to '
            "the records of other events; give it another"
        )
    if event.at > now:
        raise EventInFutureError(
            f"event {event.id} on {event.subject} is dated {iso(event.at)}, but it is {iso(now)}; "
            "submit it when it has happened"
        )

    def take(tx: Transaction) -> Outcome:
        if first := tx.look(event):
            return _repeated(first, event)
        return _Intake(tx, now).take(event, expected_version)

    return store.run(take)


def settle(
    store: Store,
    now: datetime,
    *,
    batch: int = BATCH,
    collect: bool = True,
    workers: int | None = None,
    limit: int | None = None,
    go_on: Callable[[int, datetime], bool] | None = None,
) -> Settled:
    """Apply every timed event of the tenant that is due by *now*, in the order it was due.

    What is paused stays due, and what comes after it to the same customer with it.

    Each is dated when it was due, so it makes no difference how late *now* is. In a host's own
    transaction (`store.within(session)`) it is all there when the host commits; with *limit* the
    host commits after each part, until a part counts nothing.

    Args:
        store: of the tenant.
        now: UTC instant, inclusive.
        batch: subjects per transaction.
        collect: whether to return every outcome; a count is all a large night needs.
        workers: threads that share the work, as any number of processes may. If not said, one
            where outcomes are collected, so that they come in order, and else as many as the
            database takes at once: while it writes one batch, the next is decided. Always one
            on SQLite and in a host's own transaction.
        limit: events after which to stop, by one worker; the batch at hand is finished first.
        go_on: told after each batch how many events it had and up to which instant; the worker
            that called it ends where it says no.

    Returns:
        What happened. A subject whose timer cannot be applied is named and stays due; it holds up
        no other.
    """
    now = utc(now, name="now")
    share = partial(
        _settle_share, store, now, batch=batch, collect=collect, limit=limit, go_on=go_on
    )
    number = workers or (1 if collect else store.writers)
    if number == 1 or store.writers == 1 or limit is not None:
        return share()
    with ThreadPoolExecutor(number, thread_name_prefix="settle") as pool:
        shares = [each.result() for each in [pool.submit(share) for _ in range(number)]]
    outcomes = chain.from_iterable(each.outcomes for each in shares)
    stuck = {each.subject: each for share in shares for each in share.stuck}
    return Settled(tuple(outcomes), sum(each.count for each in shares), tuple(stuck.values()))


def _settle_share(
    store: Store,
    now: datetime,
    *,
    batch: int,
    collect: bool,
    limit: int | None,
    go_on: Callable[[int, datetime], bool] | None,
) -> Settled:
    """Settle batch after batch until nothing is due that nobody else holds."""
    outcomes: list[Outcome] = []
    stuck: dict[str, Stuck] = {}
    count = 0
    more = True
    while more and (limit is None or count < limit):
        done = store.run(partial(_settle_batch, now=now, limit=batch, but=stuck))
        happened = sum(outcome.events() for outcome in done.outcomes)
        count += happened
        is_wanted = go_on is None or go_on(happened, done.until)
        more = done.more and is_wanted
        stuck |= done.stuck
        if collect:
            outcomes.extend(each for outcome in done.outcomes for each in outcome.sequence())
        if happened:
            until = iso(done.until)
            log.info("batch_settled", tenant=store.tenant, events=happened, until=until)
    return Settled(tuple(outcomes), count, tuple(stuck.values()))


@dataclass(frozen=True, slots=True)
class _Batch:
    """What became of one claim."""

    outcomes: list[Outcome]
    until: datetime
    more: bool
    stuck: dict[str, Stuck]


def _settle_batch(
    tx: Transaction, *, now: datetime, limit: int, but: Mapping[str, Stuck]
) -> _Batch:
    """Claim what is due first and move it as far as nothing left out comes before it."""
    due, horizon, more = tx.claim(now, limit=limit, but=but)
    if tx.pauses:
        tx.hold_up(*(each.held_up for each in but.values() if each.held_up is not None))
    intake = _Intake(tx, now)
    stuck: dict[str, Stuck] = {}
    intake.prefetch(due)
    intake.advance(due, horizon, stuck=stuck)
    return _Batch(intake.outcomes, horizon, more and bool(due), stuck)


def held_at(tx: Transaction, subject: str, at: datetime) -> Held | None:
    """Return a subject as it stands when everything due by *at* has happened, to look at it.

    Args:
        tx: of `Store.preview`, so that none of it is written.
        subject: id.
        at: UTC instant, inclusive.
    """
    intake = _Intake(tx, at)
    intake.advance((subject,), at)
    if tx.held(subject) is None:
        intake.settle_all(at)
    return tx.held(subject)


def foreseen(
    tx: Transaction, subjects: Iterable[str], until: datetime
) -> tuple[tuple[Outcome, ...], tuple[Stuck, ...]]:
    """Return what the calendar brings to subjects by *until*, and to others through them.

    Args:
        tx: of `Store.preview`, so that none of it is written.
        subjects: ids.
        until: UTC instant, inclusive.

    Returns:
        The outcomes in due order, each with what followed from it; and the subjects whose timer
        cannot be applied.
    """
    names = tuple(subjects)
    intake = _Intake(tx, until)
    stuck: dict[str, Stuck] = {}
    tx.hold(names)
    intake.prefetch(names)
    intake.advance(names, until, stuck=stuck)
    outcomes = tuple(each for outcome in intake.outcomes for each in outcome.sequence())
    return outcomes, tuple(stuck.values())


def _repeated(entries: tuple[Entry, ...], event: Event) -> Outcome:
    """Return the first outcome of a known event id, read back: nothing is done twice."""
    first = entries[0]
    if _asked(first.event) != _asked(event):
        raise _taken(first, event)
    after = tuple(_read_back(entry) for entry in entries[1:])
    return _read_back(first)._replace(
        state=entries[-1].state, version=entries[-1].version, after=after
    )


def _asked(event: Event) -> tuple[str, str, Payload]:
    """Return what makes two events with one id the same; a retry may be dated later."""
    return event.name, event.subject, event.data


def _taken(first: Entry, event: Event) -> EventIdTakenError:
    return EventIdTakenError(
        f"event id {event.id} belongs to {first.event.name} on {first.event.subject} of "
        f"{iso(first.event.at)}, with other details than this {event.name} on {event.subject}; "
        "give this one an id of its own"
    )


def _read_back(entry: Entry) -> Outcome:
    refused = isinstance(entry.outcome, Refusal)
    return Outcome(
        entry.event,
        () if isinstance(entry.outcome, Refusal) else entry.outcome,
        entry.outcome if isinstance(entry.outcome, Refusal) else None,
        entry.state,
        entry.version,
        entry.rules,
        repeated=True,
        state_before=entry.state_before,
        own_state=entry.state_before if refused else entry.state,
    )


class _Intake:
    """One transaction's work: decides events against what the transaction holds."""

    def __init__(self, tx: Transaction, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self.policy = tx.policy
        self.outcomes: list[Outcome] = []
        self._prepared: dict[str, tuple[Held, Event, Reads]] = {}
        self._ticking: set[str] = set()
        self._tells_each = is_told_each()

    def take(self, event: Event, expected_version: int | None = None) -> Outcome:
        """Decide a user event after what is due by its instant, and take it down."""
        decided: dict[str, Snapshot] = {}
        if expected_version is not None:
            self._expect(event, expected_version)
        planned = self._plan(event, decided)
        before = tuple(self.outcomes)
        if isinstance(planned, Refusal):
            return self._refused(event, planned)._replace(before=before)
        outcome = self._accepted(planned)
        self.advance(sorted(decided), event.at)
        held = self.tx.held(event.subject)
        assert held is not None  # noqa: S101 – it has just been accepted
        return outcome._replace(
            state=held.snapshot.state,
            version=held.snapshot.version,
            before=before,
            after=tuple(self.outcomes[len(before) :]),
        )

    def _expect(self, event: Event, expected: int) -> None:
        self.advance((event.subject,), event.at)
        held = self.tx.held(event.subject)
        found = held.snapshot.version if held else 0
        if found != expected:
            raise StaleVersionError(event.subject, expected, found)

    def prefetch(self, due: Iterable[str]) -> None:
        """Read at once what the next timers of *due* must see; one by one takes far longer."""
        names: set[str] = set()
        for subject in due:
            held = self.tx.held(subject)
            if held is not None and held.timer is not None:
                event = timed_event(held.snapshot, held.timer, held.lifecycle)
                asked = reads(held.snapshot, event)
                names.update(asked.subjects)
                self._prepared[subject] = (held, event, asked)
        self.tx.hold(names)

    def advance(
        self, subjects: Iterable[str], until: datetime, *, stuck: dict[str, Stuck] | None = None
    ) -> None:
        """Apply every timer of *subjects* due by *until*, in due order across all of them.

        A subject whose timer is being applied is passed over: those that it reads may read it.
        """
        first = deque(sorted(entry for each in subjects if (entry := self._due(each, until))))
        later: list[tuple[datetime, str]] = []
        while first or later:
            is_first = first and (not later or first[0] <= later[0])
            entry = first.popleft() if is_first else heapq.heappop(later)
            _, subject = entry
            if entry != self._due(subject, until):
                continue
            try:
                outcome = self._tick(subject)
            except PausedError as error:
                if stuck is None:
                    raise
                stuck[subject] = self._held_up(subject, entry[0], error)
                continue
            except ModelError as error:
                if stuck is None:
                    raise
                stuck[subject] = Stuck(subject, str(error))
                log.error("subject_stuck", subject=subject, reason=str(error))
                continue
            self.outcomes.append(outcome)
            touching = (
                dict.fromkeys(each.event.subject for each in outcome.sequence())
                if outcome.followed
                else (subject,)
            )
            for touched in touching:
                if following := self._due(touched, until):
                    heapq.heappush(later, following)

    def _held_up(self, subject: str, at: datetime, error: PausedError) -> Stuck:
        """Leave a subject due that waits for what is paused, and what comes after it as well."""
        held = self.tx.held(subject)
        if held is None or not held.snapshot.customer:
            return Stuck(subject, str(error))
        held_up = HeldUp(held.snapshot.customer, at, subject, error.pause)
        self.tx.hold_up(held_up)
        return Stuck(subject, str(error), held_up)

    def _due(self, subject: str, until: datetime) -> tuple[datetime, str] | None:
        held = None if subject in self._ticking else self.tx.held(subject)
        if held is None or held.timer is None or held.timer.due_at > until:
            return None
        return held.timer.due_at, subject

    def _tick(self, subject: str) -> Outcome:
        held = self.tx.held(subject)
        timer = held.timer if held else None
        if held is None or timer is None:
            raise ModelError(f"{subject} has no timer; its row and its snapshot differ")
        prepared = self._prepared.pop(subject, None)
        if prepared is not None and prepared[0] is held:
            _, event, asked = prepared
        else:
            event = timed_event(held.snapshot, timer, held.lifecycle)
            asked = reads(held.snapshot, event)
        self._ticking.add(subject)
        try:
            if self.tx.pauses or asked.subjects or asked.customers:
                planned = self._plan(event, {})
            else:
                planned = self._decided(event, held.snapshot, NOBODY, {})
        finally:
            self._ticking.discard(subject)
        if isinstance(planned, Refusal):
            raise ModelError(
                f"{subject}: {timer.name} of {iso(timer.due_at)} is refused: {planned.sentence}"
            )
        return self._accepted(planned)

    def _plan(self, event: Event, decided: dict[str, Snapshot]) -> "_Plan | Refusal":
        """Decide *event* and all that follows from it, without writing; one no refuses all."""
        if self.tx.pauses:
            self.tx.refuse_paused(event)
        seen = self._current(event, decided)
        held = self.tx.held(event.subject)
        snapshot = decided.get(event.subject) or (held.snapshot if held else None)
        return self._decided(event, snapshot, seen, decided)

    def _decided(
        self,
        event: Event,
        snapshot: Snapshot | None,
        seen: Mapping[str, Snapshot],
        decided: dict[str, Snapshot],
    ) -> "_Plan | Refusal":
        """Decide *event* on what it reads, and all that follows from it."""
        decision = decide(snapshot, event, self.policy, seen=seen)
        if isinstance(decision, Refusal):
            return decision
        decided[event.subject] = decision.snapshot
        followed: list[_Plan] = []
        for follow_up in decision.follow_ups:
            if taken := self.tx.look(follow_up):
                raise _taken(taken[0], follow_up)
            plan = self._plan(follow_up, decided)
            if isinstance(plan, Refusal):
                return plan
            followed.append(plan)
        return _Plan(event, decision, tuple(followed))

    def _current(self, event: Event, decided: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
        """Settle the subject and those it reads to the event's instant; return those it reads.

        They are settled together, in due order: what falls due to one may change another. Where a
        timer reads a whole customer, that is settled to just before its instant: subjects that
        read each other take their turns there.
        """
        if event.subject not in decided and event.actor.kind != "timer":
            asked = self._asked(event, decided)
            self.advance(sorted({event.subject, *self._named(asked)} - decided.keys()), event.at)
        held = self.tx.held(event.subject)
        if held is None and event.subject not in decided and not may_begin(event):
            self.settle_all(event.at)
        asked = self._asked(event, decided)
        if not asked.subjects and not asked.customers:
            return {}
        of_customers = self._named(asked) - {event.subject, *asked.subjects} - decided.keys()
        until = event.at - timedelta.resolution if self._ticking else event.at
        self.advance(sorted(of_customers), until)
        self.advance(sorted({*asked.subjects} - {event.subject} - decided.keys()), event.at)
        names = self._named(asked) - {event.subject}
        seen: dict[str, Snapshot] = {}
        for name in sorted(names):
            other = decided.get(name) or (found.snapshot if (found := self.tx.held(name)) else None)
            if other is not None:
                seen[name] = other
        return seen

    def _asked(self, event: Event, decided: Mapping[str, Snapshot]) -> Reads:
        held = self.tx.held(event.subject)
        return reads(decided.get(event.subject) or (held.snapshot if held else None), event)

    def _named(self, asked: Reads) -> set[str]:
        """Return the ids of what is asked for; what falls due may bring a customer more of them."""
        names = set(asked.subjects)
        for customer in asked.customers:
            names.update(self.tx.of_customer(customer))
        return names

    def settle_all(self, until: datetime) -> None:
        """Settle the whole tenant: something due may be about to create the missing subject."""
        if self.tx.pauses:
            self.tx.refuse_paused_due(until)
        due: list[str] = []
        more = True
        while more:
            found, _, more = self.tx.claim(until, limit=BATCH, but=due, waiting=True)
            due.extend(found)
        self.advance(due, until)

    def _accepted(self, plan: "_Plan") -> Outcome:
        event, decision = plan.event, plan.decision
        self.tx.accept(event, decision, recorded_at=self.now)
        if self._tells_each:
            log.debug(
                "event_applied",
                subject=event.subject,
                event_id=event.id,
                event_name=event.name,
                rules=decision.rules,
                policy=self.policy.version,
                state=decision.snapshot.state,
            )
        followed = tuple([self._accepted(each) for each in plan.followed]) if plan.followed else ()
        snapshot = decision.snapshot
        return Outcome(
            event,
            decision.facts,
            None,
            snapshot.state,
            snapshot.version,
            decision.rules,
            followed=followed,
            state_before=decision.state_before,
            own_state=snapshot.state,
            snapshot=snapshot,
        )

    def _refused(self, event: Event, refusal: Refusal) -> Outcome:
        self.tx.refuse(event, refusal, recorded_at=self.now)
        if self._tells_each:
            log.debug(
                "event_refused",
                subject=event.subject,
                event_id=event.id,
                event_name=event.name,
                rules=(refusal.rule,),
                policy=self.policy.version,
                code=refusal.code,
            )
        held = self.tx.held(event.subject)
        return Outcome(
            event,
            (),
            refusal,
            held.snapshot.state if held else ABSENT,
            held.snapshot.version if held else 0,
            (refusal.rule,),
            state_before=held.snapshot.state if held else ABSENT,
            own_state=held.snapshot.state if held else ABSENT,
        )


class _Plan(NamedTuple):
    """A decision with the decisions that follow from it, not yet written."""

    event: Event
    decision: Decision
    followed: tuple["_Plan", ...]
