"""A token that is sent in the wrong place is refused, and neither shown, logged nor stored."""

import json
import logging
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.token import Role, has_token, without_tokens

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door

EVENTS = "/v1/subjects/sub-1/events"


def everything_said(caplog: pytest.LogCaptureFixture) -> str:
    return json.dumps([each.__dict__ for each in caplog.records], default=str)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/due?access_token={}",
        "/v1/due?{}",
        "/v1/due?{}=1",
        "/v1/records?customer={}",
        "/v1/subjects/{}",
        "/v1/subjects/{}/history",
        "/v1/nothing/{}",
        "/healthz?token={}",
        "/v1/why?of={}%230",
        "/v1/due?after={}",
        "/v1/subjects/a%2F{}",
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_a_token_in_the_address_is_refused(
    memory_door: "Door", caplog: pytest.LogCaptureFixture, path: str, *, escaped: bool
) -> None:
    client = memory_door.client(Role.READ)
    secret = str(client.token)[-43:]
    caplog.set_level(logging.DEBUG, "sublife")
    written = str(client.token).replace("_", "%5F") if escaped else str(client.token)

    answers = [client.get(path.format(written)), memory_door.anybody().get(path.format(written))]

    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_MISPLACED")
        assert secret not in answer.text
    assert secret not in everything_said(caplog)


@pytest.mark.parametrize(
    "name", ["X-Token", "Idempotency-Key", "If-Match", "Cookie", "Origin", "Content-Type", "Host"]
)
def test_a_token_in_another_header_is_refused(
    memory_door: "Door", caplog: pytest.LogCaptureFixture, name: str
) -> None:
    client = memory_door.client(Role.OPERATE)
    secret = str(client.token)[-43:]
    caplog.set_level(logging.DEBUG, "sublife")

    answer = client.sell("sub-1", headers={name: f"x={client.token}"})

    assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_MISPLACED")
    assert secret not in answer.text
    assert secret not in everything_said(caplog)
    assert memory_door.store.of("acme").all() == {}


@pytest.mark.parametrize(
    "form", ["Token {}", "Basic {}", "{}", "bearer:{}", "Bearer {} {}", "Bearer x{}"]
)
def test_a_token_under_another_scheme_is_not_taken_and_not_shown(
    memory_door: "Door", caplog: pytest.LogCaptureFixture, form: str
) -> None:
    client = memory_door.client(Role.OPERATE)
    secret = str(client.token)[-43:]
    caplog.set_level(logging.DEBUG, "sublife")
    given = form.format(client.token, client.token)

    answer = client.get("/v1/due", headers={"Authorization": given})

    assert answer.status_code == 401
    assert secret not in answer.text + str(answer.headers)
    assert secret not in everything_said(caplog)


@pytest.mark.parametrize("user", [True, False])
def test_a_token_as_a_name_or_a_password_is_not_taken(
    memory_door: "Door", caplog: pytest.LogCaptureFixture, *, user: bool
) -> None:
    client = memory_door.client(Role.OPERATE)
    caplog.set_level(logging.DEBUG, "sublife")
    pair = f"{client.token}:" if user else f"amy:{client.token}"
    encoded = b64encode(pair.encode()).decode()

    answer = client.get("/v1/due", headers={"Authorization": f"Basic {encoded}"})

    assert answer.status_code == 401
    assert encoded not in answer.text + everything_said(caplog)


def bodies(token: str) -> dict[str, bytes]:
    escaped = token.replace("_", "\\u005f")
    asked: dict[str, Any] = {
        "a value": {"request": "suspend", "data": {"reasons": [token]}},
        "a name": {"request": "suspend", "data": {token: 1}},
        "who acts": {"request": "suspend", "by": {"user": token}},
        "the request": {"request": token},
        "inside a text": {"request": "suspend", "data": {"reasons": [f"see {token}!"]}},
    }
    found = {name: json.dumps(each).encode() for name, each in asked.items()}
    found["written in escapes"] = (
        f'{{"request": "suspend", "by": {{"user": "{escaped}"}}}}'.encode()
    )
    found["a name in escapes"] = f'{{"request": "suspend", "{escaped}": 1}}'.encode()
    return found


@pytest.mark.parametrize("place", bodies("x"))
def test_a_token_in_a_body_is_refused_and_not_stored(
    memory_door: "Door", caplog: pytest.LogCaptureFixture, place: str
) -> None:
    client = memory_door.client(Role.OPERATE)
    client.sell("sub-1")
    secret = str(client.token)[-43:]
    caplog.set_level(logging.DEBUG, "sublife")
    headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}

    answer = client.send("POST", EVENTS, content=bodies(str(client.token))[place], headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "TOKEN_MISPLACED")
    assert secret not in answer.text
    assert secret not in everything_said(caplog)
    assert secret not in client.get("/v1/subjects/sub-1/history").text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("sublife_0123456789abcdef_abc", "sublife_***"),
        ("x sublife_0123456789abcdef_a-b_c, y", "x sublife_***, y"),
        ("sublife%5F0123456789abcdef%5fabc", "sublife_***"),
        ("sublife_0123456789abcdef", "sublife_0123456789abcdef"),
        ("sublife_tokens are short", "sublife_tokens are short"),
        ("sublife.subscription-created", "sublife.subscription-created"),
    ],
)
def test_a_token_is_known_by_its_form(text: str, hidden: str) -> None:
    assert without_tokens(text) == hidden
    assert has_token(text) is (hidden != text)
