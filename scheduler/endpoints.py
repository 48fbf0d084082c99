"""The commands `endpoints`: where facts are posted to, and the secrets that sign them."""

import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sublife.events.outbox import (
    Body,
    Endpoint,
    Filters,
    add_endpoint,
    rotate_secret,
    try_endpoint,
)
from sublife.events.outbox.endpoint import new_secret
from sublife.events.printable import printable
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.deliveries import FAILED, AsJson, StoreUrl, Tenant, at, opened, print_json
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.screen import say, terminal

SECRET_BYTES = 32

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Say where facts are posted to.")

Id = Annotated[str, typer.Argument(help="The endpoint's id.")]


@app.command("add")
def add_command(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A name for the endpoint.")],
    url: Annotated[str, typer.Argument(help="Where to post to: https://name/path.")],
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    body: Annotated[Body, typer.Option(help="How a fact is written.")] = Body.CLOUDEVENTS,
    fact: Annotated[list[str] | None, typer.Option(help="Only facts of this name.")] = None,
    lifecycle: Annotated[list[str] | None, typer.Option(help="Only of this lifecycle.")] = None,
    customer: Annotated[list[str] | None, typer.Option(help="Only of this customer.")] = None,
    partner: Annotated[list[str] | None, typer.Option(help="Only of this partner.")] = None,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="It may lie at an address that is not public.")
    ] = False,
    allow_http: Annotated[
        bool, typer.Option("--allow-http", help="It may do without TLS.")
    ] = False,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Post all facts there are, not only new ones.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add an endpoint. Its secret is shown now and never again."""
    filters = Filters(*(tuple(each or ()) for each in (fact, lifecycle, customer, partner)))
    with opened(store, tenant) as open_store:
        endpoint = Endpoint(
            id=identifier,
            url=url,
            body=body,
            filters=filters,
            secret=new_secret(secrets.token_bytes(SECRET_BYTES)),
            allow_private=allow_private,
            allow_http=allow_http,
        )
        add_endpoint(open_store, endpoint, SystemClock().now(), from_start=from_start)
    if as_json:
        print_json({**_as_mapping(endpoint), "secret": endpoint.secret})
    else:
        _tell_secret(identifier, endpoint.secret)


def _tell_secret(identifier: str, secret: str) -> None:
    sys.stdout.write(f"{identifier} signs with {secret}\n")
    sys.stderr.write("note the secret down: it is not shown again\n")


def _as_mapping(endpoint: Endpoint) -> dict[str, Any]:
    """Return an endpoint without its secrets."""
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "body": endpoint.body.value,
        "filters": {name: list(wanted) for name, wanted in asdict(endpoint.filters).items()},
        "allow_private": endpoint.allow_private,
        "allow_http": endpoint.allow_http,
        "previous_secret_until": at(endpoint.previous_until),
        "paused_at": at(endpoint.paused_at),
        "paused_because": endpoint.paused_because,
    }


@app.command("list")
def list_command(*, store: StoreUrl, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List the endpoints, without their secrets.

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the database cannot
    be opened.
    """
    left_out = LeftOut()
    with opened(store, tenant, reading=True) as open_store:
        found = open_store.endpoints.all(left_out=left_out)
    if as_json:
        print_json([_as_mapping(each) for each in found])
    else:
        _show(found)
    left_out.end()


def _show(found: Sequence[Endpoint]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("id", "url", "body", "wants", "paused"):
        table.add_column(title, overflow="fold")
    for each in found:
        paused = f"{at(each.paused_at)}: {each.paused_because}" if each.paused_at else ""
        line = (each.id, each.url, each.body.value, _wants(each.filters), paused)
        table.add_row(*(escape(text) for text in line))
    terminal().print(table if found else "no endpoints")


def _wants(filters: Filters) -> str:
    said = [f"{name} {', '.join(wanted)}" for name, wanted in asdict(filters).items() if wanted]
    return "; ".join(said) or "everything"


@app.command("rotate-secret")
def rotate_command(
    identifier: Id,
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    hours: Annotated[
        float, typer.Option(min=0, max=87_600, help="How long the secret before stays valid.")
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Sign with a new secret, and for a while with the one before as well."""
    with opened(store, tenant) as open_store:
        secret = new_secret(secrets.token_bytes(SECRET_BYTES))
        now, overlap = SystemClock().now(), timedelta(hours=hours)
        until = rotate_secret(open_store, identifier, secret, now=now, overlap=overlap)
    if as_json:
        print_json({"id": identifier, "secret": secret, "previous_secret_until": at(until)})
    else:
        _tell_secret(identifier, secret)
        sys.stdout.write(f"the one before is valid until {at(until)}\n")


@app.command("pause")
def pause_command(
    identifier: Id,
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    because: Annotated[str, typer.Option(help="Why; shown in the list.")] = "asked for",
) -> None:
    """Post nothing more; what happens meanwhile is posted when it is resumed."""
    with opened(store, tenant) as open_store:
        open_store.endpoints.pause(identifier, SystemClock().now(), because)
    sys.stdout.write(f"{identifier} is paused\n")


@app.command("resume")
def resume_command(identifier: Id, *, store: StoreUrl, tenant: Tenant = "default") -> None:
    """Post again, beginning with what has happened meanwhile."""
    with opened(store, tenant) as open_store:
        open_store.endpoints.pause(identifier, None)
    sys.stdout.write(f"{identifier} goes on\n")


@app.command("remove")
def remove_command(
    identifier: Id,
    *,
    store: StoreUrl,
    tenant: Tenant = "default",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take an endpoint away, with all that is still on its way to it."""
    if not yes:
        typer.confirm(f"Remove {identifier}, and what is still on its way to it?", abort=True)
    with opened(store, tenant) as open_store:
        open_store.endpoints.remove(identifier)
    sys.stdout.write(f"{identifier} is removed\n")


@app.command("test")
def try_command(
    identifier: Id, *, store: StoreUrl, tenant: Tenant = "default", as_json: AsJson = False
) -> None:
    """Post `test-created` now, and tell what came back (EVT-11).

    Exit status: 0 it was taken, 1 it was not.
    """
    trial = f"test-{secrets.token_hex(8)}"
    with opened(store, tenant) as open_store:
        answer = try_endpoint(open_store, identifier, trial, now=SystemClock().now())
    if as_json:
        print_json({"id": trial, "status": answer.status, "error": answer.error})
    else:
        say(printable(f"{trial}: {answer.error or f'answered {answer.status}'}"))
    raise typer.Exit(0 if answer.is_accepted else FAILED)
