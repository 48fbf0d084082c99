"""Partitions on PostgreSQL: what is unique stays unique, nothing is lost, months come and go."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from sublife.events.intake import submit
from sublife.events.migrations import REVISIONS
from sublife.events.migrations.partition import PLAIN, Partitions
from sublife.events.store import ConflictError, LockedError, SchemaError
from sublife.events.store.upgrade import offline_sql, standing, upgrade
from sublife.lifecycle.subscription.model import ChangeSeats

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
Connection = psycopg.Connection[tuple[Any, ...]]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FORM = Partitions(subjects=3, months=True)


@pytest.fixture
def desk(partitioned_database: str, open_desk: OpenDesk) -> "Desk":
    """A desk at a store with partitions for 2024-10 and 2025-10, and the default ones."""
    return open_desk(partitioned_database)


@pytest.fixture
def connection(partitioned_database: str) -> Iterator[Connection]:
    """A connection of a DBA, who knows what to write and writes past the store."""
    with psycopg.connect(partitioned_database, autocommit=True) as opened:
        yield opened


def _rows(connection: Connection, table: str) -> list[tuple[Any, ...]]:
    query = sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(table))
    return connection.execute(query).fetchall()


def _count(connection: Connection, table: str) -> int:
    return len(_rows(connection, table))


def _copy(connection: Connection, table: str, into: str, **changes: object) -> None:
    """Insert the first row of *table* again, with other values in some columns."""
    names = [row[0] for row in connection.execute(COLUMNS, [table]).fetchall()]
    values = [sql.Literal(changes[n]) if n in changes else sql.Identifier(n) for n in names]
    connection.execute(
        sql.SQL(
            "INSERT INTO {} ({}) SELECT {} FROM {} ORDER BY recorded_at, event_id LIMIT 1"
        ).format(
            sql.Identifier(into),
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.SQL(", ").join(values),
            sql.Identifier(table),
        )
    )


INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename LIKE 'sublife%' ORDER BY indexdef"
COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum
"""


class TestMaking:
    def test_the_partitioned_tables_have_the_columns_of_the_plain_ones(
        self, connection: Connection, empty_database: str
    ) -> None:
        """Name, type, collation, whether it may be empty: all the same, in the same order."""
        upgrade(empty_database)
        query = """
            SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation,
                   a.attnotnull
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN (SELECT unnest(%s::text[]) AS name) n ON n.name = c.relname
            WHERE a.attnum > 0 ORDER BY c.relname, a.attnum
        """
        with psycopg.connect(empty_database) as plain:
            names = [
                row[0]
                for row in plain.execute(
                    "SELECT relname FROM pg_class WHERE relname LIKE 'sublife%' AND relkind = 'r'"
                )
            ]
            expected = plain.execute(query, [names]).fetchall()

        assert connection.execute(query, [names]).fetchall() == expected

    @pytest.mark.parametrize("revision", REVISIONS[:-1])
    def test_an_older_revision_comes_up_to_the_same_indexes(
        self, connection: Connection, empty_database: str, revision: str
    ) -> None:
        """Those of the whole tables, and those of each partition that was there before."""
        form = Partitions(subjects=3, months=True, first=date(2024, 10, 1))
        script = offline_sql(empty_database, form, since="base", until=revision)
        with psycopg.connect(empty_database, autocommit=True) as older:
            older.execute(script.encode())
            older.execute("SELECT sublife_make_months('2025-10-01', 1)")

            upgrade(empty_database)

            found = older.execute(INDEXES).fetchall()
        assert found == connection.execute(INDEXES).fetchall()

    def test_subjects_spread_over_their_partitions(
        self, desk: "Desk", connection: Connection
    ) -> None:
        """By the hash of tenant and id."""
        for number in range(30):
            desk.sell(f"s{number}")

        counts = [_count(connection, f"sublife_subject_{number:02}") for number in range(3)]

        assert sum(counts) == 30
        assert all(counts)

    def test_rows_lie_in_the_month_they_were_written_in(
        self, desk: "Desk", connection: Connection
    ) -> None:
        """By `recorded_at` in UTC; what has no partition of its own is not lost."""
        desk.sell("s1", autorenew=False)
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.wake(TERM_END)

        counts = {
            table: [_count(connection, f"sublife_{table}_{part}") for part in PARTS]
            for table in ("journal", "order", "activity")
        }

        assert counts == {"journal": [2, 1, 2], "order": [1, 1, 0], "activity": [0, 0, 2]}

    @pytest.mark.parametrize(
        ("at", "part"),
        [
            pytest.param("2024-09-30T23:59:59.999999Z", "default", id="before"),
            pytest.param("2024-10-01T00:00:00Z", "2024_10", id="the first instant"),
            pytest.param("2024-10-31T23:59:59.999999Z", "2024_10", id="the last instant"),
            pytest.param("2024-11-01T00:00:00Z", "default", id="after"),
        ],
    )
    def test_a_month_is_one_of_utc(
        self, desk: "Desk", connection: Connection, at: str, part: str
    ) -> None:
        """Whatever the zone of the session that made it (GEN-01, GEN-03)."""
        desk.sell("s1", datetime.fromisoformat(at))

        assert _count(connection, f"sublife_order_{part}") == 1

    def test_the_sql_for_others_makes_the_partitions_too(
        self, empty_database: str, open_desk: OpenDesk
    ) -> None:
        """A DBA who runs what `--sql` prints has a database that a store works on."""
        form = Partitions(subjects=2, months=True, first=date(2024, 10, 1), ahead=1)
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(offline_sql(empty_database, form, since="base").encode())

        open_desk(empty_database).sell("s1")

        assert upgrade(empty_database, form).form == Partitions(subjects=2, months=True)

    def test_one_kind_alone_can_be_chosen(self, empty_database: str) -> None:
        """Subjects by hash without months, and the other way round."""
        done = upgrade(empty_database, Partitions(subjects=2))

        assert done.form == Partitions(subjects=2)
        with pytest.raises(SchemaError, match="there are none to make"):
            upgrade(empty_database, months=(date(2025, 1, 1), 3))

    @pytest.mark.parametrize("form", [PLAIN, FORM], ids=["not asked for", "as asked for"])
    def test_a_second_run_does_nothing(self, partitioned_database: str, form: Partitions) -> None:
        """The same command in every deploy."""
        done = upgrade(partitioned_database, form)

        assert (done.steps, done.months, done.form) == ((), (), FORM)

    @pytest.mark.parametrize(
        "form", [Partitions(subjects=4), Partitions(subjects=3, months=True)], ids=str
    )
    def test_tables_that_are_there_are_not_cut_anew(
        self, empty_database: str, form: Partitions
    ) -> None:
        """It would copy every row; that is a move to a new database."""
        upgrade(empty_database, Partitions(subjects=3))

        with pytest.raises(SchemaError, match="chosen when the tables are made"):
            upgrade(empty_database, form)

    def test_only_postgresql_has_partitions(self) -> None:
        """SQLite says so instead of making plain tables."""
        with pytest.raises(SchemaError, match="only PostgreSQL has partitions"):
            upgrade("sqlite://", FORM)


PARTS = ("2024_10", "default", "2025_10")


class TestUniqueness:
    """What a plain table holds unique, partitions hold too, over all months."""

    @pytest.fixture(autouse=True)
    def history(self, desk: "Desk") -> None:
        """One sale: a journal row and an order in October 2024."""
        desk.sell("s1")

    @pytest.mark.parametrize(
        "into", ["sublife_journal", "sublife_journal_default"], ids=["the whole", "a partition"]
    )
    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            pytest.param({"sequence": 9, "position": 90}, "pkey", id="the event id"),
            pytest.param({"event_id": "e9", "position": 90}, "sequence", id="the sequence"),
            pytest.param({"event_id": "e9", "sequence": 9}, "position", id="the position"),
        ],
    )
    def test_the_journal_takes_nothing_twice(
        self, connection: Connection, changes: dict[str, object], key: str, into: str
    ) -> None:
        """Written in another month, and past the store, even into a partition itself."""
        before = _rows(connection, "sublife_journal")

        with pytest.raises(psycopg.errors.UniqueViolation) as caught:
            _copy(connection, "sublife_journal", into, recorded_at=MID_TERM, **changes)

        assert caught.value.diag.constraint_name == f"sublife_journal_key_{key}"
        assert _rows(connection, "sublife_journal") == before

    @pytest.mark.parametrize(
        "into", ["sublife_order", "sublife_order_default"], ids=["the whole", "a partition"]
    )
    def test_a_record_id_is_not_taken_twice(self, connection: Connection, into: str) -> None:
        """The same order in another month is the same order."""
        with pytest.raises(psycopg.errors.UniqueViolation):
            _copy(connection, "sublife_order", into, recorded_at=MID_TERM)

    def test_an_activity_id_is_not_taken_twice(self, desk: "Desk", connection: Connection) -> None:
        """As with orders."""
        desk.wake(TERM_END)
        later = TERM_END + 90 * DAY

        with pytest.raises(psycopg.errors.UniqueViolation):
            _copy(connection, "sublife_activity", "sublife_activity", recorded_at=later)

    def test_a_change_may_not_take_what_is_taken(
        self, desk: "Desk", connection: Connection
    ) -> None:
        """Nobody should change a journal row; if somebody does, keys still hold."""
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="e2")
        change = "UPDATE {} SET sequence = 1 WHERE event_id = 'e2'"

        for table in ("sublife_journal", "sublife_journal_default"):
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute(change.format(table).encode())

    def test_keys_follow_the_rows(self, desk: "Desk", connection: Connection) -> None:
        """A row that is changed or deleted gives its key back, as it does in a plain table."""
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="e2")
        connection.execute("DELETE FROM sublife_order WHERE event_id = 'e2'")
        connection.execute("UPDATE sublife_journal SET event_id = 'e3' WHERE event_id = 'e2'")
        renamed = {row[1] for row in _rows(connection, "sublife_journal_key")}
        connection.execute("DELETE FROM sublife_journal WHERE event_id = 'e3'")

        left = {row[1] for row in _rows(connection, "sublife_journal_key")}

        assert left == {row.event.id for row in desk.store.journal()}
        assert renamed == {*left, "e3"}
        assert [row[1] for row in _rows(connection, "sublife_order_key")] == ["event-1"]

    def test_a_record_needs_its_event(self, connection: Connection) -> None:
        """No record of an event that is not in the journal."""
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            _copy(connection, "sublife_order", "sublife_order", id="other", event_id="unknown")

    def test_a_journal_row_with_records_stays(self, connection: Connection) -> None:
        """It is not taken from under them."""
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("DELETE FROM sublife_journal")

    def test_an_event_comes_once_whoever_is_first(
        self, desk: "Desk", partitioned_database: str, open_desk: OpenDesk
    ) -> None:
        """Another writer with the same id, in another month, has to give way or to repeat."""
        other = open_desk(partitioned_database)
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="once")
        desk.clock.move(MID_TERM)
        other.clock.move(TERM_END - DAY)

        outcomes = [submit(desk.store, event), submit(other.store, event)]

        assert [each.repeated for each in outcomes] == [False, True]

    def test_a_key_that_another_writer_took_is_a_conflict(
        self, desk: "Desk", connection: Connection
    ) -> None:
        """The store gets the same error as from a plain table, so it tries again as ever."""
        connection.execute(
            "INSERT INTO sublife_journal_key VALUES ('default', 'taken', 's9', 1, 99)"
        )

        with pytest.raises(ConflictError, match="another writer was first"):
            desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="taken")


class TestMonths:
    """The partitions of coming months, of months that were forgotten, and of months long gone."""

    def test_coming_months_are_made_once(self, partitioned_database: str) -> None:
        """A cron job runs it every week; a month that is there is left alone."""
        first = upgrade(partitioned_database, months=(date(2025, 9, 17), 2)).months
        again = upgrade(partitioned_database, months=(date(2025, 9, 30), 2)).months

        assert first == tuple(
            f"sublife_{table}_{month}"
            for month in ("2025_09", "2025_11")
            for table in ("journal", "activity", "order")
        )
        assert again == ()

    def test_rows_of_a_forgotten_month_move_to_its_partition(
        self, desk: "Desk", connection: Connection, partitioned_database: str
    ) -> None:
        """They came before it was made, and lay in the default partition meanwhile."""
        desk.sell("s1")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.do("add_seats", "s1", MID_TERM + 60 * DAY, ChangeSeats(5))
        rows, digest = desk.rows(), desk.store.digest()

        upgrade(partitioned_database, months=(MID_TERM.date(), 0))

        assert (desk.rows(), desk.store.digest()) == (rows, digest)
        assert _count(connection, "sublife_journal_2025_03") == 1
        assert _count(connection, "sublife_order_2025_03") == 1
        assert _count(connection, "sublife_journal_default") == 1

    def test_a_month_made_later_holds_what_is_unique_too(
        self, desk: "Desk", connection: Connection, partitioned_database: str
    ) -> None:
        """Its rows have keys, and what is written straight into it gets them."""
        desk.sell("s1")
        upgrade(partitioned_database, months=(MID_TERM.date(), 0))

        with pytest.raises(psycopg.errors.UniqueViolation):
            _copy(connection, "sublife_journal", "sublife_journal_2025_03", recorded_at=MID_TERM)

    def test_a_month_long_gone_can_be_taken_away(
        self, desk: "Desk", connection: Connection
    ) -> None:
        """Records first; the ids of its events stay taken, so that none is done again."""
        event = desk.sell("s1", autorenew=False).event
        desk.wake(TERM_END)
        desk.clock.move(TERM_END + DAY)
        for table in ("order", "activity", "journal"):
            connection.execute(
                f"ALTER TABLE sublife_{table} DETACH PARTITION sublife_{table}_2024_10".encode()
            )
            connection.execute(f"DROP TABLE sublife_{table}_2024_10".encode())

        with pytest.raises(ConflictError):
            submit(desk.store, event)
        assert [row.sequence for row in desk.store.history("s1")] == [3, 4]
        assert ("default", event.id) in {
            row[:2] for row in _rows(connection, "sublife_journal_key")
        }

    def test_a_dba_can_make_months_in_sql(self, connection: Connection) -> None:
        """For a scheduler inside the database; without sublife at hand."""
        made = connection.execute("SELECT * FROM sublife_make_months('2026-12-24', 2)").fetchall()

        assert [row[0] for row in made][::3] == [
            "sublife_journal_2026_12",
            "sublife_journal_2027_01",
        ]

    def test_tables_in_use_are_not_waited_for_forever(
        self, desk: "Desk", partitioned_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who waits for a table keeps everybody behind from it; so it gives up and says so."""
        monkeypatch.setattr(
            "sublife.events.store.schema._PATIENCE", "SET LOCAL lock_timeout = '50ms'"
        )
        desk.sell("s1")
        with psycopg.connect(partitioned_database) as reader:
            reader.execute("SELECT * FROM sublife_journal")
            with pytest.raises(LockedError, match=r"in use .*; nothing was changed\. Run it again"):
                upgrade(partitioned_database, months=(MID_TERM.date(), 0))

    def test_it_is_at_the_revision_of_the_plain_tables(self, partitioned_database: str) -> None:
        """One line of revisions for both."""
        assert standing(partitioned_database).found == REVISIONS[-1]


class TestPlans:
    """A partition that cannot hold what is asked for is not read."""

    def test_a_subject_is_looked_up_in_one_partition(self, connection: Connection) -> None:
        """The hash of tenant and id says which."""
        query = "SELECT * FROM sublife_subject WHERE tenant = 'default' AND id = 's1'"

        assert len(_scanned(connection, query)) == 1

    def test_a_month_of_records_is_read_from_its_partition(self, connection: Connection) -> None:
        """For a host that asks by the month in which things were written."""
        query = """
            SELECT * FROM sublife_order WHERE tenant = 'default'
            AND recorded_at >= '2024-10-01Z' AND recorded_at < '2024-11-01Z'
        """

        assert _scanned(connection, query) == {"sublife_order_2024_10"}


def _scanned(connection: Connection, query: str) -> set[str]:
    """Return the tables that a plan reads."""
    ((plan,),) = connection.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchall()
    found: set[str] = set()
    queue: list[dict[str, Any]] = [plan[0]["Plan"]]
    while queue:
        node = queue.pop()
        found |= {node["Relation Name"]} if "Relation Name" in node else set()
        queue += node.get("Plans", [])
    return found
