"""Watches the system clock: what jumps or runs ahead is told, and nothing is settled early by it.

A clock that is behind makes things late, which the next beat fixes. One that is ahead would make
them early, which nothing fixes; so while it is ahead nothing is settled. The witness is the clock
of the database where it has one, else the steady time that has passed since the beat before.
"""

from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

from sublife.events.logs import log
from sublife.lifecycle.model import iso

REMIND_SECONDS = 60.0
"""How often it is told again that the clock is ahead."""

FAR = timedelta(days=60)
"""For so long a database may have been at rest before the clock is suspected to be ahead."""
_LINES = 8
"""How many settings back are remembered."""
_AT_ONCE_SECONDS = 0.1
_LOOKS = 10
"""How often two clocks are read until both are read at once; on a busy machine it may take two."""


class SteadyClock(Protocol):
    """A clock that also counts seconds nobody can set."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...

    def steady(self) -> float:
        """Return seconds since some instant."""
        ...


class Watch:
    """The clock of a daemon: the system's, as long as it can be believed.

    Args:
        clock: the system's.
        tolerance_seconds: how far it may jump, or be ahead of its witness.
    """

    def __init__(self, clock: SteadyClock, tolerance_seconds: float) -> None:
        self._clock = clock
        self._tolerance = timedelta(seconds=tolerance_seconds)
        self._lock = Lock()
        self._believed_at, self._steady_at = self._look()
        self._lines: tuple[datetime, ...] = ()
        self._is_held = False
        self._is_behind = False
        self._has_witness = False
        self._latest_at: datetime | None = None
        self._rest: timedelta | None = None
        self._told_at = 0.0

    @property
    def is_held(self) -> bool:
        """Whether the clock is ahead, so that nothing is settled."""
        return self._is_held

    def now(self) -> datetime:
        """Return what the system clock says, or where it is ahead, what it should say (UTC)."""
        with self._lock:
            wall, steady, expected = self._read()
            return expected if self._is_ahead(wall, steady, expected) else wall

    def steady(self) -> float:
        """Return seconds since some instant that nobody can set."""
        return self._clock.steady()

    def settles_until(self) -> datetime | None:
        """Return the instant up to which to settle now; `None` where the clock is ahead."""
        with self._lock:
            wall, steady, expected = self._read()
            return None if self._is_ahead(wall, steady, expected) else wall

    def doubt(self) -> str | None:
        """Return why the clock cannot be believed, with what to do; `None` if it can."""
        with self._lock:
            wall, steady, expected = self._read()
            if self._is_ahead(wall, steady, expected):
                return "the system clock is ahead, so nothing is settled; set it, or see the log"
            if self._has_witness:
                says = "the system clock is behind the database's; set it"
                return says if self._is_behind else None
            return self._against_history(wall)

    def _against_history(self, wall: datetime) -> str | None:
        latest = self._latest_at
        if latest is not None and latest - wall > self._tolerance:
            return (
                f"the system clock shows {iso(wall)}, before the latest instant known, "
                f"{iso(latest)}; set it, or if it is right, start the daemon with clock_is_right"
            )
        if self._rest is not None:
            return (
                f"nothing had been written for {self._rest.days} days when the daemon started; "
                "set the system clock if it is ahead, or if it is right, restart the daemon"
            )
        return None

    def compare(self, witness: datetime | None) -> bool:
        """Compare the clock with its witness, and tell what is wrong; return whether it is ahead.

        Args:
            witness: what the database's own clock says; `None` where it has none.
        """
        with self._lock:
            wall, steady, expected = self._read()
            jump = wall - expected
            if abs(jump) > self._tolerance and not self._is_held:
                log.warning("clock_jumped", seconds=jump.total_seconds(), clock=iso(wall))
            self._has_witness = witness is not None
            true_at = expected if witness is None else witness
            if witness is None and self._was_believed(wall, steady):
                true_at = wall
            ahead = wall - true_at
            if ahead > self._tolerance:
                self._hold(ahead, wall, steady, is_witnessed=witness is not None)
                self._believed_at, self._steady_at = true_at, steady
            else:
                self._release(wall)
                self._keep_lines(jump, steady, wall)
                self._tell_if_behind(ahead if witness is not None else timedelta(0), wall)
                self._believed_at, self._steady_at = wall, steady
            return self._is_held

    def compare_with_history(self, latest_at: datetime | None, *, is_right: bool = False) -> None:
        """Compare the clock with what is written down, and tell if either looks wrong.

        Args:
            latest_at: UTC instant at which anybody last wrote something down.
            is_right: the operator says that the clock is right, whatever was written.
        """
        now = self._clock.now()
        if not is_right:
            self._latest_at = max(latest_at or now, now)
        if latest_at is not None and now - latest_at > FAR and not is_right:
            self._rest = now - latest_at
            log.warning(
                "clock_far_ahead_of_history",
                seconds=self._rest.total_seconds(),
                clock=iso(now),
                latest=iso(latest_at),
                remedy="see that the system clock is right; if it is, restart the daemon",
            )
        if latest_at is not None and latest_at - now > self._tolerance:
            log.warning(
                "clock_behind_history",
                seconds=(latest_at - now).total_seconds(),
                clock=iso(now),
                latest=iso(latest_at),
                remedy="set the system clock; until then what is due happens late, never early",
            )

    def _is_ahead(self, wall: datetime, steady: float, expected: datetime) -> bool:
        if self._is_held:
            return True
        return wall - expected > self._tolerance and not self._was_believed(wall, steady)

    def _was_believed(self, wall: datetime, steady: float) -> bool:
        """Return whether the clock is back where it was before it was set back."""
        passed = timedelta(seconds=steady)
        return any(abs(wall - (line + passed)) <= self._tolerance for line in self._lines)

    def _keep_lines(self, jump: timedelta, steady: float, wall: datetime) -> None:
        """Remember where the clock would be if it had not been set back.

        Being set right later is then no jump ahead: it was believed there before, so nothing
        happens early.
        """
        passed = timedelta(seconds=steady)
        lines = self._lines
        if jump < -self._tolerance:
            lines = (*lines, wall - jump - passed)[-_LINES:]
        self._lines = tuple(line for line in lines if line + passed - wall > self._tolerance)
        if self._latest_at is not None:
            self._latest_at = max(self._latest_at, wall, wall - jump)

    def _read(self) -> tuple[datetime, float, datetime]:
        """Return what the clock says, the steady time, and what the clock should say by it."""
        wall, steady = self._look()
        return wall, steady, self._believed_at + timedelta(seconds=steady - self._steady_at)

    def _look(self) -> tuple[datetime, float]:
        """Return what the clock and the steady time say at one instant.

        A process that is stopped between the two would take its own pause for a jump.
        """
        before, wall, steady = self._clock.steady(), self._clock.now(), self._clock.steady()
        for _ in range(_LOOKS):
            if steady - before <= _AT_ONCE_SECONDS:
                break
            before, wall, steady = steady, self._clock.now(), self._clock.steady()
        return wall, steady

    def _hold(self, ahead: timedelta, wall: datetime, steady: float, *, is_witnessed: bool) -> None:
        if self._is_held and steady - self._told_at < REMIND_SECONDS:
            return
        self._is_held, self._told_at = True, steady
        log.error(
            "clock_ahead",
            seconds=ahead.total_seconds(),
            clock=iso(wall),
            witness="database" if is_witnessed else "time passed",
            remedy="nothing is settled until it agrees; set the system clock"
            if is_witnessed
            else "nothing is settled until it agrees; set the system clock, or, if it is right "
            "now, start the daemon anew",
        )

    def _release(self, wall: datetime) -> None:
        if self._is_held:
            self._is_held = False
            log.warning("clock_agrees", clock=iso(wall))

    def _tell_if_behind(self, ahead: timedelta, wall: datetime) -> None:
        is_behind = -ahead > self._tolerance
        if is_behind and not self._is_behind:
            log.warning(
                "clock_behind",
                seconds=-ahead.total_seconds(),
                clock=iso(wall),
                remedy="set the system clock; until then what is due happens late, never early",
            )
        self._is_behind = is_behind
