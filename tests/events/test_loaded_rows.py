"""What a host's session shows of our rows that it has loaded, before and after we write them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import MetaData, create_engine, inspect
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import Session, sessionmaker
from sqlmodel import Field, SQLModel, select

from sublife.events.aio import AsyncStore
from sublife.events.intake import submit
from sublife.events.store import Store, StoreError, begin_at_once
from sublife.events.tables import JournalRow, SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload
from sublife.lifecycle.subscription.model import Product, Purchase, Rename
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


class HostTable(SQLModel):
    """What the host's own tables share."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]


class Note(HostTable, table=True):
    """A table of the host's."""

    id: int | None = Field(default=None, primary_key=True)
    said: str


def event(name: str, subject: str, data: Payload = EMPTY) -> Event:
    """Return an event of the present."""
    amy = Actor(ActorKind.USER, "amy")
    return Event(f"{name}-{subject}", name, subject, NOW, amy, data)


def purchase(subject: str = "s1") -> Event:
    """Return the event that sells 30 seats for a year."""
    return event("purchase", subject, ORDER)


RENAME = event("rename", "s1", Rename("Contoso seats"))


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The file of a database with two subscriptions."""
    file = str(tmp_path / "host.db")
    store = Store.open(f"sqlite:///{file}", clock=SimulatedClock(NOW))
    for subject in ("s1", "s2"):
        submit(store, purchase(subject))
    store.close()
    return file


@pytest.fixture
def session(path: str) -> Any:
    """A session of the host's, on an engine of its own."""
    engine = begin_at_once(create_engine(f"sqlite:///{path}"))
    HostTable.metadata.create_all(engine)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def store(path: str) -> Any:
    """The store that the host has opened at its start."""
    opened = Store.open(f"sqlite:///{path}", clock=SimulatedClock(NOW))
    yield opened
    opened.close()


def test_our_rows_alone_are_read_again(session: Session, store: Store) -> None:
    """A row of ours shows what was written; the host's own objects are left as they are."""
    note = Note(said="kept")
    session.add(note)
    session.flush()
    row = session.scalars(select(SubjectRow).where(SubjectRow.id == "s1")).one()
    entry = session.scalars(select(JournalRow).where(JournalRow.subject == "s1")).first()
    before = row.version

    outcome = submit(store.within(session), RENAME)

    assert (row.version, before) == (outcome.version, outcome.version - 1)
    assert inspect(note).expired_attributes == set()
    assert entry is not None
    assert inspect(entry).expired_attributes == set()


def test_what_is_pending_is_written_before_the_event(session: Session, store: Store) -> None:
    """A new row of the host's is there when the event is decided."""
    session.add(Note(said="first"))

    submit(store.within(session), RENAME)

    assert not session.new


@pytest.mark.parametrize("how", ["setting", "block"])
def test_without_autoflush_what_is_pending_stays_pending(
    session: Session, store: Store, how: str
) -> None:
    """Neither a session without `autoflush` nor a block of `no_autoflush` is flushed."""
    note = Note(said="later")
    session.add(note)

    if how == "setting":
        session.autoflush = False
        submit(store.within(session), RENAME)
    else:
        with session.no_autoflush:
            submit(store.within(session), RENAME)

    assert note in session.new


def test_a_part_that_is_rolled_back_is_not_shown(session: Session, store: Store) -> None:
    """After `begin_nested` was rolled back, a loaded row shows what is in the database again."""
    row = session.scalars(select(SubjectRow).where(SubjectRow.id == "s1")).one()
    before = row.version

    nested = session.begin_nested()
    submit(store.within(session), RENAME)
    within = row.version
    nested.rollback()

    assert (within, row.version) == (before + 1, before)


def test_rows_are_fresh_in_a_session_that_keeps_its_objects(path: str, store: Store) -> None:
    """With `expire_on_commit=False` a loaded row shows the event after the commit, too."""
    engine = begin_at_once(create_engine(f"sqlite:///{path}"))
    with sessionmaker(engine, expire_on_commit=False)() as session:
        row = session.scalars(select(SubjectRow).where(SubjectRow.id == "s1")).one()
        outcome = submit(store.within(session), RENAME)
        session.commit()

        assert row.version == outcome.version
    engine.dispose()


def test_a_routing_session_shows_what_the_primary_has(
    path: str, tmp_path: Path, store: Store
) -> None:
    """A row that came from a replica is read from where the event was written."""
    replica_path = tmp_path / "replica.db"
    replica_path.write_bytes(Path(path).read_bytes())
    primary, replica = (create_engine(f"sqlite:///{each}") for each in (path, replica_path))

    class RoutingSession(Session):
        def get_bind(self, mapper: Any = None, clause: Any = None, **_more: Any) -> Any:
            return primary if self._flushing or clause is None else replica

    with RoutingSession() as session:
        row = session.scalars(select(SubjectRow).where(SubjectRow.id == "s1")).one()
        outcome = submit(store.within(session), RENAME)

        assert row.version == outcome.version
    primary.dispose()
    replica.dispose()


def run(path: str, work: Callable[[AsyncStore, AsyncSession], Awaitable[None]]) -> None:
    """Run *work* in a session of asyncio that keeps its objects, as its handbook advises."""

    async def go() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        begin_at_once(engine.sync_engine)
        async with (
            await AsyncStore.open(f"sqlite:///{path}", clock=SimulatedClock(NOW)) as store,
            AsyncSession(engine, expire_on_commit=False) as session,
        ):
            await work(store, session)
        await engine.dispose()

    asyncio.run(go())


async def _loaded(session: AsyncSession) -> list[SubjectRow]:
    return list((await session.scalars(select(SubjectRow).order_by(SubjectRow.id))).all())


def test_rows_in_an_async_session_are_fresh_without_another_query(path: str) -> None:
    """Under asyncio an attribute cannot wait for the database, so the row is there at once."""

    async def work(store: AsyncStore, session: AsyncSession) -> None:
        first, second = await _loaded(session)
        before = (first.version, second.version)

        await store.within(session).submit(RENAME)

        assert (first.version, second.version) == (before[0] + 1, before[1])
        await session.commit()
        assert first.version == before[0] + 1

    run(path, work)


def test_rows_are_fresh_where_the_host_uses_the_sync_store_under_asyncio(path: str) -> None:
    """`session.run_sync` with a `Store` leaves no row behind that cannot be read."""
    sync_store = Store.open(clock=SimulatedClock(NOW))

    async def work(_store: AsyncStore, session: AsyncSession) -> None:
        first, _ = await _loaded(session)
        before = first.version

        await session.run_sync(lambda each: submit(sync_store.within(each), RENAME))

        assert first.version == before + 1

    run(path, work)
    sync_store.close()


def test_an_error_in_an_async_session_leaves_its_rows_as_they_were(path: str) -> None:
    """Where nothing was written, a loaded row can still be read."""

    async def work(store: AsyncStore, session: AsyncSession) -> None:
        first, _ = await _loaded(session)
        before = first.version

        with pytest.raises(UnknownSubjectError):
            await store.within(session).submit(event("rename", "s9", Rename("None")))

        assert first.version == before

    run(path, work)


def test_many_rows_in_an_async_session_are_fresh(path: str) -> None:
    """More rows than one statement reads."""

    async def work(store: AsyncStore, session: AsyncSession) -> None:
        fields: dict[str, Any] = (await _loaded(session))[0].model_dump()
        for number in range(3, 210):
            fields["id"] = f"t{number}"
            session.add(SubjectRow(**fields))
        await session.flush()
        rows = await _loaded(session)

        outcome = await store.within(session).submit(RENAME)

        assert len(rows) == 209
        assert rows[0].version == outcome.version
        assert all(row.state for row in rows)

    run(path, work)


def test_an_async_scoped_session_is_the_session_of_the_task(path: str) -> None:
    """The registry itself is given; what is submitted is in the session of the task that asks."""

    async def work(store: AsyncStore, session: AsyncSession) -> None:
        registry = async_scoped_session(
            async_sessionmaker(session.bind, expire_on_commit=False), asyncio.current_task
        )
        joined = store.within(registry)

        async def one(subject: str, *, keeps: bool) -> None:
            await joined.submit(event("rename", subject, Rename("Contoso seats")))
            await (registry.commit() if keeps else registry.rollback())
            await registry.remove()

        await asyncio.create_task(one("s1", keeps=False))
        await asyncio.create_task(one("s2", keeps=True))

        first, second = await _loaded(session)
        assert (first.version, second.version) == (2, 3)

    run(path, work)


NOT_HOSTS: dict[str, tuple[Callable[[AsyncStore], object], str]] = {
    "async_sessionmaker": (lambda s: async_sessionmaker(s.engine), "sessionmaker; call it"),
    "class": (lambda _: AsyncSession, "not the class AsyncSession; call it"),
    "engine": (lambda s: s.engine, "AsyncEngine; open a session or connection"),
    "session": (lambda _: Session(), "not an object of Session; use a Store"),
    "none": (lambda _: None, "not None; pass an AsyncSession"),
}


@pytest.mark.parametrize("name", NOT_HOSTS)
def test_what_is_not_an_async_session_is_refused_at_once(path: str, name: str) -> None:
    """The message names what was given and what to pass in its place."""
    make, said = NOT_HOSTS[name]

    async def work(store: AsyncStore, _session: AsyncSession) -> None:
        given: Any = make(store)

        with pytest.raises(StoreError, match=said):
            store.within(given)

    run(path, work)
