"""Limits: requests per second of one caller, and bytes of one body."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from threading import Lock
from time import monotonic
from typing import Any

from sublife.scheduler.api.problem import Problem

MOST_CALLERS = 10_000
"""Callers remembered at once; those not heard of for longest are forgotten first."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Buckets:
    """One token bucket per caller, in this process.

    Args:
        rate: requests per second that fill a bucket.
        burst: requests that a full bucket holds.
        tick: seconds that only go forward.
    """

    def __init__(self, rate: float, burst: int, *, tick: Callable[[], float] = monotonic) -> None:
        self.rate, self.burst = rate, burst
        self._tick = tick
        self._lock = Lock()
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one request out of a caller's bucket.

        Returns:
            0, or the seconds until there is one again.
        """
        now = self._tick()
        with self._lock:
            left, since = self._filled.pop(caller, (float(self.burst), now))
            left = min(self.burst, left + (now - since) * self.rate)
            wait = 0.0 if left >= 1 else (1 - left) / self.rate
            self._filled[caller] = (left if wait else left - 1, now)
            if len(self._filled) > MOST_CALLERS:
                self._filled.popitem(last=False)
            return wait


def bounded(receive: Receive, most: int) -> Receive:
    """Return *receive* for a body of at most so many bytes, however it is sent.

    Raises:
        Problem: 413, as soon as there are more.
    """
    count = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal count
        part = await receive()
        count += len(part.get("body", b""))
        if count > most:
            raise too_large(most)
        return part

    return counted


def too_large(most: int) -> Problem:
    """Return that a body is too large."""
    return Problem(
        413,
        "BODY_TOO_LARGE",
        f"the body has more than {most} bytes; send less",
        headers={"Connection": "close"},
    )
