"""The periods that a hoster reports, and what becomes of them (HST-02, HST-12)."""

from dataclasses import replace
from datetime import date, timedelta

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.hosting.model import Programme, Reporting
from sublife.lifecycle.model import Fact, Value
from sublife.lifecycle.policy import Policy

_ONE_DAY = timedelta(days=1)
LENGTHS = {
    Programme.QMTH: "qmth_report_months",
    Programme.CSP_HOSTER: "hoster_report_months",
}
"""The figure that says how many months a report covers."""


def period_of(day: date, months: int) -> tuple[date, date]:
    """Return first and last day of the calendar period of *months* that holds *day*.

    Periods are counted from January, so that three months are the calendar quarters (HST-12).
    """
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    return first, add_months(first, months) - _ONE_DAY


def begun(programme: Programme, policy: Policy, on: date) -> Reporting:
    """Return the reporting that begins with the period that holds *on*."""
    first, last = _period(programme, policy, on)
    return Reporting(first, day_starts_at(last + _ONE_DAY))


def _period(programme: Programme, policy: Policy, on: date) -> tuple[date, date]:
    return period_of(on, policy.count(LENGTHS[programme], day_starts_at(on)))


def closed(
    old: Reporting, programme: Programme, policy: Policy
) -> tuple[Reporting, tuple[Fact, ...]]:
    """Return the reporting after its running period has ended, and what is told.

    The report of the period is due; one that was due before and is still awaited is missed.
    """
    following = begun(programme, policy, old.ends_at.date())
    missed = tuple(
        _told("hosting-report-missed", programme, first, policy) for first in old.awaited
    )
    due = _told("hosting-report-due", programme, old.from_on, policy)
    reporting = replace(
        following, awaited=(old.from_on,), missed=tuple(sorted((*old.missed, *old.awaited)))
    )
    return reporting, (*missed, due)


def handed_in(old: Reporting, first: date) -> Reporting:
    """Return the reporting without the period that begins on *first*."""
    return replace(
        old,
        awaited=tuple(each for each in old.awaited if each != first),
        missed=tuple(each for each in old.missed if each != first),
    )


def open_period(old: Reporting, programme: Programme, policy: Policy, on: date) -> date | None:
    """Return the first day of the period of *on*, if its report is still to be handed in."""
    first, _ = _period(programme, policy, on)
    return first if first in (*old.awaited, *old.missed) else None


def _told(name: str, programme: Programme, first: date, policy: Policy) -> Fact:
    return Fact(name, said(programme, first, policy))


def said(programme: Programme, first: date, policy: Policy) -> dict[str, Value]:
    """Return a programme and a period as a fact carries them."""
    _, last = _period(programme, policy, first)
    return {
        "programme": programme.value,
        "from_on": first.isoformat(),
        "until_on": last.isoformat(),
    }
