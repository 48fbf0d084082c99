"""What posts go through: the real network, or answers that a scenario gives in its place."""

from collections.abc import Mapping
from typing import Protocol

from sublife.events.store.delivery import Endpoint
from sublife.events.webhook import demand_extra
from sublife.events.webhook.answer import Answer


class Poster(Protocol):
    """Posts messages, with connections of its own."""

    async def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post one message and return what came back; a failure is an answer too."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class Network(Protocol):
    """Reaches endpoints."""

    def check(self, endpoint: Endpoint) -> None:
        """Check that posts may go to an endpoint.

        Raises:
            AddressError: its URL may not be posted to.
        """
        ...

    def poster(self, *, timeout_seconds: float, redirects: int) -> Poster:
        """Return what posts; the caller closes it.

        Args:
            timeout_seconds: for one message, from the name to the answer.
            redirects: hops that are followed.
        """
        ...


def real_network() -> Network:
    """Return the network of this machine.

    Raises:
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    demand_extra()
    from sublife.events.webhook.internet import Internet  # noqa: PLC0415 – needs the extra

    return Internet()
