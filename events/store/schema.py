"""The tables of a database: made where there are none, and only used at the revision we know."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_mock_engine,
    insert,
    text,
)
from sqlalchemy.exc import DBAPIError

from sublife.events import migrations
from sublife.events.layout import metadata
from sublife.events.migrations import VERSION_TABLE
from sublife.events.store.database import unopened
from sublife.events.store.error import LockedError, StoreError, UnreachableError
from sublife.events.store.link import Link, ours
from sublife.events.store.secret import shown_url
from sublife.events.store.server import SET_WRITING, is_pooled

VERSIONS = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As Alembic makes it."""

_RELEASE = re.compile(r"\d+(\.\d+)+")
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('sublife_schema', 0))"
_PATIENCE = "SET LOCAL lock_timeout = '10s'"
"""Who waits for a table keeps everybody behind from it too, so nobody waits for long."""


class SchemaError(StoreError):
    """The tables are not those that this version of sublife works on; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a database has of our tables.

    Args:
        found: its revision; `None` if it has none.
        wanted: the revision this version of sublife works on.
        tables: those of ours that are there.
        url: of the database, without a password.
    """

    found: str | None
    wanted: str
    tables: tuple[str, ...]
    url: str

    @property
    def is_current(self) -> bool:
        """Whether a store can work on it."""
        return self.found == self.wanted

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of ours."""
        return self.found is None and not self.tables

    def check(self) -> None:
        """Do nothing if the revision is one we know, or if there is nothing of ours.

        Raises:
            SchemaError: the tables have no revision, or one of a later release.
        """
        if self.found is None and self.tables:
            raise SchemaError(
                f"the database {self.url} has {', '.join(self.tables)}, but no revision in "
                f"{VERSION_TABLE}: a trial version made them before there were migrations, or a "
                f"backup was restored without that table. Restore {VERSION_TABLE} too, or give "
                "sublife an empty database"
            )
        if self.found is not None and self.found not in migrations.REVISIONS:
            raise SchemaError(
                f"the database {self.url} is at schema {self.found}, which sublife "
                f"{version('sublife')} does not know; {_remedy(self.found)}"
            )

    def demand(self) -> None:
        """Do nothing if a store can work on it.

        Raises:
            SchemaError: it has no tables of ours, or those of an older revision; or `check` raises.
        """
        self.check()
        run = f"sublife migrate --store {self.url}"
        if self.is_empty:
            raise SchemaError(f"the database {self.url} has no tables of ours; run {run}")
        if not self.is_current:
            raise SchemaError(
                f"the database {self.url} is at schema {self.found}, but sublife "
                f"{version('sublife')} works on {self.wanted}; make a backup, then run {run}"
            )


def _remedy(revision: str) -> str:
    if _RELEASE.fullmatch(revision):
        return f"it needs sublife {revision} or newer"
    return "no release has such a schema; use the version of sublife that made it"


def make_schema(engine: Engine) -> None:
    """Make our tables where there are none, and see that those that are there are ours to use.

    Raises:
        SchemaError: the tables are of another revision; the message says what to run.
        StoreError: the database cannot be opened, or our role may not make tables.
    """
    try:
        standing = look(engine)
        if standing.is_empty:
            standing = _make(engine)
        standing.demand()
    except StoreError:
        engine.dispose()
        raise


def demand_schema(engine: Engine, url: str) -> None:
    """See that the tables of a database are ours to use; none is made.

    Args:
        engine: on the database.
        url: by which a file of SQLite was named, and is named in a message.

    Raises:
        SchemaError: there are none, or they are of another revision; the message says what to run.
        StoreError: the database cannot be opened.
    """
    try:
        found = look(engine)
        (replace(found, url=url) if engine.dialect.name == "sqlite" else found).demand()
    except StoreError:
        engine.dispose()
        raise


def _make(engine: Engine) -> Standing:
    """Make our tables, unless somebody else has just done so; return what there is then."""
    with changing(engine) as connection:
        standing = standing_of(connection)
        if standing.is_empty:
            for definition in _definitions(connection.dialect.name):
                connection.exec_driver_sql(definition)
            VERSIONS.create(connection, checkfirst=True)
            connection.execute(insert(VERSIONS).values(version_num=standing.wanted))
        return standing_of(connection)


@cache
def _definitions(dialect: str) -> tuple[str, ...]:
    """Return the statements that make our tables, compiled once."""
    from sublife.events import indexes  # noqa: PLC0415 – a store that only works needs none

    said: list[str] = []

    def say(statement: Any, *_more: Any, **_options: Any) -> None:
        said.append(str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(f"{dialect}://", say)
    indexes.metadata.create_all(engine, checkfirst=False)
    return tuple(said)


def look(engine: Engine) -> Standing:
    """Return what a database has of our tables, without a lock and without changing it.

    Raises:
        StoreError: the database cannot be opened.
    """
    with opened(engine) as connection:
        link = _linked(connection)
        try:
            return _standing(link, engine)
        finally:
            link.close()


def standing_of(connection: Connection) -> Standing:
    """Return what the database of a connection has of our tables, as its transaction sees it."""
    return _standing(_linked(connection), connection.engine)


def _linked(connection: Connection) -> Link:
    return Link(connection.connection, connection.dialect)


def _standing(link: Link, engine: Engine) -> Standing:
    tables = _present(link, (VERSION_TABLE, *metadata.tables))
    found = None
    if VERSION_TABLE in tables:
        rows = link.rows(f"SELECT version_num FROM {VERSION_TABLE}", ())  # noqa: S608 – a name of our own
        found = rows[0][0] if rows else None
    return Standing(
        found,
        migrations.REVISIONS[-1],
        tuple(name for name in tables if name != VERSION_TABLE),
        shown_url(engine.url),
    )


def _present(link: Link, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of *names* that are tables the connection sees."""
    if link.is_sqlite:
        rows = link.rows("SELECT name FROM sqlite_master WHERE type = 'table'", ())
    else:
        # Not to_regclass: what it remembers from before we waited for the lock may be wrong.
        rows = link.rows(
            "SELECT relname FROM pg_class WHERE relname = ANY(%(names)s) "
            "AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)",
            {"names": list(names)},
        )
    there = {row[0] for row in rows}
    return tuple(name for name in names if name in there)


@contextmanager
def opened(engine: Engine) -> Generator[Connection]:
    """Connect, without beginning a transaction.

    Raises:
        StoreError: the database cannot be opened.
    """
    driver: Any = engine.dialect.loaded_dbapi
    try:
        connection = engine.connect()
    except DBAPIError as error:
        engine.dispose()
        raise unopened(engine, error.orig or error) from error
    except driver.Error as error:
        engine.dispose()
        raise unopened(engine, error) from error
    with connection:
        yield connection


@contextmanager
def changing(engine: Engine) -> Generator[Connection]:
    """Begin a transaction that changes tables: no other that does runs at the same time.

    Raises:
        LockedError: another process holds the tables.
        StoreError: the database refuses; nothing was changed.
    """
    driver: Any = engine.dialect.loaded_dbapi
    with opened(engine) as connection, _unbound(connection):
        try:
            with connection.begin():
                if engine.dialect.name == "postgresql":
                    _set_where_pooled(connection)
                    connection.execute(text(_LOCK))
                    connection.execute(text(_PATIENCE))
                yield connection
                _see_that_it_holds(connection)
        except DBAPIError as error:
            raise _refused(error.orig or error, engine) from error
        except driver.Error as error:
            raise _refused(error, engine) from error


def _set_where_pooled(connection: Connection) -> None:
    """Set the transaction behind a pooler; elsewhere the connection is set already."""
    if is_pooled(connection.engine):
        link = _linked(connection)
        link.run(SET_WRITING, None)
        link.close()


@contextmanager
def _unbound(connection: Connection) -> Generator[None]:
    """Let SQLite make a table anew, to which others refer; a transaction cannot turn that on."""
    if connection.dialect.name != "sqlite":
        yield
        return
    link = _linked(connection)
    link.run("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        link.run("PRAGMA foreign_keys=ON")
        link.close()


def _see_that_it_holds(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.execute(text("PRAGMA foreign_key_check")).fetchall()
    if broken:
        raise SchemaError(
            f"{len(broken)} rows refer to rows that are not there, the first in {broken[0][0]}; "
            "nothing was changed. Restore a sound backup, then try again"
        )


def _refused(error: Any, engine: Engine) -> StoreError:
    """Return a driver's error as one of ours, with what to do."""
    url = shown_url(engine.url)
    said = str(error).strip().partition("\n")[0]
    state = getattr(error, "sqlstate", None)
    found = ours(error, engine.dialect)
    if state == "42501":
        return SchemaError(
            f"our role may not change tables in {url} ({said}); let one that may run sublife "
            "migrate --store, or hand the SQL of sublife migrate --sql to your DBA"
        )
    if state == "55P03" or isinstance(found, LockedError):
        return LockedError(
            f"the tables of {url} are in use ({said}); nothing was changed. Run it again at a "
            "quiet moment"
        )
    if isinstance(found, UnreachableError):
        return found
    return type(found)(f"the tables of {url} cannot be changed: {said}; nothing was changed")
