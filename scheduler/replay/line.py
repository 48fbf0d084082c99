"""One outcome as a line of a timeline."""

from sublife.events.intake.outcome import Outcome
from sublife.lifecycle.model import ActorKind, Snapshot
from sublife.scheduler.replay.result import Happening
from sublife.scheduler.telling import tell


def line_of(outcome: Outcome, snapshot: Snapshot | None, remark: str = "") -> Happening:
    """Return an outcome as a line of the timeline; *snapshot* is of its subject after it."""
    event, refusal = outcome.event, outcome.refusal
    asked = event.actor.kind is not ActorKind.TIMER and event.cause is None
    return Happening(
        event.at,
        event.subject,
        event.name,
        f"{event.actor.kind.value} {event.actor.id}",
        str(outcome.state_before),
        str(outcome.own_state),
        tuple(fact.name for fact in outcome.facts),
        outcome.rules,
        refusal.code if refusal else None,
        refusal.sentence if refusal else None,
        remark if asked else "",
        asked,
        tell(outcome, snapshot),
    )
