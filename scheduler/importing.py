"""The command `import`: takes Partner Center exports in and says what became of every row."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sublife.events.inbound import Fate, Import, Told
from sublife.events.inbound.target import Target
from sublife.events.packs import load_pack
from sublife.events.printable import printable
from sublife.lifecycle.model import iso
from sublife.scheduler.log import instant
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import standard_error, terminal

MAPPED, NOT_MAPPED = 0, 1
_PAGE = 100
"""Lines under one heading; more are not held at once."""
_SHOWN = 200
"""Rows that are shown if not all are asked for; the others are counted."""
_STYLES = {
    Fate.IMPORTED: "green",
    Fate.UNCHANGED: "bright_black",
    Fate.DIFFERS: "yellow",
    Fate.REFUSED: "red",
    Fate.UNMAPPED: "red",
}


def import_command(
    files: Annotated[
        list[Path], typer.Argument(help="Partner Center JSON, JSON Lines, or CSV files.")
    ],
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose subjects these are.")] = "default",
    partner: Annotated[
        str | None, typer.Option(help="The partner tenant whose Partner Center this is.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option(help="The customer tenant of rows that name none.")
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="INSTANT",
            show_default=False,
            help="When the export was made, a UTC day or instant; now if not given.",
        ),
    ] = None,
    policy: Annotated[
        str | None, typer.Option(help="The policy pack that decides: its name, or a YAML file.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing unless every row can be.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Import nothing; say what would become of each row.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show rows that need no attention too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print every row as JSON instead of a table.")
    ] = False,
) -> None:
    """Import Partner Center exports: each row becomes a subject or an event, or a reason why not.

    The same row twice has one effect. What is stored is never overwritten: where it differs from
    its row, that is said.

    Exit status: 0 every row is in the store; 1 some are not, and with --strict none is; 2 a file
    or an option is wrong, or the database cannot be opened, and nothing was imported.
    """
    with opened(store, tenant, may_be_new=True) as found:
        decided = found.of(tenant, policy=load_pack(policy)) if policy else found
        at = as_of or found.clock.now()
        if at > found.clock.now():
            raise typer.BadParameter(f"--as-of {iso(at)} is to come; an export shows what has been")
        going = Import(files, Target(decided, at, partner, customer), strict=strict, is_check=check)
        with closing(going.rows()) as rows:
            _print_json(rows, going) if as_json else _show(rows, going, every=every)
    _tell(going, check=check)
    raise typer.Exit(MAPPED if going.is_well else NOT_MAPPED)


def _print_json(rows: Iterable[Told], going: Import) -> None:
    """Print one JSON document, a row at a time; nothing where the files cannot be read."""
    out, begins = sys.stdout, '{"rows": [\n  '
    for told in rows:
        out.write(begins + json.dumps(_as_mapping(told)))
        begins = ",\n  "
    out.write("" if going.tally else begins.rstrip())
    counts = {fate.value: going.tally[fate] for fate in Fate}
    out.write(f'\n], "counts": {json.dumps(counts)}, "kept": {json.dumps(going.is_kept)}}}\n')


def _as_mapping(told: Told) -> dict[str, Any]:
    row, verdict = told.row, told.verdict
    return {
        "file": row.file,
        "line": row.line,
        "item": row.item or None,
        "shape": row.shape.value,
        "subject": verdict.subject,
        "fate": verdict.fate.value,
        "events": list(verdict.events),
        "said": verdict.said,
    }


def _show(rows: Iterator[Told], going: Import, *, every: bool) -> None:
    """Print a table of the rows that somebody has to look at, page by page."""
    console = terminal()
    wanted = (told for told in rows if every or not told.verdict.fate.is_well)
    shown = wanted if every else islice(wanted, _SHOWN)
    while page := list(islice(shown, _PAGE)):
        console.print(_table(page))
    if more := sum(1 for _ in wanted):
        rest = f"{more:,} more row{'' if more == 1 else 's'}"
        console.print(f"… and {rest} to look at; --json prints every one", soft_wrap=True)
    words = {} if going.is_kept else {Fate.IMPORTED: "could be imported"}
    counts = ", ".join(
        f"{going.tally[fate]} {words.get(fate, fate)}" for fate in Fate if going.tally[fate]
    )
    total = sum(going.tally.values())
    console.print(f"{total} row{'' if total == 1 else 's'}: {counts or 'nothing to import'}")


def _table(page: Iterable[Told]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("row", "is", "subject", "fate", "why"):
        table.add_column(title, overflow="fold")
    for told in page:
        row, verdict = told.row, told.verdict
        place = f"{row.file}:{row.line}" + (f" item {row.item}" if row.item else "")
        table.add_row(
            Text(printable(place), style="cyan"),
            row.shape.value,
            Text(printable(verdict.subject or "")),
            Text(verdict.fate.value, style=_STYLES[verdict.fate]),
            Text(printable(verdict.said)),
        )
    return table


def _tell(going: Import, *, check: bool) -> None:
    """Say on the standard error which files hold no row, and whether nothing was imported."""
    for name in going.empty:
        said = f"{name} holds no row; if it should, export it again"
        standard_error().print(Text(printable(said)), soft_wrap=True)
    if going.is_kept:
        return
    why = "this was a check" if check else "not every row can be, and --strict asks for all"
    standard_error().print(f"nothing was imported: {why}", soft_wrap=True)
