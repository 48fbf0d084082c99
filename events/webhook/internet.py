"""The real network: URLs are checked, names resolved, posts go out; needs the extra `webhooks`."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from sublife.events.store.delivery import Endpoint
from sublife.events.webhook.address import AddressError
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.post import Poster, Resolve, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Internet:
    """The network of this machine.

    Args:
        resolve: finds addresses; the operating system if not given.
        tls: settings of TLS, such as a company's own certificates; those of httpx if not given.
    """

    resolve: Resolve | None = None
    tls: ssl.SSLContext | None = None

    def check(self, endpoint: Endpoint) -> None:
        """Check that posts may go to an endpoint.

        Raises:
            AddressError: its URL may not be posted to.
        """
        target_of(endpoint)

    def poster(self, *, timeout_seconds: float, redirects: int) -> "EndpointPoster":
        """Return what posts, with connections of its own; the caller closes it."""
        return EndpointPoster(
            Poster(
                timeout_seconds=timeout_seconds,
                redirects=redirects,
                resolve=self.resolve,
                tls=self.tls,
            )
        )


@dataclass(frozen=True, slots=True)
class EndpointPoster:
    """Posts to the URLs of endpoints, each checked again before it is used."""

    poster: Poster

    async def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post one message and return what came back; a failure is an answer too."""
        try:
            target = target_of(endpoint)
        except AddressError as error:
            return Answer.failed(str(error))
        return await self.poster.post(target, body, headers)

    async def close(self) -> None:
        """Close every connection."""
        await self.poster.close()


def target_of(endpoint: Endpoint) -> Target:
    """Return where an endpoint is posted to.

    Raises:
        AddressError: its URL may not be posted to.
    """
    return Target.of(
        endpoint.url, allow_private=endpoint.allow_private, allow_http=endpoint.allow_http
    )
