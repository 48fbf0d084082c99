"""Simulated tenants through every other door: a host's transaction, asyncio, outbox, daemon."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from sublife.events.aio import AsyncStore
from sublife.events.intake import EventInFutureError, settle, submit
from sublife.events.outbox import Endpoint, Handler, add_endpoint, deliver, relay
from sublife.events.outbox.endpoint import new_secret
from sublife.events.simulation import (
    OccupiedTenantError,
    SimulationError,
    advance,
    fork,
    remove,
    simulate,
)
from sublife.events.store import (
    ConflictError,
    LiveTenantError,
    SimulatedTenantError,
    Store,
    begin_at_once,
)
from sublife.events.store.fork import ForkError
from sublife.events.tables import metadata
from sublife.events.verify import verify
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.daemon.settling import Settling
from sublife.scheduler.daemon.watch import Watch

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
DAY = timedelta(days=1)
STARTS = datetime(2026, 1, 1, tzinfo=UTC)
TERM_END = datetime(2027, 1, 1, tzinfo=UTC)
LIVE_AT = datetime(2030, 6, 1, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase(
    "tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
)


def sale(subject: str, at: datetime = STARTS) -> Event:
    """Return the event that sells a subscription that will lapse."""
    return Event(f"sell-{subject}", "purchase", subject, at, AMY, ORDER)


@pytest.fixture
def live(shared_url: str, open_desk: OpenDesk) -> "Desk":
    """A desk at a live tenant, and a simulated tenant `whatif` with one subscription beside it."""
    desk = open_desk(shared_url)
    desk.clock.move(LIVE_AT)
    submit(desk.store, sale("l1"))
    simulate(desk.store, "whatif", STARTS)
    submit(desk.store.of("whatif"), sale("s1"))
    return desk


@pytest.fixture
def engine(shared_url: str) -> Engine:
    """An engine of the host's own on the same database."""
    url = shared_url.replace("postgresql:", "postgresql+psycopg:", 1)
    return begin_at_once(create_engine(url))


class TestWithin:
    """Inside a host's own transaction."""

    def test_it_goes_by_the_tenants_clock(self, live: "Desk", engine: Engine) -> None:
        with Session(engine) as session:
            store = live.store.of("whatif").within(session)
            assert store.clock.now() == STARTS
            assert submit(store, sale("s2")).accepted
            session.commit()

        assert {each.recorded_at for each in live.store.of("whatif").journal()} == {STARTS}
        engine.dispose()

    def test_live_time_stays_out(self, live: "Desk", engine: Engine) -> None:
        before = live.rows()

        with Session(engine) as session:
            store = live.store.of("whatif").within(session)
            with pytest.raises(EventInFutureError):
                submit(store, sale("s2", STARTS + DAY))
            with pytest.raises(SimulatedTenantError):
                settle(store, LIVE_AT)
            session.commit()

        assert live.rows() == before
        engine.dispose()

    def test_what_a_host_rolls_back_leaves_no_live_tenant(
        self, live: "Desk", engine: Engine
    ) -> None:
        """The name can still become a simulated one, and this process goes by its clock."""
        with Session(engine) as session:
            store = live.store.of("other").within(session)
            submit(store, sale("o1", LIVE_AT))
            submit(store, sale("o2", LIVE_AT))
            session.rollback()

            simulate(live.store, "other", STARTS)

            with pytest.raises(EventInFutureError):
                submit(store, sale("o1", LIVE_AT))
            session.rollback()
        assert live.store.of("other").is_empty()
        engine.dispose()

    def test_what_a_host_has_not_committed_yet_keeps_a_tenant_live(
        self, shared_url: str, live: "Desk", engine: Engine
    ) -> None:
        """Whoever makes it a simulated one waits, and finds that it is not empty."""
        found: list[type[BaseException]] = []

        def make() -> None:
            try:
                simulate(live.store, "other", STARTS)
            except OccupiedTenantError as error:
                found.append(type(error))

        thread = Thread(target=make)
        with Session(engine) as session:
            submit(live.store.of("other").within(session), sale("o1", LIVE_AT))
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()
            session.commit()
        thread.join()

        assert found == [OccupiedTenantError]
        engine.dispose()

    def test_a_host_that_began_before_the_simulation_does_not_write_live_rows(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """In REPEATABLE READ it cannot see that there is one."""
        live = open_desk(migrated_database)
        live.clock.move(LIVE_AT)
        url = migrated_database.replace("postgresql:", "postgresql+psycopg:", 1)
        engine = create_engine(url, isolation_level="REPEATABLE READ")
        with Session(engine) as session:
            store = live.store.of("other").within(session)
            assert store.is_empty()
            simulate(live.store, "other", STARTS)

            with pytest.raises(ConflictError, match="roll back your transaction") as caught:
                submit(store, sale("o1", LIVE_AT))

            assert caught.value.whole
            session.rollback()
        assert live.store.of("other").is_empty()
        engine.dispose()

    def test_a_fork_needs_a_store_of_its_own(self, live: "Desk", engine: Engine) -> None:
        """And leaves no tenant behind."""
        with Session(engine) as session:
            with pytest.raises(ForkError, match="store of its own"):
                fork(live.store.within(session), "l1", "other")
            session.commit()

        assert live.store.simulations.find("other") is None
        engine.dispose()


class TestAsync:
    def test_it_goes_by_the_tenants_clock(self, shared_url: str, live: "Desk") -> None:
        async def go() -> int:
            clock = SimulatedClock(LIVE_AT)
            async with await AsyncStore.open(shared_url, clock=clock, tenant="whatif") as store:
                with pytest.raises(EventInFutureError):
                    await store.submit(sale("s2", STARTS + DAY))
                with pytest.raises(SimulatedTenantError):
                    await store.settle(LIVE_AT)
                assert (await store.submit(sale("s2"))).accepted
                found = await store.as_of("s1")
                assert found is not None
                assert found.state == "active"
                return (await store.run_sync(advance, TERM_END)).count

        assert asyncio.run(go()) == 4
        assert live.store.of("whatif").clock.now() == TERM_END

    def test_a_subject_is_forked_and_advanced(self, shared_url: str, live: "Desk") -> None:
        async def go() -> int:
            async with await AsyncStore.open(shared_url, clock=SimulatedClock(LIVE_AT)) as store:
                assert (await store.run_sync(fork, "l1", "forked")).subjects == ("l1",)
                return (await store.of("forked").run_sync(advance, LIVE_AT)).count

        assert asyncio.run(go()) == 4
        assert verify(live.store, tenant="forked", rebuild=True).is_sound

    def test_a_live_tenant_is_not_advanced(self, shared_url: str, live: "Desk") -> None:
        before = live.rows()

        async def go() -> None:
            clock = SimulatedClock(LIVE_AT)
            async with await AsyncStore.open(shared_url, clock=clock) as store:
                with pytest.raises(LiveTenantError):
                    await store.run_sync(advance, LIVE_AT + DAY)

        asyncio.run(go())
        assert live.rows() == before


class TestOutbox:
    """Nothing of a simulated tenant is handed on, to nobody."""

    endpoint = Endpoint(
        id="billing", url="https://billing.example/hooks", secret=new_secret(bytes(range(32)))
    )

    def test_it_has_no_endpoints(self, live: "Desk") -> None:
        whatif = live.store.of("whatif")

        with pytest.raises(SimulatedTenantError, match="nothing of it is handed on"):
            add_endpoint(whatif, self.endpoint, LIVE_AT, from_start=True)

        assert whatif.endpoints.all() == ()

    def test_a_handler_is_not_called(self, live: "Desk") -> None:
        called: list[object] = []
        handler = Handler(store=live.store.of("whatif"), name="ledger", call=called.append)

        with pytest.raises(SimulatedTenantError, match=r'handler "ledger"'):
            handler.run(LIVE_AT, chance=lambda: 0.0)

        assert called == []

    def test_an_endpoint_that_came_by_another_way_gets_nothing(self, live: "Desk") -> None:
        """The relay asks itself; rows that a database was given past the engine do not help."""
        before = add_rows_of_an_endpoint(live, "whatif", self.endpoint)
        whatif = live.store.of("whatif")

        with pytest.raises(SimulatedTenantError, match="relaying"):
            relay(whatif, LIVE_AT)
        with pytest.raises(SimulatedTenantError, match="delivering"):
            deliver(whatif, LIVE_AT, chance=lambda: 0.0)

        assert live.rows() == before

    def test_an_endpoint_keeps_a_tenant_live(self, live: "Desk") -> None:
        add_endpoint(live.store.of("other"), self.endpoint, LIVE_AT)

        with pytest.raises(OccupiedTenantError, match="sublife_consumer"):
            simulate(live.store, "other", STARTS)

    def test_a_fork_hands_nothing_on(self, live: "Desk") -> None:
        """The live tenant's endpoint gets the live facts alone."""
        add_endpoint(live.store, self.endpoint, LIVE_AT, from_start=True)
        expected = sum(len(each.facts) for each in settle(live.store, LIVE_AT).outcomes) + 2

        fork(live.store, "l1", "forked")
        advance(live.store.of("forked"), LIVE_AT + 400 * DAY)

        assert relay(live.store, LIVE_AT) == expected
        assert live.store.of("forked").endpoints.all() == ()


def add_rows_of_an_endpoint(live: "Desk", tenant: str, endpoint: Endpoint) -> object:
    """Give a tenant an endpoint past the engine; return all rows."""
    live.store.of("model").endpoints.add(endpoint, LIVE_AT, from_start=True)
    with live.store.engine.begin() as connection:
        for table in ("sublife_consumer", "sublife_endpoint"):
            columns = [column.name for column in metadata.tables[table].columns]
            others = ", ".join(f'"{name}"' for name in columns[1:])
            connection.exec_driver_sql(
                f"INSERT INTO {table} (tenant, {others}) SELECT '{tenant}', {others} "  # noqa: S608 – names of our own
                f"FROM {table} WHERE tenant = 'model'"
            )
    return live.rows()


class TestDaemon:
    def test_simulated_tenants_are_not_among_what_is_due(self, live: "Desk") -> None:
        """What a daemon asks for."""
        outlook = live.store.tenants.outlook(LIVE_AT)

        assert [each.tenant for each in outlook.waiting] == ["default"]
        assert live.store.tenants.count_due(LIVE_AT) == 1

    def test_a_daemon_moves_the_live_tenant_alone(
        self, shared_url: str, live: "Desk", open_desk: OpenDesk
    ) -> None:
        """By the live clock, all that is in the simulated one would be due as well."""
        before = live.store.of("whatif").digest()
        watch = Watch(Steady(LIVE_AT), tolerance_seconds=5)
        store = open_desk(shared_url).store

        looked = Settling(store=store, watch=watch, witness=no_clock).run_once()

        assert (looked.events, looked.remaining, looked.next_due_at) == (4, (), None)
        assert live.store.of("whatif").digest() == before
        assert live.store.of("whatif").clock.now() == STARTS


class Steady(SimulatedClock):
    """A clock that stands still, by every measure."""

    def steady(self) -> float:
        """Return always the same."""
        return 0.0


def no_clock(store: Store) -> datetime | None:
    """Tell that the database has no clock."""
    return None


class TestRemoved:
    def test_who_advances_a_tenant_that_is_gone_is_told(self, live: "Desk") -> None:
        whatif = live.store.of("whatif")
        remove(live.store, "whatif")

        with pytest.raises(LiveTenantError, match="whatif is not simulated"):
            advance(whatif, TERM_END)

    def test_a_fork_into_itself_is_refused(self, live: "Desk") -> None:
        with pytest.raises(SimulationError, match="name another tenant"):
            fork(live.store, "l1", "default")
