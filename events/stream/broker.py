"""Where the broker is and what is expected of it, and the errors that name what is wrong there."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sublife.events.webhook import ExtraMissingError
from sublife.events.webhook.body import Source
from sublife.lifecycle.error import SublifeError

URL = "nats://127.0.0.1:4222"
NAME = "sublife"
DUPLICATE_WINDOW = timedelta(minutes=10)
SCHEMES = ("nats", "tls")
_TOKEN = re.compile(r"[^\s.*>\x00-\x1f\x7f]+")
_STREAM = re.compile(r"[^\s.*>/\\\x00-\x1f\x7f]+")


class BrokerError(SublifeError, RuntimeError):
    """The broker does not take facts; they wait in the journal."""


class BrokerAwayError(BrokerError):
    """The broker does not answer; this may pass by itself."""


class BrokerRefusedError(BrokerError):
    """The broker answers no; somebody has to change something there or in the settings."""


class SettingError(SublifeError, ValueError):
    """A broker cannot be as it was asked for."""


def demand_extra() -> None:
    """Do nothing if the client of NATS is installed.

    Raises:
        ExtraMissingError: it is not; the message names the extra.
    """
    if find_spec("nats") is None:
        raise ExtraMissingError("the event stream needs nats-py; install sublife[nats]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """A NATS server with JetStream, and the stream that keeps the facts.

    Args:
        url: `nats://host:port` or `tls://host:port`, several of one cluster divided by commas; a
            user and password, or a token, may stand before the host.
        stream: name of the stream.
        prefix: what every subject name begins with; one or more tokens, divided by full stops.
        credentials: file with the user's JWT and key, as `nsc` writes it.
        tls_ca: file with the certificates to trust; the system's if not given.
        tls_certificate: file with our own certificate, where the broker asks for one.
        tls_key: file with its key; the certificate's file if not given.
        create: whether to make the stream where there is none. One that is there is never changed.
        duplicate_window: how long a stream made here knows a message id again.
        timeout_seconds: for connecting, and for the answer to what was published.
        source: where messages say they come from.

    Raises:
        SettingError: one of them cannot be.
    """

    url: str = field(default=URL, repr=False)
    stream: str = NAME
    prefix: str = NAME
    credentials: Path | None = None
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    create: bool = True
    duplicate_window: timedelta = DUPLICATE_WINDOW
    timeout_seconds: float = 5.0
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        for each in self.urls:
            _check_url(each)
        if not _STREAM.fullmatch(self.stream):
            raise SettingError(
                f'the stream cannot be called "{self.stream}"; use a name without spaces, full '
                "stops, slashes, * and >"
            )
        if not all(map(_TOKEN.fullmatch, self.prefix.split("."))) or self.prefix.startswith("$"):
            raise SettingError(
                f'subject names cannot begin with "{self.prefix}"; use words divided by full '
                "stops, without spaces, * and >, not beginning with $"
            )

    @property
    def urls(self) -> tuple[str, ...]:
        """Every server, in the order in which they are tried."""
        return tuple(each.strip() for each in self.url.split(","))

    @property
    def where(self) -> str:
        """Every server as it may be shown: without user, password or token."""
        return ", ".join(map(shown, self.urls))

    @property
    def consumer(self) -> str:
        """The name of the cursor; another stream has another one and begins with the first fact."""
        return f"nats:{self.stream}"


def shown(url: str) -> str:
    """Return the address of a server without user, password or token."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
        sound = sound and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
        for each in (parts.username, parts.password):
            unquote(each or "", errors="strict")
    except ValueError:
        sound = False
    if not sound:
        raise SettingError(  # the address itself may hold a password
            "the address of a broker is nats://host:port or tls://host:port; several are divided "
            "by commas, and special characters of a user, password or token are percent-encoded, "
            "such as %40 for @ and %2F for /"
        )
