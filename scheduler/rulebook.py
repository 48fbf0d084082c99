"""The rules as data: what each says, where it is applied, which scenarios show it."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from sublife import events, lifecycle, scheduler
from sublife.events.document import read
from sublife.events.ruletext import TABLES, RuleText, rules

__all__ = [
    "TABLES",
    "RuleText",
    "RuleUse",
    "applied_in",
    "cited",
    "gaps",
    "known_ids",
    "rules",
    "uses",
]

_ID = re.compile(r"\b(?:GEN|SUB|TRM|EA|MAN|LEG|AUT|HST|EVT)-\d\d\b")
_RANGE = re.compile(r"\b([A-Z]{2,3})-(\d\d)((?:[…/,]\s?(?:\1-)?\d\d)+)")
_HERE = "scheduler/rulebook.py"


@dataclass(frozen=True, slots=True)
class RuleUse:
    """A rule with the places that apply it and the scenarios that show it."""

    rule: RuleText
    applied_in: tuple[str, ...]
    shown_by: tuple[str, ...]


@cache
def known_ids() -> frozenset[str]:
    """Return the ids that exist."""
    return frozenset(rules())


@cache
def applied_in() -> Mapping[str, tuple[str, ...]]:
    """Return, for each rule id, the files of the engine that name it, data and code."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in (lifecycle, events, scheduler):
        top = Path(package.__path__[0])
        for path in sorted((*top.rglob("*.py"), *(top / "policies").glob("*.yaml"))):
            name = f"{package.__name__.rpartition('.')[2]}/{path.relative_to(top).as_posix()}"
            if name != _HERE:
                for rule in cited(read(path)):
                    found[rule].add(name)
    return MappingProxyType({rule: tuple(sorted(names)) for rule, names in found.items()})


def cited(text: str) -> frozenset[str]:
    """Return the rule ids that a text names, those inside `TRM-09…11` and `GEN-01, 05` too."""
    ids = set(_ID.findall(text))
    for chapter, first, rest in _RANGE.findall(text):
        last = first
        for separator, number in re.findall(r"([…/,])\s?(?:[A-Z]{2,3}-)?(\d\d)", rest):
            begin = int(last) if separator == "…" else int(number)
            ids.update(f"{chapter}-{each:02}" for each in range(begin, int(number) + 1))
            last = number
    return frozenset(ids)


def uses(shown: Iterable[tuple[str, Iterable[str]]]) -> tuple[RuleUse, ...]:
    """Return every rule with its places and scenarios.

    Args:
        shown: per scenario its path and the ids it says it shows.
    """
    scenarios: dict[str, list[str]] = defaultdict(list)
    for path, ids in shown:
        for rule in ids:
            scenarios[rule].append(path)
    places = applied_in()
    return tuple(
        RuleUse(rule, places.get(rule.id, ()), tuple(scenarios.get(rule.id, ())))
        for rule in rules().values()
    )


def gaps(found: Iterable[RuleUse]) -> tuple[str, ...]:
    """Return what is wrong: a rule that decides and that nothing applies or no scenario shows."""
    missing: list[str] = []
    for use in found:
        if not use.rule.has_effect:
            continue
        if not use.applied_in:
            missing.append(
                f"{use.rule.id} is applied nowhere; name it where the code decides by it"
            )
        if not use.shown_by:
            missing.append(f"{use.rule.id} has no scenario; add one that shows it")
    return tuple(missing)
