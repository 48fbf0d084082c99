"""The store that rows are taken into: what stands there, and one transaction for each row."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sublife.events.inbound.row import Fate, Row, Verdict, unchanged
from sublife.events.intake import submit
from sublife.events.permission import as_of
from sublife.events.store import ATTEMPTS, ConflictError, Store
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Event,
    Payload,
    Refusal,
    Snapshot,
)
from sublife.lifecycle.policy import Policy

T = TypeVar("T")
EXPORT = Actor(ActorKind.APPLICATION, "partner-center-export")
"""Who reports what an export says."""
MARK = "import:"
"""How the ids of imported events begin."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request that a row becomes.

    Args:
        name: of the request.
        subject: id.
        at: UTC instant it happened.
        data: its payload.
        actor: who asked.
        lifecycle: the subject lives by.
        state: ask only if the subject is in this state by then; `None` asks in any.
    """

    name: str
    subject: str
    at: datetime
    data: Payload = EMPTY
    actor: Actor = EXPORT
    lifecycle: str = "subscription"
    state: str | None = None


class _NotTakenError(RuntimeError):
    """A rule said no; what was begun is undone."""

    def __init__(self, ask: Ask, refusal: Refusal) -> None:
        self.ask, self.refusal = ask, refusal
        super().__init__(refusal.sentence)


@contextmanager
def together(store: Store) -> Generator[Store]:
    """Begin one transaction for all that is submitted to the store that is given.

    It commits when the block ends and rolls back if it raises.
    """
    with store.engine.connect() as connection, connection.begin():
        yield store.within(connection)


@dataclass(frozen=True, slots=True)
class Target:
    """The store of one tenant, and what its rows do not say themselves.

    Args:
        store: of the tenant.
        at: UTC instant of the export.
        partner: the partner tenant whose Partner Center it comes from.
        customer: the customer tenant, where rows name none.
        is_joined: the store is within a transaction already, and somebody else ends it.
    """

    store: Store
    at: datetime
    partner: str | None = None
    customer: str | None = None
    is_joined: bool = False

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self.store.policy

    def has(self, subject: str) -> bool:
        """Return whether there is a subject of that id."""
        return bool(subject) and self.store.get(subject) is not None

    def standing(self, subject: str, at: datetime | None = None) -> Snapshot | None:
        """Return a subject as it stands at *at*, the instant of the export if not given.

        It is never older than its latest event.
        """
        if not self.has(subject):
            return None
        return as_of(self.store, subject, at=at or self.at)

    def taken_over_at(self, subject: str) -> datetime | None:
        """Return when a subject was taken over from an export; `None` if it was not."""
        entries = self.store.history(subject, limit=1)
        first = entries[0].event if entries else None
        return first.at if first is not None and first.name == "adopt" else None

    def knows(self, event_id: str, subject: str) -> bool:
        """Return whether the journal has an event of that id."""
        entries = self.store.history(subject, limit=1)
        if not entries:
            return False
        lifecycle = entries[0].event.lifecycle
        probe = Event(event_id, "look", subject, self.at, EXPORT, lifecycle=lifecycle)
        return self.store.run(lambda tx: bool(tx.look(probe)))

    def take(self, row: Row, asks: Sequence[Ask], said: str) -> Verdict:
        """Take in what a row became: all of it, or nothing where a rule refuses a part.

        A refusal leaves no trace, so that the row can be imported when it has become possible.
        """
        subject = asks[0].subject
        if self.knows(row.mark, subject):
            return unchanged("imported already, from a row of the same content", subject)
        try:
            names = self._in_one(lambda store: _submitted(store, row.mark, asks))
        except _NotTakenError as error:
            refusal = error.refusal
            why = f"{error.ask.name}: {refusal.code} ({refusal.rule}): {refusal.sentence}"
            return Verdict(Fate.REFUSED, why, error.ask.subject)
        return Verdict(Fate.IMPORTED, said, subject, names)

    def _in_one(self, work: Callable[[Store], T]) -> T:
        """Do *work* in one transaction; where another writer comes between, do it again."""
        if self.is_joined:
            return work(self.store)
        for _ in range(ATTEMPTS - 1):
            try:
                with together(self.store) as store:
                    return work(store)
            except ConflictError:
                continue
        with together(self.store) as store:
            return work(store)


def _submitted(store: Store, mark: str, asks: Sequence[Ask]) -> tuple[str, ...]:
    names: list[str] = []
    for number, ask in enumerate(asks):
        if ask.state is not None and not _is_in(store, ask):
            continue
        event_id = mark if number == 0 else f"{mark}:{number + 1}"
        event = Event(
            event_id, ask.name, ask.subject, ask.at, ask.actor, ask.data, None, ask.lifecycle
        )
        refusal = submit(store, event).refusal
        if refusal is not None:
            raise _NotTakenError(ask, refusal)
        names.append(ask.name)
    return tuple(names)


def _is_in(store: Store, ask: Ask) -> bool:
    found = as_of(store, ask.subject, at=ask.at)
    return found is not None and found.state == ask.state
