"""A SQLite file in rollback mode that the host is writing to: wait, then LockedError."""

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sublife.events.aio import AsyncStore
from sublife.events.intake import submit
from sublife.events.store import LockedError, ReplacedError, Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
SALE = Event("e1", "purchase", "s1", SOLD_AT, AMY, ORDER)
SHORTLY = "?timeout=0.05"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database in rollback mode, as a host has set it."""
    path = tmp_path / "store.db"
    Store.open(f"sqlite:///{path}", clock=SimulatedClock(SOLD_AT)).close()
    host = sqlite3.connect(path, isolation_level=None)
    host.execute("PRAGMA journal_mode=DELETE")
    host.close()
    return path


@pytest.fixture
def host(path: Path) -> Iterator[sqlite3.Connection]:
    """A host that is writing."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    yield connection
    connection.close()


def test_a_read_of_a_store_waits_and_is_then_refused_with_the_file(
    path: Path, host: sqlite3.Connection
) -> None:
    """One that was opened before; afterwards the same read works."""
    host.execute("ROLLBACK")
    store = Store.open(f"sqlite:///{path}{SHORTLY}", clock=SimulatedClock(SOLD_AT), reading=True)
    host.execute("BEGIN EXCLUSIVE")

    with pytest.raises(LockedError, match=f"the database file {path} is locked"):
        store.get("s1")
    host.execute("ROLLBACK")

    assert store.get("s1") is None
    store.close()


@pytest.mark.parametrize("reading", [True, False])
def test_a_store_that_is_opened_meanwhile_is_refused_in_the_same_way(
    reading: bool, path: Path, host: sqlite3.Connection
) -> None:
    """Also where it would have to set the journal mode."""
    assert host.in_transaction

    with pytest.raises(LockedError, match="end its transaction"):
        Store.open(f"sqlite:///{path}{SHORTLY}", clock=SimulatedClock(SOLD_AT), reading=reading)


def test_the_store_for_asyncio_is_refused_in_the_same_way(
    path: Path, host: sqlite3.Connection
) -> None:
    """Opening, writing and reading."""
    url = f"sqlite:///{path}{SHORTLY}"

    async def go() -> tuple[bool, object]:
        with pytest.raises(LockedError, match=f"the database file {path} is locked"):
            await AsyncStore.open(url, clock=SimulatedClock(SOLD_AT))
        host.execute("ROLLBACK")
        async with await AsyncStore.open(url, clock=SimulatedClock(SOLD_AT)) as store:
            host.execute("BEGIN EXCLUSIVE")
            with pytest.raises(LockedError, match=f"the database file {path} is locked"):
                await store.submit(SALE)
            host.execute("ROLLBACK")
            done = await store.submit(SALE)
            return done.accepted, await store.get("s1")

    accepted, found = asyncio.run(go())

    assert accepted
    assert found is not None


def test_a_change_of_folder_leads_no_connection_to_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address of SQLite's own with a relative path is of the folder it was opened in."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = Store.open("sqlite:///file:store.db?uri=true", clock=SimulatedClock(SOLD_AT))

    monkeypatch.chdir(tmp_path / "elsewhere")
    store.engine.dispose()
    accepted = submit(store, SALE).accepted
    store.close()

    assert accepted
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_store_for_asyncio_notices_a_lost_file(path: Path) -> None:
    """As the other one does."""

    async def go() -> None:
        url = f"sqlite:///{path}"
        async with await AsyncStore.open(url, clock=SimulatedClock(SOLD_AT)) as store:
            path.unlink()
            with pytest.raises(ReplacedError, match="was deleted or moved"):
                await store.submit(SALE)

    asyncio.run(go())

    assert not path.exists()
