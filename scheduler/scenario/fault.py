"""What is wrong with a file: where, the value, and what to write in its place."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from sublife.lifecycle.policy import Fault


def faults_of(error: ValidationError, at: tuple[str | int, ...] = ()) -> list[Fault]:
    """Return pydantic's findings as faults, each with the value and what to do."""
    return [
        Fault((*at, *_steps(each["loc"])), _message(each))
        for each in error.errors(include_url=False)
    ]


_UNION_TAGS = frozenset({"str", "dict[str,any]", "list[any]", "name", "actor"})
"""What pydantic puts into a path to tell the sides of a union apart."""


def _steps(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return tuple(step for step in loc if step not in _UNION_TAGS)


def _message(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown key; remove it or fix its name"
        case "missing":
            return "is missing; add it"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            said = str(error["msg"])
            return f"{error['input']!r}: {said[0].lower()}{said[1:]}"


_FEW = 12


def instead(name: str, known: Iterable[str]) -> str:
    """Return what to write in place of a name that is not known: the nearest, or all if few."""
    names = tuple(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = names if len(names) <= _FEW else (*names[:_FEW], "…")
    return f"use one of {', '.join(shown)}"
