"""The command `verify`: proves that a history is the one that was written, or names the row."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sublife.events.packs import load_pack
from sublife.events.printable import printable
from sublife.events.verify import Finding, Verdict, verify
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import Screen

SOUND, UNSOUND, NOT_DONE = 0, 1, 2


def verify_command(
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[
        str | None, typer.Option(help="Only this tenant; by default every one.")
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Decide every event again and compare what came of it."),
    ] = False,
    policy: Annotated[
        list[Path] | None,
        typer.Option(help="With --rebuild: a pack of your own that decided events."),
    ] = None,
) -> None:
    """Check that no row of the history was changed, dropped, inserted or swapped.

    It reads as of one instant and changes nothing; others may go on writing meanwhile.

    Exit status: 0 the history is sound; 1 it is not, and the first row is named; 2 the database
    cannot be opened, or a pack that decided is not at hand.
    """
    if policy and not rebuild:
        raise typer.BadParameter("--policy belongs to --rebuild")
    with opened(store, tenant, reading=True) as found:
        packs = [load_pack(str(path)) for path in policy or ()]
        verdict = verify(found, tenant=tenant, rebuild=rebuild, policies=packs)
    _tell(verdict, rebuild=rebuild)
    raise typer.Exit(_status(verdict))


def _status(verdict: Verdict) -> int:
    if not verdict.is_sound:
        return UNSOUND
    return NOT_DONE if verdict.missing else SOUND


def _tell(verdict: Verdict, *, rebuild: bool) -> None:
    console = Screen(highlight=False)
    for number, finding in enumerate(verdict.findings):
        _tell_finding(console, finding, is_first=number == 0)
    if (more := verdict.unsound - len(verdict.findings)) > 0:
        console.print(f"and {_many(more, 'more subject')}")
    for version in verdict.missing:
        console.print(
            f"[bold red]not rebuilt[/] rows were decided by the pack {_said(version)}, which is "
            "not at hand; give its file with --policy",
            soft_wrap=True,
        )
    counts = ((verdict.rows, "journal row"), (verdict.subjects, "subject"))
    read = " of ".join(_many(*each) for each in (*counts, (verdict.tenants, "tenant")))
    if verdict.decided:
        read += f", {_many(verdict.decided, 'event')} decided again"
        read += f", {_many(verdict.records, 'record')} compared"
    mark = "[bold green]sound[/]" if verdict.is_sound else "[bold red]NOT SOUND[/]"
    if rebuild and not verdict.is_sound and not verdict.decided:
        read += "; nothing was rebuilt, as the rows it would be rebuilt from are not sound"
    console.print(f"{mark} {read}", soft_wrap=True)


def _tell_finding(console: Console, finding: Finding, *, is_first: bool) -> None:
    mark = "[bold red]✗[/]" if is_first else "[red]✗[/]"
    console.print(f"{mark} {_said(finding.where)}", soft_wrap=True)
    told = f" (column {finding.column})" if finding.column else ""
    console.print(f"    {finding.wrong}{told}: {_said(finding.says)}", soft_wrap=True)
    if is_first:
        console.print(f"    what to do: {_said(finding.do)}", soft_wrap=True)


def _said(text: str) -> str:
    return escape(printable(text))


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
