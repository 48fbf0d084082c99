"""The command `lifecycles`: prints the state diagrams, and checks that a page is current."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sublife.events.document import DocumentError, read
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.machine import UnknownLifecycleError, lifecycle_named
from sublife.scheduler.diagram import document
from sublife.scheduler.screen import complain

CURRENT, NOT_CURRENT, WRONG_INPUT = 0, 1, 2


def lifecycles_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Only these lifecycles; all if none is named.")
    ] = None,
    *,
    check: Annotated[
        Path | None, typer.Option(help="Fail if this file is not what would be printed.")
    ] = None,
) -> None:
    """Print the lifecycles as state diagrams (Mermaid), drawn from their rules.

    With --check, exit status 1 if the file is not current, 2 if there is none.
    """
    try:
        text = document([lifecycle_named(name) for name in names or LIFECYCLES])
        current = check is None or read(check) == text
    except (DocumentError, UnknownLifecycleError) as error:
        complain("wrong input", error)
        raise typer.Exit(WRONG_INPUT) from error
    if check is None:
        sys.stdout.write(text)
    elif not current:
        complain("not current", f"{check}; write it again: sublife lifecycles > {check}")
    raise typer.Exit(CURRENT if current else NOT_CURRENT)
