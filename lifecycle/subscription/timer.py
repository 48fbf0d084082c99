"""The timed events of a subscription, as a function of its snapshot alone."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.model import Timer, filled
from sublife.lifecycle.subscription.model import Subscription
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import term_ended_at

_ONE_SECOND = timedelta(seconds=1)


def timers(subject: Subscription) -> tuple[Timer, ...]:
    """Return every timer of *subject*, in the order they fire at one instant.

    No timer is due before the change it follows from.
    """
    found = _BY_STATE[subject.state](subject)
    changed_at = subject.changed_at
    for each in found:
        if each.due_at < changed_at:
            return tuple(Timer(each.name, max(each.due_at, changed_at)) for each in found)
    return found


def _none(_subject: Subscription) -> tuple[Timer, ...]:
    return ()


def _one(name: str, due_at: datetime | None) -> tuple[Timer, ...]:
    return () if due_at is None else (filled(Timer, (name, due_at)),)


def _provisioning(subject: Subscription) -> tuple[Timer, ...]:
    return _one("provisioning_ended", subject.provisioning_ends_at)


def _active(subject: Subscription) -> tuple[Timer, ...]:
    if subject.renewal is not None:
        return _renewing(subject)
    return _last_day(subject) + _cycle(subject) + _term_end(subject)


def _expired(subject: Subscription) -> tuple[Timer, ...]:
    return _one("expiry_ended", subject.changed_at)


def _grace(subject: Subscription) -> tuple[Timer, ...]:
    return _one("grace_ended", subject.lapse_ends_at)


def _disabled(subject: Subscription) -> tuple[Timer, ...]:
    """The end of the first disabled phase where there are two (SUB-10), else the deletion."""
    return _retained(subject) if subject.lapse_ends_at is None else _grace(subject)


def _retained(subject: Subscription) -> tuple[Timer, ...]:
    return _one("retention_ended", subject.deleted_at)


def _renewing(subject: Subscription) -> tuple[Timer, ...]:
    """The end of the processing, and the alert where it is late (TRM-06, GEN-07).

    The last instant of the window is still on time (GEN-04), so the alert comes a second later.
    """
    renewal = subject.renewal
    assert renewal is not None  # noqa: S101 – the caller has looked
    overdue = None if renewal.alerted else renewal.overdue_at + _ONE_SECOND
    return _one("renewal_ended", renewal.completes_at) + _one("renewal_overdue", overdue)


def _last_day(subject: Subscription) -> tuple[Timer, ...]:
    """The day on which Microsoft creates its migration, unless another one waits (LEG-24)."""
    leads = subject.microsoft_leads and subject.autorenew and subject.move is None
    if not leads or subject.unmoved_on == subject.ends_on:
        return ()
    return (Timer("last_day_began", day_starts_at(subject.ends_on)),)


def _term_end(subject: Subscription) -> tuple[Timer, ...]:
    """The term end; an add-on that moves with its base at that instant leaves it to it (LEG-19)."""
    ended_at, move = term_ended_at(subject), subject.move
    if move is not None and move.is_add_on and move.at == ended_at:
        return ()
    return _one("term_ended", ended_at)


def _cycle(subject: Subscription) -> tuple[Timer, ...]:
    """The next billing cycle, where a change waits for it and the term goes on (TRM-20)."""
    change = subject.next_charge
    if change is None or change.at >= term_ended_at(subject):
        return ()
    return (Timer("billing_cycle_ended", change.at),)


def _suspended(subject: Subscription) -> tuple[Timer, ...]:
    if subject.move is not None and subject.move.started_at is not None:
        return ()
    ends = _cycle(subject) + _one("term_ended", term_ended_at(subject))
    return ends + _one("suspension_ended", subject.suspension_ends_at)


_BY_STATE: Mapping[str, Callable[[Subscription], tuple[Timer, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(State, _none),
        State.PENDING: _provisioning,
        State.ACTIVE: _active,
        State.SUSPENDED: _suspended,
        State.EXPIRED: _expired,
        State.GRACE: _grace,
        State.DISABLED: _disabled,
        State.CANCELED: _retained,
    }
)
