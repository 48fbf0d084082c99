"""Opens a database and begins transactions on it: of our own, or inside a host's."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from sublife.events.store.error import StoreError, UnreachableError
from sublife.events.store.link import Link, ours

MEMORY = ("sqlite://", "sqlite:///:memory:")


class Source(Protocol):
    """Where transactions come from."""

    def writing(self) -> AbstractContextManager[Link]:
        """Begin a transaction that writes; it is committed if the block ends well."""
        ...

    def reading(self) -> AbstractContextManager[Link]:
        """Begin a transaction that only reads."""
        ...

    def close(self) -> None:
        """Close every connection of ours."""
        ...


def open_engine(url: str) -> Engine:
    """Return an engine on a database, without looking whether it answers.

    Args:
        url: `sqlite://` (in memory, for one thread), `sqlite:///path/to/file.db` or
            `postgresql://user@host/database`.

    Raises:
        StoreError: it is no such address, or the driver is not installed.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if not url.startswith(("sqlite:", "postgresql+psycopg:")):
        raise StoreError(
            f'"{url}" is no address of SQLite or PostgreSQL; write sqlite:///file.db or '
            "postgresql://user@host/database"
        )
    try:
        engine = create_engine(url, **_options(url))
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f'"{url}" is no address; write sqlite:///file.db') from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the driver {error.name} is not installed; install sublife[postgresql]"
        ) from error
    if engine.dialect.name == "sqlite":
        sa_event.listen(engine, "connect", _configure)
        sa_event.listen(engine, "begin", _begin_writing)
    return engine


def _options(url: str) -> dict[str, Any]:
    if url in MEMORY:
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    if url.startswith("sqlite:"):
        return {"connect_args": {"timeout": 60}}
    # A batch joins a thousand rows to many: with the default cost of a random page the planner
    # reads the whole table instead, and compiling such a plan takes longer than running it.
    return {"connect_args": {"options": "-c random_page_cost=1.1 -c jit=off"}}


def _configure(connection: Any, _record: object) -> None:
    """Let us begin transactions ourselves, and lose nothing that was committed."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_writing(connection: Connection) -> None:
    """Take the write lock now, not at the first write, where it could be too late."""
    cursor = connection.connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    cursor.close()


class Own:
    """Transactions of our own, one after another, on the connections of an engine.

    Args:
        engine: one that `open_engine` made, or a host's own.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._kept: Link | None = None
        self._in_memory = isinstance(engine.pool, StaticPool)

    @contextmanager
    def writing(self) -> Generator[Link]:
        """Begin a transaction; it is committed if the block ends well, else rolled back."""
        with self._link() as (link, connection):
            if self._is_sqlite:
                link.run("BEGIN IMMEDIATE")
            try:
                yield link
                self._commit(link, connection)
            except BaseException:
                self._roll_back(connection)
                raise

    def _commit(self, link: Link, connection: Any) -> None:
        try:
            connection.commit()
        except link.dialect.loaded_dbapi.Error as error:
            raise ours(error, link.dialect) from error

    def _roll_back(self, connection: Any) -> None:
        try:
            connection.rollback()
        except self.engine.dialect.loaded_dbapi.Error:
            # The connection is gone, and the transaction with it.
            connection.invalidate()

    @contextmanager
    def reading(self) -> Generator[Link]:
        """Begin a transaction that only reads and takes no lock."""
        with self._link() as (link, connection):
            if self._is_sqlite:
                link.run("BEGIN")
            try:
                yield link
            finally:
                self._roll_back(connection)

    @contextmanager
    def _link(self) -> Generator[tuple[Link, Any]]:
        if self._kept is not None:
            yield self._kept, self._kept.connection
            return
        connection = self._connected()
        link = Link(connection, self.engine.dialect)
        if self._in_memory:
            self._kept = link
            yield link, connection
            return
        try:
            yield link, connection
        except UnreachableError:
            connection.invalidate()
            self.engine.dispose()
            raise
        finally:
            connection.close()

    def _connected(self) -> PoolProxiedConnection:
        try:
            return self.engine.raw_connection()
        except DBAPIError as error:
            raise _unopened(self.engine, error.orig or error) from error
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise _unopened(self.engine, error) from error

    def close(self) -> None:
        """Close every connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept.connection.close()
            self._kept = None
        self.engine.dispose()


def _unopened(engine: Engine, error: BaseException) -> StoreError:
    url = engine.url.render_as_string(hide_password=True)
    said = str(error).strip().partition("\n")[0]
    if engine.dialect.name == "sqlite":
        return StoreError(
            f"the database {url} cannot be opened: {said}; check path, rights and format"
        )
    return UnreachableError(f"the database {url} does not answer: {said}; see that it runs")


class Joined:
    """Transactions inside a host's own: what the host rolls back, leaves nothing of ours.

    Each of ours is a savepoint, so that an error of ours undoes ours alone.

    Args:
        connection: of the host, in the transaction that ours are to be part of.
    """

    def __init__(self, connection: Connection) -> None:
        self.engine = connection.engine
        self._connection = connection

    @contextmanager
    def writing(self) -> Generator[Link]:
        """Set a savepoint; it is released if the block ends well, else rolled back to."""
        link = self._link()
        link.run("SAVEPOINT sublife")
        try:
            yield link
        except BaseException:
            self._undo(link)
            raise
        link.run("RELEASE SAVEPOINT sublife")

    def _undo(self, link: Link) -> None:
        try:
            link.run("ROLLBACK TO SAVEPOINT sublife")
            link.run("RELEASE SAVEPOINT sublife")
        except StoreError:
            # The host's transaction is gone as a whole, and the savepoint with it.
            return

    @contextmanager
    def reading(self) -> Generator[Link]:
        """Read inside the host's transaction."""
        yield self._link()

    def _link(self) -> Link:
        """Return the host's connection as ours, in a transaction that really has begun."""
        if not self._connection.in_transaction():
            raise StoreError("the connection is in no transaction; begin one, then join it")
        link = Link(self._connection.connection, self._connection.dialect)
        if link.is_sqlite and not _has_begun(self._connection):
            link.run("BEGIN IMMEDIATE")
        return link

    def close(self) -> None:
        """Leave the host's connection alone."""


def _has_begun(connection: Connection) -> bool:
    """Return whether SQLite is in a transaction; its driver begins one at the first write only."""
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)
