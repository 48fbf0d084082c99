"""The instants and days that an event set, each with its arithmetic."""

import re
from collections.abc import Iterator
from datetime import date, datetime

from sublife.events.why.arithmetic import LAST, Named, When, instants, summed
from sublife.events.why.explanation import Sum
from sublife.events.why.watched import Watched
from sublife.lifecycle.model import Fact, Refusal

_WHEN = re.compile(r"\d{4}-\d\d-\d\d(T[0-9:.]+Z)?")


def dates(decided: Watched, outcome: tuple[Fact, ...] | Refusal) -> Iterator[Sum]:
    """Yield the sums of what a decision set or told; what it only copied is left out."""
    wanted: dict[When, list[str]] = {}
    for each in (*_told(outcome), *_set(decided)):
        names = wanted.setdefault(each.when, [])
        if each.name not in names:
            names.append(each.name)
    known = decided.known
    for when, names in wanted.items():
        if found := summed(Named(", ".join(names), when), known):
            yield found


def _told(outcome: tuple[Fact, ...] | Refusal) -> Iterator[Named]:
    """Yield the instants that facts or a refusal name."""
    said = [outcome.details] if isinstance(outcome, Refusal) else [each.data for each in outcome]
    for data in said:
        for name, value in data.items():
            if isinstance(value, str) and _WHEN.fullmatch(value):
                yield Named(name, _when(value))


def _when(text: str) -> When:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _set(decided: Watched) -> Iterator[Named]:
    """Yield the instants of the subject that were others before."""
    if isinstance(decided.outcome, Refusal) or decided.after is None:
        return
    before = decided.step.before
    old: set[Named] = set() if before is None else set(instants(before))
    for each in instants(decided.after):
        if each not in old and each.name != LAST:
            yield each
