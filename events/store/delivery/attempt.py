"""Claims what is due, marks what came of it, and brings back what was given up."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sublife.events.store.delivery.shape import Claimed, CommittedFact, Result, Status
from sublife.events.store.delivery.statement import (
    CLAIM,
    ENTRIES,
    LEASE,
    MARK,
    NEXT_OF_SUBJECT,
    PAUSE,
    SEVERAL_LOCKED,
)
from sublife.events.store.entry import Entry, entry_of
from sublife.events.store.link import Link
from sublife.events.store.statement import restored, stored


def claim(
    link: Link, tenant: str, consumer: str, now: datetime, until: datetime, *, limit: int
) -> tuple[Claimed, ...]:
    """Claim what is due for a consumer, one fact of each subject, the longest due first.

    Args:
        link: to the database, in a transaction that writes.
        tenant: whose deliveries.
        consumer: name of the handler or id of the endpoint.
        now: UTC instant.
        until: UTC instant from which the claim is void, should nothing be heard of it.
        limit: how many.
    """
    key = {"t": tenant, "c": consumer, "now": stored(now, link.dialect), "n": limit}
    rows = sorted(CLAIM.rows(link, key), key=_place)
    if not rows:
        return ()
    ids = json.dumps(sorted({row.event_id for row in rows}))
    found = ENTRIES.rows(link, {"t": tenant, "ids": ids})
    entries = {row.event_id: entry_of(row) for row in found}
    claimed = [_claimed(tenant, consumer, row, entries[row.event_id], now) for row in rows]
    LEASE.write(link, [_lease(link, tenant, each, until) for each in claimed])
    return tuple(claimed)


def _place(row: Any) -> tuple[str, int, int]:
    return row.subject, row.sequence, row.number


def _claimed(tenant: str, consumer: str, row: Any, entry: Entry, now: datetime) -> Claimed:
    fact = CommittedFact(tenant, entry, row.number, row.customer, row.partner)
    first = now if row.first_attempt_at is None else restored(row.first_attempt_at)
    return Claimed(consumer, fact, row.attempts + 1, first)


def _lease(link: Link, tenant: str, claimed: Claimed, until: datetime) -> dict[str, Any]:
    first = stored(claimed.first_attempt_at, link.dialect)
    return {**_key(tenant, claimed), "until": stored(until, link.dialect), "first": first}


def _key(tenant: str, claimed: Claimed) -> dict[str, Any]:
    fact = claimed.fact
    return {
        "t": tenant,
        "c": claimed.consumer,
        "s": fact.subject,
        "q": fact.sequence,
        "m": fact.number,
    }


def lock_consumers(link: Link, tenant: str, names: Iterable[str]) -> None:
    """Lock consumers in one order, so that none gets new deliveries meanwhile."""
    SEVERAL_LOCKED.rows(link, {"t": tenant, "names": json.dumps(sorted(set(names)))})


def mark(link: Link, tenant: str, results: Sequence[Result], now: datetime) -> None:
    """Write down what became of attempts; what is delivered or dead lets the next fact be due.

    The lock on the consumer keeps a relay from putting a fact behind one that ends right now.
    """
    lock_consumers(link, tenant, (each.claimed.consumer for each in results))
    at = stored(now, link.dialect)
    keys = [_key(tenant, each.claimed) for each in results]
    MARK.write(
        link,
        [
            {
                **key,
                "attempt": each.claimed.attempt,
                "new_status": each.status.value,
                "next": stored(each.next_attempt_at, link.dialect),
                "ended": None if each.status is Status.PENDING else at,
                "code": each.status_code,
                "why": each.error,
            }
            for key, each in zip(keys, results, strict=True)
        ],
    )
    subjects = {(key["c"], key["s"]) for key in keys}
    NEXT_OF_SUBJECT.write(
        link, [{"t": tenant, "c": name, "s": each, "now": at} for name, each in sorted(subjects)]
    )
    pauses = {each.claimed.consumer: each.pause for each in results if each.pause is not None}
    for name, because in pauses.items():
        PAUSE.write(link, [{"t": tenant, "c": name, "at": at, "because": because}])
