"""The store: the only folder that speaks SQL. Subjects, journal and records of many tenants."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine

from sublife.events.layout import ACTIVITY, ORDER
from sublife.events.packs import load_pack
from sublife.events.store import reading
from sublife.events.store.audit import Audit, auditing
from sublife.events.store.checkpoint import Begin, copying
from sublife.events.store.daemon import Daemons
from sublife.events.store.database import Own, Source, begin_at_once, open_engine
from sublife.events.store.delivery import Deliveries, Endpoints
from sublife.events.store.entry import Entry, digest_of, entry_of
from sublife.events.store.error import (
    AutocommitError,
    ConflictError,
    DamagedError,
    ForkedError,
    FullError,
    IsolationError,
    LockedError,
    MissingError,
    PoolFullError,
    ReadOnlyError,
    ReplacedError,
    StoreError,
    UnfitError,
    UnreachableError,
)
from sublife.events.store.file import demand_file
from sublife.events.store.health import Health
from sublife.events.store.history import ALL_SUBJECTS, ANY_ENTRY, BY_ID, CHRONICLE, DIGESTED
from sublife.events.store.ledger import Held
from sublife.events.store.notice import Notices, hearing
from sublife.events.store.page import LIMIT, CursorError, LimitError, Page
from sublife.events.store.pause import Pauses, next_due
from sublife.events.store.readable import snapshot_of
from sublife.events.store.reading import Due
from sublife.events.store.schema import SchemaError, demand_schema, make_schema
from sublife.events.store.simulated import LiveTenantError, SimulatedTenantError, TenantClock, begun
from sublife.events.store.simulation import Simulations
from sublife.events.store.tenants import Tenants
from sublife.events.store.token import Tokens
from sublife.events.store.transaction import NOTHING, Touched, Transaction
from sublife.events.store.typed import LeftOut
from sublife.lifecycle.model import Snapshot
from sublife.lifecycle.policy import Policy

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

    from sublife.events.store.repair import Repairing
    from sublife.events.tables import ActivityRow, OrderRow

__all__ = [
    "AutocommitError",
    "Clock",
    "ConflictError",
    "CursorError",
    "DamagedError",
    "Due",
    "Entry",
    "ForkedError",
    "FullError",
    "Held",
    "IsolationError",
    "LimitError",
    "LiveTenantError",
    "LockedError",
    "MissingError",
    "Page",
    "PoolFullError",
    "ReadOnlyError",
    "ReplacedError",
    "SchemaError",
    "SimulatedTenantError",
    "Store",
    "StoreError",
    "Touched",
    "Transaction",
    "UnfitError",
    "UnreachableError",
    "begin_at_once",
]

T = TypeVar("T")
ATTEMPTS = 8
"""How often a transaction is tried when other writers come between."""


class Clock(Protocol):
    """Where the store learns when it writes something down."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class Store:
    """Subjects, journal and records of one tenant in one database.

    Args:
        engine: an SQLAlchemy engine whose database has our tables; `Store.open` makes both.
        clock: tells when things are written down; a simulated tenant goes by its own instead.
        policy: decides events submitted here; the pack `microsoft-csp` if not given.
        tenant: whose rows these are; tenants never see each other.
        source: where transactions come from; the engine if not given.
        to: UTC instant as far as transactions move a simulated tenant's clock; none of them moves
            it if not given. See `moving`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Clock,
        policy: Policy | None = None,
        tenant: str = "default",
        source: Source | None = None,
        to: datetime | None = None,
    ) -> None:
        self.engine = engine
        self.policy = policy or load_pack()
        self.tenant = tenant
        self._source: Source = source or Own(engine)
        # The clock of another store is that store's tenant's; only what it stands on counts here.
        self._host_clock: Clock = clock.host if isinstance(clock, TenantClock) else clock
        self._to = to

    @property
    def clock(self) -> Clock:
        """What tells the time here: the tenant's own clock if it is simulated, else the host's."""
        return TenantClock(self._source, self.tenant, self._host_clock)

    @property
    def host_clock(self) -> Clock:
        """What tells the time to the host, also where the tenant is simulated."""
        return self._host_clock

    @classmethod
    def open(
        cls,
        url: str = "sqlite://",
        *,
        clock: Clock,
        policy: Policy | None = None,
        tenant: str = "default",
        reading: bool = False,
    ) -> "Store":
        """Open a database, making its tables where it has none of ours.

        Args:
            url: `sqlite://` (in memory, for one thread), `sqlite:///path/to/file.db` or
                `postgresql://user@host/database`.
            clock: tells when things are written down.
            policy: decides events submitted here; the pack `microsoft-csp` if not given.
            tenant: whose rows these are.
            reading: only read. No file and no table is made, and a SQLite file need not be
                writable, nor its folder.

        Raises:
            MissingError: there is no such file, and it is only to be read.
            SchemaError: its tables are of another version; the message says what to run.
            StoreError: the address is none of these, or the database cannot be opened.
        """
        if reading and url.startswith("sqlite"):
            demand_file(url)
        engine = open_engine(url, reading=reading)
        if reading:
            demand_schema(engine, url)
        else:
            make_schema(engine)
        return cls(engine, clock=clock, policy=policy, tenant=tenant)

    def of(
        self, tenant: str, *, policy: Policy | None = None, clock: Clock | None = None
    ) -> "Store":
        """Return the same database for another tenant, policy or clock."""
        return Store(
            self.engine,
            clock=clock or self._host_clock,
            policy=policy or self.policy,
            tenant=tenant,
            source=self._source,
        )

    def within(
        self,
        session: "Session | Connection | scoped_session[Any]",
        *,
        bind_arguments: Mapping[str, Any] | None = None,
    ) -> "Store":
        """Return the same store inside a host's own transactions.

        What is submitted to it is there when the host commits, and gone when it rolls back; an
        error of ours undoes ours alone. What is pending in the session goes to the database first,
        as before a query of its own.

        Args:
            session: of SQLAlchemy or SQLModel, on a database that has our tables; or a connection
                with a transaction begun. It is asked for its transaction each time, so the store
                serves as long as the session does; a `scoped_session`, for its session too.
            bind_arguments: for the session's `get_bind`, as `Session.connection` takes them, where
                it would not find the engine that has our tables; `{"bind": engine}` names it.

        Raises:
            StoreError: it is not a session or connection, or has no engine for our tables.
        """
        from sublife.events.store.joined import Joined  # noqa: PLC0415 – most commands need no ORM

        source = Joined(session, bind_arguments)
        return Store(
            source.engine,
            clock=self._host_clock,
            policy=self.policy,
            tenant=self.tenant,
            source=source,
        )

    def moving(self, to: datetime) -> "Store":
        """Return the same store of a simulated tenant, whose transactions move its clock.

        Each moves it, never back, as far as what it has claimed reaches, at the latest to *to*.
        `sublife.events.simulation.advance` settles with it.

        Args:
            to: UTC instant.
        """
        return Store(
            self.engine,
            clock=self._host_clock,
            policy=self.policy,
            tenant=self.tenant,
            source=self._source,
            to=to,
        )

    def close(self) -> None:
        """Close every connection of ours."""
        self._source.close()

    @property
    def endpoints(self) -> Endpoints:
        """Where facts of the tenant are posted to."""
        return Endpoints(self._source, self.tenant)

    @property
    def deliveries(self) -> Deliveries:
        """The facts of the tenant on their way, and how far they have been handed on."""
        return Deliveries(self._source, self.tenant)

    @property
    def tokens(self) -> Tokens:
        """Who may use the HTTP interface, of every tenant of the database."""
        return Tokens(self._source)

    @property
    def pauses(self) -> Pauses:
        """What is paused, of every tenant of the database."""
        return Pauses(self._source)

    @property
    def health(self) -> Health:
        """What a look after the database's health asks of it."""
        return Health(self._source)

    @property
    def tenants(self) -> Tenants:
        """What is due in the whole database, tenant by tenant."""
        return Tenants(self._source)

    @property
    def simulations(self) -> Simulations:
        """The simulated tenants of the database."""
        return Simulations(self._source)

    @property
    def daemons(self) -> Daemons:
        """The daemons that work on the database."""
        return Daemons(self._source)

    def notices(self) -> AbstractContextManager[Notices]:
        """Hear, in a thread of its own, that something near has been written to the database."""
        return hearing(self.engine)

    def copying_log(self) -> AbstractContextManager[Begin]:
        """Copy SQLite's write-ahead log beside the work of many transactions of our own."""
        return copying(self.engine if self.has_own_transactions else None)

    @property
    def has_own_transactions(self) -> bool:
        """Whether the store begins and commits by itself; else a host does, see `within`."""
        return isinstance(self._source, Own)

    @property
    def writers(self) -> int:
        """How many transactions are worth running at once; SQLite takes one after another."""
        return self._source.writers

    @contextmanager
    def transaction(self, touched: Touched = NOTHING) -> Generator[Transaction]:
        """Begin one transaction; it commits when the block ends and rolls back if it raises.

        Args:
            touched: what to lock first, in one fixed order.
        """
        with self._source.writing() as link:
            tx = begun(link, self._source, tenant=self.tenant, policy=self.policy, to=self._to)
            tx.lock(touched)
            yield tx
            tx.flush()

    def run(self, work: Callable[[Transaction], T]) -> T:
        """Do *work* in one transaction; where another writer comes between, do it again.

        A second attempt locks at once, in one fixed order, all that the first one has read.

        Raises:
            ConflictError: others came between every time; nothing was changed. Inside a host's
                transaction it may be `whole`: the host rolls back and runs all of it again.
            UnreachableError: the database did not answer at all.
        """
        touched = NOTHING
        for attempt in range(1, ATTEMPTS + 1):
            tx: Transaction | None = None
            try:
                with self.transaction(touched) as tx:
                    return work(tx)
            except (ConflictError, UnreachableError) as error:
                if attempt == ATTEMPTS or not self._source.may_repeat(error):
                    raise
                touched = tx.touched if tx else touched
        raise AssertionError

    @contextmanager
    def preview(self) -> Generator[Transaction]:
        """Begin a transaction whose changes are seen inside the block and never written."""
        with self._source.reading() as link:
            yield Transaction(link, tenant=self.tenant, policy=self.policy, reading=True)

    def get(self, subject: str) -> Snapshot | None:
        """Return a subject as it stands, or `None` if it does not exist.

        Raises:
            UnreadableError: its row cannot be read.
        """
        with self._source.reading() as link:
            rows = BY_ID.rows(link, {"t": self.tenant, "i": subject})
        return snapshot_of(rows[0]) if rows else None

    def all(self) -> Mapping[str, Snapshot]:
        """Return every subject of the tenant by its id, in order of the ids.

        Raises:
            UnreadableError: the row of one of them cannot be read.
        """
        with self._source.reading() as link:
            rows = ALL_SUBJECTS.rows(link, {"t": self.tenant})
        return {row.id: snapshot_of(row) for row in rows}

    def next_due(self) -> datetime | None:
        """Return the earliest instant at which a timer of the tenant is due, or `None`.

        What is paused is passed over.
        """
        with self._source.reading() as link:
            return next_due(link, self.tenant)

    def due(
        self,
        until: datetime | None = None,
        *,
        after: str | None = None,
        limit: int = LIMIT,
        left_out: LeftOut | None = None,
    ) -> Page[Due]:
        """Return subjects with a timer, the earliest first.

        Args:
            until: UTC instant, inclusive; all if not given.
            after: the cursor of the page before.
            limit: rows of the page, from 1 to 10,000.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.

        Raises:
            CursorError: *after* is no cursor of this question.
            LimitError: *limit* is below 1 or above 10,000.
        """
        with self._source.reading() as link:
            return reading.due(link, self.tenant, until, (after, limit), left_out)

    def due_by_customer(
        self,
        until: datetime,
        *,
        customer: str | None = None,
        after: tuple[str, str] | None = None,
        limit: int = LIMIT,
    ) -> list[tuple[str, str]]:
        """Return customer and id of subjects that are due, by customer, then id.

        Args:
            until: UTC instant, inclusive.
            customer: of this customer tenant alone.
            after: the last pair of the rows before.
            limit: rows at once.
        """
        with self._source.reading() as link:
            return reading.due_by_customer(
                link, self.tenant, until, customer=customer, after=after, limit=limit
            )

    def history(
        self,
        subject: str,
        *,
        after: str | None = None,
        limit: int = LIMIT,
        left_out: LeftOut | None = None,
    ) -> Page[Entry]:
        """Return the journal of one subject, refused events included, in order.

        Args:
            subject: id.
            after: the cursor of the page before.
            limit: rows of the page, from 1 to 10,000.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.

        Raises:
            CursorError: *after* is no cursor of this question.
            LimitError: *limit* is below 1 or above 10,000.
        """
        with self._source.reading() as link:
            return reading.history(link, self.tenant, subject, (after, limit), left_out)

    def journal(self) -> Iterator[Entry]:
        """Yield the journal of every subject, by subject, then sequence."""
        with self._source.reading() as link:
            rows = CHRONICLE.rows(link, {"t": self.tenant})
        yield from map(entry_of, rows)

    def records(
        self,
        *,
        customer: str | None = None,
        partner: str | None = None,
        subscription: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = LIMIT,
        left_out: LeftOut | None = None,
    ) -> "Page[ActivityRow]":
        """Return activity records, by instant, then sequence (EVT-05).

        Args:
            customer: of this customer tenant alone.
            partner: of this partner tenant alone.
            subscription: of this subscription alone.
            kind: `migration` or `renewal` alone (EVT-04).
            since: UTC instant, inclusive.
            until: UTC instant, exclusive.
            after: the cursor of the page before.
            limit: rows of the page, from 1 to 10,000.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.

        Raises:
            CursorError: *after* is no cursor of this question.
            LimitError: *limit* is below 1 or above 10,000.
        """
        filters = {
            "customer": customer,
            "partner": partner,
            "subscription": subscription,
            "kind": kind,
        }
        from sublife.events.tables import ActivityRow  # noqa: PLC0415 – as in `within`

        into = (ACTIVITY, ActivityRow)
        with self._source.reading() as link:
            return reading.records(
                link, self.tenant, into, filters, (since, until), (after, limit), left_out
            )

    def orders(
        self,
        *,
        customer: str | None = None,
        partner: str | None = None,
        subscription: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = LIMIT,
        left_out: LeftOut | None = None,
    ) -> "Page[OrderRow]":
        """Return order records, by instant, then sequence; as `records` does (EVT-09)."""
        filters = {"customer": customer, "partner": partner, "subscription": subscription}
        from sublife.events.tables import OrderRow  # noqa: PLC0415 – as in `within`

        into = (ORDER, OrderRow)
        with self._source.reading() as link:
            return reading.records(
                link, self.tenant, into, filters, (since, until), (after, limit), left_out
            )

    def stream_records(
        self,
        *,
        customer: str | None = None,
        partner: str | None = None,
        subscription: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        left_out: LeftOut | None = None,
    ) -> Generator[Mapping[str, Any]]:
        """Yield all activity records that `records` finds, as values by their columns' names.

        They are as of one instant, and only a batch of them is held at once. A transaction that
        reads is open until the last one is taken, or the iterator is closed; an in-memory store
        can do nothing else meanwhile.

        Args:
            customer: of this customer tenant alone.
            partner: of this partner tenant alone.
            subscription: of this subscription alone.
            kind: `migration` or `renewal` alone (EVT-04).
            since: UTC instant, inclusive.
            until: UTC instant, exclusive.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        filters = {
            "customer": customer,
            "partner": partner,
            "subscription": subscription,
            "kind": kind,
        }
        with self._source.reading() as link:
            yield from reading.stream(
                link, self.tenant, ACTIVITY, filters, (since, until), left_out
            )

    def stream_orders(
        self,
        *,
        customer: str | None = None,
        partner: str | None = None,
        subscription: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        left_out: LeftOut | None = None,
    ) -> Generator[Mapping[str, Any]]:
        """Yield all order records that `orders` finds; as `stream_records` does (EVT-09)."""
        filters = {"customer": customer, "partner": partner, "subscription": subscription}
        with self._source.reading() as link:
            yield from reading.stream(link, self.tenant, ORDER, filters, (since, until), left_out)

    @contextmanager
    def audit(self) -> Generator[Audit]:
        """Begin to read the database as it lies, every tenant of it, as of one instant.

        Raises:
            StoreError: the store is inside a host's transaction, which sees what is not committed.
        """
        self._demand_own("audit")
        assert isinstance(self._source, Own)  # noqa: S101 – it has just been demanded
        with auditing(self._source) as audit:
            yield audit

    @contextmanager
    def repairing(self, subject: str) -> "Generator[Repairing]":
        """Begin to repair a subject's row in a transaction, which commits when the block ends.

        `sublife.events.repair` knows what the row must say.

        Raises:
            StoreError: the store is inside a host's transaction, which sees what is not committed.
        """
        from sublife.events.store.repair import Repairing  # noqa: PLC0415 – seldom needed

        self._demand_own("repair")
        with self._source.writing() as link:
            yield Repairing(link, self.tenant, subject)

    def _demand_own(self, what: str) -> None:
        if not isinstance(self._source, Own):
            raise StoreError(
                f"inside a host's transaction there is more than what is committed; {what} with a "
                "store of its own, from Store.open"
            )

    def is_empty(self) -> bool:
        """Return whether nothing has been written for the tenant."""
        with self._source.reading() as link:
            return not ANY_ENTRY.rows(link, {"t": self.tenant})

    def digest(self) -> str:
        """Return the SHA-256 of the tenant's journal, in hexadecimal.

        Over what happened, to whom, when, by whom and why; not over when it was written down, so
        a daemon that slept has the digest of one that did not.
        """
        with self._source.reading() as link:
            rows = DIGESTED.raw(link, {"t": self.tenant})
            return digest_of(rows, canonical=link.is_sqlite)
