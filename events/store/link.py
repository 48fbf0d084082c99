"""One driver connection inside one transaction, and the driver's errors as ours."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Dialect

from sublife.events.store.error import (
    ConflictError,
    FullError,
    LockedError,
    ReadOnlyError,
    StandbyError,
    StoreError,
    UnfitError,
    UnfitTextError,
    UnreachableError,
    damaged,
)
from sublife.events.store.sqlite import path_of_connection

_RETRY = {"23505", "40001", "40P01", "55P03"}
"""PostgreSQL: unique violation, serialization failure, deadlock, lock not available."""
_WHOLE = {"40001", "40P01"}
"""PostgreSQL: what no savepoint fixes, since the locks or the snapshot stay."""
_GONE = {"57P01", "57P02", "57P03"}
"""PostgreSQL: shut down by an administrator, crashed, not yet started."""
_FULL = {"53100", "54000"}
_READ_ONLY, _NOT_SUPPORTED = "25006", "0A000"
"""PostgreSQL: a session that only reads; also what a standby says to who wants to write."""
_UNFIT = "22"
"""PostgreSQL: how codes of data exceptions begin, such as a figure out of range."""
_NO_TEXT_HOLDS = "which no database text can hold; remove it; nothing was changed"
_NO_TABLE = "42P01"
_NO_TABLES = "make our tables in this database with `sublife migrate` first; nothing was changed"
_SQLITE_BUSY, _SQLITE_LOCKED, _SQLITE_FULL = 5, 6, 13
_SQLITE_READ_ONLY, _SQLITE_CORRUPT, _SQLITE_NO_DATABASE = 8, 11, 26
_SQLITE_SHORT_READ = 522
"""The file ends before it should."""
_NO_TEXT = "Could not decode to UTF-8"
"""How the driver begins to say that a text column holds something else."""
_numbers = count(1)
"""Names the cursors that PostgreSQL keeps open."""
_SQLITE_BUSY_SNAPSHOT = 517
"""Somebody else has written since the transaction began to read."""


class Link:
    """A connection of the driver, in a transaction that somebody else ends.

    SQLAlchemy takes five times as long to run a clause as the database does; a cursor skips that.

    Args:
        connection: of the driver (DB-API).
        dialect: its SQLAlchemy dialect; `sqlite` or `postgresql`.
        is_own: the transaction is ours alone, so that what is set in it meets nobody else.
    """

    def __init__(self, connection: Any, dialect: Dialect, *, is_own: bool = False) -> None:
        self.connection = connection
        self.dialect = dialect
        self.is_sqlite = dialect.name == "sqlite"
        self.can_copy = is_own and not self.is_sqlite and not dialect.is_async
        self._cursor = connection.cursor()

    def rows(self, text: str, values: Any) -> list[Any]:
        """Run a query and return all its rows.

        Raises:
            StoreError: the database cannot answer.
        """
        try:
            self._cursor.execute(text, values)
            found: list[Any] = self._cursor.fetchall()
        except (self.dialect.loaded_dbapi.Error, UnicodeError) as error:
            raise ours(error, self.dialect, self.connection) from error
        return found

    def batches(self, text: str, values: Any, size: int) -> Iterator[list[Any]]:
        """Run a query and yield its rows *size* at a time; the database keeps the rest.

        Other queries may be asked in between, in the same transaction.

        Raises:
            StoreError: the database cannot answer.
        """
        named = () if self.is_sqlite else (f"sublife_{next(_numbers)}",)
        cursor = self.connection.cursor(*named)
        try:
            cursor.execute(text, values)
            while found := cursor.fetchmany(size):
                yield found
        except (self.dialect.loaded_dbapi.Error, UnicodeError) as error:
            raise ours(error, self.dialect, self.connection) from error
        finally:
            with suppress(self.dialect.loaded_dbapi.Error):  # the connection may be closed by now
                cursor.close()

    def run(self, text: str, values: Any = ()) -> int:
        """Run a statement that returns nothing; return how many rows it touched.

        Raises:
            ConflictError: what it writes is there already, or another writer was first.
            StoreError: the database cannot take it.
        """
        try:
            self._cursor.execute(text, values)
        except (self.dialect.loaded_dbapi.Error, UnicodeError) as error:
            raise ours(error, self.dialect, self.connection) from error
        return int(self._cursor.rowcount)

    def run_many(self, text: str, values: Sequence[Any]) -> int:
        """Run a statement once for each of *values*; return how many rows it touched in all."""
        try:
            self._cursor.executemany(text, values)
        except (self.dialect.loaded_dbapi.Error, UnicodeError) as error:
            raise ours(error, self.dialect, self.connection) from error
        return int(self._cursor.rowcount)

    def copy(self, text: str, rows: Sequence[Sequence[Any]]) -> int:
        """Write rows by `COPY … FROM STDIN`, where `can_copy`; instants in them are UTC.

        Raises:
            ConflictError: a row is there already.
            StoreError: the database cannot take them.
        """
        try:
            self._cursor.execute("SET LOCAL TIME ZONE 'UTC'")
            with self._cursor.copy(text) as stream:
                for row in rows:
                    stream.write_row(row)
        except (self.dialect.loaded_dbapi.Error, UnicodeError) as error:
            raise ours(error, self.dialect, self.connection) from error
        return int(self._cursor.rowcount)

    def close(self) -> None:
        """Give the cursor back."""
        self._cursor.close()


def ours(error: Exception, dialect: Dialect, connection: Any = None) -> StoreError:
    """Return a driver's error as one of ours, with what to do.

    Args:
        error: of the driver.
        dialect: of the database.
        connection: of the driver, asked for the path of its file; not named if not given.
    """
    if isinstance(error, UnicodeEncodeError):
        return UnfitTextError(
            f"a text has the character U+{ord(error.object[error.start]):04X}, {_NO_TEXT_HOLDS}"
        )
    if dialect.name == "sqlite":
        path = None if connection is None else path_of_connection(connection)
        return of_sqlite(error, dialect, path)
    return _of_postgresql(error, dialect)


def of_sqlite(error: Exception, dialect: Dialect, path: Path | None) -> StoreError:
    """Return an error of SQLite as one of ours, with what to do.

    Args:
        error: of the driver.
        dialect: of the database.
        path: of its file; `None` where it is not known.
    """
    file = f"the database file {path}" if path else "the database file"
    extended: int = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if extended == _SQLITE_BUSY_SNAPSHOT:
        return ConflictError("another writer was first; submit the event again", whole=True)
    if code == _SQLITE_FULL:
        return FullError(f"there is no room left ({error}); make some and submit the event again")
    if code in {_SQLITE_BUSY, _SQLITE_LOCKED}:
        return LockedError(
            f"{file} is locked by another connection or process ({error}); end its transaction "
            "and submit again: nothing was changed"
        )
    if code == _SQLITE_READ_ONLY:
        return ReadOnlyError(
            f"{file} can only be read ({error}); give this user the right to write to the file "
            "and its folder, on a file system that is mounted for writing. Nothing was changed"
        )
    if code in {_SQLITE_CORRUPT, _SQLITE_NO_DATABASE} or extended == _SQLITE_SHORT_READ:
        return damaged(f"{file} is damaged ({error})")
    if isinstance(error, UnicodeDecodeError) or str(error).startswith(_NO_TEXT):
        return damaged(f"{file} is damaged (a text column holds bytes that are no text)")
    if isinstance(error, dialect.loaded_dbapi.IntegrityError):
        return ConflictError(f"another writer was first ({error}); submit the event again")
    if "no such table: sublife_" in str(error):
        return StoreError(f"{error}; {_NO_TABLES}")
    return StoreError(f"the database refused: {error}; nothing was changed")


def _of_postgresql(error: Exception, dialect: Dialect) -> StoreError:
    state: str | None = getattr(error, "sqlstate", None)
    said = str(error).strip().partition("\n")[0]
    if state in _RETRY:
        return ConflictError(
            f"another writer was first ({said}); submit the event again", whole=state in _WHOLE
        )
    if state in _FULL:
        return FullError(f"there is no room left ({said}); make some and submit the event again")
    if (state or "").startswith(_UNFIT):
        return UnfitError(f"a value cannot be written ({said}); nothing was changed")
    if state == _READ_ONLY or (state == _NOT_SUPPORTED and "during recovery" in said):
        return StandbyError(
            f"the server takes no writes ({said}); see that the address leads to the primary "
            "(target_session_attrs=read-write finds it among several hosts), then submit again"
        )
    driver = dialect.loaded_dbapi
    if state is None and isinstance(error, driver.DataError) and "NUL" in said:
        return UnfitTextError(f"a text has the character U+0000, {_NO_TEXT_HOLDS}")
    is_gone = state in _GONE or (state or "08").startswith("08")
    if is_gone and isinstance(error, driver.OperationalError | driver.InterfaceError):
        return UnreachableError(
            f"the database does not answer ({said}); see that it runs, then submit again: "
            "an event that was taken in is not taken in twice"
        )
    if state == _NO_TABLE and "sublife_" in said:
        return StoreError(f"{said}; {_NO_TABLES}")
    return StoreError(f"the database refused: {said}; nothing was changed")
