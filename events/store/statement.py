"""Every SQL statement of the store, compiled once per dialect and run as text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    Connection,
    CursorResult,
    Dialect,
    Insert,
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

from sublife.events.tables import ActivityRow, JournalRow, OrderRow, SubjectRow


class Statement:
    """A statement compiled once per dialect and run with the driver's own parameters.

    SQLAlchemy takes five times as long to run a clause as the database does; text skips that.

    Args:
        clause: a Core statement with named parameters.
        leaving_out: columns of an insert that the database fills.
    """

    def __init__(self, clause: Any, *, leaving_out: tuple[str, ...] = ()) -> None:
        self._clause = clause
        self._leaving_out = leaving_out
        self._compiled: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {}

    def run(self, connection: Connection, *rows: Mapping[str, Any]) -> CursorResult[Any]:
        """Run it once, or once for each of several rows."""
        dialect = connection.dialect
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        text, names, constants = self._compiled[dialect.name]
        filled = [{**constants, **row} for row in rows] if constants else rows
        values = [tuple([row[name] for name in names]) for row in filled]
        return connection.exec_driver_sql(text, values if len(values) > 1 else values[0])

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        columns: list[str] | None = None
        if isinstance(self._clause, Insert):
            table = cast("Table", cast("Any", self._clause).table)
            columns = [name for name in table.c.keys() if name not in self._leaving_out]  # noqa: SIM118 – no mapping
        compiled: Any = self._clause.compile(dialect=dialect, column_keys=columns)
        constants = {name: value for name, value in compiled.params.items() if value is not None}
        return str(compiled), tuple(compiled.positiontup or ()), constants


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
    .order_by(SUBJECT.c.due_at, SUBJECT.c.tenant, SUBJECT.c.id)
    .limit(bindparam("n", type_=Integer()))
)
FIRST = select(JOURNAL).where(
    JOURNAL.c.tenant == bindparam("t"), JOURNAL.c.event_id == bindparam("e")
)
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
    select(func.min(SUBJECT.c.due_at).label("due_at")).where(SUBJECT.c.tenant == bindparam("t"))
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
