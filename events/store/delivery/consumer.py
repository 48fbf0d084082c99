"""Consumers and endpoints: who follows the journal, where to, which secret signs."""

import json
from datetime import datetime
from operator import itemgetter
from typing import Any

from sublife.events.codec import canonical
from sublife.events.layout import CONSUMER, ENDPOINT
from sublife.events.store.delivery.shape import Body, Cursor, Endpoint, Filters
from sublife.events.store.delivery.statement import (
    AHEAD,
    BEGINNING,
    CONSUMER_AHEAD,
    CONSUMER_FOUND,
    CONSUMER_LOCKED,
    DROP_CONSUMER,
    DROP_DELIVERIES,
    DROP_ENDPOINT,
    ENDPOINT_FOUND,
    HORIZON,
    LAST,
    NEW_CONSUMER,
    NEW_ENDPOINT,
    NEWEST,
)
from sublife.events.store.error import StoreError
from sublife.events.store.link import Link
from sublife.events.store.simulated import refuse_simulated
from sublife.events.store.statement import written
from sublife.events.store.typed import Reader


class UnknownConsumerError(StoreError):
    """There is no such endpoint or handler."""


class ConsumerTakenError(StoreError):
    """The name belongs to another endpoint or handler of the tenant."""


class RestoredError(StoreError):
    """The journal carries transaction numbers of another server."""


def check_numbers(link: Link, tenant: str) -> None:
    """Refuse to follow a journal whose transaction numbers this server has not reached yet.

    Raises:
        RestoredError: the rows come from a dump of another server; new ones would be passed over.
    """
    if link.is_sqlite:
        return
    if AHEAD.rows(link, {"t": tenant}) or CONSUMER_AHEAD.rows(link, {"t": tenant}):
        raise RestoredError(
            f"the journal of {tenant} carries transaction numbers that this server has not reached "
            "yet, as after restoring a dump; run `sublife deliveries rebase` once, before facts "
            "are handed on"
        )


def add_consumer(link: Link, tenant: str, name: str, now: datetime, *, from_start: bool) -> None:
    """Let *name* follow the journal: from its first entry, or from what comes now.

    Raises:
        ConsumerTakenError: there is a consumer of that name.
        SimulatedTenantError: the tenant is simulated; nothing of it is handed on.
    """
    refuse_simulated(link, tenant, f'the endpoint or handler "{name}"')
    if CONSUMER_FOUND.rows(link, {"t": tenant, "c": name}):
        raise _taken(tenant, name, "endpoint or handler")
    cursor = Cursor(BEGINNING, 0) if from_start else _present(link, tenant)
    row = (tenant, name, *cursor, written(now), None, None, 0, None)
    NEW_CONSUMER.write(link, [row])


def refuse_endpoint(link: Link, tenant: str, name: str) -> None:
    """Refuse a handler the name of an endpoint, whose cursor it would move.

    Raises:
        ConsumerTakenError: it is an endpoint's.
    """
    if ENDPOINT_FOUND.rows(link, {"t": tenant, "c": name}):
        raise _taken(tenant, name, "endpoint")


def _taken(tenant: str, name: str, sort: str) -> ConsumerTakenError:
    return ConsumerTakenError(
        f'"{name}" is an {sort} of {tenant} already; choose another name, or remove that one first'
    )


def _present(link: Link, tenant: str) -> Cursor:
    """Return the place behind which nothing is settled yet."""
    if link.is_sqlite:
        return Cursor(0, NEWEST.rows(link, {"t": tenant})[0].position)
    return Cursor(HORIZON.rows(link, {})[0].horizon - 1, LAST)


def add_endpoint(
    link: Link, tenant: str, endpoint: Endpoint, now: datetime, *, from_start: bool
) -> None:
    """Write down an endpoint and let it follow the journal.

    Raises:
        ConsumerTakenError: there is a consumer of that name.
    """
    add_consumer(link, tenant, endpoint.id, now, from_start=from_start)
    given = endpoint.filters
    filters = {
        "facts": given.facts,
        "lifecycles": given.lifecycles,
        "customers": given.customers,
        "partners": given.partners,
    }
    row = (
        tenant,
        endpoint.id,
        endpoint.url,
        endpoint.body.value,
        canonical({name: list(wanted) for name, wanted in filters.items() if wanted}),
        endpoint.secret,
        endpoint.previous_secret,
        written(endpoint.previous_until),
        endpoint.allow_private,
        endpoint.allow_http,
    )
    NEW_ENDPOINT.write(link, [row])


def _filters(text: str) -> Filters:
    """Return which facts an endpoint wants, as its row says."""
    found: dict[str, list[str]] = json.loads(text)
    return Filters(**{name: tuple(map(str, wanted)) for name, wanted in found.items()})


_AGAIN = "remove it with `sublife endpoints remove {key}`, and add it again"
_ENDPOINT = Reader(ENDPOINT, key=itemgetter("id"), remedy=_AGAIN, body=Body, filters=_filters)
_CONSUMER = Reader(CONSUMER, key=itemgetter("id"), remedy=_AGAIN)


def endpoint_of(row: Any) -> Endpoint:
    """Return an endpoint as its row and that of its consumer say.

    Raises:
        UnreadableError: one of them cannot be read.
    """
    found = _ENDPOINT.values(row)
    for name in ("paused_at", "paused_because"):
        found[name] = _CONSUMER.value(found, name)
    del found["tenant"]
    return Endpoint(**found)


def endpoint_named(link: Link, tenant: str, name: str) -> Endpoint:
    """Return an endpoint.

    Raises:
        UnknownConsumerError: there is none of that id.
    """
    rows = ENDPOINT_FOUND.rows(link, {"t": tenant, "c": name})
    if not rows:
        raise unknown(tenant, name, "endpoint")
    return endpoint_of(rows[0])


def locked(link: Link, tenant: str, name: str) -> Any:
    """Lock a consumer and return its row.

    Raises:
        UnknownConsumerError: there is none of that name.
    """
    rows = CONSUMER_LOCKED.rows(link, {"t": tenant, "c": name})
    if not rows:
        raise unknown(tenant, name, "endpoint or handler")
    return rows[0]


def unknown(tenant: str, name: str, sort: str) -> UnknownConsumerError:
    """Return the error that there is no such consumer."""
    return UnknownConsumerError(
        f'{tenant} has no {sort} "{name}"; `sublife endpoints list` shows the endpoints'
    )


def remove(link: Link, tenant: str, name: str) -> None:
    """Take away a consumer with all its deliveries.

    Raises:
        UnknownConsumerError: there is none of that name.
    """
    locked(link, tenant, name)
    for statement in (DROP_DELIVERIES, DROP_ENDPOINT, DROP_CONSUMER):
        statement.write(link, [{"t": tenant, "c": name}])
