"""Reads JSON strictly: no key twice, no number or nesting that nothing can be made of."""

import json
import math
from collections.abc import Mapping
from typing import Any, cast

from sublife.lifecycle.error import SublifeError

DEPTH = 64
"""So many objects and lists may lie within each other; exports have six."""
_DIGITS = 40
"""Digits that a whole number may have."""


class JsonError(SublifeError, ValueError):
    """A text is not JSON, or JSON that nothing can be made of.

    Args:
        line: on which it is wrong, from 1; 0 if that is not known.
        message: what is wrong.
    """

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


def decoder() -> json.JSONDecoder:
    """Return a decoder that raises `JsonError` for what JSON allows and no export has."""
    return json.JSONDecoder(
        object_pairs_hook=_object, parse_int=_whole, parse_float=_number, parse_constant=_constant
    )


def decode(text: str) -> Any:
    """Return the value that a JSON text holds.

    Raises:
        JsonError: it is not JSON, says a key twice, or is nested too deeply.
    """
    try:
        value: Any = decoder().decode(text)
    except json.JSONDecodeError as error:
        raise JsonError(error.lineno, error.msg) from error
    except RecursionError as error:
        raise JsonError(0, _TOO_DEEP) from error
    check_depth(value, text)
    return value


_TOO_DEEP = f"is nested too deeply; {DEPTH} levels are the most"


def check_depth(value: Any, text: str, start: int = 0, end: int | None = None) -> None:
    """See that *value*, read from that part of *text*, is not nested too deeply.

    Raises:
        JsonError: it is.
    """
    end = len(text) if end is None else end
    if text.count("[", start, end) + text.count("{", start, end) > DEPTH and depth(value) > DEPTH:
        raise JsonError(0, _TOO_DEEP)


def depth(value: Any) -> int:
    """Return how many objects and lists lie within each other in *value*."""
    level, found = [value], 0
    while level := [inner for each in level for inner in _inner(each)]:
        found += 1
    return found


def _inner(value: Any) -> list[Any]:
    """Return what lies in an object or a list; a marker where that is nothing."""
    if isinstance(value, Mapping):
        return list(cast("Mapping[str, Any]", value).values()) or [None]
    found: list[Any] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType] – JSON
    return found or ([None] if isinstance(value, list) else [])


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonError(0, f'"{twice[:80]}" stands twice in one object')
    return found


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise JsonError(0, f"a number has {len(digits)} digits; {_DIGITS} are the most")
    return int(digits)


def _number(digits: str) -> float:
    found = float(digits)
    if not math.isfinite(found):
        raise JsonError(0, f"{digits[:40]} is beyond every number")
    return found


def _constant(name: str) -> Any:
    raise JsonError(0, f"{name} is no JSON number")
