"""The SQL by which subjects and their history are read and written, compiled once per dialect."""

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Self, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlmodel import SQLModel

from sublife.events.codec import compact
from sublife.events.store.link import Link
from sublife.events.tables import (
    ActivityRow,
    ClaimRow,
    JournalRow,
    JsonText,
    OrderRow,
    SubjectRow,
    UtcDateTime,
)

_row_class: Any = namedtuple  # noqa: PYI024 – the typed one wants static names
"""Columns are known at run time only, so their rows have no static type."""


class Statement:
    """A statement compiled once per dialect.

    Args:
        clause: a Core statement with named parameters.
    """

    def __init__(self, clause: Any) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, link: Link, given: Mapping[str, Any]) -> list[Any]:
        """Run a query and return its rows as named tuples.

        Raises:
            StoreError: the database cannot answer.
        """
        compiled = self._for(link.dialect)
        return list(map(compiled.row, link.rows(compiled.text, compiled.values(given))))

    def raw(self, link: Link, given: Mapping[str, Any]) -> list[Any]:
        """Run a query and return its rows as plain tuples."""
        compiled = self._for(link.dialect)
        return link.rows(compiled.text, compiled.values(given))

    def stream(self, link: Link, given: Mapping[str, Any], *, size: int = 1000) -> Iterator[Any]:
        """Run a query and yield its rows as named tuples; only *size* of them are held at once."""
        compiled = self._for(link.dialect)
        for rows in link.batches(compiled.text, compiled.values(given), size):
            yield from map(compiled.row, rows)

    def write(self, link: Link, given: Sequence[Mapping[str, Any]]) -> int:
        """Run a statement once for each of *given*; return how many rows it touched.

        Raises:
            StoreError: the database cannot take it.
        """
        compiled = self._for(link.dialect)
        if len(given) == 1:
            return link.run(compiled.text, compiled.values(given[0]))
        return link.run_many(compiled.text, [compiled.values(each) for each in given])

    def _for(self, dialect: Dialect) -> "_Compiled":
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = _compile(self._clause, dialect)
        return found


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as the driver takes it.

    Args:
        text: the SQL.
        names: of the parameters, in the order of their marks; `None` where they go by name.
        constants: parameters whose value stands in the statement.
        row: makes a row of a tuple.
    """

    text: str
    names: tuple[str, ...] | None
    constants: Mapping[str, Any]
    row: Any

    def values(self, given: Mapping[str, Any]) -> Any:
        """Return the parameters as the driver takes them."""
        filled = {**self.constants, **given} if self.constants else given
        return filled if self.names is None else [filled[name] for name in self.names]


def _compile(clause: Any, dialect: Dialect) -> _Compiled:
    names = tuple(clause.selected_columns.keys()) if clause.is_select else ()
    compiled: Any = clause.compile(dialect=dialect)
    constants = {name: value for name, value in compiled.params.items() if value is not None}
    return _Compiled(
        str(compiled),
        tuple(compiled.positiontup) if compiled.positional else None,
        constants,
        _row_class("Row", names)._make,
    )


TOGETHER = 40
"""New rows that SQLite takes by one statement, a third faster than one by one.

So many times the columns of a table are fewer than the 999 values that every release of it takes.
"""
COPIED = 32
"""From so many rows on, PostgreSQL takes them faster by `COPY` than as one parameter."""


class Bulk:
    """Writes many rows of one table at once.

    Row by row, a driver and the network between cost PostgreSQL more than the work itself: a few
    go over as one JSON parameter, many in a transaction of our own by `COPY`.

    Args:
        table: whose columns, in their order, a row is a tuple of.
        columns: the columns given; all that the database does not fill, if not said.
    """

    is_new: ClassVar[bool] = True
    """Whether the rows are not there yet."""

    def __init__(self, table: Table, columns: Sequence[str] = ()) -> None:
        self.table = table
        self.columns = tuple(columns) or tuple(
            column.name for column in table.columns if column.autoincrement is not True
        )
        self._texts: dict[str, str] = {}
        quoted = ", ".join(map(_quoted, self.columns))
        self._copied = f"COPY {table.name} ({quoted}) FROM STDIN"

    def write(self, link: Link, rows: Sequence[tuple[Any, ...]]) -> int:
        """Write *rows*; return how many the database took.

        Raises:
            ConflictError: a row is there already.
            StoreError: the database cannot take them.
        """
        if link.can_copy and self.is_new and len(rows) >= COPIED:
            return link.copy(self._copied, rows)
        text = self._text(link)
        if not link.is_sqlite:
            names = self.names()
            given = [dict(zip(names, row, strict=True)) for row in rows]
            return link.run(text, {"rows": compact(given)})
        return self._write_to_sqlite(link, text, rows)

    def _write_to_sqlite(self, link: Link, text: str, rows: Sequence[tuple[Any, ...]]) -> int:
        """Write new rows many by one statement, and what is left one by one."""
        whole = len(rows) - len(rows) % TOGETHER if self.is_new else 0
        for start in range(0, whole, TOGETHER):
            part = rows[start : start + TOGETHER]
            link.run(self._together(text), tuple(chain.from_iterable(part)))
        left = rows[whole:] if whole else rows
        if len(left) == 1:
            return whole + link.run(text, left[0])
        return whole + (link.run_many(text, left) if left else 0)

    def _together(self, text: str) -> str:
        """Return the statement that writes `TOGETHER` rows to SQLite."""
        found = self._texts.get("together")
        if found is None:
            start, mark, values = text.partition("VALUES ")
            found = f"{start}{mark}{', '.join([values] * TOGETHER)}"
            self._texts["together"] = found
        return found

    def names(self) -> tuple[str, ...]:
        """Return what each place of a row is called."""
        return self.columns

    def _text(self, link: Link) -> str:
        found = self._texts.get(link.dialect.name)
        if found is None:
            write = self._for_sqlite if link.is_sqlite else self._for_postgresql
            found = self._texts[link.dialect.name] = write(link.dialect)
        return found

    def _for_sqlite(self, _dialect: Dialect) -> str:
        marks = ", ".join("?" * len(self.columns))
        names = ", ".join(map(_quoted, self.columns))
        return f"INSERT INTO {self.table.name} ({names}) VALUES ({marks})"  # noqa: S608 – names of our own

    def _for_postgresql(self, dialect: Dialect) -> str:
        names = ", ".join(map(_quoted, self.columns))
        values = ", ".join(_given(self.table, name) for name in self.columns)
        return (
            f"INSERT INTO {self.table.name} ({names}) SELECT {values} "  # noqa: S608 – names of our own
            f"FROM {_recordset(self.table, self.columns, dialect)}"
        )


class BulkUpdate(Bulk):
    """Updates many rows of one table at once, each only if it is still the one decided on.

    A row is a tuple of the columns given, then the row's tenant and id, then the sequence it was
    read with. An update by id alone would expire a subscription that someone has renewed between.
    """

    KEY = ("key_tenant", "key_id", "was")
    is_new = False

    def _for_sqlite(self, _dialect: Dialect) -> str:
        sets = ", ".join(f"{_quoted(name)} = ?" for name in self.columns)
        where = "tenant = ? AND id = ? AND sequence = ?"
        return f"UPDATE {self.table.name} SET {sets} WHERE {where}"  # noqa: S608 – names of our own

    def _for_postgresql(self, dialect: Dialect) -> str:
        sets = ", ".join(f"{_quoted(name)} = {_given(self.table, name)}" for name in self.columns)
        source = _recordset(
            self.table, self.columns, dialect, ("key_tenant text", "key_id text", "was bigint")
        )
        return (
            f"UPDATE {self.table.name} AS s SET {sets} FROM {source} "  # noqa: S608 – names of our own
            "WHERE s.tenant = d.key_tenant AND s.id = d.key_id AND s.sequence = d.was"
        )

    def names(self) -> tuple[str, ...]:
        """Return what each place of a row is called."""
        return (*self.columns, *self.KEY)


def _recordset(
    table: Table, columns: Sequence[str], dialect: Dialect, more: Sequence[str] = ()
) -> str:
    """Return one JSON parameter as a table of rows."""
    typed = [f"{_quoted(name)} {_type(table, name, dialect)}" for name in columns]
    return f"json_to_recordset(%(rows)s::json) AS d({', '.join((*typed, *more))})"


def _type(table: Table, name: str, dialect: Dialect) -> str:
    match table.columns[name].type:
        case UtcDateTime():
            return "timestamp"
        case JsonText():
            return "text"
        case kind:
            return kind.compile(dialect=dialect)


def _given(table: Table, name: str) -> str:
    """Return a column of the recordset; instants go over without their zone, which is UTC."""
    match table.columns[name].type:
        case UtcDateTime():
            return f"d.{_quoted(name)} AT TIME ZONE 'UTC'"
        case JsonText():
            return f"CAST(d.{_quoted(name)} AS JSONB)"
        case _:
            return f"d.{_quoted(name)}"


def _quoted(name: str) -> str:
    return f'"{name}"'


def stored(at: datetime | None, dialect: Dialect) -> Any:
    """Return an instant as the driver takes it; what `UtcDateTime` does for a clause."""
    if at is None or dialect.name != "sqlite":
        return at
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(maxsize=4096)
def written(at: datetime | None) -> str | None:
    """Return a UTC instant as a row to be written carries it, the same on every database."""
    return None if at is None else at.replace(tzinfo=None).isoformat(" ", "microseconds")


def restored(value: Any) -> datetime:
    """Return what the driver gives for an instant as an aware datetime in UTC."""
    return _read(value) if isinstance(value, str) else cast("datetime", value).astimezone(UTC)


@lru_cache(maxsize=4096)
def _read(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class _TransactionId(ColumnElement[int]):
    """The number of the running transaction on PostgreSQL; 0 on SQLite, which writes in turn."""

    inherit_cache = True
    type = BigInteger()


@compiles(_TransactionId, "sqlite")
def _no_number(_element: _TransactionId, _compiler: Any, **_more: Any) -> str:
    return "0"


@compiles(_TransactionId, "postgresql")
def _own_number(_element: _TransactionId, _compiler: Any, **_more: Any) -> str:
    return "CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)"


class Listed(ColumnElement[bool]):
    """Whether a column is one of a JSON list that goes over as one parameter."""

    inherit_cache = False
    type = Boolean()

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.values = bindparam(name, type_=Text())

    def self_group(self, against: Any = None) -> Self:  # noqa: ARG002 – SQLAlchemy's signature
        """Return it as it is: where SQLite reads `… IN (…) = 1`, it uses no index."""
        return self


@compiles(Listed, "sqlite")
def _listed_in_sqlite(element: Listed, compiler: Any, **more: Any) -> str:
    column, values = (compiler.process(each, **more) for each in (element.column, element.values))
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 – names of our own


@compiles(Listed, "postgresql")
def _listed_in_postgresql(element: Listed, compiler: Any, **more: Any) -> str:
    column, values = (compiler.process(each, **more) for each in (element.column, element.values))
    return f"{column} = ANY(ARRAY(SELECT json_array_elements_text(CAST({values} AS JSON))))"


def table_of(row: type[SQLModel]) -> Table:
    """Return the table behind a class of rows."""
    return cast("Table", row.__table__)  # type: ignore[attr-defined]


SUBJECT, JOURNAL, CLAIM_TABLE = table_of(SubjectRow), table_of(JournalRow), table_of(ClaimRow)
ACTIVITY, ORDER = table_of(ActivityRow), table_of(OrderRow)
_OURS = SUBJECT.c.tenant == bindparam("t")
_HELD = (
    SUBJECT.c.id,
    SUBJECT.c.lifecycle,
    SUBJECT.c.sequence,
    SUBJECT.c.stamp,
    SUBJECT.c.head,
    SUBJECT.c.due_at,
    SUBJECT.c.due,
    SUBJECT.c.snapshot,
)
_NUMBER = _TransactionId().label("number")
_KNOWN = (
    select(JOURNAL.c.position)
    .where(JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.event_id == bindparam("e"))
    .scalar_subquery()
    .label("known")
)

FIND = select(*_HELD).where(_OURS, SUBJECT.c.id == bindparam("i"))
BY_ID = Statement(FIND)
LOCKED = Statement(FIND.with_for_update())
LOOK = Statement(select(*_HELD, _KNOWN).where(_OURS, SUBJECT.c.id == bindparam("i")))
"""For SQLite, where nobody else writes meanwhile."""
KNOWN = Statement(select(_KNOWN, _NUMBER))
NUMBER = Statement(select(_NUMBER))
LATEST = Statement(
    select(JOURNAL.c.sequence, JOURNAL.c.hash, JOURNAL.c.stamp)
    .where(JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.subject == bindparam("i"))
    .order_by(JOURNAL.c.sequence.desc())
    .limit(literal_column("1", Integer()))
)
"""Of a subject that has no row: refused events are its only history."""
_OF_CUSTOMER = (
    select(*_HELD).where(_OURS, SUBJECT.c.customer == bindparam("c")).order_by(SUBJECT.c.id)
)
OF_CUSTOMER = Statement(_OF_CUSTOMER.with_for_update())
_SEVERAL = select(*_HELD).where(_OURS, Listed(SUBJECT.c.id, "ids")).order_by(SUBJECT.c.id)
SEVERAL = Statement(_SEVERAL.with_for_update(of=SUBJECT))
_DUE = (
    select(*_HELD, _NUMBER)
    .where(_OURS, SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
CLAIM = Statement(_DUE.with_for_update(skip_locked=True))
CLAIM_WAITING = Statement(_DUE.with_for_update())
_OTHER = SUBJECT.alias("other")
CLAIM_UNPAUSED = Statement(
    _DUE.where(
        ~Listed(SUBJECT.c.lifecycle, "paused"),
        ~exists().where(
            _OTHER.c.tenant == SUBJECT.c.tenant,
            _OTHER.c.customer == SUBJECT.c.customer,
            _OTHER.c.customer != literal_column("''", Text()),
            _OTHER.c.due_at <= SUBJECT.c.due_at,
            Listed(_OTHER.c.lifecycle, "paused"),
        ),
    ).with_for_update(skip_locked=True, of=SUBJECT)
)
"""Where lifecycles are paused: what is due to them holds up the rest of their customer."""
DUE_HELD = Statement(
    select(*_HELD)
    .where(_OURS, SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
UNLOCKED = {
    LOCKED: BY_ID,
    OF_CUSTOMER: Statement(_OF_CUSTOMER),
    SEVERAL: Statement(_SEVERAL),
    CLAIM: DUE_HELD,
    CLAIM_WAITING: DUE_HELD,
}
"""The same questions for who only looks: they lock nothing, and need no transaction that writes."""
ENTRY = (
    JOURNAL.c.position,
    JOURNAL.c.sequence,
    JOURNAL.c.event_id,
    JOURNAL.c.lifecycle,
    JOURNAL.c.subject,
    JOURNAL.c.version,
    JOURNAL.c.name,
    JOURNAL.c.effective_at,
    JOURNAL.c.recorded_at,
    JOURNAL.c.actor,
    JOURNAL.c.cause,
    JOURNAL.c.state_before,
    JOURNAL.c.state,
    JOURNAL.c.rules,
    JOURNAL.c.policy,
    JOURNAL.c.code,
    JOURNAL.c.data,
    JOURNAL.c.outcome,
)
_FIRST = JOURNAL.alias("first")
SINCE = Statement(
    select(*ENTRY)
    .join_from(
        JOURNAL,
        _FIRST,
        and_(_FIRST.c.tenant == JOURNAL.c.tenant, _FIRST.c.subject == JOURNAL.c.subject),
    )
    .where(
        _FIRST.c.tenant == bindparam("t"),
        _FIRST.c.position == bindparam("known"),
        JOURNAL.c.sequence >= _FIRST.c.sequence,
    )
    .order_by(JOURNAL.c.sequence)
    .limit(literal_column("16", Integer()))
)
"""An entry and the next ones of its subject; more than a few never share an instant."""
CHANGING = (
    "state",
    "version",
    "sequence",
    "changed_at",
    "due_at",
    "due",
    "stamp",
    "head",
    "snapshot",
)
UPDATE = BulkUpdate(SUBJECT, CHANGING)
UPDATE_WHOSE = BulkUpdate(SUBJECT, ("customer", "partner", *CHANGING))
"""For the few that change hands: an index on what is not set is not touched."""
NEW_SUBJECT = Bulk(SUBJECT, ("tenant", "id", "lifecycle", "customer", "partner", *CHANGING))
NEW_ENTRY = Bulk(JOURNAL, [name for name in JOURNAL.columns.keys() if name != "position"])  # noqa: SIM118 – no mapping
NEW_ACTIVITY = Bulk(ACTIVITY)
NEW_ORDER = Bulk(ORDER)
NEW_CLAIM = Bulk(CLAIM_TABLE)
DROP_CLAIM = Statement(
    delete(CLAIM_TABLE).where(
        CLAIM_TABLE.c.tenant == bindparam("t"),
        CLAIM_TABLE.c.name == bindparam("n"),
        CLAIM_TABLE.c.subject == bindparam("s"),
    )
)
ALL_SUBJECTS = Statement(
    select(SUBJECT.c.id, SUBJECT.c.lifecycle, SUBJECT.c.snapshot)
    .where(_OURS)
    .order_by(SUBJECT.c.id)
)
NEXT_DUE = Statement(
    select(func.min(SUBJECT.c.due_at).label("due_at")).where(_OURS, SUBJECT.c.due_at.is_not(None))
)
ANY_ENTRY = Statement(
    select(JOURNAL.c.position)
    .where(JOURNAL.c.tenant == bindparam("t"))
    .limit(literal_column("1", Integer()))
)
_CHRONICLE = (
    select(*ENTRY)
    .where(JOURNAL.c.tenant == bindparam("t"))
    .order_by(JOURNAL.c.subject, JOURNAL.c.sequence)
)
CHRONICLE = Statement(_CHRONICLE)
CHRONICLE_OF_ONE = Statement(_CHRONICLE.where(JOURNAL.c.subject == bindparam("i")))
DIGESTED = Statement(
    select(
        JOURNAL.c.effective_at,
        JOURNAL.c.event_id,
        JOURNAL.c.lifecycle,
        JOURNAL.c.subject,
        JOURNAL.c.version,
        JOURNAL.c.name,
        JOURNAL.c.actor,
        JOURNAL.c.cause,
        JOURNAL.c.state_before,
        JOURNAL.c.state,
        JOURNAL.c.rules,
        JOURNAL.c.policy,
        JOURNAL.c.code,
        JOURNAL.c.data,
        JOURNAL.c.outcome,
    )
    .where(JOURNAL.c.tenant == bindparam("t"))
    .order_by(JOURNAL.c.subject, JOURNAL.c.sequence)
)
ADVISORY = (
    "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0)), "
    "current_setting('transaction_isolation')"
)
"""PostgreSQL: holds a customer, so that none of its subscriptions appears meanwhile.

A transaction that goes on seeing what was there when it began learns nothing by waiting; so its
isolation comes with the lock.
"""
