"""Switches for the rows of the rule tables, and for timers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Closed, Rule
from tests.mutation.switch.function import result
from tests.mutation.switch.install import Change, Changes, Row, SwitchError, found


def row(lifecycle: str, event: str, *, of: str = "", **values: Any) -> Change:
    """Change the accepting rows of an event, or those whose act has the name *of*."""

    def changed(each: Row) -> Row:
        if not isinstance(each, Rule) or each.event != event:
            return each
        if of and not _is_named(each.act, of):
            return each
        return replace(each, **values)

    return rows(lifecycle, changed)


def _is_named(function: Any, name: str) -> bool:
    return getattr(function, "__name__", "") == name


def opened(lifecycle: str, event: str, to: str | None, act: Any, *, code: str = "") -> Change:
    """Let the refusing rows of an event accept instead: with *act*, leading to *to*."""

    def changed(each: Row) -> Row:
        if not isinstance(each, Closed) or each.event != event or (code and each.code != code):
            return each
        return Rule(event, each.states, to, _act(act), (each.ref,))

    return rows(lifecycle, changed)


def _act(act: Any) -> Any:
    """Return an act by its path, or as it is given."""
    if not isinstance(act, str):
        return act

    def late(case: Any) -> Any:
        return found(act)[2](case)

    return late


def rows(lifecycle: str, changed: Callable[[Row], Row | None]) -> Change:
    """Change the rows of a lifecycle's table one by one; `None` takes one out."""

    def change(changes: Changes) -> None:
        if lifecycle not in LIFECYCLES:
            raise SwitchError(f"there is no lifecycle {lifecycle}; fix the entry")
        changes.rows.append((lifecycle, changed))

    return change


def undue(path: str, *names: str) -> Change:
    """Let the timers of these names not come due; *path* is the function that lists them."""

    def of(timers: Any, *_given: Any, **_named: Any) -> Any:
        return tuple(timer for timer in timers if timer.name not in names)

    return result(path, of)
