"""Endpoints that answer as a scenario says, in place of a network."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from standardwebhooks import Webhook

from sublife.events.store import Clock
from sublife.events.store.delivery import Endpoint as Target
from sublife.events.webhook.answer import Answer
from sublife.scheduler.scenario import Endpoint

_START = "https://listener.example/"
_PHRASES = {each.value: each.phrase for each in HTTPStatus}


def url_of(number: int) -> str:
    """Return where the *number*-th endpoint of a scenario lies, from 0."""
    return f"{_START}{number}"


@dataclass(frozen=True, slots=True)
class Listeners:
    """What posts go through in a scenario: no network, but answers by its file.

    Args:
        endpoints: of the scenario.
        clock: says when a post arrives.
        secret: that signs.
        posts: every post so far, as a scenario names it, in order.
    """

    endpoints: Sequence[Endpoint]
    clock: Clock
    secret: str
    posts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def check(self, endpoint: Target) -> None:
        """Take every endpoint: nothing leaves the process."""

    def poster(self, *, timeout_seconds: float, redirects: int) -> "_Poster":
        """Return what posts, with the answers of the scenario in place of a network."""
        del timeout_seconds, redirects  # a listener answers at once and never redirects
        return _Poster(self)

    def take(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """Note a post and return the status to answer with; `None` for no answer."""
        endpoint, content = self.endpoints[int(url.removeprefix(_START))], json.loads(body)
        earlier = [each for each in self.posts if each["endpoint"] == endpoint.id]
        attempts = Counter(each["id"] for each in earlier)
        identifier = headers["webhook-id"]
        answer = endpoint.answers[min(len(earlier), len(endpoint.answers) - 1)]
        self.posts.append(
            {
                "endpoint": endpoint.id,
                "id": identifier,
                "at": self.clock.now(),
                "name": content.get("EventName") or content["type"],
                "attempt": attempts[identifier] + 1,
                "signed": self._is_signed(body, headers),
                "answer": answer,
                "body": content,
            }
        )
        return answer

    def _is_signed(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Return whether the signature is the one of the secret, over id, instant and body."""
        at = self.clock.now()
        if headers["webhook-timestamp"] != str(int(at.timestamp())):
            return False
        expected = Webhook(self.secret).sign(headers["webhook-id"], at, body.decode())
        return bool(expected == headers["webhook-signature"])


@dataclass(frozen=True, slots=True)
class _Poster:
    """Hands posts to the listeners."""

    listeners: Listeners

    async def post(self, endpoint: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Answer as the scenario says."""
        status = self.listeners.take(endpoint.url, body, headers)
        if status is None:
            return Answer(None, "ConnectError: cannot be reached")
        return Answer.of(status, _PHRASES.get(status, ""))

    async def close(self) -> None:
        """Close nothing: there is no connection."""
