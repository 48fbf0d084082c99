"""The store for asyncio: the same core as everywhere, run so that waiting for the database yields.

Nothing is decided or written here. Every method runs the function of the same name, and wherever
that waits for the driver, the event loop goes on with other tasks.
"""

from asyncio import CancelledError, create_task, wait
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    create_async_engine,
)
from sqlalchemy.orm import Session
from sqlalchemy.util.concurrency import greenlet_spawn

from sublife.events import intake, permission
from sublife.events.intake import BATCH, Outcome, Settled
from sublife.events.loop import Loops
from sublife.events.store import Clock, Due, Entry, Page, Store, StoreError
from sublife.events.store.database import made, prepared
from sublife.events.store.page import LIMIT
from sublife.events.store.schema import make_schema
from sublife.events.store.session import named
from sublife.events.tables import ActivityRow, OrderRow
from sublife.lifecycle.model import Event, Permission, Snapshot
from sublife.lifecycle.policy import Policy

P = ParamSpec("P")
T = TypeVar("T")
Host = AsyncSession | AsyncConnection
Given = Host | async_scoped_session[Any]
"""What a host joins: also a registry, which stands for the session of the task at hand."""


class AsyncStore:
    """Subjects, journal and records of one tenant in one database, for asyncio.

    A task that is cancelled leaves nothing half-done: an event is taken in or it is not, and
    submitting it again tells.

    Args:
        engine: an SQLAlchemy engine for asyncio whose database has our tables; `AsyncStore.open`
            makes both.
        clock: tells when things are written down.
        policy: decides events submitted here; the pack `microsoft-csp` if not given.
        tenant: whose rows these are; tenants never see each other.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        clock: Clock,
        policy: Policy | None = None,
        tenant: str = "default",
    ) -> None:
        self.engine = engine
        self._store = Store(engine.sync_engine, clock=clock, policy=policy, tenant=tenant)
        self._host: Given | None = None
        self._bind_arguments: Mapping[str, Any] | None = None
        self._loops = Loops(engine)

    @classmethod
    async def open(
        cls,
        url: str = "sqlite://",
        *,
        clock: Clock,
        policy: Policy | None = None,
        tenant: str = "default",
    ) -> Self:
        """Open a database, making its tables where it has none of ours.

        Args:
            url: `sqlite://` (in memory), `sqlite:///path/to/file.db` or
                `postgresql://user@host/database`; `sqlite+aiosqlite:` and `postgresql+psycopg:`
                say the same.
            clock: tells when things are written down.
            policy: decides events submitted here; the pack `microsoft-csp` if not given.
            tenant: whose rows these are.

        Raises:
            SchemaError: its tables are of another version; the message says what to run.
            StoreError: the address is none of these, or the database cannot be opened.
        """
        engine = made(create_async_engine, url, sqlite="aiosqlite")
        try:
            await greenlet_spawn(make_schema, prepared(engine.sync_engine))
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, clock=clock, policy=policy, tenant=tenant)

    async def close(self) -> None:
        """Close every connection of ours."""
        await greenlet_spawn(self._store.close)

    async def __aenter__(self) -> Self:
        """Return the store itself, to be closed at the end of the block."""
        return self

    async def __aexit__(self, *_raised: object) -> None:
        """Close every connection of ours."""
        await self.close()

    def of(
        self, tenant: str, *, policy: Policy | None = None, clock: Clock | None = None
    ) -> "AsyncStore":
        """Return the same database for another tenant, policy or clock."""
        return self._like(
            self._store.of(tenant, policy=policy, clock=clock), self._host, self._bind_arguments
        )

    def within(
        self, session: Given, *, bind_arguments: Mapping[str, Any] | None = None
    ) -> "AsyncStore":
        """Return the same store inside a host's own transactions, as `Store.within` does.

        Args:
            session: of SQLAlchemy or SQLModel, on a database that has our tables; or a connection
                with a transaction begun. One task at a time may use it, as always. An
                `async_scoped_session` is asked for the session of the task that calls.
            bind_arguments: as for `Store.within`; an engine in them is the `sync_engine`.

        Raises:
            StoreError: it is not a session or connection.
        """
        _demand_host(session)
        return self._like(self._store, session, bind_arguments)

    def _like(
        self, store: Store, host: Given | None, bind_arguments: Mapping[str, Any] | None
    ) -> "AsyncStore":
        copy = object.__new__(type(self))
        copy.engine, copy._store, copy._loops = self.engine, store, self._loops
        copy._host, copy._bind_arguments = host, bind_arguments
        return copy

    async def run_sync(
        self, work: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what *work* does with the store: for all that has no method here.

        Args:
            work: such as `Store.digest`, or a function of the host's own that takes a store.
            args: given to it after the store.
            kwargs: given to it by name.
        """
        host, store, arguments = self._host, self._store, self._bind_arguments
        if isinstance(host, async_scoped_session):
            host = host()

        def own() -> T:
            return work(store, *args, **kwargs)

        def joined(session: Session | Connection) -> T:
            joined_store = store.within(session, bind_arguments=arguments)
            return work(joined_store, *args, **kwargs)

        if host is not None:
            return await self._to_its_end(host.run_sync(joined))
        async with self._loops.turn():
            return await self._to_its_end(greenlet_spawn(own))

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* does; on SQLite, be cancelled only when it has ended.

        SQLite works in a thread, which goes on when the task that waits for it does not.
        """
        if self.engine.dialect.name != "sqlite":
            return await work
        task = create_task(work)
        cancelled: CancelledError | None = None
        while not task.done():
            try:
                await wait({task})
            except CancelledError as error:
                cancelled = error
        if cancelled is not None:
            task.exception()
            raise cancelled
        return task.result()

    async def submit(self, event: Event, *, expected_version: int | None = None) -> Outcome:
        """Take in one user event; see `sublife.events.intake.submit`."""
        return await self.run_sync(intake.submit, event, expected_version=expected_version)

    async def settle(
        self, now: datetime, *, batch: int = BATCH, collect: bool = True, limit: int | None = None
    ) -> Settled:
        """Apply every timed event due by *now*; see `sublife.events.intake.settle`.

        Deciding a batch of a thousand holds the event loop for a part of a second. A large night
        belongs in a process of its own; beside requests give a *batch* of a few dozen.
        """
        return await self.run_sync(
            intake.settle, now, batch=batch, collect=collect, workers=1, limit=limit
        )

    async def may(self, subject: str, request: str, *, at: datetime | None = None) -> Permission:
        """Return whether a request may be made; see `sublife.events.permission.may`."""
        return await self.run_sync(permission.may, subject, request, at=at)

    async def allowed(self, subject: str, *, at: datetime | None = None) -> tuple[str, ...]:
        """Return the requests that may be made; see `sublife.events.permission.allowed`."""
        return await self.run_sync(permission.allowed, subject, at=at)

    async def as_of(self, subject: str, *, at: datetime | None = None) -> Snapshot | None:
        """Return a subject with all that is due; see `sublife.events.permission.as_of`."""
        return await self.run_sync(permission.as_of, subject, at=at)

    async def get(self, subject: str) -> Snapshot | None:
        """Return a subject as it stands, or `None` if it does not exist."""
        return await self.run_sync(Store.get, subject)

    async def next_due(self) -> datetime | None:
        """Return the earliest instant at which a timer of the tenant is due, or `None`."""
        return await self.run_sync(Store.next_due)

    async def due(
        self, until: datetime | None = None, *, after: str | None = None, limit: int = LIMIT
    ) -> Page[Due]:
        """Return subjects with a timer, the earliest first; see `Store.due`."""
        return await self.run_sync(Store.due, until, after=after, limit=limit)

    async def history(
        self, subject: str, *, after: str | None = None, limit: int = LIMIT
    ) -> Page[Entry]:
        """Return the journal of one subject, in order; see `Store.history`."""
        return await self.run_sync(Store.history, subject, after=after, limit=limit)

    async def records(
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
    ) -> Page[ActivityRow]:
        """Return activity records, by instant, then sequence; see `Store.records`."""
        return await self.run_sync(
            Store.records,
            customer=customer,
            partner=partner,
            subscription=subscription,
            kind=kind,
            since=since,
            until=until,
            after=after,
            limit=limit,
        )

    async def orders(
        self,
        *,
        customer: str | None = None,
        partner: str | None = None,
        subscription: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = LIMIT,
    ) -> Page[OrderRow]:
        """Return order records, by instant, then sequence; see `Store.orders`."""
        return await self.run_sync(
            Store.orders,
            customer=customer,
            partner=partner,
            subscription=subscription,
            since=since,
            until=until,
            after=after,
            limit=limit,
        )


def _demand_host(given: object) -> None:
    """Refuse what is not a session or connection of asyncio, and say what to pass."""
    if isinstance(given, AsyncSession | AsyncConnection | async_scoped_session):
        return
    if isinstance(given, Session | Connection):
        remedy = "use a Store for it"
    elif isinstance(given, AsyncEngine):
        remedy = "open a session or connection of it and pass that"
    elif callable(given):
        remedy = "call it and pass the session that it makes"
    else:
        remedy = (
            "pass an AsyncSession, an async_scoped_session, or an AsyncConnection with a "
            "transaction begun"
        )
    raise StoreError(
        f"within() takes an AsyncSession or an AsyncConnection, not {named(given)}; {remedy}"
    )
