"""The command `show`: a subject's timeline, how it stands, what comes next, what may be asked."""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sublife.events import codec
from sublife.events.intake.outcome import Outcome
from sublife.events.pause import Pause, paused
from sublife.events.permission import allowed, as_of
from sublife.events.printable import printable
from sublife.events.store import Entry, Store
from sublife.events.store.delivery import fact_id
from sublife.events.store.error import UnreadableError
from sublife.events.why.story import story
from sublife.lifecycle.machine import UnknownSubjectError, timers
from sublife.lifecycle.model import Refusal, Snapshot, iso
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.opened import opened
from sublife.scheduler.replay.line import line_of
from sublife.scheduler.replay.result import Result
from sublife.scheduler.screen import say_json, terminal
from sublife.scheduler.show import show_events

_WIDE = 14
LINES = 40
"""Events of the timeline that are shown, if not said otherwise."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What there is to show of a subject.

    Args:
        id: of the subject.
        lifecycle: it lives by.
        history: its journal, each row with the subject after it.
        written: as it was last written; `None` if every event on it was refused.
        present: as it stands once everything due by *at* has happened.
        at: UTC instant of the look.
        may: requests that may be made at *at*.
        pause: that holds for it.
        broken: what cannot be read of it.
    """

    id: str
    lifecycle: str
    history: tuple[tuple[Entry, Snapshot | None], ...]
    written: Snapshot | None
    present: Snapshot | None
    at: datetime
    may: tuple[str, ...]
    pause: Pause | None
    broken: tuple[UnreadableError, ...]

    @property
    def unreadable(self) -> UnreadableError | None:
        """Why its own row cannot be read; `None` if it can."""
        return next((each for each in self.broken if each.subject == self.id), None)


def show_command(
    id_: Annotated[str, typer.Argument(metavar="ID", help="Of the subject.")],
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose subject.")] = "default",
    lines: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help="Events of the timeline to show, the latest ones."),
    ] = LINES,
    names: Annotated[
        bool, typer.Option("--names", help="Each event on a line of its own, with its names.")
    ] = False,
    ids: Annotated[
        bool, typer.Option("--ids", help="The ids of events and facts instead, for `sublife why`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a subject: its timeline, its state, its next timers and what may be asked of it.

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the database cannot
    be opened, or has no such subject.
    """
    with opened(store, tenant, reading=True, telling=(UnknownSubjectError,)) as found:
        looked = _look(found, id_)
    if as_json:
        say_json(_as_mapping(looked, lines))
    elif ids:
        _show_ids(looked, lines)
    else:
        _show(terminal(), looked, lines, names=names)
    left_out = LeftOut()
    for error in looked.broken:
        left_out(error)
    left_out.end()


def _look(store: Store, subject: str) -> _Looked:
    broken: list[UnreadableError] = []
    history = story(store, subject, left_out=broken.append)
    if broken and not history:
        raise broken[0]
    if not history:
        raise UnknownSubjectError(
            f"tenant {store.tenant} has no subject {subject}, and no event on it; fix the id, or "
            "say which --tenant"
        )
    lifecycle = history[-1][0].event.lifecycle
    at, written = store.clock.now(), history[-1][1]
    present = None if written is None else as_of(store, subject, at=at)
    may = () if written is None else allowed(store, subject, at=at)
    pause = paused(store, lifecycle, left_out=broken.append)
    return _Looked(subject, lifecycle, history, written, present, at, may, pause, tuple(broken))


def _outcome(entry: Entry) -> Outcome:
    refusal = entry.outcome if isinstance(entry.outcome, Refusal) else None
    return Outcome(
        entry.event,
        () if isinstance(entry.outcome, Refusal) else entry.outcome,
        refusal,
        entry.state,
        entry.version,
        entry.rules,
        state_before=entry.state_before,
        own_state=entry.state,
    )


def _show(console: Console, looked: _Looked, lines: int, *, names: bool) -> None:
    subject = looked.written
    whose = f" of {subject.customer or subject.id}, partner {subject.partner}" if subject else ""
    console.print(Text(printable(f"{looked.lifecycle} {looked.id}{whose}"), style="bold"))
    if (earlier := len(looked.history) - lines) > 0:
        console.print(Text(f"  … {earlier} earlier events", style="bright_black"))
    shown = looked.history[max(earlier, 0) :]
    timeline = tuple(line_of(_outcome(entry), snapshot) for entry, snapshot in shown)
    show_events(console, Result("", timeline=timeline), named=names)
    for heading, said in _standing(looked):
        console.print(Text(f"{heading:{_WIDE}}{printable(said)}"), soft_wrap=True)


def _show_ids(looked: _Looked, lines: int) -> None:
    """Print the ids of events, each with those of its facts under it."""
    for entry, _ in looked.history[-lines:] if lines else ():
        event, outcome = entry.event, entry.outcome
        refused = f"  refused {outcome.code}" if isinstance(outcome, Refusal) else ""
        sys.stdout.write(f"{iso(event.at)}  {printable(event.id)}  {event.name}{refused}\n")
        for number, fact in enumerate(() if isinstance(outcome, Refusal) else outcome):
            sys.stdout.write(f"    {printable(fact_id(event.id, number))}  {fact.name}\n")


def _standing(looked: _Looked) -> list[tuple[str, str]]:
    written, present = looked.written, looked.present
    if (error := looked.unreadable) is not None:
        return [("state", f"cannot be read: {error.problem}"), ("what to do", error.remedy)]
    if written is None or present is None:
        return [("state", "absent: every event on it was refused")]
    said = [("state", f"{written.state}, version {written.version}, {_since(written)}")]
    if present.version != written.version:
        waits = "while it is paused" if looked.pause else "until it is settled"
        said.append(("due by now", f"{present.state}, version {present.version}, {waits}"))
    if looked.pause:
        said.append(("paused", str(looked.pause)))
    coming = sorted(timers(written, looked.lifecycle), key=lambda each: each.due_at)
    said += [("next", f"{iso(each.due_at)}  {each.name}") for each in coming]
    said.append(("may be asked", ", ".join(looked.may) or "nothing"))
    return said


def _since(snapshot: Snapshot) -> str:
    return f"last changed {iso(snapshot.changed_at)}"


def _as_mapping(looked: _Looked, lines: int) -> dict[str, Any]:
    written, present = looked.written, looked.present
    shown = looked.history[-lines:] if lines else ()
    found = timers(written, looked.lifecycle) if written else ()
    pause = looked.pause
    return {
        "id": looked.id,
        "lifecycle": looked.lifecycle,
        "at": iso(looked.at),
        "state": None if written is None else str(written.state),
        "version": 0 if written is None else written.version,
        "state_due": None if present is None else str(present.state),
        "snapshot": None if written is None else json.loads(codec.encode_snapshot(written)),
        "timers": [{"name": each.name, "due_at": iso(each.due_at)} for each in found],
        "allowed": list(looked.may),
        "unreadable": [str(each) for each in looked.broken],
        "paused": None if pause is None else {"scope": pause.scope, "reason": pause.reason},
        "events": len(looked.history),
        "timeline": [_event(entry) for entry, _ in shown],
    }


def _event(entry: Entry) -> dict[str, Any]:
    event, outcome = entry.event, entry.outcome
    refusal = outcome if isinstance(outcome, Refusal) else None
    return {
        "event_id": event.id,
        "event": event.name,
        "effective_at": iso(event.at),
        "recorded_at": iso(entry.recorded_at),
        "actor": f"{event.actor.kind} {event.actor.id}",
        "cause": event.cause,
        "state_before": entry.state_before,
        "state": entry.state,
        "version": entry.version,
        "facts": [] if isinstance(outcome, Refusal) else [fact.name for fact in outcome],
        "rules": list(entry.rules),
        "refusal": None if refusal is None else {"code": refusal.code, "says": refusal.sentence},
    }
