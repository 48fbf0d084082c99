"""Tells what a decision asked for as flat values: figures, switches, values of subjects."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic_core import to_jsonable_python

from sublife.events import codec
from sublife.events.store.entry import Entry
from sublife.events.why.explanation import FigureUsed, Happened, SwitchUsed, ValueRead
from sublife.events.why.watched import Watched
from sublife.lifecycle.model import Refusal
from sublife.lifecycle.policy import Policy, Unit
from sublife.lifecycle.tracing import FigureAsked, SwitchAsked

_WORDS = {
    Unit.DAYS: " days",
    Unit.HOURS: " hours",
    Unit.MONTHS: " months",
    Unit.COUNT: "",
    Unit.PERCENT: " %",
    Unit.USD: " USD",
}


def happened(entry: Entry) -> Happened:
    """Return an event as the journal has it."""
    event, outcome = entry.event, entry.outcome
    return Happened(
        event.id,
        event.name,
        event.subject,
        event.lifecycle,
        f"{event.actor.kind} {event.actor.id}",
        event.at,
        entry.recorded_at,
        entry.state_before,
        entry.state,
        entry.rules,
        () if isinstance(outcome, Refusal) else tuple(fact.name for fact in outcome),
    )


def payload(entry: Entry) -> dict[str, Any]:
    """Return what a request said, as JSON values."""
    return cast("dict[str, Any]", json.loads(codec.encode_payload(entry.event.data)))


def values(decided: Watched) -> Iterator[ValueRead]:
    """Yield what was read of subjects, the event's own first."""
    own, after = decided.step.event.subject, decided.after
    read = decided.watch.values
    for subject in sorted(read, key=lambda each: (each != own, each)):
        for name, value in read[subject].items():
            is_own = subject == own
            left = _json(getattr(after, name)) if is_own and after is not None else None
            yield ValueRead(subject, name, _json(value), left, is_own)


def _json(value: object) -> Any:
    return to_jsonable_python(value)


def figure(asked: FigureAsked, policy: Policy) -> FigureUsed:
    """Return a figure with its value in words, and its source as the pack names it."""
    if asked.unit is Unit.ALLOWED:
        value = "allowed" if asked.value else "not allowed"
    else:
        value = f"{asked.value}{_WORDS[asked.unit]}"
    content: Mapping[str, Any] = json.loads(policy.content)["figures"][asked.name]
    spans: Any = content["spans"][asked.option] if asked.option else content["spans"]
    return FigureUsed(
        asked.name,
        value,
        asked.rule,
        asked.at,
        asked.since,
        asked.until,
        asked.option,
        _source(spans[asked.place]),
    )


def switch(asked: SwitchAsked, policy: Policy) -> SwitchUsed:
    """Return a switch with the source of its reading, as the pack names it."""
    content: Mapping[str, Any] = json.loads(policy.content)["switches"][asked.name]
    option = content["options"][asked.option]
    source = _source(option or {})
    return SwitchUsed(asked.name, asked.option, asked.rule, asked.at, asked.since, source)


def _source(said: Mapping[str, Any]) -> str:
    return str(said.get("source") or said.get("note") or "")
