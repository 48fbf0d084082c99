"""Behind a pooler that gives each transaction another session of the server."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from sublife.events.aio import AsyncStore
from sublife.events.intake import settle, submit
from sublife.events.outbox import CommittedFact, Handler
from sublife.events.store import Store, UnreachableError
from sublife.events.store.upgrade import upgrade
from sublife.scheduler.clock import SimulatedClock
from tests.events.test_server import LATE, ODD, driver_url, lives, set_for_database
from tests.events.test_together import BEGIN, bought, give
from tests.pooler import POOLERS, sessions
from tests.scale import sized

CLOCK = SimulatedClock(LATE)

pytestmark = pytest.mark.soak


@pytest.fixture(params=sized(["stand-in"], [*POOLERS]))
def behind(empty_database: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database behind a pooler."""
    with POOLERS[request.param](empty_database) as address:
        yield address


@pytest.fixture
def pooled(behind: str) -> str:
    """The same, as it is written for a store."""
    return f"{behind}?prepare_threshold=none"


class TestThePooler:
    def test_gives_transactions_different_sessions(self, behind: str) -> None:
        meets = sessions(behind)
        with psycopg.connect(behind, prepare_threshold=None) as other:
            other.execute("SELECT 1")
            next(meets)  # while the other client holds its session, there has to be another one
            other.commit()

            met = set(islice(meets, 6))

        assert len(met) > 1

    def test_refuses_options_at_the_start(self, behind: str) -> None:
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(f"{behind}?options=-c%20jit%3Doff")


class TestAStore:
    def test_lives_as_it_does_without_a_pooler(
        self, pooled: str, open_desk: Callable[..., Any]
    ) -> None:
        lives(open_desk, pooled)

    def test_takes_the_start_with_no_threshold(
        self, behind: str, open_desk: Callable[..., Any]
    ) -> None:
        assert open_desk(behind).store.is_empty()

    def test_makes_the_tables_once(self, pooled: str) -> None:
        made = upgrade(pooled)

        assert made.steps
        assert upgrade(pooled).steps == ()

    def test_works_whatever_the_database_sets(
        self, pooled: str, empty_database: str, open_desk: Callable[..., Any]
    ) -> None:
        for name, value in ODD.items():
            set_for_database(empty_database, name, value)

        upgrade(pooled)
        lives(open_desk, pooled)

    def test_loses_nothing_to_threads_side_by_side(
        self, pooled: str, open_desk: Callable[..., Any]
    ) -> None:
        desk = open_desk(pooled)
        desk.clock.move(BEGIN)
        store: Store = desk.store

        with ThreadPoolExecutor(4) as pool:
            events = [bought(f"s{n}", f"c{n % 3}", autorenew=False) for n in range(24)]
            given = [*pool.map(partial(submit, store), events)]

        assert all(each.accepted for each in given)
        desk.clock.move(LATE)
        assert len(settle(desk.store, LATE, batch=10, workers=2).outcomes) == 24 * 3
        assert len(desk.store.all()) == 24

    def test_settles_and_commits_in_a_transaction_of_the_host(
        self, pooled: str, behind: str, open_desk: Callable[..., Any]
    ) -> None:
        desk = open_desk(pooled)
        desk.clock.move(BEGIN)
        store = desk.store
        engine = create_engine(driver_url(behind), connect_args={"prepare_threshold": None})

        for number in range(8):
            with Session(engine) as session, session.begin():
                assert submit(store.within(session), bought(f"s{number}")).accepted

        assert len(store.all()) == 8
        engine.dispose()

    def test_hands_each_fact_on_once(self, pooled: str, open_desk: Callable[..., Any]) -> None:
        desk = open_desk(pooled)
        got: list[str] = []

        def note(fact: CommittedFact) -> None:
            got.append(fact.id)

        for number in range(12):
            give(desk, bought(f"s{number}"))
        handler = Handler(store=desk.store, name="books", call=note, page=5)
        while handler.run(desk.store.host_clock.now(), chance=lambda: 0.5).more:
            pass

        # a purchase and the end of its provisioning, for each
        assert len(got) == len(set(got)) == 2 * 12

    def test_streams_records_and_verifies(self, pooled: str, open_desk: Callable[..., Any]) -> None:
        desk = open_desk(pooled)
        for number in range(30):
            give(desk, bought(f"s{number}", autorenew=False))
        desk.clock.move(LATE)
        settle(desk.store, LATE)

        streamed = [*desk.store.stream_records()]

        assert len(streamed) == len([*desk.store.records(limit=10_000)])
        with desk.store.audit() as audit:
            assert [*audit.tenants()] == ["default"]

    def test_hears_no_notices_and_says_so_at_once(self, pooled: str) -> None:
        store = Store.open(pooled, clock=CLOCK)

        with store.notices() as notices:
            assert not notices.wait(0)

        store.close()

    def test_lives_in_asyncio_too(self, pooled: str) -> None:
        async def sold() -> int:
            async with await AsyncStore.open(pooled, clock=CLOCK) as store:
                for number in range(12):
                    assert (await store.submit(bought(f"s{number}", autorenew=False))).accepted
                return len((await store.settle(LATE)).outcomes)

        assert asyncio.run(sold()) == 36

    def test_says_what_is_refused_at_the_start(self, behind: str) -> None:
        with pytest.raises(UnreachableError, match="an option is refused"):
            Store.open(f"{behind}?options=-c%20work_mem%3D8MB", clock=CLOCK)
