"""Sets our connections to a SQLite file, and sees that each still writes to the file it opened."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy import event as sa_event

from sublife.events.store.error import damaged
from sublife.events.store.file import Opened, opened_at, path_of

_OPENED = "sublife_opened"
"""Where a connection remembers which file it has open."""
_CACHE_KIB = 32 * 1024
"""Pages a connection may keep: those that a night writes again and again have room in it."""
_LOG_PAGES = 4000
"""Pages in the write-ahead log from which a commit copies them into the file: a batch has fewer."""


def configure(engine: Engine, *, reading: bool = False) -> None:
    """Let every connection of an engine lose nothing, and have one and the same file open.

    Args:
        engine: of ours, on SQLite.
        reading: its connections only read, and leave the file as it is.
    """
    path = path_of(engine.url)
    first: list[Opened] = []

    def connecting(*_arguments: Any) -> None:
        for each in first:  # SQLite would make an empty file in place of one that is gone
            each.demand()

    def connected(connection: Any, record: Any) -> None:
        try:
            _set(connection, reading=reading)
        except UnicodeDecodeError as error:  # what SQLite says of damage quotes what it found
            raise damaged(f"the database file {path} is damaged (its schema is no text)") from error
        if path is not None and not reading:
            record.info[_OPENED] = opened_at(path)
            first[:] = first or [record.info[_OPENED]]

    sa_event.listen(engine, "do_connect", connecting)
    sa_event.listen(engine, "connect", connected)


def _set(connection: Any, *, reading: bool) -> None:
    cursor = connection.cursor()
    if not reading:
        _write_ahead(cursor)
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Lose nothing that was committed, and let readers read while somebody writes.

    A file that writes ahead already is left alone: setting the mode takes a lock.
    """
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")


def demand_same_file(connection: Any) -> None:
    """Do nothing if a pooled connection writes to the file at the path it was opened by.

    It costs one look at the path. A host's own engine is not looked after.

    Raises:
        ReplacedError: the file was deleted, moved or replaced.
    """
    opened: Opened | None = connection.info.get(_OPENED)
    if opened is not None:
        opened.demand()


def path_of_connection(connection: Any) -> Path | None:
    """Return the path of the file that a connection has open; `None` where it does not say."""
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA database_list")
        rows = cursor.fetchall()
        cursor.close()
    except Exception:  # noqa: BLE001 – it is asked after an error, which is the one to report
        return None
    name = next((row[2] for row in rows if row[1] == "main"), "")
    return Path(name) if name else None
