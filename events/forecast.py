"""forecast(): what the calendar brings in the time to come, if nobody asks for anything else.

The calendar itself is run forward, in previews that write nothing; so all that follows from a timer
is there too, by the rules and figures that will decide it. One customer's subjects change each
other and are run together; customer after customer, so only a batch of them is held in memory.
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sublife.events.intake import Outcome, Stuck, foreseen
from sublife.events.store import Store
from sublife.events.store.agenda import Agenda, Item
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import iso, utc

BATCH = 1000
"""Due subjects that are run together, and the rest of the last one's customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One event that will happen.

    Args:
        at: UTC instant; in the past where it is due already and has not been settled.
        event_id: that it will have.
        event: its name.
        subject: id.
        lifecycle: of the subject.
        customer: customer tenant of the subject.
        partner: partner tenant that transacts.
        state_before: of the subject.
        state: of the subject after it.
        facts: names of what comes of it.
        rules: ids of those that decide it.
        cause: id of the event it follows from, where it is not the calendar's own.
    """

    at: datetime
    event_id: str
    event: str
    subject: str
    lifecycle: str
    customer: str
    partner: str
    state_before: str
    state: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]
    cause: str | None


class ForecastError(SublifeError, ValueError):
    """A subject's timer cannot be applied, so what comes after it is not known."""

    def __init__(self, stuck: Iterable[Stuck]) -> None:
        self.stuck = tuple(stuck)
        said = "; ".join(each.reason for each in self.stuck[:5])
        more = len(self.stuck) - 5
        super().__init__(
            f"what comes is not known of {len(self.stuck)} subjects: {said}"
            f"{f'; and {more} more' if more > 0 else ''}. `sublife why` explains what they are"
        )


def forecast(
    store: Store,
    until: datetime,
    *,
    customer: str | None = None,
    partner: str | None = None,
    lifecycle: str | None = None,
    batch: int = BATCH,
) -> Generator[Foreseen]:
    """Yield what will happen by *until* if nobody asks for anything, in order of time.

    A pause is not looked at: it delays writing, not what happens. What waits for a report or a
    request is not foreseen. The first event comes when all of them are known, which are kept in a
    temporary file meanwhile; nothing is written to the store and nothing stays locked.

    Args:
        store: of the tenant.
        until: UTC instant, inclusive.
        customer: only of this customer tenant.
        partner: only events after which this partner tenant transacts.
        lifecycle: only of subjects that live by it.
        batch: due subjects that are held in memory at once.

    Raises:
        ForecastError: after all that can be foreseen, if there is something that cannot.
        UnknownLifecycleError: there is no such lifecycle.
    """
    until = utc(until, name="until")
    if lifecycle is not None:
        lifecycle_named(lifecycle)
    stuck: list[Stuck] = []
    with Agenda() as agenda:
        for names in _batches(store, until, customer, batch):
            with store.preview() as tx:
                outcomes, left = foreseen(tx, names, until)
            stuck += left
            agenda.keep(_items(outcomes, partner, lifecycle))
        for item in agenda.in_order():
            yield _foreseen(item)
    # No calendar finds what is due at something that is no instant.
    stuck += [Stuck(e.subject, str(e)) for _, e in store.health.never_due(store.tenant)]
    if stuck:
        raise ForecastError(stuck)


def _batches(
    store: Store, until: datetime, customer: str | None, batch: int
) -> Iterator[list[str]]:
    """Yield the ids of due subjects, those of one customer always together."""
    names: list[str] = []
    for whose, group in groupby(_due(store, until, customer, batch), key=itemgetter(0)):
        for _, name in group:
            names.append(name)
            # Those without a customer stand by themselves.
            if not whose and len(names) >= batch:
                yield names
                names = []
        if len(names) >= batch:
            yield names
            names = []
    if names:
        yield names


def _due(
    store: Store, until: datetime, customer: str | None, limit: int
) -> Iterator[tuple[str, str]]:
    after: tuple[str, str] | None = None
    while True:
        rows = store.due_by_customer(until, customer=customer, after=after, limit=limit)
        yield from rows
        if len(rows) < limit:
            return
        after = rows[-1]


def _items(
    outcomes: Iterable[Outcome], partner: str | None, lifecycle: str | None
) -> Iterator[Item]:
    for outcome in outcomes:
        event, snapshot = outcome.event, outcome.snapshot
        if snapshot is None or lifecycle not in {None, event.lifecycle}:
            continue
        if partner not in {None, snapshot.partner}:
            continue
        yield Item(
            event.at.isoformat(timespec="microseconds"),
            event.id,
            {
                "event": event.name,
                "subject": event.subject,
                "lifecycle": event.lifecycle,
                "customer": snapshot.customer,
                "partner": snapshot.partner,
                "state_before": outcome.state_before,
                "state": outcome.own_state,
                "facts": [fact.name for fact in outcome.facts],
                "rules": list(outcome.rules),
                "cause": event.cause,
            },
        )


def _foreseen(item: Item) -> Foreseen:
    said: dict[str, Any] = dict(item.said)
    for name in ("facts", "rules"):
        said[name] = tuple(said[name])
    at = utc(datetime.fromisoformat(item.at))
    return Foreseen(at=at, event_id=item.event_id, **said)


def as_mapping(each: Foreseen) -> dict[str, object]:
    """Return an event that is foreseen as JSON values."""
    return {
        "at": iso(each.at),
        "event_id": each.event_id,
        "event": each.event,
        "subject": each.subject,
        "lifecycle": each.lifecycle,
        "customer": each.customer,
        "partner": each.partner,
        "state_before": each.state_before,
        "state": each.state,
        "facts": list(each.facts),
        "rules": list(each.rules),
        "cause": each.cause,
    }
