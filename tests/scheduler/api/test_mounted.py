"""The interface under a prefix, in another application or behind a proxy; HEAD and OPTIONS."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import FastAPI

from sublife.scheduler.api.app import create_app

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door


def mounted(app: Any) -> Any:
    """Return a host's application with the interface below /billing/v2."""
    host = FastAPI()
    host.mount("/billing/v2", app)
    return host


def behind_a_proxy(app: Any) -> Any:
    """Return the interface as a server with `root_path` calls it, whose proxy takes it away."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        prefix = "/billing/v2"
        raw = scope["raw_path"].removeprefix(prefix.encode())
        path = scope["path"].removeprefix(prefix)
        await app({**scope, "root_path": prefix, "path": path, "raw_path": raw}, receive, send)

    return served


def served_with_root_path(app: Any) -> Any:
    """Return the interface as uvicorn calls it with `--root-path`, the prefix in the path."""

    async def served(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "root_path": "/billing/v2"}, receive, send)

    return served


WAYS: dict[str, Callable[[Any], Any]] = {
    "mounted": mounted,
    "proxy": behind_a_proxy,
    "root-path": served_with_root_path,
}


class Prefixed:
    """Sends requests to the interface under /billing/v2."""

    def __init__(self, door: "Door", way: str) -> None:
        self._door = door
        self._app = WAYS[way](create_app(door.interface))
        self._token = door.token()[1]

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request to a path that has the prefix already, or gets it."""
        headers = {"Authorization": f"Bearer {self._token}"} | more.pop("headers", {})
        url = path if path.startswith("/billing/v2") else f"/billing/v2{path}"

        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.request(method, url, headers=headers, **more)

        return self._door.runner.run(sent())


@pytest.fixture(params=WAYS)
def prefixed(request: pytest.FixtureRequest, memory_door: "Door") -> Prefixed:
    """A client of an interface under a prefix, in every way there is."""
    return Prefixed(memory_door, request.param)


def test_a_wrong_method_under_a_prefix_names_those_that_are_taken(prefixed: Prefixed) -> None:
    answers = [prefixed.send("PUT", path) for path in ("/v1/pauses", "/v1/due", "/v1/subjects/a")]

    assert [each.status_code for each in answers] == [405, 405, 405]
    assert [each.headers["Allow"] for each in answers] == [
        "DELETE, GET, HEAD, POST",
        "GET, HEAD",
        "GET, HEAD",
    ]


def test_the_document_names_the_prefix_as_its_server(prefixed: Prefixed) -> None:
    answer = prefixed.send("GET", "/openapi.json")

    assert answer.json()["servers"] == [{"url": "/billing/v2"}]


def test_without_a_prefix_the_document_names_no_server(memory_door: "Door") -> None:
    assert "servers" not in memory_door.anybody().get("/openapi.json").json()


def test_what_is_not_there_points_to_the_document_under_its_prefix(prefixed: Prefixed) -> None:
    answer = prefixed.send("GET", "/v1/nothing")

    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert "/billing/v2/openapi.json" in answer.json()["detail"]


@pytest.mark.parametrize("subject", ["sub-1", "a%2Fb", "caf%C3%A9%201"])
def test_the_next_page_can_be_followed_under_a_prefix(prefixed: Prefixed, subject: str) -> None:
    """Also where the id in the path has escapes."""
    body = {
        "request": "purchase",
        "data": {
            "customer": "tailspin",
            "partner": "contoso",
            "product": {"sku": "E3"},
            "quantity": 30,
            "term": "P1Y",
            "billing": "monthly",
        },
    }
    path = f"/v1/subjects/{subject}"
    sold = prefixed.send("POST", f"{path}/events", json=body, headers={"Idempotency-Key": "k"})
    first = prefixed.send("GET", f"{path}/history?limit=1")
    following = first.json()["next"]
    second = prefixed.send("GET", following)

    assert sold.status_code == 201
    assert following.startswith(f"/billing/v2{path}/history?")
    assert first.headers["Link"] == f'<{following}>; rel="next"'
    assert second.status_code == 200
    assert second.json()["items"] != first.json()["items"]


HEALTH = ["/healthz", "/readyz", "/openapi.json", "/v1/due", "/v1/subjects/none", "/v1/nothing"]


@pytest.mark.parametrize("path", HEALTH)
def test_head_has_the_status_and_headers_of_get_and_no_body(shared_door: "Door", path: str) -> None:
    client = shared_door.client()

    get, head = client.get(path), client.send("HEAD", path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers == get.headers


def test_head_where_get_is_not_taken_is_refused_without_a_body(shared_door: "Door") -> None:
    answer = shared_door.client().send("HEAD", "/v1/subjects/a/events")

    assert (answer.status_code, answer.headers["Allow"], answer.content) == (405, "POST", b"")


def test_head_of_a_malformed_request_has_no_body(shared_door: "Door") -> None:
    answer = shared_door.client().send("HEAD", "/v1/due?limit=1&limit=2")

    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize("path", ["/healthz", "/v1/due", "/v1/pauses"])
def test_options_is_answered_with_what_is_allowed(shared_door: "Door", path: str) -> None:
    answer = shared_door.client().send("OPTIONS", path)

    assert answer.status_code == 405
    assert "GET, HEAD" in answer.headers["Allow"]
    assert answer.json()["code"] == "METHOD_NOT_ALLOWED"
