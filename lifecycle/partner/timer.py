"""The timed events of a partner, as a function of its snapshot alone."""

from datetime import datetime

from sublife.lifecycle.model import Timer
from sublife.lifecycle.partner.model import Partner, State


def timers(subject: Partner) -> tuple[Timer, ...]:
    """Return every timer of *subject*, in the order they fire at one instant.

    No timer is due before the change it follows from.
    """
    match subject.state:
        case State.AUTHORIZED:
            notice = subject.notices[0].at if subject.notices else None
            found = (
                *_one("notice_wait_ended", notice),
                *_one("authorization_year_ended", subject.check_at),
            )
        case State.TRANSITION_REQUIRED:
            found = _one("transition_ended", subject.restricts_at)
        case _:
            found = ()
    return tuple(Timer(timer.name, max(timer.due_at, subject.changed_at)) for timer in found)


def _one(name: str, due_at: datetime | None) -> tuple[Timer, ...]:
    return () if due_at is None else (Timer(name, due_at),)
