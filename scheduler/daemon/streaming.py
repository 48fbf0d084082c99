"""Publishes the facts of every live tenant to the event stream, through one connection."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import SystemRandom
from threading import Event as Signal

from sublife.events.store import Store, StoreError
from sublife.events.stream import Broker, BrokerError, Connection, Outage, publish
from sublife.scheduler.settings import Settings


def broker_of(settings: Settings) -> Broker | None:
    """Return the broker that the settings name, or `None` if they name none.

    Raises:
        SettingError: one of them cannot be.
    """
    if settings.nats_url is None:
        return None
    return Broker(
        url=settings.nats_url,
        stream=settings.nats_stream,
        prefix=settings.nats_prefix,
        credentials=settings.nats_credentials,
        tls_ca=settings.nats_tls_ca,
        tls_certificate=settings.nats_tls_certificate,
        tls_key=settings.nats_tls_key,
        create=settings.nats_create,
        duplicate_window=timedelta(minutes=settings.nats_duplicate_minutes),
    )


@contextmanager
def streaming(
    store: Store, settings: Settings, stop: Signal
) -> Generator[Callable[[], float] | None]:
    """Give the duty that publishes, and end its connection; no duty if there is no broker.

    Raises:
        SettingError: what the settings say of the broker cannot be.
        ExtraMissingError: the extra `nats` is not installed.
    """
    broker = broker_of(settings)
    if broker is None:
        yield None
        return
    with Connection(broker) as connection:
        yield Streaming(
            store=store, connection=connection, stop=stop, seconds=settings.nats_seconds
        )


@dataclass(slots=True, kw_only=True)
class Streaming:
    """The duty: publishes what is new of every live tenant, page by page, in turns.

    Args:
        store: on the database; of any tenant.
        connection: to the broker.
        stop: after which no further page is begun.
        seconds: the longest time between two looks.
    """

    store: Store
    connection: Connection
    stop: Signal
    seconds: float = 1.0
    _outage: Outage = field(init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(self.connection.broker.where)

    def __call__(self) -> float:
        """Publish until nothing is left; return the seconds until the next look."""
        try:
            left = self.store.tenants.live()
            while left and not self.stop.is_set():
                left = tuple(tenant for tenant in left if self._publish(tenant))
        except (BrokerError, StoreError) as error:
            return self._outage.met(error)
        self._outage.over()
        return self.seconds

    def _publish(self, tenant: str) -> bool:
        """Publish one page of a tenant; return whether more of it follows."""
        if self.stop.is_set():
            return False
        store = self.store.of(tenant)
        now, chance = store.host_clock.now(), SystemRandom().random
        return publish(store, now, connection=self.connection, chance=chance).more
