"""Shows how far a long look has come: log lines, and a bar on a terminal."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from sublife.events.logs import log
from sublife.lifecycle.model import iso

MANY = 1000
"""From so many due subjects on, progress is shown."""
EVERY_SECONDS = 5.0


class Progress:
    """How far the settling of much that is due has come.

    Args:
        console: where to draw a bar; none is drawn where it is no terminal.
        steady: counts seconds.
    """

    def __init__(
        self, console: Console | None = None, steady: Callable[[], float] = monotonic
    ) -> None:
        self._console = console
        self._steady = steady
        self._lock = Lock()
        self._due = 0
        self._events = 0
        self._began = self._told = 0.0
        self._bar: tuple[Bar, TaskID] | None = None

    def begin(self, due: int, oldest: datetime) -> None:
        """Begin, if much is due.

        Args:
            due: subjects.
            oldest: UTC instant of what was due first.
        """
        if due < MANY:
            return
        self._due, self._events = due, 0
        self._began = self._told = self._steady()
        log.info("catching_up", due=due, oldest=iso(oldest))
        if self._console is not None and self._console.is_terminal:
            bar = Bar(
                TextColumn("settling"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[until]}"),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bar = bar, bar.add_task("settling", total=due, until=iso(oldest))
            bar.start()

    def advance(self, events: int, until: datetime) -> None:
        """Count a batch.

        Args:
            events: it had; one subject may have several.
            until: UTC instant up to which it went.
        """
        with self._lock:
            if not self._due:
                return
            self._events += events
            if self._bar is not None:
                bar, task = self._bar
                total = max(self._due, self._events)
                bar.update(task, completed=self._events, total=total, until=iso(until))
            now = self._steady()
            if now - self._told >= EVERY_SECONDS:
                self._told = now
                log.info("catching_up", due=self._due, events=self._events, until=iso(until))

    def end(self) -> None:
        """End it, if it was begun."""
        with self._lock:
            if self._bar is not None:
                self._bar[0].stop()
                self._bar = None
            if self._due:
                seconds = round(self._steady() - self._began, 3)
                log.info("caught_up", due=self._due, events=self._events, seconds=seconds)
                self._due = 0
