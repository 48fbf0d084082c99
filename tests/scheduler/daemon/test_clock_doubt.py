"""A clock that was set back and right again is believed; one that looks wrong is never ready."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sublife.scheduler.daemon.watch import FAR, Watch

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


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


def watching(wall: Wall) -> Watch:
    """Return a watch that has seen a history up to now."""
    watch = Watch(wall, 60)
    watch.compare_with_history(wall.at)
    return watch


@pytest.mark.parametrize("back", [HOUR, DAY, timedelta(minutes=2)])
def test_a_clock_set_back_and_right_again_is_believed(back: timedelta) -> None:
    """Without a witness: requests would be dated in the past until a restart."""
    wall = Wall()
    watch = watching(wall)
    wall.at -= back
    watch.compare(None)
    wall.passes(1800)
    watch.compare(None)

    wall.at += back
    before_the_look = watch.now()
    is_held = watch.compare(None)

    assert (is_held, watch.is_held) == (False, False)
    assert before_the_look == watch.now() == watch.settles_until() == NOON + HOUR / 2
    assert watch.doubt() is None


def test_a_clock_set_back_twice_is_believed_at_either_place() -> None:
    """Step by step it comes back."""
    wall = Wall()
    watch = watching(wall)
    for _ in range(2):
        wall.at -= HOUR
        watch.compare(None)

    held: list[bool] = []
    for _ in range(2):
        wall.at += HOUR
        held.append(watch.compare(None))

    assert held == [False, False]
    assert (watch.now(), watch.doubt()) == (NOON, None)


@pytest.mark.parametrize("ahead", [HOUR * 2, HOUR / 2, HOUR + timedelta(minutes=2)])
def test_a_clock_set_anywhere_else_is_still_ahead(ahead: timedelta) -> None:
    """Never early: it was believed an hour ahead of here, and nowhere else."""
    wall = Wall()
    watch = watching(wall)
    wall.at -= HOUR
    watch.compare(None)

    wall.at += ahead

    assert watch.settles_until() is None
    assert watch.compare(None)
    assert "ahead, so nothing is settled" in (watch.doubt() or "")


def test_while_it_is_set_back_the_daemon_is_not_ready() -> None:
    """Requests would be dated before what is written already; it passes by itself."""
    wall = Wall()
    watch = watching(wall)
    wall.at -= HOUR
    watch.compare(None)

    doubt = watch.doubt() or ""
    wall.passes(3600)
    watch.compare(None)

    assert "shows 2026-03-01T11:00:00Z, before the latest instant known" in doubt
    assert watch.doubt() is None


@pytest.mark.parametrize("behind", [timedelta(minutes=2), DAY, timedelta(days=9000)])
def test_a_daemon_started_behind_its_history_is_not_ready(behind: timedelta) -> None:
    """The database has seen later instants than the clock shows."""
    wall = Wall()
    watch = Watch(wall, 60)

    watch.compare_with_history(NOON + behind)
    watch.compare(None)

    assert "start the daemon with clock_is_right" in (watch.doubt() or "")


def test_a_daemon_started_long_after_its_history_is_not_ready(told: "Told") -> None:
    """It may have rested, or the clock may be ahead: a person has to say which."""
    watch = Watch(Wall(), 60)

    watch.compare_with_history(NOON - FAR - DAY)
    watch.compare(None)

    assert "nothing had been written for 61 days" in (watch.doubt() or "")
    assert len(told("clock_far_ahead_of_history")) == 1


@pytest.mark.parametrize("latest", [None, NOON, NOON - FAR, NOON + timedelta(seconds=59)])
def test_a_history_that_may_well_be_right_is_no_doubt(latest: datetime | None) -> None:
    """Empty, of this moment, of a rest, of a clock that shows nearly the same."""
    watch = Watch(Wall(), 60)

    watch.compare_with_history(latest)
    watch.compare(None)

    assert watch.doubt() is None


@pytest.mark.parametrize("latest", [NOON + DAY, NOON - FAR - DAY])
def test_the_operator_may_say_that_the_clock_is_right(latest: datetime) -> None:
    """What a wrong clock once wrote stays written."""
    watch = Watch(Wall(), 60)

    watch.compare_with_history(latest, is_right=True)

    assert watch.doubt() is None


@pytest.mark.parametrize(
    ("witness", "doubt"),
    [(NOON - HOUR, "ahead"), (NOON + HOUR, "behind the database's"), (NOON, None)],
)
def test_where_the_database_has_a_clock_that_alone_counts(
    witness: datetime, doubt: str | None
) -> None:
    """On PostgreSQL."""
    watch = Watch(Wall(), 60)
    watch.compare_with_history(NOON + DAY)

    watch.compare(witness)

    found = watch.doubt()
    assert (found is None) if doubt is None else (doubt in (found or ""))
