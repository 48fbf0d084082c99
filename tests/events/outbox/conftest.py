"""A receiver of posts: a real HTTP server on this machine that answers as it is told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from sublife.events.outbox import Endpoint, add_endpoint
from sublife.events.outbox.endpoint import new_secret

SECRET = new_secret(bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Received:
    """A post as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """By which a post is known again."""
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answers, and what it waits for before."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict[str, str])
    after: Event | None = None


def accept(_received: Received) -> Reply:
    """Take a post."""
    return Reply()


class Receiver:
    """A real HTTP server that keeps what it gets and answers as it is told.

    Attributes:
        received: every post, in the order of arrival.
        answer: tells what to reply to a post.
        arrived: set at the first post.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Reply] = accept
        self.arrived = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    @property
    def ids(self) -> list[str]:
        """The ids of all posts, in the order of arrival."""
        return [each.id for each in self.received]

    def refuse(self, status: int, **headers: str) -> None:
        """Answer every post with this status from now on."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda _received: Reply(status, given)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Received(self.path, headers, self.rfile.read(length))
                receiver.received.append(got)
                reply = receiver.answer(got)
                receiver.arrived.set()
                if reply.after is not None:
                    reply.after.wait(30)
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 – its name
                """Say nothing."""

        return Handler


@pytest.fixture
def open_receiver() -> Iterator[Callable[[], Receiver]]:
    """Opens receivers, any number of them, and closes them all."""
    opened: list[Receiver] = []

    def open_() -> Receiver:
        opened.append(Receiver())
        return opened[-1]

    yield open_
    for receiver in opened:
        receiver.close()


@pytest.fixture
def receiver(open_receiver: Callable[[], Receiver]) -> Receiver:
    """A receiver that takes every post."""
    return open_receiver()


@pytest.fixture
def connect() -> Callable[..., Endpoint]:
    """Makes a receiver an endpoint of a desk's tenant, for all facts from the first one on."""

    def connect_(desk: Any, receiver: Any = None, name: str = "hook", **more: Any) -> Endpoint:
        url = receiver.url if receiver else "https://hooks.example/in"
        given: dict[str, Any] = {
            "secret": SECRET,
            "allow_private": True,
            "allow_http": True,
            **more,
        }
        endpoint = Endpoint(id=name, url=url, **given)
        return add_endpoint(desk.store, endpoint, desk.clock.now(), from_start=True)

    return connect_
