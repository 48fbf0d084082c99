"""What is shown on a terminal: every text passes here, so that nothing in it acts upon it."""

import json
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sublife.events.printable import printable_json, printable_lines

WIDE = 150
"""Columns of the output where it is not a terminal."""


class Screen(Console):
    """A console that shows control characters in what it is given as visible escapes.

    Styles are the console's own and stay; a line break in a text breaks the line.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the segments of *renderable* with visible text only."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable_lines(segment.text), segment.style)


def standard_error() -> Screen:
    """Return the standard error, for what went wrong."""
    return Screen(stderr=True, highlight=False)


def complain(what: str, error: object) -> None:
    """Print on the standard error what went wrong.

    Args:
        what: in two or three words, such as `not done`; stands out.
        error: or its message, with the remedy.
    """
    standard_error().print(Text.assemble((what, "bold red"), f" {error}"), soft_wrap=True)


def terminal() -> Screen:
    """Return the standard output; wide enough for a timeline where it is not a terminal."""
    console = Screen(highlight=False)
    return console if console.is_terminal else Screen(highlight=False, width=WIDE)


def say(text: str) -> None:
    """Write one line, or several that the caller has made, to the standard output."""
    sys.stdout.write(printable_lines(text) + "\n")


def say_json(value: object, *, indent: int | None = 2) -> None:
    """Write *value* as JSON, letters as they are; what has no form in JSON is written as text."""
    said = json.dumps(value, indent=indent, ensure_ascii=False, default=str)
    sys.stdout.write(printable_json(said) + "\n")
