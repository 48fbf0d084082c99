"""Opens a database and begins transactions of our own on it."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from sublife.events.store.error import (
    DamagedError,
    FullError,
    LockedError,
    ReadOnlyError,
    StoreError,
    UnreachableError,
    damaged,
)
from sublife.events.store.file import address_of, demand_known, path_of, read_only
from sublife.events.store.forked import demand_own, survive_fork
from sublife.events.store.link import Link, of_sqlite, ours
from sublife.events.store.secret import shown_address, shown_url
from sublife.events.store.server import (
    SET_LOCAL,
    SET_WRITING,
    full_pool,
    is_cut,
    is_pooled,
    keep_set,
    of_server,
    refuse_autocommit,
    refuse_autocommit_of,
    unopened_server,
)
from sublife.events.store.sqlite import configure, demand_same_file

E = TypeVar("E")


class Source(Protocol):
    """Where transactions come from."""

    @property
    def engine(self) -> Engine:
        """The engine of the database."""
        ...

    @property
    def is_the_hosts(self) -> bool:
        """Whether its transactions are inside those of a host, which may roll them back."""
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


def open_engine(url: str, *, reading: bool = False) -> Engine:
    """Return an engine on a database, without looking whether it answers.

    Args:
        url: `sqlite://` (in memory, for one thread), `sqlite:///path/to/file.db` or
            `postgresql://user@host/database`.
        reading: a SQLite file is only read: it is not made, its journal mode stays as it is, and
            neither the file nor its folder need be writable.

    Raises:
        StoreError: it is no such address, or the driver is not installed.
    """
    engine = made(create_engine, url, sqlite="pysqlite", reading=reading)
    return prepared(engine, reading=reading)


def made(create: Callable[..., E], url: str, *, sqlite: str, reading: bool = False) -> E:
    """Return the engine that *create* makes for an address, on the drivers we know.

    Args:
        create: `create_engine`, or the one for asyncio.
        url: as for `open_engine`; the driver may be named in it.
        sqlite: the driver to use for SQLite.
        reading: as for `open_engine`.

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
            f'"{shown_address(url)}" is no address of SQLite or PostgreSQL; write '
            "sqlite:///file.db or postgresql://user@host/database"
        )
    address: str | URL = f"{dialect}:{rest}"
    try:
        if dialect.startswith("sqlite"):
            address = _address(f"{dialect}:{rest}", reading=reading)
            return create(address, **_of_sqlite(address))
        address, options = of_server(_of_one_host(make_url(address), url))
        return create(address, **options)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreError(
            f'"{shown_address(url)}" is no address; write sqlite:///file.db'
        ) from error
    except ModuleNotFoundError as error:
        extra = "postgresql" if dialect.startswith("postgresql") else "async"
        raise StoreError(
            f"the driver {error.name} is not installed; install sublife[{extra}]"
        ) from error


def _of_one_host(address: URL, url: str) -> URL:
    """Return an address whose host has no `@`, which would show the rest of a password.

    Raises:
        StoreError: it has one.
    """
    if "@" in (address.host or ""):
        raise StoreError(f'"{shown_address(url)}" has an @ in the password; write it as %40')
    return address


def prepared(engine: Engine, *, reading: bool = False) -> Engine:
    """Return an engine of ours, set to lose nothing."""
    if engine.dialect.name == "sqlite":
        if reading:
            sa_event.listen(engine, "connect", _leave_it_to_us)
        else:
            begin_at_once(engine)
        configure(engine, reading=reading)
    else:
        keep_set(engine)
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


def _address(url: str, *, reading: bool) -> URL:
    """Return the address of a SQLite database; one that only reads does not make its file."""
    address = address_of(url)
    demand_known(address)
    path = path_of(address) if reading else None
    if path is None:
        return address
    return read_only(address, path)


def _of_sqlite(address: URL) -> dict[str, Any]:
    if path_of(address) is None:
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    # How long to wait for whoever writes; an address may say another time.
    return {} if "timeout" in address.query else {"connect_args": {"timeout": 60}}


def _leave_it_to_us(connection: Any, _record: object) -> None:
    """Let the driver begin no transaction."""
    connection.isolation_level = None


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

    is_the_hosts = False

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._kept: Link | None = None
        self._in_memory = isinstance(engine.pool, StaticPool)
        self._is_pooled = is_pooled(engine)
        self.writers = 1 if self._is_sqlite else 2
        refuse_autocommit(engine)
        survive_fork(engine)

    @contextmanager
    def writing(self) -> Generator[Link]:
        """Begin a transaction; it is committed if the block ends well, else rolled back."""
        with self._link() as (link, connection):
            if self._is_sqlite:
                link.run("BEGIN IMMEDIATE")
            elif self._is_pooled:
                link.run(SET_WRITING, None)
            try:
                yield link
                demand_same_file(connection)
                self._commit(link, connection)
                demand_same_file(connection)  # what was committed to a lost file is not there
            except BaseException:
                self._roll_back(connection)
                raise

    def _commit(self, link: Link, connection: Any) -> None:
        try:
            connection.commit()
        except link.dialect.loaded_dbapi.Error as error:
            raise ours(error, link.dialect, connection) from error

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
            elif self._is_pooled:
                link.run(SET_LOCAL, None)
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
        demand_own(self.engine)
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
        """Return a connection that stands; where one was cut as it lay idle, all idle ones go."""
        connection = self._from_pool()
        if not self._is_sqlite and is_cut(connection.driver_connection):
            _invalidate(connection)
            connection.close()
            self.engine.dispose()
            connection = self._from_pool()
        try:
            refuse_autocommit_of(connection.driver_connection)
        except StoreError:
            connection.close()
            raise
        return connection

    def _from_pool(self) -> PoolProxiedConnection:
        try:
            return self.engine.raw_connection()
        except PoolTimeoutError as error:
            raise full_pool(self.engine, error) from error
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
    url = shown_url(engine.url)
    said = str(error).strip().partition("\n")[0]
    if engine.dialect.name == "sqlite":
        return _unopened_file(engine, url, error, said)
    return unopened_server(engine, error)


def _unopened_file(engine: Engine, url: str, error: BaseException, said: str) -> StoreError:
    path = path_of(engine.url)
    found = of_sqlite(error, engine.dialect, path) if isinstance(error, Exception) else None
    if isinstance(found, LockedError | ReadOnlyError | FullError):
        return found
    if path is not None and path.is_dir():
        said = f"{path} is a folder"
    elif path is not None and not path.parent.is_dir():
        said = f"there is no folder {path.parent}"
    says = f"the database {url} cannot be opened: {said}; check path, rights and format"
    if isinstance(found, DamagedError):
        return damaged(f"{says}. If it was a database of ours, the file {path} is damaged")
    return StoreError(says)
