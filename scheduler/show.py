"""What a person sees in the terminal: timelines, differences, summaries, the rule list."""

import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import commonpath
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sublife.events.printable import printable
from sublife.lifecycle.model import iso
from sublife.scheduler.replay.result import Happening, Remark, Result
from sublife.scheduler.rulebook import RuleUse
from sublife.scheduler.screen import complain

_STATE_STYLES = {
    "active": "green",
    "suspended": "yellow",
    "expired": "yellow",
    "grace": "yellow",
    "disabled": "red",
    "canceled": "red",
    "deleted": "bright_black",
}


NARROW = 100
"""Columns below which a timeline has no room for a table."""


def show_timeline(console: Console, result: Result, *, names: bool = False) -> None:
    """Print one scenario: its title, what happened in plain sentences, and whether it held.

    Args:
        console: where to.
        result: of the scenario.
        names: whether each event is a line of its own, with the names of event and facts; what
            did not hold is always shown so.
    """
    mark = "[green]held[/]" if result.held else "[bold red]FAILED[/]"
    console.print(f"\n[bold]{escape(result.title or result.path)}[/]  {mark}")
    console.print(f"[bright_black]{escape(result.path)}  {' '.join(result.rules)}[/]")
    if result.about:
        console.print(Padding(Text(result.about, style="italic"), (0, 0, 0, 2)))
    show_events(console, result, named=names or not result.held)
    show_differences(console, result)


def show_events(console: Console, result: Result, *, named: bool) -> None:
    """Print what happened, as a table where the terminal is wide enough and else as a list.

    Args:
        console: where to.
        result: with the timeline.
        named: whether each event is an entry of its own, with the names of event and facts.
    """
    timeline = _timeline_list if console.width < NARROW else _timeline_table
    console.print(Padding(timeline(result, named=named), (0, 0, 0, 2)))


def _timeline_table(result: Result, *, named: bool) -> Table:
    """Return what happened as a table: when, the state, what it was, and by which rules."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(4):
        table.add_column(overflow="fold")
    several = len({line.subject for line in result.timeline}) > 1
    previous = ""
    for entry in _entries(result, merged=not named):
        for text in (entry.text,) if isinstance(entry, Remark) else entry.remarks:
            table.add_row("", "", Text(text, style="italic"), "")
        if isinstance(entry, Remark):
            continue
        shown_at = iso(entry.at).replace("T", " ")
        table.add_row(
            Text(shown_at if shown_at != previous else "", style="cyan"),
            Text(entry.shown_state, style=_STATE_STYLES.get(entry.state, "")),
            _what(entry, several=several, named=named),
            Text(" ".join(entry.rules), style="bright_black"),
        )
        previous = shown_at
    return table


def _timeline_list(result: Result, *, named: bool) -> Group:
    """Return what happened as a list: a line of instant, state and rules, then what it was."""
    several = len({line.subject for line in result.timeline}) > 1
    parts: list[RenderableType] = []
    for entry in _entries(result, merged=not named):
        remarks = (entry.text,) if isinstance(entry, Remark) else entry.remarks
        parts.extend(Padding(Text(text, style="italic"), (0, 0, 0, 2)) for text in remarks)
        if isinstance(entry, Remark):
            continue
        parts.append(
            Text.assemble(
                (iso(entry.at).replace("T", " "), "cyan"),
                "  ",
                (entry.shown_state, _STATE_STYLES.get(entry.state, "")),
                "  ",
                (" ".join(entry.rules), "bright_black"),
            )
        )
        parts.append(Padding(_what(entry, several=several, named=named), (0, 0, 0, 2)))
    return Group(*parts)


@dataclass(slots=True)
class _Entry:
    """What happened to one subject at one instant, one event or several."""

    at: datetime
    subject: str
    state_before: str
    state: str
    refused: bool
    remarks: tuple[str, ...]
    lines: list[Happening]

    @property
    def shown_state(self) -> str:
        """The state it led to."""
        if self.refused:
            return "refused"
        return self.state if self.state == self.state_before else f"→ {self.state}"

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that decided it, each once."""
        return tuple(dict.fromkeys(rule for line in self.lines for rule in line.rules))

    def may_take(self, line: Happening) -> bool:
        """Return whether a line belongs to what this tells: the same instant, nobody asked."""
        same = (line.at, line.subject) == (self.at, self.subject)
        return same and not line.asked and line.code is None and not self.refused


def _entries(result: Result, *, merged: bool) -> Iterator[_Entry | Remark]:
    """Yield what to show in order; merged, what follows from one thing is told with it."""
    remarks = {each.place: each for each in result.remarks}
    entry: _Entry | None = None
    for place, line in enumerate(result.timeline):
        if place in remarks:
            yield from (entry,) if entry else ()
            yield remarks[place]
            entry = None
        if merged and _is_silent(line):
            continue
        if merged and entry is not None and entry.may_take(line):
            entry.state = line.state
            entry.lines.append(line)
            continue
        yield from (entry,) if entry else ()
        notes = (line.note,) if line.note else ()
        refused = line.code is not None
        entry = _Entry(line.at, line.subject, line.state_before, line.state, refused, notes, [line])
    yield from (entry,) if entry else ()
    yield from (each for each in result.remarks if each.place >= len(result.timeline))


def _is_silent(line: Happening) -> bool:
    """Return whether a line changes nothing that a person would be told."""
    return not (line.tells or line.note or line.code) and line.state == line.state_before


def _what(entry: _Entry, *, several: bool, named: bool) -> Text:
    """Return who did what to whom, and what came of it."""
    text = Text()
    if several:
        text.append(f"{entry.subject}: ", style="bold")
    for line in entry.lines:
        if named:
            text.append(_names(line), style="bright_black")
        for number, said in enumerate(line.tells):
            gap = " " if text.plain and not text.plain.endswith(" ") else ""
            text.append(f"{gap}{said}", style=_style(line, number))
    return text


def _style(line: Happening, number: int) -> str:
    """Return how a sentence is shown: what was asked stands out, and what was refused."""
    if line.asked and number == 0:
        return "bold"
    return "red" if line.code is not None else ""


def _names(line: Happening) -> str:
    """Return the names of an event and of what it left behind, as scenario files write them."""
    left = line.code or ", ".join(line.facts)
    return f"{line.event} ({left})" if left else line.event


def show_differences(console: Console, result: Result) -> None:
    """Print what was expected and what was found, one under the other."""
    for each in result.differences:
        console.print(f"  [bold red]✗[/] {escape(each.where)}")
        console.print(f"      expected  [green]{escape(each.expected)}[/]")
        console.print(f"      found     [red]{escape(each.found)}[/]")


def show_faults(results: Iterable[Result]) -> None:
    """Print every fault of the files that are wrong, on the standard error."""
    for result in results:
        for fault in result.faults:
            complain("wrong input", fault)


def show_folders(console: Console, results: Sequence[Result]) -> None:
    """Print how many scenarios of each folder held, failed or could not run."""
    folders: dict[str, Counter[str]] = {}
    for result in results:
        counts = folders.setdefault(str(Path(result.path).parent), Counter())
        counts["wrong" if result.faults else "held" if result.held else "failed"] += 1
    has_wrong = any(each["wrong"] for each in folders.values())
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("folder", overflow="fold")
    for name in ("held", "failed", "wrong input")[: 3 if has_wrong else 2]:
        table.add_column(name, justify="right")
    for folder, counts in sorted(folders.items()):
        cells = [
            Text(str(counts["held"]), style="green"),
            Text(str(counts["failed"]), style="bold red" if counts["failed"] else ""),
            Text(str(counts["wrong"]), style="bold red" if counts["wrong"] else ""),
        ]
        table.add_row(Text(printable(folder)), *cells[: 3 if has_wrong else 2])
    console.print()
    console.print(table)


def show_next(console: Console, results: Sequence[Result]) -> None:
    """Print what to do after a replay of many files: look into one, and where to read on."""
    first = next((each for each in results if not each.held and not each.faults), None)
    example = first or min(results, key=lambda each: (not each.held, len(each.path), each.path))
    names = " --names" if first else ""
    folder = commonpath([each.path for each in results])
    replay = f"{_own_name()} replay"
    console.print(
        f"One file, line by line  {escape(f'{replay} {shlex.quote(example.path)}')}{names}\n"
        f"All of them             {escape(f'{replay} {shlex.quote(folder)}')} --timelines\n"
        "Write your own          docs/scenarios.md",
        soft_wrap=True,
    )


def _own_name() -> str:
    """Return how to call this command line again: by its name where the shell finds it."""
    called = sys.argv[0]
    found = shutil.which("sublife")
    is_script = Path(called).name == "sublife"
    if not is_script or (found is not None and Path(found).samefile(called)):
        return "sublife"
    return shlex.quote(called)


def show_summary(console: Console, results: Sequence[Result]) -> None:
    """Print how many scenarios held, and how much happened in them."""
    failed = [result for result in results if result.differences]
    wrong = [result for result in results if result.faults]
    held = len(results) - len(failed) - len(wrong)
    events = sum(len(result.timeline) for result in results)
    refused = sum(1 for result in results for line in result.timeline if line.code)
    style = "bold red" if failed or wrong else "bold green"
    console.print(
        f"\n[{style}]{held} of {len(results)} scenarios held[/], "
        f"{events} events, {refused} of them refused"
    )
    for result in failed:
        console.print(f"  [red]failed[/] {escape(result.path)}")
    for result in wrong:
        console.print(f"  [red]wrong input[/] {escape(result.path)}")


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
        if use.applied_in:
            console.print(f"    applied   {escape(', '.join(use.applied_in))}", soft_wrap=True)
        if use.shown_by:
            console.print(f"    shown     {escape(', '.join(use.shown_by))}", soft_wrap=True)
