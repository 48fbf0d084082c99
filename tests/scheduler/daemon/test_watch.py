"""The watch over the system clock: what jumps, is ahead or behind, is told and does no harm."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sublife.scheduler.daemon.watch import Watch

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Wall:
    """A system clock that anybody can set, and seconds that nobody can."""

    def __init__(self) -> None:
        self.at = NOON
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at

    def steady(self) -> float:
        return self.seconds

    def passes(self, seconds: float) -> None:
        """Let time pass as it should."""
        self.seconds += seconds
        self.at += timedelta(seconds=seconds)


class TestWithoutWitness:
    def test_a_clock_that_goes_as_time_passes_is_believed(self, told: "Told") -> None:
        """Small corrections every now and then add up to no jump."""
        wall = Wall()
        watch = Watch(wall, 60)

        for _ in range(100):
            wall.passes(3600)
            wall.at += timedelta(seconds=5)
            assert not watch.compare(None)

        assert watch.settles_until() == wall.at
        assert not told("clock_jumped")

    def test_a_jump_ahead_stops_the_settling_until_it_agrees(self, told: "Told") -> None:
        """Never early: no other clock says that it is right."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at += DAY

        is_held = watch.compare(None)
        meanwhile = watch.settles_until()
        wall.at -= DAY
        agrees = not watch.compare(None)

        assert (is_held, meanwhile, agrees) == (True, None, True)
        assert watch.settles_until() == NOON
        assert [each["seconds"] for each in told("clock_jumped")] == [86400.0]
        assert (len(told("clock_ahead")), len(told("clock_agrees"))) == (1, 1)

    def test_a_jump_is_noticed_between_two_comparisons(self) -> None:
        """A turn that begins after the jump settles nothing."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at += DAY

        assert watch.settles_until() is None

    def test_all_others_go_by_the_time_that_has_passed(self) -> None:
        """What is written down meanwhile is not dated by a clock that is ahead."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at += DAY
        watch.compare(None)
        wall.passes(10)

        assert watch.now() == NOON + timedelta(seconds=10)

    def test_it_is_told_again_every_minute_while_it_is_ahead(self, told: "Told") -> None:
        """Loud, and not a line for every beat."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at += DAY

        for _ in range(24):
            watch.compare(None)
            wall.passes(5)

        assert len(told("clock_ahead")) == 2

    def test_a_jump_back_is_told_and_makes_things_late(self, told: "Told") -> None:
        """What is due happens when the clock says so; nothing that has happened is undone."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at -= DAY

        is_held = watch.compare(None)

        assert (is_held, watch.settles_until()) == (False, NOON - DAY)
        assert [each["seconds"] for each in told("clock_jumped")] == [-86400.0]


class Interrupted(Wall):
    """A clock whose reader is stopped just after it has read the wall."""

    pause = 0.0

    def now(self) -> datetime:
        at = self.at
        self.passes(self.pause)
        self.pause = 0.0
        return at


@pytest.mark.parametrize("reading", ["first", "later"])
def test_a_pause_between_its_two_readings_is_no_jump(reading: str, told: "Told") -> None:
    """A stopped process, a busy machine: it would hold the daemon for ever."""
    wall = Interrupted()
    if reading == "first":
        wall.pause = 7200.0
    watch = Watch(wall, 60)
    if reading == "later":
        wall.pause = 7200.0

    held = [watch.compare(None) for _ in range(3)]

    assert held == [False] * 3
    assert watch.settles_until() == NOON + timedelta(hours=2)
    assert not told("clock_jumped")


class TestWithWitness:
    def test_a_clock_that_is_ahead_of_the_database_settles_nothing(self) -> None:
        """From the first beat on."""
        wall = Wall()
        watch = Watch(wall, 60)

        assert watch.compare(NOON - timedelta(seconds=61))
        assert watch.now() == NOON - timedelta(seconds=61)

    def test_within_the_tolerance_they_agree(self) -> None:
        """Two machines never show quite the same."""
        wall = Wall()
        watch = Watch(wall, 60)

        assert not watch.compare(NOON - timedelta(seconds=60))
        assert watch.settles_until() == NOON

    def test_a_jump_ahead_that_the_database_has_made_too_is_believed(self, told: "Told") -> None:
        """After a machine was suspended, both clocks are set right."""
        wall = Wall()
        watch = Watch(wall, 60)
        wall.at += DAY

        is_held = watch.compare(NOON + DAY)

        assert (is_held, watch.settles_until()) == (False, NOON + DAY)
        assert len(told("clock_jumped")) == 1

    def test_a_clock_that_is_behind_is_told_once(self, told: "Told") -> None:
        """It makes things late, which is no reason to stop."""
        wall = Wall()
        watch = Watch(wall, 60)

        held = [watch.compare(NOON + DAY) for _ in range(3)]

        assert held == [False, False, False]
        assert [each["seconds"] for each in told("clock_behind")] == [86400.0]


class TestHistory:
    def test_what_was_written_later_than_it_is_now_is_told(self, told: "Told") -> None:
        """At the start: the clock is behind, or was ahead."""
        watch = Watch(Wall(), 60)

        watch.compare_with_history(NOON + DAY)

        assert [each["seconds"] for each in told("clock_behind_history")] == [86400.0]

    def test_a_history_of_the_past_is_no_news(self, told: "Told") -> None:
        """Nor is an empty one."""
        watch = Watch(Wall(), 60)

        watch.compare_with_history(NOON - DAY)
        watch.compare_with_history(None)

        assert not told("clock_behind_history")
