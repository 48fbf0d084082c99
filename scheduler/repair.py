"""The command `repair`: rebuilds a subject's row from its journal, or sets the subject aside."""

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sublife.events.packs import load_pack
from sublife.events.printable import printable
from sublife.events.repair import Repair, Repaired, RepairError, release, repair
from sublife.events.store import Store
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.policy import Policy
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import say_json, terminal

ASIDE = 1
_WIDEST = 60
"""Characters of a value that are shown; `--json` has it whole."""
_ASKED = {
    Repaired.REBUILT: "Write the row so?",
    Repaired.ASIDE: "Set the subject aside?",
}


def repair_command(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the subject.")],
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose subject.")] = "default",
    policy: Annotated[
        list[Path] | None, typer.Option(help="A pack of your own that decided events.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who asks for it; the user running the command if not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be written.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    release_: Annotated[
        bool,
        typer.Option("--release", help="Only take back that it was set aside."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; needs --yes.")] = False,
) -> None:
    """Rebuild a subject's row from its journal, or set the subject aside where that cannot be done.

    The difference is shown before anything is written. What is set aside keeps its row and its
    journal, and waits for a repair; nothing is ever deleted.

    Exit status: 0 the row is as its journal says, or would be; 1 the subject is set aside, or
    would be; 2 nothing was done, and the reason is named.
    """
    if as_json and not (yes or dry_run):
        raise typer.BadParameter("--json asks no question; give --yes or --dry-run too")
    if release_ and dry_run:
        raise typer.BadParameter("--release and --dry-run do not go together; give one of them")
    who = by or getpass.getuser()
    with opened(store, tenant, telling=(RepairError, UnknownSubjectError)) as found:
        packs = [load_pack(str(path)) for path in policy or ()]
        if release_:
            release(found, id_, by=who)
            terminal().print(Text(printable(f"{id_} is released: the calendar finds it again")))
            return
        done = repair(found, id_, by=who, policies=packs, write=False)
        if not as_json:
            _show(done)
        if done.outcome is not Repaired.SOUND and not dry_run:
            done = _do(found, done, who, packs, asks=not yes)
            if not as_json:
                terminal().print("done")
    if as_json:
        say_json(asdict(done))
    raise typer.Exit(ASIDE if done.outcome is Repaired.ASIDE else 0)


def _do(store: Store, planned: Repair, by: str, packs: list[Policy], *, asks: bool) -> Repair:
    if asks:
        typer.confirm(_ASKED[planned.outcome], abort=True)
    return repair(store, planned.subject, by=by, policies=packs)


def _show(planned: Repair) -> None:
    """Print what is to be done."""
    console, subject = terminal(), planned.subject
    match planned.outcome:
        case Repaired.SOUND:
            said = f"the row of {subject} is as its journal says; there is nothing to do"
        case Repaired.REBUILT:
            said = f"the row of {subject} is not as its journal says:"
        case Repaired.ASIDE:
            said = (
                f"the row of {subject} cannot be read, and cannot be rebuilt: {planned.reason}. "
                "Set aside, it is left alone by every look at what is due until it is repaired"
            )
    console.print(Text(printable(said)), soft_wrap=True)
    for each in planned.differences:
        line = f"  {each.column}: {_short(each.stored)} → {_short(each.rebuilt)}"
        console.print(Text(printable(line)), soft_wrap=True)


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _WIDEST else f"{text[:_WIDEST]}…"
