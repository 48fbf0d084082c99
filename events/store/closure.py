"""Which subjects a fork must hold, so that every decision on them finds what it reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import cast

from sublife.events.store.audit import BATCH, Audit, Line, SubjectLine
from sublife.events.store.entry import entry_of
from sublife.events.store.readable import snapshot_of
from sublife.lifecycle.machine import UnknownSubjectError, reads, timed_event, timers
from sublife.lifecycle.model import Event, Snapshot, follow_up_id


def closure(audit: Audit, tenant: str, roots: Sequence[str]) -> dict[str, SubjectLine]:
    """Return subjects with all that their past and future decisions read, by id.

    It is the smallest set that holds, with each subject: every subject of its customer; what its
    events and its timers read; what caused its events and what followed from them; and partners
    that its history names. Subjects of other customers that are only named stay outside.

    Args:
        audit: reads the database as of one instant.
        tenant: whose subjects.
        roots: ids to begin with.

    Raises:
        UnknownSubjectError: one of *roots* does not exist.
    """
    found = {line.id: line for line in audit.named(tenant, roots)}
    for root in roots:
        if root not in found:
            raise UnknownSubjectError(
                f"tenant {tenant} has no subject {root}; fix the id, or name its tenant"
            )
    fresh = dict(found)
    while fresh:
        fresh = {
            line.id: line
            for line in _next_to(audit, tenant, fresh.values())
            if line.id not in found
        }
        found |= fresh
    return found


def _next_to(audit: Audit, tenant: str, fresh: Iterable[SubjectLine]) -> Iterator[SubjectLine]:
    """Yield what belongs to subjects directly; some of it is known already."""
    lines = {line.id: line for line in fresh}
    neighbours = _Neighbours({name: _snapshot(line) for name, line in lines.items()})
    for line in lines.values():
        neighbours.see_subject(line)
    rows = audit.taken_of(tenant, lines)
    while batch := list(islice(rows, BATCH)):
        events = [event for row in batch if (event := neighbours.see(row)) is not None]
        neighbours.subjects.update(_linked(audit, tenant, events))
    yield from audit.of_customers(tenant, neighbours.customers)
    yield from audit.named(tenant, neighbours.subjects)
    for line in audit.named(tenant, neighbours.words):
        if not line.customer:
            yield line


def _snapshot(line: SubjectLine) -> Snapshot:
    return snapshot_of(line)


class _Neighbours:
    """Collects what rows point to.

    Args:
        snapshots: the subjects as they stand, by id.

    Attributes:
        subjects: ids that decisions read.
        customers: whose every subject belongs here.
        words: every text there is; some of them are ids of partners.
    """

    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self.subjects: set[str] = set()
        self.customers: set[str] = set()
        self.words: set[str] = set()
        self._snapshots = snapshots

    def see_subject(self, line: SubjectLine) -> None:
        """Take in a subject as it stands, and what its timers will read."""
        snapshot = self._snapshots[line.id]
        self.customers |= {line.customer} - {""}
        self.words.update((line.partner, *_words(json.loads(line.snapshot))))
        for timer in timers(snapshot, line.lifecycle):
            self._read(snapshot, timed_event(snapshot, timer, line.lifecycle))

    def see(self, row: Line) -> Event | None:
        """Take in an event of the past: what it names and what it has read.

        Returns:
            The event; `None` if it was refused, so that nothing was changed by what it read.
        """
        self.words.update(_words(json.loads(row.data)))
        self.words.update(_words(json.loads(row.outcome)))
        if row.code is not None:
            return None
        event = entry_of(row).event
        self._read(self._snapshots[row.subject], event)
        self._read(None, event)
        return event

    def _read(self, snapshot: Snapshot | None, event: Event) -> None:
        asked = reads(snapshot, event)
        self.subjects.update(asked.subjects)
        self.customers |= {*asked.customers} - {""}


def _linked(audit: Audit, tenant: str, events: Sequence[Event]) -> set[str]:
    """Return the subjects of what caused events, and of what followed from them."""
    causes = [event.cause for event in events if event.cause is not None]
    found = set(audit.owners(tenant, causes).values())
    number = 0
    while events:
        ids = {follow_up_id(event, number): event for event in events}
        owners = audit.owners(tenant, ids)
        found.update(owners.values())
        events = [ids[name] for name in owners]
        number += 1
    return found


def _words(value: object) -> Iterator[str]:
    """Yield every text inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _words(each)
    elif isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _words(each)
