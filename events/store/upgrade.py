"""Brings the tables up to date by Alembic; prints the SQL; makes the partitions of months."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from sublife.events import migrations
from sublife.events.migrations.partition import PLAIN, Partitions
from sublife.events.store.database import open_engine
from sublife.events.store.error import MissingError
from sublife.events.store.file import demand_file
from sublife.events.store.schema import SchemaError, Standing, changing, look, opened, standing_of

EMPTY = "base"
"""What stands for a database without tables, where a revision is asked for."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What an upgrade did.

    Args:
        found: the revision the database had; `None` if it was empty.
        steps: the revisions applied, in order; none if it was current.
        months: the partitions made for coming months.
        form: how the tables are cut now.
    """

    found: str | None
    steps: tuple[str, ...]
    months: tuple[str, ...]
    form: Partitions


def upgrade(
    url: str, form: Partitions = PLAIN, *, months: tuple[date, int] | None = None
) -> Upgraded:
    """Bring a database's tables up to the revision we work on, in one transaction.

    Args:
        url: of the database; an empty one gets its tables.
        form: how to cut the tables, if they are made now; if they are there, how they are cut.
        months: any day of the first month that must have its partition, and how many follow it.

    Raises:
        SchemaError: the database is of a later release or no release at all, or cut otherwise.
        StoreError: it cannot be opened, or refuses.
    """
    with _engine(url) as engine:
        _see_that_it_can(engine, form)
        with changing(engine) as connection:
            standing = standing_of(connection)
            standing.check()
            if not standing.is_empty:
                _see_that_it_is(connection, form, standing)
            steps: list[str] = []
            if not standing.is_current:
                _run(connection, form, steps)
            made = _make_months(connection, *months) if months else ()
            now = form_of(connection)
        return Upgraded(standing.found, tuple(steps), made, now)


def make_months(url: str, first: date, ahead: int) -> tuple[str, ...]:
    """Make the partitions of months to come; nothing where the tables are not cut by month.

    Args:
        url: of a database whose tables are up to date.
        first: any day of the first month that must have its partition.
        ahead: how many months follow it.

    Returns:
        The names of those that were not there.

    Raises:
        StoreError: it cannot be opened, or refuses.
    """
    with _engine(url) as engine:
        if engine.dialect.name != "postgresql":
            return ()
        with opened(engine) as connection:
            is_cut = form_of(connection).months
        if not is_cut:
            return ()
        with changing(engine) as connection:
            return _make_months(connection, first, ahead)


def standing(url: str) -> Standing:
    """Return what a database has of our tables; a file that is not there is not made.

    Raises:
        MissingError: there is no such file.
        StoreError: it cannot be opened.
    """
    if url.startswith("sqlite"):
        demand_file(url)
    with _engine(url, reading=True) as engine:
        found = look(engine)
        return replace(found, url=url) if engine.dialect.name == "sqlite" else found


def offline_sql(
    url: str, form: Partitions = PLAIN, *, since: str | None = None, until: str | None = None
) -> str:
    """Return the SQL that brings a database up to date, for others to run; empty if it is.

    Args:
        url: of the database; only its kind counts if *since* is given.
        form: how to cut the tables, if they are made.
        since: the revision to start from, `base` for an empty database; what the database has, if
            not given.
        until: the revision to end at; the latest if not given.

    Raises:
        SchemaError: one of them, or what the database has, is no revision of ours.
        StoreError: it cannot be opened.
    """
    until = until or migrations.REVISIONS[-1]
    with _engine(url) as engine:
        _see_that_it_can(engine, form)
        since = since or _found(url)
        known = (EMPTY, *migrations.REVISIONS)
        for revision in (since, until):
            if revision not in known:
                said = ", ".join(known)
                raise SchemaError(f'there is no revision "{revision}"; the ones there are: {said}')
        if since == until:
            return ""
        config = _config(dialect=engine.dialect.name, partitions=form)
        config.output_buffer = StringIO()
        command.upgrade(config, until if since == EMPTY else f"{since}:{until}", sql=True)
        return config.output_buffer.getvalue()


def _found(url: str) -> str:
    """Return the revision to start from; a file that is not there yet is an empty database."""
    try:
        found = standing(url)
    except MissingError:
        return EMPTY
    found.check()
    return found.found or EMPTY


@contextmanager
def _engine(url: str, *, reading: bool = False) -> Generator[Engine]:
    engine = open_engine(url, reading=reading)
    try:
        yield engine
    finally:
        engine.dispose()


def _config(**attributes: Any) -> Config:
    config = Config(attributes=attributes)
    config.set_main_option("script_location", str(migrations.SCRIPTS).replace("%", "%%"))
    config.set_main_option("sourceless", str(not _has_source(migrations.SCRIPTS)).lower())
    return config


def _has_source(scripts: Path) -> bool:
    """Return whether the revisions are there as source; Alembic looks for byte code only if asked.

    Raises:
        SchemaError: one is there in neither form, so the tables would stay without it.
    """
    folder = scripts / "versions"
    files = [folder / f"v{revision.replace('.', '_')}.py" for revision in migrations.REVISIONS]
    for file in files:
        if not (file.exists() or file.with_suffix(".pyc").exists()):
            raise SchemaError(
                f"this installation lacks {file}, so the tables cannot be made or upgraded; "
                "nothing was changed. Install sublife again"
            )
    return all(file.exists() for file in files)


def _run(connection: Connection, form: Partitions, steps: list[str]) -> None:
    command.upgrade(_config(connection=connection, partitions=form, steps=steps), "head")


def _see_that_it_can(engine: Engine, form: Partitions) -> None:
    if engine.dialect.name != "postgresql" and (form.subjects or form.months):
        raise SchemaError("only PostgreSQL has partitions; leave the options away for SQLite")


def _see_that_it_is(connection: Connection, form: Partitions, standing: Standing) -> None:
    """See that tables that are there are cut as asked: it is chosen when they are made."""
    found = form_of(connection)
    asked = (form.subjects or found.subjects, form.months or found.months)
    if asked != (found.subjects, found.months):
        raise SchemaError(
            f"the tables of {standing.url} have {found}, and asked for are {form}: it is chosen "
            "when the tables are made. Leave the options away, or move to a new database"
        )


def form_of(connection: Connection) -> Partitions:
    """Return how the tables of a database are cut."""
    if connection.dialect.name != "postgresql":
        return PLAIN
    count = text("SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(:name)")
    subjects = connection.execute(count, {"name": "sublife_subject"}).scalar_one()
    months = connection.execute(count, {"name": "sublife_journal"}).scalar_one()
    return Partitions(int(subjects), bool(months))


def _make_months(connection: Connection, first: date, ahead: int) -> tuple[str, ...]:
    if not form_of(connection).months:
        raise SchemaError(
            "the tables have no partitions by month, so there are none to make; leave "
            "--months-ahead away"
        )
    make = text("SELECT sublife_make_months(:first, :count)")
    rows = connection.execute(make, {"first": first, "count": ahead + 1})
    return tuple(row[0] for row in rows)
