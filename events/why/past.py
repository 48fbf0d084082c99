"""Rebuilds from the journal how subjects stood just before an event was decided."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sublife.events.store.audit import Audit, Line
from sublife.events.store.entry import entry_of
from sublife.events.store.error import UnreadableError
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.machine import decide, reads
from sublife.lifecycle.model import Event, Reads, Refusal, Snapshot
from sublife.lifecycle.policy import Policy

T = TypeVar("T")


class UnrebuiltError(SublifeError, ValueError):
    """What was before an event cannot be rebuilt, and why."""


class Step(NamedTuple):
    """One journal row of a subject with all that its decision saw.

    Args:
        line: as it lies.
        event: that was decided.
        before: the subject before it; `None` if there was none.
        after: the subject after it; the same as before if it was refused, and `None` for the row
            that is asked about.
        seen: the other subjects that it saw, by id.
    """

    line: Line
    event: Event
    before: Snapshot | None
    after: Snapshot | None
    seen: Mapping[str, Snapshot]


class _UnknownSubjects(Exception):  # noqa: N818 – a signal, no error
    """More subjects have to be rebuilt beside the others."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stood just before an event was decided.

    Args:
        steps: the rows of its subject up to the event itself, which is the last one.
        known: every subject that has been rebuilt, by id.
        see: returns the subjects that an event must see, given how its own subject stands.
    """

    steps: tuple[Step, ...]
    known: Mapping[str, Snapshot]
    see: Callable[[Snapshot | None, Event], Mapping[str, Snapshot]]


class Past:
    """How the subjects of a tenant stood at any row of its journal.

    Only what an event saw is rebuilt, and what had to be seen for that; so it takes as long as the
    histories of those subjects, not of the tenant.

    Args:
        audit: reads the journal as of one instant.
        tenant: whose it is.
        policies: by the version that stands on the rows.
    """

    def __init__(self, audit: Audit, tenant: str, policies: Mapping[str, Policy]) -> None:
        self._audit = audit
        self._tenant = tenant
        self._policies = policies
        self._lines: dict[str, tuple[Line, ...]] = {}

    def at(self, line: Line, work: Callable[[Moment], T]) -> T:
        """Return what *work* makes of the moment before a row.

        It is called again where it asks to see a subject that has not been rebuilt yet.

        Raises:
            UnrebuiltError: a row cannot be decided again; the message says why.
        """
        names: frozenset[str] = frozenset({line.subject})
        while True:
            try:
                return work(self._moment(line, names))
            except _UnknownSubjects as more:
                names |= more.names

    def policy(self, line: Line) -> Policy:
        """Return the policy that decided a row.

        Raises:
            UnrebuiltError: it is not at hand.
        """
        if line.policy not in self._policies:
            raise UnrebuiltError(
                f"{line.event_id} was decided by the pack {line.policy}, which is not at hand"
            )
        return self._policies[line.policy]

    def _lines_of(self, subject: str) -> tuple[Line, ...]:
        if subject not in self._lines:
            self._lines[subject] = tuple(self._audit.lines_of(self._tenant, subject))
        return self._lines[subject]

    def _moment(self, until: Line, names: frozenset[str]) -> Moment:
        """Decide the rows of subjects again in the order in which they were taken down."""
        lines = [each for name in names for each in self._lines_of(name)]
        known: dict[str, Snapshot] = {}
        steps: list[Step] = []

        def see(before: Snapshot | None, event: Event) -> Mapping[str, Snapshot]:
            return self._seen(reads(before, event), event.subject, known, names)

        for line in sorted(lines, key=_position):
            if line.position >= until.position:
                break
            step = self._step(line, known, see)
            if step.after is not None:
                known[line.subject] = step.after
            if line.subject == until.subject:
                steps.append(step)
        event, before = self._event(until), known.get(until.subject)
        steps.append(Step(until, event, before, None, see(before, event)))
        return Moment(tuple(steps), known, see)

    def _step(
        self,
        line: Line,
        known: Mapping[str, Snapshot],
        see: Callable[[Snapshot | None, Event], Mapping[str, Snapshot]],
    ) -> Step:
        event, before = self._event(line), known.get(line.subject)
        if line.code is not None:
            return Step(line, event, before, before, {})
        try:
            seen = see(before, event)
            decision = decide(before, event, self.policy(line), seen=seen)
        except (UnrebuiltError, _UnknownSubjects):
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UnrebuiltError(f"{line.event_id} cannot be decided again: {error}") from error
        if isinstance(decision, Refusal):
            raise UnrebuiltError(f"{line.event_id} is refused, decided again: {decision.sentence}")
        return Step(line, event, before, decision.snapshot, seen)

    def _event(self, line: Line) -> Event:
        try:
            return entry_of(line).event
        except UnreadableError as error:
            raise UnrebuiltError(str(error)) from error

    def _seen(
        self, asked: Reads, subject: str, known: Mapping[str, Snapshot], names: frozenset[str]
    ) -> Mapping[str, Snapshot]:
        """Return those that are asked for, as the rows before have left them."""
        wanted = set(asked.subjects) - {subject}
        customers = set(asked.customers)
        of_customers = {
            name
            for customer in customers
            for name in self._audit.of_customer(self._tenant, customer)
        } - {subject}
        unknown = {each for each in (wanted | of_customers) - names if self._lines_of(each)}
        if unknown:
            raise _UnknownSubjects(unknown)
        return {
            name: known[name]
            for name in sorted(wanted | of_customers)
            if name in known and (name in wanted or known[name].customer in customers)
        }


def _position(line: Line) -> int:
    return line.position
