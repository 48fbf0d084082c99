"""Writes what is foreseen as an iCalendar (RFC 5545); one entry at a time is held."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from sublife.events.forecast import Foreseen
from sublife.lifecycle.error import SublifeError


class ExtraMissingError(SublifeError, ValueError):
    """The library for calendars is not installed."""


def calendar(events: Iterable[Foreseen], name: str, now: datetime) -> Iterator[str]:
    """Yield a calendar as text: an entry without length for each event.

    The entry of an event has the same id in every calendar, so whoever reads one anew moves and
    adds entries, and has none twice.

    Args:
        events: that are foreseen.
        name: of the tenant.
        now: UTC instant at which the calendar is made.

    Raises:
        ExtraMissingError: the extra `calendar` is not installed.
    """
    try:
        from icalendar import Calendar, Event  # noqa: PLC0415 – needs the extra
    except ModuleNotFoundError as error:
        raise ExtraMissingError(
            f"the library {error.name} is not installed; install sublife[calendar]"
        ) from error
    head = {"prodid": "-//sublife//due//EN", "version": "2.0", "x-wr-calname": f"sublife {name}"}
    begin, end, rest = _text(Calendar(), head).partition("END:VCALENDAR")
    yield begin
    for each in events:
        values = {
            "uid": f"{name}/{each.event_id}",
            "dtstamp": now,
            "dtstart": each.at,
            "summary": f"{each.subject}: {each.event} → {each.state}",
            "description": _description(each),
            "categories": [each.lifecycle],
        }
        yield _text(Event(), values)
    yield end + rest


def _text(component: Any, values: dict[str, Any]) -> str:
    for name, value in values.items():
        component.add(name, value)
    text: bytes = component.to_ical()
    return text.decode()


def _description(each: Foreseen) -> str:
    lines = (
        f"customer {each.customer}" if each.customer else "",
        f"partner {each.partner}",
        f"{each.state_before} → {each.state}",
        f"facts {', '.join(each.facts)}" if each.facts else "",
        f"rules {' '.join(each.rules)}",
    )
    return "\n".join(line for line in lines if line)
