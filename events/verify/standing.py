"""Compares the subjects as they stand with the rebuilt ones."""

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from sublife.events import codec
from sublife.events.store.audit import Audit, ClaimLine, SubjectLine
from sublife.events.store.scratch import Rebuilt, Scratch
from sublife.events.store.statement import written
from sublife.events.verify.compare import OTHER_RULES, differing, snapshot_difference
from sublife.events.verify.finding import Finding, Wrong
from sublife.lifecycle.machine import lifecycle_named, next_timer


def first_difference(audit: Audit, tenant: str, scratch: Scratch) -> Finding | None:
    """Return the first subject whose row or claims are not the rebuilt ones, by id."""
    rows, claims = audit.subjects(tenant), _Claims(audit.claims(tenant))
    for rebuilt in scratch.all():
        row = next(rows, None)
        if row is None or row.id > rebuilt.subject:
            says = f"the subject has no row; rebuilt it is at row {rebuilt.sequence}"
            return _finding(tenant, rebuilt.subject, Wrong.DROPPED, says)
        if row.id < rebuilt.subject:
            return _unfounded(row)
        if finding := _compared(row, rebuilt, claims):
            return finding
    for row in rows:
        return _unfounded(row)
    return claims.left()


def _compared(row: SubjectLine, rebuilt: Rebuilt, claims: "_Claims") -> Finding | None:
    snapshot = codec.decode_snapshot(rebuilt.lifecycle, rebuilt.snapshot)
    timer = next_timer(snapshot, rebuilt.lifecycle)
    columns = {
        "lifecycle": rebuilt.lifecycle,
        "state": str(snapshot.state),
        "version": snapshot.version,
        "sequence": rebuilt.sequence,
        "customer": snapshot.customer,
        "partner": snapshot.partner,
        "changed_at": written(snapshot.changed_at),
        "due_at": written(timer.due_at) if timer else None,
        "due": timer.name if timer else None,
    }
    found = differing(row._asdict(), columns) or snapshot_difference(row.snapshot, rebuilt.snapshot)
    if found:
        column, stored, was = found
        says = f'its {column} is "{stored}"; rebuilt it is "{was}"'
        return _finding(row.tenant, row.id, Wrong.CHANGED, says, column=column)
    return claims.check(row, lifecycle_named(rebuilt.lifecycle).claims(snapshot))


class _Claims:
    """The stored claims, read beside the subjects that hold them."""

    def __init__(self, lines: Iterator[ClaimLine]) -> None:
        self._groups = groupby(lines, key=attrgetter("tenant", "subject"))
        self._next: list[ClaimLine] = []
        self._go_on()

    def _go_on(self) -> None:
        self._next = list(next(self._groups, (None, ()))[1])

    def check(self, row: SubjectLine, rebuilt: tuple[str, ...]) -> Finding | None:
        """Return how the claims of a subject differ from the rebuilt ones."""
        if self._next and self._next[0].subject < row.id:
            return self.left()
        stored: set[str] = set()
        if self._next and self._next[0].subject == row.id:
            stored = {each.name for each in self._next}
            self._go_on()
        for name in sorted(stored ^ set(rebuilt)):
            wrong, says = (
                (Wrong.INSERTED, f"the subject does not hold {name}; its claim was inserted")
                if name in stored
                else (Wrong.DROPPED, f"the subject holds {name}, but its claim is not there")
            )
            return _finding(row.tenant, row.id, wrong, says, table="claim")
        return None

    def left(self) -> Finding | None:
        """Return a claim of a subject that is not there."""
        for line in self._next:
            says = f"claim {line.name} is of a subject that is not there"
            return _finding(line.tenant, line.subject, Wrong.INSERTED, says, table="claim")
        return None


def _unfounded(row: SubjectLine) -> Finding:
    says = "the subject has a row, but no accepted event leads to it"
    return _finding(row.tenant, row.id, Wrong.INSERTED, says)


def _finding(
    tenant: str,
    subject: str,
    wrong: Wrong,
    says: str,
    *,
    table: str = "subject",
    column: str | None = None,
) -> Finding:
    return Finding(tenant, subject, wrong, says, table, column=column, do=OTHER_RULES)
