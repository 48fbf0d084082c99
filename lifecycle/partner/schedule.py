"""When a partner is checked, and when notices go out before it (AUT-03, AUT-16, AUT-17)."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.model import PartnerType
from sublife.lifecycle.partner.model import Notice, Partner
from sublife.lifecycle.policy import Policy

_ONE_DAY = timedelta(days=1)
_YEAR = 12


def anniversary_after(anchor: date, on: date) -> date:
    """Return the first anniversary of *anchor* after *on*, counted from the anchor (GEN-06)."""
    year = max(1, on.year - anchor.year)
    while (found := add_months(anchor, year * _YEAR)) <= on:
        year += 1
    return found


def scheduled(subject: Partner, policy: Policy, at: datetime, *, after: date) -> Partner:
    """Return the partner with the check of its first anniversary after *after*.

    A direct-bill partner is checked on the anniversary of its support plan (AUT-03), a reseller
    on that of its authorization (AUT-17, AUT-19), an indirect provider not at all.
    """
    match subject.partner_type:
        case PartnerType.DIRECT_BILL:
            return _direct(subject, policy, after)
        case PartnerType.INDIRECT_RESELLER:
            return _reseller(subject, policy, at, after=after)
        case PartnerType.INDIRECT_PROVIDER:
            return unscheduled(subject)


def _measured_after(policy: Policy, figure: str, anchor: date, after: date) -> date | None:
    """Return the first anniversary of *anchor* after *after* on which the requirement is in force.

    `None` where it never will be. Whether it still is, is asked again when the day has come.
    """
    day = anniversary_after(anchor, after)
    while not policy.allows(figure, day_starts_at(day)):
        end = policy.span(figure, day_starts_at(day)).end
        if end is None:
            return None
        day = anniversary_after(anchor, max(day, end.date() - _ONE_DAY))
    return day


def unscheduled(subject: Partner) -> Partner:
    """Return the partner without a check to come."""
    return replace(subject, anniversary_on=None, check_from=None, check_at=None, notices=())


def _direct(subject: Partner, policy: Policy, after: date) -> Partner:
    """A partner that never had a support plan is checked on its authorization's anniversary."""
    plan = subject.support_plan
    anchor = plan.since_on if plan else subject.authorized_on
    day = _measured_after(policy, "direct_requirement", anchor, after)
    if day is None:
        return unscheduled(subject)
    check_at = day_starts_at(day)
    return replace(subject, anniversary_on=day, check_from=check_at, check_at=check_at, notices=())


def _reseller(subject: Partner, policy: Policy, at: datetime, *, after: date) -> Partner:
    day = _measured_after(policy, "reseller_requirement", subject.authorized_on, after)
    if day is None:
        return unscheduled(subject)
    first, last = _open_days(subject, policy, at, day)
    start = day_starts_at(first)
    return replace(
        subject,
        anniversary_on=day,
        check_from=start,
        check_at=day_starts_at(last),
        notices=tuple(each for each in _notices(first, policy, at) if each.at > at),
    )


def _open_days(
    subject: Partner, policy: Policy, at: datetime, anniversary: date
) -> tuple[date, date]:
    """Return from which day on the test may be made, and on which the calendar makes it (AUT-17).

    Where any time in the anniversary month will do, it is made at the earliest unless Microsoft
    reports it (GEN-07); never before twelve months are completed (AUT-19).
    """
    if policy.switch("reseller_test", at) == "anniversary":
        return anniversary, anniversary
    tenure = add_months(subject.authorized_on, policy.count("reseller_tenure", at))
    first = max(anniversary.replace(day=1), tenure)
    if policy.switch("processing", at) == "simulated":
        return first, first
    return first, add_months(anniversary.replace(day=1), 1) - _ONE_DAY


def _notices(test_on: date, policy: Policy, at: datetime) -> tuple[Notice, ...]:
    """Return the three notices before a test, the earliest first (AUT-16, table 8.3)."""
    months = policy.count("first_notice", at)
    second = policy.length("second_notice", at)
    third = policy.length("third_notice", at)
    found = (
        Notice(f"{months} months", day_starts_at(add_months(test_on, -months))),
        Notice(f"{second.days} days", day_starts_at(test_on) - second),
        Notice(f"{third.days} days", day_starts_at(test_on) - third),
    )
    return tuple(sorted(found, key=lambda notice: notice.at))
