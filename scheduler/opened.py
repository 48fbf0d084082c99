"""Opens the store of a command, one that is there already; what cannot be done is told."""

from collections.abc import Generator
from contextlib import contextmanager
from itertools import islice

import typer
from rich.markup import escape

from sublife.events.document import DocumentError
from sublife.events.export import ExportError
from sublife.events.store import Store, StoreError
from sublife.lifecycle.error import SublifeError
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.screen import standard_error

NOT_DONE = 2
_MANY = 5


class UnknownTenantError(SublifeError, ValueError):
    """The database has nothing of that tenant."""


_TOLD: tuple[type[Exception], ...] = (
    StoreError,
    DocumentError,
    ExportError,
    UnknownTenantError,
)


@contextmanager
def opened(
    url: str,
    tenant: str | None,
    *,
    may_be_new: bool = False,
    reading: bool = False,
    telling: tuple[type[Exception], ...] = (),
) -> Generator[Store]:
    """Open a store for a command, and close it.

    No file and no table is made. What cannot be done is told in a sentence, with exit status 2.

    Args:
        url: of the database.
        tenant: that must have something in it; `None` for all of them.
        may_be_new: the tenant may have nothing yet.
        reading: the command only reads, so a SQLite file and its folder need not be writable.
        telling: errors of the command's own that are told in the same way.
    """
    store: Store | None = None
    told = (*_TOLD, *telling)
    try:
        if not reading:
            _demand_tables(url)
        store = Store.open(url, clock=SystemClock(), tenant=tenant or "default", reading=reading)
        if tenant is not None and not may_be_new:
            _see_that_it_is_there(store)
        yield store
    except told as error:
        complaints = standard_error()
        complaints.print(f"[bold red]not done[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(NOT_DONE) from error
    finally:
        if store is not None:
            store.close()


def _demand_tables(url: str) -> None:
    """See that the tables are there, before anything could make them."""
    from sublife.events.store.upgrade import standing  # noqa: PLC0415 – Alembic takes its time

    standing(url).demand()


def _see_that_it_is_there(store: Store) -> None:
    if not store.is_empty():
        return
    with store.audit() as audit:
        names = list(islice(audit.tenants(), _MANY + 1))
    if not names or store.tenant in names:
        return
    known = ", ".join(names[:_MANY]) + (", …" if len(names) > _MANY else "")
    raise UnknownTenantError(
        f'the database has nothing of tenant "{store.tenant}"; its tenants are {known}'
    )
