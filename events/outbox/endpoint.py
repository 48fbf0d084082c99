"""Adds endpoints, changes their secrets, and asks them whether they listen."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches

from sublife.events.logs import log
from sublife.events.outbox.setting import Settings
from sublife.events.records import known_facts
from sublife.events.store import Store
from sublife.events.store.delivery import Endpoint
from sublife.events.store.error import UnreadableError
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.body import trial_message
from sublife.events.webhook.network import Network, real_network
from sublife.events.webhook.send import send
from sublife.events.webhook.signature import is_secret, secret_of
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import utc

OVERLAP = timedelta(days=1)
"""How long the secret before a rotation stays valid."""


class EndpointError(SublifeError, ValueError):
    """An endpoint cannot be as it was asked for; nothing was changed."""


def known_endpoints(store: Store) -> tuple[Endpoint, ...]:
    """Return the endpoints of the tenant; one whose row cannot be read holds up no other."""

    def left_out(error: UnreadableError) -> None:
        log.error("endpoint_unreadable", tenant=store.tenant, reason=error.where)

    return store.endpoints.all(left_out=left_out)


def add_endpoint(
    store: Store,
    endpoint: Endpoint,
    now: datetime,
    *,
    from_start: bool = False,
    network: Network | None = None,
) -> Endpoint:
    """Let facts of the tenant be posted to an endpoint.

    Args:
        store: of the tenant; `store.within(session)` to add it as part of a host's transaction.
        endpoint: its secret is `new_secret(random bytes)`, or one the receiver knows already.
        now: UTC instant.
        from_start: whether it gets all facts there are, not only those from now on.
        network: what its posts will go through; the network of this machine if not given.

    Raises:
        AddressError: its URL may not be posted to.
        EndpointError: its id, its secret or a name in its filters cannot stand.
        ConsumerTakenError: its id belongs to another endpoint or handler.
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    (network or real_network()).check(endpoint)
    if not endpoint.id.strip():
        raise EndpointError("an endpoint needs an id; give it one")
    _check_names(endpoint, "facts", endpoint.filters.facts, known_facts())
    _check_names(endpoint, "lifecycles", endpoint.filters.lifecycles, LIFECYCLES)
    check_secret(endpoint.id, endpoint.secret)
    store.endpoints.add(endpoint, utc(now, name="now"), from_start=from_start)
    return endpoint


def _check_names(
    endpoint: Endpoint, field: str, given: Iterable[str], known: Iterable[str]
) -> None:
    """Refuse a name that nothing has: it would wait for ever without a word."""
    names = set(known)
    for name in given:
        if name not in names:
            near = get_close_matches(name, sorted(names), 3)
            raise EndpointError(
                f'endpoint {endpoint.id}: {field} has "{name}", which there is not; '
                + (f"did you mean {' or '.join(near)}?" if near else "take it out")
            )


def check_secret(name: str, secret: str) -> None:
    """Refuse a secret that cannot sign, or that could be guessed.

    Raises:
        EndpointError: it is not Base64 of 24 to 64 bytes behind `whsec_`.
    """
    if not is_secret(secret):
        raise EndpointError(
            f"the secret of endpoint {name} is none of Standard Webhooks; write whsec_ and 24 to "
            "64 random bytes in Base64"
        )


def new_secret(random: bytes) -> str:
    """Return 24 to 64 *random* bytes, such as `secrets.token_bytes(32)`, as a secret."""
    return secret_of(random)


def rotate_secret(
    store: Store, name: str, secret: str, *, now: datetime, overlap: timedelta = OVERLAP
) -> datetime:
    """Sign with a new secret, and for a while with the one before as well.

    Args:
        store: of the tenant.
        name: id of the endpoint.
        secret: the new one.
        now: UTC instant.
        overlap: how long posts carry both signatures; two secrets are valid, never three.

    Returns:
        The UTC instant from which the one before is no longer valid.

    Raises:
        EndpointError: the secret cannot sign.
        UnknownConsumerError: there is no endpoint of that id.
    """
    check_secret(name, secret)
    until = utc(now, name="now") + overlap
    store.endpoints.rotate(name, secret, until)
    return until


def try_endpoint(
    store: Store,
    name: str,
    identifier: str,
    *,
    now: datetime,
    settings: Settings | None = None,
    network: Network | None = None,
) -> Answer:
    """Post `test-created` to an endpoint at once, and return what came back (EVT-11).

    Args:
        store: of the tenant.
        name: id of the endpoint; a paused one may be asked too.
        identifier: of the test, unique.
        now: UTC instant.
        settings: limits of the post.
        network: what the post goes through; the network of this machine if not given.

    Raises:
        UnknownConsumerError: there is no endpoint of that id.
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    given, chosen = settings or Settings(), network or real_network()
    endpoint = store.endpoints.get(name)
    said = trial_message(identifier, store.tenant, now, endpoint.body, given.source)

    async def ask() -> Answer:
        poster = chosen.poster(timeout_seconds=given.timeout_seconds, redirects=given.redirects)
        try:
            return await send(poster, endpoint, said, now)
        finally:
            await poster.close()

    return asyncio.run(ask())
