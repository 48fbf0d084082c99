"""The clocks: the system's and a simulated one. The only file that reads the time."""

import time
from datetime import UTC, datetime

from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import iso, utc


class ClockError(SublifeError, ValueError):
    """A simulated clock was asked to go back."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC (GEN-01)."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """Return seconds since some instant; nobody can set them, and they go on in suspend."""
        suspended_too = getattr(time, "CLOCK_BOOTTIME", None)  # Linux alone has it
        return time.monotonic() if suspended_too is None else time.clock_gettime(suspended_too)


class SimulatedClock:
    """A clock that stands still until it is moved.

    Args:
        at: UTC instant it shows first.
    """

    def __init__(self, at: datetime) -> None:
        self._at = utc(at)

    def now(self) -> datetime:
        """Return the instant it was last moved to."""
        return self._at

    def steady(self) -> float:
        """Return seconds that pass as the clock is moved: to itself it never jumps."""
        return self._at.timestamp()

    def move(self, to: datetime) -> None:
        """Show *to* from now on.

        Raises:
            ClockError: *to* is earlier than what it shows.
        """
        to = utc(to, name="to")
        if to < self._at:
            raise ClockError(
                f"the clock shows {iso(self._at)} and cannot go back to {iso(to)}; "
                "date the step later, or move it up"
            )
        self._at = to
