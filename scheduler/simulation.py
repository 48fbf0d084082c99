"""The commands `clock` and `fork`: simulated tenants next to live ones, and their time."""

import re
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from sublife.events.intake import Outcome
from sublife.events.printable import printable
from sublife.events.simulation import Advanced, Simulation, advance, fork, remove, simulate
from sublife.events.store import Store
from sublife.lifecycle.dates import add_months
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.model import iso
from sublife.scheduler.deliveries import AsJson, StoreUrl, at, print_json
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.log import instant
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import say, standard_error, terminal
from sublife.scheduler.telling import tell

STUCK = 1
MANY = 20
"""From so many subjects on there is no timeline unless it is asked for."""
_LENGTH = re.compile(r"(\d{1,9})(h|d|w|mo|y)\Z")
_HOURS = {"h": 1, "d": 24, "w": 168}
_MONTHS = {"mo": 1, "y": 12}

app = typer.Typer(
    no_args_is_help=True, help="Make simulated tenants next to live ones, and move their clocks."
)
Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="A simulated tenant.")]


def later(since: datetime, length: str) -> datetime:
    """Return the instant a *length* such as `36h`, `45d`, `2w`, `3mo` or `1y` after another.

    Months and years lead to the same day, or to the last one of a month that has no such day.

    Raises:
        typer.BadParameter: it is no length, or leads beyond the year 9999.
    """
    found = _LENGTH.match(length)
    if found is None:
        raise typer.BadParameter(
            f'"{length}" is no length; write 36h, 45d, 2w, 3mo or 1y', param_hint="--by"
        )
    number, unit = int(found[1]), found[2]
    try:
        if unit in _HOURS:
            return since + timedelta(hours=number * _HOURS[unit])
        day = add_months(since.date(), number * _MONTHS[unit])
    except (OverflowError, ValueError) as error:
        raise typer.BadParameter(
            f"{length} after {iso(since)} is beyond the year 9999", param_hint="--by"
        ) from error
    return datetime.combine(day, since.timetz())


@app.command("create")
def create_command(
    tenant: Tenant,
    *,
    store: StoreUrl,
    at_: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=instant,
            metavar="INSTANT",
            show_default=False,
            help="What its clock shows first, a UTC day or instant; now if not given.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a tenant with nothing in it a simulated one.

    Exit status: 0 done; 2 there is something of the tenant, or the database cannot be opened.
    """
    with opened(store, None) as found:
        made = simulate(found, tenant, at_)
    if as_json:
        print_json(_as_mapping(made))
    else:
        say(f"{made.tenant} is simulated; its clock shows {iso(made.now)}")


@app.command("show")
def show_command(
    tenant: Annotated[str | None, typer.Argument(metavar="[TENANT]", help="Only this one.")] = None,
    *,
    store: StoreUrl,
    as_json: AsJson = False,
) -> None:
    """List the simulated tenants, and what their clocks show.

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the tenant is not
    simulated, or the database cannot be opened.
    """
    left_out = LeftOut()
    with opened(store, None, reading=True) as open_store:
        every = open_store.simulations
        found = every.all(left_out=left_out) if tenant is None else (every.get(tenant),)
    if as_json:
        print_json([_as_mapping(each) for each in found])
    else:
        _show_all(found)
    left_out.end()


def _show_all(found: Sequence[Simulation]) -> None:
    table = _table("tenant", "clock", "subjects", "next due")
    for each in found:
        due = at(each.next_due_at) or ""
        table.add_row(escape(printable(each.tenant)), iso(each.now), f"{each.subjects:,}", due)
    terminal().print(table if found else "no simulated tenants")


def _as_mapping(found: Simulation) -> dict[str, object]:
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in asdict(found).items()
    }


@app.command("advance")
def advance_command(
    tenant: Tenant,
    *,
    store: StoreUrl,
    by: Annotated[
        str | None, typer.Option(help="How far: 36h, 45d, 2w, 3mo or 1y.", show_default=False)
    ] = None,
    to: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="INSTANT",
            show_default=False,
            help="Up to this UTC day or instant, inclusive.",
        ),
    ] = None,
    timeline: Annotated[
        bool | None,
        typer.Option(
            "--timeline/--no-timeline",
            help=f"Show what happens, line by line; by default for up to {MANY} subjects.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Move the clock of a simulated tenant forward; all that is due on the way happens, in order.

    It may be ended at any time: nothing is lost, and advancing again goes on. Live tenants are
    never touched.

    Exit status: 0 done; 1 a subject could not be moved and stays due; 2 the tenant is not
    simulated, the instant has passed there, or the database cannot be opened.
    """
    if (by is None) == (to is None):
        raise typer.BadParameter("say how far with --by or with --to, one of them")
    with opened(store, None) as open_store:
        standing = open_store.simulations.get(tenant)
        until = later(standing.now, by) if by is not None else to or standing.now
        shows = timeline if timeline is not None else standing.subjects <= MANY
        whatif = open_store.of(tenant)
        done = _advanced(whatif, standing, until, collect=shows and not as_json)
    if as_json:
        print_json(_told(done))
    else:
        _show(terminal(), done, others=standing.subjects != 1)
    raise typer.Exit(STUCK if done.stuck else 0)


def _advanced(store: Store, standing: Simulation, to: datetime, *, collect: bool) -> Advanced:
    with _progress(standing.now, to) as told:
        return advance(store, to, collect=collect, told=told)


@contextmanager
def _progress(since: datetime, to: datetime) -> Generator[Callable[[Advanced], None] | None]:
    """Show on a terminal how far the clock has come, and how much has happened."""
    console = standard_error()
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[events]:,}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(iso(since), total=(to - since).total_seconds() or 1, events=0)

        def told(part: Advanced) -> None:
            events = bar.tasks[0].fields["events"] + part.count
            passed = (part.now - since).total_seconds()
            bar.update(task, completed=passed, description=iso(part.now), events=events)

        yield told


def _told(done: Advanced) -> dict[str, object]:
    return {
        "tenant": done.tenant,
        "since": iso(done.since),
        "now": iso(done.now),
        "events": done.count,
        "stuck": [asdict(each) for each in done.stuck],
    }


def _show(console: Console, done: Advanced, *, others: bool) -> None:
    happened = [each for outcome in done.outcomes for each in outcome.sequence()]
    if happened:
        console.print(_timeline(happened, others=others))
    for each in done.stuck:
        said = escape(printable(f"{each.subject} stays due: {each.reason}"))
        console.print(f"[bold red]stuck[/] {said}", soft_wrap=True)
    events = f"{done.count:,} event{'' if done.count == 1 else 's'}"
    name = escape(printable(done.tenant))
    console.print(
        f"[bold]{name}[/] went from {iso(done.since)} to {iso(done.now)}: {events}", soft_wrap=True
    )


def _timeline(happened: Iterable[Outcome], *, others: bool) -> Table:
    """Return what happened to whom and when, in plain sentences; what tells nothing is left out."""
    table = _table()
    for _ in range(4):
        table.add_column(overflow="fold")
    previous = ""
    for each in happened:
        said = tell(each, each.snapshot)
        if not said and each.own_state == each.state_before:
            continue
        shown_at = iso(each.event.at)
        changed = each.own_state != each.state_before
        subject = f"{each.event.subject}: " if others else ""
        table.add_row(
            Text(shown_at if shown_at != previous else "", style="cyan"),
            f"→ {each.own_state}" if changed else each.own_state,
            Text(printable(subject + " ".join(said))),
            Text(" ".join(each.rules), style="bright_black"),
        )
        previous = shown_at
    return table


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(titles))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


@app.command("remove")
def remove_command(
    tenant: Tenant,
    *,
    store: StoreUrl,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take a simulated tenant away, with all that is in it; a live one is never removed.

    Exit status: 0 done; 2 the tenant is not simulated, or the database cannot be opened.
    """
    if not yes:
        typer.confirm(f"Remove the simulated tenant {tenant} with all that is in it?", abort=True)
    with opened(store, None) as open_store:
        count = remove(open_store, tenant)
    say(f"{tenant} is removed, with {count:,} subject{'' if count == 1 else 's'}")


def fork_command(
    subjects: Annotated[
        list[str], typer.Argument(metavar="SUBJECT", help="Ids; all as of one instant.")
    ],
    *,
    store: StoreUrl,
    into: Annotated[str, typer.Option(help="A simulated tenant; a new one is made, at now.")],
    tenant: Annotated[str, typer.Option(help="Whose subjects.")] = "default",
    as_json: AsJson = False,
) -> None:
    """Copy live subjects into a simulated tenant, to see their future with `clock advance`.

    With each come all subjects of its customer and whatever else its decisions read, with their
    whole history. The live tenant is not changed.

    Exit status: 0 done; 2 there is no such subject, it is in the simulated tenant already, or the
    database cannot be opened.
    """
    with opened(store, tenant, telling=(UnknownSubjectError,)) as open_store:
        done = fork(open_store, subjects, into)
    if as_json:
        print_json({**asdict(done), "now": iso(done.now)})
        return
    count, events = len(done.subjects), f"{done.events:,} event{'' if done.events == 1 else 's'}"
    say(
        f"{done.tenant} holds {count:,} more subject{'' if count == 1 else 's'} with {events}; "
        f"its clock shows {iso(done.now)}"
    )
