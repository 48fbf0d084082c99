"""Ends posting within a bounded time: no post begins any more, and those under way are cut off."""

import asyncio
from collections.abc import Awaitable
from threading import Event as Signal
from typing import TypeVar

T = TypeVar("T")


class Ending:
    """Whether posting is to end, and until when the posts under way may go on.

    Args:
        stop: set from another thread or a signal handler; never, if not given.
    """

    def __init__(self, stop: Signal | None = None) -> None:
        self._stop = stop or Signal()
        self._ends_at: float | None = None
        self._limits: set[asyncio.Timeout] = set()

    @property
    def has_begun(self) -> bool:
        """Whether no post may begin any more."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> None:
        """Block until the end begins, but not longer than *seconds*."""
        self._stop.wait(seconds)

    def cut_off_after(self, seconds: float) -> None:
        """Cut off what is still under way then."""
        self._ends_at = asyncio.get_running_loop().time() + seconds
        for each in self._limits:
            each.reschedule(self._ends_at)

    async def within(self, work: Awaitable[T]) -> T | None:
        """Return what comes of *work*, or `None` if it was cut off."""
        limit = asyncio.timeout_at(self._ends_at)
        self._limits.add(limit)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            return None
        finally:
            self._limits.discard(limit)
