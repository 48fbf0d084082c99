"""What stands in a database at one instant, read as it lies: nothing decoded or trusted."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)

from sublife.events import codec
from sublife.events.store.chain import CHAINED
from sublife.events.store.database import Own
from sublife.events.store.link import Link
from sublife.events.store.statement import (
    ACTIVITY,
    CLAIM_TABLE,
    JOURNAL,
    ORDER,
    SUBJECT,
    Listed,
    Statement,
    restored,
    written,
)
from sublife.events.tables import JsonText, UtcDateTime

BATCH = 1000
"""Rows that are held at once."""


class Line(NamedTuple):
    """A journal row as it lies: what the chain covers, in that order, then what it does not.

    Instants are text as a row carries them, JSON is canonical text, whatever the database.
    """

    tenant: str
    subject: str
    sequence: int
    event_id: str
    lifecycle: str
    version: int
    name: str
    effective_at: str
    recorded_at: str
    actor: str
    cause: str | None
    state_before: str
    state: str
    rules: str
    policy: str
    code: str | None
    data: str
    outcome: str
    hash: str
    position: int
    actor_kind: str
    actor_id: str

    @property
    def parts(self) -> tuple[str, ...]:
        """The columns that the chain covers, as text; empty where there is none."""
        return tuple("" if part is None else str(part) for part in self[: len(CHAINED)])


class SubjectLine(NamedTuple):
    """A subject's row as it lies; instants and JSON as in a `Line`."""

    tenant: str
    id: str
    lifecycle: str
    state: str
    version: int
    sequence: int
    customer: str
    partner: str
    changed_at: str
    due_at: str | None
    due: str | None
    stamp: int
    head: str
    snapshot: str


class ClaimLine(NamedTuple):
    """A claim as it lies."""

    tenant: str
    subject: str
    name: str


def _columns(table: Table, shape: Any) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in shape._fields]


def _tenant(table: Table) -> ColumnElement[bool]:
    return table.c.tenant == bindparam("t")


_FIRST = literal_column("1", Integer())
_NEXT_TENANT = tuple(
    Statement(
        select(func.min(table.c.tenant).label("tenant")).where(table.c.tenant > bindparam("t"))
    )
    for table in (JOURNAL, SUBJECT, ACTIVITY, ORDER, CLAIM_TABLE)
)
_SUBJECTS = Statement(
    select(*_columns(SUBJECT, SubjectLine)).where(_tenant(SUBJECT)).order_by(SUBJECT.c.id)
)
_CLAIMS = Statement(
    select(*_columns(CLAIM_TABLE, ClaimLine))
    .where(_tenant(CLAIM_TABLE))
    .order_by(CLAIM_TABLE.c.subject, CLAIM_TABLE.c.name)
)
_LINES = select(*_columns(JOURNAL, Line)).where(_tenant(JOURNAL))
_BY_SUBJECT = Statement(_LINES.order_by(JOURNAL.c.subject, JOURNAL.c.sequence, JOURNAL.c.position))
_OF_SUBJECT = Statement(
    _LINES.where(JOURNAL.c.subject == bindparam("i")).order_by(
        JOURNAL.c.sequence, JOURNAL.c.position
    )
)
_TAKEN = Statement(_LINES.order_by(JOURNAL.c.position))
_POLICIES = Statement(select(JOURNAL.c.policy).where(_tenant(JOURNAL)).distinct())


@cache
def _records(table: Table, *, is_sqlite: bool) -> Statement:
    """Return the records of many events, in any order.

    SQLite takes a tenant for smaller than the list, and reads all that it has, unless the two are
    looked for as one.
    """
    if not is_sqlite:
        return Statement(select(table).where(_tenant(table), Listed(table.c.event_id, "ids")))
    listed = func.json_each(bindparam("ids", type_=Text())).table_valued("value", name="listed")
    keys = select(bindparam("t", type_=Text()), listed.c.value).select_from(listed)
    return Statement(select(table).where(tuple_(table.c.tenant, table.c.event_id).in_(keys)))


@cache
def _astray(table: Table) -> Statement:
    """Return the first record whose event is not in the journal."""
    joined = table.outerjoin(
        JOURNAL,
        (JOURNAL.c.tenant == table.c.tenant) & (JOURNAL.c.event_id == table.c.event_id),
    )
    return Statement(
        select(table.c.id, table.c.subscription, table.c.event_id)
        .select_from(joined)
        .where(_tenant(table), JOURNAL.c.event_id.is_(None))
        .order_by(table.c.id)
        .limit(_FIRST)
    )


@contextmanager
def auditing(source: Own) -> Generator["Audit"]:
    """Begin to read a database as it lies; what others write meanwhile is not seen."""
    with source.reading() as link:
        if not link.is_sqlite:
            link.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Audit(link)


class Audit:
    """Reads a database as it lies, all of it as of one instant.

    Args:
        link: in a transaction that sees one instant.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._line = _plain(JOURNAL, Line, link)
        self._subject = _plain(SUBJECT, SubjectLine, link)

    def tenants(self) -> Iterator[str]:
        """Yield every tenant that has a row, in order."""
        tenant: str | None = ""
        while tenant is not None:
            found = [each.raw(self._link, {"t": tenant})[0][0] for each in _NEXT_TENANT]
            tenant = min((name for name in found if name is not None), default=None)
            if tenant is not None:
                yield tenant

    def subjects(self, tenant: str) -> Iterator[SubjectLine]:
        """Yield the subjects of a tenant, by id."""
        return map(self._subject, _SUBJECTS.stream(self._link, {"t": tenant}, size=BATCH))

    def claims(self, tenant: str) -> Iterator[ClaimLine]:
        """Yield the claims of a tenant, by subject, then name."""
        return map(ClaimLine._make, _CLAIMS.stream(self._link, {"t": tenant}, size=BATCH))

    def lines(self, tenant: str) -> Iterator[Line]:
        """Yield the journal rows of a tenant, by subject, then sequence."""
        return map(self._line, _BY_SUBJECT.stream(self._link, {"t": tenant}, size=BATCH))

    def lines_of(self, tenant: str, subject: str) -> Iterator[Line]:
        """Yield the journal rows of one subject, by sequence."""
        given = {"t": tenant, "i": subject}
        return map(self._line, _OF_SUBJECT.stream(self._link, given, size=BATCH))

    def taken(self, tenant: str) -> Iterator[Line]:
        """Yield the journal rows of a tenant in the order in which they were taken down."""
        return map(self._line, _TAKEN.stream(self._link, {"t": tenant}, size=BATCH))

    def policies(self, tenant: str) -> set[str]:
        """Return the packs that stand on the journal rows of a tenant."""
        return {row[0] for row in _POLICIES.raw(self._link, {"t": tenant})}

    def activities(self, tenant: str, events: Sequence[str]) -> list[dict[str, Any]]:
        """Return the activity records of events, in any order; instants are text."""
        return self._records(ACTIVITY, tenant, events)

    def orders(self, tenant: str, events: Sequence[str]) -> list[dict[str, Any]]:
        """Return the order records of events, in any order; instants are text."""
        return self._records(ORDER, tenant, events)

    def _records(self, table: Table, tenant: str, events: Sequence[str]) -> list[dict[str, Any]]:
        given = {"t": tenant, "ids": json.dumps(events)}
        instants = [each.name for each in table.c if isinstance(each.type, UtcDateTime)]
        found: list[dict[str, Any]] = []
        for row in _records(table, is_sqlite=self._link.is_sqlite).rows(self._link, given):
            record: dict[str, Any] = row._asdict()
            record.update({name: _instant(record[name]) for name in instants})
            found.append(record)
        return found

    def astray(self, tenant: str) -> tuple[str, str, str, str] | None:
        """Return the first record whose event is not in the journal: table, id, subject, event."""
        for table in (ACTIVITY, ORDER):
            for row in _astray(table).raw(self._link, {"t": tenant}):
                return (table.name, *row)
        return None


def _plain(table: Table, shape: Any, link: Link) -> Callable[[Any], Any]:
    """Return what makes a *shape* of a driver's row."""
    columns: list[Column[Any]] = [table.columns[name] for name in shape._fields]
    if link.is_sqlite:
        return partial(_of_sqlite, shape, shape._fields.index("sequence"))
    instants = [at for at, each in enumerate(columns) if isinstance(each.type, UtcDateTime)]
    texts = [at for at, each in enumerate(columns) if isinstance(each.type, JsonText)]

    def made(row: Any) -> Any:
        values = list(row)
        for place in instants:
            values[place] = _instant(values[place])
        for place in texts:
            values[place] = codec.canonical(json.loads(values[place]))
        return shape._make(values)

    return made


def _of_sqlite(shape: Any, sequence: int, row: Any) -> Any:
    """Return a row as it lies; a damaged file may hold a text where a number should be."""
    if isinstance(row[sequence], int):
        return shape._make(row)
    return shape._make((*row[:sequence], 0, *row[sequence + 1 :]))


def _instant(value: Any) -> Any:
    """Return an instant as a row carries it; SQLite gives back the text as it stands."""
    return value if value is None or isinstance(value, str) else written(restored(value))
