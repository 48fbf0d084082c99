"""Which index answers which read, asked of every database: none reads what it was not asked for."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from sublife.events.layout import ACTIVITY, JOURNAL, ORDER, SUBJECT
from sublife.events.store import Store
from sublife.events.store.audit import Audit
from sublife.events.store.delivery.statement import ENTRIES, HANDED_OVER, OPEN_SUBJECTS
from sublife.events.store.history import (
    BEHIND,
    CLAIM_BESIDE,
    DUE_OF_CUSTOMER,
    EARLIER,
    KNOWN_FIRST,
    OF_CUSTOMER,
    SEVERAL,
)
from sublife.events.store.link import Link
from sublife.events.store.statement import Statement, stored
from sublife.events.tables import metadata
from sublife.scheduler.clock import SimulatedClock
from tests.cluster import Databases

Searched = dict[str, set[str]]
Search = Callable[[Callable[[Store], object]], Searched]
Look = Callable[[Audit], object]
Statements = list[tuple[str, Any]]
COLUMNS = {column.name for table in metadata.tables.values() for column in table.columns}
MONTHS = [datetime(2024, 10, 2, tzinfo=UTC), datetime(2025, 10, 2, tzinfo=UTC)]
MONTHS.append(datetime(2026, 3, 2, tzinfo=UTC))
"""Each in a partition of its own, where there are any; the last one in the default one."""
SPAN: dict[str, Any] = {"since": MONTHS[1], "until": MONTHS[1] + timedelta(days=1)}
IDS = ["e7", "e8"]
EACH = 1500
"""Rows of a month: enough that an index pays."""


@pytest.fixture(scope="module", params=["sqlite-file", "postgresql", "postgresql-partitioned"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store whose tenant has three busy months; the database knows as much of it as it would."""
    with _address(request, tmp_path_factory.mktemp("plans")) as url:
        opened = Store.open(url, clock=SimulatedClock(MONTHS[-1]))
        with opened.engine.begin() as connection:
            for number, month in enumerate(MONTHS):
                _fill(connection, month, range(number * EACH, (number + 1) * EACH))
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql("ANALYZE")
        yield opened
        opened.close()


def _address(request: pytest.FixtureRequest, folder: Path) -> AbstractContextManager[str]:
    if request.param == "sqlite-file":
        return nullcontext(f"sqlite:///{folder / 'store.db'}")
    cut = request.param == "postgresql-partitioned"
    databases: Databases = request.getfixturevalue("partitioned_databases" if cut else "databases")
    return databases.one()


def _fill(connection: Connection, month: datetime, numbers: range) -> None:
    """Write journal rows of a month, each with a subject, an activity and an order record."""
    for table in (SUBJECT, JOURNAL, ACTIVITY, ORDER):
        rows = [_row(table, month, number) for number in numbers]
        connection.execute(insert(table), rows)


def _row(table: Any, month: datetime, number: int) -> dict[str, Any]:
    at = month + timedelta(minutes=number % EACH * 20)
    said: dict[str, Any] = {
        "tenant": "default",
        "id": f"e{number}",
        "event_id": f"e{number}",
        "subject": f"s{number % 500}",
        "subscription": f"s{number % 500}",
        "customer": f"c{number % 100}",
        "partner": f"p{number % 3}",
        "kind": "renewal" if number % 10 else "migration",
        "sequence": number,
        "effective_at": at,
        "recorded_at": at,
        "changed_at": at,
        "due_at": at,
        "fact": "subscription-renewed" if number % 50 else "transfer-completed",
    }
    counts = {"stamp", "version", "number", "quantity"}
    left_out = {"position", "amount"}
    return {
        name: said.get(name, 1 if name in counts else "{}")
        for name in table.columns.keys()  # noqa: SIM118 – no mapping
        if name not in left_out
    }


@pytest.fixture
def searched(store: Store, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Tells by which columns the tables are searched for an answer; by none is a whole scan."""
    asked: Statements = []
    rows, batches = Link.rows, Link.batches

    def rows_(self: Link, text: str, values: Any) -> list[Any]:
        asked.append((text, values))
        return rows(self, text, values)

    def batches_(self: Link, text: str, values: Any, size: int) -> Iterator[list[Any]]:
        asked.append((text, values))
        return batches(self, text, values, size)

    def searched_(ask: Callable[[Store], object]) -> Searched:
        with monkeypatch.context() as patch:
            patch.setattr(Link, "rows", rows_)
            patch.setattr(Link, "batches", batches_)
            ask(store)
        read = [each for each in asked if "FROM sublife_" in each[0]]
        assert read, "nothing was asked"
        return _searched(store, read[-1:])

    return searched_


def _searched(store: Store, read: Statements) -> Searched:
    found: Searched = {}
    with store.engine.connect() as connection, connection.begin():
        link = Link(connection.connection, connection.dialect)
        access = _accesses_of_sqlite if link.is_sqlite else _accesses_of_postgresql
        for text, values in read:
            for table, condition in access(link, text, values):
                columns = COLUMNS & set(re.findall(r"\w+", condition))
                found[table] = found.get(table, columns) & columns
    return found


def _accesses_of_sqlite(link: Link, text: str, values: Any) -> Iterator[tuple[str, str]]:
    for row in link.rows(f"EXPLAIN QUERY PLAN {text}", values):
        said = re.match(r"(?:SCAN|SEARCH) (sublife_\w+)(.*)", row[3])
        if said:
            table, how = said.groups()
            yield table, how.partition("(")[2]


def _accesses_of_postgresql(link: Link, text: str, values: Any) -> Iterator[tuple[str, str]]:
    """Yield what is read of each partition too, under the name of the whole table."""
    link.run("SET LOCAL enable_seqscan = off")
    ((plan,),) = link.rows(f"EXPLAIN (FORMAT JSON) {text}", values)
    for node in _nodes(plan[0]["Plan"]):
        if node["Node Type"] == "Bitmap Heap Scan" or not node.keys() & {
            "Index Name",
            "Relation Name",
        }:
            continue
        name = node.get("Index Name", node.get("Relation Name"))
        ((table,),) = link.rows(WHOLE, {"name": name})
        yield table, node.get("Index Cond", "")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    below: Iterable[dict[str, Any]] = plan.get("Plans", ())
    for each in below:
        yield from _nodes(each)


WHOLE = """
SELECT coalesce(pg_partition_root(o.oid), o.oid)::regclass::text FROM (
    SELECT coalesce(i.indrelid, c.oid) AS oid FROM pg_class c
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE c.relname = %(name)s AND pg_table_is_visible(c.oid)
) AS o
"""

OF_RECORDS = {
    "of a customer": ({"customer": "c7"}, {"customer"}),
    "of a customer in a period": ({"customer": "c7", **SPAN}, {"customer", "effective_at"}),
    "of a subscription": ({"subscription": "s7"}, {"subscription"}),
    "of a period": (SPAN, {"effective_at"}),
    "of a partner in a period": ({"partner": "p1", **SPAN}, {"effective_at"}),
}
OF_ACTIVITIES = {
    **OF_RECORDS,
    "of a kind in a period": ({"kind": "migration", **SPAN}, {"effective_at"}),
}


class TestRecords:
    """The activity log and the order history, a page at a time or all of it (EVT-07)."""

    @pytest.mark.parametrize(("asked", "by"), OF_ACTIVITIES.values(), ids=OF_ACTIVITIES.keys())
    def test_activity_records_are_found_by_an_index(
        self, searched: Search, asked: dict[str, Any], by: set[str]
    ) -> None:
        found = searched(lambda store: store.records(**asked))

        assert found["sublife_activity"] >= {"tenant", *by}

    @pytest.mark.parametrize(("asked", "by"), OF_RECORDS.values(), ids=OF_RECORDS.keys())
    def test_order_records_are_found_by_an_index(
        self, searched: Search, asked: dict[str, Any], by: set[str]
    ) -> None:
        found = searched(lambda store: store.orders(**asked))

        assert found["sublife_order"] >= {"tenant", *by}

    @pytest.mark.parametrize("asked", [{}, {"customer": "c7"}], ids=["all", "of a customer"])
    def test_the_next_page_begins_where_the_last_one_ended(
        self, searched: Search, store: Store, asked: dict[str, Any]
    ) -> None:
        """The cursor's instant is looked for; what lies before it is not read again."""
        cursor = store.records(**asked, limit=30).next

        found = searched(lambda store: store.records(**asked, after=cursor, limit=30))

        assert found["sublife_activity"] >= {"tenant", "effective_at", *asked}

    def test_an_export_reads_its_period(self, searched: Search) -> None:
        """`sublife log` takes a month, if nothing else is said."""

        def export(store: Store) -> None:
            with closing(store.stream_records(**SPAN)) as rows:
                assert len(list(rows)) == 72

        assert searched(export)["sublife_activity"] >= {"tenant", "effective_at"}


AUDITS: dict[str, tuple[Look, str, set[str]]] = {
    "activities": (lambda audit: audit.activities("default", IDS), "activity", {"event_id"}),
    "orders": (lambda audit: audit.orders("default", IDS), "order", {"event_id"}),
    "a record": (lambda audit: audit.fact_of("default", "e7"), "activity", {"id"}),
    "an event": (lambda audit: audit.line_of("default", "e7"), "journal", {"event_id"}),
    "a subject": (lambda audit: list(audit.lines_of("default", "s7")), "journal", {"subject"}),
    "owners": (lambda audit: audit.owners("default", IDS), "journal", {"event_id"}),
}


class TestEvents:
    """What belongs to an event, and who looks for it."""

    @pytest.mark.parametrize(("ask", "table", "by"), AUDITS.values(), ids=AUDITS.keys())
    def test_an_audit_looks_for_what_it_names(
        self,
        searched: Search,
        ask: Look,
        table: str,
        by: set[str],
    ) -> None:
        """`verify --rebuild`, `fork` and `why` go through a whole history, a batch at a time."""

        def audit(store: Store) -> None:
            with store.audit() as opened:
                ask(opened)

        assert searched(audit)[f"sublife_{table}"] >= {"tenant", *by}

    @pytest.mark.parametrize("table", ["sublife_activity", "sublife_order"])
    def test_the_foreign_key_to_the_journal_has_an_index(self, store: Store, table: str) -> None:
        """When a journal row goes, the database asks this of each of the tables that refer to it.

        With the tenant alone, PostgreSQL reads all that the transaction has just deleted, for each
        row again: taking away a simulated tenant would take the square of its size.
        """
        mark = ("?", "?") if store.engine.dialect.name == "sqlite" else ("%(t)s", "%(e)s")
        text = f"SELECT 1 FROM {table} WHERE tenant = {mark[0]} AND event_id = {mark[1]}"  # noqa: S608 – of the test
        values: Any = {"t": "default", "e": "e7"}
        if store.engine.dialect.name == "sqlite":
            values = list(values.values())

        found = _searched(store, [(text, values)])

        assert found == {table: {"tenant", "event_id"}}

    @pytest.mark.parametrize(
        ("statement", "by"),
        [
            (HANDED_OVER, {"activity": {"subscription"}, "journal": {"event_id"}}),
            (ENTRIES, {"journal": {"event_id"}}),
            (OPEN_SUBJECTS, {"delivery": {"consumer", "subject"}}),
            (SEVERAL, {"subject": {"id"}}),
        ],
        ids=["who handed over", "entries", "open subjects", "subjects read together"],
    )
    def test_a_list_of_names_is_looked_for_by_name(
        self, searched: Search, statement: Statement, by: Searched
    ) -> None:
        """They are asked for every batch, of a tenant that may have millions."""
        given = {"t": "default", "c": "hook", "ids": '["s7", "e8"]'}

        def ask(store: Store) -> None:
            with store.engine.connect() as connection, connection.begin():
                statement.raw(Link(connection.connection, connection.dialect), given)

        found = searched(ask)

        assert {table.removeprefix("sublife_") for table in found} == by.keys()
        for table, columns in by.items():
            assert found[f"sublife_{table}"] >= {"tenant", *columns}

    @pytest.mark.parametrize(
        ("statement", "by"),
        [
            (BEHIND, {"subject": {"due_at"}}),
            (KNOWN_FIRST, {"journal": {"event_id"}, "subject": {"due_at"}}),
            (DUE_OF_CUSTOMER, {"subject": {"customer"}}),
            (OF_CUSTOMER, {"subject": {"customer"}}),
        ],
        ids=[
            "whether something is due",
            "with an event's id",
            "what is due to a customer",
            "all that a customer has",
        ],
    )
    def test_what_a_request_must_wait_for_is_found_by_an_index(
        self, searched: Search, store: Store, statement: Statement, by: Searched
    ) -> None:
        """GEN-08: asked before each request; a night's backlog is not read for one customer."""
        dialect = store.engine.dialect
        until = stored(MONTHS[-1] + timedelta(days=300), dialect)
        given = {"t": "default", "c": "c7", "e": "e7", "until": until}

        def ask(store: Store) -> None:
            with store.engine.connect() as connection, connection.begin():
                statement.raw(Link(connection.connection, connection.dialect), given)

        found = {table.removesuffix("_first"): by for table, by in searched(ask).items()}

        assert {table.removeprefix("sublife_") for table in found} == by.keys()
        for table, columns in by.items():
            assert found[f"sublife_{table}"] >= {"tenant", *columns}

    @pytest.mark.parametrize("statement", [CLAIM_BESIDE, EARLIER], ids=["claim", "earlier"])
    def test_what_a_worker_claims_beside_others_is_found_by_an_index(
        self, store: Store, searched: Search, statement: Statement
    ) -> None:
        """On PostgreSQL: in the order in which it is due, and no further than a batch goes."""
        if store.engine.dialect.name == "sqlite":
            assert store.writers == 1
            return
        key = {"t": "default", "until": MONTHS[1], "n": 10, "mine": '["e7"]'}

        def ask(asked: Store) -> None:
            with asked.engine.connect() as connection, connection.begin():
                statement.raw(Link(connection.connection, connection.dialect), key)

        assert searched(ask)["sublife_subject"] >= {"tenant", "due_at"}

    def test_the_history_of_a_subject_is_found_by_an_index(self, searched: Search) -> None:
        """EVT-05: one subject's journal does not read the others'."""
        found = searched(lambda store: store.history("nobody"))

        assert found["sublife_journal"] >= {"tenant", "subject"}
