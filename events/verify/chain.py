"""Walks the journal of each subject, row by row, along its hash chain."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from sublife.events.store.audit import Audit, Line, SubjectLine
from sublife.events.store.chain import START
from sublife.events.verify.diagnosis import Break, diagnose, follows
from sublife.events.verify.finding import Finding, Wrong


class Walked(NamedTuple):
    """What was read of one subject, and the first of its rows that is not as it was written."""

    subject: str
    rows: int
    finding: Finding | None


def walk(audit: Audit, tenant: str) -> Iterator[Walked]:
    """Yield every subject of a tenant with its first row that is not as it was written, by id.

    One row is held at a time, however long the journal is.
    """
    subjects = audit.subjects(tenant)
    row = next(subjects, None)
    for name, lines in groupby(audit.lines(tenant), key=attrgetter("subject")):
        while row is not None and row.id < name:
            yield Walked(row.id, 0, _without_journal(row))
            row = next(subjects, None)
        own = row if row is not None and row.id == name else None
        yield _walk_one(name, lines, partial(audit.lines_of, tenant, name), own)
        if own is not None:
            row = next(subjects, None)
    while row is not None:
        yield Walked(row.id, 0, _without_journal(row))
        row = next(subjects, None)


class _Trail:
    """How far a chain has been followed.

    Attributes:
        last: the latest row.
        accepted: the latest one that was accepted.
        ending: the one at which the subject's own row says that the journal ends.
        beyond: the first one behind that.
    """

    def __init__(self) -> None:
        self.last: Line | None = None
        self.accepted: Line | None = None
        self.ending: Line | None = None
        self.beyond: Line | None = None
        self._before = START

    def follow(self, line: Line, row: SubjectLine | None) -> Break | None:
        """Go one row further; return where the chain breaks, if it does."""
        head, place = (self.last.hash, self.last.sequence + 1) if self.last else (START, 1)
        if line.sequence != place or not follows(head, line):
            return Break(line, place, head, self.last, self._before)
        self._before, self.last = head, line
        if line.code is None:
            self.accepted = line
        if row is not None and line.sequence == row.sequence:
            self.ending = line
        elif row is not None and self.beyond is None and self.ending is not None:
            self.beyond = line
        return None


def _walk_one(
    subject: str,
    lines: Iterator[Line],
    again: Callable[[], Iterator[Line]],
    row: SubjectLine | None,
) -> Walked:
    trail, count = _Trail(), 0
    broken: Break | None = None
    for line in lines:
        count += 1
        if broken is None:
            broken = trail.follow(line, row)
    finding = diagnose(broken, again, row) if broken else _ended(trail, row)
    return Walked(subject, count, finding)


def _without_journal(row: SubjectLine) -> Finding:
    says = f"the subject is at row {row.sequence} of its journal, but has none: all were dropped"
    return Finding(row.tenant, row.id, Wrong.DROPPED, says, sequence=1)


def _ended(trail: _Trail, row: SubjectLine | None) -> Finding | None:
    """Return how a subject's own row differs from the end of its journal."""
    last, accepted = trail.last, trail.accepted
    if last is None:
        return None
    if row is None:
        if accepted is None:
            return None
        says = f"the subject has no row, but its journal ends at row {last.sequence}"
        return Finding(last.tenant, last.subject, Wrong.DROPPED, says, "subject")
    if row.sequence != last.sequence:
        return _ends_elsewhere(trail, last, row)
    if accepted is None:
        says = "the subject has a row, but its journal has refused events alone"
        return Finding(row.tenant, row.id, Wrong.INSERTED, says, "subject")
    for column, said in (
        ("head", last.hash),
        ("version", last.version),
        ("state", last.state),
        ("lifecycle", accepted.lifecycle),
        ("changed_at", accepted.effective_at),
    ):
        if getattr(row, column) != said:
            return _row_changed(row, column, said)
    return None


def _ends_elsewhere(trail: _Trail, last: Line, row: SubjectLine) -> Finding:
    if row.head == last.hash:
        return _row_changed(row, "sequence", last.sequence)
    beyond = trail.beyond
    if beyond is not None and trail.ending is not None and trail.ending.hash == row.head:
        says = f"the subject's own row ends at row {row.sequence}"
        return Finding(
            row.tenant,
            row.id,
            Wrong.INSERTED,
            says,
            sequence=beyond.sequence,
            event=beyond.event_id,
        )
    if row.sequence < last.sequence:
        return _row_changed(row, "sequence", last.sequence)
    first, end = last.sequence + 1, row.sequence
    rows = f"row {first} is" if first == end else f"rows {first} to {end} are"
    says = f"{rows} not there, but the subject's own row ends at row {end}"
    return Finding(row.tenant, row.id, Wrong.DROPPED, says, sequence=first)


def _row_changed(row: SubjectLine, column: str, said: object) -> Finding:
    says = f'its {column} is "{getattr(row, column)}", but its journal ends with "{said}"'
    if column == "head":
        says += f"; or row {row.sequence} was changed and got a new hash"
    return Finding(row.tenant, row.id, Wrong.CHANGED, says, "subject", column=column)
