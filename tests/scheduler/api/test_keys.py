"""An idempotency key stands for one request of one actor, and is sent once."""

from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.token import Role, TokenError

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

AMY: dict[str, Any] = {"user": "amy", "role": "admin-agent", "partner": "contoso"}
PATH = "/v1/subjects/sub-1/events"


def add_seat(client: "Client", by: dict[str, Any] | None, **more: Any) -> Any:
    said = {} if by is None else {"by": by}
    return client.ask("sub-1", "add_seats", {"quantity": 1}, key="more", **said, **more)


def seats(client: "Client") -> int:
    return int(client.get("/v1/subjects/sub-1").json()["snapshot"]["quantity"])


@pytest.mark.parametrize(
    "other",
    [
        {**AMY, "user": "bob"},
        {**AMY, "user": "Amy"},
        {**AMY, "user": "amy2"},
        {"application": "amy", "role": "admin-agent", "partner": "contoso"},
        {"microsoft": "amy", "role": "admin-agent", "partner": "contoso"},
        {**AMY, "role": "sales-agent"},
        {**AMY, "partner": "fabrikam"},
        {**AMY, "partner_type": "direct-bill"},
        None,
    ],
    ids=str,
)
def test_a_key_used_on_behalf_of_one_is_refused_on_behalf_of_another(
    memory_door: "Door", other: dict[str, Any] | None
) -> None:
    """Each actor's request counts by itself (EVT-06)."""
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")
    assert add_seat(client, AMY).status_code == 200

    second = add_seat(client, other)

    assert (second.status_code, second.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert seats(client) == 31


def test_a_key_that_the_token_used_for_itself_is_refused_on_behalf_of_a_person(
    memory_door: "Door",
) -> None:
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")
    add_seat(client, None)

    second = add_seat(client, {"user": "amy"})

    assert (second.status_code, second.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert seats(client) == 31


@pytest.mark.parametrize("by", [AMY, {"application": "shop"}, None], ids=str)
def test_a_retry_has_the_first_outcome_also_with_the_token_that_replaced_the_first(
    memory_door: "Door", by: dict[str, Any] | None
) -> None:
    first, second = memory_door.client(Role.OPERATE), memory_door.client(Role.OPERATE)
    first.sell("sub-1")
    add_seat(first, by)

    again = add_seat(second, by)

    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert seats(first) == 31


def test_a_key_is_refused_in_another_lifecycle(memory_door: "Door") -> None:
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")
    add_seat(client, None)

    second = add_seat(client, None, lifecycle="hosting")

    assert second.status_code == 422
    assert seats(client) == 31


@pytest.mark.parametrize("name", ["amy by way of bob", "a by way of shop:0123", " by way of "])
def test_nobody_is_named_together_with_a_caller(memory_door: "Door", name: str) -> None:
    """Else one person by way of a token could be written as another by way of another."""
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")

    answer = add_seat(client, {"user": name})

    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_DATA")
    with pytest.raises(TokenError, match="joins two actors"):
        memory_door.token(label=f"x{name}y")


@pytest.mark.parametrize(
    "name",
    ["Idempotency-Key", "If-Match", "If-None-Match", "Content-Type", "Host", "Authorization"],
)
def test_a_header_that_is_sent_twice_is_refused(memory_door: "Door", name: str) -> None:
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")
    sent = {
        "Idempotency-Key": "more",
        "If-Match": '"2"',
        "If-None-Match": "*",
        "Content-Type": "application/json",
        "Host": "localhost",
        "Authorization": f"Bearer {client.token}",
    }
    if name != "If-None-Match":
        del sent["If-None-Match"]
    headers = [*sent.items(), (name.lower(), sent[name])]

    answer = client.send_as_is("POST", PATH, b'{"request": "suspend"}', headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "AMBIGUOUS_REQUEST")
    assert answer.json()["errors"][0]["parameter"] == name
    assert client.get("/v1/subjects/sub-1").json()["state"] == "active"


@pytest.mark.parametrize("value", ["a\r\n b", "a\n\tb", "a\x00b"])
def test_a_folded_header_is_refused(memory_door: "Door", value: str) -> None:
    """A server of the host's own may hand one on."""
    client = memory_door.client(Role.OPERATE)
    headers = [
        ("Authorization", f"Bearer {client.token}"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", value),
    ]

    answer = client.send_as_is("POST", PATH, b'{"request": "suspend"}', headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "AMBIGUOUS_REQUEST")


@pytest.mark.parametrize("query", ["limit=1&limit=2", "until=&until=", "limit=1&%6cimit=1"])
def test_a_parameter_that_is_sent_twice_is_refused(memory_door: "Door", query: str) -> None:
    answer = memory_door.client(Role.READ).get(f"/v1/due?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "AMBIGUOUS_REQUEST")
