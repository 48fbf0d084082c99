"""The commands `deliveries`: what is on its way, what was given up, and sending it again."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from random import SystemRandom
from threading import Event as Signal
from types import FrameType
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sublife.events.outbox import Delivery, Settings, Status, deliver, keep_delivering, relay
from sublife.events.outbox.endpoint import EndpointError
from sublife.events.printable import printable
from sublife.events.store import Page, Store
from sublife.events.store.delivery import UnknownConsumerError
from sublife.events.webhook import ExtraMissingError
from sublife.events.webhook.address import AddressError
from sublife.events.webhook.body import message
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.opened import opened as open_store
from sublife.scheduler.screen import say, say_json, terminal

FAILED = 1

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="See what is on its way to handlers and endpoints; send it again.",
)

StoreUrl = Annotated[
    str,
    typer.Option("--store", help="The database: sqlite:///file.db or postgresql://user@host/base."),
]
Tenant = Annotated[str, typer.Option(help="Whose deliveries and endpoints.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The endpoint or handler.")]


opened = partial(
    open_store, may_be_new=True, telling=(EndpointError, AddressError, ExtraMissingError)
)
"""Opens the store of these commands: an endpoint may come before the first event of its tenant."""


def print_json(said: object) -> None:
    """Print a value as JSON."""
    say_json(said)


def at(instant: datetime | None) -> str | None:
    """Return an instant as the project writes it."""
    return None if instant is None else iso(instant)


@app.command("list")
def list_command(
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    status: Annotated[
        list[Status] | None, typer.Option(help="Only these; dead and pending if not given.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Only of this endpoint or handler.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only of this subject.")] = None,
    fact: Annotated[str | None, typer.Option(help="Only facts of this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows of each status.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what is on its way and what was given up, the oldest first.

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the database cannot
    be opened.
    """
    left_out = LeftOut()
    with opened(store, tenant, reading=True) as open_store:
        ask = partial(
            open_store.deliveries.list,
            consumer=endpoint,
            subject=subject,
            fact=fact,
            left_out=left_out,
        )
        found = [
            each
            for wanted in dict.fromkeys(status or (Status.DEAD, Status.PENDING))
            for each in islice(_all(partial(ask, status=wanted)), limit)
        ]
    if as_json:
        print_json([_as_mapping(each) for each in found])
    else:
        _show(found)
    left_out.end()


def _show(found: Sequence[Delivery]) -> None:
    console = terminal()
    if not found:
        console.print("no such deliveries")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("to", "fact", "what", "subject", "status", "attempts", "next or end", "why"):
        table.add_column(title, overflow="fold")
    for each in found:
        table.add_row(*(escape(text) for text in _line(each)))
    console.print(table)


def _all(ask: Callable[..., Page[Delivery]]) -> Iterator[Delivery]:
    """Yield every delivery of a question, page by page."""
    page = ask()
    yield from page
    while page.next is not None:
        page = ask(after=page.next)
        yield from page


def _line(each: Delivery) -> tuple[str, ...]:
    ends = at(each.ended_at or each.next_attempt_at) or "after an earlier fact"
    return (
        each.consumer,
        each.fact_id,
        each.fact,
        each.subject,
        each.status.value,
        str(each.attempts),
        ends,
        each.error or "",
    )


def _as_mapping(each: Delivery) -> dict[str, Any]:
    return {
        "endpoint": each.consumer,
        "fact_id": each.fact_id,
        "fact": each.fact,
        "subject": each.subject,
        "sequence": each.sequence,
        "customer": each.customer,
        "partner": each.partner,
        "status": each.status.value,
        "attempts": each.attempts,
        "created_at": at(each.created_at),
        "first_attempt_at": at(each.first_attempt_at),
        "next_attempt_at": at(each.next_attempt_at),
        "ended_at": at(each.ended_at),
        "status_code": each.status_code,
        "error": each.error,
    }


FactId = Annotated[str, typer.Argument(help="The fact's id, as the list shows it.")]


def _parts(fact_id: str) -> tuple[str, int]:
    event_id, mark, number = fact_id.rpartition("#")
    if not (mark and number.isascii() and number.isdecimal()):
        raise typer.BadParameter(
            f'"{fact_id}" is no id of a fact; write the event\'s id, # and a number'
        )
    return event_id, int(number)


@app.command("show")
def show_command(
    name: Name,
    fact_id: FactId,
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show one delivery, with the body as an endpoint gets it."""
    with opened(store, tenant, reading=True) as open_store:
        found = open_store.deliveries.find(name, *_parts(fact_id))
        said = _as_mapping(found) | {"body": _body(open_store, found)}
    if as_json:
        print_json(said)
        return
    for field, value in said.items():
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        say(printable(f"{field:17}{'' if shown is None else shown}"))


def _body(store: Store, found: Delivery) -> dict[str, Any] | None:
    """Return what an endpoint gets; a handler gets the fact itself."""
    try:
        endpoint = store.endpoints.get(found.consumer)
    except UnknownConsumerError:
        return None
    said = message(store.deliveries.fact(found), endpoint.body, Settings().source)
    body: dict[str, Any] = json.loads(said.body)
    return body


@app.command("resend")
def resend_command(
    name: Name,
    fact_id: Annotated[str | None, typer.Argument(help="The fact's id.")] = None,
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    dead: Annotated[bool, typer.Option("--dead", help="All that was given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make one ended delivery due again, or with --dead all that was given up.

    They are sent with the next beat, in order per subject, and tried as if they were new.
    """
    if dead == (fact_id is not None):
        raise typer.BadParameter("give either the id of a fact or --dead")
    now = SystemClock().now()
    with opened(store, tenant) as open_store:
        if fact_id is None:
            count = open_store.deliveries.resend_dead(name, now)
        else:
            was = open_store.deliveries.resend(name, *_parts(fact_id), now)
            count = int(was.status is not Status.PENDING)
    if as_json:
        print_json({"endpoint": name, "due_again": count})
    else:
        sys.stdout.write(f"{count} due again\n")


@app.command("send")
def send_command(
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    every: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=86_400,
            help="Go on, looking again after so many seconds, until interrupted.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Post what has been committed and what is due to the endpoints: once, or again and again."""
    chance = SystemRandom().random
    with opened(store, tenant) as open_store:
        if every is not None:
            _keep(open_store, every)
            return
        counts = dict.fromkeys(("relayed", "delivered", "failed", "dead"), 0)
        counts["relayed"] = relay(open_store, SystemClock().now())
        while (done := deliver(open_store, SystemClock().now(), chance=chance)).count:
            for name in ("delivered", "failed", "dead"):
                counts[name] += getattr(done, name)
    if as_json:
        print_json(counts)
    else:
        sys.stdout.write(", ".join(f"{count} {name}" for name, count in counts.items()) + "\n")


def _keep(store: Store, every: float) -> None:
    """Go on until a signal says to end; posts under way have a few seconds then."""
    stop = Signal()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    keep_delivering(store, stop, chance=SystemRandom().random, beat_seconds=every)


@app.command("prune")
def prune_command(
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    days: Annotated[
        int, typer.Option(min=0, max=36_500, help="Keep what was delivered within these.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Forget what was delivered long ago; what was given up stays."""
    with opened(store, tenant) as open_store:
        count = open_store.deliveries.prune(SystemClock().now() - timedelta(days=days))
    if as_json:
        print_json({"forgotten": count})
    else:
        sys.stdout.write(f"{count} forgotten\n")


@app.command("rebase")
def rebase_command(*, store: StoreUrl) -> None:
    """Lower the transaction numbers of a PostgreSQL database restored from another server's dump.

    For every tenant, while nothing else writes. Subjects, history and hashes stay as they are.
    """
    with opened(store, "default") as open_store:
        down = open_store.deliveries.rebase()
    sys.stdout.write(f"numbers lowered by {down}\n")
