"""The timed events of a migration, as a function of its snapshot alone."""

from datetime import timedelta

from sublife.lifecycle.migration.model import Migration, State
from sublife.lifecycle.model import Timer

_ONE_SECOND = timedelta(seconds=1)


def timers(subject: Migration) -> tuple[Timer, ...]:
    """Return every timer of *subject*; none is due before the change it follows from."""
    found = tuple(_found(subject))
    return tuple(Timer(timer.name, max(timer.due_at, subject.changed_at)) for timer in found)


def _found(subject: Migration) -> tuple[Timer, ...]:
    match subject.state:
        case State.SCHEDULED:
            return _target(subject)
        case State.PROCESSING if subject.completes_at is not None:
            return (Timer("processing_ended", subject.completes_at), *_overdue(subject))
        case State.PROCESSING:
            return _overdue(subject)
        case State.FAILED if subject.legacy_suspended:
            return _overdue(subject)
        case _:
            return ()


def _target(subject: Migration) -> tuple[Timer, ...]:
    """The instant a schedule begins at (LEG-21).

    One that takes the renewal's place is begun by the subscription at its term end; a second
    later it looks what has become of that.
    """
    if subject.target_at is None:
        return ()
    if subject.on_renewal:
        return (Timer("renewal_missed", subject.target_at + _ONE_SECOND),)
    return (Timer("target_reached", subject.target_at),)


def _overdue(subject: Migration) -> tuple[Timer, ...]:
    """The alert where it is late; the last instant of the window is on time (GEN-04, LEG-16)."""
    if subject.alerted or subject.overdue_at is None:
        return ()
    return (Timer("processing_overdue", subject.overdue_at + _ONE_SECOND),)
