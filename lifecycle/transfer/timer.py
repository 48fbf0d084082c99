"""The timed events of a scheduled renewal, as a function of its snapshot alone."""

from datetime import datetime, timedelta

from sublife.lifecycle.model import Timer
from sublife.lifecycle.transfer.model import Agreement, Transfer, TransferState

_ONE_SECOND = timedelta(seconds=1)


def agreement_timers(_subject: Agreement) -> tuple[Timer, ...]:
    """Return none: the calendar changes no agreement, only what Microsoft tells does (EA-31)."""
    return ()


def timers(subject: Transfer) -> tuple[Timer, ...]:
    """Return every timer of *subject*, in the order they fire at one instant.

    The last instant of the window is still on time (GEN-04), so the alert comes a second later.
    No timer is due before the change it follows from.
    """
    match subject.state:
        case TransferState.SCHEDULED:
            found = _one("processing_due", subject.begins_at)
        case TransferState.PROCESSING:
            found = _one("processing_ended", subject.ends_at)
        case _:
            return ()
    overdue_at = None if subject.alerted else subject.window.latest_at + _ONE_SECOND
    found = (*found, *_one("transfer_overdue", overdue_at))
    return tuple(Timer(timer.name, max(timer.due_at, subject.changed_at)) for timer in found)


def _one(name: str, due_at: datetime | None) -> tuple[Timer, ...]:
    return () if due_at is None else (Timer(name, due_at),)
