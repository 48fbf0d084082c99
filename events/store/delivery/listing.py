"""Lists deliveries, a page at a time."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from sublife.events.codec import canonical
from sublife.events.layout import DELIVERY
from sublife.events.store.delivery.shape import Delivery, Status
from sublife.events.store.delivery.statement import LISTED_COLUMNS
from sublife.events.store.link import Link
from sublife.events.store.page import Page, bounded, cursor_of, key_of
from sublife.events.store.statement import Statement, restored, stored

_KEY = ("created_at", "consumer", "subject", "sequence", "number")


@cache
def _listed(filters: tuple[str, ...], *, after: bool) -> Statement:
    query = select(*LISTED_COLUMNS).where(DELIVERY.c.tenant == bindparam("t"))
    for name in filters:
        query = query.where(DELIVERY.c[name] == bindparam(f"f_{name}"))
    keys = [DELIVERY.c[name] for name in _KEY]
    if after:
        given = [bindparam(f"k_{key.name}", type_=key.type) for key in keys]
        query = query.where(tuple_(*keys) > tuple_(*given))
    return Statement(query.order_by(*keys).limit(bindparam("n", type_=DELIVERY.c.number.type)))


def listing(
    link: Link, tenant: str, filters: Mapping[str, str | None], page: tuple[str | None, int]
) -> Page[Delivery]:
    """Return deliveries, the oldest first."""
    given = {name: value for name, value in filters.items() if value is not None}
    after, limit = page[0], bounded(page[1])
    question = f"deliveries of {tenant} with {canonical(given)}"
    values: dict[str, Any] = {f"f_{name}": value for name, value in given.items()}
    values |= {"t": tenant, "n": limit + 1}
    if after is not None:
        key = key_of(question, after, _KEY)
        created_at = stored(datetime.fromisoformat(key["created_at"]), link.dialect)
        values |= {f"k_{name}": value for name, value in {**key, "created_at": created_at}.items()}
    rows = _listed(tuple(given), after=after is not None).rows(link, values)
    kept = [delivery_of(row) for row in rows[:limit]]
    return Page(kept, cursor_of(question, _key_of(kept[-1])) if len(rows) > limit else None)


def _key_of(delivery: Delivery) -> list[Any]:
    return [delivery.created_at.isoformat(), *(getattr(delivery, name) for name in _KEY[1:])]


def delivery_of(row: Any) -> Delivery:
    """Return a delivery as its row says."""
    return Delivery(
        consumer=row.consumer,
        subject=row.subject,
        sequence=row.sequence,
        number=row.number,
        event_id=row.event_id,
        fact=row.fact,
        customer=row.customer,
        partner=row.partner,
        status=Status(row.status),
        attempts=row.attempts,
        created_at=restored(row.created_at),
        first_attempt_at=_instant(row.first_attempt_at),
        next_attempt_at=_instant(row.next_attempt_at),
        ended_at=_instant(row.ended_at),
        status_code=row.status_code,
        error=row.error,
    )


def _instant(value: Any) -> datetime | None:
    return None if value is None else restored(value)
