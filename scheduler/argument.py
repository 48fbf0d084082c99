"""What every command refuses in the same way: hostile text, numbers that are none, bad paths."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any

import typer

from sublife.events.printable import printable, shortened

LONGEST = 16_384
"""Characters that one argument may have."""
SHOWN = 80
"""Characters of an argument that a message repeats."""
WRONG_INPUT = 2


def check_text(arguments: Sequence[str]) -> None:
    """Refuse arguments that are not text: halves of surrogate pairs, control characters.

    Raises:
        typer.BadParameter: the message names the option, and shows the value without them.
    """
    for number, argument in enumerate(arguments):
        option, value = _option_of(arguments, number)
        if len(argument) > LONGEST:
            raise typer.BadParameter(
                f"{option}: {len(argument):,} characters; give at most {LONGEST:,}"
            )
        if not all(each.isprintable() or each in "\t\n" or _is_shown(each) for each in value):
            raise typer.BadParameter(
                f'{option}: "{_shown(value)}" has characters that are not text; leave out what is '
                "written as an escape"
            )


def _shown(value: str) -> str:
    """Return a value for a message; it may be an address with a password."""
    from sublife.events.store.secret import shown_address  # noqa: PLC0415 – only what is wrong

    return shortened(printable(shown_address(value)), SHOWN)


def _is_shown(character: str) -> bool:
    return printable(character) == character


def _option_of(arguments: Sequence[str], number: int) -> tuple[str, str]:
    """Return the option that an argument belongs to, or its place, and the value."""
    argument = arguments[number]
    if argument.startswith("--"):
        name, mark, value = argument.partition("=")
        if mark and name.isascii() and name.isprintable():
            return shortened(name, SHOWN), value
    before = arguments[number - 1] if number else ""
    if before.startswith("--") and "=" not in before and not argument.startswith("--"):
        return shortened(printable(before), SHOWN), argument
    return f"argument {number + 1}", argument


def guard(command: Any) -> None:
    """Let a command, or each of a group, refuse numbers that are none and explain bad paths."""
    for each in _leaves(command):
        each.callback = _guarded(each.callback)


def _leaves(command: Any) -> Iterator[Any]:
    inner: dict[str, Any] | None = getattr(command, "commands", None)
    if inner is None:
        yield command
        return
    for each in inner.values():
        yield from _leaves(each)


def _guarded(callback: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(callback)
    def run(**values: Any) -> Any:
        for name, value in values.items():
            if isinstance(value, float) and not math.isfinite(value):
                option = f"--{name.replace('_', '-')}"
                raise typer.BadParameter(f"{option}: {value} is not a number to count with")
        try:
            return callback(**values)
        except OSError as error:
            if error.filename is None:
                raise
            from sublife.scheduler.screen import complain  # noqa: PLC0415 – rich takes its time

            name = shortened(printable(str(error.filename)), SHOWN)
            complain("not done", f"{name}: {error.strerror}; give another path")
            raise typer.Exit(WRONG_INPUT) from error

    return run
