"""The commands `tokens`: who may use the HTTP interface, in which role, for which tenant."""

import getpass
import secrets
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from sublife.events.token import Role, Token, TokenError, new_token
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.deliveries import AsJson, StoreUrl, at, print_json
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import terminal

RANDOM_BYTES = 40

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Say who may use the HTTP interface."
)


@app.command("create")
def create_command(
    *,
    store: StoreUrl,
    label: Annotated[str, typer.Option(help="What it is for; stands in every change it makes.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.READ,
    tenant: Annotated[
        str | None, typer.Option(help="Whose rows it gives access to; default if not given.")
    ] = None,
    installation: Annotated[
        bool,
        typer.Option("--installation", help="For metrics and what concerns all; no tenant's rows."),
    ] = False,
    days: Annotated[
        float | None,
        typer.Option(min=0, max=36500, help="How long it is valid; for ever if not given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown now and never again.

    As soon as there is one, every request needs one.
    """
    if installation and tenant is not None:
        raise typer.BadParameter("give either --tenant or --installation")
    now = SystemClock().now()
    with opened(store, None, telling=(TokenError,)) as open_store:
        token, text = new_token(
            secrets.token_bytes(RANDOM_BYTES),
            tenant=None if installation else tenant or "default",
            role=role,
            label=label,
            now=now,
            created_by=_user(),
            expires_at=None if days is None else now + timedelta(days=days),
        )
        open_store.tokens.add(token)
    if as_json:
        print_json(_as_mapping(token) | {"token": text})
    else:
        sys.stdout.write(f"{text}\n")
        sys.stderr.write("note the token down: it is not shown again\n")


def _user() -> str:
    """Return the name of the account that runs the command; a container may have none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


@app.command("list")
def list_command(
    *,
    store: StoreUrl,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the tokens there are and were, without their secrets.

    Exit status: 0 done; 1 rows that cannot be read are left out and named; 2 the database cannot
    be opened.
    """
    left_out = LeftOut()
    with opened(store, None, reading=True) as open_store:
        every = open_store.tokens.all(left_out=left_out)
    found = [each for each in every if tenant in {None, each.tenant}]
    if as_json:
        print_json([_as_mapping(each) for each in found])
    else:
        _show(found)
    left_out.end()


def _show(found: Sequence[Token]) -> None:
    now = SystemClock().now()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("id", "tenant", "role", "label", "made", "by", "valid"):
        table.add_column(title, overflow="fold")
    for each in found:
        made, whose = iso(each.created_at), each.tenant or "(installation)"
        line = (each.id, whose, each.role.value, each.label, made, each.created_by)
        table.add_row(
            *(escape(text) for text in (*line, _validity(each, is_valid=each.is_valid(now))))
        )
    terminal().print(table if found else "no tokens")


def _validity(token: Token, *, is_valid: bool) -> str:
    if token.revoked_at is not None:
        return f"revoked {iso(token.revoked_at)}"
    if token.expires_at is None:
        return "for ever"
    return f"{'until' if is_valid else 'expired'} {iso(token.expires_at)}"


@app.command("revoke")
def revoke_command(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as listed.")],
    *,
    store: StoreUrl,
    as_json: AsJson = False,
) -> None:
    """Let a token be valid no longer, from the next request on."""
    with opened(store, None, telling=(TokenError,)) as open_store:
        token = open_store.tokens.revoke(identifier, SystemClock().now())
    if as_json:
        print_json(_as_mapping(token))
    else:
        sys.stdout.write(f"{token.id} is revoked\n")


def _as_mapping(token: Token) -> dict[str, Any]:
    """Return a token without its hash."""
    return {
        "id": token.id,
        "tenant": token.tenant,
        "role": token.role.value,
        "label": token.label,
        "created_at": at(token.created_at),
        "created_by": token.created_by,
        "expires_at": at(token.expires_at),
        "revoked_at": at(token.revoked_at),
    }
