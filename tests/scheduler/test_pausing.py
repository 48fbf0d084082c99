"""sublife pause and resume: what they say, and that all processes keep to it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import settle
from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
NOW = datetime(2025, 9, 15, 12, tzinfo=UTC)
AFTERWARDS = datetime(2025, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(set_now: Callable[[datetime], None]) -> None:
    """The commands are run at NOW."""
    set_now(NOW)


def settled(url: str) -> int:
    """Return how much another process settles."""
    store = Store.open(url, clock=SimulatedClock(AFTERWARDS))
    try:
        return settle(store, AFTERWARDS).count
    finally:
        store.close()


@pytest.mark.parametrize(
    ("options", "scope", "remedy"),
    [
        ((), "everything", "sublife resume"),
        (("--tenant", "default"), "tenant default", "sublife resume --tenant default"),
        (
            ("--lifecycle", "subscription"),
            "lifecycle subscription of every tenant",
            "sublife resume --lifecycle subscription",
        ),
    ],
)
def test_what_is_paused_stands_still_until_it_is_resumed(
    lapsing: str, sublife: Sublife, options: tuple[str, ...], scope: str, remedy: str
) -> None:
    """It says who, when, why, and how it ends."""
    asked = ("--store", lapsing, *options, "--by", "amy")

    paused = sublife("pause", *asked, "--reason", "audit")
    meanwhile = settled(lapsing)
    resumed = sublife("resume", *asked)

    assert paused.status == resumed.status == 0
    assert f"{scope} was paused by amy at 2025-09-15T12:00:00Z: audit" in paused.out
    assert f"end it with: {remedy}\n" in paused.out
    assert resumed.out == f"resumed: {scope}\n"
    assert (meanwhile, settled(lapsing)) == (0, 6)


def test_whoever_runs_the_command_pauses_if_nobody_else_is_named(
    lapsing: str, sublife: Sublife, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every change has somebody who asked for it."""
    monkeypatch.setattr("getpass.getuser", lambda: "bob")

    said = sublife("pause", "--store", lapsing, "--reason", "audit")

    assert "everything was paused by bob" in said.out


def test_a_second_pause_tells_of_the_first(lapsing: str, sublife: Sublife) -> None:
    """It is paused already; who did it stays known."""
    sublife("pause", "--store", lapsing, "--reason", "audit", "--by", "amy")

    said = sublife("pause", "--store", lapsing, "--reason", "other", "--by", "bob")

    assert (said.status, "paused by amy" in said.out) == (0, True)


def test_resuming_tells_what_is_still_paused(lapsing: str, sublife: Sublife) -> None:
    """One pause does not end another."""
    for options in ((), ("--lifecycle", "migration")):
        sublife("pause", "--store", lapsing, "--reason", "audit", "--by", "amy", *options)

    said = sublife("resume", "--store", lapsing)

    assert "still paused: lifecycle migration of every tenant was paused by amy" in said.out


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("resume",), "everything is not paused; nothing is"),
        (("pause", "--reason", " "), '"reason" of a pause is empty'),
        (("pause", "--reason", "audit", "--lifecycle", "order"), 'no lifecycle "order"'),
        (("pause", "--reason", "audit", "--tenant", "nobody"), 'nothing of tenant "nobody"'),
        (("pause",), "Missing option '--reason'"),
    ],
)
def test_what_cannot_be_is_status_2(
    lapsing: str, sublife: Sublife, command: tuple[str, ...], says: str
) -> None:
    """And nothing is paused by it."""
    said = sublife(*command, "--store", lapsing)

    assert said.status == 2
    assert says in said.complaints
    assert settled(lapsing) == 6
