"""What becomes of events: the outcome of one, and what a night did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sublife.events.store.pause import HeldUp
from sublife.lifecycle.model import ABSENT, Event, Fact, Refusal, Snapshot


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
        before: what was due and happened first in the same transaction, to its customer, to those
            it reads, or to the whole tenant.
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
