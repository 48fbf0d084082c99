"""Every SQL statement of the store, compiled once per dialect and run as text."""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    Connection,
    Dialect,
    Integer,
    Table,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlmodel import SQLModel

from sublife.events.store.error import ConflictError, StoreError
from sublife.events.tables import ActivityRow, JournalRow, OrderRow, SubjectRow

_row_class: Any = namedtuple  # noqa: PYI024 – the typed one wants static names
"""Columns are known at run time only, so their rows have no static type."""


class Statement:
    """A statement compiled once per dialect and run on the driver's own cursor.

    SQLAlchemy takes five times as long to run a clause as the database does; a cursor skips that.

    Args:
        clause: a Core statement with named parameters.
        leaving_out: columns of an insert that the database fills.
    """

    def __init__(self, clause: Any, *, leaving_out: tuple[str, ...] = ()) -> None:
        self._clause = clause
        self._leaving_out = leaving_out
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, given: Mapping[str, Any]) -> list[Any]:
        """Run a query and return its rows as named tuples.

        Raises:
            StoreError: the database cannot answer.
        """
        compiled = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            cursor.execute(compiled.text, compiled.values(given))
            return [compiled.row(*row) for row in cursor.fetchall()]
        except connection.dialect.loaded_dbapi.Error as error:
            raise _ours(connection, error) from error
        finally:
            cursor.close()

    def write(self, connection: Connection, given: Sequence[Mapping[str, Any]]) -> int:
        """Run an insert or update once for each of *given*; return how many rows it touched.

        Raises:
            ConflictError: what it writes is there already.
            StoreError: the database cannot take it.
        """
        compiled = self._for(connection.dialect)
        cursor = connection.connection.cursor()
        try:
            if len(given) == 1:
                cursor.execute(compiled.text, compiled.values(given[0]))
            else:
                cursor.executemany(compiled.text, [compiled.values(each) for each in given])
            return int(cursor.rowcount)
        except connection.dialect.loaded_dbapi.Error as error:
            raise _ours(connection, error) from error
        finally:
            cursor.close()

    def _for(self, dialect: Dialect) -> "_Compiled":
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        return self._compiled[dialect.name]

    def _compile(self, dialect: Dialect) -> "_Compiled":
        columns: list[str] | None = None
        names: tuple[str, ...] = ()
        if self._clause.is_insert:
            table = cast("Table", self._clause.table)
            columns = [name for name in table.c.keys() if name not in self._leaving_out]  # noqa: SIM118 – no mapping
        elif self._clause.is_select:
            names = tuple(self._clause.selected_columns.keys())
        compiled: Any = self._clause.compile(dialect=dialect, column_keys=columns)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return _Compiled(
            str(compiled), tuple(compiled.positiontup or ()), constants, _row_class("Row", names)
        )


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as text, with the order of its parameters."""

    text: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    row: Callable[..., Any]

    def values(self, given: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the parameters in the order the text wants them."""
        filled = {**self.constants, **given} if self.constants else given
        return tuple([filled[name] for name in self.names])


def _ours(connection: Connection, error: Exception) -> StoreError:
    """Return a driver's error as one of ours, with what to do."""
    if isinstance(error, connection.dialect.loaded_dbapi.IntegrityError):
        return ConflictError(f"another writer was first ({error}); submit the event again")
    return StoreError(f"the database refused: {error}; nothing was changed")


def stored(at: datetime | None, dialect: Dialect) -> Any:
    """Return an instant as the driver takes it; what `UtcDateTime` does for a clause."""
    if at is None or dialect.name != "sqlite":
        return at
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")


def restored(value: Any) -> datetime:
    """Return what the driver gives for an instant as an aware datetime in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return cast("datetime", value).astimezone(UTC)


def _table(row: type[SQLModel]) -> Table:
    return cast("Table", row.__table__)  # type: ignore[attr-defined]


SUBJECT, JOURNAL = _table(SubjectRow), _table(JournalRow)
ACTIVITY, ORDER = _table(ActivityRow), _table(OrderRow)

FIND = select(SUBJECT.c.id, SUBJECT.c.lifecycle, SUBJECT.c.snapshot)
BY_ID = Statement(FIND.where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.id == bindparam("i")))
_KNOWN = (
    select(JOURNAL.c.position)
    .where(JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.event_id == bindparam("e"))
    .scalar_subquery()
)
FIRST_LOOK = Statement(
    select(
        SUBJECT.c.id, SUBJECT.c.lifecycle, SUBJECT.c.snapshot, _KNOWN.label("known")
    ).select_from(
        select(literal_column("1", Integer()).label("one"))
        .subquery()
        .outerjoin(
            SUBJECT,
            and_(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.id == bindparam("i")),
        )
    )
)
BY_CUSTOMER = Statement(
    FIND.where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.customer == bindparam("c")).order_by(
        SUBJECT.c.id
    )
)
CLAIM = Statement(
    select(SUBJECT.c.id, SUBJECT.c.lifecycle, SUBJECT.c.snapshot, SUBJECT.c.due_at)
    .where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
_FIRST = JOURNAL.alias("first")
SINCE = (
    select(JOURNAL)
    .join(_FIRST, and_(_FIRST.c.tenant == JOURNAL.c.tenant, _FIRST.c.subject == JOURNAL.c.subject))
    .where(
        _FIRST.c.tenant == bindparam("t"),
        _FIRST.c.position == bindparam("known"),
        JOURNAL.c.position >= bindparam("known"),
    )
    .order_by(JOURNAL.c.position)
    .limit(16)
)
"""An entry and the next ones of its subject; more than a few never share an instant."""
CHANGING = (
    "state",
    "version",
    "customer",
    "partner",
    "changed_at",
    "due_at",
    "due",
    "snapshot",
)
UPDATE = Statement(
    update(SUBJECT)
    .where(
        SUBJECT.c.tenant == bindparam("t"),
        SUBJECT.c.id == bindparam("i"),
        SUBJECT.c.version == bindparam("was"),
    )
    .values({name: bindparam(f"new_{name}") for name in CHANGING})
)
NEW_SUBJECT = Statement(insert(SUBJECT))
NEW_ENTRY = Statement(insert(JOURNAL), leaving_out=("position",))
NEW_ACTIVITY = Statement(insert(ACTIVITY))
NEW_ORDER = Statement(insert(ORDER))
ALL_SUBJECTS = Statement(FIND.where(SUBJECT.c.tenant == bindparam("t")).order_by(SUBJECT.c.id))
NEXT_DUE = Statement(
    select(func.min(SUBJECT.c.due_at).label("due_at")).where(
        SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at.is_not(None)
    )
)
ANY_ENTRY = Statement(
    select(JOURNAL.c.position).where(JOURNAL.c.tenant == bindparam("t")).limit(literal_column("1"))
)
HISTORY = (
    select(JOURNAL)
    .where(JOURNAL.c.tenant == bindparam("t"))
    .order_by(JOURNAL.c.subject, JOURNAL.c.version, JOURNAL.c.position)
)
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
    .order_by(JOURNAL.c.subject, JOURNAL.c.version, JOURNAL.c.position)
)
