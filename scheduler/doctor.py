"""The command `doctor`: looks a database over and names a remedy for all that is wrong."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from sublife.events.document import DocumentError
from sublife.events.health import Finding, Health, Limits, examine
from sublife.events.packs import load_pack
from sublife.events.printable import printable
from sublife.events.store import SchemaError, Store, StoreError
from sublife.lifecycle.model import iso
from sublife.lifecycle.policy import Policy
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.screen import say_json, standard_error, terminal

FINE, FINDINGS, NOT_DONE = 0, 1, 2


def doctor_command(
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    policy: Annotated[
        list[Path] | None, typer.Option(help="A pack of your own that is in use.")
    ] = None,
    days: Annotated[
        float, typer.Option(min=0, max=3660, help="How far ahead to look at the policy.")
    ] = 90,
    lag: Annotated[
        float,
        typer.Option(min=0, max=52_704_000, help="Minutes that a timer or a delivery may be due."),
    ] = 5,
    silence: Annotated[
        float,
        typer.Option(min=0, max=52_704_000, help="Minutes that a daemon may go without a beat."),
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look a database over: schema, clocks, lag, daemons, deliveries, policy, partitions.

    Nothing is changed. Every finding comes with what to do about it.

    Exit status: 0 fine; 1 there are findings; 2 the database cannot be looked at.
    """
    limits = Limits(
        lag=timedelta(minutes=lag),
        silence=timedelta(minutes=silence),
        horizon=timedelta(days=days),
    )
    try:
        found = _look(store, policy or [], limits)
    except StoreError as error:
        complaints = standard_error()
        complaints.print(f"[bold red]not done[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(NOT_DONE) from error
    if as_json:
        say_json(asdict(found))
    else:
        _show(terminal(), found)
    raise typer.Exit(FINDINGS if found.findings else FINE)


def _look(url: str, files: list[Path], limits: Limits) -> Health:
    """Return what is found; where the tables are not current, that is all there is to say."""
    try:
        store = Store.open(url, clock=SystemClock(), reading=True)
    except SchemaError as error:
        says, _, remedy = str(error).rpartition("; ")
        return Health(("schema",), (Finding("schema", says, remedy),), ())
    packs, broken = _packs(files)
    now = SystemClock().now()
    try:
        found = examine(store, now, limits=limits, policies=packs)
    finally:
        store.close()
    notes = (f"looked at {iso(now)}", *found.notes)
    return Health(("schema", *found.checks), (*broken, *found.findings), notes)


def _packs(files: list[Path]) -> tuple[list[Policy], list[Finding]]:
    """Return the packs that can be read, and what is wrong with the others."""
    packs: list[Policy] = []
    broken: list[Finding] = []
    for path in files:
        try:
            packs.append(load_pack(str(path)))
        except DocumentError as error:
            remedy = "fix the file before a daemon or host loads it again"
            broken.append(Finding("policy", str(error), remedy))
    return packs, broken


def _show(console: Console, found: Health) -> None:
    wrong = {each.check for each in found.findings}
    for check in found.checks:
        if check not in wrong:
            console.print(f"[green]✓[/] {check}")
            continue
        for each in found.findings:
            if each.check == check:
                console.print(
                    Text(f"✗ {check}: {printable(each.says)}", "bold red"), soft_wrap=True
                )
                console.print(Text(f"    what to do: {printable(each.remedy)}"), soft_wrap=True)
    for note in found.notes:
        console.print(Text(f"  {printable(note)}", style="bright_black"), soft_wrap=True)
    count = len(found.findings)
    noun = "finding" if count == 1 else "findings"
    console.print(f"[bold red]{count} {noun}[/]" if count else "[bold green]fine[/]")
