"""Endpoints that answer as a scenario says, behind the poster of production; needs `webhooks`."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from standardwebhooks import Webhook

from sublife.events.store import Clock
from sublife.events.webhook.post import Poster
from sublife.events.webhook.send import Network
from sublife.scheduler.scenario import Endpoint

_ADDRESS = "192.0.2.1"
"""Reserved for documentation: nothing is ever sent there."""


def url_of(number: int) -> str:
    """Return where the *number*-th endpoint of a scenario lies, from 0."""
    return f"https://listener.example/{number}"


@dataclass(frozen=True, slots=True)
class Listeners(Network):
    """What posts go through in a scenario: no network, but answers by its file.

    Args:
        endpoints: of the scenario.
        clock: tells when a post arrives.
        secret: that signs.
        posts: every post so far, as a scenario names it, in order.
    """

    endpoints: Sequence[Endpoint]
    clock: Clock
    secret: str
    posts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def poster(self, *, timeout_seconds: float, redirects: int) -> Poster:
        """Return what posts, with the answers of the scenario in place of a network."""
        return Poster(
            timeout_seconds=timeout_seconds,
            redirects=redirects,
            resolve=_resolve,
            transport=lambda: _Transport(self),
        )

    def take(self, request: httpx.Request, content: bytes) -> int | None:
        """Note a post and return the status to answer with; `None` for no answer."""
        number = int(request.url.path.removeprefix("/"))
        endpoint, body = self.endpoints[number], json.loads(content)
        earlier = [each for each in self.posts if each["endpoint"] == endpoint.id]
        attempts = Counter(each["id"] for each in earlier)
        identifier = request.headers["webhook-id"]
        answer = endpoint.answers[min(len(earlier), len(endpoint.answers) - 1)]
        self.posts.append(
            {
                "endpoint": endpoint.id,
                "id": identifier,
                "at": self.clock.now(),
                "name": body.get("EventName") or body["type"],
                "attempt": attempts[identifier] + 1,
                "signed": self._is_signed(request, content),
                "answer": answer,
                "body": body,
            }
        )
        return answer

    def _is_signed(self, request: httpx.Request, content: bytes) -> bool:
        """Return whether the signature is the one of the secret, over id, instant and body."""
        at, headers = self.clock.now(), request.headers
        if headers["webhook-timestamp"] != str(int(at.timestamp())):
            return False
        expected = Webhook(self.secret).sign(headers["webhook-id"], at, content.decode())
        return bool(expected == headers["webhook-signature"])


async def _resolve(_host: str, _port: int) -> Sequence[str]:
    return (_ADDRESS,)


class _Transport(httpx.AsyncBaseTransport):
    """Hands a request to the listeners instead of a network."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the scenario says.

        Raises:
            httpx.ConnectError: it says that nobody can be reached.
        """
        status = self._listeners.take(request, await request.aread())
        if status is None:
            raise httpx.ConnectError("cannot be reached", request=request)
        return httpx.Response(status, request=request)
