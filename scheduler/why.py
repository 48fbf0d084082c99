"""The command `why`: explains a fact, an event, a refusal or a record."""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sublife.events.packs import load_pack
from sublife.events.printable import printable
from sublife.events.why import Explanation, Happened, Link, Sum, UnknownIdError, ValueRead, why
from sublife.lifecycle.model import iso
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import terminal

_WIDE = 16
"""The column of headings."""
_MOST = 240
"""Signs of a value that are shown; `--json` has it whole."""
Lines = Iterator[tuple[str, str]]


def why_command(
    id_: Annotated[
        str, typer.Argument(metavar="ID", help="Of a fact (event#0), an event, or a record.")
    ],
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose history.")] = "default",
    policy: Annotated[
        list[Path] | None, typer.Option(help="A pack of your own that decided events.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain why something happened or was refused: rules, figures, values, dates, causes.

    The event is decided again on what the journal leaves just before it; nothing is written.

    Exit status: 0 done; 2 the database cannot be opened, or has nothing of that id.
    """
    with opened(store, tenant, reading=True, telling=(UnknownIdError,)) as found:
        packs = [load_pack(str(path)) for path in policy or ()]
        explanation = why(found, id_, policies=packs)
    if as_json:
        sys.stdout.write(json.dumps(explanation.as_mapping(), indent=2, default=_plain) + "\n")
        return
    _show(terminal(), explanation)


def _plain(value: object) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


def _show(console: Console, found: Explanation) -> None:
    for heading, said in _lines(found):
        line = Text(f"{heading:{_WIDE}}", style="bold")
        line.append(printable(said), style="" if heading != "doubt" else "yellow")
        line.stylize("not bold", _WIDE)
        console.print(line, soft_wrap=True)


def _lines(found: Explanation) -> Lines:
    yield from _what(found)
    for rule in found.rules:
        yield "rule", f"{rule.id}  {rule.says} [{rule.source}]"
        if rule.decision:
            yield "", f"decided: {rule.decision}"
    yield "policy", found.policy
    yield from _asked(found)
    for value in found.values:
        yield "read", _value(value)
    for heading, sums in (("due", found.due), ("date", found.dates), ("next", found.next)):
        for each in sums:
            yield heading, _sum(each)
    yield from _chain(found.chain)
    if found.cut:
        yield "", "…"
    for doubt in found.doubts:
        yield "doubt", doubt


def _what(found: Explanation) -> Lines:
    happened = found.happened
    if found.fact is not None:
        yield "fact", f"{found.fact}  {_data(found.data)}"
    yield (
        "event",
        f"{happened.event} {happened.event_id} on {happened.lifecycle} {happened.subject}",
    )
    yield "by", happened.actor
    yield "happened", iso(happened.effective_at)
    yield "written", iso(happened.recorded_at)
    if found.refusal is None:
        yield "state", f"{happened.state_before} → {happened.state}"
        if found.fact is None:
            yield "facts", ", ".join(happened.facts) or "none"
    else:
        refusal = found.refusal
        yield "refused", f"{refusal.code} ({refusal.rule}): {refusal.sentence}"
        if refusal.details:
            yield "", _data(refusal.details)
        yield "state", happened.state_before
        yield "taken in", ", ".join(refusal.accepted_in) or "no state"
        yield "allowed then", ", ".join(refusal.allowed) or "nothing"
    if found.fact is None and found.data:
        yield "asked for", _data(found.data)


def _data(data: Any) -> str:
    return _short(json.dumps(data, ensure_ascii=False, default=_plain))


def _short(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]} …"


def _asked(found: Explanation) -> Lines:
    for switch in found.switches:
        since = "" if switch.since is None else f", since {iso(switch.since)}"
        source = f" [{switch.source}]" if switch.source else ""
        yield "switch", f"{switch.name}: {switch.option} ({switch.rule}{since}){source}"
    for figure in found.figures:
        period = " ".join(
            f"{word} {iso(at)}"
            for word, at in (("from", figure.since), ("to", figure.until))
            if at is not None
        )
        option = f", as {figure.option}" if figure.option else ""
        source = f" [{figure.source}]" if figure.source else ""
        rule = f"{figure.rule}{option}; valid {period or 'always'}"
        yield "figure", f"{figure.name}: {figure.value} ({rule}; asked at {iso(figure.at)}){source}"
    for country, region in (found.regions or {}).items():
        yield "region", f"{country}: {region or 'none'}"


def _value(value: ValueRead) -> str:
    name = value.name if value.is_own else f"{value.subject}.{value.name}"
    before = _data(value.before)
    if not value.is_own or value.before == value.after:
        return f"{name} = {before}"
    return f"{name} = {before} → {_data(value.after)}"


def _sum(each: Sum) -> str:
    return f"{each.name}: {each.text}"


def _chain(links: tuple[Link, ...]) -> Lines:
    for link in links:
        yield "because of", _event(link.happened)
        yield "", link.led
        for each in link.dates:
            yield "", _sum(each)


def _event(happened: Happened) -> str:
    at, written = iso(happened.effective_at), iso(happened.recorded_at)
    rules = " ".join(happened.rules)
    said = f"{happened.event} {happened.event_id} on {happened.subject} by {happened.actor}"
    return f"{said}, {at}, written {written}: {happened.state_before} → {happened.state} ({rules})"
