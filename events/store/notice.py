"""Word of what is due soon, from whoever writes it to whoever waits for the next beat.

On PostgreSQL a transaction that leaves a timer due within a minute sends a notice, which is heard
when it commits. On SQLite nobody needs to send one: the file itself tells that it was written to.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic, sleep
from typing import Any, Protocol

from sqlalchemy import Dialect, Engine
from sqlalchemy.exc import DBAPIError

from sublife.events.store.database import unopened
from sublife.events.store.link import Link, ours
from sublife.events.store.server import is_pooled

NEAR = timedelta(minutes=1)
"""What is due sooner is announced; for the rest the beat comes early enough."""
POLL_SECONDS = 0.25
"""How often a SQLite file is asked; it costs microseconds."""
_CHANNEL = "sublife_due"
_ANNOUNCE = f"SELECT pg_notify('{_CHANNEL}', '')"


def announce(link: Link) -> None:
    """Tell whoever waits that something is due soon; heard when the transaction commits."""
    if not link.is_sqlite:
        link.rows(_ANNOUNCE, {})


class Notices(Protocol):
    """Where notices are heard."""

    def wait(self, seconds: float) -> bool:
        """Wait for a notice, *seconds* at the most; return whether there was one.

        Raises:
            UnreachableError: the database has gone.
        """
        ...


@contextmanager
def hearing(engine: Engine) -> Generator[Notices]:
    """Hear notices on a connection of one's own, for one thread.

    Raises:
        UnreachableError: the database does not answer.
    """
    if is_pooled(engine):
        yield _Deaf()
        return
    driver: Any = engine.dialect.loaded_dbapi
    try:
        pooled = engine.raw_connection()
    except DBAPIError as error:
        raise unopened(engine, error.orig or error) from error
    except driver.Error as error:
        raise unopened(engine, error) from error
    connection: Any = pooled.driver_connection
    pooled.detach()  # it is no connection for transactions any more
    is_sqlite = engine.dialect.name == "sqlite"
    try:
        yield (_OfSqlite if is_sqlite else _OfPostgresql)(connection, engine.dialect)
    finally:
        connection.close()


class _Deaf:
    """Behind a pooler that hands out connections by transaction, no notice arrives."""

    def wait(self, seconds: float) -> bool:
        """Wait for the next beat."""
        sleep(seconds)
        return False


class _OfPostgresql:
    """LISTEN, on a connection that is in no transaction."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self._connection, self._dialect = connection, dialect
        self._driver: Any = dialect.loaded_dbapi
        try:
            connection.autocommit = True
            connection.execute(f"LISTEN {_CHANNEL}")
        except self._driver.Error as error:
            raise ours(error, dialect) from error

    def wait(self, seconds: float) -> bool:
        """Wait for a notification."""
        try:
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except self._driver.Error as error:
            raise ours(error, self._dialect) from error


class _OfSqlite:
    """A number that SQLite changes whenever another connection has committed to the file."""

    def __init__(self, connection: Any, dialect: Dialect) -> None:
        self._connection, self._dialect = connection, dialect
        self._driver: Any = dialect.loaded_dbapi
        self._known = self._number()

    def wait(self, seconds: float) -> bool:
        """Ask until the number has changed."""
        until = monotonic() + seconds
        while (found := self._number()) == self._known:
            left = until - monotonic()
            if left <= 0:
                return False
            sleep(min(left, POLL_SECONDS))
        self._known = found
        return True

    def _number(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except self._driver.Error as error:
            raise ours(error, self._dialect) from error
