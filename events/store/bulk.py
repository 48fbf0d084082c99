"""Writes many rows of one table at once: by one statement, one parameter or `COPY`."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import Dialect, Table

from sublife.events.codec import compact
from sublife.events.layout import JsonText, UtcDateTime
from sublife.events.store.link import Link

TOGETHER = 40
"""New rows that SQLite takes by one statement, half as dear as one by one.

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
        if whole:
            self._write_together(link, rows[:whole])
        left = rows[whole:] if whole else rows
        if len(left) == 1:
            return whole + link.run(text, left[0])
        return whole + (link.run_many(text, left) if left else 0)

    def _write_together(self, link: Link, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write `TOGETHER` rows by each statement; what they all have in common goes over once."""
        varying = _varying(rows)
        text = _together(self.table.name, self.columns, varying)
        common = [value for place, value in enumerate(rows[0]) if place not in varying]
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            link.run(text, (*common, *[row[place] for row in part for place in varying]))

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


class Overwrite(Bulk):
    """Updates many rows of one table at once, whatever they say: to repair them.

    A row is a tuple of the columns given, then the row's tenant and id.
    """

    KEY = ("key_tenant", "key_id")
    is_new = False

    def _for_sqlite(self, _dialect: Dialect) -> str:
        sets = ", ".join(f"{_quoted(name)} = ?" for name in self.columns)
        return f"UPDATE {self.table.name} SET {sets} WHERE tenant = ? AND id = ?"  # noqa: S608 – names of our own

    def _for_postgresql(self, dialect: Dialect) -> str:
        sets = ", ".join(f"{_quoted(name)} = {_given(self.table, name)}" for name in self.columns)
        source = _recordset(self.table, self.columns, dialect, [f"{k} text" for k in self.KEY])
        return (
            f"UPDATE {self.table.name} AS s SET {sets} FROM {source} "  # noqa: S608 – names of our own
            "WHERE s.tenant = d.key_tenant AND s.id = d.key_id"
        )

    def names(self) -> tuple[str, ...]:
        """Return what each place of a row is called."""
        return (*self.columns, *self.KEY)


def _varying(rows: Sequence[tuple[Any, ...]]) -> tuple[int, ...]:
    """Return the places at which rows differ, the first of all if they do not."""
    columns = zip(*rows, strict=True)
    differ = [n for n, column in enumerate(columns) if column.count(column[0]) != len(column)]
    return tuple(differ) or (0,)


@lru_cache(maxsize=256)
def _together(table: str, columns: tuple[str, ...], varying: tuple[int, ...]) -> str:
    """Return the statement that writes `TOGETHER` rows to SQLite, common values first."""
    given = {place: f"d.column{number}" for number, place in enumerate(varying, start=1)}
    values = ", ".join(given.get(place, "?") for place in range(len(columns)))
    row = f"({', '.join('?' * len(varying))})"
    return (
        f"INSERT INTO {table} ({', '.join(map(_quoted, columns))}) SELECT {values} "  # noqa: S608 – names of our own
        f"FROM (VALUES {', '.join([row] * TOGETHER)}) AS d"
    )


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
