"""Calendar arithmetic: inclusive end dates, anchored months, alignment (GEN-01…07, TRM-22…24)."""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache


class Term(StrEnum):
    """Length of a commitment (TRM-01)."""

    P1M = "P1M"
    P1Y = "P1Y"
    P3Y = "P3Y"

    @property
    def months(self) -> int:
        """The length in calendar months (GEN-05)."""
        return _TERM_MONTHS[self]


class Billing(StrEnum):
    """How often a commitment is charged (TRM-02)."""

    MONTHLY = "monthly"
    ANNUAL = "annual"
    TRIENNIAL = "triennial"

    @property
    def months(self) -> int:
        """The length of one billing cycle in calendar months."""
        return _BILLING_MONTHS[self]


_TERM_MONTHS = {Term.P1M: 1, Term.P1Y: 12, Term.P3Y: 36}
_BILLING_MONTHS = {Billing.MONTHLY: 1, Billing.ANNUAL: 12, Billing.TRIENNIAL: 36}
_ONE_DAY = timedelta(days=1)


@lru_cache(maxsize=4096)
def day_starts_at(day: date) -> datetime:
    """Return *day* 00:00:00Z (GEN-01)."""
    return datetime.combine(day, time.min, UTC)


@lru_cache(maxsize=4096)
def term_ends_at(last_day: date) -> datetime:
    """Return the term-end instant TE of an inclusive end date (GEN-02).

    Returns:
        00:00:00Z of the day after *last_day*; exclusive, so at it the next state holds (GEN-03).
    """
    return day_starts_at(last_day + _ONE_DAY)


def last_second_of(last_day: date) -> datetime:
    """Return *last_day* 23:59:59Z, as the wire's `commitmentEndDateTime` (GEN-02)."""
    return term_ends_at(last_day) - timedelta(seconds=1)


def add_months(anchor: date, months: int) -> date:
    """Return *anchor* moved by calendar months, clamped to the month's last day (GEN-05).

    Always count from the anchor, never from an earlier result, or the day drifts (GEN-06).
    """
    year, month0 = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor.day, _days_in(year, month0 + 1)))


@lru_cache(maxsize=4096)
def _moved(anchor: date, months: int) -> date:
    """Return what `add_months` does; subjects that renew together count from the same few days."""
    return add_months(anchor, months)


@lru_cache(maxsize=4096)
def _days_in(year: int, month: int) -> int:
    return monthrange(year, month)[1]


def boundary(anchor: date, term: Term, index: int) -> date:
    """Return the first day of term *index* + 1 counted from *anchor* (GEN-06)."""
    return _moved(anchor, index * term.months)


def natural_end(anchor: date, term: Term, index: int = 1) -> date:
    """Return the inclusive last day of the *index*-th full term from *anchor* (GEN-06)."""
    return boundary(anchor, term, index) - _ONE_DAY


def is_month_end(day: date) -> bool:
    """Return whether *day* is the last of its month."""
    return (day + _ONE_DAY).day == 1


def last_month_end(not_after: date) -> date:
    """Return the latest month end on or before *not_after* (TRM-24)."""
    return not_after if is_month_end(not_after) else not_after.replace(day=1) - _ONE_DAY


def projected_ends(ends_on: date, anchor: date, term: Term, *, until: date) -> tuple[date, ...]:
    """Return *ends_on* and the ends of the full terms after it, none later than *until* (TRM-23).

    Args:
        ends_on: inclusive end of the running term.
        anchor: day the following full terms count from (GEN-06).
        term: length of the following terms.
        until: inclusive limit.
    """
    ends: list[date] = []
    following = next(
        index for index in range(1, 12 * 300) if natural_end(anchor, term, index) > ends_on
    )
    end = ends_on
    while end <= until:
        ends.append(end)
        end = natural_end(anchor, term, following)
        following += 1
    return tuple(ends)


def cycle_start(anchor: date, billing: Billing, *, on: date) -> date:
    """Return the first day of the billing cycle that holds *on*, counted from *anchor*."""
    index = (on.year - anchor.year) * 12 + on.month - anchor.month
    step = billing.months
    count = index // step
    while (start := _moved(anchor, count * step)) > on:
        count -= 1
    return start


def cycle_end(anchor: date, billing: Billing, *, on: date, ends_on: date) -> date:
    """Return the inclusive last day of the billing cycle that holds *on*.

    A cycle never reaches past the term's own last day *ends_on* (TRM-25).
    """
    return min(next_cycle_start(anchor, billing, on=on) - _ONE_DAY, ends_on)


def next_cycle_start(anchor: date, billing: Billing, *, on: date) -> date:
    """Return the first day after the whole billing cycle that holds *on*."""
    start = cycle_start(anchor, billing, on=on)
    months = (start.year - anchor.year) * 12 + start.month - anchor.month
    return _moved(anchor, months + billing.months)


def days_between(first: date, last: date) -> int:
    """Return the number of days from *first* to *last*, both counted."""
    return (last - first).days + 1
