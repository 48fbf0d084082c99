"""Lists deliveries, a page at a time."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, tuple_

from sublife.events.codec import canonical
from sublife.events.layout import DELIVERY
from sublife.events.store.delivery.shape import Delivery, Status, fact_id
from sublife.events.store.delivery.statement import LISTED_COLUMNS
from sublife.events.store.link import Link
from sublife.events.store.page import Page, bounded, key_of
from sublife.events.store.paging import Rows, paged
from sublife.events.store.statement import Statement, stored
from sublife.events.store.typed import LeftOut, Reader

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
    link: Link,
    tenant: str,
    filters: Mapping[str, str | None],
    page: tuple[str | None, int],
    left_out: LeftOut | None = None,
) -> Page[Delivery]:
    """Return deliveries, the oldest first."""
    given = {name: value for name, value in filters.items() if value is not None}
    after, limit = page[0], bounded(page[1])
    question = f"deliveries of {tenant} with {canonical(given)}"
    values: dict[str, Any] = {f"f_{name}": value for name, value in given.items()}
    values |= {"t": tenant}
    if after is not None:
        key = key_of(question, after, _KEY)
        created_at = stored(datetime.fromisoformat(key["created_at"]), link.dialect)
        values |= {f"k_{name}": value for name, value in {**key, "created_at": created_at}.items()}
    rows = Rows(_listed(tuple(given), after=after is not None), link, values)
    return paged(rows, delivery_of, limit, left_out).page(question, _key_of)


def _key_of(delivery: Delivery) -> list[Any]:
    return [delivery.created_at.isoformat(), *(getattr(delivery, name) for name in _KEY[1:])]


def _key(found: Mapping[str, Any]) -> str:
    return f"{found['consumer']} {fact_id(found['event_id'], found['number'])}"


_READER = Reader(
    DELIVERY,
    key=_key,
    remedy="`sublife deliveries resend {key}` sends it again as if it were new",
    status=Status,
)


def delivery_of(row: Any) -> Delivery:
    """Return a delivery as its row says.

    Raises:
        UnreadableError: it cannot be read.
    """
    return Delivery(**_READER.values(row))
