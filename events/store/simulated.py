"""What keeps live time out of simulated tenants, and simulated time out of live ones."""

from datetime import datetime
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, bindparam, select, update

from sublife.events.layout import SIMULATION
from sublife.events.store.database import Source
from sublife.events.store.error import StoreError, UnreachableError
from sublife.events.store.history import ANY_ENTRY
from sublife.events.store.link import Link
from sublife.events.store.pause import Pause
from sublife.events.store.statement import Statement, stored
from sublife.events.store.transaction import Transaction
from sublife.events.store.typed import Reader
from sublife.lifecycle.model import Decision, Event, Refusal, iso, utc
from sublife.lifecycle.policy import Policy

ATTEMPTS = 8
"""How often the clock is read when the connection is lost."""
_ROW = select(SIMULATION).where(SIMULATION.c.tenant == bindparam("t"))
FOUND = Statement(_ROW)
LOCKED = Statement(_ROW.with_for_update())
_SHARED = Statement(_ROW.with_for_update(read=True))
_MOVE = Statement(
    update(SIMULATION).where(SIMULATION.c.tenant == bindparam("t")).values(now=bindparam("at"))
)
_PROBE = (
    "SAVEPOINT sublife_probe",
    "INSERT INTO sublife_simulation (tenant, now, created_at) VALUES (%(t)s, now(), now())",
    "ROLLBACK TO SAVEPOINT sublife_probe",
)
"""What is undone at once holds up nobody else who looks, as a row deleted again would."""
_WRITING = (
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(key)s, 0)), "
    "current_setting('transaction_isolation')"
)
_CREATING = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))"

_live: WeakKeyDictionary[Engine, set[str]] = WeakKeyDictionary()
"""Tenants known to be live for good: they have a history, and only empty ones become simulated."""


class SimulatedTenantError(StoreError):
    """The tenant is simulated: its own clock moves it, and nothing of it is handed on."""


class LiveTenantError(StoreError):
    """The tenant is live: no simulated clock moves it, and nothing of it is ever removed."""


class HostClock(Protocol):
    """Tells the real time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class TenantClock:
    """The clock of a tenant: its own if it is simulated, else that of the host.

    Args:
        source: where transactions come from.
        tenant: whose clock.
        host: tells the time of live tenants.
    """

    def __init__(self, source: Source, tenant: str, host: HostClock) -> None:
        self._source = source
        self._tenant = tenant
        self.host = host

    def now(self) -> datetime:
        """Return the present instant of the tenant, aware, in UTC.

        Raises:
            UnreachableError: the database does not answer at all.
        """
        own = None if _is_known(self._source, self._tenant) else self._own()
        return self.host.now() if own is None else own

    def _own(self) -> datetime | None:
        """Return what the tenant's own clock shows; a lost connection is made again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._source.reading() as link:
                    return shown(link, self._tenant)
            except UnreachableError as error:
                if attempt == ATTEMPTS or not self._source.may_repeat(error):
                    raise
        raise AssertionError


class SimulatedTransaction(Transaction):
    """A transaction of a simulated tenant: nothing in it is later than the tenant's own clock.

    What it takes down is recorded at the instant which that clock shows. Pauses of all tenants are
    for live ones; only one of this very tenant holds here.

    Args:
        link: to the database, in a transaction that somebody else ends.
        tenant: whose rows these are.
        policy: decides.
        now: UTC instant that the tenant's clock shows.
        to: UTC instant as far as this transaction moves the clock along with what it claims; the
            clock stands still if not given.
    """

    def __init__(
        self, link: Link, *, tenant: str, policy: Policy, now: datetime, to: datetime | None = None
    ) -> None:
        super().__init__(link, tenant=tenant, policy=policy)
        self.now = now
        self._to = to
        self._announces = False  # no daemon waits for it

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """What is paused of this very tenant."""
        return tuple(each for each in super().pauses if each.tenant == self.tenant)

    def claim(self, until: datetime, **more: Any) -> tuple[tuple[str, ...], datetime, bool]:
        """Hold the subjects that are due first, as `Transaction.claim` does.

        Raises:
            SimulatedTenantError: *until* is later than the tenant's clock may show.
        """
        self._see(until, "settling", max(self.now, self._to or self.now))
        found = super().claim(until, **more)
        if self._to is not None:
            self.now = max(self.now, found[1])
        return found

    def accept(self, event: Event, decision: Decision, *, recorded_at: datetime) -> None:  # noqa: ARG002 – the tenant's own clock says when
        """Take down an accepted event, as `Transaction.accept` does.

        Raises:
            SimulatedTenantError: it is dated later than the tenant's clock may show.
        """
        self._see(event.at, f"event {event.id} on {event.subject}", self.now)
        super().accept(event, decision, recorded_at=self.now)

    def refuse(self, event: Event, refusal: Refusal, *, recorded_at: datetime) -> None:  # noqa: ARG002 – as above
        """Take down a refused event, as `Transaction.refuse` does.

        Raises:
            SimulatedTenantError: it is dated later than the tenant's clock may show.
        """
        self._see(event.at, f"event {event.id} on {event.subject}", self.now)
        super().refuse(event, refusal, recorded_at=self.now)

    def flush(self) -> None:
        """Write everything held, and the clock as far as it has been moved."""
        super().flush()
        if self._to is not None:
            move(self._link, self.tenant, self.now)

    def _see(self, at: datetime, what: str, bound: datetime) -> None:
        if at > bound:
            raise SimulatedTenantError(
                f"{what} at {iso(at)}: tenant {self.tenant} is simulated, and its clock shows "
                f"{iso(self.now)}; move that with `sublife clock advance {self.tenant}`"
            )


def begun(
    link: Link, source: Source, *, tenant: str, policy: Policy, to: datetime | None = None
) -> Transaction:
    """Return the transaction of a tenant, held to the tenant's own clock if it is simulated.

    Args:
        link: to the database, in a transaction that writes and has just begun.
        source: where that came from.
        tenant: whose.
        policy: decides.
        to: UTC instant as far as it moves a simulated clock.

    Raises:
        LiveTenantError: it is to move the clock of a live tenant.
    """
    now = _standing(link, source, tenant, moving=to is not None)
    if now is not None:
        return SimulatedTransaction(link, tenant=tenant, policy=policy, now=now, to=to)
    if to is not None:
        raise not_simulated(tenant)
    return Transaction(link, tenant=tenant, policy=policy)


def _standing(link: Link, source: Source, tenant: str, *, moving: bool) -> datetime | None:
    """Return what a simulated tenant's clock shows, held until the end; `None` of a live one."""
    if _is_known(source, tenant):
        return None
    # Nobody makes the tenant a simulated one before this transaction has ended.
    held = () if link.is_sqlite else link.rows(_WRITING, {"key": _key(tenant)})[0]
    now = _now(link, LOCKED if moving else _SHARED, tenant)
    if now is None:
        if held and held[1] != "read committed":
            _probe(link, tenant)
        _note(link, source, tenant)
    return now


def _probe(link: Link, tenant: str) -> None:
    """Find the row of a simulated tenant that this transaction cannot see, as it began before.

    Raises:
        ConflictError: there is one.
    """
    for statement in _PROBE:
        link.run(statement, {"t": tenant})


def hold(link: Link, tenant: str) -> None:
    """Let nobody begin to write for a tenant, unless it is known to be live for good."""
    if not link.is_sqlite:
        link.rows(_CREATING, {"key": _key(tenant)})


def move(link: Link, tenant: str, now: datetime) -> None:
    """Let the clock of a simulated tenant, which is held, show *now*."""
    _MOVE.write(link, [{"t": tenant, "at": stored(now, link.dialect)}])


def shown(link: Link, tenant: str) -> datetime | None:
    """Return what the clock of a simulated tenant shows; `None` of a live one."""
    return _now(link, FOUND, tenant)


def refuse_simulated(link: Link, tenant: str, what: str) -> None:
    """Do nothing if a tenant is live.

    Raises:
        SimulatedTenantError: it is simulated: *what* is for live ones alone.
    """
    if shown(link, tenant) is not None:
        raise SimulatedTenantError(
            f"tenant {tenant} is simulated, and nothing of it is handed on: {what} is for live "
            "tenants alone; look at `sublife log` and `sublife clock advance` instead"
        )


def not_simulated(tenant: str) -> LiveTenantError:
    """Return the error that a tenant has no clock of its own."""
    return LiveTenantError(
        f"tenant {tenant} is not simulated, so it has no clock to move and is never removed; "
        "`sublife clock show` lists the simulated ones, `sublife clock create` makes one"
    )


def _key(tenant: str) -> str:
    return f"sublife\x1ftenant\x1f{tenant}"


READER = Reader(
    SIMULATION,
    key=lambda found: f"simulated tenant {found['tenant']}",
    remedy="restore it from a backup, or take the tenant away with `sublife clock remove`",
)


def _now(link: Link, statement: Statement, tenant: str) -> datetime | None:
    rows = statement.rows(link, {"t": tenant})
    return utc(READER.values(rows[0])["now"]) if rows else None


def _is_known(source: Source, tenant: str) -> bool:
    return tenant in _live.get(source.engine, ())


def _note(link: Link, source: Source, tenant: str) -> None:
    """Note a tenant as live for good, if it has a history that is not to be rolled back."""
    if not source.has_written() and ANY_ENTRY.rows(link, {"t": tenant}):
        _live.setdefault(source.engine, set()).add(tenant)
