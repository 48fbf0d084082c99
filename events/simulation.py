"""Simulation next to live: tenants with a clock of their own, and live subjects forked into them.

Nothing here touches a live tenant: the store holds every transaction of a simulated tenant to that
tenant's own clock, moves that of no other, and hands nothing of it on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from sublife.events.intake import BATCH, Outcome, Stuck, settle
from sublife.events.logs import log
from sublife.events.store import Store, StoreError
from sublife.events.store.fork import ForkError
from sublife.events.store.simulated import not_simulated
from sublife.events.store.simulation import OccupiedTenantError, Simulation
from sublife.lifecycle.model import iso, utc

__all__ = [
    "Advanced",
    "ForkError",
    "Forked",
    "OccupiedTenantError",
    "Simulation",
    "SimulationError",
    "Told",
    "advance",
    "fork",
    "remove",
    "simulate",
]

SLICE = timedelta(days=32)
"""How far the first part of an advance goes; the next one goes twice as far where little happens.

So no transaction holds more than a few timers of each subject, however far the way is.
"""


class SimulationError(StoreError):
    """A simulated clock or tenant cannot do what was asked; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Advanced:
    """What an advance did, or a part of one.

    Args:
        tenant: a simulated one.
        since: UTC instant that its clock showed before.
        now: UTC instant that it shows now.
        count: events that happened: timed ones, and what followed from them.
        stuck: subjects that stay due because their timer could not be applied.
        outcomes: of the events, in the order they took effect; empty if not asked for.
    """

    tenant: str
    since: datetime
    now: datetime
    count: int = 0
    stuck: tuple[Stuck, ...] = ()
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Forked:
    """What a fork did.

    Args:
        tenant: the simulated one.
        now: UTC instant that its clock shows.
        subjects: ids of what was copied, in order.
        events: journal rows that were copied.
        is_new: whether the tenant was made for it.
    """

    tenant: str
    now: datetime
    subjects: tuple[str, ...]
    events: int
    is_new: bool


Told: TypeAlias = Callable[[Advanced], object]
"""Is called with each part of an advance once it is committed."""


def simulate(store: Store, tenant: str, at: datetime | None = None) -> Simulation:
    """Make a tenant with nothing in it a simulated one.

    Args:
        store: on the database; of whatever tenant.
        tenant: its name.
        at: UTC instant that its clock shows first; now if not given.

    Raises:
        OccupiedTenantError: there is something of it already.
        SimulatedTenantError: it is simulated already.
        SimulationError: it has no name.
    """
    if not tenant:
        raise SimulationError("a simulated tenant needs a name; give it one")
    now = utc(store.clock.now(), name="now")
    made = store.simulations.create(tenant, now if at is None else utc(at), now)
    log.info("simulation_created", tenant=tenant, now=iso(made.now))
    return made


def advance(
    store: Store,
    to: datetime,
    *,
    batch: int = BATCH,
    collect: bool = True,
    told: Told | None = None,
) -> Advanced:
    """Move the clock of a simulated tenant forward: all that is due on the way happens, in order.

    It goes in batches, each one transaction that also moves the clock as far as the batch reaches.
    Whoever is ended in the middle has lost nothing: the clock shows how far it came, and advancing
    again goes on from there. Two that advance at the same time take turns.

    Args:
        store: of the simulated tenant, such as `store.of("whatif")`.
        to: UTC instant, inclusive; any number of years ahead.
        batch: subjects per transaction.
        collect: whether to return every outcome; a count is all that many subjects need.
        told: is called with each part as soon as it is committed; outcomes go to it as well.

    Raises:
        LiveTenantError: the tenant is live.
        SimulationError: *to* is earlier than what the clock shows.
    """
    to = utc(to, name="to")
    since = now = _shown(store)
    if to < now:
        raise SimulationError(
            f"the clock of tenant {store.tenant} shows {iso(now)} and cannot go back to {iso(to)}; "
            "name a later instant, or fork into a new tenant"
        )
    whole = Advanced(store.tenant, since, now)
    length = SLICE
    is_done = False
    while not is_done:
        until = _reach(store, now, to, length)
        settled = settle(
            store.moving(until), until, batch=batch, collect=collect, workers=1, limit=batch
        )
        before, now = now, _shown(store)
        part = Advanced(store.tenant, before, now, settled.count, settled.stuck, settled.outcomes)
        if told is not None and (part.count or now > before):
            told(part)
        whole = replace(
            whole,
            now=now,
            count=whole.count + part.count,
            stuck=part.stuck,
            outcomes=whole.outcomes + part.outcomes,
        )
        length = 2 * length if 2 * part.count < batch else SLICE
        is_done = not settled.count and until == to
    log.info("simulation_advanced", tenant=store.tenant, now=iso(now), events=whole.count)
    return whole


def _shown(store: Store) -> datetime:
    """Return what the clock of the simulated tenant shows."""
    now = store.simulations.now(store.tenant)
    if now is None:
        raise not_simulated(store.tenant)
    return now


def _reach(store: Store, now: datetime, to: datetime, length: timedelta) -> datetime:
    """Return how far to go next: *length* beyond what is due first, or all the way."""
    first = store.due(to, limit=1)
    since = max(now, first[0].due_at) if first else to
    return to if to - since <= length else since + length


def fork(store: Store, subject: str | Sequence[str], into: str) -> Forked:
    """Copy live subjects into a simulated tenant, to see their future there.

    With each come all subjects of its customer, and whatever else their decisions read; every one
    with its whole history and its records, so that the copy can be verified like the original.
    Nothing of the live tenant is changed. What hands facts on is not copied.

    Args:
        store: of the tenant that has them, with an engine of its own.
        subject: id, or several; together they are copied as of one instant.
        into: a simulated tenant; one that is new is made, and its clock shows now.

    Raises:
        ForkError: *into* has one of them already, or its clock is behind them.
        OccupiedTenantError: *into* is a live tenant.
        SimulationError: *into* is the tenant itself, or no subject is named.
        UnknownSubjectError: there is no such subject.
    """
    roots = (subject,) if isinstance(subject, str) else tuple(subject)
    if not roots:
        raise SimulationError("no subject is named; name one to fork")
    if into == store.tenant:
        raise SimulationError(
            f"{roots[0]} is in tenant {into} and cannot be forked into that; name another tenant"
        )
    is_new = store.simulations.now(into) is None
    if is_new:
        simulate(store, into)
    try:
        done = store.simulations.fork(store.tenant, roots, into, late=is_new)
    except BaseException:
        if is_new:
            store.simulations.remove(into, utc(store.host_clock.now(), name="now"))
        raise
    log.info("subjects_forked", tenant=into, subjects=len(done.subjects), events=done.events)
    return Forked(into, done.now, done.subjects, done.events, is_new)


def remove(store: Store, tenant: str) -> int:
    """Take a simulated tenant away, with all that is in it and nothing else; revoke its tokens.

    Args:
        store: on the database; of whatever tenant.
        tenant: a simulated one.

    Returns:
        How many subjects it had.

    Raises:
        LiveTenantError: it is live; nothing of a live tenant is ever removed.
    """
    count = store.simulations.remove(tenant, utc(store.host_clock.now(), name="now"))
    log.info("simulation_removed", tenant=tenant, subjects=count)
    return count
