"""Requests that no ordinary client sends: each answered with a problem, none with 500."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door

BODY = b'{"request": "suspend", "data": {"reasons": ["unpaid"]}}'
EVENTS = "/v1/subjects/sub-1/events"
JSON = ("Content-Type", "application/json")
KEY = ("Idempotency-Key", "odd-1")

CASES: dict[str, tuple[str, str, bytes, list[tuple[str, str]], int]] = {
    "no content type": ("POST", EVENTS, BODY, [KEY, ("Content-Length", "55")], 415),
    "length is not a number": ("POST", EVENTS, BODY, [KEY, JSON, ("Content-Length", "x")], 413),
    "negative length": ("POST", EVENTS, BODY, [KEY, JSON, ("Content-Length", "-1")], 413),
    "length beyond the limit": (
        "POST",
        EVENTS,
        BODY,
        [KEY, JSON, ("Content-Length", "9" * 9)],
        413,
    ),
    "chunks beyond the limit": (
        "POST",
        EVENTS,
        b" " * 300_000,
        [KEY, JSON, ("Transfer-Encoding", "chunked")],
        413,
    ),
    "length too small": ("POST", EVENTS, b" " * 300_000, [KEY, JSON, ("Content-Length", "2")], 413),
    "parameter sent twice": ("GET", "/v1/due?limit=1&limit=1", b"", [], 400),
    "trailing slash": ("GET", "/v1/due/", b"", [], 404),
    "two slashes": ("GET", "//v1/due", b"", [], 404),
    "two slashes within": ("GET", "/v1//due", b"", [], 404),
    "escaped slash between segments": ("GET", "/v1%2Fdue", b"", [], 404),
    "escaped slash as an id": ("GET", "/v1/subjects/%2F", b"", [], 422),
    "escaped dots": ("GET", "/v1/subjects/%2E%2E", b"", [], 422),
}


@pytest.mark.parametrize("name", CASES)
def test_an_odd_request_is_answered_with_a_problem(shared_door: "Door", name: str) -> None:
    method, path, body, headers, status = CASES[name]
    client = shared_door.client()
    sent = [*headers, ("Host", "localhost"), ("Authorization", f"Bearer {client.token}")]

    answer = client.send_as_is(method, path, body, sent)

    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
