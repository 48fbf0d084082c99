"""Switches for what a function computes or an act does."""

from collections.abc import Callable
from dataclasses import replace
from types import FunctionType
from typing import Any, TypeVar, cast

from sublife.lifecycle.model import Effect, Refusal
from sublife.lifecycle.refusal import refuse
from tests.mutation.switch.install import Change, Changes, Make

T = TypeVar("T")


def altered(shape: T, **values: object) -> T:
    """Return a copy of a frozen shape of the engine, of whichever sort, with other values."""
    given: Any = shape
    return cast(
        "T", given._replace(**values) if hasattr(given, "_replace") else replace(given, **values)
    )


def around(path: str, make: Make) -> Change:
    """Put what *make* makes of the thing at *path* in its place, wherever it is used."""

    def change(changes: Changes) -> None:
        changes.swaps.append((path, make))

    return change


def here(path: str, substitute: Any) -> Change:
    """Put something else in the place of a name of one module, and nowhere else."""

    def change(changes: Changes) -> None:
        changes.local.append((path, lambda _original: substitute))

    return change


def instead(path: str, substitute: Any) -> Change:
    """Put something else in the place of what stands at *path*."""
    return around(path, lambda _original: substitute)


def returning(path: str, value: object) -> Change:
    """Let a function return *value*, whatever it is asked."""

    def make(original: Any) -> Any:
        assert isinstance(original, FunctionType), path

        def constant(*_given: object, **_named: object) -> object:
            return value

        return constant

    return around(path, make)


def result(path: str, of: Callable[..., Any]) -> Change:
    """Let a function return what *of* makes of its result, its arguments given after it."""

    def make(original: Any) -> Any:
        def changed(*given: Any, **named: Any) -> Any:
            return of(original(*given, **named), *given, **named)

        return changed

    return around(path, make)


def asking(path: str, of: Callable[[Any], Any]) -> Change:
    """Let a function be asked with what *of* makes of its first argument, the case of an act."""

    def make(original: Any) -> Any:
        def asked(first: Any, *given: Any, **named: Any) -> Any:
            return original(of(first), *given, **named)

        return asked

    return around(path, make)


def refusing(path: str, when: Callable[[Any], bool], code: str, rule: str, **said: Any) -> Change:
    """Let an act refuse with *code* where *when* says so of its case."""

    def changed(found: Any, case: Any, *_given: Any, **_named: Any) -> Any:
        return refuse(code, rule=rule, **said) if when(case) else found

    return result(path, changed)


def effect(path: str, of: Callable[[Effect[Any], Any], Effect[Any]]) -> Change:
    """Let an act have another effect; a refusal stays."""

    def changed(found: Any, case: Any, *_given: Any, **_named: Any) -> Any:
        return found if isinstance(found, Refusal) else of(found, case)

    return result(path, changed)


def keeps(path: str, *names: str) -> Change:
    """Let an act leave these fields of its subject as they were."""

    def of(found: Effect[Any], case: Any) -> Effect[Any]:
        kept = {name: getattr(case.subject, name) for name in names}
        return altered(found, subject=altered(found.subject, **kept))

    return effect(path, of)


def sets(path: str, **values: object) -> Change:
    """Let an act give its subject these values."""

    def of(found: Effect[Any], _case: Any) -> Effect[Any]:
        return altered(found, subject=altered(found.subject, **values))

    return effect(path, of)


def mute(path: str) -> Change:
    """Let an act do nothing at all: no change, no fact, nothing that follows."""
    return effect(path, lambda _found, case: Effect(case.subject))
