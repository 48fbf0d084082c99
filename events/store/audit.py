"""What stands in a database at one instant, read as it lies: nothing decoded or trusted."""

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    tuple_,
)

from sublife.events import codec
from sublife.events.layout import ACTIVITY, CLAIM, JOURNAL, ORDER, SUBJECT, JsonText, UtcDateTime
from sublife.events.store.chain import CHAINED
from sublife.events.store.database import Own
from sublife.events.store.error import UnreadableError
from sublife.events.store.link import Link
from sublife.events.store.reading import RECORDS
from sublife.events.store.statement import Listed, Statement, restored, written

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


class EventLine(NamedTuple):
    """An event and its subject, as the journal has them."""

    tenant: str
    subject: str
    event_id: str


def _columns(table: Table, shape: Any) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in shape._fields]


def _tenant(table: Table) -> ColumnElement[bool]:
    return table.c.tenant == bindparam("t")


_FIRST = literal_column("1", Integer())
_NEXT_TENANT = tuple(
    Statement(
        select(func.min(table.c.tenant).label("tenant")).where(table.c.tenant > bindparam("t"))
    )
    for table in (JOURNAL, SUBJECT, ACTIVITY, ORDER, CLAIM)
)
_SUBJECTS = Statement(
    select(*_columns(SUBJECT, SubjectLine)).where(_tenant(SUBJECT)).order_by(SUBJECT.c.id)
)
_CLAIMS = Statement(
    select(*_columns(CLAIM, ClaimLine))
    .where(_tenant(CLAIM))
    .order_by(CLAIM.c.subject, CLAIM.c.name)
)
_LINES = select(*_columns(JOURNAL, Line)).where(_tenant(JOURNAL))
_BY_SUBJECT = Statement(_LINES.order_by(JOURNAL.c.subject, JOURNAL.c.sequence, JOURNAL.c.position))
_OF_SUBJECT = Statement(
    _LINES.where(JOURNAL.c.subject == bindparam("i")).order_by(
        JOURNAL.c.sequence, JOURNAL.c.position
    )
)
_OF_EVENT = Statement(_LINES.where(JOURNAL.c.event_id == bindparam("e")))
_OF_CUSTOMER = Statement(
    select(SUBJECT.c.id)
    .where(_tenant(SUBJECT), SUBJECT.c.customer == bindparam("c"))
    .order_by(SUBJECT.c.id)
)
_OF_RECORD = Statement(
    select(ACTIVITY.c.event_id, ACTIVITY.c.number).where(
        _tenant(ACTIVITY), ACTIVITY.c.id == bindparam("i")
    )
)
_TAKEN = Statement(_LINES.order_by(JOURNAL.c.position))
_RECORDS = {
    table.name: Statement(select(table).where(_tenant(table)).order_by(table.c.id))
    for table in (ACTIVITY, ORDER)
}
_POLICIES = Statement(select(JOURNAL.c.policy).where(_tenant(JOURNAL)).distinct())


def _among(table: Table, column: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    """Return whether a row is the tenant's and one of a list.

    SQLite takes a tenant for smaller than the list, and reads all that it has, unless the two are
    looked for as one.
    """
    found = table.c[column]
    if not is_sqlite:
        return and_(_tenant(table), Listed(found, "ids"))
    listed = func.json_each(bindparam("ids", type_=Text())).table_valued("value", name="listed")
    keys = select(bindparam("t", type_=Text()), listed.c.value).select_from(listed)
    return tuple_(table.c.tenant, found).in_(keys)


@cache
def _records(table: Table, *, is_sqlite: bool) -> Statement:
    """Return the records of many events, in any order."""
    return Statement(select(table).where(_among(table, "event_id", is_sqlite=is_sqlite)))


@cache
def _listed(shape: Any, table: Table, column: str, *, is_sqlite: bool) -> Statement:
    """Return the rows of one tenant that have one of many names in a column, in any order.

    An order would let SQLite read all that the tenant has, so as not to sort the few.
    """
    is_wanted = _among(table, column, is_sqlite=is_sqlite)
    return Statement(select(*_columns(table, shape)).where(is_wanted))


@cache
def _taken_of(*, is_sqlite: bool) -> Statement:
    """Return the journal rows of many subjects in the order in which they were taken down.

    They are found by subject and then sorted: in the order of the positions lie those of everybody.
    """
    is_wanted = _among(JOURNAL, "subject", is_sqlite=is_sqlite)
    found = select(*_columns(JOURNAL, Line)).where(is_wanted)
    return Statement(found.order_by(JOURNAL.c.position + literal_column("0", Integer())))


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

    def line_of(self, tenant: str, event: str) -> Line | None:
        """Return the journal row of an event, or `None` if its id is not known."""
        rows = _OF_EVENT.raw(self._link, {"t": tenant, "e": event})
        return self._line(rows[0]) if rows else None

    def of_customer(self, tenant: str, customer: str) -> tuple[str, ...]:
        """Return the ids of a customer's subjects, in order."""
        rows = _OF_CUSTOMER.raw(self._link, {"t": tenant, "c": customer})
        return tuple(row[0] for row in rows)

    def fact_of(self, tenant: str, record: str) -> tuple[str, int] | None:
        """Return the event behind an activity record and the fact's number, from 0, or `None`."""
        rows = _OF_RECORD.raw(self._link, {"t": tenant, "i": record})
        if not rows:
            return None
        event, number = rows[0]
        return event, RECORDS[ACTIVITY.name].value({"id": record, "number": number}, "number")

    def taken(self, tenant: str) -> Iterator[Line]:
        """Yield the journal rows of a tenant in the order in which they were taken down."""
        return map(self._line, _TAKEN.stream(self._link, {"t": tenant}, size=BATCH))

    def named(self, tenant: str, subjects: Iterable[str]) -> list[SubjectLine]:
        """Return those of *subjects* that exist, by id."""
        return self._listed(SubjectLine, SUBJECT, "id", tenant, subjects)

    def of_customers(self, tenant: str, customers: Iterable[str]) -> list[SubjectLine]:
        """Return every subject of customers, by id."""
        return self._listed(SubjectLine, SUBJECT, "customer", tenant, customers)

    def claims_of(self, tenant: str, subjects: Iterable[str]) -> list[ClaimLine]:
        """Return the claims of subjects, by subject."""
        return self._listed(ClaimLine, CLAIM, "subject", tenant, subjects)

    def owners(self, tenant: str, events: Iterable[str]) -> dict[str, str]:
        """Return the subjects of those of *events* that there are, by event."""
        found = self._listed(EventLine, JOURNAL, "event_id", tenant, events)
        return {line.event_id: line.subject for line in found}

    def taken_of(self, tenant: str, subjects: Iterable[str]) -> Iterator[Line]:
        """Yield the journal rows of subjects in the order in which they were taken down."""
        given = {"t": tenant, "ids": json.dumps(sorted(subjects))}
        statement = _taken_of(is_sqlite=self._link.is_sqlite)
        return map(self._line, statement.stream(self._link, given, size=BATCH))

    def _listed(
        self, shape: Any, table: Table, column: str, tenant: str, names: Iterable[str]
    ) -> list[Any]:
        given = {"t": tenant, "ids": json.dumps(sorted(names))}
        statement = _listed(shape, table, column, is_sqlite=self._link.is_sqlite)
        make = self._subject if shape is SubjectLine else shape._make
        return sorted(map(make, statement.raw(self._link, given)))

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

    def unreadable_records(
        self, tenant: str
    ) -> Iterator[tuple[Mapping[str, Any], UnreadableError]]:
        """Yield the activity and order records that cannot be read, each with its error."""
        for table in (ACTIVITY, ORDER):
            reader = RECORDS[table.name]
            for row in _RECORDS[table.name].stream(self._link, {"t": tenant}, size=BATCH):
                try:
                    reader.values(row)
                except UnreadableError as error:
                    yield row._asdict(), error

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
    """Return an instant as a row carries it; SQLite gives back what stands there."""
    return written(restored(value)) if isinstance(value, datetime) else value
