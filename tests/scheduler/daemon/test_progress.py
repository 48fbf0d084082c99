"""Progress of a long look: lines in the log, a bar on a terminal, nothing where little is due."""

from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console

from sublife.scheduler.daemon.progress import EVERY_SECONDS, MANY, Progress

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Seconds:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_little_is_not_worth_a_line(told: "Told") -> None:
    """Every beat has some."""
    progress = Progress()

    progress.begin(MANY - 1, NOON)
    progress.advance(MANY - 1, NOON)
    progress.end()

    assert not told("catching_up")
    assert not told("caught_up")


def test_much_is_told_at_the_beginning_every_few_seconds_and_at_the_end(told: "Told") -> None:
    """How much is due, how much is done, up to which instant."""
    seconds = Seconds()
    progress = Progress(steady=seconds)

    progress.begin(MANY, NOON)
    progress.advance(100, NOON)
    seconds.now = EVERY_SECONDS
    progress.advance(200, NOON)
    progress.end()

    lines = [(each["due"], each.get("events")) for each in told("catching_up")]
    (ended,) = told("caught_up")
    assert lines == [(MANY, None), (MANY, 300)]
    assert told("catching_up")[1]["until"] == "2026-03-01T12:00:00Z"
    assert (ended["events"], ended["seconds"]) == (300, EVERY_SECONDS)


def test_a_terminal_gets_a_bar() -> None:
    """With what is done, what is due, and how far it has come."""
    said = StringIO()
    progress = Progress(Console(file=said, force_terminal=True, width=120))

    progress.begin(MANY, NOON)
    progress.advance(250, NOON)
    progress.end()

    assert "settling" in said.getvalue()
    assert f"250/{MANY}" in said.getvalue()


def test_what_is_no_terminal_gets_none() -> None:
    """Lines of a log do."""
    said = StringIO()
    progress = Progress(Console(file=said))

    progress.begin(MANY, NOON)
    progress.end()

    assert said.getvalue() == ""
