"""The command `migrate`: brings the tables of a database up to date, or tells whether they are."""

import sys
from datetime import date
from typing import Annotated

import typer
from rich.markup import escape

from sublife.events.migrations import REVISIONS
from sublife.events.migrations.partition import Partitions
from sublife.events.store import MissingError, StoreError
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.screen import standard_error

DONE, NOT_CURRENT, FAILED = 0, 1, 2
AHEAD = 3
"""Months that get their partitions beforehand when the tables are made, if not said."""


def migrate_command(
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; tell the revision found and wanted.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Change nothing; print the SQL for others to run.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            help="With --sql: the revision to start from, base for an empty database; "
            "then the database is not asked."
        ),
    ] = None,
    partition_subjects: Annotated[
        int,
        typer.Option(
            min=0, max=1024, help="PostgreSQL, when the tables are made: hash partitions of them."
        ),
    ] = 0,
    partition_months: Annotated[
        bool,
        typer.Option(
            "--partition-months",
            help="PostgreSQL, when the tables are made: cut journal and records by month.",
        ),
    ] = False,
    months_ahead: Annotated[
        int | None,
        typer.Option(min=0, max=120, help="Make the partitions of this month and so many more."),
    ] = None,
) -> None:
    """Bring the tables of a database up to date, in one transaction; safe to run twice at once.

    Exit status: 0 done, or current with --check; 1 not current; 2 the database cannot be opened,
    or refuses.
    """
    _see_that_it_fits(
        (check, "--check"),
        (sql, "--sql"),
        (months_ahead is not None and not partition_months, "--months-ahead"),
    )
    if since is not None and not sql:
        raise typer.BadParameter("--since belongs to --sql")
    today = SystemClock().now().date()
    ahead = AHEAD if months_ahead is None else months_ahead
    form = Partitions(partition_subjects, partition_months, today, ahead)
    try:
        if check:
            status = _check(store)
        elif sql:
            status = _print(store, form, since)
        else:
            status = _migrate(store, form, None if months_ahead is None else (today, months_ahead))
    except StoreError as error:
        complaints = standard_error()
        complaints.print(f"[bold red]not done[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(FAILED) from error
    raise typer.Exit(status)


def _see_that_it_fits(*given: tuple[bool, str]) -> None:
    names = [name for is_given, name in given if is_given]
    if len(names) > 1:
        raise typer.BadParameter(f"{' and '.join(names)} do not go together; give one of them")


def _check(url: str) -> int:
    from sublife.events.store.upgrade import standing  # noqa: PLC0415 – Alembic takes its time

    try:
        found = standing(url)
    except MissingError as error:
        sys.stdout.write(f"found none, wanted {REVISIONS[-1]}: not current\n")
        standard_error().print(escape(str(error)), soft_wrap=True)
        return NOT_CURRENT
    sys.stdout.write(
        f"found {found.found or 'none'}, wanted {found.wanted}: "
        f"{'current' if found.is_current else 'not current'}\n"
    )
    try:
        found.demand()
    except StoreError as error:
        standard_error().print(escape(str(error)), soft_wrap=True)
        return NOT_CURRENT
    return DONE


def _print(url: str, form: Partitions, since: str | None) -> int:
    from sublife.events.store.upgrade import offline_sql  # noqa: PLC0415 – Alembic takes its time

    sys.stdout.write(offline_sql(url, form, since=since) or "-- nothing to do: it is current\n")
    return DONE


def _migrate(url: str, form: Partitions, months: tuple[date, int] | None) -> int:
    from sublife.events.store.upgrade import upgrade  # noqa: PLC0415 – Alembic takes its time

    done = upgrade(url, form, months=months)
    if done.steps:
        way = " → ".join((done.found or "none", *done.steps))
        sys.stdout.write(f"migrated: {way}, with {done.form}\n")
    else:
        sys.stdout.write(f"nothing to do: {done.found} is current\n")
    for name in done.months:
        sys.stdout.write(f"made partition {name}\n")
    return DONE
