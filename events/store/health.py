"""What a look after a database's health asks of it: deliveries that stand, partitions that fill."""

from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, and_, bindparam, func, literal_column, select

from sublife.events.layout import CONSUMER, DELIVERY, SUBJECT
from sublife.events.migrations.partition import BY_MONTH
from sublife.events.store.database import Source
from sublife.events.store.error import UnreadableError
from sublife.events.store.history import HELD
from sublife.events.store.link import Link
from sublife.events.store.readable import NEVER, snapshot_of
from sublife.events.store.statement import Statement, restored, stored
from sublife.events.store.tenants import is_live
from sublife.events.store.typed import instant_or, readable
from sublife.lifecycle.dates import add_months


class Standing(NamedTuple):
    """Deliveries of one consumer that stand still.

    Args:
        tenant: whose they are.
        consumer: the handler or endpoint.
        number: how many.
        since: UTC instant of the oldest: when it was due, or was given up; `None` if that cannot
            be read.
    """

    tenant: str
    consumer: str
    number: int
    since: datetime | None


class PausedConsumer(NamedTuple):
    """A handler or endpoint to which nothing is handed on.

    Args:
        tenant: whose it is.
        name: of the handler or endpoint.
        paused_at: UTC instant; `None` if that cannot be read.
        because: why.
    """

    tenant: str
    name: str
    paused_at: datetime | None
    because: str


class Months(NamedTuple):
    """How the tables that are cut by month stand.

    Args:
        stray: tables of which rows lie in the default partition.
        missing: partitions of this month and the next that are not there.
    """

    stray: tuple[str, ...]
    missing: tuple[str, ...]


_GROUP = (DELIVERY.c.tenant, DELIVERY.c.consumer)
_OVERDUE = Statement(
    select(*_GROUP, func.count().label("number"), func.min(DELIVERY.c.next_attempt_at).label("at"))
    .join_from(
        DELIVERY,
        CONSUMER,
        and_(CONSUMER.c.tenant == DELIVERY.c.tenant, CONSUMER.c.name == DELIVERY.c.consumer),
    )
    .where(
        DELIVERY.c.next_attempt_at < bindparam("before"),
        CONSUMER.c.paused_at.is_(None),
        is_live(DELIVERY.c.tenant),
    )
    .group_by(*_GROUP)
    .order_by(*_GROUP)
)
_DEAD = Statement(
    select(*_GROUP, func.count().label("number"), func.min(DELIVERY.c.ended_at).label("at"))
    .where(DELIVERY.c.status == literal_column("'dead'"))
    .group_by(*_GROUP)
    .order_by(*_GROUP)
)
_PAUSED = Statement(
    select(CONSUMER.c.tenant, CONSUMER.c.name, CONSUMER.c.paused_at, CONSUMER.c.paused_because)
    .where(CONSUMER.c.paused_at.is_not(None))
    .order_by(CONSUMER.c.tenant, CONSUMER.c.name)
)
_FIRST = select(*HELD).where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at.is_not(None))
_N = bindparam("n", type_=Integer())
_ORDER = (SUBJECT.c.due_at, SUBJECT.c.id)
_EARLIEST = Statement(_FIRST.order_by(*_ORDER).limit(_N))
_DUE = Statement(_FIRST.where(SUBJECT.c.due_at <= bindparam("until")).order_by(*_ORDER).limit(_N))
_NEVER = Statement(
    select(SUBJECT.c.tenant, *HELD)
    .where(SUBJECT.c.due_at > literal_column("'9999-12-31 23:59:59.999999'"))
    .order_by(SUBJECT.c.tenant, SUBJECT.c.id)
)
"""For SQLite, where a text that is no instant may be later than all of them."""
_ASIDE = Statement(
    select(SUBJECT.c.id)
    .where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at == bindparam("at"))
    .order_by(SUBJECT.c.id)
)
_TABLES = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND pg_table_is_visible(oid) "
    "AND relname LIKE 'sublife\\_%%'"
)


class Health:
    """Looks at a whole database, every tenant of it; nothing is changed.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def overdue(self, before: datetime) -> tuple[Standing, ...]:
        """Return deliveries that were due before a UTC instant, and nobody attempts.

        Consumers and tenants that are paused are left out.
        """
        with self._source.reading() as link:
            rows = _OVERDUE.rows(link, {"before": stored(before, link.dialect)})
        return tuple(map(_standing, rows))

    def unreadable(
        self, tenant: str, *, until: datetime | None = None, limit: int
    ) -> list[UnreadableError]:
        """Return what cannot be read of the subjects of a tenant that have a timer.

        Args:
            tenant: whose.
            until: UTC instant, inclusive; only those that are due by then, if given.
            limit: subjects that are looked at, the earliest due first.
        """
        found: list[UnreadableError] = []
        with self._source.reading() as link:
            key: dict[str, Any] = {"t": tenant, "n": limit}
            if until is None:
                rows = _EARLIEST.rows(link, key)
            else:
                rows = _DUE.rows(link, {**key, "until": stored(until, link.dialect)})
        readable(rows, snapshot_of, found.append)
        return found

    def never_due(self, tenant: str | None = None) -> list[tuple[str, UnreadableError]]:
        """Return the subjects that no calendar finds, as they are due at what is no instant.

        Args:
            tenant: only of this one; of every one if not given.

        Returns:
            The errors, each with its tenant.
        """
        with self._source.reading() as link:
            rows = _NEVER.rows(link, {}) if link.is_sqlite else []
        found: list[tuple[str, UnreadableError]] = []
        for row in rows:
            errors: list[UnreadableError] = []
            if tenant in {None, row.tenant}:
                readable([row], snapshot_of, errors.append)
            found += [(row.tenant, error) for error in errors]
        return found

    def set_aside(self, tenant: str) -> tuple[str, ...]:
        """Return the ids of a tenant's subjects that are set aside."""
        with self._source.reading() as link:
            at = stored(restored(NEVER), link.dialect)
            return tuple(row[0] for row in _ASIDE.raw(link, {"t": tenant, "at": at}))

    def dead(self) -> tuple[Standing, ...]:
        """Return the deliveries that were given up."""
        with self._source.reading() as link:
            return tuple(map(_standing, _DEAD.rows(link, {})))

    def paused(self) -> tuple[PausedConsumer, ...]:
        """Return the handlers and endpoints that are paused."""
        with self._source.reading() as link:
            rows = _PAUSED.rows(link, {})
        return tuple(
            PausedConsumer(
                row.tenant, row.name, instant_or(row.paused_at, None), row.paused_because or ""
            )
            for row in rows
        )

    def months(self, today: date) -> Months | None:
        """Return how the partitions by month stand; `None` where the tables have none."""
        with self._source.reading() as link:
            if link.is_sqlite:
                return None
            names = {row[0] for row in link.rows(_TABLES, {})}
            if f"{BY_MONTH[0]}_default" not in names:
                return None
            stray = tuple(table for table in BY_MONTH if _has_rows(link, f"{table}_default"))
        wanted = [f"{t}_{add_months(today, n):%Y_%m}" for n in (0, 1) for t in BY_MONTH]
        return Months(stray, tuple(name for name in wanted if name not in names))


def _standing(row: Any) -> Standing:
    return Standing(row.tenant, row.consumer, int(row.number), instant_or(row.at, None))


def _has_rows(link: Link, table: str) -> bool:
    return bool(link.rows(f"SELECT 1 FROM {table} LIMIT 1", {}))  # noqa: S608 – names of our own
