"""Writes a damaged row of a subject as it must be, or sets the subject aside."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select

from sublife.events.layout import SUBJECT
from sublife.events.store.audit import Audit, SubjectLine
from sublife.events.store.bulk import Overwrite
from sublife.events.store.history import LATEST, NEW_SUBJECT
from sublife.events.store.link import Link
from sublife.events.store.readable import ASIDE, NEVER
from sublife.events.store.statement import Statement

_KEYS = ("tenant", "id")
_COLUMNS = tuple(name for name in NEW_SUBJECT.columns if name not in _KEYS)
_OVERWRITE = Overwrite(SUBJECT, _COLUMNS)
_TIMER = Overwrite(SUBJECT, ("due_at", "due"))
_LOCKED = Statement(
    select(SUBJECT.c.id)
    .where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.id == bindparam("i"))
    .with_for_update()
)


class Aside(NamedTuple):
    """What stands on the row of a subject that is set aside.

    Args:
        due: its timer before, as it lay on the row.
        due_at: when that was due, as it lay on the row.
        by: who set it aside.
        at: when, in ISO 8601.
    """

    due: str | None
    due_at: str | None
    by: str
    at: str


class Repairing:
    """One subject in a transaction that nobody else changes it in.

    Args:
        link: in a transaction that the caller commits.
        tenant: whose subject it is.
        subject: id.

    Attributes:
        audit: reads the journal as it lies.
        row: the subject's own; `None` if it has none.
    """

    def __init__(self, link: Link, tenant: str, subject: str) -> None:
        self._link, self._tenant, self._subject = link, tenant, subject
        _LOCKED.rows(link, self._key)
        self.audit = Audit(link)
        found = self.audit.named(tenant, [subject])
        self.row: SubjectLine | None = found[0] if found else None

    @property
    def _key(self) -> dict[str, str]:
        return {"t": self._tenant, "i": self._subject}

    @property
    def stamp(self) -> int:
        """The place of the latest journal row in the order in which facts are handed on."""
        return int(LATEST.rows(self._link, self._key)[0].stamp)

    @property
    def aside(self) -> Aside | None:
        """What was before the subject was set aside; `None` if it is not."""
        if self.row is None or not str(self.row.due).startswith(ASIDE):
            return None
        return Aside(*json.loads(str(self.row.due).removeprefix(ASIDE)))

    def write(self, values: Mapping[str, Any]) -> None:
        """Write the subject's row, whatever it said before."""
        columns = tuple(values[name] for name in _COLUMNS)
        if self.row is None:
            given = {**values, "tenant": self._tenant, "id": self._subject}
            NEW_SUBJECT.write(self._link, [tuple(given[name] for name in NEW_SUBJECT.columns)])
        else:
            _OVERWRITE.write(self._link, [(*columns, self._tenant, self._subject)])

    def set_aside(self, aside: Aside) -> None:
        """Let no calendar find the subject any more, and keep when it was due."""
        said = ASIDE + json.dumps(aside)
        _TIMER.write(self._link, [(NEVER, said, self._tenant, self._subject)])

    def release(self, aside: Aside) -> None:
        """Let the calendar find the subject again, as it did before."""
        _TIMER.write(self._link, [(aside.due_at, aside.due, self._tenant, self._subject)])
