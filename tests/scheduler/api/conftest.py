"""An interface on every database, and clients with tokens of every sort that talk to it."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI

from sublife.events.store import Store
from sublife.events.token import Role, Token, new_token
from sublife.scheduler.api import Interface, Limits, create_app
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
PURCHASE = {
    "customer": "tailspin",
    "partner": "contoso",
    "product": {"sku": "E3", "name": "Office E3", "rank": 3},
    "quantity": 30,
    "term": "P1Y",
    "billing": "monthly",
}
_numbers = count(1)


@cache
def application() -> FastAPI:
    """Return the application of all doors: to make its routes takes longer than most tests."""
    store = Store.open("sqlite://", clock=SimulatedClock(NOW))
    try:
        return create_app(Interface(store))
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Served:
    """The application as that of one interface; a test sends one request at a time."""

    interface: Interface

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request by this interface."""
        app = application()
        app.state.interface = self.interface
        await app(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the document, which is the same for all."""
        return application().openapi()


@cache
def operations() -> dict[str, dict[str, Any]]:
    """Return what the OpenAPI document says of each address."""
    paths: dict[str, dict[str, Any]] = application().openapi()["paths"]
    return paths


def see_that_it_is_documented(answer: httpx.Response) -> None:
    """Fail where an answer of a route is none that the OpenAPI document has."""
    path, method = answer.request.url.raw_path.decode().partition("?")[0], answer.request.method
    for template, methods in operations().items():
        form = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if re.fullmatch(form, path) and method.lower() in methods:
            documented = methods[method.lower()]["responses"]
            assert str(answer.status_code) in documented, (method, template, answer.text)
            content = documented[str(answer.status_code)].get("content")
            sort = answer.headers.get("Content-Type", "").partition(";")[0]
            assert not content or sort in content, (method, template, sort)


async def _answered(app: Any, scope: dict[str, Any], content: bytes) -> httpx.Response:
    """Return what an application answers to a scope."""
    parts: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(part: dict[str, Any]) -> None:
        parts.append(part)

    with suppress(Exception):  # it has been answered, and is raised once more for the server
        await app(scope, receive, send)
    body = b"".join(part.get("body", b"") for part in parts[1:])
    return httpx.Response(parts[0]["status"], headers=parts[0]["headers"], content=body)


@dataclass(slots=True)
class Client:
    """Sends requests to an application, with a token if it has one."""

    app: Any
    runner: asyncio.Runner
    token: str | None = None
    host: str = "localhost"

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request and return the answer."""
        return self.runner.run(self._send(method, path, **more))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        headers |= more.pop("headers", {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        url = f"http://{self.host}"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            answer = await client.request(method, path, headers=headers, **more)
        see_that_it_is_documented(answer)
        return answer

    def send_as_is(
        self, method: str, path: str, content: bytes, headers: list[tuple[str, str]]
    ) -> httpx.Response:
        """Send a request with exactly these headers, also what no client would send."""
        raw, _, query = path.encode().partition(b"?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw.decode("latin-1")),
            "raw_path": raw,
            "root_path": "",
            "query_string": query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        return self.runner.run(_answered(self.app, scope, content))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """Send a GET."""
        return self.send("GET", path, **more)

    def ask(
        self,
        subject: str,
        request: str,
        data: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """Submit a request to a subject, under a key of its own unless one is given."""
        sent = {"Idempotency-Key": key or f"key-{next(_numbers)}"} | (headers or {})
        body = {"request": request, **({} if data is None else {"data": data}), **more}
        return self.send("POST", f"/v1/subjects/{subject}/events", json=body, headers=sent)

    def sell(self, subject: str, **more: Any) -> httpx.Response:
        """Sell 30 seats of E3 for a year, billed monthly."""
        return self.ask(subject, "purchase", PURCHASE, **more)


@dataclass(slots=True)
class Door:
    """An interface with its clock."""

    store: Store
    clock: SimulatedClock
    interface: Interface
    runner: asyncio.Runner
    app: Served = field(init=False)

    def __post_init__(self) -> None:
        self.app = Served(self.interface)

    def anybody(self, host: str = "localhost") -> Client:
        """Return a client without a token."""
        return Client(self.app, self.runner, host=host)

    def token(self, role: Role = Role.ADMIN, **more: Any) -> tuple[Token, str]:
        """Make a token and return it with its text."""
        number = next(_numbers)
        given: dict[str, Any] = {"tenant": "acme", "label": f"test-{number}", **more}
        token, text = new_token(
            number.to_bytes(8) + number.to_bytes(32),
            role=role,
            now=self.clock.now(),
            created_by="test",
            **given,
        )
        self.store.tokens.add(token)
        return token, text

    def client(self, role: Role = Role.ADMIN, **more: Any) -> Client:
        """Return a client with a new token, of the tenant acme unless said otherwise."""
        return Client(self.app, self.runner, self.token(role, **more)[1])


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return "sqlite://" if request.param == "sqlite-memory" else f"sqlite:///{tmp_path / 'a.db'}"


@pytest.fixture
def open_door() -> Iterator[Callable[..., Door]]:
    """Opens an interface at an address, any number of times, and closes them all."""
    stores: list[Store] = []
    with asyncio.Runner() as runner:

        def open_(url: str = "sqlite://", *, is_local: bool = True, **limits: Any) -> Door:
            clock = SimulatedClock(NOW)
            store = Store.open(url, clock=clock)
            stores.append(store)
            wanted: dict[str, Any] = {"rate": 1000, "burst": 100_000, **limits}
            interface = Interface(store, clock=clock, limits=Limits(**wanted), is_local=is_local)
            return Door(store, clock, interface, runner)

        yield open_
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def shared_door() -> Iterator[Door]:
    """An interface in memory for all tests of a module, which look at answers alone."""
    clock = SimulatedClock(NOW)
    store = Store.open("sqlite://", clock=clock)
    limits = Limits(rate=1000, burst=100_000)
    with asyncio.Runner() as runner:
        yield Door(store, clock, Interface(store, clock=clock, limits=limits), runner)
    store.close()


@pytest.fixture
def door(url: str, open_door: Callable[..., Door]) -> Door:
    """An interface on an empty database, without a token."""
    return open_door(url)


@pytest.fixture
def memory_door(open_door: Callable[..., Door]) -> Door:
    """An interface for what never reaches a database."""
    return open_door()
