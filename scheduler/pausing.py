"""The commands `pause` and `resume`: the calendar stands still, and goes on."""

import getpass
from typing import Annotated

import typer

from sublife.events.pause import PauseError, pause, resume
from sublife.events.printable import printable
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.scheduler.left_out import LeftOut
from sublife.scheduler.opened import opened
from sublife.scheduler.screen import say

StoreUrl = Annotated[
    str,
    typer.Option("--store", help="The database: sqlite:///file.db or postgresql://user@host/base."),
]
Tenant = Annotated[
    str | None, typer.Option(help="Only this tenant; every tenant of the database if not given.")
]
Lifecycle = Annotated[
    str | None, typer.Option(help="Only subjects of this lifecycle; all if not given.")
]
By = Annotated[
    str | None,
    typer.Option(help="Who asks for it; the user running the command if not given."),
]


def pause_command(
    *,
    store: StoreUrl,
    reason: Annotated[str, typer.Option(help="Why; whoever meets the pause is told.")],
    tenant: Tenant = None,
    lifecycle: Lifecycle = None,
    by: By = None,
) -> None:
    """Let the calendar pass over everything, a tenant or a lifecycle, in all processes at once.

    Requests to what is paused are refused. After `resume` all that fell due happens, with its true
    instants.

    Exit status: 0 paused now or before; 2 the database cannot be opened, or an option is wrong.
    """
    with opened(store, tenant, telling=(PauseError, UnknownLifecycleError)) as found:
        asked_by = by or getpass.getuser()
        known = pause(found, by=asked_by, reason=reason, tenant=tenant, lifecycle=lifecycle)
    say(f"{printable(str(known))}\nend it with: {printable(known.remedy)}")


def resume_command(
    *, store: StoreUrl, tenant: Tenant = None, lifecycle: Lifecycle = None, by: By = None
) -> None:
    """End a pause of just that; what fell due meanwhile happens when it is next settled.

    Exit status: 0 resumed; 1 resumed, but the row of another pause cannot be read and is named;
    2 just that is not paused, or the database cannot be opened.
    """
    left_out = LeftOut()
    with opened(store, tenant, telling=(PauseError,)) as found:
        ended = resume(found, by=by or getpass.getuser(), tenant=tenant, lifecycle=lifecycle)
        others = found.pauses.all(left_out=left_out)
    say(printable(f"resumed: {ended.scope}"))
    for each in others:
        say(printable(f"still paused: {each}"))
    left_out.end()
