"""The command `replay`: runs scenario files and shows what held and what did not."""

import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from sublife.events.document import DocumentError
from sublife.events.store import StoreError
from sublife.scheduler.replay import Replay, Result, total_digest
from sublife.scheduler.report import as_json, as_junit
from sublife.scheduler.scenario import find
from sublife.scheduler.screen import complain, standard_error, terminal
from sublife.scheduler.show import (
    show_faults,
    show_folders,
    show_next,
    show_summary,
    show_timeline,
)

HELD, FAILED, WRONG_INPUT = 0, 1, 2
MANY = 20
"""From so many scenarios on, a progress bar, and timelines only of those that failed."""

Paths = Annotated[list[Path], typer.Argument(help="Scenario files, or folders of them.")]


def replay_command(
    paths: Paths,
    *,
    digest: Annotated[
        bool, typer.Option("--digest", help="Print only the SHA-256 of every journal.")
    ] = False,
    as_json_: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
    store: Annotated[
        str | None, typer.Option(help="Keep the history in this database: sqlite:///file.db")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes to share the files.")] = 1,
    timelines: Annotated[
        bool | None,
        typer.Option(
            "--timelines/--no-timelines",
            help=f"Show what happened, line by line; by default for fewer than {MANY} files.",
        ),
    ] = None,
    story: Annotated[
        Path | None, typer.Option(help="Of these files, show what happened in this one.")
    ] = None,
    names: Annotated[
        bool,
        typer.Option("--names", help="In timelines, show each event and fact by its name as well."),
    ] = False,
) -> None:
    """Replay scenarios on the simulated clock and compare what happened with what is expected.

    A file that is wrong is named and left out; the others run.

    Exit status: 0 everything held, 1 an expectation failed, 2 a file or another input is wrong.
    """
    try:
        files = find(paths)
        shown = _chosen(files, story, every=len(files) < MANY if timelines is None else timelines)
        with Replay(files, url=store, jobs=jobs) as going:
            results = list(_progress(going.results(), len(files)))
    except (DocumentError, StoreError) as error:
        complain("wrong input", error)
        raise typer.Exit(WRONG_INPUT) from error
    show_faults(results)
    if junit is not None:
        junit.write_bytes(as_junit(results))
    if digest or as_json_:
        _print(results, json_=as_json_ and not digest)
    else:
        _show(results, shown, names=names)
    raise typer.Exit(_status(results))


def _chosen(files: Sequence[Path], story: Path | None, *, every: bool) -> frozenset[str]:
    """Return the paths whose timelines are shown although everything in them held.

    Raises:
        DocumentError: *story* is not among the files.
    """
    if story is None:
        return frozenset(map(str, files)) if every else frozenset()
    if story not in files:
        remedy = "not among the files to replay; name one of them"
        raise DocumentError(str(story), [(0, remedy)])
    return frozenset({str(story)})


def _status(results: Sequence[Result]) -> int:
    if any(result.faults for result in results):
        return WRONG_INPUT
    return HELD if all(result.held for result in results) else FAILED


def _progress(results: Iterator[Result], count: int) -> Iterator[Result]:
    """Show a bar on a terminal where there are many."""
    console = standard_error()
    if count < MANY or not console.is_terminal:
        yield from results
        return
    with Progress(console=console, transient=True) as bar:
        yield from bar.track(results, total=count, description="replaying")


def _print(results: Sequence[Result], *, json_: bool) -> None:
    """Print for machines: JSON, or digests."""
    if json_:
        sys.stdout.write(as_json(results) + "\n")
        return
    lines = [f"{result.digest}  {result.path}" for result in results if not result.faults]
    if not any(result.faults for result in results):
        lines.append(f"{total_digest(results)}  total")
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _show(results: Sequence[Result], shown: Container[str], *, names: bool) -> None:
    """Show for people: the timelines that are *shown* and of what failed, and a summary."""
    console = terminal()
    for result in results:
        if (result.path in shown and not result.faults) or result.differences:
            show_timeline(console, result, names=names)
    if len(results) >= MANY:
        show_folders(console, results)
    show_summary(console, results)
    if len(results) >= MANY:
        show_next(console, results)
