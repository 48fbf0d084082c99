"""A store opened before `fork`: the children have connections of their own, or are refused."""

import os
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import create_engine, make_url

from sublife.events.intake import settle, submit
from sublife.events.store import ForkedError, Store, begin_at_once
from tests.events.test_server import LATE
from tests.events.test_together import bought, give

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that processes can share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'shared.db'}"
    address: str = request.getfixturevalue("empty_database")
    return address


@contextmanager
def child(work: Callable[[], object]) -> Generator[None]:
    """Do *work* in a child that is forked off, while the parent does the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that pytest has
        process = os.fork()
    if not process:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 – a child may not go on with the tests of its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    yield
    _, status = os.waitpid(process, 0)
    assert status == 0, "the child failed; its traceback is above"


def sold(store: Store, first: int, count: int = 10) -> None:
    """Sell subscriptions one by one."""
    for number in range(first, first + count):
        assert submit(store, bought(f"s{number}", f"c{number}", autorenew=False)).accepted


class TestAStoreOpenedBeforeTheFork:
    def test_serves_parent_and_children_at_once(self, url: str, open_desk: OpenDesk) -> None:
        desk = open_desk(url)
        desk.clock.move(LATE)
        sold(desk.store, 0)

        with child(lambda: sold(desk.store, 10)), child(lambda: sold(desk.store, 20)):
            sold(desk.store, 30)

        assert len(desk.store.all()) == 40
        assert len(settle(desk.store, LATE).outcomes) == 40 * 3

    def test_serves_on_when_the_parent_is_done_with_it(self, url: str, open_desk: OpenDesk) -> None:
        """SQLite removes its log with the last connection to a file, as far as it knows."""
        desk = open_desk(url)
        desk.clock.move(LATE)
        sold(desk.store, 0)
        ready, go = os.pipe(), os.pipe()

        def work() -> None:
            try:
                sold(desk.store, 10)
            finally:
                os.write(ready[1], b".")
            os.read(go[0], 1)
            sold(desk.store, 20)

        with child(work):
            os.read(ready[0], 1)
            sold(desk.store, 30)
            desk.store.close()
            os.write(go[1], b".")

        assert len(desk.store.all()) == 40
        for each in (*ready, *go):
            os.close(each)

    def test_serves_the_children_of_a_child(self, url: str, open_desk: OpenDesk) -> None:
        desk = open_desk(url)
        desk.clock.move(LATE)
        sold(desk.store, 0)

        def work() -> None:
            sold(desk.store, 10)
            with child(lambda: sold(desk.store, 20)):
                sold(desk.store, 30)

        with child(work):
            pass

        assert len(desk.store.all()) == 40

    def test_serves_on_an_engine_of_the_host_too(self, url: str, open_desk: OpenDesk) -> None:
        desk = open_desk(url)
        desk.clock.move(LATE)
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        engine = begin_at_once(create_engine(address))
        store = Store(engine, clock=desk.clock)
        sold(store, 0)

        with child(lambda: sold(store, 10)):
            sold(store, 20)

        assert len(store.all()) == 30
        engine.dispose()

    def test_shares_no_session_of_a_server(self, empty_database: str, open_desk: OpenDesk) -> None:
        desk = open_desk(empty_database)
        give(desk, bought("s1"))
        mine, (told, tell) = session_of(desk.store), os.pipe()

        with child(lambda: os.write(tell, session_of(desk.store).to_bytes(8, "big"))):
            theirs = int.from_bytes(os.read(told, 8), "big")

        assert session_of(desk.store) == mine != theirs
        os.close(told)
        os.close(tell)

    def test_is_refused_where_the_database_is_in_memory(self, open_desk: OpenDesk) -> None:
        desk = open_desk()
        give(desk, bought("s1"))

        def work() -> None:
            with pytest.raises(ForkedError, match="in memory"):
                give(desk, bought("s2"))
            with pytest.raises(ForkedError, match="in memory"):
                desk.store.all()

        with child(work):
            give(desk, bought("s3"))

        assert [*desk.store.all()] == ["s1", "s3"]

    def test_is_refused_where_the_file_was_being_written(
        self, tmp_path: Path, open_desk: OpenDesk
    ) -> None:
        desk = open_desk(f"sqlite:///{tmp_path / 'store.db'}")

        def work() -> None:
            with pytest.raises(ForkedError, match="fork when none is"):
                desk.store.get("s1")
            other = open_desk(f"sqlite:///{tmp_path / 'other.db'}")
            assert give(other, bought("s1")).accepted

        with desk.store.transaction(), child(work):
            pass

        assert give(desk, bought("s1")).accepted


def session_of(store: Store) -> int:
    """Return the server's process that serves a store."""
    connection: Any = store.engine.raw_connection()
    driver: psycopg.Connection = connection.driver_connection
    found = driver.info.backend_pid
    connection.close()
    return found
