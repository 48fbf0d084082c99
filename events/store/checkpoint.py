"""Copies the write-ahead log of a SQLite file into it beside the work, so that no commit waits."""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

Begin = Callable[[], None]
"""Begins a copy, unless one is under way."""


@contextmanager
def copying(engine: Engine | None) -> Generator[Begin]:
    """Yield what copies the log in a thread of its own; the block ends when that is done.

    Else every few commits would copy it, and wait for the disk once more. On another database, in
    memory or in a host's transaction there is nothing to copy, and asyncio's driver answers no
    thread of ours: what is yielded does nothing then.

    Args:
        engine: of the database; `None` if a host commits.
    """
    if engine is None or not _has_log(engine):
        yield _nothing
        return
    with ThreadPoolExecutor(1, thread_name_prefix="checkpoint") as pool:
        running: Future[None] | None = None

        def begin() -> None:
            nonlocal running
            if running is None or running.done():
                running = pool.submit(_copy, engine)

        yield begin


def _has_log(engine: Engine) -> bool:
    is_file = engine.dialect.name == "sqlite" and not isinstance(engine.pool, StaticPool)
    return is_file and not engine.dialect.is_async


def _nothing() -> None:
    """Copy no log."""


def _copy(engine: Engine) -> None:
    """Copy what is committed and nobody reads any more; what cannot be copied stays in the log."""
    with suppress(SQLAlchemyError, engine.dialect.loaded_dbapi.Error):
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        finally:
            connection.close()
