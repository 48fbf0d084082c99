"""One asynchronous store in several event loops, as scripts with more than one asyncio.run do."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from sublife.events.aio import AsyncStore
from sublife.events.store import Store, StoreError
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
TASKS = 20
"""More than the pool of an engine has connections, so that some have to wait."""


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return "sqlite://" if request.param == "sqlite-memory" else f"sqlite:///{tmp_path / 'a.db'}"


def opened(url: str) -> AsyncStore:
    """Return a store that was opened in an event loop of its own."""
    return asyncio.run(AsyncStore.open(url, clock=SimulatedClock(NOW)))


def sold(store: AsyncStore, name: str) -> list[str]:
    """Sell some subscriptions at once, in a new event loop; return the states."""

    async def one(subject: str) -> str:
        amy = Actor(ActorKind.USER, "amy")
        outcome = await store.submit(Event(subject, "purchase", subject, NOW, amy, ORDER))
        return str(outcome.state)

    async def all_() -> list[str]:
        return await asyncio.gather(*(one(f"{name}-{number}") for number in range(TASKS)))

    return asyncio.run(all_())


def test_one_store_works_in_several_event_loops(url: str) -> None:
    """What was opened in one loop is used in the following ones, and closed in the last."""
    store = opened(url)

    states = [*sold(store, "a"), *sold(store, "b")]
    held = asyncio.run(store.run_sync(Store.all))
    asyncio.run(store.close())

    assert states == ["active"] * 2 * TASKS
    assert len(held) == 2 * TASKS


def test_an_engine_of_the_hosts_works_in_several_event_loops(tmp_path: Path) -> None:
    """The same where the host has made the engine and gives it to the store."""
    asyncio.run(opened(f"sqlite:///{tmp_path / 'a.db'}").close())
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    store = AsyncStore(engine, clock=SimulatedClock(NOW)).of("another")

    states = [*sold(store, "a"), *sold(store, "b"), *sold(store, "c")]
    asyncio.run(engine.dispose())

    assert states == ["active"] * 3 * TASKS


def test_a_database_in_memory_is_refused_to_two_loops_at_once() -> None:
    """Two threads with a loop each would mix their transactions on one connection."""
    store = opened("sqlite://")
    entered, may_end = threading.Event(), threading.Event()

    def wait(_store: Store) -> None:
        entered.set()
        may_end.wait(10)

    other = threading.Thread(target=lambda: asyncio.run(store.run_sync(wait)))
    other.start()
    assert entered.wait(10)

    with pytest.raises(StoreError, match=r"another event loop.*one loop at a time"):
        asyncio.run(store.get("s1"))

    may_end.set()
    other.join(10)
    assert asyncio.run(store.get("s1")) is None
    asyncio.run(store.close())
