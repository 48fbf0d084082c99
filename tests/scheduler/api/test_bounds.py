"""A no is short whatever was sent: problem details stay below 8 KiB and are always valid JSON."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.token import Role
from sublife.scheduler.api.brief import MOST_BYTES, MOST_FAULTS

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Client, Door

EVENTS = "/v1/subjects/sub-1/events"
LARGE = 60_000
"""Bytes and more of a body that a 422 used to repeat several times over."""


@pytest.fixture(scope="module")
def client(shared_door: "Door") -> "Client":
    return shared_door.client(Role.ADMIN)


def post(client: "Client", body: bytes, path: str = EVENTS, **headers: str) -> Any:
    sent = {"Content-Type": "application/json", "Idempotency-Key": "k", **headers}
    return client.send("POST", path, content=body, headers=sent)


def names(number: int) -> dict[str, int]:
    return {f"field{each}": each for each in range(number)}


BODIES: dict[str, Any] = {
    "many unknown fields": {"request": "suspend", **names(5_000)},
    "many unknown fields of the payload": {"request": "suspend", "data": names(5_000)},
    "a long name": {"request": "suspend", "x" * LARGE: 1},
    "a long name in the payload": {"request": "suspend", "data": {"x" * LARGE: 1}},
    "a long value": {"request": ["x" * LARGE]},
    "a long value of the payload": {"request": "suspend", "data": {"reasons": "x" * LARGE}},
    "many long values": {"request": "suspend", "data": {"reasons": ["x" * 501] * 100}},
    "many wrong values": {"request": "suspend", "data": {"reasons": list(range(10_000))}},
    "a long value of many errors": {"by": [1] * 9000, "data": [1] * 9000},
    "a long list instead of an object": list(range(10_000)),
    "long parts of many errors": {"by": {"user": {"x": "y" * LARGE}, "role": "x" * LARGE}},
    "wide characters": {
        "request": "suspend",
        "data": {"\u6771" * 400 + str(n): 1 for n in range(90)},
    },
    "controls": {"request": "suspend", "data": {"\x01" * 400 + str(n): 1 for n in range(90)}},
    "a surrogate as a name": {"request": "suspend", "\ud800": 1},
    "a long unknown request": {"request": "x" * 100},
    "a long unknown lifecycle": {"request": "suspend", "lifecycle": "x" * 100},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_422_does_not_grow_with_what_was_sent(client: "Client", body: Any) -> None:
    answer = post(client, json.dumps(body).encode())

    assert answer.status_code == 422
    assert len(answer.content) <= MOST_BYTES
    assert 1 <= len(answer.json()["errors"]) <= MOST_FAULTS


def test_errors_that_are_left_out_are_counted(client: "Client") -> None:
    answer = post(client, json.dumps({"request": "suspend", "data": names(500)}).encode()).json()

    assert len(answer["errors"]) + answer["errors_left_out"] == 500
    assert answer["detail"].endswith("; and 499 more")


def test_a_few_errors_are_all_shown(client: "Client") -> None:
    answer = post(client, json.dumps({"request": "suspend", "data": names(3)}).encode()).json()

    assert [each["pointer"] for each in answer["errors"]] == [
        "/data/field0",
        "/data/field1",
        "/data/field2",
    ]
    assert "errors_left_out" not in answer


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/subjects/" + "x" * 400),
        ("GET", "/v1/subjects/" + "%E6%9D%B1" * 500),
        ("GET", "/v1/subjects/" + "x" * LARGE),
        ("GET", "/v1/endpoints/" + "x" * LARGE),
        ("DELETE", "/v1/endpoints/" + "x" * 100),
        ("GET", "/v1/lifecycles/" + "x" * 100),
        ("GET", "/v1/lifecycles/" + "x" * LARGE),
        ("GET", "/v1/lifecycles/subscription/requests/" + "x" * LARGE),
        ("GET", "/v1/why?of=" + "x" * 1000),
        ("GET", "/v1/why?of=" + "x" * LARGE),
        ("GET", "/v1/due?after=" + "x" * LARGE),
        ("GET", "/v1/due?until=" + "x" * LARGE),
        ("GET", "/v1/due?limit=" + "9" * LARGE),
        ("GET", "/v1/records?kind=" + "x" * LARGE),
        ("GET", "/v1/nothing/" + "x" * LARGE),
        ("PUT", "/v1/subjects/" + "x" * LARGE),
    ],
)
def test_an_answer_does_not_grow_with_the_address(client: "Client", method: str, path: str) -> None:
    answer = client.send(method, path)

    assert answer.status_code in {400, 404, 405, 422}
    assert len(answer.content) <= MOST_BYTES
    assert sum(len(name) + len(value) for name, value in answer.headers.raw) <= MOST_BYTES
    assert answer.json()["status"] == answer.status_code


@pytest.mark.parametrize("name", ["Idempotency-Key", "If-Match", "If-None-Match", "Authorization"])
def test_an_answer_does_not_grow_with_a_header(client: "Client", name: str) -> None:
    answer = post(client, b'{"request": "suspend"}', **{name: "x" * LARGE})

    assert answer.status_code in {400, 401, 422}
    assert len(answer.content) <= MOST_BYTES


def test_a_refusal_stays_short_with_the_longest_id(client: "Client") -> None:
    """A 409 carries the sentence and the figures of the rule, which may name the subject."""
    subject = "\u6771" * 500
    client.sell(subject)

    answer = client.ask(subject, "reactivate", key="k" * 200)

    assert answer.status_code == 409
    assert len(answer.content) <= MOST_BYTES
    assert answer.json()["subject"] == subject


def test_a_key_of_another_request_is_named_briefly(client: "Client") -> None:
    subject, other = "\u6771" * 499 + "1", "\u6771" * 499 + "2"
    client.sell(subject, key="k" * 199)

    answer = client.sell(other, key="k" * 199)

    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(answer.content) <= MOST_BYTES


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"request": "suspend", "request": "purchase"}', 400, "BAD_JSON"),
        (b'{"request": "suspend", "data": {"a": {"b": 1, "b": 1}}}', 400, "BAD_JSON"),
        (b'{"request": "suspend", "by": {"user": "amy", "us\\u0065r": "bob"}}', 400, "BAD_JSON"),
        (b'{"request": "suspend", "data": {"seats": ' + b"9" * 5000 + b"}}", 400, "BAD_JSON"),
        (b'{"request": "suspend"} {}', 400, "BAD_JSON"),
        (b"{'request': 'suspend'}", 400, "BAD_JSON"),
        ('{"request": "suspend"}'.encode("utf-16"), 400, "BAD_REQUEST"),
        ('{"request": "suspend"}'.encode("utf-32-le"), 400, "BAD_JSON"),
        (b'{"request": "susp\xffend"}', 400, "BAD_REQUEST"),
        (b'{"request": "susp\xed\xa0\x80end"}', 400, "BAD_REQUEST"),
        (b'{"a":' * 50_000, 400, "BAD_REQUEST"),
        (b'{"request": "suspend", "data": ' + b"[" * 2000 + b"]" * 2000 + b"}", 400, "BAD_REQUEST"),
        (b'{"request": "suspend", "data": {"quantity": Infinity}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": {"quantity": -Infinity}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "data": {"quantity": 1e999}}', 422, "BAD_DATA"),
        (b'{"request": NaN}', 422, "BAD_DATA"),
        (b'{"request": "\\udfff"}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "by": {"user": "\\ud800"}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "lifecycle": "\\ud800"}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "by": {"user": "a\\u0000b"}}', 422, "BAD_DATA"),
        (b'{"request": "suspend", "by": {"user": "amy", "partner": "a\\u0000"}}', 422, "BAD_DATA"),
        (b"", 422, "BAD_DATA"),
        (b"null", 422, "BAD_DATA"),
        (b'"' + b"x" * LARGE + b'"', 422, "BAD_DATA"),
        (b"9" * 300_000, 413, "BODY_TOO_LARGE"),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, bytes) else str(value),
)
def test_what_is_no_request_is_answered_with_a_clear_4xx(
    client: "Client", body: bytes, status: int, code: str
) -> None:
    answer = post(client, body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer.content) <= MOST_BYTES


@pytest.mark.parametrize("name", ["\\ud800", "a\\u0000b", "x" * 300, "\\udfff\\ud800"])
def test_a_name_that_cannot_be_is_shown_escaped(client: "Client", name: str) -> None:
    at_top = post(client, f'{{"request": "suspend", "{name}": 1}}'.encode())
    inside = post(client, f'{{"request": "suspend", "by": {{"{name}": 1}}}}'.encode())

    for answer in (at_top, inside):
        assert answer.status_code == 422
        assert answer.text.isprintable()
        assert len(answer.content) < 1000


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "endpoint": (
        "/v1/endpoints",
        {"id": "x", "url": "https://e.com", "filters": {"facts": ["x" * 500] * 100}},
    ),
    "endpoint url": ("/v1/endpoints", {"id": "y", "url": "https://" + " " * 1900}),
    "resend": ("/v1/deliveries/resend", {"endpoint": "x" * 100, "dead": True}),
    "resend one": ("/v1/deliveries/resend", {"endpoint": "hook", "fact_id": "x" * 900 + "#1"}),
    "pause": ("/v1/pauses", {"reason": " " * 400}),
    "clock": ("/v1/clock/advance", {"to": "x" * LARGE}),
}


@pytest.mark.parametrize(("path", "body"), OTHERS.values(), ids=OTHERS)
def test_other_routes_answer_briefly_as_well(
    client: "Client", path: str, body: dict[str, Any]
) -> None:
    answer = post(client, json.dumps(body).encode(), path)

    assert 400 <= answer.status_code < 500
    assert len(answer.content) <= MOST_BYTES


@pytest.mark.parametrize("hours", ["NaN", "Infinity", "-Infinity", "1e999", "1e400", "true"])
def test_hours_that_are_no_figure_are_refused(client: "Client", hours: str) -> None:
    answer = post(client, f'{{"hours": {hours}}}'.encode(), "/v1/endpoints/hook/rotate")

    assert answer.status_code in {404, 422}
    assert answer.json()["status"] == answer.status_code


def test_subjects_to_fork_are_named_briefly(
    shared_door: "Door", open_door: Callable[..., "Door"]
) -> None:
    door = open_door()
    installation = door.client(Role.ADMIN, tenant=None)
    body = {"tenant": "acme", "subjects": ["x" * 500] * 100, "into": "whatif"}

    answer = post(installation, json.dumps(body).encode(), "/v1/installation/forks")

    assert answer.status_code == 404
    assert len(answer.content) <= MOST_BYTES
