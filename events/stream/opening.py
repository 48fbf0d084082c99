"""Connects to a broker and signs in there, and says what is wrong if it cannot; needs `nats`."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from nats.aio.client import Client
from nats.errors import Error

from sublife.events.stream.broker import (
    Broker,
    BrokerAwayError,
    BrokerError,
    BrokerRefusedError,
    shown,
)

GOODBYE_SECONDS = 1.0


class Link(NamedTuple):
    """A connection to one server.

    Args:
        client: of NATS, connected.
        ended: done when the connection has ended.
        faults: what the server has said without being asked, the latest last.
    """

    client: Client
    ended: "asyncio.Future[None]"
    faults: list[str]


async def connected(broker: Broker, url: str) -> Link:
    """Connect to one server.

    Raises:
        BrokerAwayError: it does not answer.
        BrokerRefusedError: it does not let us in.
    """
    place, options = signing_in(url)
    options |= _secured(broker, url)
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    faults: list[str] = []

    async def told(error: Exception) -> None:
        faults.append(plain(error))
        del faults[:-20]

    async def closed() -> None:
        if not ended.done():
            ended.set_result(None)

    client = Client()
    try:
        await asyncio.wait_for(
            client.connect(
                place,
                name="sublife",
                allow_reconnect=False,
                max_reconnect_attempts=0,
                connect_timeout=max(1, round(broker.timeout_seconds)),
                error_cb=told,
                closed_cb=closed,
                **options,
            ),
            broker.timeout_seconds + 1,
        )
    except Exception as error:  # the client lets through whatever its parts raise
        await close(client)
        raise _not_connected(url, error, faults) from error
    return Link(client, ended, faults)


async def close(client: Client) -> None:
    """End a connection; one that is broken may not say goodbye, and is not waited for."""
    with suppress(TimeoutError, OSError, Error):
        await asyncio.wait_for(client.close(), GOODBYE_SECONDS)


def signing_in(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address of a server by itself, and the client's options to sign in there.

    The client takes user, password and token out of an address without decoding them.
    """
    parts = urlsplit(url)
    place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.username is None:
        return place, {}
    if parts.password is None:
        return place, {"token": unquote(parts.username)}
    return place, {"user": unquote(parts.username), "password": unquote(parts.password)}


def _secured(broker: Broker, url: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if broker.credentials is not None:
        options["user_credentials"] = _credentials(broker.credentials)
    if url.startswith("tls:") or broker.tls_ca or broker.tls_certificate:
        options["tls"] = _tls(broker)
    return options


def _credentials(path: Path) -> str:
    """Return a credentials file that has all it needs; the client would read on for ever."""
    try:
        text = _there(path, "nats_credentials").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise BrokerRefusedError(f"{path} cannot be read: {error}; see nats_credentials") from error
    if "BEGIN NATS USER JWT" not in text or "BEGIN USER NKEY SEED" not in text:
        raise BrokerRefusedError(
            f"{path} has no user JWT with its key; nats_credentials names a file as nsc writes it"
        )
    return str(path)


def _there(path: Path, setting: str) -> Path:
    if not path.is_file():
        raise BrokerRefusedError(f"there is no file {path}; {setting} names it")
    return path


def _tls(broker: Broker) -> ssl.SSLContext:
    ca = broker.tls_ca and str(_there(broker.tls_ca, "nats_tls_ca"))
    try:
        context = ssl.create_default_context(cafile=ca)
        if broker.tls_certificate is not None:
            own = _there(broker.tls_certificate, "nats_tls_certificate")
            context.load_cert_chain(own, broker.tls_key)
    except (ssl.SSLError, OSError) as error:
        raise BrokerRefusedError(
            f"the certificates for {broker.where} cannot be read: {plain(error)}; see "
            "nats_tls_ca, nats_tls_certificate and nats_tls_key"
        ) from error
    return context


def _not_connected(url: str, error: Exception, faults: list[str]) -> BrokerError:
    said = plain(error)
    known = " ".join([said, *faults]).lower()
    if "authorization" in known or "authentication" in known:
        return BrokerRefusedError(
            f"{shown(url)} does not let us in ({said}); give a user and password in nats_url, or "
            "a credentials file in nats_credentials"
        )
    if isinstance(error, ssl.SSLError) or "certificate" in known or "secure connection" in known:
        return BrokerRefusedError(
            f"no secure connection to {shown(url)}: {said}; see nats_tls_ca, nats_tls_certificate "
            "and nats_tls_key"
        )
    if not isinstance(error, OSError | Error | TimeoutError):
        return BrokerRefusedError(
            f"cannot sign in to {shown(url)}: {said}; see nats_credentials and nats_url"
        )
    reason = faults[-1] if faults else said
    return BrokerAwayError(
        f"{shown(url)} does not answer: {reason}; facts wait in the journal until it does"
    )


def plain(error: object) -> str:
    """Return what an error says, without the client's name before it."""
    return str(error).removeprefix("nats: ").strip("'") or type(error).__name__
