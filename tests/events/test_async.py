"""The store for asyncio: the same answers and errors, many tasks at once, and tasks cancelled."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import MetaData
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from sublife.events import intake, permission
from sublife.events.aio import AsyncStore
from sublife.events.intake import Outcome, StaleVersionError
from sublife.events.store import (
    ConflictError,
    CursorError,
    LimitError,
    Store,
    StoreError,
    UnreachableError,
)
from sublife.events.tables import SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload
from sublife.lifecycle.subscription.model import ChangeSeats, Product, Purchase, Rename, Suspend
from sublife.scheduler.clock import SimulatedClock

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


class HostTable(SQLModel):
    """What the host's own tables share."""

    metadata: ClassVar[MetaData] = MetaData()  # pyright: ignore[reportIncompatibleVariableOverride]


class Line(HostTable, table=True):
    """A table of the host's."""

    number: str = Field(primary_key=True)


@dataclass(slots=True)
class Desk:
    """An asynchronous store with its clock, and a sync one on the same database to compare."""

    store: AsyncStore
    clock: SimulatedClock
    count: int = 0

    def event(self, name: str, subject: str, data: Payload = EMPTY) -> Event:
        """Return an event of the present."""
        self.count += 1
        return Event(f"event-{self.count}", name, subject, self.clock.now(), AMY, data)

    def purchase(self, subject: str, **changes: Any) -> Event:
        return self.event("purchase", subject, replace(ORDER, **changes))


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that has an asynchronous driver, one of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database")).replace(
            "postgresql:", "postgresql+psycopg:", 1
        )
    return {
        "sqlite-memory": "sqlite+aiosqlite://",
        "sqlite-file": f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
    }[request.param]


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that several stores can open."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'shared.db'}"


@asynccontextmanager
async def at_desk(url: str) -> AsyncGenerator[Desk]:
    clock = SimulatedClock(SOLD_AT)
    async with await AsyncStore.open(url, clock=clock) as store:
        yield Desk(store, clock)


def run(url: str, work: Callable[[Desk], Awaitable[None]]) -> None:
    """Run *work* at a desk in an event loop of its own."""

    async def go() -> None:
        async with at_desk(url) as desk:
            await work(desk)

    asyncio.run(go())


async def everything(desk: Desk) -> dict[str, Any]:
    """Return what there is in every table."""
    store = desk.store
    return {
        "digest": await store.run_sync(Store.digest),
        "all": dict(await store.run_sync(Store.all)),
        "orders": [each.id for each in await store.orders()],
        "records": [each.id for each in await store.records()],
        "due": tuple(await store.due()),
    }


class TestCore:
    def test_a_story_is_the_same_as_in_the_sync_store(self, url: str) -> None:
        """One core: digest, state, records and orders agree."""
        clock = SimulatedClock(SOLD_AT)
        sync = Store.open("sqlite://", clock=clock)

        async def tell(desk: Desk) -> None:
            sold, off = desk.purchase("s1"), desk.event("turn_autorenew_off", "s1")
            for event in (sold, off):
                assert await desk.store.submit(event) == intake.submit(sync, event)
            for now in (TERM_END, TERM_END + 40 * DAY):
                desk.clock.move(now)
                clock.move(now)
                assert await desk.store.settle(now) == intake.settle(sync, now)
                assert await desk.store.allowed("s1") == permission.allowed(sync, "s1")
                assert await desk.store.may("s1", "cancel") == permission.may(sync, "s1", "cancel")
            assert await desk.store.get("s1") == sync.get("s1")
            assert await desk.store.as_of("s1") == permission.as_of(sync, "s1")
            assert await desk.store.next_due() == sync.next_due()
            assert await desk.store.due() == sync.due()
            assert await desk.store.history("s1") == sync.history("s1")
            assert await desk.store.run_sync(Store.digest) == sync.digest()
            assert len(await desk.store.records(subscription="s1")) == len(sync.records())
            assert len(await desk.store.orders(customer="tailspin")) == len(sync.orders())

        run(url, tell)
        sync.close()

    def test_errors_are_the_same(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            sold = await desk.store.submit(desk.purchase("s1"), expected_version=0)
            before = await everything(desk)
            with pytest.raises(StaleVersionError, match=f"version {sold.version}, not 7"):
                await desk.store.submit(desk.event("cancel", "s1"), expected_version=7)
            with pytest.raises(UnknownSubjectError):
                await desk.store.submit(desk.event("cancel", "s9"))
            with pytest.raises(UnknownSubjectError):
                await desk.store.allowed("s9")
            with pytest.raises(CursorError):
                await desk.store.history("s1", after="nonsense")
            with pytest.raises(LimitError):
                await desk.store.due(limit=0)
            assert await everything(desk) == before

        run(url, work)

    def test_pages_follow_each_other(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            for number in range(5):
                await desk.store.submit(desk.purchase(f"s{number}"))
            first = await desk.store.orders(limit=2)
            second = await desk.store.orders(limit=2, after=first.next)
            last = await desk.store.orders(limit=2, after=second.next)
            assert [each.subscription for page in (first, second, last) for each in page] == [
                f"s{number}" for number in range(5)
            ]
            assert last.next is None

        run(url, work)

    def test_tenants_never_see_each_other(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            event = desk.purchase("s1")
            other = desk.store.of("other")
            first, second = await desk.store.submit(event), await other.submit(event)
            await other.settle(TERM_END + 40 * DAY)
            assert (first.repeated, second.repeated) == (False, False)
            assert await desk.store.next_due() == TERM_END
            assert [each.tenant for each in await desk.store.orders()] == ["default"]

        run(url, work)

    def test_a_database_that_is_there_is_opened_again(self, shared_url: str) -> None:
        """Nothing is made twice, and what was written is there; sync and async share it."""
        clock = SimulatedClock(SOLD_AT)
        run(shared_url, lambda desk: _sell(desk, 1))

        store = Store.open(shared_url, clock=clock)
        found = list(store.all())
        store.close()
        run(shared_url, lambda desk: _count(desk, 1))

        assert found == ["s0"]

    @pytest.mark.parametrize(
        ("address", "message"),
        [
            ("mysql://somewhere", "no address of SQLite or PostgreSQL"),
            ("sqlite:////no/such/folder/store.db", "cannot be opened"),
            ("postgresql:///none?host=/nowhere", "does not answer"),
        ],
    )
    def test_what_cannot_be_opened_is_told(self, address: str, message: str) -> None:
        async def go() -> None:
            with pytest.raises(StoreError, match=message):
                await AsyncStore.open(address, clock=SimulatedClock(SOLD_AT))
            # The driver's thread tells the loop that it ends, also after opening has failed.
            while any("_connection_worker_thread" in each.name for each in threading.enumerate()):
                await asyncio.sleep(0)

        asyncio.run(go())


async def _sell(desk: Desk, number: int) -> None:
    for each in range(number):
        await desk.store.submit(desk.purchase(f"s{each}"))


async def _count(desk: Desk, number: int) -> None:
    assert len(await desk.store.orders()) == number


class TestTogether:
    def test_what_the_host_commits_is_there_together(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            async with desk.store.engine.begin() as connection:
                await connection.run_sync(HostTable.metadata.create_all)
            async with AsyncSession(desk.store.engine) as session, session.begin():
                session.add(Line(number="L1"))
                outcome = await desk.store.within(session).submit(desk.purchase("s1"))
                assert not session.new
            assert outcome.accepted
            assert len(await desk.store.history("s1")) == 2
            async with AsyncSession(desk.store.engine) as session:
                assert len((await session.exec(select(Line))).all()) == 1

        run(url, work)

    def test_what_the_host_rolls_back_leaves_no_trace(self, url: str) -> None:
        """And the store joined to its session sees it as long as it is there."""

        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            before = await everything(desk)
            async with AsyncSession(desk.store.engine) as session:
                store = desk.store.within(session)
                await store.submit(desk.purchase("s7"))
                await store.submit(desk.event("suspend", "s0", Suspend()))
                await store.settle(TERM_END + 300 * DAY)
                assert await store.get("s7") is not None
                assert len(await store.of("default").history("s0")) > 3
                await session.rollback()
                assert await store.get("s7") is None
                assert "suspend" in await store.allowed("s0")
            assert await everything(desk) == before

        run(url, work)

    def test_an_error_inside_leaves_the_hosts_work_alone(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            async with AsyncSession(desk.store.engine) as session, session.begin():
                store = desk.store.within(session)
                await store.submit(desk.purchase("s1"))
                with pytest.raises(StaleVersionError):
                    await store.submit(desk.event("cancel", "s0"), expected_version=9)
                refused = await store.submit(desk.event("reactivate", "s0"))
            assert refused.refusal is not None
            assert list(await desk.store.run_sync(Store.all)) == ["s0", "s1"]

        run(url, work)

    def test_a_nested_rollback_undoes_what_was_submitted_inside(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            async with AsyncSession(desk.store.engine) as session, session.begin():
                store = desk.store.within(session)
                await store.submit(desk.purchase("s1"))
                inner = await session.begin_nested()
                await store.submit(desk.purchase("s2"))
                await inner.rollback()
            assert list(await desk.store.run_sync(Store.all)) == ["s1"]

        run(url, work)

    def test_our_rows_in_the_session_are_read_anew(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            async with AsyncSession(desk.store.engine) as session, session.begin():
                row = (await session.exec(select(SubjectRow))).one()
                await desk.store.within(session).submit(desk.event("suspend", "s0", Suspend()))
                await session.refresh(row)
                assert row.state == "suspended"

        run(url, work)

    def test_a_connection_will_do_for_a_session(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            async with desk.store.engine.connect() as connection:
                with pytest.raises(StoreError, match="begin one"):
                    await desk.store.within(connection).submit(desk.purchase("s0"))
                async with connection.begin():
                    await desk.store.within(connection).submit(desk.purchase("s1"))
            assert list(await desk.store.run_sync(Store.all)) == ["s1"]

        run(url, work)

    def test_a_host_brings_an_engine_of_its_own(self, shared_url: str) -> None:
        """Nothing on it is configured by us."""
        own = shared_url.replace("sqlite:", "sqlite+aiosqlite:").replace(
            "postgresql:", "postgresql+psycopg:"
        )

        async def work(desk: Desk) -> None:
            engine = create_async_engine(own)
            events = [desk.purchase("s1"), desk.purchase("s2")]
            for event, ending in zip(
                events, (AsyncSession.commit, AsyncSession.rollback), strict=True
            ):
                async with AsyncSession(engine) as session:
                    await desk.store.within(session).submit(event)
                    await ending(session)
            await engine.dispose()
            assert list(await desk.store.run_sync(Store.all)) == ["s1"]

        run(shared_url, work)


class TestConcurrency:
    def test_many_tasks_submit_at_once(self, url: str) -> None:
        """More of them than there are connections; each event has one effect."""

        async def work(desk: Desk) -> None:
            events = [desk.purchase(f"s{number}") for number in range(40)]
            outcomes = await asyncio.gather(*(desk.store.submit(each) for each in [*events] * 2))
            assert sum(each.repeated for each in outcomes) == 40
            assert len(await desk.store.orders()) == 40

        run(url, work)

    def test_many_tasks_on_one_subject_wait_for_each_other(self, url: str) -> None:
        """No update is lost, and the sequence has no gap."""

        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            events = [desk.event("add_seats", "s0", ChangeSeats(1)) for _ in range(20)]
            outcomes = await asyncio.gather(*(desk.store.submit(each) for each in events))
            assert sorted(each.version for each in outcomes) == list(range(3, 23))
            entries = await desk.store.history("s0")
            assert [each.sequence for each in entries] == list(range(1, 23))

        run(url, work)

    def test_of_many_tasks_with_one_version_one_is_let_in(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            results = await asyncio.gather(
                *(
                    desk.store.submit(
                        desk.event("rename", "s0", Rename(f"{number}")), expected_version=2
                    )
                    for number in range(8)
                ),
                return_exceptions=True,
            )
            assert sum(isinstance(each, Outcome) for each in results) == 1
            assert sum(isinstance(each, StaleVersionError) for each in results) == 7

        run(url, work)

    def test_the_loop_goes_on_while_a_task_waits_for_a_lock(self, migrated_database: str) -> None:
        """Waiting for the database is no waiting for anybody else."""

        async def work(desk: Desk) -> None:
            await _sell(desk, 2)
            async with AsyncSession(desk.store.engine) as session:
                await desk.store.within(session).submit(desk.event("cancel", "s0"))
                waiting = asyncio.create_task(
                    desk.store.submit(desk.event("rename", "s0", Rename("later")))
                )
                other = await desk.store.submit(desk.event("rename", "s1", Rename("now")))
                assert not waiting.done()
                await session.rollback()
            assert other.accepted
            assert (await waiting).accepted

        run(migrated_database, work)

    def test_a_deadlock_among_tasks_of_ours_is_nobodys_business(
        self, migrated_database: str
    ) -> None:
        """The store tries again by itself, as the sync one does."""

        async def work(desk: Desk) -> None:
            await _sell(desk, 2)
            events = [desk.event("rename", f"s{n % 2}", Rename(str(n))) for n in range(20)]
            settling = [desk.store.settle(TERM_END + n * DAY) for n in range(3)]
            await asyncio.gather(*(desk.store.submit(each) for each in events), *settling)

        run(migrated_database, work)

    def test_a_conflict_in_a_hosts_transaction_is_told(self, migrated_database: str) -> None:
        """As in the sync store: roll back and run all of it again."""

        async def work(desk: Desk) -> None:
            await _sell(desk, 1)
            engine: AsyncEngine = desk.store.engine.execution_options(
                isolation_level="REPEATABLE READ"
            )
            event = desk.event("suspend", "s0", Suspend())
            async with AsyncSession(engine) as session:
                await session.exec(select(SubjectRow))
                await desk.store.submit(desk.event("rename", "s0", Rename("first")))
                store = desk.store.within(session)
                with pytest.raises(ConflictError, match="roll back your transaction") as raised:
                    await store.submit(event)
                assert raised.value.whole
                await session.rollback()
                assert (await store.submit(event)).accepted
                await session.commit()

        run(migrated_database, work)

    def test_a_lost_connection_must_be_rolled_back(self, migrated_database: str) -> None:
        async def work(desk: Desk) -> None:
            event = desk.purchase("s1")
            async with AsyncSession(desk.store.engine) as session:
                store = desk.store.within(session)
                await store.submit(desk.purchase("s0"))
                await _end_others(migrated_database)
                with pytest.raises(UnreachableError):
                    await store.submit(event)
                with pytest.raises(InvalidRequestError, match="invalid transaction"):
                    await session.exec(select(SubjectRow))
                await session.rollback()
                assert (await store.submit(event)).accepted
                await session.commit()
            assert list(await desk.store.run_sync(Store.all)) == ["s1"]

        run(migrated_database, work)


async def _end_others(url: str) -> None:
    """End every other connection to the database, as an administrator may."""
    import psycopg  # noqa: PLC0415 – for this alone

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestCancellation:
    def test_a_cancelled_submit_has_happened_as_a_whole_or_not_at_all(self, url: str) -> None:
        """Cancelled after any number of turns of the loop; submitting again tells."""

        async def work(desk: Desk) -> None:
            whole = nothing = 0
            turns = 0
            while whole < 3:
                event = desk.purchase(f"s{turns}")
                task = asyncio.create_task(desk.store.submit(event))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with_result = await asyncio.gather(task, return_exceptions=True)
                happened = await desk.store.get(f"s{turns}") is not None
                entries = await desk.store.history(f"s{turns}")
                orders = await desk.store.orders(subscription=f"s{turns}")
                assert (len(entries), len(orders)) == ((2, 1) if happened else (0, 0))
                assert happened or isinstance(with_result[0], asyncio.CancelledError)
                again = await desk.store.submit(event)
                assert again.repeated == happened
                whole, nothing = whole + happened, nothing + (not happened)
                turns += 1
            assert nothing

        run(url, work)

    def test_a_cancelled_submit_inside_a_host_leaves_its_work_alone(self, url: str) -> None:
        """The savepoint is rolled back to, and the host goes on."""

        async def work(desk: Desk) -> None:
            async with AsyncSession(desk.store.engine) as session:
                store = desk.store.within(session)
                await store.submit(desk.purchase("kept"))
                for turns in (1, 3, 9, 27):
                    task = asyncio.create_task(store.submit(desk.purchase(f"s{turns}")))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                await session.commit()
            found = await desk.store.run_sync(Store.all)
            assert "kept" in found
            assert all([len(await desk.store.history(name)) == 2 for name in found])
            assert len(await desk.store.orders()) == len(found)

        run(url, work)

    def test_a_cancelled_settle_leaves_whole_batches(self, url: str) -> None:
        async def work(desk: Desk) -> None:
            for number in range(6):
                await desk.store.submit(desk.purchase(f"s{number}", autorenew=False))
            desk.clock.move(TERM_END)
            task = asyncio.create_task(desk.store.settle(TERM_END, batch=2))
            while await desk.store.next_due() == TERM_END and len(await desk.store.records()) < 4:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            moved = [
                each
                for each in (await desk.store.run_sync(Store.all)).values()
                if each.state == "grace"
            ]
            assert len(await desk.store.records()) == 2 * len(moved)
            assert len(moved) % 2 == 0
            rest = await desk.store.settle(TERM_END, batch=2)
            assert rest.count == 2 * (6 - len(moved))

        run(url, work)
