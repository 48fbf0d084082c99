"""Transactions inside a host's own: a savepoint each, on whatever engine the host has."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, RootTransaction
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import StaticPool

from sublife.events.store.error import ConflictError, StoreError, UnreachableError
from sublife.events.store.link import Link
from sublife.events.store.server import commits_alone, refuse_autocommit
from sublife.events.store.session import bind_of, connection_of, demand_host, freshen

_DRIVERS = frozenset({"pysqlite", "aiosqlite", "psycopg"})
_BEGUN = "sublife_begun"
"""Where a connection remembers the host's transaction that we have begun for its driver."""
_WRITTEN = "sublife_written"
"""Where a connection remembers the host's transaction in which something of ours was written."""
_LEGACY = -1
"""`autocommit` of a SQLite connection that begins transactions by the older rules of its driver."""


class Joined:
    """Transactions inside a host's own: what the host rolls back, leaves nothing of ours.

    Each of ours is a savepoint, so that an error of ours undoes ours alone. A host's session is
    asked for its connection each time, and what is pending in it goes to the database first, as
    before a query of its own.

    Args:
        host: session or connection in whose transactions ours are; of a registry of sessions, the
            session of the scope at hand.
        arguments: for the `get_bind` of the session, see `bind_of`.

    Raises:
        StoreError: the host is something else.
    """

    is_the_hosts = True

    def __init__(
        self,
        host: "Session | Connection | scoped_session[Any]",
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        demand_host(host)
        self._given = host
        self._arguments = arguments or {}
        self.writers = 1

    @property
    def _host(self) -> Session | Connection:
        if isinstance(self._given, scoped_session):
            session: Session = self._given()
            return session
        return self._given

    @property
    def engine(self) -> Engine:
        """The host's engine."""
        host = self._host
        found = host if isinstance(host, Connection) else bind_of(host, self._arguments)
        return found.engine

    @contextmanager
    def writing(self) -> Generator[Link]:
        """Set a savepoint; it is released if the block ends well, else rolled back to.

        Raises:
            ConflictError: another writer came between; where it is `whole`, the host has to roll
                back and run all of its transaction again.
            LockedError: another process holds the SQLite file.
        """
        connection = self._connection()
        link = _linked(connection)
        if link.is_sqlite:
            try:
                _lock_file(connection, link)
            except ConflictError as error:
                raise _for_the_host(error) from error
        with _savepoint(connection, link):
            yield link
        connection.info[_WRITTEN] = connection.get_transaction()
        if isinstance(host := self._host, Session):
            freshen(host, self._arguments, connection)

    @contextmanager
    def reading(self) -> Generator[Link]:
        """Read inside the host's transaction; nothing is locked."""
        connection = self._connection()
        link = _linked(connection)
        with _savepoint(connection, link):
            yield link

    def has_written(self) -> bool:
        """Return whether the host's transaction holds something of ours, which it may roll back."""
        connection = self._connection()
        return connection.info.get(_WRITTEN) is connection.get_transaction()

    def may_repeat(self, error: StoreError) -> bool:
        """Return whether another attempt in the same transaction of the host can go better."""
        return isinstance(error, ConflictError) and not error.whole

    def close(self) -> None:
        """Leave the host's connection alone."""

    def _connection(self) -> Connection:
        """Return the host's connection, with what its session has pending written to it."""
        host = self._host
        if isinstance(host, Connection):
            if not host.in_transaction():
                raise StoreError("the connection is in no transaction; begin one, then join it")
            return host
        return connection_of(host, self._arguments)


def _linked(connection: Connection) -> Link:
    dialect = connection.dialect
    if dialect.driver not in _DRIVERS:
        raise StoreError(
            f"the host's connection speaks {dialect.name} through {dialect.driver}; give the "
            "store one of PostgreSQL through psycopg, or of SQLite"
        )
    if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
        raise commits_alone()
    refuse_autocommit(connection.engine)
    driver: Any = connection.connection.driver_connection
    if dialect.name == "postgresql" and driver.autocommit:
        raise commits_alone()
    return Link(connection.connection, dialect)


def _lock_file(connection: Connection, link: Link) -> None:
    """Be in a transaction that may write, before anything is read that is decided on.

    The driver begins one at the first write only, and one that has begun to read is refused the
    write lock as soon as somebody else has written.
    """
    driver: Any = connection.connection.driver_connection
    begins_late = driver.isolation_level is not None and (
        getattr(driver, "autocommit", _LEGACY) == _LEGACY
    )
    host = connection.get_transaction()
    if not driver.in_transaction:
        if not begins_late:
            raise commits_alone()
        link.run("BEGIN IMMEDIATE")
        connection.info[_BEGUN] = host
        return
    is_ours = connection.info.get(_BEGUN) is host
    if begins_late and connection.in_nested_transaction() and not is_ours:
        raise StoreError(
            "begin_nested() on this SQLite connection may commit by itself, since its driver "
            "begins no transaction before it; pass the engine to "
            "sublife.events.store.begin_at_once first"
        )
    link.run("UPDATE sublife_subject SET id = id WHERE FALSE")


@contextmanager
def _savepoint(connection: Connection, link: Link) -> Generator[None]:
    """Undo what the block has done, and nothing else, if it raises."""
    host = connection.get_transaction()
    try:
        link.run("SAVEPOINT sublife")
    except UnreachableError:
        _end(connection)
        raise
    try:
        yield
        _release(connection, link, host)
    except ConflictError as error:
        _undo(connection, link, host)
        if error.whole or _sees_no_news(link):
            raise _for_the_host(error) from error
        raise
    except BaseException:
        _undo(connection, link, host)
        raise
    link.close()


def _for_the_host(error: ConflictError) -> ConflictError:
    said, _, _ = str(error).partition(";")
    return ConflictError(
        f"{said}; roll back your transaction and run all of it again: an event that was taken in "
        "is not taken in twice",
        whole=True,
    )


def _release(connection: Connection, link: Link, host: RootTransaction | None) -> None:
    if _has_ended(connection, host):
        raise StoreError(
            "your transaction has ended while ours was open inside it; commit, roll back or close "
            "the session after the block, then run all of it again"
        )
    link.run("RELEASE SAVEPOINT sublife")


def _has_ended(connection: Connection, host: RootTransaction | None) -> bool:
    """Return whether the host has ended the transaction in which a savepoint was set."""
    return connection.closed or connection.get_transaction() is not host


def _undo(connection: Connection, link: Link, host: RootTransaction | None) -> None:
    if _has_ended(connection, host):
        return  # and the savepoint has ended with it
    try:
        link.run("ROLLBACK TO SAVEPOINT sublife")
        link.run("RELEASE SAVEPOINT sublife")
    except StoreError:
        _end(connection)


def _end(connection: Connection) -> None:
    """Let the host go on only after a rollback: the database has ended its transaction already.

    A full SQLite file and a lost connection do that. What the host did before is gone, so what it
    does after must not be committed as if it were there.
    """
    host = connection.get_transaction()
    if isinstance(connection.engine.pool, StaticPool) and host is not None:
        host.rollback()
    else:
        connection.invalidate()


def _sees_no_news(link: Link) -> bool:
    """Return whether the transaction will never see what others have committed since it began."""
    if link.is_sqlite:
        return False
    ((level,),) = link.rows("SHOW transaction_isolation", ())
    return str(level) != "read committed"
