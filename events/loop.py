"""Lets one asynchronous store be used in several event loops, one after another."""

from asyncio import AbstractEventLoop, Lock, get_running_loop
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from threading import Lock as ThreadLock
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import StaticPool
from sqlalchemy.util.concurrency import greenlet_spawn

from sublife.events.store import StoreError


class Loops:
    """The event loops in which the connections of an engine are used.

    What a task of asyncio has once waited for belongs to the loop of that task: a lock, and the
    queue in which a pool keeps its idle connections. So each loop has a lock of its own, and a
    pool begins again when another loop uses it.

    Args:
        engine: whose connections they are.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # All share the one connection of a database in memory, so they take turns.
        self._is_one = isinstance(engine.pool, StaticPool)
        self._locks: WeakKeyDictionary[AbstractEventLoop, Lock] = WeakKeyDictionary()
        self._is_taken = ThreadLock()
        self._latest: ReferenceType[AbstractEventLoop] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until this task may use a connection; hold it until the block ends.

        Raises:
            StoreError: the database is in memory, and a task of another loop is using it.
        """
        if self._is_one:
            async with self._alone():
                yield
            return
        await self._follow()
        yield

    async def _follow(self) -> None:
        """Close the idle connections of another loop, and with them the queue they lie in."""
        loop, latest = get_running_loop(), self._latest
        if latest is not None and latest() is loop:
            return
        self._latest = ref(loop)
        if latest is not None:
            before = self._engine.pool
            self._engine.sync_engine.dispose(close=False)  # at once: other tasks go on meanwhile
            await greenlet_spawn(before.dispose)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        async with self._locks.setdefault(get_running_loop(), Lock()):
            if not self._is_taken.acquire(blocking=False):
                raise StoreError(
                    "another event loop is using this database in memory, which has one "
                    "connection; use it in one loop at a time, or open a file"
                )
            try:
                yield
            finally:
                self._is_taken.release()
