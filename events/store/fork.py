"""Copies subjects into a simulated tenant: rows, history and records, chained anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sublife.events.store.audit import BATCH, Audit, Line, SubjectLine
from sublife.events.store.bulk import Bulk
from sublife.events.store.chain import START, chained
from sublife.events.store.closure import closure
from sublife.events.store.error import StoreError
from sublife.events.store.history import (
    NEW_ACTIVITY,
    NEW_CLAIM,
    NEW_ENTRY,
    NEW_ORDER,
    NEW_SUBJECT,
    NUMBER,
)
from sublife.events.store.link import Link
from sublife.events.store.simulated import LOCKED, move, not_simulated
from sublife.events.store.statement import restored
from sublife.lifecycle.model import iso

_NAMED = 5
"""So many names stand in a message; more are counted."""


class ForkError(StoreError):
    """Subjects cannot be forked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a fork copied.

    Args:
        subjects: ids, in order.
        events: journal rows.
        now: UTC instant that the simulated clock shows.
    """

    subjects: tuple[str, ...]
    events: int
    now: datetime


def copied(link: Link, tenant: str, roots: Sequence[str], into: str, *, late: bool) -> Copied:
    """Copy subjects of *tenant* with all that they read, as of one instant.

    Args:
        link: to the database, in a transaction that writes and has just begun.
        tenant: whose they are; nothing of it is changed.
        roots: ids to begin with.
        into: a simulated tenant.
        late: its clock is moved to the latest event copied, if that is later.

    Raises:
        ForkError: a subject is there already, its history is not sound, or it is later than the
            clock of *into*.
        LiveTenantError: *into* is not simulated.
        UnknownSubjectError: one of *roots* does not exist.
    """
    if not link.is_sqlite:
        link.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    rows = LOCKED.rows(link, {"t": into})
    if not rows:
        raise not_simulated(into)
    audit = Audit(link)
    lines = closure(audit, tenant, roots)
    if there := [line.id for line in audit.named(into, lines)]:
        raise ForkError(
            f"tenant {into} has {_said(there)} already, from an earlier fork or made there; fork "
            f"into another tenant, or `sublife clock remove {into}` first"
        )
    copy = _Copy(link, into, lines)
    source = audit.taken_of(tenant, lines)
    while batch := list(islice(source, BATCH)):
        copy.take(audit, tenant, batch)
    copy.end(audit, tenant)
    now = _moved(link, into, restored(rows[0].now), copy.latest_at, late=late)
    return Copied(tuple(sorted(lines)), copy.events, now)


def _moved(link: Link, into: str, now: datetime, latest_at: datetime, *, late: bool) -> datetime:
    """Return what the clock shows, which is never earlier than anything that has happened."""
    if latest_at <= now:
        return now
    if not late:
        raise ForkError(
            f"something happened at {iso(latest_at)}, and the clock of tenant {into} shows "
            f"{iso(now)}; run `sublife clock advance {into} --to {iso(latest_at)}` first, or "
            "fork into a new tenant"
        )
    move(link, into, latest_at)
    return latest_at


@dataclass(slots=True)
class _End:
    """Where the journal of a subject ends so far: there, and in the copy."""

    sequence: int = 0
    head: str = START
    copied: str = START


@dataclass(slots=True)
class _Copy:
    """Writes rows of one tenant down as those of another.

    Args:
        link: to the database.
        into: the other tenant.
        subjects: those that are copied, by id.

    Attributes:
        events: journal rows written so far.
        latest_at: UTC instant of the latest event among them.
    """

    link: Link
    into: str
    subjects: Mapping[str, SubjectLine]
    events: int = 0
    latest_at: datetime = field(default=restored("0001-01-01 00:00:00"))
    _ends: dict[str, _End] = field(default_factory=dict[str, _End])
    _stamp: int = 0

    def __post_init__(self) -> None:
        self._stamp = int(NUMBER.raw(self.link, {})[0][0])

    def take(self, audit: Audit, tenant: str, lines: Sequence[Line]) -> None:
        """Write journal rows and their records, the rows in the order of *lines*."""
        ids = [line.event_id for line in lines]
        if taken := audit.owners(self.into, ids):
            raise ForkError(
                f"tenant {self.into} has events with the ids {_said(sorted(taken))} already; fork "
                "into another tenant"
            )
        _write(self.link, NEW_ENTRY, [self._row(line) for line in lines])
        for bulk, records in (
            (NEW_ACTIVITY, audit.activities(tenant, ids)),
            (NEW_ORDER, audit.orders(tenant, ids)),
        ):
            _write(self.link, bulk, [{**_plain(each), "tenant": self.into} for each in records])
        self.events += len(lines)

    def _row(self, line: Line) -> dict[str, Any]:
        """Return a journal row of the copy, which follows on the one before (its hash)."""
        end = self._ends.setdefault(line.subject, _End())
        sound = chained(end.head, line.parts)
        if sound != line.hash or line.sequence != end.sequence + 1:
            raise _unsound(line.tenant, line.subject)
        moved = line._replace(tenant=self.into)
        end.sequence, end.head = line.sequence, line.hash
        end.copied = chained(end.copied, moved.parts)
        self.latest_at = max(self.latest_at, restored(line.effective_at))
        return {**moved._asdict(), "hash": end.copied, "stamp": self._stamp}

    def end(self, audit: Audit, tenant: str) -> None:
        """Write the subjects' own rows and their claims."""
        _write(self.link, NEW_SUBJECT, [self._subject(line) for line in self.subjects.values()])
        claims = audit.claims_of(tenant, self.subjects)
        _write(self.link, NEW_CLAIM, [each._replace(tenant=self.into)._asdict() for each in claims])

    def _subject(self, line: SubjectLine) -> dict[str, Any]:
        end = self._ends.get(line.id, _End())
        if (end.sequence, end.head) != (line.sequence, line.head):
            raise _unsound(line.tenant, line.id)
        return {
            **line._asdict(),
            "tenant": self.into,
            "stamp": self._stamp,
            "head": end.copied,
        }


def _write(link: Link, bulk: Bulk, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        bulk.write(link, [tuple(row[name] for name in bulk.columns) for row in rows])


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is written: an amount as text, exact."""
    amount = record.get("amount")
    return {**record, "amount": None if amount is None else str(amount)}


def _unsound(tenant: str, subject: str) -> ForkError:
    return ForkError(
        f"the history of {subject} is not as it was written, so it has no future that counts; "
        f"`sublife verify --tenant {tenant}` names the row"
    )


def _said(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
