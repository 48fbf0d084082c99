"""Opens a database and begins transactions of our own on it."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from sublife.events.store.error import StoreError, UnreachableError
from sublife.events.store.link import Link, ours

E = TypeVar("E")
MEMORY = ("sqlite://", "sqlite:///:memory:")


class Source(Protocol):
    """Where transactions come from."""

    @property
    def engine(self) -> Engine:
        """The engine of the database."""
        ...

    @property
    def writers(self) -> int:
        """How many transactions are worth running at once."""
        ...

    def has_written(self) -> bool:
        """Return whether the transaction at hand holds something of ours that may be undone."""
        ...

    def writing(self) -> AbstractContextManager[Link]:
        """Begin a transaction that writes; it is committed if the block ends well."""
        ...

    def reading(self) -> AbstractContextManager[Link]:
        """Begin a transaction that only reads."""
        ...

    def may_repeat(self, error: StoreError) -> bool:
        """Return whether the same work can go better in another attempt."""
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
    return prepared(made(create_engine, url, sqlite="pysqlite"))


def made(create: Callable[..., E], url: str, *, sqlite: str) -> E:
    """Return the engine that *create* makes for an address, on the drivers we know.

    Args:
        create: `create_engine`, or the one for asyncio.
        url: as for `open_engine`; the driver may be named in it.
        sqlite: the driver to use for SQLite.

    Raises:
        StoreError: it is no such address, or the driver is not installed.
    """
    scheme, _, rest = url.partition(":")
    dialect = {
        "sqlite": f"sqlite+{sqlite}",
        f"sqlite+{sqlite}": f"sqlite+{sqlite}",
        "postgresql": "postgresql+psycopg",
        "postgresql+psycopg": "postgresql+psycopg",
    }.get(scheme)
    if dialect is None:
        raise StoreError(
            f'"{url}" is no address of SQLite or PostgreSQL; write sqlite:///file.db or '
            "postgresql://user@host/database"
        )
    try:
        return create(f"{dialect}:{rest}", **_options(dialect, rest))
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f'"{url}" is no address; write sqlite:///file.db') from error
    except ModuleNotFoundError as error:
        extra = "postgresql" if dialect.startswith("postgresql") else "async"
        raise StoreError(
            f"the driver {error.name} is not installed; install sublife[{extra}]"
        ) from error


def prepared(engine: Engine) -> Engine:
    """Return an engine of ours, set to lose nothing."""
    if engine.dialect.name == "sqlite":
        begin_at_once(engine)
        sa_event.listen(engine, "connect", _configure)
    return engine


def begin_at_once(engine: Engine) -> Engine:
    """Let transactions on a SQLite engine begin when SQLAlchemy says so, with the write lock.

    Else the driver begins them at the first write: too late for `begin_nested`, and for whoever
    has read by then. A host calls it on an engine of its own before its first use.

    Returns:
        The engine; one of another database is left as it is.
    """
    if engine.dialect.name == "sqlite":
        sa_event.listen(engine, "connect", _leave_it_to_us)
        sa_event.listen(engine, "begin", _begin_writing)
    return engine


def _options(dialect: str, rest: str) -> dict[str, Any]:
    if f"sqlite:{rest}" in MEMORY:
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    if dialect.startswith("sqlite"):
        # How long to wait for whoever writes; an address may say another time.
        return {} if "timeout=" in rest else {"connect_args": {"timeout": 60}}
    # A batch joins a thousand rows to many: with the default cost of a random page the planner
    # reads the whole table instead, and compiling such a plan takes longer than running it.
    return {"connect_args": {"options": "-c random_page_cost=1.1 -c jit=off"}}


def _leave_it_to_us(connection: Any, _record: object) -> None:
    """Let the driver begin no transaction."""
    connection.isolation_level = None


_CACHE_KIB = 32 * 1024
"""Pages a connection may keep: those that a night writes again and again have room in it."""
_LOG_PAGES = 4000
"""Pages in the write-ahead log from which a commit copies them into the file: a batch has fewer."""


def _configure(connection: Any, _record: object) -> None:
    """Lose nothing that was committed, and let readers read while somebody writes."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
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
        self.writers = 1 if self._is_sqlite else 2

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
            _invalidate(connection)

    @contextmanager
    def reading(self) -> Generator[Link]:
        """Begin a transaction that only reads and takes no lock.

        A database in memory has one connection: inside a transaction of its own, that is read in.
        """
        with self._link() as (link, connection):
            if self._in_memory and connection.driver_connection.in_transaction:
                yield link
                return
            if self._is_sqlite:
                link.run("BEGIN")
            try:
                yield link
            finally:
                self._roll_back(connection)

    def has_written(self) -> bool:
        """Return that it does not: a transaction of our own begins with what is committed."""
        return False

    def may_repeat(self, error: StoreError) -> bool:  # noqa: ARG002 – every conflict ends with the transaction
        """Return that it can: a transaction of our own begins anew each time."""
        return True

    @contextmanager
    def _link(self) -> Generator[tuple[Link, Any]]:
        if self._kept is not None:
            yield self._kept, self._kept.connection
            return
        connection = self._connected()
        link = Link(connection, self.engine.dialect, is_own=True)
        if self._in_memory:
            self._kept = link
            yield link, connection
            return
        try:
            yield link, connection
        except UnreachableError:
            _invalidate(connection)
            self.engine.dispose()
            raise
        finally:
            connection.close()

    def _connected(self) -> PoolProxiedConnection:
        try:
            return self.engine.raw_connection()
        except DBAPIError as error:
            raise unopened(self.engine, error.orig or error) from error
        except self.engine.dialect.loaded_dbapi.Error as error:
            raise unopened(self.engine, error) from error

    def close(self) -> None:
        """Close every connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept.connection.close()
            self._kept = None
        self.engine.dispose()


def _invalidate(connection: PoolProxiedConnection) -> None:
    """Never use the driver's connection again."""
    if connection.is_valid:
        connection.invalidate()


def unopened(engine: Engine, error: BaseException) -> StoreError:
    """Return why a database could not be opened as an error of ours, with what to do."""
    url = engine.url.render_as_string(hide_password=True)
    said = str(error).strip().partition("\n")[0]
    if engine.dialect.name == "sqlite":
        return StoreError(
            f"the database {url} cannot be opened: {said}; check path, rights and format"
        )
    return UnreachableError(f"the database {url} does not answer: {said}; see that it runs")
