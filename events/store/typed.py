"""Reads the values of a row as its columns declare them, and names the column where that fails."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table

from sublife.events.layout import ExactAmount, UtcDateTime
from sublife.events.store.error import UnreadableError
from sublife.events.store.statement import restored

T = TypeVar("T")
LeftOut = Callable[[UnreadableError], None]
"""Takes the error of a row that is left out of a list because it cannot be read."""
Read = Callable[[Any], Any]

WRONG = (ValueError, TypeError, AttributeError, ArithmeticError, LookupError)
"""What goes wrong where a value of one kind is read as one of another."""
_SHOWN = 40
"""Characters of a value that are shown: what stands in the row may be long."""
_HIDDEN = frozenset({"hash", "secret", "previous_secret", "actor", "data", "outcome", "filters"})
"""Columns whose content is never shown: secrets, and long JSON about people."""


class Reader:
    """Reads the rows of one table.

    SQLite keeps any value in any column, so each value is checked before it is used.

    Args:
        table: whose rows.
        key: what names a row.
        remedy: what to do about a row that cannot be read; `{key}` stands for what names it.
        shapes: for some columns, what makes a value of theirs; any error of `WRONG` says no.
    """

    def __init__(
        self,
        table: Table,
        *,
        key: Callable[[Mapping[str, Any]], object],
        remedy: str,
        **shapes: Read,
    ) -> None:
        self.table = table
        self._key = key
        self._remedy = remedy
        self._reads: Mapping[str, tuple[Read, bool]] = {
            column.name: (shapes.get(column.name) or _read_of(column), bool(column.nullable))
            for column in table.columns
        }

    def values(self, row: Any) -> dict[str, Any]:
        """Return the values of a row by the names of their columns; instants aware, in UTC.

        Columns of other tables among them are returned as they are.

        Raises:
            UnreadableError: a value is not what its column declares.
        """
        found: dict[str, Any] = row._asdict()
        reads = self._reads
        for name in found:
            if name in reads:
                found[name] = self.value(found, name)
        return found

    def value(self, found: Mapping[str, Any], column: str) -> Any:
        """Return the value of one column of a row.

        Raises:
            UnreadableError: it is not what its column declares.
        """
        value = found[column]
        read, may_be_empty = self._reads[column]
        if value is None and may_be_empty:
            return None
        try:
            return read(value)
        except WRONG as error:
            raise self.unreadable(found, column, value) from error

    def unreadable(self, found: Mapping[str, Any], column: str, value: Any) -> UnreadableError:
        """Return the error of a row, of which one column has a value that cannot be read."""
        key = str(self._key(found))
        problem = f"column {column} {_said(column, value, self._kind(column))}"
        return UnreadableError(
            f"the row of {key}", self.table.name, column, problem, self._remedy.format(key=key)
        )

    def _kind(self, column: str) -> str:
        return _kind_of(self.table.columns[column])


def _said(column: str, value: Any, kind: str) -> str:
    """Return what is wrong with a value; what is secret or long is not shown."""
    if value is None:
        return f"is empty, but must have {kind}"
    if column in _HIDDEN:
        return f"does not have {kind}"
    text = str(value)
    more = "…" if len(text) > _SHOWN else ""
    return f"has {text[:_SHOWN]!a}{more}, not {kind}"


def _kind_of(column: Column[Any]) -> str:
    match column.type:
        case UtcDateTime():
            return "an instant"
        case ExactAmount():
            return "an amount"
        case Boolean():
            return "true or false"
        case Integer() | BigInteger():
            return "a whole number"
        case _:
            return "a value that this release knows"


def _read_of(column: Column[Any]) -> Read:
    match column.type:
        case UtcDateTime():
            return instant
        case ExactAmount():
            return _amount
        case Boolean():
            return _truth
        case Integer() | BigInteger():
            return _number
        case _:
            return _text


def instant(value: Any) -> datetime:
    """Return what the driver gives for an instant as an aware datetime in UTC.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, str | datetime):
        raise TypeError
    return restored(value)


def instant_or(value: Any, other: T) -> datetime | T:
    """Return what the driver gives for an instant, or *other* where it is empty or none."""
    try:
        return instant(value)
    except WRONG:
        return other


def one_of(kind: type[StrEnum]) -> Read:
    """Return what takes the values of a closed set, as text."""
    known = frozenset(kind)

    def read(value: Any) -> str:
        if value not in known:
            raise ValueError
        return str(value)

    return read


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _truth(value: Any) -> bool:
    if value not in {0, 1}:
        raise ValueError
    return bool(value)


def _amount(value: Any) -> Decimal:
    found = Decimal(value)
    if not found.is_finite():
        raise ValueError
    return found


def readable(rows: Iterable[Any], read: Callable[[Any], T], left_out: LeftOut | None) -> list[T]:
    """Return what *read* makes of rows; without *left_out*, one that cannot be read is an error."""
    found: list[T] = []
    for row in rows:
        try:
            found.append(read(row))
        except UnreadableError as error:
            if left_out is None:
                raise
            left_out(error)
    return found
