"""Keeps a no short: how many faults are named, how much of a value is shown, and nothing raw."""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from reprlib import Repr
from typing import Any, TypeVar, cast

from sublife.events.printable import printable
from sublife.events.token import without_tokens

MOST_BYTES = 8192
"""Of one answer that says no, whatever was sent."""
MOST_FAULTS = 20
_LONGEST = 300
"""Characters of what is said of one fault."""
_LONGEST_SENTENCE = 1000
_LONGEST_VALUE = 80

T = TypeVar("T")
_repr = Repr()
_repr.maxlevel, _repr.maxdict, _repr.maxlist, _repr.maxtuple = 3, 4, 4, 4
_repr.maxstring = _repr.maxlong = _repr.maxother = 2 * _LONGEST_VALUE


def shown(value: object) -> str:
    """Return the beginning of a value as Python writes it; a large one is not written out."""
    found = without_tokens(_repr.repr(value))
    return found if len(found) <= _LONGEST_VALUE else f"{found[:_LONGEST_VALUE]}…"


def plain(text: str, longest: int = _LONGEST) -> str:
    """Return the beginning of a text, with escapes for what does not print and without tokens."""
    told = printable(without_tokens(text[: 2 * longest]))
    return told if len(told) <= longest else f"{told[:longest]}…"


def few(faults: Iterable[T]) -> tuple[list[T], int]:
    """Return the first faults, and how many there are besides."""
    rest = iter(faults)
    return list(islice(rest, MOST_FAULTS)), sum(1 for _ in rest)


def brief(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return problem details that are short enough and have nothing raw in them."""
    told = dict(body)
    told["detail"] = plain(str(told["detail"]), _LONGEST_SENTENCE)
    for name in told.keys() - {"detail", "errors"}:
        told[name] = _safe(told[name])
    faults = [
        {name: plain(str(text)) for name, text in each.items()}
        for each in cast("Sequence[Mapping[str, Any]]", told.get("errors") or ())
    ]
    while True:
        if faults:
            told["errors"] = faults
        if len(encoded(told)) <= MOST_BYTES:
            return told
        if len(faults) <= 1:
            return {name: told[name] for name in ("type", "title", "status", "detail", "code")}
        dropped = max(1, len(faults) // 4)
        faults = faults[:-dropped]
        told["errors_left_out"] = told.get("errors_left_out", 0) + dropped


def encoded(body: Mapping[str, Any]) -> bytes:
    """Return a body as it is sent."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _safe(value: object) -> object:
    """Return a value of an error without tokens and without what UTF-8 cannot write."""
    match value:
        case str():
            return without_tokens(value).encode("utf-8", "backslashreplace").decode()
        case Mapping():
            inside = cast("Mapping[object, object]", value)
            return {str(_safe(str(name))): _safe(each) for name, each in inside.items()}
        case list() | tuple():
            return [_safe(each) for each in cast("Sequence[object]", value)]
        case _:
            return value
