"""PostgreSQL as hosts run it: other settings, poolers, failovers, cut connections, full pools."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from sublife.events.aio import AsyncStore
from sublife.events.intake import settle
from sublife.events.store import Store, StoreError, UnreachableError
from sublife.events.store.error import AutocommitError, PoolFullError, StandbyError
from sublife.scheduler.clock import SimulatedClock
from tests.events.test_together import DAY, TERM_END, bought, give

CLOCK = SimulatedClock(datetime(2024, 1, 1, tzinfo=UTC))
LATE = TERM_END + 40 * DAY


def driver_url(url: str) -> URL:
    """Return an address for an engine of a host."""
    return make_url(url).set(drivername="postgresql+psycopg")


def shown(store: Store, name: str) -> str:
    """Return what a setting is on a connection of the store."""
    connection = store.engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute(f"SHOW {name}")
    (value,) = cursor.fetchone() or ("",)
    connection.close()
    return str(value)


def lives(open_desk: Callable[..., Any], url: str) -> None:
    """Sell, settle and read: the history is the one of a store in memory."""
    desk, other = open_desk(url), open_desk()
    for each in (desk, other):
        for number in range(25):
            assert give(each, bought(f"s{number}", autorenew=False)).accepted
        each.clock.move(LATE)
        settle(each.store, LATE, batch=10)
    assert desk.store.all() == other.store.all()
    assert desk.store.digest() == other.store.digest()


ODD = {
    "datestyle": "SQL, DMY",
    "timezone": "America/St_Johns",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-15",
    "standard_conforming_strings": "off",
    "bytea_output": "escape",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
}


class TestSettings:
    @pytest.mark.parametrize("name", ODD)
    def test_a_setting_of_the_database_does_not_matter(
        self, empty_database: str, open_desk: Callable[..., Any], name: str
    ) -> None:
        set_for_database(empty_database, name, ODD[name])

        lives(open_desk, empty_database)

    def test_nor_all_of_them_at_once(
        self, empty_database: str, open_desk: Callable[..., Any]
    ) -> None:
        for name, value in ODD.items():
            set_for_database(empty_database, name, value)

        lives(open_desk, empty_database)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("search_path", "elsewhere"),
            ("statement_timeout", "41s"),
            ("lock_timeout", "42s"),
            ("idle_in_transaction_session_timeout", "43s"),
            ("random_page_cost", "3"),
        ],
    )
    @pytest.mark.parametrize("way", ["address", "environment"])
    def test_what_the_user_sets_is_kept(
        self,
        empty_database: str,
        monkeypatch: pytest.MonkeyPatch,
        way: str,
        name: str,
        value: str,
    ) -> None:
        with psycopg.connect(empty_database) as connection:
            connection.execute("CREATE SCHEMA elsewhere")
        address = empty_database
        if way == "address":
            address += f"&options=-c%20{name}%3D{value}"
        else:
            monkeypatch.setenv("PGOPTIONS", f"-c {name}={value}")

        store = Store.open(address, clock=CLOCK)

        assert (shown(store, name), shown(store, "jit")) == (value, "off")
        store.close()

    def test_a_service_and_its_role_are_kept(
        self, empty_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        known = conninfo_to_dict(empty_database)
        lines = "\n".join(f"{name}={value}" for name, value in known.items())
        tmp_path.joinpath("services").write_text(
            f"[shop]\n{lines}\noptions=-c statement_timeout=44s\n"
        )
        monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

        store = Store.open("postgresql:///?service=shop", clock=CLOCK)

        assert shown(store, "statement_timeout") == "44s"
        store.close()


def set_for_database(url: str, name: str, value: str) -> None:
    """Let every new session of a database begin with a setting."""
    database = make_url(url).database
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE \"{database}\" SET {name} = '{value}'".encode())


class TestConnections:
    def test_a_read_does_not_notice_that_idle_connections_were_cut(
        self, empty_database: str, open_desk: Callable[..., Any]
    ) -> None:
        store = open_desk(empty_database).store
        for _ in range(3):
            store.get("s1")
            cut_all(empty_database)

            assert store.get("s1") is None
            assert store.journal() is not None
            assert [*store.due(LATE)] == []

    def test_a_session_that_only_reads_is_dropped_after_a_failover(
        self, empty_database: str, open_desk: Callable[..., Any]
    ) -> None:
        """The session began on what is a standby now; the next one writes again."""
        desk = open_desk(empty_database)
        connection = desk.store.engine.raw_connection()
        connection.cursor().execute("SET default_transaction_read_only = on")
        connection.commit()
        connection.close()

        assert give(desk, bought("s1")).accepted

    def test_where_every_session_only_reads_the_error_says_so(
        self, empty_database: str, open_desk: Callable[..., Any]
    ) -> None:
        open_desk(empty_database)
        desk = open_desk(empty_database + "&options=-c%20default_transaction_read_only%3Don")

        with pytest.raises(StandbyError, match=r"takes no writes.*primary"):
            give(desk, bought("s1"))

        assert desk.store.is_empty()


def cut_all(url: str) -> None:
    """End every other session of a database, and wait until they are gone."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestPools:
    def test_a_full_pool_says_its_size_and_what_to_do(self, empty_database: str) -> None:
        engine = create_engine(
            driver_url(empty_database), pool_size=1, max_overflow=0, pool_timeout=0.01
        )
        store = Store(engine, clock=CLOCK)

        with engine.connect(), pytest.raises(PoolFullError, match="pool of 1 connections is full"):
            store.get("s1")

        engine.dispose()

    def test_so_does_that_of_a_session(self, empty_database: str) -> None:
        engine = create_engine(
            driver_url(empty_database), pool_size=2, max_overflow=0, pool_timeout=0.01
        )
        store = Store(engine, clock=CLOCK)

        with (
            engine.connect(),
            engine.connect(),
            Session(engine) as session,
            pytest.raises(PoolFullError, match="pool_size"),
        ):
            store.within(session).get("s1")

        engine.dispose()

    def test_so_does_that_of_asyncio(self, empty_database: str) -> None:
        async def asked() -> None:
            engine = create_async_engine(
                driver_url(empty_database), pool_size=1, max_overflow=0, pool_timeout=0.01
            )
            async with engine.connect():
                with pytest.raises(PoolFullError, match="pool of 1 connections is full"):
                    await AsyncStore(engine, clock=CLOCK).get("s1")
            await engine.dispose()

        asyncio.run(asked())


WAYS: dict[str, Callable[[Any, URL], Any]] = {
    "engine": lambda create, url: create(url, isolation_level="AUTOCOMMIT"),
    "options": lambda create, url: create(url, execution_options={"isolation_level": "AUTOCOMMIT"}),
    "driver": lambda create, url: create(url, connect_args={"autocommit": True}),
}


class TestAutocommit:
    @pytest.mark.parametrize("way", WAYS)
    def test_an_engine_that_commits_alone_is_refused(self, empty_database: str, way: str) -> None:
        engine = WAYS[way](create_engine, driver_url(empty_database))

        with pytest.raises(AutocommitError, match="AUTOCOMMIT"):
            Store(engine, clock=CLOCK).get("s1")

        engine.dispose()

    @pytest.mark.parametrize("way", WAYS)
    def test_so_is_one_of_asyncio(self, empty_database: str, way: str) -> None:
        async def asked() -> None:
            engine = WAYS[way](create_async_engine, driver_url(empty_database))
            with pytest.raises(AutocommitError, match="AUTOCOMMIT"):
                await AsyncStore(engine, clock=CLOCK).get("s1")
            await engine.dispose()

        asyncio.run(asked())

    @pytest.mark.parametrize("way", WAYS)
    def test_so_is_a_session_on_one(
        self, empty_database: str, open_desk: Callable[..., Any], way: str
    ) -> None:
        store = open_desk(empty_database).store
        engine = WAYS[way](create_engine, driver_url(empty_database))

        with Session(engine) as session, pytest.raises(AutocommitError, match="AUTOCOMMIT"):
            store.within(session).get("s1")

        engine.dispose()

    @pytest.mark.parametrize("way", ["engine", "options"])
    def test_so_are_engine_and_session_on_sqlite(
        self, tmp_path: Path, open_desk: Callable[..., Any], way: str
    ) -> None:
        url = f"sqlite:///{tmp_path / 'store.db'}"
        store = open_desk(url).store
        engine = WAYS[way](create_engine, make_url(url))

        with pytest.raises(AutocommitError, match="AUTOCOMMIT"):
            Store(engine, clock=CLOCK)
        with Session(engine) as session, pytest.raises(AutocommitError, match="AUTOCOMMIT"):
            store.within(session).get("s1")

        engine.dispose()

    @pytest.mark.parametrize("mode", [True, False])
    def test_so_is_a_sqlite_driver_that_does_not_begin_when_we_say_so(
        self, tmp_path: Path, open_desk: Callable[..., Any], mode: bool
    ) -> None:
        """As `sqlite3.connect(…, autocommit=…)` of Python 3.12 makes them (PEP 249)."""
        url = f"sqlite:///{tmp_path / 'store.db'}"
        open_desk(url)
        factory = type("Pep249", (sqlite3.Connection,), {"autocommit": mode})
        engine = create_engine(url, connect_args={"factory": factory})

        with pytest.raises(AutocommitError):
            Store(engine, clock=CLOCK).get("s1")

        engine.dispose()


class TestErrors:
    @pytest.mark.parametrize(
        ("change", "remedy"),
        [
            ({"database": "missing"}, "createdb"),
            ({"database": "Odd name"}, "createdb"),
            ({"username": "stranger"}, "createuser"),
            ({"username": "Odd role"}, "createuser"),
            ({"query": {"options": "-c no_such_setting=1"}}, "an option is refused"),
            ({"query": {"options": "-c work_mem=plenty"}}, "an option is refused"),
            ({"query": {"options": "--no-such"}}, "an option is refused"),
            ({"query": {"no_such": "1"}}, "an option is refused"),
            ({"query": {"service": "missing"}}, "an option is refused"),
            ({"query": {"host": "/nowhere"}}, "see that it runs"),
            ({"query": {"host": "127.0.0.1", "port": "1"}}, "see that it runs"),
            ({"query": {"host": "no-such-host.invalid"}}, "the host is not known"),
        ],
        ids=str,
    )
    def test_each_reason_has_its_own_remedy(
        self, postgresql: str, change: dict[str, Any], remedy: str
    ) -> None:
        url = make_url(postgresql).set(password="hunter2")  # noqa: S106 – not one of ours
        query = {**url.query, **change.pop("query", {})} if "query" in change else url.query
        url = url.set(query=query, **change)

        with pytest.raises(UnreachableError, match=remedy) as found:
            Store.open(url.render_as_string(hide_password=False), clock=CLOCK)

        assert "hunter2" not in str(found.value)

    def test_a_server_without_a_free_connection_says_so(self, empty_database: str) -> None:
        database = make_url(empty_database).database
        Store.open(empty_database, clock=CLOCK).close()
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
            connection.execute(f'GRANT ALL ON DATABASE "{database}" TO crowded'.encode())
        try:
            url = make_url(empty_database).set(username="crowded")
            with pytest.raises(UnreachableError, match="no free connection"):
                Store.open(url.render_as_string(hide_password=False), clock=CLOCK)
        finally:
            with psycopg.connect(empty_database, autocommit=True) as connection:
                connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM crowded'.encode())
                connection.execute("DROP ROLE crowded")

    @pytest.mark.parametrize("said", ["many", "-1", "1.5"])
    def test_a_threshold_that_is_none_is_refused(self, said: str) -> None:
        with pytest.raises(StoreError, match="prepare_threshold"):
            Store.open(f"postgresql://host/database?prepare_threshold={said}", clock=CLOCK)
