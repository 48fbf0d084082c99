"""The timed events of a hoster's standing, as a function of its snapshot alone."""

from sublife.lifecycle.hosting.model import Hosting
from sublife.lifecycle.model import Timer


def timers(subject: Hosting) -> tuple[Timer, ...]:
    """Return every timer of *subject*, in the order they fire at one instant.

    The end of the QMTH programme comes before the end of a month, so that no report of the last
    one is asked for (HST-03). No timer is due before the change it follows from.
    """
    found: list[Timer] = []
    if subject.qmth_ends_at is not None:
        found.append(Timer("qmth_ended", subject.qmth_ends_at))
    if subject.qmth_reporting is not None:
        found.append(Timer("qmth_period_ended", subject.qmth_reporting.ends_at))
    if subject.hoster_reporting is not None:
        found.append(Timer("hoster_period_ended", subject.hoster_reporting.ends_at))
    return tuple(Timer(timer.name, max(timer.due_at, subject.changed_at)) for timer in found)
