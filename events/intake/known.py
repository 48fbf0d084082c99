"""An event id that is known already: its first outcome, or the refusal to use it twice."""

from sublife.events.intake.error import EventIdTakenError
from sublife.events.intake.outcome import Outcome
from sublife.events.store import Entry
from sublife.lifecycle.model import Event, Payload, Refusal, iso


def repeated(entries: tuple[Entry, ...], event: Event) -> Outcome:
    """Return the first outcome of a known event id, read back: nothing is done twice."""
    first = entries[0]
    if _asked(first.event) != _asked(event):
        raise id_taken(first, event)
    after = tuple(_read_back(entry) for entry in entries[1:])
    return _read_back(first)._replace(
        state=entries[-1].state, version=entries[-1].version, after=after
    )


def _asked(event: Event) -> tuple[str, str, Payload]:
    """Return what makes two events with one id the same; a retry may be dated later."""
    return event.name, event.subject, event.data


def id_taken(first: Entry, event: Event) -> EventIdTakenError:
    """Return the error of an event id that belongs to another event."""
    return EventIdTakenError(
        f"event id {event.id} belongs to {first.event.name} on {first.event.subject} of "
        f"{iso(first.event.at)}, with other details than this {event.name} on {event.subject}; "
        "give this one an id of its own"
    )


def _read_back(entry: Entry) -> Outcome:
    refused = isinstance(entry.outcome, Refusal)
    return Outcome(
        entry.event,
        () if isinstance(entry.outcome, Refusal) else entry.outcome,
        entry.outcome if isinstance(entry.outcome, Refusal) else None,
        entry.state,
        entry.version,
        entry.rules,
        repeated=True,
        state_before=entry.state_before,
        own_state=entry.state_before if refused else entry.state,
    )
