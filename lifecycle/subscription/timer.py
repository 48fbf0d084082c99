"""The timed events of a subscription, as a function of its snapshot alone."""

from datetime import datetime, timedelta

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.model import Timer
from sublife.lifecycle.subscription.model import Subscription
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import term_ended_at

_ONE_SECOND = timedelta(seconds=1)


def timers(subject: Subscription) -> tuple[Timer, ...]:
    """Return every timer of *subject*, in the order they fire at one instant.

    No timer is due before the change it follows from.
    """
    match subject.state:
        case State.PENDING:
            found = _one("provisioning_ended", subject.provisioning_ends_at)
        case State.ACTIVE if subject.renewal is not None:
            found = _renewing(subject)
        case State.ACTIVE:
            found = (*_last_day(subject), *_cycle(subject), *_term_end(subject))
        case State.SUSPENDED:
            found = _suspended(subject)
        case State.EXPIRED:
            found = (Timer("expiry_ended", subject.changed_at),)
        case State.GRACE:
            found = _one("grace_ended", subject.lapse_ends_at)
        case State.DISABLED if subject.lapse_ends_at is not None:
            found = _one("grace_ended", subject.lapse_ends_at)
        case State.DISABLED | State.CANCELED:
            found = _one("retention_ended", subject.deleted_at)
        case _:
            found = ()
    changed_at = subject.changed_at
    return tuple(
        [each if each.due_at >= changed_at else Timer(each.name, changed_at) for each in found]
    )


def _one(name: str, due_at: datetime | None) -> tuple[Timer, ...]:
    return () if due_at is None else (Timer(name, due_at),)


def _renewing(subject: Subscription) -> tuple[Timer, ...]:
    """The end of the processing, and the alert where it is late (TRM-06, GEN-07).

    The last instant of the window is still on time (GEN-04), so the alert comes a second later.
    """
    renewal = subject.renewal
    assert renewal is not None  # noqa: S101 – the caller has looked
    overdue = None if renewal.alerted else renewal.overdue_at + _ONE_SECOND
    return (
        *_one("renewal_ended", renewal.completes_at),
        *_one("renewal_overdue", overdue),
    )


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
    return (Timer("term_ended", ended_at),)


def _cycle(subject: Subscription) -> tuple[Timer, ...]:
    """The next billing cycle, where a change waits for it and the term goes on (TRM-20)."""
    change = subject.next_charge
    if change is None or change.at >= term_ended_at(subject):
        return ()
    return (Timer("billing_cycle_ended", change.at),)


def _suspended(subject: Subscription) -> tuple[Timer, ...]:
    if subject.move is not None and subject.move.started_at is not None:
        return ()
    ends = (*_cycle(subject), Timer("term_ended", term_ended_at(subject)))
    return (*ends, *_one("suspension_ended", subject.suspension_ends_at))
