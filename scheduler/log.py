"""The command `log`: shows activity and order records, and writes them out."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sublife.events.export import (
    ACTIVITIES,
    ORDERS,
    Format,
    Record,
    Sheet,
    month_before,
    write_csv,
    write_file,
    write_jsonl,
)
from sublife.events.printable import printable, printable_lines
from sublife.events.records import Kind
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import standard_error, terminal

_STDOUT = Path("-")
_PAGE = 500
"""Lines under one heading; more are not held at once."""
_STAGES = {"succeeded": "green", "failed": "red"}


EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""What an option may say: from the one on, and before the other."""


def instant(said: str) -> datetime:
    """Return what an option says as an instant in UTC: a day is its beginning (GEN-01).

    Raises:
        typer.BadParameter: it is no day and no instant, or has no time zone.
    """
    try:
        if len(said) == len("2026-01-31"):
            day = date.fromisoformat(said)
            return _within(datetime(day.year, day.month, day.day, tzinfo=UTC), said)
        at = datetime.fromisoformat(said)
    except ValueError as error:
        raise typer.BadParameter(
            f'"{said}" is no instant; write 2026-01-31 or 2026-01-31T12:00:00Z'
        ) from error
    if at.tzinfo is None:
        raise typer.BadParameter(f'"{said}" has no time zone; write {said}Z')
    return _within(at, said)


def _within(at: datetime, said: str) -> datetime:
    """Return an instant in UTC, with room for the months before it and the terms after it."""
    if not EARLIEST <= at < LATEST:
        raise typer.BadParameter(
            f'"{said}" is out of range; give an instant from {EARLIEST.year} to {LATEST.year - 1}'
        )
    return at.astimezone(UTC)


def log_command(
    *,
    store: Annotated[
        str, typer.Option(help="The database: sqlite:///file.db or postgresql://user@host/base.")
    ],
    tenant: Annotated[str, typer.Option(help="Whose records.")] = "default",
    orders: Annotated[
        bool, typer.Option("--orders", help="Order records instead of activity records.")
    ] = False,
    customer: Annotated[str | None, typer.Option(help="Only of this customer tenant.")] = None,
    partner: Annotated[str | None, typer.Option(help="Only of this partner tenant.")] = None,
    subscription: Annotated[str | None, typer.Option(help="Only of this subscription.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only activity records of this kind.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="INSTANT",
            show_default=False,
            help="From this UTC day or instant on; the last month if not given.",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="INSTANT",
            show_default=False,
            help="Up to this UTC day or instant, exclusive.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="From the beginning on.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option(help="Write CSV, as Partner Center's activity log has it; - to print it."),
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="Write JSON Lines, every field; - to print them.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write a Parquet file; needs the extra parquet.")
    ] = None,
) -> None:
    """Show the activity records of the last month, or write them out (EVT-07).

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the database cannot
    be opened, or the file cannot be written.
    """
    target = _only_target((Format.CSV, csv), (Format.JSONL, jsonl), (Format.PARQUET, parquet))
    if orders and kind is not None:
        raise typer.BadParameter("order records have no kind; leave --kind or --orders away")
    if everything and since is not None:
        raise typer.BadParameter("--all and --since do not go together; give one of them")
    if since is None and not everything:
        since = month_before(until or SystemClock().now())
    if since is not None and until is not None and since >= until:
        raise typer.BadParameter(f"--since {iso(since)} is not before --until {iso(until)}")
    filters: dict[str, Any] = {
        "customer": customer,
        "partner": partner,
        "subscription": subscription,
        "since": since,
        "until": until,
        **({"kind": kind.value} if kind else {}),
    }
    left_out = LeftOut()
    with opened(store, tenant, reading=True) as found:
        ask = found.stream_orders if orders else found.stream_records
        with closing(ask(**filters, left_out=left_out)) as records:
            if target is None:
                _show(records, _period(since, until), orders=orders)
            else:
                _write(records, *target, orders=orders)
    left_out.end()


def _only_target(*targets: tuple[Format, Path | None]) -> tuple[Format, Path] | None:
    given = [(form, path) for form, path in targets if path is not None]
    if len(given) > 1:
        names = " and ".join(f"--{form}" for form, _ in given)
        raise typer.BadParameter(f"{names} do not go together; give one of them")
    if (Format.PARQUET, _STDOUT) in given:
        raise typer.BadParameter("--parquet is no text that could be printed; name a file")
    return given[0] if given else None


def _period(since: datetime | None, until: datetime | None) -> str:
    parts = (f"since {iso(since)}" if since else "", f"until {iso(until)}" if until else "")
    return " ".join(part for part in parts if part) or "of all times"


def _write(records: Iterable[Record], form: Format, path: Path, *, orders: bool) -> None:
    sheet = ORDERS if orders else ACTIVITIES
    if path == _STDOUT:
        _print(records, sheet, form)
        return
    count = write_file(records, sheet, form, path)
    said = f"{count} {_name(count, orders=orders)} written to {path}"
    standard_error().print(Text(said), soft_wrap=True)


class Shown(TextIOWrapper):
    """A terminal; a file or a pipe gets what is exported as it is."""

    def write(self, text: str, /) -> int:
        """Write *text* with every character visible."""
        return super().write(printable_lines(text.replace("\r\n", "\n")))


def _print(records: Iterable[Record], sheet: Sheet, form: Format) -> None:
    """Write text to the standard output, in UTF-8 whatever the terminal speaks."""
    kind = Shown if sys.stdout.isatty() else TextIOWrapper
    out = kind(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        if form is Format.CSV:
            write_csv(records, sheet, out)
        else:
            write_jsonl(records, out)
        out.flush()
    finally:
        out.detach()


def _name(count: int, *, orders: bool) -> str:
    return f"{'order' if orders else 'activity'} record{'' if count == 1 else 's'}"


_ACTIVITY: Mapping[str, Callable[[Record], str]] = {
    "when": lambda record: iso(record["effective_at"]),
    "customer": lambda record: record["customer"],
    "subscription": lambda record: record["subscription"],
    "kind": lambda record: record["kind"],
    "stage": lambda record: record["stage"],
    "what": lambda record: record["code"] or record["fact"],
    "by": lambda record: f"{record['actor_kind']} {record['actor_id']}",
    "rules": lambda record: record["rules"],
}
_ORDER: Mapping[str, Callable[[Record], str]] = {
    "when": lambda record: iso(record["effective_at"]),
    "customer": lambda record: record["customer"],
    "subscription": lambda record: record["subscription"],
    "transaction": lambda record: record["transaction"],
    "quantity": lambda record: str(record["quantity"]),
    "plan": lambda record: f"{record['sku']} {record['term']}/{record['billing']}",
    "amount": lambda record: " ".join(
        str(each) for each in (record["amount"], record["currency"]) if each is not None
    ),
    "order": lambda record: record["id"],
}


def _show(records: Iterator[Record], period: str, *, orders: bool) -> None:
    """Print a table, page by page, and how many there were."""
    console, count = terminal(), 0
    while page := list(islice(records, _PAGE)):
        count += len(page)
        console.print(_table(page, _ORDER if orders else _ACTIVITY))
    console.print(f"{count} {_name(count, orders=orders)} {period}")


def _table(page: Iterable[Record], columns: Mapping[str, Callable[[Record], str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in columns:
        table.add_column(title, overflow="fold", justify="right" if title == "quantity" else "left")
    for record in page:
        style = _STAGES.get(record.get("stage", ""), "")
        cells = [Text(printable(value(record))) for value in columns.values()]
        for cell, title in zip(cells, columns, strict=True):
            cell.style = style if title == "stage" else "cyan" if title == "when" else ""
        table.add_row(*cells)
    return table
