"""The work of one transaction: decides events on what it holds, due before command (GEN-08)."""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from sublife.events.intake.known import id_taken
from sublife.events.intake.outcome import Outcome, Stuck
from sublife.events.logs import is_told_each, log
from sublife.events.store import Held, Transaction
from sublife.events.store.error import UnreadableError
from sublife.events.store.pause import HeldUp, PausedError
from sublife.events.store.reach import NotYetError
from sublife.lifecycle.machine import decide, may_begin, reads, timed_event
from sublife.lifecycle.model import (
    ABSENT,
    NOBODY,
    Decision,
    Event,
    ModelError,
    Reads,
    Refusal,
    Snapshot,
    Timer,
    filled,
    iso,
)

BATCH = 1000
"""Subjects claimed, decided and written together."""


class Intake:
    """One transaction's work: decides events against what the transaction holds."""

    def __init__(self, tx: Transaction, now: datetime) -> None:
        self.tx = tx
        self.now = now
        self.policy = tx.policy
        self._holding = tx.holding
        self.outcomes: list[Outcome] = []
        self._prepared: dict[str, tuple[Held, Event, Reads]] = {}
        self._ticking: set[str] = set()
        self._tells_each = is_told_each()

    def prefetch(self, due: Iterable[str]) -> None:
        """Read at once what the next timers of *due* must see; one by one takes far longer."""
        names: set[str] = set()
        for subject in due:
            try:
                held = self._holding.get(subject) or self.tx.held(subject)
            except UnreadableError:
                continue  # it is stuck, and `advance` says so
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
        first = deque(sorted(self._all_due(subjects, until, stuck)))
        later: list[tuple[datetime, str]] = []
        while first or later:
            is_first = first and (not later or first[0] <= later[0])
            due_at, subject = first.popleft() if is_first else heapq.heappop(later)
            held = self._holding.get(subject)
            timer = held.timer if held else None
            if held is None or timer is None or timer.due_at != due_at or subject in self._ticking:
                continue
            try:
                outcome = self._tick(held, timer)
            except (NotYetError, PausedError, ModelError, UnreadableError) as error:
                if stuck is None:
                    raise
                if left := self._left(held, due_at, error):
                    stuck[subject] = left
                continue
            self.outcomes.append(outcome)
            for touched in _touched(outcome):
                if following := self._due(touched, until):
                    heapq.heappush(later, following)

    def _all_due(
        self, subjects: Iterable[str], until: datetime, stuck: dict[str, Stuck] | None
    ) -> Iterator[tuple[datetime, str]]:
        """Yield when those of *subjects* are due that are due by *until*."""
        for subject in subjects:
            try:
                entry = self._due(subject, until)
            except UnreadableError as error:
                if stuck is None:
                    raise
                log.error("subject_stuck", subject=subject, reason=str(error))
                stuck[subject] = Stuck(subject, str(error))
                continue
            if entry is not None:
                yield entry

    def _left(self, held: Held, at: datetime, error: Exception) -> Stuck | None:
        """Leave a subject due: it waits for another worker, for what is paused, or is stuck."""
        subject, customer = held.snapshot.id, held.snapshot.customer
        if isinstance(error, NotYetError) and self.tx.reach is not None:
            self.tx.reach.put_off(customer, at)
            return None
        if isinstance(error, PausedError):
            return self._held_up(subject, at, error)
        log.error("subject_stuck", subject=subject, reason=str(error))
        return Stuck(subject, str(error))

    def _held_up(self, subject: str, at: datetime, error: PausedError) -> Stuck:
        """Leave a subject due that waits for what is paused, and what comes after it as well."""
        held = self.tx.held(subject)
        if held is None or not held.snapshot.customer:
            return Stuck(subject, str(error))
        held_up = HeldUp(held.snapshot.customer, at, subject, error.pause)
        self.tx.hold_up(held_up)
        return Stuck(subject, str(error), held_up)

    def _due(self, subject: str, until: datetime) -> tuple[datetime, str] | None:
        if subject in self._ticking:
            return None
        held = self._holding.get(subject) or self.tx.held(subject)
        timer = held.timer if held else None
        if timer is None or (due_at := timer.due_at) > until:
            return None
        return due_at, subject

    def _tick(self, held: Held, timer: Timer) -> Outcome:
        subject = held.snapshot.id
        if self.tx.reach is not None:
            self.tx.reach.require(subject, held.snapshot.customer, timer.due_at)
        prepared = self._prepared.pop(subject, None)
        if prepared is not None and prepared[0] is held:
            _, event, asked = prepared
        else:
            event = timed_event(held.snapshot, timer, held.lifecycle)
            asked = reads(held.snapshot, event)
        self._ticking.add(subject)
        try:
            if asked.subjects or asked.customers or self.tx.pauses:
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
            if known := self.tx.look(follow_up):
                raise id_taken(known[0], follow_up)
            plan = self._plan(follow_up, decided)
            if isinstance(plan, Refusal):
                return plan
            followed.append(plan)
        return filled(_Plan, (event, decision, tuple(followed)))

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
        self.settle_due(until)

    def settle_due(self, until: datetime, *, stuck: dict[str, Stuck] | None = None) -> None:
        """Apply every timer of the tenant due by *until*, also what another writer holds by now."""
        due: dict[str, None] = {}
        found: tuple[str, ...] = ("",)
        while found:
            found, _, _ = self.tx.claim(until, limit=BATCH, but=due, waiting=True)
            due.update(dict.fromkeys(found))
        self.advance(due, until, stuck=stuck)

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
        state = snapshot.state
        return filled(
            Outcome,
            (
                event,
                decision.facts,
                None,
                state,
                snapshot.version,
                decision.rules,
                False,
                (),
                followed,
                (),
                decision.state_before,
                state,
                snapshot,
            ),
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


def _touched(outcome: Outcome) -> Iterable[str]:
    """Return the ids of the subjects that an event and what followed from it have moved."""
    if not outcome.followed:
        return (outcome.event.subject,)
    return dict.fromkeys(each.event.subject for each in outcome.sequence())


class _Plan(NamedTuple):
    """A decision with the decisions that follow from it, not yet written."""

    event: Event
    decision: Decision
    followed: tuple["_Plan", ...]
