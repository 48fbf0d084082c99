"""What verification finds: which row, what is wrong with it, what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What has become of a row."""

    CHANGED = "changed"
    DROPPED = "dropped"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    UNKNOWN = "unknown"
    """Something is wrong, and what is left does not tell what was done."""


BACKUP = (
    "keep a copy of the database as it is, then compare with the latest backup that verifies and "
    "restore from it"
)
"""What to do about any row that is not as it was written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that is not as it was written.

    Args:
        tenant: whose row it is.
        subject: id.
        wrong: what has become of the row.
        says: what is wrong, as a sentence without its full stop.
        table: `journal`, `subject`, `activity`, `order` or `claim`.
        sequence: of the journal row; `None` for a row of another table.
        event: id of the journal row's event, or of a record's; `None` if the row is gone.
        column: the one that was changed; `None` if that cannot be told.
        do: what to do.
    """

    tenant: str
    subject: str
    wrong: Wrong
    says: str
    table: str = "journal"
    sequence: int | None = None
    event: str | None = None
    column: str | None = None
    do: str = BACKUP

    @property
    def where(self) -> str:
        """The row, in words."""
        parts = [f"tenant {self.tenant}, {self.table} of {self.subject}"]
        if self.sequence is not None:
            parts.append(f"row {self.sequence}")
        if self.event is not None:
            parts.append(f"event {self.event}")
        return ", ".join(parts)

    def __str__(self) -> str:
        """Return where, what and what to do."""
        return f"{self.where}: {self.says}; {self.do}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification has read and found.

    Args:
        tenants: how many were read.
        subjects: how many were read, those with refused events alone among them.
        rows: journal rows read.
        unsound: subjects with a row that is not as it was written.
        findings: the first such row of each, at most `MOST`, by tenant and subject.
        decided: accepted events that were decided again; 0 without a rebuild.
        records: activity and order records that were compared with rebuilt ones.
        missing: packs that stand on journal rows but are not at hand; nothing was rebuilt then.
    """

    tenants: int
    subjects: int
    rows: int
    unsound: int
    findings: tuple[Finding, ...]
    decided: int = 0
    records: int = 0
    missing: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether everything that was looked at is as it was written."""
        return not self.findings


MOST = 20
"""Findings that are kept; a damaged database can have millions."""
