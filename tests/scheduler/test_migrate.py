"""`sublife migrate`: what it prints, what it changes, and the exit status a pipeline goes by."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife.events.migrations import REVISIONS
from sublife.events.store import Store
from sublife.events.store.upgrade import standing
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock

LATEST = REVISIONS[-1]


class Said:
    """What a run of `sublife migrate` printed, and its exit status."""

    def __init__(self, *arguments: str) -> None:
        result = CliRunner().invoke(app, ["migrate", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = result.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a database will be."""
    return tmp_path / "a store.db"


@pytest.fixture
def url(path: Path) -> str:
    """Its address."""
    return f"sqlite:///{path}"


class TestMigrate:
    def test_it_says_what_it_did(self, url: str) -> None:
        """The way from revision to revision."""
        said = Said("--store", url)

        assert (said.status, said.complaints) == (0, "")
        assert said.out == f"migrated: none → {' → '.join(REVISIONS)}, with no partitions\n"

    def test_a_second_run_has_nothing_to_do(self, url: str) -> None:
        """And says so."""
        Said("--store", url)

        said = Said("--store", url)

        assert (said.status, said.out) == (0, f"nothing to do: {LATEST} is current\n")

    def test_a_store_works_on_what_it_made(self, url: str) -> None:
        """No more to do than that."""
        Said("--store", url)

        store = Store.open(url, clock=SimulatedClock(datetime(2025, 1, 1, tzinfo=UTC)))

        assert store.is_empty()
        store.close()

    @pytest.mark.parametrize("option", [(), ("--check",), ("--sql",)], ids=str)
    @pytest.mark.parametrize(
        "store",
        [
            pytest.param("postgresql://nobody@127.0.0.1:1/nowhere", id="no server"),
            pytest.param("sqlite:////no/such/folder/store.db", id="no folder"),
            pytest.param("mysql://host/base", id="another database"),
        ],
    )
    def test_a_database_that_cannot_be_opened_is_status_2(
        self, store: str, option: tuple[str, ...]
    ) -> None:
        """Apart from what is merely not current."""
        said = Said(*option, "--store", store)

        assert (said.status, said.out) == (2, "")
        assert said.complaints.startswith("not done ")

    @pytest.mark.parametrize(
        "options",
        [
            ("--check", "--sql"),
            ("--check", "--months-ahead", "3"),
            ("--sql", "--months-ahead", "3"),
            ("--since", "base"),
        ],
        ids=" ".join,
    )
    def test_options_that_do_not_go_together_are_refused(
        self, url: str, path: Path, options: tuple[str, ...]
    ) -> None:
        """Instead of leaving one of them out in silence."""
        said = Said(*options, "--store", url)

        assert said.status == 2
        assert not path.exists()


class TestCheck:
    def test_current_is_status_0(self, url: str) -> None:
        """A deploy may go on."""
        Said("--store", url)

        said = Said("--check", "--store", url)

        assert (said.status, said.complaints) == (0, "")
        assert said.out == f"found {LATEST}, wanted {LATEST}: current\n"

    def test_a_file_that_is_not_there_is_status_1_and_not_made(self, url: str, path: Path) -> None:
        """A check changes nothing."""
        said = Said("--check", "--store", url)

        assert (said.status, said.out) == (1, f"found none, wanted {LATEST}: not current\n")
        assert f"there is no database file {path}; check the path" in said.complaints
        assert f"run sublife migrate --store {url}" in said.complaints
        assert not path.exists()

    def test_another_revision_is_status_1(self, url: str, path: Path) -> None:
        """With what it is and what to do."""
        Said("--store", url)
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE sublife_schema SET version_num = '7.0.0'")
        connection.close()

        said = Said("--check", "--store", url)

        assert (said.status, said.out) == (1, f"found 7.0.0, wanted {LATEST}: not current\n")
        assert "needs sublife 7.0.0 or newer" in said.complaints

    def test_a_file_of_somebody_else_stays_as_it_is(self, url: str, path: Path) -> None:
        """To the byte."""
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE invoice (id INTEGER)")
        connection.close()
        before = path.read_bytes()

        said = Said("--check", "--store", url)

        assert said.status == 1
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_status_2(self, url: str, path: Path) -> None:
        """It cannot be opened."""
        path.write_text("not a database, only a few words about one\n" * 50)

        assert Said("--check", "--store", url).status == 2


class TestSql:
    def test_the_sql_is_printed_and_nothing_is_changed(self, url: str, path: Path) -> None:
        """For a DBA to read, then to run."""
        said = Said("--sql", "--store", url)

        assert said.status == 0
        assert not path.exists()
        with sqlite3.connect(path) as connection:
            connection.executescript(said.out)
        connection.close()
        assert standing(url).is_current

    def test_a_current_database_needs_none(self, url: str) -> None:
        """What is printed is a comment."""
        Said("--store", url)

        assert Said("--sql", "--store", url).out == "-- nothing to do: it is current\n"

    def test_the_database_need_not_be_there(self) -> None:
        """If the revision to start from is given."""
        said = Said("--sql", "--since", "base", "--store", "postgresql://nobody@127.0.0.1:1/x")

        assert said.status == 0
        assert "pg_advisory_xact_lock" in said.out
        assert said.out.rstrip().endswith("COMMIT;")

    def test_a_revision_that_there_is_not_is_refused(self, url: str) -> None:
        """With those that there are."""
        said = Said("--sql", "--since", "0.0.7", "--store", url)

        assert said.status == 2
        assert f"the ones there are: base, {REVISIONS[0]}" in said.complaints


class TestPartitions:
    def test_they_are_made_with_the_tables_and_months_after(self, empty_database: str) -> None:
        """Once; the same command again changes nothing, and --months-ahead makes what is new."""
        cut = ("--partition-subjects", "4", "--partition-months", "--store", empty_database)
        made = Said(*cut)
        again = Said(*cut)
        ahead = Said("--months-ahead", "4", "--store", empty_database)
        ahead_again = Said("--months-ahead", "4", "--store", empty_database)

        assert made.out.endswith(", with 4 partitions of subjects and partitions by month\n")
        assert again.out == ahead_again.out == f"nothing to do: {LATEST} is current\n"
        assert [line.rsplit("_", 2)[0] for line in ahead.out.splitlines()[1:]] == [
            "made partition sublife_journal",
            "made partition sublife_activity",
            "made partition sublife_order",
        ]

    def test_months_of_plain_tables_are_refused(self, empty_database: str) -> None:
        """And the tables are not made either: all or nothing."""
        said = Said("--months-ahead", "4", "--store", empty_database)

        assert said.status == 2
        assert "no partitions by month" in said.complaints
        assert standing(empty_database).is_empty
