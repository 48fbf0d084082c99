"""The server: a thread that serves an address, and what it refuses to listen at."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sublife.events.store import Store
from sublife.scheduler.api import Interface, Server
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon.serving import serving
from sublife.scheduler.listen import ListenError, address
from sublife.scheduler.metrics import Metrics
from sublife.scheduler.settings import Settings

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door


@pytest.fixture
def file_door(tmp_path: Path, open_door: Callable[..., "Door"]) -> "Door":
    """An interface on a file, which threads can share."""
    return open_door(f"sqlite:///{tmp_path / 'served.db'}")


def test_it_serves_from_start_to_stop(file_door: "Door") -> None:
    server = Server(file_door.interface, "127.0.0.1:0")

    server.start()
    alive = httpx.get(f"{server.url}/healthz")
    due = httpx.get(f"{server.url}/v1/due")
    server.stop()

    assert (alive.status_code, due.status_code) == (200, 200)
    assert "server" not in alive.headers
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/healthz")


def test_ids_with_a_slash_arrive_as_they_were_sent(file_door: "Door") -> None:
    file_door.store.of("default")
    text = file_door.token(tenant="default")[1]
    headers = {"Authorization": f"Bearer {text}"}

    with Server(file_door.interface, "127.0.0.1:0") as server:
        answer = httpx.get(f"{server.url}/v1/subjects/a%2Fb", headers=headers)

    assert answer.json()["detail"] == "there is no subject a/b; fix the id"


def test_an_address_that_others_can_reach_needs_a_token_first(file_door: "Door") -> None:
    server = Server(file_door.interface, "0.0.0.0:0")

    with pytest.raises(ListenError, match="there is no token yet"):
        server.start()
    text = file_door.token(tenant="default")[1]
    with server:
        url = f"http://127.0.0.1:{server.port}/v1/due"
        without = httpx.get(url)
        with_token = httpx.get(url, headers={"Authorization": f"Bearer {text}"})

    assert (without.status_code, with_token.status_code) == (401, 200)


def test_an_address_that_is_taken_is_told(file_door: "Door") -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(file_door.interface, f"127.0.0.1:{port}")
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}"):
            server.start()


@pytest.mark.parametrize("listen", ["", "8321", "localhost", "localhost:", "a:b", "a:70000", ":1"])
def test_what_is_no_address_is_told(listen: str) -> None:
    with pytest.raises(ListenError, match="is no address; write host and port"):
        address(listen)


def test_an_address_may_be_of_version_6() -> None:
    assert address("[::1]:8321") == ("::1", 8321)


def test_the_settings_say_whether_and_where_it_is_served(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'a.db'}", clock=SystemClock())
    given = {"store": "sqlite:///a.db", "body_bytes": 2000, "open_tenant": "acme"}
    silent = Settings.model_validate(given)
    spoken = Settings.model_validate({**given, "listen": "127.0.0.1:0"})
    metrics = Metrics()

    with serving(store, silent, metrics=metrics, clock=SystemClock()) as nowhere:
        assert nowhere is None
    with serving(store, spoken, metrics=metrics, clock=SystemClock()) as url:
        clock = httpx.get(f"{url}/v1/clock").json()
        large = httpx.post(f"{url}/v1/pauses", json={"reason": "x" * 3000})
        ready = httpx.get(f"{url}/readyz")

    store.close()
    assert clock["tenant"] == "acme"
    assert large.status_code == 413
    assert (ready.status_code, ready.json()["code"]) == (503, "NO_BEAT")
    assert 'status="413"' in metrics.text()


def test_requests_at_the_same_time_have_one_effect_each(file_door: "Door") -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 – the only test with threads

    body = {
        "request": "purchase",
        "data": {
            "customer": "tailspin",
            "partner": "contoso",
            "product": {"sku": "E3", "name": "Office E3"},
            "quantity": 1,
            "term": "P1Y",
            "billing": "monthly",
        },
    }

    def buy(number: int) -> httpx.Response:
        headers = {"Idempotency-Key": f"order-{number % 8}"}
        path = f"{server.url}/v1/subjects/sub-{number % 8}/events"
        return httpx.post(path, json=body, headers=headers, timeout=60)

    with Server(file_door.interface, "127.0.0.1:0") as server, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(buy, range(32)))

    assert {each.status_code for each in answers} == {201}
    assert len([each for each in answers if not each.json()["repeated"]]) == 8
    assert len(file_door.store.all()) == 8


def test_the_interface_is_closed_where_it_was_not_said_that_it_is_local(file_door: "Door") -> None:
    assert not Interface(file_door.store).is_open()
