"""The tables over time: made, brought up to date, refused where they are not ours to use."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.postgresql import JSONB

from sublife.events import migrations
from sublife.events.migrations import REVISIONS, SCRIPTS, VERSION_TABLE
from sublife.events.store import LockedError, SchemaError, StoreError, UnreachableError
from sublife.events.store.database import open_engine
from sublife.events.store.upgrade import offline_sql, standing, upgrade
from sublife.events.tables import metadata
from sublife.lifecycle.subscription.model import ChangeSeats

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
Contents = dict[str, list[dict[str, Any]]]
ROOT = Path(__file__).parents[2]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
FUTURE = "999.0.0"

LATER = f'''
import sqlalchemy as sa
from alembic import op

revision = "{FUTURE}"
down_revision = "{REVISIONS[-1]}"


def upgrade() -> None:
    op.add_column("sublife_subject", sa.Column("note", sa.String(), nullable=True))
'''
ORPHANED = f"{LATER}    op.execute(\"INSERT INTO sublife_claim VALUES ('t', 'n', 's')\")\n"  # noqa: S608 – of the test
BROKEN = LATER + '    op.execute("DROP TABLE nowhere")\n'


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("empty_database"))
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, one of each kind."""
    if kind == "postgresql":
        return str(request.getfixturevalue("empty_database"))
    return "sqlite://" if kind == "sqlite-memory" else f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def ask(shared_url: str) -> Iterator[Callable[[str], list[Any]]]:
    """Runs a statement on the database, past the store."""
    engine = open_engine(shared_url)

    def ask_(statement: str) -> list[Any]:
        with engine.begin() as connection:
            result = connection.exec_driver_sql(statement)
            return list(result) if result.returns_rows else []

    yield ask_
    engine.dispose()


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pretends that a later release with one more revision is installed."""

    def release_(script: str) -> None:
        scripts = tmp_path / "100% later" / "migrations"
        shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (scripts / "versions" / "v999_0_0.py").write_text(script, encoding="utf-8")
        monkeypatch.setattr(migrations, "SCRIPTS", scripts)
        monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, FUTURE))

    return release_


def _differences(url: str) -> list[Any]:
    """Return what Alembic finds between a database and the tables that the code works on."""
    engine = open_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        found: list[Any] = compare_metadata(context, metadata)
    engine.dispose()
    return found


COLUMNS = """
SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), l.collname,
       a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_collation l ON l.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relname LIKE 'sublife%' AND c.relkind IN ('r', 'p') AND a.attnum > 0 ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid::regclass::text LIKE 'sublife%' ORDER BY 1, 2
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'sublife%' ORDER BY 1"


def _schema(url: str) -> list[Any]:
    """Return all that the database itself knows of our tables."""
    engine = open_engine(url)
    with engine.connect() as connection:

        def rows(statement: str) -> list[Any]:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

        if engine.dialect.name == "postgresql":
            found = [rows(each.replace("%", "%%")) for each in (COLUMNS, CONSTRAINTS, INDEXES)]
        else:
            found = [_table_of_sqlite(rows, name) for (name,) in rows(TABLES_OF_SQLITE)]
            found.append(rows("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
            found[-1].sort(key=lambda row: row[0])
    engine.dispose()
    return found


TABLES_OF_SQLITE = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def _table_of_sqlite(rows: Callable[[str], list[Any]], name: str) -> list[Any]:
    keys = rows(f"PRAGMA index_list({name})")
    return [
        name,
        rows(f"PRAGMA table_xinfo({name})"),
        sorted(row[2:] for row in rows(f"PRAGMA foreign_key_list({name})")),
        sorted((row[1:], tuple(rows(f"PRAGMA index_xinfo({row[1]})"))) for row in keys),
    ]


class TestOneSchema:
    """However the tables are made, they are the ones that the code works on."""

    def test_the_migrated_tables_are_those_of_the_code(self, shared_url: str) -> None:
        """Alembic finds nothing to add, drop or change."""
        upgrade(shared_url)

        assert _differences(shared_url) == []

    def test_the_tables_that_a_store_makes_are_those_of_the_migrations(
        self, shared_url: str, open_desk: OpenDesk, twin: str
    ) -> None:
        """Columns, types, collations, keys and indexes, to the letter; and the revision."""
        open_desk(shared_url)
        upgrade(twin)

        assert _schema(shared_url) == _schema(twin)
        assert standing(shared_url).found == standing(twin).found == REVISIONS[-1]

    def test_the_sql_for_others_makes_the_same_tables(self, shared_url: str, twin: str) -> None:
        """A DBA who runs what `--sql` prints has what `migrate` makes."""
        _run_script(shared_url, offline_sql(shared_url))
        upgrade(twin)

        assert _schema(shared_url) == _schema(twin)
        assert standing(shared_url).is_current

    def test_names_sort_by_bytes_and_instants_have_a_zone(self, empty_database: str) -> None:
        """On PostgreSQL: collation "C", timestamptz, JSONB, and the index on what is due."""
        upgrade(empty_database)

        columns, _, indexes = _schema(empty_database)

        types = {(table, name): (kind, order) for table, _, name, kind, order, *_ in columns}
        assert types["sublife_subject", "id"] == ("character varying", "C")
        assert types["sublife_subject", "due_at"] == ("timestamp with time zone", None)
        assert types["sublife_subject", "snapshot"] == ("jsonb", None)
        assert dict(indexes)["sublife_subject_due"].endswith(
            "(tenant, due_at, id) WHERE (due_at IS NOT NULL)"
        )

    def test_the_revisions_are_one_line_up_to_the_latest(self) -> None:
        """What the code lists is what Alembic finds, each called after a release."""
        scripts = ScriptDirectory.from_config(
            Config(config_args={"script_location": str(SCRIPTS).replace("%", "%%")})
        )

        found = tuple(reversed([each.revision for each in scripts.walk_revisions()]))

        assert found == REVISIONS
        assert all(re.fullmatch(r"\d+(\.\d+)+", each) for each in REVISIONS)

    def test_the_document_names_every_table_column_and_index(self) -> None:
        """What is in docs/storage.md is what there is."""
        document = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
        named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", document))))

        there = {VERSION_TABLE, "version_num"}
        for table in metadata.tables.values():
            there |= {table.name, *table.columns.keys()}
            there |= {str(index.name) for index in table.indexes}

        assert there - named == set()

    def test_the_wheel_has_the_revisions(self, tmp_path: Path) -> None:
        """They are in the installed package, not only in the source tree."""
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

        with ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
            packed = {name for name in wheel.namelist() if "/migrations/" in name}

        there = {
            f"sublife/events/migrations/{path.relative_to(SCRIPTS).as_posix()}"
            for path in SCRIPTS.rglob("*")
            if path.suffix in {".py", ".mako"}
        }
        assert packed == there

    @pytest.fixture
    def twin(self, request: pytest.FixtureRequest, shared_url: str, tmp_path: Path) -> str:
        """A second empty database of the same kind."""
        if shared_url.startswith("sqlite"):
            return f"sqlite:///{tmp_path / 'twin.db'}"
        return str(request.getfixturevalue("other_database"))

    @pytest.fixture
    def other_database(self, postgresql: str) -> Iterator[str]:
        """A second empty database."""
        engine = open_engine(postgresql).execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE twin TEMPLATE template0")
            yield postgresql.replace("/postgres?", "/twin?")
            connection.exec_driver_sql("DROP DATABASE twin WITH (FORCE)")
        engine.dispose()


def _run_script(url: str, script: str) -> None:
    """Run SQL as a client of the database does, statement by statement."""
    engine = open_engine(url)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if engine.dialect.name == "sqlite":
            driver.executescript(script)
        else:
            driver.autocommit = True
            driver.execute(script)
    engine.dispose()


class TestOpening:
    """A store opens what is empty or current, and says what to do about all else."""

    def test_an_empty_database_gets_its_tables(self, url: str, open_desk: OpenDesk) -> None:
        """Nothing to run before the first event."""
        desk = open_desk(url)

        desk.sell("s1")

        assert desk.subscription("s1").quantity == 30

    def test_an_older_revision_is_refused_with_what_to_run(
        self,
        shared_url: str,
        open_desk: OpenDesk,
        release: Callable[[str], None],
        ask: Callable[[str], list[Any]],
    ) -> None:
        """A daemon never changes tables that hold something."""
        open_desk(shared_url).sell("s1")
        release(LATER)

        with pytest.raises(SchemaError, match=f"works on {FUTURE}; .* run sublife migrate --store"):
            open_desk(shared_url)

        assert ask("SELECT version_num FROM sublife_schema") == [(REVISIONS[-1],)]

    @pytest.mark.parametrize(
        ("revision", "remedy"),
        [
            pytest.param("7.4.0", "needs sublife 7.4.0 or newer", id="of a later release"),
            pytest.param("a1b2c3", "no release has such a schema", id="of no release"),
        ],
    )
    def test_a_revision_we_do_not_know_is_refused(
        self,
        shared_url: str,
        open_desk: OpenDesk,
        ask: Callable[[str], list[Any]],
        revision: str,
        remedy: str,
    ) -> None:
        """A database that a newer sublife has migrated names the one it needs."""
        open_desk(shared_url)
        ask(f"UPDATE sublife_schema SET version_num = '{revision}'")  # noqa: S608 – of the test

        with pytest.raises(SchemaError, match=remedy):
            open_desk(shared_url)
        with pytest.raises(SchemaError, match=remedy):
            upgrade(shared_url)

    def test_tables_without_a_revision_are_refused(
        self, shared_url: str, open_desk: OpenDesk, ask: Callable[[str], list[Any]]
    ) -> None:
        """Nobody knows what they are, so nobody works on them."""
        open_desk(shared_url)
        ask(f"DROP TABLE {VERSION_TABLE}")

        for attempt in (open_desk, upgrade):
            with pytest.raises(SchemaError, match="no revision in sublife_schema"):
                attempt(shared_url)

        assert not standing(shared_url).is_current

    def test_a_table_of_ours_that_came_first_is_refused(
        self, shared_url: str, open_desk: OpenDesk, ask: Callable[[str], list[Any]]
    ) -> None:
        """Half a schema is none; the other half is not made beside it."""
        ask("CREATE TABLE sublife_claim (id INTEGER)")

        with pytest.raises(SchemaError, match="has sublife_claim, but no revision"):
            open_desk(shared_url)

        assert standing(shared_url).tables == ("sublife_claim",)

    def test_tables_of_the_host_are_none_of_ours(
        self, shared_url: str, open_desk: OpenDesk, ask: Callable[[str], list[Any]]
    ) -> None:
        """Its own tables and its own Alembic stay as they are."""
        ask("CREATE TABLE invoice (id INTEGER)")
        ask("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        ask("INSERT INTO alembic_version VALUES ('host')")

        open_desk(shared_url).sell("s1")
        upgrade(shared_url)

        assert ask("SELECT version_num FROM alembic_version") == [("host",)]
        assert ask("SELECT count(*) FROM invoice") == [(0,)]

    def test_a_role_without_the_right_to_make_tables_is_told(self, empty_database: str) -> None:
        """Where a DBA makes the tables, the daemon needs no such right."""
        engine = open_engine(empty_database)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE ROLE clerk LOGIN")
        try:
            with pytest.raises(SchemaError, match=r"role may not change tables .* migrate --sql"):
                upgrade(re.sub(r"//[^@/]*@", "//clerk@", empty_database))
        finally:
            with engine.begin() as connection:
                connection.exec_driver_sql("DROP ROLE clerk")
            engine.dispose()

    @pytest.mark.parametrize("kind", ["empty_database", "partitioned_database"])
    def test_a_daemon_needs_no_right_to_change_tables(
        self, request: pytest.FixtureRequest, open_desk: OpenDesk, kind: str
    ) -> None:
        """The rights that docs/storage.md gives it are enough."""
        url = str(request.getfixturevalue(kind))
        upgrade(url)
        (script,) = [each for each in _examples("sql") if "GRANT" in each]
        _run_script(url, f"CREATE ROLE billing_daemon LOGIN; {script}")
        try:
            desk = open_desk(re.sub(r"//[^@/]*@", "//billing_daemon@", url))
            desk.sell("s1", autorenew=False)
            desk.wake(SOLD_AT + timedelta(days=400))

            assert desk.subscription("s1").state == "disabled"
            desk.store.close()
        finally:
            _run_script(url, "DROP OWNED BY billing_daemon; DROP ROLE billing_daemon")

    def test_a_database_that_does_not_answer_is_told(self) -> None:
        """As with every other error of the store: what, and what to do."""
        with pytest.raises(UnreachableError, match="see that it runs"):
            upgrade("postgresql://nobody@127.0.0.1:1/nowhere")

    def test_many_stores_that_open_an_empty_database_at_once_make_it_once(
        self, shared_url: str
    ) -> None:
        """Processes that start together do not trip over each other."""
        code = (
            "import sys; from sublife.events.store import Store; "
            "from sublife.scheduler.clock import SystemClock; "
            "Store.open(sys.argv[1], clock=SystemClock()).close()"
        )

        ended = _at_once(*[[sys.executable, "-c", code, shared_url]] * 3)

        assert [status for status, _, _ in ended] == [0, 0, 0], ended
        assert standing(shared_url).is_current


def _at_once(*commands: list[str]) -> list[tuple[int, str, str]]:
    """Run processes at the same time; return their exit statuses, and what they printed."""
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for command in commands
    ]
    return [(each.wait(), said, told) for each in running for said, told in [each.communicate()]]


class TestUpgrade:
    """From every revision there is, with rows in every table."""

    @pytest.mark.parametrize("revision", REVISIONS)
    def test_every_revision_comes_up_with_its_rows(self, shared_url: str, revision: str) -> None:
        """Nothing that was written is lost or changed on the way."""
        _upgrade_to(shared_url, revision)
        before = _filled(shared_url)

        done = upgrade(shared_url)

        after = _contents(shared_url)
        assert (done.found, done.steps) == (
            revision,
            REVISIONS[REVISIONS.index(revision) + 1 :],
        )
        assert _differences(shared_url) == []
        assert _kept(before, after) == before

    def test_the_first_revision_comes_up_on_nothing(self, shared_url: str) -> None:
        """Every step, from an empty database."""
        done = upgrade(shared_url)

        assert (done.found, done.steps) == (None, REVISIONS)

    def test_a_second_run_does_nothing(self, shared_url: str, open_desk: OpenDesk) -> None:
        """A deploy pipeline runs it every time."""
        upgrade(shared_url)
        desk = open_desk(shared_url)
        desk.sell("s1")
        rows = desk.rows()

        done = upgrade(shared_url)

        assert (done.found, done.steps, desk.rows()) == (REVISIONS[-1], (), rows)

    def test_a_later_revision_comes_up_and_the_history_goes_on(
        self, shared_url: str, open_desk: OpenDesk, release: Callable[[str], None]
    ) -> None:
        """What was sold before is changed after."""
        desk = open_desk(shared_url)
        desk.sell("s1")
        desk.store.close()
        release(LATER)

        done = upgrade(shared_url)

        again = open_desk(shared_url)
        again.do("add_seats", "s1", SOLD_AT + timedelta(days=2), ChangeSeats(5), event_id="more")
        assert done.steps == (FUTURE,)
        assert again.subscription("s1").quantity == 35

    def test_a_revision_that_fails_leaves_everything_as_it_was(
        self, shared_url: str, open_desk: OpenDesk, release: Callable[[str], None]
    ) -> None:
        """All in one transaction, on both databases."""
        desk = open_desk(shared_url)
        desk.sell("s1")
        before, rows = _schema(shared_url), desk.rows()
        release(BROKEN)

        with pytest.raises(
            StoreError, match=r"cannot be changed: .*nowhere.*; nothing was changed"
        ):
            upgrade(shared_url)

        assert (_schema(shared_url), desk.rows()) == (before, rows)
        assert standing(shared_url).found == REVISIONS[-1]

    def test_rows_that_point_nowhere_stop_an_upgrade_of_a_file(
        self, tmp_path: Path, open_desk: OpenDesk, release: Callable[[str], None]
    ) -> None:
        """SQLite checks no references while tables are changed, so they are checked at the end."""
        url = f"sqlite:///{tmp_path / 'store.db'}"
        open_desk(url)
        release(ORPHANED)

        with pytest.raises(SchemaError, match="1 rows refer to rows that are not there"):
            upgrade(url)

        assert standing(url).found == REVISIONS[-1]

    def test_a_file_that_another_process_holds_is_not_waited_for_forever(
        self, tmp_path: Path, open_desk: OpenDesk
    ) -> None:
        """It says so, and nothing is changed."""
        path = tmp_path / "store.db"
        with sqlite3.connect(path, isolation_level=None) as other:
            other.execute("PRAGMA journal_mode=WAL")
            other.execute("BEGIN IMMEDIATE")
            for attempt in (open_desk, upgrade):
                with pytest.raises(LockedError, match=r"in use .*Run it again"):
                    attempt(f"sqlite:///{path}?timeout=0.1")
        other.close()

        assert standing(f"sqlite:///{path}").is_empty

    def test_two_processes_at_once_migrate_once(self, shared_url: str) -> None:
        """The second waits for the first and finds nothing left to do."""
        command = [sys.executable, "-m", "sublife.scheduler", "migrate", "--store", shared_url]

        ended = _at_once(command, command)

        assert [status for status, _, _ in ended] == [0, 0], ended
        said = sorted(out for _, out, _ in ended)
        assert said == [
            f"migrated: none → {' → '.join(REVISIONS)}, with no partitions\n",
            f"nothing to do: {REVISIONS[-1]} is current\n",
        ]

    def test_a_hosts_alembic_can_leave_our_tables_alone(
        self, shared_url: str, ask: Callable[[str], list[Any]]
    ) -> None:
        """With the filter that docs/storage.md gives."""
        upgrade(shared_url)
        host = sa.MetaData()
        sa.Table("invoice", host, sa.Column("id", sa.Integer(), primary_key=True))

        (example,) = _examples("python")
        given: dict[str, Any] = {}
        exec(example.split("context.")[0], given)  # noqa: S102 – the document's own example

        engine = open_engine(shared_url)
        with engine.connect() as connection:
            options = {"include_name": given["include_name"]}
            found = compare_metadata(MigrationContext.configure(connection, opts=options), host)
        engine.dispose()

        assert [(what, table.name) for what, table in found] == [("add_table", "invoice")]


def _examples(language: str) -> list[str]:
    """Return the examples of docs/storage.md in one language."""
    document = (ROOT / "docs" / "storage.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)


def _upgrade_to(url: str, revision: str) -> None:
    """Bring an empty database up to a revision, as the release of that time did."""
    _run_script(url, offline_sql(url, since="base", until=revision))


def _filled(url: str) -> Contents:
    """Put three rows into every table that there is, whatever its columns; return them all.

    A text is the same in every column of a row, so that every foreign key finds its row.
    """
    engine = open_engine(url)
    there = _reflected(engine)
    with engine.begin() as connection:
        for table in there.sorted_tables:
            for number in (1, 2, 3):
                values = {each.name: _value(each.type, number) for each in table.columns}
                connection.execute(table.insert().values(values))
    engine.dispose()
    return _contents(url)


def _reflected(engine: sa.Engine) -> sa.MetaData:
    there = sa.MetaData()
    there.reflect(engine, only=lambda name, _: name != VERSION_TABLE)
    return there


def _value(kind: sa.types.TypeEngine[Any], number: int) -> Any:
    match kind:
        case JSONB():
            return {"number": number}
        case sa.Boolean():
            return True
        case sa.Integer():
            return number
        case sa.Numeric():
            return Decimal(f"{number}.25")
        case sa.DateTime(timezone=zone):
            return datetime(2024, number, 1, tzinfo=UTC if zone else None)
        case _:
            return str(number)


def _contents(url: str) -> Contents:
    engine = open_engine(url)
    there = _reflected(engine)
    with engine.begin() as connection:
        found = {
            table.name: [
                dict(row)
                for row in connection.execute(
                    table.select().order_by(*table.primary_key)
                ).mappings()
            ]
            for table in there.sorted_tables
        }
    engine.dispose()
    return found


def _kept(before: Contents, after: Contents) -> Contents:
    """Return what *after* holds of the columns of *before*."""
    return {
        name: [
            {column: row[column] for column in old}
            for old, row in zip(rows, after[name], strict=True)
        ]
        for name, rows in before.items()
    }
