"""What a person sees in the terminal: timelines, differences, summaries, the rule list."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sublife.lifecycle.model import iso
from sublife.scheduler.replay import Happening, Result
from sublife.scheduler.rulebook import RuleUse

_STATE_STYLES = {
    "active": "green",
    "suspended": "yellow",
    "expired": "yellow",
    "grace": "yellow",
    "disabled": "red",
    "canceled": "red",
    "deleted": "bright_black",
}


WIDE = 150


def terminal() -> Console:
    """Return the standard output; wide enough for a timeline where it is no terminal."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def printable(text: str) -> str:
    """Return a text without what a terminal would act upon."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def show_timeline(console: Console, result: Result) -> None:
    """Print one scenario: its title, what happened line by line, and whether it held."""
    mark = "[green]held[/]" if result.held else "[bold red]FAILED[/]"
    console.print(f"\n[bold]{escape(result.title or result.path)}[/]  {mark}")
    console.print(f"[bright_black]{escape(result.path)}  {' '.join(result.rules)}[/]")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    several = len({line.subject for line in result.timeline}) > 1
    previous = None
    for line in result.timeline:
        if line.note:
            table.add_row("", "", Text(line.note, style="italic"), "")
        shown_at = _at(line)
        table.add_row(
            Text(shown_at if shown_at != previous else "", style="cyan"),
            Text(_state(line), style=_STATE_STYLES.get(line.state, "")),
            _what(line, several=several),
            Text(" ".join(line.rules), style="bright_black"),
        )
        previous = shown_at
    console.print(Padding(table, (0, 0, 0, 2)))
    show_differences(console, result)


def _at(line: Happening) -> str:
    return iso(line.at).replace("T", " ")


def _state(line: Happening) -> str:
    if line.code is not None:
        return "refused"
    return line.state if line.state == line.state_before else f"→ {line.state}"


def _what(line: Happening, *, several: bool) -> Text:
    """Return who did what to whom, and what came of it."""
    text = Text()
    if several:
        text.append(f"{line.subject}: ", style="bold")
    by_timer = line.actor.startswith("timer")
    text.append(line.event, style="" if by_timer else "bold")
    if not by_timer:
        text.append(f" by {line.actor.split(' ', 1)[1]}")
    if line.code is not None:
        text.append(f"  {line.code}: ", style="red")
        text.append(line.sentence or "")
    elif line.facts:
        text.append(f"  {', '.join(line.facts)}", style="bright_black")
    return text


def show_differences(console: Console, result: Result) -> None:
    """Print what was expected and what was found, one under the other."""
    for each in result.differences:
        console.print(f"  [bold red]✗[/] {escape(each.where)}")
        console.print(f"      expected  [green]{escape(each.expected)}[/]")
        console.print(f"      found     [red]{escape(each.found)}[/]")


def show_faults(console: Console, results: Iterable[Result]) -> None:
    """Print every fault of the files that are wrong."""
    for result in results:
        for fault in result.faults:
            console.print(f"[bold red]wrong input[/] {escape(fault)}", soft_wrap=True)


def show_summary(console: Console, results: Sequence[Result]) -> None:
    """Print how many scenarios held, and how much happened in them."""
    failed = [result for result in results if not result.held]
    events = sum(len(result.timeline) for result in results)
    refused = sum(1 for result in results for line in result.timeline if line.code)
    style = "bold red" if failed else "bold green"
    console.print(
        f"\n[{style}]{len(results) - len(failed)} of {len(results)} scenarios held[/], "
        f"{events} events, {refused} of them refused"
    )
    for result in failed:
        console.print(f"  [red]failed[/] {escape(result.path)}")


def show_rules(console: Console, uses: Iterable[RuleUse]) -> None:
    """Print the rule list."""
    for use in uses:
        rule = use.rule
        console.print(f"[bold]{rule.id}[/]  {escape(rule.says)}", soft_wrap=True)
        if rule.decision:
            console.print(f"    decided   {escape(rule.decision)}", soft_wrap=True)
        console.print(f"    source    {escape(rule.source)} ({rule.origin})", soft_wrap=True)
        if rule.informational:
            console.print(f"    no effect {escape(rule.informational)}", soft_wrap=True)
        elif not rule.is_built and rule.chapter != "TABLES":
            console.print("    not built yet: its chapter is to come", soft_wrap=True)
        if use.applied_in:
            console.print(f"    applied   {escape(', '.join(use.applied_in))}", soft_wrap=True)
        if use.shown_by:
            console.print(f"    shown     {escape(', '.join(use.shown_by))}", soft_wrap=True)
