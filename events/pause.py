"""pause() and resume(): the calendar stands still for everything, a tenant or a lifecycle.

A pause delays when things are written down, never when they happened: after `resume` all that fell
due meanwhile happens with its true instants, as after a daemon that slept.
"""

from sublife.events.logs import log
from sublife.events.store import Store
from sublife.events.store.pause import Pause, PausedError
from sublife.events.store.typed import LeftOut
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import utc

__all__ = ["Pause", "PauseError", "PausedError", "pause", "paused", "resume"]


class PauseError(SublifeError, ValueError):
    """A pause that cannot be, or that is not there; nothing was changed."""


def pause(
    store: Store,
    *,
    by: str,
    reason: str,
    tenant: str | None = None,
    lifecycle: str | None = None,
) -> Pause:
    """Let the calendar pass over something from now on, in every process on the database.

    Whoever settles sees it with the next batch; a batch that has been claimed is finished. User
    events on what is paused raise `PausedError`. Where a whole tenant is paused, nothing of it is
    handed on either.

    Args:
        store: on the database; of any tenant.
        by: who asks for it.
        reason: why, for those who meet it.
        tenant: only this one; every tenant of the database if not given.
        lifecycle: only subjects that live by it; every lifecycle if not given.

    Returns:
        The pause as it stands; where just that was paused before, the earlier one, unchanged.

    Raises:
        PauseError: *by*, *reason* or *tenant* is empty.
        UnknownLifecycleError: there is no such lifecycle.
    """
    for name, said in (("by", by), ("reason", reason), ("tenant", tenant)):
        if said is not None and not said.strip():
            raise PauseError(f'"{name}" of a pause is empty; say {_WANTED[name]}')
    if lifecycle is not None:
        lifecycle_named(lifecycle)
    asked = Pause(
        tenant=tenant,
        lifecycle=lifecycle,
        paused_at=utc(store.clock.now(), name="now"),
        paused_by=by,
        reason=reason,
    )
    found = store.pauses.add(asked)
    if found == asked:
        log.warning("paused", scope=found.scope, by=by, reason=reason)
    return found


_WANTED = {"by": "who pauses", "reason": "why", "tenant": "which one, or leave it away for all"}


def resume(
    store: Store, *, by: str, tenant: str | None = None, lifecycle: str | None = None
) -> Pause:
    """End a pause; what fell due meanwhile happens with its true instants when next settled.

    Args:
        store: on the database; of any tenant.
        by: who asks for it.
        tenant: as it was paused.
        lifecycle: as it was paused.

    Returns:
        The pause that has ended.

    Raises:
        PauseError: just that is not paused; the message names what is.
    """
    found = store.pauses.drop(tenant, lifecycle)
    if found is None:
        asked = Pause(
            tenant=tenant, lifecycle=lifecycle, paused_at=store.clock.now(), paused_by=by, reason=""
        )
        others = "; ".join(f"{each.scope} (`{each.remedy}`)" for each in store.pauses.all())
        known = f"paused are: {others}" if others else "nothing is"
        raise PauseError(f"{asked.scope} is not paused; {known}")
    log.warning("resumed", scope=found.scope, by=by)
    return found


def paused(
    store: Store, lifecycle: str | None = None, *, left_out: LeftOut | None = None
) -> Pause | None:
    """Return the pause that holds for the store's tenant, or `None`.

    Args:
        store: of the tenant.
        lifecycle: also a pause of this one counts; else only one of the whole tenant.
        left_out: takes the error of each row that cannot be read; if not given, it is raised.
    """
    standing = store.pauses.of(store.tenant, left_out=left_out)
    return next((each for each in standing if each.lifecycle in {None, lifecycle}), None)
