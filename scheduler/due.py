"""The command `due`: what the calendar brings in the next days, as a table, iCalendar or JSON."""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sublife.events.forecast import ForecastError, Foreseen, as_mapping, forecast
from sublife.events.pause import Pause
from sublife.events.printable import printable
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.ics import ExtraMissingError, calendar
from sublife.scheduler.left_out import NOT_ALL, LeftOut
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import say_json, standard_error, terminal

LONGEST_DAYS = 3660
_PAGE = 500
"""Lines under one heading; more are not held at once."""


def due_command(
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose calendar.")] = "default",
    days: Annotated[
        float, typer.Option(min=0, max=LONGEST_DAYS, help="How far to look, in days of 24 h.")
    ] = 30,
    customer: Annotated[str | None, typer.Option(help="Only of this customer tenant.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only of this partner tenant.")] = None,
    lifecycle: Annotated[str | None, typer.Option(help="Only of this lifecycle.")] = None,
    ics: Annotated[
        bool, typer.Option("--ics", help="Print iCalendar; needs the extra calendar.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
) -> None:
    """Tell what will happen in the next days if nobody asks for anything else.

    The calendar is run forward with all that follows from it; nothing is written.

    Exit status: 0 done; 1 something cannot be foreseen, or a row cannot be read, and is named; 2
    the database cannot be opened, or an option is wrong.
    """
    if ics and as_json:
        raise typer.BadParameter("--ics and --json do not go together; give one of them")
    telling = (UnknownLifecycleError, ExtraMissingError)
    left_out = LeftOut()
    with opened(store, tenant, reading=True, telling=telling) as found:
        now = found.clock.now()
        until = now + timedelta(days=days)
        pauses = found.pauses.of(tenant, left_out=left_out)
        events = forecast(found, until, customer=customer, partner=partner, lifecycle=lifecycle)
        try:
            if ics:
                for text in calendar(events, tenant, SystemClock().now()):
                    sys.stdout.write(text)
            elif as_json:
                for each in events:
                    say_json(as_mapping(each), indent=None)
            else:
                _show(events, now, until, pauses)
        except ForecastError as error:
            complaints = standard_error()
            complaints.print(f"[bold red]not all[/] {escape(str(error))}", soft_wrap=True)
            raise typer.Exit(NOT_ALL) from error
    left_out.end()


def _show(
    events: Iterator[Foreseen], now: datetime, until: datetime, pauses: Iterable[Pause]
) -> None:
    """Print a table, page by page, and how much there is."""
    console, count = terminal(), 0
    for pause in pauses:
        said = f"{pause}; until it ends, nothing of it is written, and it happens as told here"
        console.print(Text(printable(said), style="yellow"), soft_wrap=True)
    for page in _pages(events):
        count += len(page)
        console.print(_table(page, now))
    noun = "event" if count == 1 else "events"
    console.print(f"{count} {noun} from now, {iso(now)}, until {iso(until)}")


def _pages(events: Iterable[Foreseen]) -> Iterator[list[Foreseen]]:
    """Yield what is foreseen page by page, the last one also where not all is known.

    Raises:
        ForecastError: at the end, as `forecast` does.
    """
    page: list[Foreseen] = []
    try:
        for each in events:
            page.append(each)
            if len(page) == _PAGE:
                yield page
                page = []
    except ForecastError:
        if page:
            yield page
        raise
    if page:
        yield page


def _table(page: Iterable[Foreseen], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("when", "subject", "customer", "event", "state", "facts", "rules"):
        table.add_column(title, overflow="fold")
    for each in page:
        state = each.state if each.state == each.state_before else f"→ {each.state}"
        overdue = " (overdue)" if each.at < now else ""
        cells = (
            f"{iso(each.at)}{overdue}",
            each.subject,
            each.customer,
            each.event,
            state,
            ", ".join(each.facts),
            " ".join(each.rules),
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table
