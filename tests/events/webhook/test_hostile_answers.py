"""What a resolver or a receiver answers never stops the relay: it is a failed attempt at most."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from threading import Event, Thread, current_thread
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.webhook.answer import LONGEST_ERROR, Answer
from sublife.events.webhook.post import Poster, Target
from sublife.events.webhook.resolver import Resolver

PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.5"


class Connections:
    """What stands in for the network: it notes every host that is connected to."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.hosts: list[str] = []
        self._answer = answer

    def transport(self) -> httpx.AsyncBaseTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            self.hosts.append(request.url.host)
            return self._answer(request)

        return httpx.MockTransport(handle)


def resolving(found: Any) -> Callable[[str, int], Awaitable[Any]]:
    """Return a resolver that finds this, or raises it."""

    async def resolve(_host: str, _port: int) -> Any:
        if isinstance(found, BaseException):
            raise found
        return found

    return resolve


def post(
    url: str = "https://hooks.example/",
    *,
    found: Any = (PUBLIC,),
    connections: Connections | None = None,
    allow_private: bool = False,
    timeout_seconds: float = 5,
) -> Answer:
    """Post two bytes and return what came back."""

    async def run() -> Answer:
        poster = Poster(
            timeout_seconds=timeout_seconds,
            redirects=3,
            resolve=resolving(found),
            transport=connections.transport if connections else None,
        )
        target = Target.of(url, allow_private=allow_private, allow_http=True)
        try:
            return await poster.post(target, b"{}", {"webhook-id": "1"})
        finally:
            await poster.close()

    return asyncio.run(run())


def taken(_request: httpx.Request) -> httpx.Response:
    """Take a post."""
    return httpx.Response(204)


NONSENSE: dict[str, Any] = {
    "nothing": [],
    "None": None,
    "a number": 7,
    "another name": ["evil.example"],
    "an empty text": [""],
    "a blank": [" "],
    "a text in place of a list": "8.8.8.8",
    "an address with a port": ["8.8.8.8:443"],
    "an address in brackets": ["[2606:4700::1111]"],
    "an address as a number": [134744072],
    "an address as bytes": [b"\x08\x08\x08\x08"],
    "an octal number": ["010.8.8.8"],
    "a hexadecimal number": ["0x08080808"],
    "a number in a text": ["134744072"],
    "four numbers that are too high": ["8.8.8.888"],
    "digits of another script": ["٨.٨.٨.٨"],
    "an address with NUL": ["8.8.8.8\0"],
    "an address with a line break": ["8.8.8.8\n"],
    "half a surrogate pair": ["\ud800"],
    "a very long text": ["8" * 100_000],
    "None in a list": [None],
    "a good address before nonsense": [PUBLIC, "nonsense"],
    "UnicodeError": UnicodeError("label empty or too long"),
    "UnicodeEncodeError": UnicodeEncodeError("idna", "\ud800", 0, 1, "not allowed"),
    "ValueError": ValueError("embedded null character"),
    "OverflowError": OverflowError("getaddrinfo(): port must be 0-65535"),
    "TypeError": TypeError("not a resolver"),
    "IndexError": IndexError("tuple index out of range"),
    "gaierror": socket.gaierror(-2, "Name or service not known"),
    "RuntimeError": RuntimeError("out of order\x1b[2J\0"),
}
ONLY_PRIVATE_IS_WRONG: dict[str, Any] = {
    "a zone": ["fe80::1%2"],
    "a zone behind a public address": ["2606:4700::1111%eth0"],
    "a zone behind an address that carries a private one": ["::ffff:10.0.0.5%1"],
    "a private one among public ones": [PUBLIC, PRIVATE, PUBLIC],
}


@pytest.mark.parametrize("allow_private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("found", NONSENSE.values(), ids=NONSENSE.keys())
def test_nonsense_from_a_resolver_is_a_failed_attempt(found: Any, allow_private: bool) -> None:
    """Nothing is connected to, and the reason can be stored and shown."""
    connections = Connections(taken)

    answer = post(found=found, connections=connections, allow_private=allow_private)

    assert (answer.status, answer.is_accepted) == (None, False)
    assert answer.error is not None
    assert answer.error.isprintable()
    assert len(answer.error) <= LONGEST_ERROR
    assert connections.hosts == []


@pytest.mark.parametrize("found", ONLY_PRIVATE_IS_WRONG.values(), ids=ONLY_PRIVATE_IS_WRONG.keys())
def test_no_address_escapes_the_check(found: Any) -> None:
    connections = Connections(taken)

    answer = post(found=found, connections=connections)

    assert "which is no public address" in str(answer.error)
    assert connections.hosts == []


@given(
    st.lists(
        st.one_of(
            st.text(),
            st.ip_addresses().map(str),
            st.integers(),
            st.binary(max_size=16),
            st.none(),
            st.sampled_from(["::ffff:127.0.0.1", "fe80::1%1", "0177.0.0.1", "127.1", PUBLIC]),
        ),
        max_size=3,
    )
)
def test_only_addresses_that_were_found_and_are_public_are_connected_to(found: list[Any]) -> None:
    connections = Connections(taken)

    answer = post(found=found, connections=connections)

    assert answer.is_accepted == bool(connections.hosts)
    assert set(connections.hosts) <= {each for each in found if isinstance(each, str)}
    assert PRIVATE not in connections.hosts


def test_a_family_that_is_not_ip_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python gives a number and bytes for a family that it was built without."""

    def getaddrinfo(*_more: object, **_named: object) -> list[Any]:
        return [
            (99, 1, 6, "", (99, b"\0" * 14)),
            (socket.AF_INET6, 1, 6, "", (10, b"\0" * 26)),
            (socket.AF_UNIX, 1, 0, "", "/run/socket"),
            (socket.AF_INET, 1, 6, "", (PUBLIC, 443)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()

    found = asyncio.run(resolver("hooks.example", 443))

    assert list(found) == [PUBLIC]


def test_a_name_server_that_does_not_answer_holds_up_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four posts ask once, on a thread that the process does not wait for."""
    answers = Event()
    asked: list[Thread] = []

    def getaddrinfo(*_more: object, **_named: object) -> list[Any]:
        asked.append(current_thread())
        answers.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    async def run() -> list[Answer]:
        poster = Poster(timeout_seconds=0.02, redirects=0)
        target = Target.of("https://hooks.example/", allow_private=False, allow_http=False)
        try:
            return await asyncio.gather(*(poster.post(target, b"{}", {}) for _ in range(4)))
        finally:
            await poster.close()

    answered = asyncio.run(run())

    answers.set()
    (thread,) = asked
    assert {each.error for each in answered} == {"no answer within 0.02 s"}
    assert thread.daemon


HOSTILE_PLACES = [
    "https://xn--a/",
    "https://☃..example/",
    "https://[::1",
    "https://[v1.x]/",
    "https://a..b/",
    "https://hooks.example:0/",
    "https://hooks.example:-1/",
    f"https://{'a' * 64}.example/",
    "//xn--a/",
    "http://\udcff/",
    "https://\x80\xff.example/",
    "https://" + "a" * 60_000,
    "https:///nowhere",
    "gopher://new.example/",
    "?" * 70_000,
]


@pytest.mark.parametrize("place", HOSTILE_PLACES, ids=lambda place: ascii(place[:30]))
def test_a_redirect_to_nonsense_is_a_failed_attempt(place: str) -> None:
    location = place.encode("utf-8", "surrogateescape")

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(307, headers=[(b"location", location)])

    answered = post(connections=Connections(answer))

    assert not answered.is_accepted
    assert answered.error is not None
    assert answered.error.isprintable()
    assert len(answered.error) <= LONGEST_ERROR


HEAD = b"HTTP/1.1 200 OK\r\n"
RAW: dict[str, tuple[bytes, bytes]] = {
    "endless headers": (HEAD, b"x-more: 1\r\n" * 1000),
    "one endless header": (HEAD + b"x-more: ", b"1" * 10_000),
    "an endless status line": (b"HTTP/1.1 200 ", b"OK" * 10_000),
    "bytes that are not HTTP": (b"\x00\xff\x16\x03\x01", b""),
    "nothing at all": (b"", b""),
    "a header without a name": (HEAD + b": 1\r\n\r\n", b""),
    "two lengths": (HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", b""),
    "a negative length": (HEAD + b"content-length: -1\r\n\r\n", b""),
    "a length of 30 digits": (HEAD + b"content-length: " + b"9" * 30 + b"\r\n\r\n", b""),
    "a chunk of no size": (HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n", b""),
    "an unknown status": (b"HTTP/1.1 999 \xff\xfe\r\ncontent-length: 0\r\n\r\n", b""),
    "a redirect in bytes": (
        b"HTTP/1.1 302 Found\r\nlocation: \x80\xfe\xff\r\ncontent-length: 0\r\n\r\n",
        b"",
    ),
    "a redirect in bytes that is followed": (
        b"HTTP/1.1 307 Moved\r\nlocation: https://\x80\xfe\xff/\r\ncontent-length: 0\r\n\r\n",
        b"",
    ),
    "a Retry-After in bytes": (
        b"HTTP/1.1 503 No\r\nretry-after: \xd9\xa3\xff\r\ncontent-length: 0\r\n\r\n",
        b"",
    ),
}
TAKEN: dict[str, tuple[bytes, bytes]] = {
    "an endless body": (HEAD + b"\r\n", b"x" * 65_536),
    "an endless body in chunks": (
        HEAD + b"transfer-encoding: chunked\r\n\r\n",
        b"2000\r\n" + b"x" * 0x2000 + b"\r\n",
    ),
    "a header that is not Latin-1": (
        HEAD + b"x-name: \xe6\xa0\xaa\xff\x80\r\ncontent-length: 0\r\n\r\n",
        b"",
    ),
}


@contextmanager
def answering(head: bytes, again: bytes) -> Generator[str]:
    """Accept one connection, send *head*, and then *again* without end; yield the address."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(head)
                while again:
                    connection.sendall(again)
        except OSError:
            return

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.close()
        thread.join(5)
        assert not thread.is_alive()


@pytest.mark.parametrize(("head", "again"), RAW.values(), ids=RAW.keys())
def test_an_answer_that_is_not_http_or_not_a_yes_is_a_failed_attempt(
    head: bytes, again: bytes
) -> None:
    with answering(head, again) as url:
        answer = post(url, allow_private=True)

    assert not answer.is_accepted
    assert answer.error is not None
    assert answer.error.isprintable()
    assert len(answer.error) <= LONGEST_ERROR


@pytest.mark.parametrize(("head", "again"), TAKEN.values(), ids=TAKEN.keys())
def test_a_yes_counts_whatever_follows_it(head: bytes, again: bytes) -> None:
    with answering(head, again) as url:
        answer = post(url, allow_private=True)

    assert answer == Answer(200)
