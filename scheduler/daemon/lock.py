"""One daemon on one SQLite file: locks that the operating system holds as long as we live."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from fasteners import InterProcessLock  # pyright: ignore[reportMissingTypeStubs]

from sublife.events.store.error import ReplacedError, StoreError
from sublife.events.store.file import (
    Identity,
    Opened,
    demand_file,
    identity_of,
    may_write,
    opened_at,
    path_of,
)
from sublife.events.store.secret import shown_address
from sublife.lifecycle.error import SublifeError
from sublife.scheduler.daemon import inode

SUFFIX = ".daemon"


class SecondDaemonError(SublifeError, RuntimeError):
    """Another daemon works on the file already."""


class NoFileError(SublifeError, RuntimeError):
    """A database in memory is of one process alone, so no daemon can work on it."""


class UnwritableError(SublifeError, RuntimeError):
    """The file or its folder cannot be written to, and a daemon has to."""


@dataclass(frozen=True, slots=True)
class Held:
    """A SQLite file on which we are the only daemon.

    Args:
        opened: the file, by the path of the address.
        companion: the lock file beside it.
        is_safe: the file itself is locked too, so the lock file may be deleted.
    """

    opened: Opened
    companion: Opened
    is_safe: bool

    def demand(self) -> None:
        """Do nothing if the file is still at its path, and we are still the only daemon on it.

        Raises:
            ReplacedError: the file, or the lock file where it is all we have, was deleted, moved
                or replaced.
        """
        self.opened.demand()
        if self.is_safe:
            return
        try:
            self.companion.demand()
        except ReplacedError as error:
            raise ReplacedError(
                f"the lock file {self.companion.path} was deleted or replaced, so another daemon "
                f"may have started on {self.opened.path}; see that none has, then start again"
            ) from error


_ours: set[Path | Identity] = set()
"""What this process holds: the operating system lets one process lock the same file twice."""
_turn = Lock()


@contextmanager
def alone(url: str) -> Generator[Held | None]:
    """Be the only daemon on a SQLite file; on PostgreSQL there may be any number.

    The file itself is locked where the operating system can (see `inode`), by whatever path or
    link it is reached, and a file beside it everywhere. Both locks are free as soon as the process
    has ended, however it ended. The file beside it stays, and means nothing.

    Args:
        url: of the database.

    Yields:
        What is held; `None` on PostgreSQL.

    Raises:
        NoFileError: it is in memory.
        MissingError: there is no such file.
        UnwritableError: the file or its folder cannot be written to.
        SecondDaemonError: another daemon holds it.
    """
    path = file_of(url)
    if path is None:
        yield None
        return
    demand_file(url)
    named = path_of(url) or path
    opened = opened_at(named)
    if opened.identity is None:
        raise StoreError(f"the database file {path} cannot be looked at; check path and rights")
    _demand_writable(path)
    with _known(path, opened.identity), _companion(path) as companion:
        is_safe = _lock(path, opened.identity)
        try:
            yield Held(opened, companion, is_safe)
        finally:
            inode.unlock(opened.identity)


def file_of(url: str) -> Path | None:
    """Return the resolved path of a SQLite file; `None` for another database.

    Raises:
        NoFileError: the database is in memory.
        StoreError: it is no address.
    """
    if not url.partition(":")[0].startswith("sqlite"):
        return None
    path = path_of(url)
    if path is None:
        raise NoFileError(
            f'"{shown_address(url)}" is in memory; give the daemon a file: sqlite:///store.db'
        )
    return path.resolve()


def _demand_writable(path: Path) -> None:
    for each in (path, path.parent):
        if not may_write(each):
            raise UnwritableError(_unwritable(path, f"{each} cannot be written to"))


def _unwritable(path: Path, why: str) -> str:
    return (
        f"a daemon writes to {path} and its folder, and {why}; give its user the right to write "
        "there, on a file system that is mounted for writing. Commands that only read work"
    )


@contextmanager
def _known(path: Path, identity: Identity) -> Generator[None]:
    """Hold a file in this process."""
    mine: set[Path | Identity] = {path, identity}
    with _turn:
        if mine & _ours:
            raise SecondDaemonError(_second(path))
        _ours.update(mine)
    try:
        yield
    finally:
        with _turn:
            _ours.difference_update(mine)


@contextmanager
def _companion(path: Path) -> Generator[Opened]:
    """Hold the lock file beside a database, and give which file that is."""
    lock = InterProcessLock(path.with_name(path.name + SUFFIX))
    try:
        is_held = lock.acquire(blocking=False)
    except OSError as error:
        why = f"{path.name}{SUFFIX} cannot be made: {error.strerror}"
        raise UnwritableError(_unwritable(path, why)) from error
    if not is_held:
        if lock.lockfile is not None:
            lock.lockfile.close()
        raise SecondDaemonError(_second(path))
    try:
        descriptor = lock.lockfile.fileno() if lock.lockfile else -1
        yield Opened(path.with_name(path.name + SUFFIX), identity_of(descriptor))
    finally:
        lock.release()


def _lock(path: Path, identity: Identity) -> bool:
    try:
        return inode.lock(path, identity)
    except inode.Taken as error:
        raise SecondDaemonError(_second(path)) from error
    except OSError as error:
        why = f"it cannot be opened: {error.strerror}"
        raise UnwritableError(_unwritable(path, why)) from error


def _second(path: Path) -> str:
    return (
        f"another daemon works on {path} already, and a SQLite file takes one alone; stop it, "
        "or move to PostgreSQL, which takes any number"
    )


def _forget() -> None:
    """Hold nothing in a child that was forked off."""
    _ours.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
