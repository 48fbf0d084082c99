"""A daemon with receivers that accept and never answer ends within seconds, and loses nothing."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import enumerate as threads
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from sublife.events.outbox import Delivery, Endpoint, Status, add_endpoint
from sublife.events.outbox.endpoint import new_secret
from sublife.scheduler.daemon import process
from sublife.scheduler.daemon.beat import Beat
from sublife.scheduler.daemon.delivering import Delivering
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Shop

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECEIVERS = 49
LONGEST_SECONDS = 10
"""What an operator is promised; a post alone may take 15, a round 60."""


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a receiver whose connections are accepted and never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def connect(shop: "Shop", url: str) -> None:
    """Give the tenant one endpoint for each receiver, for all facts there are."""
    for number in range(RECEIVERS):
        endpoint = Endpoint(
            id=f"hook-{number:02}",
            url=url,
            secret=new_secret(bytes(range(32))),
            allow_http=True,
            allow_private=True,
        )
        add_endpoint(shop.store, endpoint, NOON, from_start=True)


def attempted(shop: "Shop") -> list[Delivery]:
    """Return the deliveries that were claimed."""
    return [each for each in shop.store.deliveries.list() if each.attempts]


def test_forty_nine_silent_receivers_do_not_hold_up_the_end(
    open_shop: Callable[[str], "Shop"], silent: str, tmp_path: Path
) -> None:
    """By real connections; five subjects each, so that some wait for a place."""
    shop = open_shop(f"sqlite:///{tmp_path / 'shop.db'}")
    for number in range(5):
        shop.sell(f"s{number}")
    connect(shop, silent)
    delivering = Delivering(store=shop.store, seconds=0.05, stop_seconds=0.1)
    delivering.tend()
    (thread,) = (each for each in threads() if each.name == "sublife-deliver-default")
    while len(attempted(shop)) < RECEIVERS:
        thread.join(0.01)

    begun = monotonic()
    delivering.end()

    assert monotonic() - begun < LONGEST_SECONDS
    assert not thread.is_alive()
    assert {each.status for each in attempted(shop)} == {Status.PENDING}
    assert {each.next_attempt_at for each in attempted(shop)} == {shop.clock.now()}


def test_no_tenant_is_begun_with_once_the_daemon_is_to_end(
    open_shop: Callable[[str], "Shop"], silent: str
) -> None:
    shop = open_shop("sqlite://")
    shop.sell("s1")
    connect(shop, silent)
    delivering = Delivering(store=shop.store)

    delivering.stop()
    delivering.tend()
    delivering.end()

    assert attempted(shop) == []


def test_posting_stops_before_the_batch_under_way_is_waited_for(
    open_shop: Callable[[str], "Shop"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long batch would give the posts time to begin again and again."""
    seen: list[str] = []
    end = Beat.end

    class Noted(Delivering):
        def stop(self) -> None:
            seen.append("posting stops")
            super().stop()

    def note_end(beat: Beat) -> None:
        seen.append("the batch ends")
        end(beat)

    monkeypatch.setattr(process, "Delivering", Noted)
    monkeypatch.setattr(Beat, "end", note_end)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    shop = open_shop(url)
    daemon = Daemon(load(flags={"store": url}))
    sign = daemon._sign()  # pyright: ignore[reportPrivateUsage] – as `run` does

    with daemon._working(shop.store, sign, None):  # pyright: ignore[reportPrivateUsage] – the same
        pass

    assert seen[:2] == ["posting stops", "the batch ends"]
