"""What is due in a whole database: every live tenant at once, each by a probe of its own index."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, and_, bindparam, func, literal_column, or_, select

from sublife.events.layout import DAEMON, ENDPOINT, JOURNAL, PAUSE, SIMULATION, SUBJECT
from sublife.events.store.database import Source
from sublife.events.store.readable import NEVER
from sublife.events.store.statement import Statement, restored, stored
from sublife.events.store.typed import instant_or

_ONE = literal_column("1", Integer())
_OTHER = SUBJECT.alias("other")
_FIRST = (
    select(func.min(SUBJECT.c.tenant).label("tenant"))
    .where(SUBJECT.c.due_at.is_not(None))
    .cte("tenants", recursive=True)
)
_TENANTS = _FIRST.union_all(
    select(
        select(func.min(_OTHER.c.tenant))
        .where(_OTHER.c.due_at.is_not(None), _OTHER.c.tenant > _FIRST.c.tenant)
        .scalar_subquery()
    ).where(_FIRST.c.tenant.is_not(None))
)
"""Every tenant with a timer: one probe of the index each, however many subjects it has."""


def is_live(tenant: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a tenant goes by the real clock, and is not paused as a whole."""
    paused = select(_ONE).where(
        PAUSE.c.lifecycle == "", or_(PAUSE.c.tenant == "", PAUSE.c.tenant == tenant)
    )
    return and_(tenant.not_in(select(SIMULATION.c.tenant)), ~paused.exists())


def _timer(*conditions: ColumnElement[bool], latest: bool = False) -> ColumnElement[Any]:
    order = SUBJECT.c.due_at.desc() if latest else SUBJECT.c.due_at
    return (
        select(SUBJECT.c.due_at)
        .where(SUBJECT.c.tenant == _TENANTS.c.tenant, SUBJECT.c.due_at.is_not(None), *conditions)
        .order_by(order)
        .limit(_ONE)
        .scalar_subquery()
    )


_IS_DUE = SUBJECT.c.due_at <= bindparam("now")
_OUTLOOK = Statement(
    select(
        _TENANTS.c.tenant,
        _timer(_IS_DUE).label("first"),
        _timer(_IS_DUE, latest=True).label("last"),
        _timer(SUBJECT.c.due_at > bindparam("now")).label("next"),
    )
    .where(_TENANTS.c.tenant.is_not(None), is_live(_TENANTS.c.tenant))
    .order_by(_TENANTS.c.tenant)
)
_ASIDE = Statement(
    select(SUBJECT.c.id)
    .join(_TENANTS, SUBJECT.c.tenant == _TENANTS.c.tenant)
    .where(SUBJECT.c.due_at == bindparam("at"))
    .order_by(SUBJECT.c.id)
)
_COUNT = Statement(
    select(func.count().label("count"))
    .select_from(SUBJECT)
    .where(SUBJECT.c.due_at.is_not(None), _IS_DUE, is_live(SUBJECT.c.tenant))
)
_POSTED_TO = Statement(
    select(ENDPOINT.c.tenant)
    .where(is_live(ENDPOINT.c.tenant))
    .distinct()
    .order_by(ENDPOINT.c.tenant)
)
_LEAST = select(func.min(SUBJECT.c.tenant).label("tenant")).cte("known", recursive=True)
_KNOWN = _LEAST.union_all(
    select(
        select(func.min(_OTHER.c.tenant)).where(_OTHER.c.tenant > _LEAST.c.tenant).scalar_subquery()
    ).where(_LEAST.c.tenant.is_not(None))
)
_LIVE = Statement(
    select(_KNOWN.c.tenant)
    .where(_KNOWN.c.tenant.is_not(None), is_live(_KNOWN.c.tenant))
    .order_by(_KNOWN.c.tenant)
)
"""Every live tenant with a subject, due or not: again one probe of an index each."""
_LATEST_ENTRY = Statement(
    select(JOURNAL.c.recorded_at)
    .where(JOURNAL.c.tenant.not_in(select(SIMULATION.c.tenant)))
    .order_by(JOURNAL.c.position.desc())
    .limit(_ONE)
)
_LATEST_BEAT = Statement(select(func.max(DAEMON.c.beat_at).label("beat_at")))
_CLOCK = "SELECT clock_timestamp()"


class Waiting(NamedTuple):
    """A live tenant with something due.

    Args:
        tenant: its name.
        first_due_at: UTC instant of what is due first.
        last_due_at: UTC instant of what is due last, at the latest now.
    """

    tenant: str
    first_due_at: datetime
    last_due_at: datetime


class Outlook(NamedTuple):
    """What is due in a database at one instant, and what comes next.

    Args:
        waiting: the live tenants with something due, by name.
        next_due_at: UTC instant after now at which the next timer of any live tenant is due.
    """

    waiting: tuple[Waiting, ...]
    next_due_at: datetime | None


class Tenants:
    """The tenants of a database: those that go by the real clock.

    Simulated tenants are left out, and so are those that are paused as a whole.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def outlook(self, now: datetime) -> Outlook:
        """Return who has something due by *now*, inclusive, and when the next timer is due."""
        with self._source.reading() as link:
            rows = _OUTLOOK.rows(link, {"now": stored(now, link.dialect)})
        # A value that is not an instant counts as due, so that settling names the row.
        waiting = [
            Waiting(row.tenant, instant_or(row.first, now), instant_or(row.last, now))
            for row in rows
            if row.first is not None
        ]
        coming = [instant_or(row.next, None) for row in rows]
        return Outlook(tuple(waiting), min(filter(None, coming), default=None))

    def count_due(self, now: datetime) -> int:
        """Return how many subjects of live tenants are due by *now*; it looks at each of them."""
        with self._source.reading() as link:
            return int(_COUNT.rows(link, {"now": stored(now, link.dialect)})[0].count)

    def set_aside(self) -> tuple[str, ...]:
        """Return the ids of the subjects of all tenants that are set aside; one probe for each."""
        with self._source.reading() as link:
            at = stored(restored(NEVER), link.dialect)
            return tuple(row[0] for row in _ASIDE.raw(link, {"at": at}))

    def live(self) -> tuple[str, ...]:
        """Return every live tenant that has a subject, by name."""
        with self._source.reading() as link:
            return tuple(row.tenant for row in _LIVE.rows(link, {}))

    def posted_to(self) -> tuple[str, ...]:
        """Return the live tenants that have endpoints, by name."""
        with self._source.reading() as link:
            return tuple(row.tenant for row in _POSTED_TO.rows(link, {}))

    def latest_at(self) -> datetime | None:
        """Return the latest instant anybody has written down: a journal row's, or a beat's."""
        with self._source.reading() as link:
            found = [row.recorded_at for row in _LATEST_ENTRY.rows(link, {})]
            found += [row.beat_at for row in _LATEST_BEAT.rows(link, {})]
        known = (instant_or(each, None) for each in found)
        return max(filter(None, known), default=None)

    def clock(self) -> datetime | None:
        """Return what the database's own clock says in UTC; `None` on SQLite, which has none."""
        with self._source.reading() as link:
            return None if link.is_sqlite else restored(link.rows(_CLOCK, {})[0][0])
