"""The endpoints of a tenant: where its facts are posted to."""

from datetime import datetime

from sublife.events.store.database import Source
from sublife.events.store.delivery import consumer
from sublife.events.store.delivery.shape import Endpoint
from sublife.events.store.delivery.statement import ENDPOINTS, PAUSE, ROTATE
from sublife.events.store.delivery.work import write
from sublife.events.store.link import Link
from sublife.events.store.statement import stored
from sublife.events.store.typed import LeftOut, readable


class Endpoints:
    """Endpoints of one tenant, as rows; `sublife.events.outbox` checks what it puts in here.

    Args:
        source: where transactions come from.
        tenant: whose these are.
    """

    def __init__(self, source: Source, tenant: str) -> None:
        self._source = source
        self.tenant = tenant

    def add(self, endpoint: Endpoint, now: datetime, *, from_start: bool = False) -> None:
        """Write down an endpoint.

        Args:
            endpoint: with the secret that signs.
            now: UTC instant.
            from_start: whether it gets all facts there are, not only those from now on.

        Raises:
            ConsumerTakenError: its id belongs to another endpoint or handler.
        """
        write(
            self._source,
            lambda link: consumer.add_endpoint(
                link, self.tenant, endpoint, now, from_start=from_start
            ),
        )

    def all(self, *, left_out: LeftOut | None = None) -> tuple[Endpoint, ...]:
        """Return the endpoints, in order of their ids.

        Args:
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            rows = ENDPOINTS.rows(link, {"t": self.tenant})
        return tuple(readable(rows, consumer.endpoint_of, left_out))

    def get(self, name: str) -> Endpoint:
        """Return one endpoint.

        Raises:
            UnknownConsumerError: there is none of that id.
            UnreadableError: its row cannot be read.
        """
        with self._source.reading() as link:
            return consumer.endpoint_named(link, self.tenant, name)

    def rotate(self, name: str, secret: str, until: datetime) -> None:
        """Sign with *secret* from now on, and until *until* with the one before as well.

        Raises:
            UnknownConsumerError: there is no endpoint of that id.
        """

        def work(link: Link) -> None:
            consumer.endpoint_named(link, self.tenant, name)
            at = stored(until, link.dialect)
            ROTATE.write(link, [{"t": self.tenant, "c": name, "until": at, "new_secret": secret}])

        write(self._source, work)

    def pause(self, name: str, now: datetime | None, because: str | None = None) -> None:
        """Hand nothing more on to a consumer from *now*, or go on where *now* is `None`.

        Raises:
            UnknownConsumerError: there is none of that name.
        """

        def work(link: Link) -> None:
            consumer.locked(link, self.tenant, name)
            at = stored(now, link.dialect)
            PAUSE.write(link, [{"t": self.tenant, "c": name, "at": at, "because": because}])

        write(self._source, work)

    def remove(self, name: str) -> None:
        """Take away a consumer with all its deliveries.

        Raises:
            UnknownConsumerError: there is none of that name.
        """
        write(self._source, lambda link: consumer.remove(link, self.tenant, name))
