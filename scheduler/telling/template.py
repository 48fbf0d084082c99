"""Sentences with gaps: `{name}` is filled in, `[…]` is left out where a value in it is missing.

`[?name|…]` stands only where the value is true, `[!name|…]` only where it is not. Brackets do not
nest.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sublife.scheduler.telling.word import word

Say = Callable[[str], str]
_SEGMENT = re.compile(r"\[(?:([?!])(\w+)\|)?([^\]]*)\]|([^\[]+)")
_ONE = re.compile(r"\b1 (seat|licence)s\b")
_GAP = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class _Segment:
    """A stretch of a sentence: always there, or only under its condition."""

    text: str
    gaps: tuple[str, ...]
    optional: bool = False
    flag: str | None = None
    negated: bool = False

    def said(self, values: Mapping[str, Any]) -> str:
        """Return its words; nothing where it does not apply."""
        if self.flag is not None and bool(values.get(self.flag)) is self.negated:
            return ""
        words = {name: word(name, values.get(name)) for name in self.gaps}
        if self.optional and not all(words.values()):
            return ""
        return self.text.format_map(words) if words else self.text


@cache
def _segments(template: str) -> tuple[_Segment, ...]:
    return tuple(_parsed(template))


def _parsed(template: str) -> Iterator[_Segment]:
    for mark, flag, inside, plain in _SEGMENT.findall(template):
        text = inside or plain
        gaps = tuple(_GAP.findall(text))
        yield _Segment(text, gaps, not plain, flag or None, mark == "!")


def filled(template: str, values: Mapping[str, Any]) -> str:
    """Return a sentence with its gaps filled from values by name."""
    said = "".join(segment.said(values) for segment in _segments(template))
    return _ONE.sub(r"1 \1", said)
