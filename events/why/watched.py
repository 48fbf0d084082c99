"""Decides an event once more while all that the decision asks for is noted."""

from collections.abc import Mapping
from typing import NamedTuple

from sublife.events.why.arithmetic import LAST, Known, Named, instants, lengths
from sublife.events.why.past import Moment, Step, UnrebuiltError
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import Decision, Refusal, Snapshot
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.tracing import Watch, unwatched


class Watched(NamedTuple):
    """An event decided again, and what its decision asked for.

    Args:
        step: the row.
        policy: that decided it.
        watch: what was asked for.
        outcome: the decision, or the refusal.
    """

    step: Step
    policy: Policy
    watch: Watch
    outcome: Decision | Refusal

    @property
    def after(self) -> Snapshot | None:
        """The subject after it, as before if it was refused."""
        if isinstance(self.outcome, Refusal):
            return self.step.before
        return unwatched(self.outcome.snapshot)

    @property
    def known(self) -> Known:
        """What the sums behind its instants may be made of, the most telling first."""
        event, values = self.step.event, self.watch.values
        given, own = [*instants(event.data, "asked")], list[Named]()
        months = dict(lengths(event.data))
        for name, value in values.get(event.subject, {}).items():
            own += instants(value, name)
        for subject, others in values.items():
            if subject != event.subject:
                for name, value in others.items():
                    given += instants(value, f"{subject}.{name}")
        for snapshot in (self.step.before, self.after):
            months |= dict(lengths(snapshot))
        made = () if self.after is None else tuple(instants(self.after))
        own.sort(key=lambda each: each.name == LAST)
        bases = (Named(event.name, event.at), *given, *own, *made)
        return Known(bases, tuple(given), tuple(own), tuple(self.watch.sums), months)


def watched(moment: Moment, policy: Policy) -> Watched:
    """Decide the event of a moment again; where it was refused, also all that follows from it."""
    step = moment.steps[-1]
    found = watched_step(step, policy)
    if step.line.code is None or isinstance(found.outcome, Refusal):
        return found
    decided = {step.event.subject: found.outcome.snapshot}
    refusal = _refused(found.outcome, moment, found, decided)
    return found._replace(outcome=refusal) if refusal else found


def watched_step(step: Step, policy: Policy) -> Watched:
    """Decide one row again, by itself.

    Raises:
        UnrebuiltError: it cannot be decided.
    """
    watch = Watch()
    before = None if step.before is None else watch.subject(step.before)
    seen = watch.subjects(step.seen)
    try:
        with watch.watching():
            outcome = decide(before, step.event, watch.policy(policy), seen=seen)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnrebuiltError(f"{step.line.event_id} cannot be decided again: {error}") from error
    return Watched(step, policy, watch, outcome)


def _refused(
    decision: Decision, moment: Moment, found: Watched, decided: dict[str, Snapshot]
) -> Refusal | None:
    """Return the first refusal among what follows from a decision: one no refuses all."""
    watch = found.watch
    for event in decision.follow_ups:
        before = decided.get(event.subject) or moment.known.get(event.subject)
        seen: Mapping[str, Snapshot] = {**moment.see(before, event)}
        seen = {name: decided.get(name, other) for name, other in seen.items()}
        own = before and watch.subject(unwatched(before))
        with watch.watching():
            outcome = decide(own, event, watch.policy(found.policy), seen=watch.subjects(seen))
        if isinstance(outcome, Refusal):
            return outcome
        decided[event.subject] = outcome.snapshot
        if refusal := _refused(outcome, moment, found, decided):
            return refusal
    return None
