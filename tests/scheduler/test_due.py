"""sublife due: what it tells of the days to come, as a table, iCalendar and JSON Lines."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from icalendar import Calendar


@pytest.fixture(autouse=True)
def _now(set_now: Callable[[datetime], None]) -> None:
    """The commands are run at NOW."""
    set_now(NOW)


if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
NOW = datetime(2025, 9, 15, 12, tzinfo=UTC)
EVENTS = ("term_ended", "expiry_ended", "grace_ended", "retention_ended")


def shown(said: "Said") -> list[tuple[str, str]]:
    """Return subject and event of each line, in order."""
    lines = [line.split() for line in said.out.splitlines()]
    return [(line[1], line[3]) for line in lines if len(line) > 3 and line[3] in EVENTS]


def entries(said: "Said") -> list[Any]:
    """Return the entries of a calendar."""
    calendar: Any = Calendar.from_ical(said.out)
    return list(calendar.walk("VEVENT"))


def test_the_table_tells_what_happens_and_what_follows(lapsing: str, sublife: Sublife) -> None:
    """SUB-01, SUB-04: expiry, grace and its end within 60 days, by whichever rules."""
    said = sublife("due", "--store", lapsing, "--days", 60)

    assert said.status == 0
    assert sorted(shown(said)) == sorted(
        (subject, event)
        for subject in ("s1", "s2")
        for event in ("term_ended", "expiry_ended", "grace_ended")
    )
    assert (
        "2025-10-31T00:00:00Z s1 tailspin grace_ended → disabled subscription-disabled SUB-05"
        in (said.words)
    )
    assert "6 events from now, 2025-09-15T12:00:00Z, until 2025-11-14T12:00:00Z" in said.words


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--days", 15), 0),
        (("--days", 15.5), 4),
        ((), 4),
        (("--customer", "tailspin"), 2),
        (("--partner", "fabrikam"), 0),
        (("--lifecycle", "migration"), 0),
    ],
)
def test_options_say_how_far_and_of_whom(
    lapsing: str, sublife: Sublife, options: tuple[object, ...], count: int
) -> None:
    """30 days of everything if nothing is said."""
    said = sublife("due", "--store", lapsing, *options)

    assert len(shown(said)) == count


def test_json_is_one_event_a_line(lapsing: str, sublife: Sublife) -> None:
    """For programs, however many there are."""
    said = sublife("due", "--store", lapsing, "--customer", "northwind", "--json")

    found = [json.loads(line) for line in said.out.splitlines()]
    assert [(each["at"], each["event"], each["state"]) for each in found] == [
        ("2025-10-01T00:00:00Z", "term_ended", "expired"),
        ("2025-10-01T00:00:00Z", "expiry_ended", "grace"),
    ]


def test_a_calendar_can_be_read_by_others(lapsing: str, sublife: Sublife) -> None:
    """RFC 5545: one entry for each event, with an id that stays."""
    first = sublife("due", "--store", lapsing, "--customer", "tailspin", "--ics")
    again = sublife("due", "--store", lapsing, "--customer", "tailspin", "--ics")

    assert first.out == again.out
    found = entries(first)
    assert [str(each["SUMMARY"]) for each in found] == [
        "s1: term_ended → expired",
        "s1: expiry_ended → grace",
    ]
    assert found[0]["DTSTART"].dt == datetime(2025, 10, 1, tzinfo=UTC)
    assert str(found[0]["UID"]) == "default/timer:s1/term_ended/2025-10-01T00:00:00Z/2"
    assert "rules SUB-03 TRM-04" in str(found[0]["DESCRIPTION"])


def test_a_calendar_without_events_is_one(lapsing: str, sublife: Sublife) -> None:
    """An empty calendar is a whole one."""
    said = sublife("due", "--store", lapsing, "--days", 1, "--ics")

    assert entries(said) == []


def test_without_the_library_it_says_what_to_install(
    lapsing: str, sublife: Sublife, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table and JSON need nothing."""
    monkeypatch.setitem(sys.modules, "icalendar", None)

    said = sublife("due", "--store", lapsing, "--ics")

    assert said.status == 2
    assert "install sublife[calendar]" in said.complaints
    assert sublife("due", "--store", lapsing).status == 0


def test_a_pause_is_told(lapsing: str, sublife: Sublife) -> None:
    """Nothing of it is written before the pause ends."""
    sublife("pause", "--store", lapsing, "--reason", "audit", "--by", "amy")

    said = sublife("due", "--store", lapsing)

    assert "everything was paused by amy at 2025-09-15T12:00:00Z: audit" in said.words
    assert len(shown(said)) == 4


def test_what_is_overdue_is_marked(
    lapsing: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """It is due already, and nobody has settled."""
    set_now(datetime(2025, 10, 20, 12, tzinfo=UTC))

    said = sublife("due", "--store", lapsing, "--days", 1)

    assert said.out.count("(overdue)") == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ics", "--json"), "--ics and --json do not go together"),
        (("--lifecycle", "subscriptions"), 'no lifecycle "subscriptions"'),
        (("--tenant", "nobody"), 'nothing of tenant "nobody"'),
        (("--days", "-1"), "Invalid value for '--days'"),
    ],
)
def test_a_wrong_option_is_status_2(
    lapsing: str, sublife: Sublife, options: tuple[object, ...], says: str
) -> None:
    """With what is wrong."""
    said = sublife("due", "--store", lapsing, *options)

    assert said.status == 2
    assert says in said.complaints
