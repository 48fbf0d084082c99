"""The simulated tenants of a database: made, listed, forked into, and taken away whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Integer, Table, bindparam, delete, func, literal_column, select, update

from sublife.events.layout import (
    ACTIVITY,
    CLAIM,
    CONSUMER,
    DELIVERY,
    ENDPOINT,
    JOURNAL,
    ORDER,
    SIMULATION,
    SUBJECT,
    TOKEN,
    metadata,
)
from sublife.events.store.bulk import Bulk
from sublife.events.store.database import Source
from sublife.events.store.delivery.work import write
from sublife.events.store.error import StoreError
from sublife.events.store.fork import Copied, ForkError, copied
from sublife.events.store.link import Link
from sublife.events.store.simulated import (
    FOUND,
    LOCKED,
    READER,
    SimulatedTenantError,
    hold,
    not_simulated,
    shown,
)
from sublife.events.store.statement import Statement, restored, stored, written
from sublife.events.store.typed import LeftOut, instant_or, readable
from sublife.lifecycle.model import iso

_FILLED = (SUBJECT, JOURNAL, CLAIM, ACTIVITY, ORDER, CONSUMER, ENDPOINT, DELIVERY)
"""What a tenant must have nothing in to become a simulated one."""
_OWNED = tuple(
    table
    for table in reversed(metadata.sorted_tables)
    if "tenant" in table.columns and table.name != TOKEN.name
)
"""What may have rows of a tenant, those that point to others before the others.

Tokens are not taken away but revoked: where there were any, nobody gets in without one.
"""
_REVOKE = Statement(
    update(TOKEN)
    .where(TOKEN.c.tenant == bindparam("t"), TOKEN.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)
_ONE = literal_column("1", Integer())


def _any(table: Table) -> Statement:
    return Statement(select(table.c.tenant).where(table.c.tenant == bindparam("t")).limit(_ONE))


_ANY = {table.name: _any(table) for table in _FILLED}
_DROP = tuple(Statement(delete(table).where(table.c.tenant == bindparam("t"))) for table in _OWNED)
_ALL = Statement(select(SIMULATION).order_by(SIMULATION.c.tenant))
_NEW = Bulk(SIMULATION)
_COUNT = Statement(
    select(func.count().label("subjects"), func.min(SUBJECT.c.due_at).label("next_due_at")).where(
        SUBJECT.c.tenant == bindparam("t")
    )
)


class OccupiedTenantError(StoreError):
    """The tenant has something in it, so it cannot become a simulated one."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulated tenant.

    Args:
        tenant: its name.
        now: UTC instant that its clock shows.
        created_at: UTC instant at which it was made, by the real clock.
        subjects: how many there are in it.
        next_due_at: UTC instant of the timer that is due first; `None` if there is none.
    """

    tenant: str
    now: datetime
    created_at: datetime
    subjects: int
    next_due_at: datetime | None


class Simulations:
    """The simulated tenants of a database.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def all(self, *, left_out: LeftOut | None = None) -> tuple[Simulation, ...]:
        """Return every simulated tenant, by name.

        Args:
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            rows = _ALL.rows(link, {})
            return tuple(readable(rows, partial(_simulation, link), left_out))

    def now(self, tenant: str) -> datetime | None:
        """Return what the clock of a simulated tenant shows; `None` if it is live or not there."""
        with self._source.reading() as link:
            return shown(link, tenant)

    def find(self, tenant: str) -> Simulation | None:
        """Return a simulated tenant; `None` if it is live, or there is nothing of it."""
        with self._source.reading() as link:
            rows = FOUND.rows(link, {"t": tenant})
            return _simulation(link, rows[0]) if rows else None

    def get(self, tenant: str) -> Simulation:
        """Return a simulated tenant.

        Raises:
            LiveTenantError: it is not simulated.
        """
        found = self.find(tenant)
        if found is None:
            raise not_simulated(tenant)
        return found

    def create(self, tenant: str, at: datetime, created_at: datetime) -> Simulation:
        """Make a tenant with nothing in it a simulated one.

        Args:
            tenant: its name.
            at: UTC instant that its clock shows first.
            created_at: UTC instant, by the real clock.

        Raises:
            OccupiedTenantError: there is something of it already.
            SimulatedTenantError: it is simulated already.
        """

        def work(link: Link) -> None:
            hold(link, tenant)
            for row in FOUND.rows(link, {"t": tenant}):
                raise SimulatedTenantError(
                    f"tenant {tenant} is simulated already, and its clock shows "
                    f"{iso(restored(row.now))}; move that, or `sublife clock remove {tenant}` first"
                )
            for table, found in _ANY.items():
                if found.rows(link, {"t": tenant}):
                    raise OccupiedTenantError(
                        f"tenant {tenant} has rows in {table}, and only a tenant with nothing in "
                        "it becomes a simulated one; choose another name"
                    )
            _NEW.write(link, [(tenant, written(at), written(created_at))])

        write(self._source, work)
        return Simulation(tenant, at, created_at, 0, None)

    def remove(self, tenant: str, now: datetime) -> int:
        """Take a simulated tenant away with all that is in it, and nothing else.

        Its tokens are revoked.

        Args:
            tenant: its name.
            now: UTC instant, by the real clock.

        Returns:
            How many subjects it had.

        Raises:
            LiveTenantError: it is not simulated; nothing of a live tenant is ever removed.
        """

        def work(link: Link) -> int:
            hold(link, tenant)
            if not LOCKED.rows(link, {"t": tenant}):
                raise not_simulated(tenant)
            subjects = _COUNT.rows(link, {"t": tenant})[0].subjects
            for drop in _DROP:
                drop.write(link, [{"t": tenant}])
            _REVOKE.write(link, [{"t": tenant, "at": stored(now, link.dialect)}])
            return int(subjects)

        return write(self._source, work)

    def fork(self, tenant: str, subjects: Sequence[str], into: str, *, late: bool) -> Copied:
        """Copy subjects with all that their decisions read, and with their history.

        Nothing of *tenant* is changed, and all is read as of one instant.

        Args:
            tenant: whose they are.
            subjects: ids.
            into: a simulated tenant.
            late: the clock of *into* is moved to the latest event copied, if that is later.

        Raises:
            ForkError: it cannot be; the message says why, and nothing was changed.
            LiveTenantError: *into* is not simulated.
            UnknownSubjectError: one of them does not exist.
        """
        if self._source.is_the_hosts:
            raise ForkError(
                "inside a host's transaction there is more than what is committed; fork with a "
                "store of its own, from Store.open"
            )
        return write(self._source, lambda link: copied(link, tenant, subjects, into, late=late))


def _simulation(link: Link, row: Any) -> Simulation:
    (found,) = _COUNT.rows(link, {"t": row.tenant})
    due_at = instant_or(found.next_due_at, None)
    shown = READER.values(row)
    return Simulation(row.tenant, shown["now"], shown["created_at"], int(found.subjects), due_at)
