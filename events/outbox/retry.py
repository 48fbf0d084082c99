"""When a failed attempt is made again: exponential backoff with full jitter, over days. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeAlias

Chance: TypeAlias = Callable[[], float]
"""Returns a number from 0, inclusive, to 1, exclusive, another one each time."""

_DOUBLINGS = 40
"""More of them lead beyond any ceiling."""
_LONGEST_HEADER = 100
"""Characters of a `Retry-After` that can mean something: a date has 29."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long something is tried.

    Args:
        first_seconds: the longest wait after the first attempt; it doubles with each.
        ceiling_seconds: the longest wait of all; a receiver's `Retry-After` counts up to it.
        give_up_after: since the first attempt; the last one is made then.
        attempts: at most; as many as the time allows if not given.
    """

    first_seconds: float = 5
    ceiling_seconds: float = 12 * 60 * 60
    give_up_after: timedelta = timedelta(days=3)
    attempts: int | None = None

    def next_at(
        self,
        attempt: int,
        now: datetime,
        *,
        first_at: datetime,
        chance: Chance,
        retry_after: str | None = None,
    ) -> datetime | None:
        """Return when to try again, or `None` to give up.

        Args:
            attempt: the number of the one that has just failed, from 1.
            now: UTC instant.
            first_at: UTC instant of the first attempt.
            chance: for the jitter.
            retry_after: the header of that name, in seconds or as a date.
        """
        last_at = first_at + self.give_up_after
        if now >= last_at or (self.attempts is not None and attempt >= self.attempts):
            return None
        longest = self.first_seconds * 2.0 ** min(attempt - 1, _DOUBLINGS)
        wait = chance() * min(self.ceiling_seconds, longest)
        asked = min(asked_seconds(retry_after, now), self.ceiling_seconds)
        return min(now + timedelta(seconds=max(wait, asked)), last_at)


def asked_seconds(retry_after: str | None, now: datetime) -> float:
    """Return how many seconds a receiver asks to wait; 0 for a header that cannot be read.

    Digits may be any number of them: so many seconds are infinity.
    """
    text = (retry_after or "").strip()
    if not text.isascii():
        return 0.0
    if text.isdecimal():
        return float(text)
    if len(text) > _LONGEST_HEADER:
        return 0.0
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a part has more digits than a C integer
        return 0.0
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max((aware - now).total_seconds(), 0.0)
