"""A daemon on a simulated clock that a test moves.

Usage: python simulated.py CLOCK [FLAG VALUE]…, where CLOCK is a file with the instant it is, and
the flags are those of `sublife daemon`. It is the daemon of the command in all but its clock.
"""

import logging
import sys
from datetime import datetime
from pathlib import Path

from sublife.events.store import Store
from sublife.scheduler.daemon.command import run_until_signalled
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load


class FileClock:
    """Shows the instant that stands in a file; to itself it never jumps."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> datetime:
        return datetime.fromisoformat(self._path.read_text(encoding="utf-8"))

    def steady(self) -> float:
        return self.now().timestamp()


def no_witness(_store: Store) -> None:
    """The database goes by the real clock, which says nothing about this one."""


def run(clock: str, *flags: str) -> None:
    """Run until a signal says to end."""
    names = [each.removeprefix("--").replace("-", "_") for each in flags[::2]]
    settings = load(None, dict(zip(names, flags[1::2], strict=True)))
    run_until_signalled(Daemon(settings, clock=FileClock(Path(clock)), witness=no_witness))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    run(*sys.argv[1:])
