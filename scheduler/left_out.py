"""Names the rows that a command leaves out because they cannot be read, and says so at its end."""

import typer

from sublife.events.store.error import UnreadableError
from sublife.scheduler.screen import complain

NOT_ALL = 1
MOST = 10
"""Rows that are named one by one."""


class LeftOut:
    """Names each row that is left out, on the standard error, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, error: UnreadableError) -> None:
        """Name a row that is left out."""
        self._count += 1
        if self._count <= MOST:
            complain("left out", error)

    def end(self) -> None:
        """End the command with exit status 1 where a row was left out.

        Raises:
            typer.Exit: one was.
        """
        if self._count > MOST:
            complain("left out", f"and {self._count - MOST} more rows that cannot be read")
        if self._count:
            raise typer.Exit(NOT_ALL)
