"""The command line: replay, rules, lifecycles, schema, and the commands of a store."""

import json
import sys
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from sublife.events.document import DocumentError, read
from sublife.events.store import StoreError
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.machine import UnknownLifecycleError, lifecycle_named
from sublife.scheduler import deliveries, endpoints, simulation, tokens
from sublife.scheduler.daemon.command import daemon_command
from sublife.scheduler.diagram import document
from sublife.scheduler.doctor import doctor_command
from sublife.scheduler.due import due_command
from sublife.scheduler.importing import import_command
from sublife.scheduler.log import log_command
from sublife.scheduler.migrate import migrate_command
from sublife.scheduler.pausing import pause_command, resume_command
from sublife.scheduler.replay import Replay, Result, total_digest
from sublife.scheduler.report import as_json, as_junit
from sublife.scheduler.rulebook import RuleUse, gaps, uses
from sublife.scheduler.scenario import find, load
from sublife.scheduler.schema import scenario_schema
from sublife.scheduler.screen import Screen, standard_error
from sublife.scheduler.show import (
    show_faults,
    show_folders,
    show_next,
    show_rules,
    show_summary,
    show_timeline,
    terminal,
)
from sublife.scheduler.subject import show_command
from sublife.scheduler.verify import verify_command
from sublife.scheduler.why import why_command

HELD, FAILED, WRONG_INPUT = 0, 1, 2
MANY = 20
"""From so many scenarios on, a progress bar, and timelines only of those that failed."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A subscription lifecycle engine: lifecycle decides, events record, scheduler wakes.",
    pretty_exceptions_enable=False,
)

Paths = Annotated[list[Path], typer.Argument(help="Scenario files, or folders of them.")]


@app.command("replay")
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
    jobs: Annotated[int, typer.Option(min=1, help="Processes to share the files.")] = 1,
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
    complaints = standard_error()
    try:
        files = find(paths)
        shown = _chosen(files, story, every=len(files) < MANY if timelines is None else timelines)
        with Replay(files, url=store, jobs=jobs) as going:
            results = list(_progress(going.results(), len(files)))
    except (DocumentError, StoreError) as error:
        complaints.print(f"[bold red]wrong input[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(WRONG_INPUT) from error
    show_faults(complaints, results)
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


@app.command("rules")
def rules_command(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Fail where a rule is not applied or not shown.")
    ] = False,
    chapter: Annotated[
        list[str] | None, typer.Option(help="Only these chapters, such as SUB.")
    ] = None,
    scenarios: Annotated[
        Path, typer.Option(help="The folder whose scenarios show the rules.")
    ] = Path("scenarios"),
    as_json_: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List every rule: what it says, its source, where it is applied, which scenarios show it.

    With --check, exit status 1 if a rule with an effect is applied nowhere or has no scenario,
    2 if a scenario is wrong or names a rule that does not exist.
    """
    complaints = standard_error()
    try:
        shown = [(str(path), load(path).rules) for path in find([scenarios])]
    except DocumentError as error:
        complaints.print(f"[bold red]wrong input[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(WRONG_INPUT) from error
    wanted = {name.upper() for name in chapter or ()}
    found = [use for use in uses(shown) if not wanted or use.rule.chapter in wanted]
    if check:
        raise typer.Exit(_check_rules(found, complaints))
    if as_json_:
        sys.stdout.write(json.dumps([_as_mapping(use) for use in found], indent=2) + "\n")
    else:
        show_rules(Screen(highlight=False), found)


def _check_rules(found: Sequence[RuleUse], complaints: Console) -> int:
    missing = gaps(found)
    for line in missing:
        complaints.print(f"[bold red]gap[/] {line}", soft_wrap=True)
    built = [use for use in found if use.rule.has_effect]
    told = [use for use in found if use.rule.informational]
    sys.stdout.write(
        f"{len(built) + len(told)} rules: {len(built)} have an effect, "
        f"{len(told)} are informational; {len(missing)} gaps\n"
    )
    return FAILED if missing else HELD


def _as_mapping(use: RuleUse) -> dict[str, Any]:
    rule = use.rule
    return {
        "id": rule.id,
        "chapter": rule.chapter,
        "says": rule.says,
        "decision": rule.decision,
        "source": rule.source,
        "origin": rule.origin,
        "effective": rule.effective,
        "informational": rule.informational,
        "applied_in": list(use.applied_in),
        "shown_by": list(use.shown_by),
    }


@app.command("lifecycles")
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
    complaints = standard_error()
    try:
        text = document([lifecycle_named(name) for name in names or LIFECYCLES])
        current = check is None or read(check) == text
    except (DocumentError, UnknownLifecycleError) as error:
        complaints.print(f"[bold red]wrong input[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(WRONG_INPUT) from error
    if check is None:
        sys.stdout.write(text)
    elif not current:
        remedy = f"write it anew: sublife lifecycles > {check}"
        complaints.print(f"[bold red]not current[/] {escape(f'{check}; {remedy}')}", soft_wrap=True)
    raise typer.Exit(HELD if current else FAILED)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of a scenario file, for editors and other tools."""
    sys.stdout.write(json.dumps(scenario_schema(), indent=2) + "\n")


app.command("migrate")(migrate_command)
app.command("import")(import_command)
app.command("log")(log_command)
app.command("verify")(verify_command)
app.command("due")(due_command)
app.command("show")(show_command)
app.command("why")(why_command)
app.command("pause")(pause_command)
app.command("resume")(resume_command)
app.command("doctor")(doctor_command)
app.command("daemon")(daemon_command)
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(simulation.app, name="clock")
app.command("fork")(simulation.fork_command)
app.add_typer(tokens.app, name="tokens")


def main() -> None:
    """Run the command line."""
    app()
