"""A cursor of any list that was changed, or a text with NUL, is the caller's mistake."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sublife.events.token import Role

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

LISTS = ("/v1/due", "/v1/records", "/v1/orders", "/v1/deliveries", "/v1/subjects/sub-1/history")
VALUES = ("\ud800", "a\x00b", "0001-01-01T00:00:00+14:00", 2**63, "x")


def filled(door: "Door") -> "Client":
    """Return a client of a tenant with two rows and more in every list that needs no daemon."""
    client = door.client(Role.ADMIN)
    client.sell("sub-1", key="order-1")
    client.sell("sub-2", key="order-2")
    return client


def cursors(client: "Client", path: str) -> list[str]:
    """Return a cursor of a list and what changes make of each of its parts."""
    following: str | None = client.get(path, params={"limit": 1}).json()["next"]
    if following is None:
        return []
    (cursor,) = parse_qs(urlsplit(following).query)["after"]
    parts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    made: list[str] = []
    for number in range(len(parts)):
        for value in VALUES:
            changed: list[Any] = [*parts[:number], value, *parts[number + 1 :]]
            made.append(urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("="))
    return made


def test_a_changed_cursor_is_a_400(database: str, open_door: Callable[..., "Door"]) -> None:
    client = filled(open_door(database))
    tried = 0

    for path in LISTS:
        garbage = ["x", "\x00", "\u2028", "W10", "bnVsbA", "x" * 4000]
        for cursor in [*garbage, *cursors(client, path)]:
            answer = client.get(path, params={"after": cursor})
            assert (answer.status_code, answer.json()["code"]) == (400, "BAD_CURSOR"), cursor
            assert len(answer.content) < 1000
            tried += 1
    assert tried == 80


PARAMETERS = (
    "/v1/subjects/{}",
    "/v1/subjects/{}/history",
    "/v1/subjects/{}/allowed",
    "/v1/subjects/sub-1/may/{}",
    "/v1/endpoints/{}",
    "/v1/lifecycles/{}",
    "/v1/lifecycles/subscription/requests/{}",
    "/v1/why?of={}",
    "/v1/why?of={}%230",
    "/v1/due?until={}",
    "/v1/records?customer={}",
    "/v1/records?partner={}",
    "/v1/records?subscription={}",
    "/v1/records?kind={}",
    "/v1/records?since={}",
    "/v1/orders?customer={}",
    "/v1/deliveries?endpoint={}",
    "/v1/deliveries?subject={}",
    "/v1/deliveries?fact={}",
    "/v1/deliveries?status={}",
    "/v1/forecast?customer={}",
    "/v1/forecast?partner={}",
    "/v1/forecast?lifecycle={}",
)
"""Every place in an address for a text."""


def test_an_address_with_a_text_that_cannot_be_is_a_4xx(
    database: str, open_door: Callable[..., "Door"]
) -> None:
    client = filled(open_door(database))

    for path in PARAMETERS:
        for text in ("a%00b", "%ED%A0%80", "x" * 5000):
            answer = client.get(path.format(text))
            assert answer.status_code in {400, 404, 422}, (path, text)
            assert len(answer.content) <= 8192
        assert client.get(path.format("")).status_code < 500
