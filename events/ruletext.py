"""The rules as people read them: what each says, its source, and how it is decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import cast

from sublife.events.document import parse, read
from sublife.lifecycle import rules as rule_files

TABLES = "TABLES"
"""The chapter of the tables, which sum rules up and have no effect of their own."""


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule as people read it.

    Args:
        id: chapter and number; tables have the number of theirs, such as `1.2`.
        chapter: such as `SUB`.
        says: in a sentence.
        source: keys of the sources.
        origin: `seed` or `beyond`.
        effective: since or until when, where it is dated.
        decision: how an ambiguity of the sources is decided.
        informational: why it has no effect; empty if it has one.
    """

    id: str
    chapter: str
    says: str
    source: str
    origin: str
    effective: str = ""
    decision: str = ""
    informational: str = ""

    @property
    def has_effect(self) -> bool:
        """Whether the rule decides something, and is not only information."""
        return self.chapter != TABLES and not self.informational


@cache
def rules() -> Mapping[str, RuleText]:
    """Return every rule by its id, in the order of the chapters."""
    folder = Path(rule_files.__path__[0])
    order = ("gen", "sub", "trm", "ea", "man", "leg", "aut", "hst", "evt", "tables")
    found: dict[str, RuleText] = {}
    for name in order:
        path = folder / f"{name}.yaml"
        content = parse(read(path), name=str(path))
        for entry in cast("list[dict[str, object]]", content["rules"]):
            rule = RuleText(chapter=str(content["chapter"]), **_texts(entry))
            found[rule.id] = rule
    return MappingProxyType(found)


def _texts(entry: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value).strip() for name, value in entry.items()}
