"""Sends one message to one endpoint: checked, signed, posted; needs the extra `webhooks`."""

import ssl
from dataclasses import dataclass
from datetime import datetime

from sublife.events.store.delivery import Endpoint
from sublife.events.webhook.address import AddressError
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.body import Message
from sublife.events.webhook.post import Poster, Resolve, Target
from sublife.events.webhook.signature import headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What posts go through; the operating system and httpx if nothing is given.

    Args:
        resolve: finds addresses.
        tls: settings of TLS, such as certificates of a house of its own.
    """

    resolve: Resolve | None = None
    tls: ssl.SSLContext | None = None

    def poster(self, *, timeout_seconds: float, redirects: int) -> Poster:
        """Return what posts, with connections of its own; close it."""
        return Poster(
            timeout_seconds=timeout_seconds,
            redirects=redirects,
            resolve=self.resolve,
            tls=self.tls,
        )


def target_of(endpoint: Endpoint) -> Target:
    """Return where an endpoint is posted to.

    Raises:
        AddressError: its URL may not be posted to.
    """
    return Target.of(
        endpoint.url, allow_private=endpoint.allow_private, allow_http=endpoint.allow_http
    )


async def send(poster: Poster, endpoint: Endpoint, message: Message, at: datetime) -> Answer:
    """Post a message to an endpoint, signed with every secret that is valid at *at*."""
    try:
        target = target_of(endpoint)
    except AddressError as error:
        return Answer(None, str(error))
    return await poster.post(target, message.body, headers(message, endpoint.secrets(at), at))
