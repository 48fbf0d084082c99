"""Duties that ring again and again: none twice at once, none forgotten."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from threading import Event as Signal
from typing import TYPE_CHECKING

import pytest

from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon import beat as module
from sublife.scheduler.daemon.beat import Beat

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

NEVER = 3600.0
SOON = 60


@pytest.fixture
def beat() -> Iterator[Beat]:
    """Duties that end with the test."""
    beat = Beat()
    yield beat
    beat.end()


def counting(times: int, delay: Callable[[int], float]) -> tuple[Callable[[], float], Signal]:
    """Return work that signals when it has been done so many times."""
    done, count = Signal(), 0

    def work() -> float:
        nonlocal count
        count += 1
        if count == times:
            done.set()
        return delay(count)

    return work, done


def test_a_duty_rings_at_once_and_then_when_it_says(beat: Beat) -> None:
    """Its work returns how long to wait."""
    work, done = counting(3, lambda count: 0.01 if count < 3 else NEVER)

    beat.add("work", work)
    beat.start()

    assert done.wait(SOON)


def test_a_ring_from_outside_wakes_it_early(beat: Beat) -> None:
    """Nobody waits for the next beat once something near is told."""
    work, done = counting(2, lambda _count: NEVER)
    first, begun = counting(1, lambda _count: NEVER)
    beat.add("work", lambda: first() + work())
    beat.start()
    assert begun.wait(SOON)

    beat.ring("work")

    assert done.wait(SOON)


def test_a_ring_during_the_work_is_not_lost(beat: Beat) -> None:
    """What is told while it looks may have come too late to be seen."""
    rung, done = Signal(), Signal()
    count = 0

    def work() -> float:
        nonlocal count
        count += 1
        if count == 1:
            beat.ring("work")
            rung.set()
        else:
            done.set()
        return NEVER

    beat.add("work", work)
    beat.start()

    assert rung.wait(SOON)
    assert done.wait(SOON)


def test_a_fault_is_told_and_is_not_the_last_ring(
    beat: Beat, told: "Told", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that has stopped beating would be worse than one that fails now and then."""
    monkeypatch.setattr(module, "AFTER_FAULT_SECONDS", 0.01)
    work, done = counting(2, lambda count: 1 // (count - 1) and NEVER)

    beat.add("work", work)
    beat.start()

    assert done.wait(SOON)
    assert [each["duty"] for each in told("duty_broken")] == ["work"]


def test_a_clock_that_is_set_back_silences_nobody(
    beat: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """APScheduler would wait for a day; steady time says that the duty is overdue."""
    work, done = counting(1, lambda _count: NEVER)
    ahead = [timedelta(days=1)]

    class Jumping(SystemClock):
        def now(self) -> datetime:
            return super().now() + ahead.pop() if ahead else super().now()

    monkeypatch.setattr(module, "SystemClock", Jumping)
    jumped = Beat()
    jumped.add("work", work)
    jumped.start()
    monkeypatch.setattr(module, "OVERDUE_SECONDS", -1.0)

    was_silent = not done.is_set()
    jumped.tend()

    assert was_silent
    assert done.wait(SOON)
    jumped.end()


def test_the_end_waits_for_the_work_under_way(beat: Beat) -> None:
    """And nothing rings after it."""
    begun, release = Signal(), Signal()
    finished: list[str] = []

    def work() -> float:
        begun.set()
        release.wait(SOON)
        finished.append("done")
        return 0

    other = Beat()
    other.add("work", work)
    other.start()
    assert begun.wait(SOON)

    release.set()
    other.end()

    assert finished == ["done"]


def test_a_duty_that_is_to_come_later_does_not_ring_at_once(beat: Beat) -> None:
    """As the housekeeping, which leaves the database to the start."""
    later, rang = counting(1, lambda _count: NEVER)
    now, done = counting(1, lambda _count: NEVER)
    beat.add("later", later, after=NEVER)
    beat.add("now", now)

    beat.start()

    assert done.wait(SOON)
    assert not rang.is_set()
