"""What is no proper HTTP request is refused with 400 by the server, and changes nothing."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sublife.events.store import Store
from sublife.events.token import Role
from sublife.scheduler.api import Interface, Limits, Server
from sublife.scheduler.clock import SimulatedClock
from tests.scheduler.api.conftest import NOW, Door

BODY = json.dumps({"request": "register", "lifecycle": "customer", "data": {"country": "DE"}})
HEAD = (
    "POST /v1/subjects/{subject}/events HTTP/1.1\r\n"
    "Host: localhost\r\n"
    "Authorization: Bearer {token}\r\n"
    "Content-Type: application/json\r\n"
    "Connection: close\r\n"
    f"Content-Length: {len(BODY)}\r\n"
)


class Line:
    """A connection to a served interface, on which anything can be sent."""

    def __init__(self, door: Door, url: str, token: str) -> None:
        self.door, self.token = door, token
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._address = host, int(port)

    def send(self, *parts: str) -> tuple[int, bytes]:
        """Send parts one after another; return the status and the body of the first answer."""
        with socket.create_connection(self._address, timeout=30) as connection:
            for part in parts:
                connection.sendall(part.encode())
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body

    def head(self, subject: str) -> str:
        return HEAD.format(subject=subject, token=self.token)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    clock = SimulatedClock(NOW)
    path: Path = tmp_path_factory.mktemp("wire") / "served.db"
    store = Store.open(f"sqlite:///{path}", clock=clock)
    interface = Interface(store, clock=clock, limits=Limits(rate=1000, burst=10_000))
    with ExitStack() as stack:
        stack.callback(store.close)
        door = Door(store, clock, interface, stack.enter_context(asyncio.Runner()))
        token = door.token(Role.OPERATE)[1]
        yield Line(door, stack.enter_context(Server(interface, "127.0.0.1:0")).url, token)


def test_a_proper_request_is_taken(line: Line) -> None:
    status, body = line.send(f"{line.head('proper')}Idempotency-Key: proper\r\n\r\n{BODY}")

    assert status == 201
    assert json.loads(body)["subject"] == "proper"


@pytest.mark.parametrize(
    "header",
    [
        "Idempotency-Key:\r\n key",
        "Idempotency-Key: key\r\n\t",
        "Idempotency-Key: key\n ",
        "Idempotency-Key: key\r\nX-Other: a\r\n  b",
        "X-Other: a\r\n b\r\nIdempotency-Key: key",
        "Idempotency-Key: key\r\nIdempotency-Key: key",
        "Idempotency-Key: key\r\nidempotency-key: other",
        "Idempotency-Key: key\r\nAuthorization: Bearer x",
        "Idempotency-Key: key\r\nHost: example.com",
        "Idempotency-Key: key\r\nContent-Length: 5",
        "Idempotency-Key: key\r\nTransfer-Encoding: chunked",
        "Idempotency-Key : key",
        "Idempotency-Key: key\x00",
    ],
    ids=lambda header: ascii(header)[:50],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(line: Line, header: str) -> None:
    status, body = line.send(f"{line.head('twofold')}{header}\r\n\r\n{BODY}")

    assert status == 400
    assert json.loads(body)["status"] == 400
    assert len(body) < 1000
    assert line.door.store.of("acme").get("twofold") is None


def test_a_folded_header_is_refused_however_it_arrives(line: Line) -> None:
    head = line.head("parts")

    status, body = line.send(head[:40], head[40:], "Idempotency-Key: key\r", "\n", " ")

    assert status == 400
    assert "folded" in json.loads(body)["detail"]


def test_a_body_with_blanks_at_the_beginnings_of_lines_is_not_taken_for_a_header(
    line: Line,
) -> None:
    body = json.dumps(json.loads(BODY), indent=2)
    head = line.head("indented").replace(f": {len(BODY)}", f": {len(body)}")

    status, _ = line.send(f"{head}Idempotency-Key: indented\r\n\r\n", body)

    assert status == 201


@pytest.mark.parametrize(
    "sent",
    ["\x00\x01\x02\r\n\r\n", "GET\r\n\r\n", "GET / HTTP\r\n\r\n", "G@T / HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_http_is_answered_with_problem_details(line: Line, sent: str) -> None:
    status, body = line.send(sent)

    assert status == 400
    assert json.loads(body)["code"] == "BAD_REQUEST"
