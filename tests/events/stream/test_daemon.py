"""The daemon's duty: every live tenant through one connection, and an outage that passes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.simulation import simulate
from sublife.events.stream import Connection, SettingError
from sublife.scheduler.daemon.streaming import Streaming, broker_of, streaming
from sublife.scheduler.settings import load

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.stream.conftest import Server

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)


def duty_of(desk: "Desk", connection: Connection, stop: Signal | None = None) -> Streaming:
    return Streaming(store=desk.store, connection=connection, stop=stop or Signal())


def tenants_of(server: "Server") -> list[str]:
    return sorted({each.subject.split(".")[1] for each in server.kept()})


def test_every_live_tenant_is_published_and_a_simulated_one_is_not(
    desk: "Desk", server: "Server", connection: Connection
) -> None:
    """What did not happen is nobody's fact."""
    for name in ("a", "b"):
        type(desk)(desk.store.of(name), desk.clock).sell("s1")
    simulate(desk.store, "what-if", SOLD_AT)
    type(desk)(desk.store.of("what-if"), desk.clock).sell("s1")

    wait = duty_of(desk, connection)()

    assert tenants_of(server) == ["a", "b"]
    assert wait == 1.0


def test_an_outage_is_waited_for_ever_longer_and_told_once(
    desk: "Desk", server: "Server", connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    desk.sell("s1")
    duty = duty_of(desk, connection)
    server.kill()

    with caplog.at_level("INFO", logger="sublife"):
        waits = [duty() for _ in range(9)]
        server.start()
        last = duty()

    told = [each.message for each in caplog.records if each.message.startswith("stream_")]
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert last == 1.0
    assert told == ["stream_away", "stream_made", "stream_back"]
    assert tenants_of(server) == ["default"]


def test_no_page_is_begun_after_the_daemon_was_told_to_stop(
    desk: "Desk", server: "Server", connection: Connection
) -> None:
    desk.sell("s1")
    stop = Signal()
    stop.set()

    duty_of(desk, connection, stop)()

    assert desk.store.deliveries.list() == ()
    with pytest.raises(Exception, match="stream not found"):
        server.info()


def test_the_broker_is_what_the_settings_say() -> None:
    flags: dict[str, Any] = {
        "store": "sqlite://",
        "nats_url": "tls://one:4222",
        "nats_stream": "facts",
        "nats_prefix": "csp",
        "nats_create": False,
        "nats_duplicate_minutes": 5,
        "nats_credentials": "/etc/sublife/sublife.creds",
        "nats_tls_ca": "/etc/sublife/ca.pem",
    }

    broker = broker_of(load(flags=flags))

    assert broker is not None
    assert (broker.url, broker.stream, broker.prefix) == ("tls://one:4222", "facts", "csp")
    assert (broker.create, broker.duplicate_window) == (False, timedelta(minutes=5))
    assert str(broker.credentials) == "/etc/sublife/sublife.creds"
    assert str(broker.tls_ca) == "/etc/sublife/ca.pem"


def test_without_a_broker_there_is_no_duty(open_desk: Callable[..., "Desk"]) -> None:
    with streaming(open_desk().store, load(flags={"store": "sqlite://"}), Signal()) as duty:
        assert duty is None


def test_a_broker_that_cannot_be_ends_the_daemon_at_its_start(
    open_desk: Callable[..., "Desk"],
) -> None:
    settings = load(flags={"store": "sqlite://", "nats_url": "amqp://host"})

    with (
        pytest.raises(SettingError, match="nats://host:port"),
        streaming(open_desk().store, settings, Signal()),
    ):
        pass
