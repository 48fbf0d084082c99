"""sublife show: a subject's timeline, how it stands, what comes next, what may be asked."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import settle, submit
from sublife.events.store import Store
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import ChangeSeats
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
NOW = datetime(2025, 10, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(set_now: Callable[[datetime], None]) -> None:
    """The commands are run at NOW."""
    set_now(NOW)


@pytest.fixture
def settled(lapsing: str) -> str:
    """The same store, settled to 2 October; somebody has asked for seats in between."""
    clock = SimulatedClock(datetime(2025, 9, 1, tzinfo=UTC))
    store = Store.open(lapsing, clock=clock)
    amy = Actor(ActorKind.USER, "amy")
    submit(store, Event("more", "add_seats", "s1", clock.now(), amy, ChangeSeats(5)))
    submit(store, Event("less", "remove_seats", "s1", clock.now(), amy, ChangeSeats(9)))
    clock.move(datetime(2025, 10, 2, tzinfo=UTC))
    settle(store, clock.now())
    store.close()
    return lapsing


def test_it_shows_the_timeline_and_how_the_subject_stands(settled: str, sublife: Sublife) -> None:
    """What happened, refusals too; the state, the timers, and what may be asked."""
    said = sublife("show", "s1", "--store", settled)

    assert said.status == 0
    assert "subscription s1 of tailspin, partner contoso" in said.words
    assert "2024-10-01 02:35:00Z" in said.out
    assert "SEAT_WINDOW" in said.out or "Refused" in said.out
    assert "state grace, version 5, last changed 2025-10-01T00:00:00Z" in said.words
    assert "next 2025-10-31T00:00:00Z grace_ended" in said.words
    assert "may be asked buy_again" in said.words
    assert "due by now" not in said.words


def test_names_of_events_and_facts_can_be_shown(settled: str, sublife: Sublife) -> None:
    """As scenario files write them."""
    said = sublife("show", "s1", "--store", settled, "--names")

    for name in ("purchase", "add_seats", "term_ended", "subscription-grace-started"):
        assert name in said.out


def test_what_is_due_and_not_settled_is_told(lapsing: str, sublife: Sublife) -> None:
    """GEN-08: how the next request would find it."""
    said = sublife("show", "s1", "--store", lapsing)

    assert "state active, version 2" in said.words
    assert "due by now grace, version 4, until it is settled" in said.words
    assert "next 2025-10-01T00:00:00Z term_ended" in said.words


def test_a_pause_is_told(lapsing: str, sublife: Sublife) -> None:
    """Who, when and why."""
    sublife("pause", "--store", lapsing, "--reason", "audit", "--by", "amy")

    said = sublife("show", "s1", "--store", lapsing)

    assert "due by now grace, version 4, while it is paused" in said.words
    assert "paused everything was paused by amy at 2025-10-02T12:00:00Z: audit" in said.words


def test_only_the_latest_events_are_shown_if_asked_for(settled: str, sublife: Sublife) -> None:
    """The others are counted."""
    said = sublife("show", "s1", "--store", settled, "--lines", 1, "--names")

    assert "… 5 earlier events" in said.out
    assert "expiry_ended" in said.out
    assert "add_seats" not in said.out.partition("may be asked")[0]


def test_json_has_all_of_it(settled: str, sublife: Sublife) -> None:
    """For programs."""
    found = json.loads(sublife("show", "s1", "--store", settled, "--json").out)

    assert (found["state"], found["version"], found["events"]) == ("grace", 5, 6)
    assert found["timers"] == [{"name": "grace_ended", "due_at": "2025-10-31T00:00:00Z"}]
    assert found["allowed"] == ["buy_again"]
    assert [each["event"] for each in found["timeline"]] == [
        "purchase",
        "provisioning_ended",
        "add_seats",
        "remove_seats",
        "term_ended",
        "expiry_ended",
    ]
    assert found["timeline"][3]["refusal"]["code"] == "SEAT_WINDOW_CLOSED"
    assert found["snapshot"]["quantity"] == 35


def test_the_ids_that_why_takes_can_be_listed(settled: str, sublife: Sublife) -> None:
    """Each of them can be explained."""
    said = sublife("show", "s1", "--store", settled, "--ids", "--lines", 3)

    assert said.out.splitlines() == [
        "2025-09-01T00:00:00Z  less  remove_seats  refused SEAT_WINDOW_CLOSED",
        "2025-10-01T00:00:00Z  timer:s1/term_ended/2025-10-01T00:00:00Z/3  term_ended",
        "    timer:s1/term_ended/2025-10-01T00:00:00Z/3#0  subscription-expired",
        "2025-10-01T00:00:00Z  timer:s1/expiry_ended/2025-10-01T00:00:00Z/4  expiry_ended",
        "    timer:s1/expiry_ended/2025-10-01T00:00:00Z/4#0  subscription-grace-started",
    ]
    for line in said.out.splitlines():
        id_ = next(word for word in line.split() if word == "less" or word.startswith("timer:"))
        assert sublife("why", id_, "--store", settled).status == 0


def test_a_subject_that_is_not_there_is_status_2(lapsing: str, sublife: Sublife) -> None:
    """With what to do."""
    said = sublife("show", "s9", "--store", lapsing)

    assert said.status == 2
    assert "tenant default has no subject s9" in said.complaints
