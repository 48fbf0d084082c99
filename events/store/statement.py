"""Statements compiled once per dialect, and the values that go over with them."""

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Self, cast

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Text,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles

from sublife.events.store.link import Link
from sublife.lifecycle.model import filled

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
        partial(filled, _row_class("Row", names)),
    )


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


class TransactionId(ColumnElement[int]):
    """The number of the running transaction on PostgreSQL; 0 on SQLite, which writes in turn."""

    inherit_cache = True
    type = BigInteger()


@compiles(TransactionId, "sqlite")
def _no_number(_element: TransactionId, _compiler: Any, **_more: Any) -> str:
    return "0"


@compiles(TransactionId, "postgresql")
def _own_number(_element: TransactionId, _compiler: Any, **_more: Any) -> str:
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


class Sieved(ColumnElement[Any]):
    """A column for which SQLite uses no index: that of another one leads to fewer rows."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column = column
        self.type = column.type


@compiles(Sieved, "sqlite")
def _sieved_in_sqlite(element: Sieved, compiler: Any, **more: Any) -> str:
    return f"+{compiler.process(element.column, **more)}"


@compiles(Sieved, "postgresql")
def _sieved_in_postgresql(element: Sieved, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.column, **more))
