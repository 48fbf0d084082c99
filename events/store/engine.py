"""Opens a database: SQLite takes the write lock at the start of every writing transaction."""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import StaticPool

from sublife.events.store.error import StoreError
from sublife.events.tables import metadata

READING = "sublife_reading"
"""Execution option of a connection that only reads, so it takes no write lock."""


def open_engine(url: str) -> Engine:
    """Return an engine on a database that has our tables.

    Args:
        url: `sqlite://` (in memory) or `sqlite:///path/to/file.db`.

    Raises:
        StoreError: the address is no SQLite address, or the database cannot be opened.
    """
    engine = _engine(url)
    try:
        metadata.create_all(engine)
    except DatabaseError as error:
        engine.dispose()
        raise StoreError(
            f"the database {url} cannot be opened: {error.orig}; check path, rights and format"
        ) from error
    return engine


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite:"):
        raise StoreError(f'"{url}" is no SQLite address; write sqlite:// or sqlite:///file.db')
    in_memory = url in {"sqlite://", "sqlite:///:memory:"}
    options: dict[str, Any] = (
        {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        if in_memory
        else {"connect_args": {"timeout": 60}}
    )
    try:
        engine = create_engine(url, **options)
    except ArgumentError as error:
        raise StoreError(f'"{url}" is no address; write sqlite:///file.db') from error

    def configure(connection: Any, _record: object) -> None:
        """Let us begin transactions ourselves, and lose nothing that was committed."""
        connection.isolation_level = None
        cursor = connection.cursor()
        if not in_memory:
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    def begin(connection: Connection) -> None:
        """Take the write lock now, not at the first write, where it could be too late."""
        reading = connection.get_execution_options().get(READING, False)
        cursor = connection.connection.cursor()
        cursor.execute("BEGIN" if reading else "BEGIN IMMEDIATE")
        cursor.close()

    sa_event.listen(engine, "connect", configure)
    sa_event.listen(engine, "begin", begin)
    return engine
