"""Gives a child process connections of its own where its parent opened a store before the fork."""

import os
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Engine
from sqlalchemy.pool import Pool, QueuePool, StaticPool

from sublife.events.store.error import ForkedError
from sublife.events.store.file import path_of

_engines: "WeakSet[Engine]" = WeakSet()
"""Those that stores of this process work on."""
_busy: "WeakSet[Engine]" = WeakSet()
"""Those on a SQLite file that was in use when the process was forked."""
_lost: "WeakKeyDictionary[Engine, str]" = WeakKeyDictionary()
"""Those that cannot be used in this process, and why."""
_inherited: list[Pool] = []
"""Pools of the parent. SQLite forbids a child even to close what its parent opened."""


def survive_fork(engine: Engine) -> None:
    """See that no child process shares a connection of an engine with its parent."""
    _engines.add(engine)


def demand_own(engine: Engine) -> None:
    """Do nothing if this process may use an engine.

    Raises:
        ForkedError: the process was forked off in the middle of a transaction on SQLite, or the
            database is in the memory of its parent.
    """
    if _lost and engine in _lost:
        raise ForkedError(_lost[engine])


def _before() -> None:
    """Close idle connections to SQLite files: what SQLite knows of its locks is copied by a fork.

    A child that took over such knowledge would not lock the file, and its parent, at its end,
    would remove the log that the child still writes.
    """
    _busy.clear()
    for engine in list(_engines):
        if not _is_file(engine) or engine.dialect.is_async:
            continue
        if _is_in_use(engine.pool):
            _busy.add(engine)
        else:
            engine.dispose()


def _in_parent() -> None:
    _busy.clear()


def _in_child() -> None:
    """Leave every connection to the parent, and refuse what is not safe without it."""
    for engine in list(_engines):
        if isinstance(engine.pool, StaticPool):
            _lost[engine] = _IN_MEMORY
        elif engine in _busy:
            _lost[engine] = _IN_USE
        else:
            _inherited.append(engine.pool)
            engine.dispose(close=False)
    _busy.clear()


def _is_file(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite" and path_of(engine.url) is not None


def _is_in_use(pool: Pool) -> bool:
    return isinstance(pool, QueuePool) and pool.checkedout() > 0


_IN_MEMORY = (
    "the database in memory belongs to the process that this one was forked off, and nothing "
    "written here would reach it; open a store on a file or a server, or one here"
)
_IN_USE = (
    "this process was forked off while a transaction on the SQLite file was under way, and cannot "
    "lock the file; fork when none is, or open the store in the child process"
)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
