"""How a stored subject stands at an instant and what may be asked of it; nothing is written."""

from datetime import datetime

from sublife.events.intake import held_at
from sublife.events.store import Held, Store
from sublife.lifecycle import machine
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.model import Permission, Snapshot, iso, utc
from sublife.lifecycle.refusal import refuse


def as_of(store: Store, subject: str, *, at: datetime | None = None) -> Snapshot | None:
    """Return a subject as it stands once everything due by *at* has happened, or `None`.

    It is what `submit` decides on and compares `expected_version` with; `Store.get` is what has
    been written.

    Args:
        store: of the tenant; `store.within(session)` to see what the host has not committed yet.
        subject: id.
        at: UTC instant; now if not given. It may be to come, but not to go back to: a subject is
            never older than its latest event.
    """
    at = _instant(store, at)
    with store.preview() as tx:
        held = held_at(tx, subject, at)
    return held.snapshot if held else None


def may(store: Store, subject: str, request: str, *, at: datetime | None = None) -> Permission:
    """Return whether a request may be made of a subject, by the very rules that decide it.

    Asked of the subject as it stands once everything due by *at* has happened; nothing is written.
    What the payload says is not asked: a yes here can still be refused for its figures.

    Args:
        store: of the tenant; `store.within(session)` to see what the host has not committed yet.
        subject: id.
        request: name of a request.
        at: UTC instant the request would be dated; now if not given. It may be to come.

    Returns:
        A `Permission`, true if yes; else it carries the `Refusal` that `submit` would give.

    Raises:
        UnknownSubjectError: the subject does not exist then.
        UnknownEventError: its lifecycle has no such request.
    """
    at = _instant(store, at)
    held = _held(store, subject, at)
    found = machine.may(
        held.snapshot, request, policy=store.policy, at=at, lifecycle=held.lifecycle
    )
    if not _is_past(held, at):
        return found
    refusal = refuse("OUT_OF_ORDER", at=iso(at), changed_at=iso(held.snapshot.changed_at))
    return Permission(request, (refusal.rule,), refusal)


def allowed(store: Store, subject: str, *, at: datetime | None = None) -> tuple[str, ...]:
    """Return the requests that `may` be made of a subject, in its lifecycle's own order.

    Args:
        store: as for `may`.
        subject: id.
        at: UTC instant they would be dated; now if not given. It may be to come.

    Raises:
        UnknownSubjectError: the subject does not exist then.
    """
    at = _instant(store, at)
    held = _held(store, subject, at)
    if _is_past(held, at):
        return ()
    return machine.allowed(held.snapshot, policy=store.policy, at=at, lifecycle=held.lifecycle)


def _instant(store: Store, at: datetime | None) -> datetime:
    return utc(store.clock.now() if at is None else at)


def _held(store: Store, subject: str, at: datetime) -> Held:
    with store.preview() as tx:
        held = held_at(tx, subject, at)
    if held is None:
        raise UnknownSubjectError(
            f"{subject} does not exist at {iso(at)}; create it first, or fix the id"
        )
    return held


def _is_past(held: Held, at: datetime) -> bool:
    """Return whether the subject has changed after *at*: what is dated before that is refused."""
    return at < held.snapshot.changed_at
