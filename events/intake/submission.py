"""submit(): one user event, in one transaction with what is due before it (GEN-08)."""

import re
from functools import partial

from sublife.events.intake.command import Command, TenantBehindError
from sublife.events.intake.error import EventIdTakenError, EventInFutureError
from sublife.events.intake.known import repeated
from sublife.events.intake.outcome import Outcome
from sublife.events.intake.settling import settle
from sublife.events.store import Store, Transaction
from sublife.lifecycle.conform import conform
from sublife.lifecycle.identifier import check_id
from sublife.lifecycle.model import TIMER_ID, Event, iso, utc

_RECORD_ID = re.compile(r"#\d+\Z")
"""How ids of further records of one event end."""


def submit(store: Store, event: Event, *, expected_version: int | None = None) -> Outcome:
    """Take in one user event: settle what is due by then, decide it, write it down.

    All in one transaction. What is due is that of its customer. Where the subject has none, like a
    partner, or does not exist, it is that of the whole tenant; a store with transactions of its own
    settles that in batches before, whatever becomes of the event. The same event id a second time
    changes nothing and returns the first outcome. A refusal is written to the journal and changes
    nothing else.

    Args:
        store: of the tenant the subject belongs to; `store.within(session)` to take the event in
            as part of a host's transaction.
        event: dated when it happened, at the latest now.
        expected_version: the version the caller has seen; 0 for a subject that is to be new.

    Raises:
        StaleVersionError: the subject is at another version, after what was due has happened.
        EventInFutureError: it is dated after the store's clock.
        EventIdTakenError: its id, or one that follows from it, was used for something else.
        UnknownSubjectError: its subject does not exist, and it creates none.
        PausedError: what it changes, or what must happen before it, is paused (GEN-08).
        UnknownEventError: the lifecycle has no such request.
        ModelError: its payload is not the request's own, a value in it has another type than its
            field (`ValueTypeError`), or its subject's id may not be one.
        ConflictError: another writer came between; submit it again.
    """
    now = utc(store.clock.now(), name="now")
    event = conform(event)
    check_id(event.subject)
    if event.id.startswith(TIMER_ID):
        raise EventIdTakenError(
            f'event {event.id} on {event.subject}: ids that begin with "{TIMER_ID}" belong to '
            "timed events; give it another"
        )
    if _RECORD_ID.search(event.id):
        raise EventIdTakenError(
            f'event {event.id} on {event.subject}: ids that end with "#" and a number belong to '
            "the records of other events; give it another"
        )
    if event.at > now:
        raise EventInFutureError(
            f"event {event.id} on {event.subject} is dated {iso(event.at)}, but it is {iso(now)}; "
            "submit it when it has happened"
        )

    def take(tx: Transaction, *, is_whole: bool = False) -> Outcome:
        if first := tx.look(event):
            return repeated(first, event)
        return Command(tx, now, event, is_whole=is_whole).take(expected_version)

    try:
        return store.run(take)
    except TenantBehindError:
        if store.has_own_transactions:
            # So that no transaction grows with what is due; what is left then is little.
            settle(store, event.at, collect=False, workers=1)
        return store.run(partial(take, is_whole=True))
