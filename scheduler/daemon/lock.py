"""One daemon on one SQLite file: a lock that the operating system holds as long as we live."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fasteners import InterProcessLock  # pyright: ignore[reportMissingTypeStubs]

SUFFIX = ".daemon"


class SecondDaemonError(RuntimeError):
    """Another daemon works on the file already."""


class NoFileError(RuntimeError):
    """A database in memory is of one process alone, so no daemon can work on it."""


@contextmanager
def alone(url: str) -> Generator[None]:
    """Be the only daemon on a SQLite file; on PostgreSQL there may be any number.

    The lock is a file beside the database, on its resolved path; it is free as soon as the process
    has ended, however it ended. The file itself stays, and means nothing.

    Args:
        url: of the database.

    Raises:
        NoFileError: it is in memory.
        SecondDaemonError: another daemon holds it.
    """
    path = file_of(url)
    if path is None:
        yield
        return
    lock = InterProcessLock(path.with_name(path.name + SUFFIX))
    if not lock.acquire(blocking=False):
        if lock.lockfile is not None:
            lock.lockfile.close()
        raise SecondDaemonError(
            f"another daemon works on {path} already, and a SQLite file takes one alone; stop it, "
            "or move to PostgreSQL, which takes any number"
        )
    try:
        yield
    finally:
        lock.release()


def file_of(url: str) -> Path | None:
    """Return the resolved path of a SQLite file; `None` for another database.

    Raises:
        NoFileError: the database is in memory.
    """
    scheme, _, rest = url.partition(":")
    if not scheme.startswith("sqlite"):
        return None
    name = rest.removeprefix("///").partition("?")[0]
    if not name or name == ":memory:" or rest == "//":
        raise NoFileError(f'"{url}" is in memory; give the daemon a file: sqlite:///store.db')
    return Path(name).resolve()
