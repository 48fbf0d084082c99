"""What the headers of a request say: who asks, under which key, and what they have seen."""

import re
from dataclasses import dataclass
from typing import Annotated
from uuid import NAMESPACE_URL, uuid5

from fastapi import Depends, Header, HTTPException, Request

from examples.backend.transaction import Backend
from sublife import Actor, ActorKind, Event, Payload

NOTHING = Payload()
"""What a request says that has nothing to say."""
_ETAG = re.compile(r'(?:W/)?"?(\d+)"?')


def _backend(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


TheBackend = Annotated[Backend, Depends(_backend)]


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that changes something.

    Args:
        backend: that is asked.
        key: the client's own for this request; sent again, it has no second effect.
        user: who asks.
        expected_version: what the client has seen, if it says so.
    """

    backend: Backend
    key: str
    user: str
    expected_version: int | None

    def event(self, name: str, subscription: str, data: Payload = NOTHING) -> Event:
        """Return the event this request is: its id is the client's key."""
        actor = Actor(ActorKind.USER, self.user)
        return Event(self.key, name, subscription, self.backend.clock.now(), actor, data)

    @property
    def new_id(self) -> str:
        """The id of what this request makes; the same each time it is sent."""
        return f"sub-{uuid5(NAMESPACE_URL, self.key)}"


def _asking(
    backend: TheBackend,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=200)],
    x_user: Annotated[str, Header()] = "anonymous",
    if_match: Annotated[str | None, Header()] = None,
) -> Asking:
    return Asking(backend, idempotency_key, x_user, _version(if_match))


def _version(etag: str | None) -> int | None:
    """Return the version that an `If-Match` names; any if it is left out or `*`."""
    if etag is None or etag == "*":
        return None
    found = _ETAG.fullmatch(etag)
    if found is None:
        raise HTTPException(400, f"If-Match {etag} is no ETag of ours; send the one you were given")
    return int(found[1])


Asked = Annotated[Asking, Depends(_asking)]
