"""Posts reach the address that was checked, and no other."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from sublife.events.webhook.address import AddressError
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.post import Poster, Resolve, Target

PUBLIC, OTHER, PRIVATE = "93.184.215.14", "93.184.215.15", "10.0.0.5"
HERE = Path(__file__).parent


class Names:
    """A resolver that answers as it is told, and counts."""

    def __init__(self, names: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self.names = {name: list(answers) for name, answers in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        answers = self.names[host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def taken(_request: httpx.Request) -> httpx.Response:
    """Take a post."""
    return httpx.Response(204)


class Web:
    """What stands in for the network: it keeps each request and answers as it is told."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer or taken

    def transport(self) -> httpx.AsyncBaseTransport:
        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return self._answer(request)

        return httpx.MockTransport(handle)

    @property
    def reached(self) -> list[str]:
        """The hosts that were connected to."""
        return [each.url.host for each in self.requests]


def post(url: str, names: Resolve | None = None, web: Web | None = None, **more: Any) -> Answer:
    """Post two bytes to a URL, and return what came back."""
    allowed = {"allow_private": False, "allow_http": False}
    allowed |= {name: more.pop(name) for name in tuple(more) if name in allowed}

    async def run() -> Answer:
        limits: dict[str, Any] = {"timeout_seconds": 5, "redirects": 3, **more}
        given = web.transport if web else None
        poster = Poster(resolve=names, transport=given, **limits)
        try:
            return await poster.post(Target.of(url, **allowed), b"{}", {"webhook-id": "1"})
        finally:
            await poster.close()

    return asyncio.run(run())


def moved(**places: str) -> Web:
    """Return a network in which some paths lead elsewhere."""

    def answer(request: httpx.Request) -> httpx.Response:
        place = places.get(request.url.path.strip("/"))
        return httpx.Response(307, headers={"location": place}) if place else httpx.Response(204)

    return Web(answer)


class TestPinning:
    def test_the_connection_goes_to_the_checked_address_and_carries_the_name(self) -> None:
        web = Web()

        answer = post(
            "https://hooks.example:8443/in?a=b", Names({"hooks.example": [[PUBLIC]]}), web
        )

        (request,) = web.requests
        assert answer == Answer(204)
        assert str(request.url) == f"https://{PUBLIC}:8443/in?a=b"
        assert request.headers["host"] == "hooks.example:8443"
        assert request.extensions["sni_hostname"] == "hooks.example"
        assert (request.method, request.content) == ("POST", b"{}")

    def test_a_name_in_another_script_is_asked_for_in_ascii(self) -> None:
        web, names = Web(), Names({"xn--mnchen-3ya.example": [[PUBLIC]]})

        post("https://münchen.example/", names, web)

        assert web.requests[0].headers["host"] == "xn--mnchen-3ya.example"
        assert web.requests[0].extensions["sni_hostname"] == "xn--mnchen-3ya.example"

    def test_an_address_in_ipv6_is_connected_to(self) -> None:
        web = Web()

        post("https://hooks.example/", Names({"hooks.example": [["2606:4700::1111"]]}), web)

        assert str(web.requests[0].url) == "https://[2606:4700::1111]/"

    def test_a_name_is_asked_for_once(self) -> None:
        """Rebinding: the second answer, private, is never looked at."""
        web, names = Web(), Names({"hooks.example": [[PUBLIC], [PRIVATE]]})

        answer = post("https://hooks.example/", names, web)

        assert answer.is_accepted
        assert (names.asked, web.reached) == (["hooks.example"], [PUBLIC])

    def test_each_attempt_checks_what_the_name_means_now(self) -> None:
        """Rebinding between two attempts: the second one is refused."""
        web, names = Web(), Names({"hooks.example": [[PUBLIC], [PRIVATE]]})

        answers = [post("https://hooks.example/", names, web) for _ in range(2)]

        assert [each.is_accepted for each in answers] == [True, False]
        assert web.reached == [PUBLIC]

    def test_the_next_address_is_tried_where_one_does_not_answer(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.host == PUBLIC:
                raise httpx.ConnectError("no route")
            return httpx.Response(204)

        web = Web(answer)

        assert post("https://hooks.example/", Names({"hooks.example": [[PUBLIC, OTHER]]}), web)
        assert web.reached == [PUBLIC, OTHER]

    def test_no_proxy_of_the_environment_is_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would resolve the name again, unchecked."""
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")

        with serving() as (port, received):
            answer = post(f"http://127.0.0.1:{port}/", allow_private=True, allow_http=True)

        assert answer.is_accepted
        assert len(received) == 1


class TestWhatIsNotPublic:
    @pytest.mark.parametrize(
        "addresses",
        [
            [PRIVATE],
            ["127.0.0.1"],
            ["169.254.169.254"],
            ["100.64.0.1"],
            ["::1"],
            ["::ffff:10.0.0.5"],
            ["64:ff9b::10.0.0.5"],
            ["fe80::1%2"],
            [PUBLIC, PRIVATE],
            ["2606:4700::1111", "fd00::1"],
        ],
        ids=" and ".join,
    )
    def test_a_name_that_leads_there_is_refused(self, addresses: list[str]) -> None:
        """One address that is not public is enough."""
        web = Web()

        answer = post("https://hooks.example/", Names({"hooks.example": [addresses]}), web)

        assert "which is no public address" in str(answer.error)
        assert web.requests == []

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::]",
            "[fe80::1]",
            "[64:ff9b::7f00:1]",
            "2130706433",
            "0x7f.1",
            "127.1",
            "0177.0.0.1",
            "0.0.0.0",  # noqa: S104
            "localhost",
            "localhost.",
            "a.localhost",
        ],
    )
    def test_a_host_that_is_written_so_is_refused(self, host: str) -> None:
        with pytest.raises(AddressError):
            Target.of(f"https://{host}/in", allow_private=False, allow_http=False)

    def test_a_name_without_an_address_is_a_failed_attempt(self) -> None:
        answer = post("https://hooks.example/", Names({"hooks.example": [[]]}), Web())

        assert answer.error == "hooks.example has no address; see that the name is right"

    def test_what_a_setting_allows_is_reached(self) -> None:
        web = Web()

        answer = post(
            "http://hooks.internal/",
            Names({"hooks.internal": [[PRIVATE]]}),
            web,
            allow_private=True,
            allow_http=True,
        )

        assert answer.is_accepted
        assert web.reached == [PRIVATE]

    def test_private_is_allowed_without_giving_up_tls(self) -> None:
        with pytest.raises(AddressError, match="no URL of https"):
            Target.of("http://hooks.internal/", allow_private=True, allow_http=False)


NAMES = {
    "hooks.example": [[PUBLIC]],
    "new.example": [[OTHER]],
    "evil.example": [[PRIVATE]],
}


class TestRedirects:
    def test_one_that_keeps_the_post_is_followed_to_a_checked_address(self) -> None:
        web = moved(old="https://new.example/new")

        answer = post("https://hooks.example/old", Names(NAMES), web)

        assert answer.is_accepted
        assert web.reached == [PUBLIC, OTHER]
        assert web.requests[1].extensions["sni_hostname"] == "new.example"
        assert (web.requests[1].method, web.requests[1].content) == ("POST", b"{}")
        assert web.requests[1].headers["webhook-id"] == "1"

    def test_one_without_a_host_stays(self) -> None:
        web = moved(old="/new")

        post("https://hooks.example/old", Names(NAMES), web)

        assert str(web.requests[1].url) == f"https://{PUBLIC}/new"
        assert web.requests[1].headers["host"] == "hooks.example"

    @pytest.mark.parametrize(
        "place",
        [
            "https://evil.example/",
            "https://127.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
            "https://2130706433/",
            "https://localhost/",
            "http://new.example/",
            "//10.0.0.5/",
            "file:///etc/passwd",
            "https://amy:pass@new.example/",
            "https://[::1",
        ],
    )
    def test_one_to_where_no_post_may_go_is_not_followed(self, place: str) -> None:
        web = moved(old=place)

        answer = post("https://hooks.example/old", Names(NAMES), web)

        assert not answer.is_accepted
        assert web.reached == [PUBLIC]

    @pytest.mark.parametrize("status", [301, 302, 303])
    def test_one_that_would_turn_the_post_into_something_else_is_an_answer(
        self, status: int
    ) -> None:
        place = {"location": "https://new.example/"}
        web = Web(lambda _request: httpx.Response(status, headers=place))

        answer = post("https://hooks.example/old", Names(NAMES), web)

        assert answer.status == status
        assert "give the endpoint that URL" in str(answer.error)
        assert web.reached == [PUBLIC]

    def test_a_circle_ends(self) -> None:
        web = moved(old="https://hooks.example/old")

        answer = post("https://hooks.example/old", Names(NAMES), web)

        assert answer.error == "more than 3 redirects; give the endpoint its last URL"
        assert len(web.requests) == 4


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "accepted"),
        [(200, True), (202, True), (299, True), (304, False), (400, False), (503, False)],
    )
    def test_only_two_hundreds_are_accepted(self, status: int, *, accepted: bool) -> None:
        web = Web(lambda _request: httpx.Response(status, headers={"retry-after": "7"}))

        answer = post("https://hooks.example/", Names({"hooks.example": [[PUBLIC]]}), web)

        assert (answer.status, answer.is_accepted) == (status, accepted)
        assert answer.retry_after == (None if accepted else "7")

    def test_an_endless_answer_is_cut_off(self) -> None:
        with serving(endless=True) as (port, _):
            answer = post(f"http://127.0.0.1:{port}/", allow_private=True, allow_http=True)

        assert answer.status == 200

    def test_an_answer_in_drops_ends_at_the_limit_of_time(self) -> None:
        """Each drop comes in time, all of them would not."""
        with serving(drops=True) as (port, _):
            answer = post(
                f"http://127.0.0.1:{port}/",
                allow_private=True,
                allow_http=True,
                timeout_seconds=0.5,
            )

        assert answer.error == "no answer within 0.5 s"

    def test_a_name_nobody_knows_is_a_failed_attempt(self) -> None:
        async def unknown(_host: str, _port: int) -> Sequence[str]:
            raise OSError("Name or service not known")

        answer = post("https://hooks.example/", unknown, Web())

        assert answer.error == "OSError: Name or service not known"


class TestTls:
    """A real server whose certificate is for hooks.example, at an address of this machine."""

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=HERE / "hooks.example.pem")

    def post(self, name: str, port: int) -> Answer:
        names = Names({name: [["127.0.0.1"]]})
        return post(f"https://{name}:{port}/", names, allow_private=True, tls=self.tls())

    def test_the_certificate_is_checked_for_the_name_not_for_the_address(self) -> None:
        with serving(certificate=True) as (port, received):
            answer = self.post("hooks.example", port)

        assert answer.is_accepted, answer.error
        assert received[0]["host"] == f"hooks.example:{port}"

    def test_a_certificate_for_another_name_is_refused(self) -> None:
        with serving(certificate=True) as (port, received):
            answer = self.post("other.example", port)

        assert "certificate" in str(answer.error).lower()
        assert received == []

    def test_two_names_at_one_address_do_not_share_a_connection(self) -> None:
        """Else the second name would go unchecked over what was checked for the first."""
        names = Names({"hooks.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]})

        async def run(port: int) -> list[Answer]:
            poster = Poster(timeout_seconds=5, redirects=0, resolve=names, tls=self.tls())
            targets = [
                Target.of(f"https://{name}:{port}/", allow_private=True, allow_http=False)
                for name in ("hooks.example", "other.example")
            ]
            try:
                return [await poster.post(each, b"{}", {}) for each in targets]
            finally:
                await poster.close()

        with serving(certificate=True) as (port, received):
            answers = asyncio.run(run(port))

        assert [each.is_accepted for each in answers] == [True, False]
        assert len(received) == 1


class serving:  # noqa: N801 – used as a block
    """A real server on this machine, as a block; yields its port and the headers it got."""

    def __init__(
        self, *, certificate: bool = False, endless: bool = False, drops: bool = False
    ) -> None:
        self.received: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(endless, drops))
        self._server.daemon_threads = True
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(HERE / "hooks.example.pem")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> tuple[int, list[dict[str, str]]]:
        self._thread.start()
        return self._server.server_address[1], self.received

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self, endless: bool, drops: bool) -> type[BaseHTTPRequestHandler]:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append({name.lower(): value for name, value in self.headers.items()})
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.end_headers()
                try:
                    for part in _parts(endless, drops):
                        self.wfile.write(part)
                        self.wfile.flush()
                except OSError:
                    return

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 – its name
                """Say nothing."""

        return Handler


def _parts(endless: bool, drops: bool) -> Iterator[bytes]:
    from time import sleep  # noqa: PLC0415

    if endless:
        while True:
            yield b"x" * 65536
    for _ in range(100 if drops else 1):
        yield b"x"
        sleep(0.05 if drops else 0)
