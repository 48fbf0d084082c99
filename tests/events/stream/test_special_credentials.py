"""Users, passwords and tokens of a broker with special characters, which an address encodes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from sublife.events.stream import Broker, BrokerRefusedError, SettingError
from sublife.events.stream.opening import signing_in
from sublife.scheduler.daemon.streaming import broker_of
from sublife.scheduler.settings import PREFIX, load

if TYPE_CHECKING:
    from sublife.events.stream import Connection
    from tests.events.stream.conftest import Server

SPECIAL = ["p@ss/w", "a:b", "a#b?c", "100%", "%41", "a,b", "Zoë 株 😀", "a+b c", "[x]", "$2a$10$x"]


@pytest.mark.parametrize("secret", SPECIAL)
def test_user_and_password_reach_the_client_decoded(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way of the settings, as the daemon reads them."""
    said = quote(secret, safe="")
    monkeypatch.setenv(f"{PREFIX}STORE", "sqlite:///none.db")
    monkeypatch.setenv(f"{PREFIX}NATS_URL", f"nats://{said}:{said}@one:4222,tls://two")
    broker = broker_of(load())
    assert broker is not None

    url, options = signing_in(broker.urls[0])

    assert (url, options) == ("nats://one:4222", {"user": secret, "password": secret})
    assert signing_in(broker.urls[1]) == ("tls://two", {})
    assert broker.where == "nats://one:4222, tls://two"


@pytest.mark.parametrize("secret", SPECIAL)
def test_a_token_reaches_the_client_decoded(secret: str) -> None:
    url, options = signing_in(f"nats://{quote(secret, safe='')}@[::1]:4222")

    assert (url, options) == ("nats://[::1]:4222", {"token": secret})


def test_an_empty_password_is_a_password() -> None:
    assert signing_in("nats://amy:@one") == ("nats://one", {"user": "amy", "password": ""})


@pytest.mark.parametrize(
    "url",
    [
        "nats://amy:s3/cret@one:4222",
        "nats://amy:1234/s3cret@one:4222",
        "nats://amy:1234#s3cret@one:4222",
        "nats://amy:1234?s3cret@one:4222",
        "nats://amy:s3,cret@one:4222",
        "nats://amy:s3cret@one:port",
        "nats://amy:%ffs3cret@one:4222",
    ],
)
def test_what_is_not_encoded_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SettingError, match="percent-encoded") as raised:
        Broker(url=url)

    assert "s3" not in str(raised.value)
    assert "1234" not in str(raised.value)


def test_a_real_server_takes_them(
    open_server: Callable[..., "Server"], connect: Callable[..., "Connection"]
) -> None:
    """And a wrong password is named by the address, without either."""
    secret = "p@ss/w:#%41"  # noqa: S105 – of the server of this test
    server = open_server(f'authorization {{ user: "amy@x", password: "{secret}" }}')
    place = server.url.removeprefix("nats://")
    given: Any = {"timeout_seconds": 5}

    with connect(f"nats://amy%40x:{quote(secret, safe='')}@{place}", **given) as right:
        assert right.send([]) == []
    with (
        connect(f"nats://amy%40x:s3cret@{place}", **given) as wrong,
        pytest.raises(BrokerRefusedError) as raised,
    ):
        wrong.send([])

    assert place in str(raised.value)
    assert "s3cret" not in str(raised.value)
