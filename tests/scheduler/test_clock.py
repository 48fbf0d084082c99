"""The two clocks: the machine's own and a simulated one."""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from sublife.lifecycle.model import ModelError
from sublife.scheduler.clock import ClockError, SimulatedClock, SystemClock

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

AT = datetime(2025, 9, 30, 23, 59, 59, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class TestSystemClock:
    @pytest.mark.freeze_time("2025-09-30 23:59:59")
    def test_it_reads_the_wall_clock_in_utc(self) -> None:
        """GEN-01: one clock, UTC."""
        now = SystemClock().now()

        assert now == AT
        assert now.tzinfo is UTC

    def test_it_shows_the_same_instant_wherever_the_machine_stands(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """GEN-01: local time is never used."""
        shown: list[datetime] = []
        for zone in ("Asia/Tokyo", "America/Los_Angeles"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            shown.append(SystemClock().now())
        monkeypatch.undo()
        time.tzset()

        assert abs(shown[1] - shown[0]) < timedelta(minutes=1)

    @pytest.mark.freeze_time("2025-09-30 23:59:59")
    def test_steady_seconds_go_on_whatever_the_clock_is_set_to(
        self, freezer: "FrozenDateTimeFactory"
    ) -> None:
        """A clock that jumps a day ahead or back moves them by nothing of the kind."""
        clock = SystemClock()
        before = clock.steady()

        freezer.move_to("2025-10-01 23:59:59")
        ahead = clock.steady() - before
        freezer.move_to("2025-09-29 23:59:59")
        back = clock.steady() - before

        assert 0 <= ahead <= back < 3600

    @pytest.mark.freeze_time("2025-09-30 23:59:59")
    def test_it_goes_on_by_itself(self, freezer: "FrozenDateTimeFactory") -> None:
        """It is read anew every time."""
        clock = SystemClock()
        before = clock.now()

        freezer.tick(1)

        assert clock.now() - before == SECOND


class TestSimulatedClock:
    def test_it_stands_still_until_it_is_moved(self) -> None:
        """Time is what the scenario says it is."""
        clock = SimulatedClock(AT)

        first, second = clock.now(), clock.now()
        clock.move(AT + SECOND)

        assert (first, second, clock.now()) == (AT, AT, AT + SECOND)

    def test_it_never_goes_back(self) -> None:
        """The message says what it shows and what to do."""
        clock = SimulatedClock(AT)

        with pytest.raises(ClockError) as caught:
            clock.move(AT - SECOND)

        assert clock.now() == AT
        assert "2025-09-30T23:59:59Z" in str(caught.value)
        assert "2025-09-30T23:59:58Z" in str(caught.value)
        assert "date the step later" in str(caught.value)

    def test_it_may_be_moved_to_where_it_is(self) -> None:
        """Two things happen at one instant."""
        clock = SimulatedClock(AT)

        clock.move(AT)

        assert clock.now() == AT

    def test_it_shows_utc_whatever_zone_it_is_given(self) -> None:
        """GEN-01: the same instant in the one zone there is."""
        clock = SimulatedClock(AT.astimezone(timezone(timedelta(hours=2))))
        started = clock.now()

        clock.move((AT + SECOND).astimezone(timezone(timedelta(hours=-8))))

        assert (started, clock.now()) == (AT, AT + SECOND)
        assert started.tzinfo is clock.now().tzinfo is UTC

    def test_it_is_not_set_to_an_instant_without_a_zone(self) -> None:
        """GEN-01: that names no instant."""
        with pytest.raises(ModelError, match="has no time zone; write 2025-09-30T23:59:59Z"):
            SimulatedClock(AT.replace(tzinfo=None))

    def test_it_is_not_moved_to_an_instant_without_a_zone(self) -> None:
        """GEN-01: nor later."""
        clock = SimulatedClock(AT)

        with pytest.raises(ModelError, match="has no time zone"):
            clock.move((AT + SECOND).replace(tzinfo=None))

        assert clock.now() == AT

    def test_to_itself_it_never_jumps(self) -> None:
        """Its steady seconds are those it was moved by."""
        clock = SimulatedClock(AT)
        before = clock.steady()

        clock.move(AT + timedelta(days=30))

        assert clock.steady() - before == timedelta(days=30).total_seconds()
