"""What the calendar does to a partner: checks, notices, restriction, deauthorization."""

from dataclasses import replace
from datetime import date

from sublife.lifecycle.dates import add_months
from sublife.lifecycle.model import Case, Effect, Fact, PartnerType, Payload, Value, iso
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.requirement import is_in_force, missing
from sublife.lifecycle.partner.revenue import (
    Trailing,
    refreshed_revenue,
    reseller_revenue,
    revenue_of,
    threshold_of,
)
from sublife.lifecycle.partner.schedule import scheduled, unscheduled

Judged = Case[Partner, Payload]


def _figures(found: Trailing, needed: object) -> dict[str, Value]:
    return {
        "revenue": str(found.amount),
        "threshold": str(needed),
        "currency": "USD",
        "from_on": found.from_on.isoformat(),
        "until_on": found.until_on.isoformat(),
    }


def _checked(case: Judged, on: date) -> dict[str, Value]:
    """Return the figures that a check of *on* was decided on."""
    subject, policy = case.subject, case.policy
    return _figures(revenue_of(subject, policy, on=on), threshold_of(subject, policy, on=on))


def _next(case: Judged) -> Partner:
    """Return the partner with the check of the anniversary after the one just made."""
    last = case.subject.anniversary_on or case.at.date()
    return scheduled(case.subject, case.policy, case.at, after=max(last, case.at.date()))


def pass_check(case: Judged) -> Effect[Partner]:
    """Find the requirement met, or none in force, and wait for the next anniversary."""
    on = case.at.date()
    subject = _next(case)
    if not is_in_force(case.subject, case.policy, on=on):
        return Effect(subject)
    return Effect(subject, (Fact("partner-check-passed", _checked(case, on)),))


def pass_direct_check(case: Judged) -> Effect[Partner]:
    """Find a direct-bill partner in order until the next anniversary (AUT-02, AUT-03)."""
    return pass_check(case)


def require_transition(case: Judged) -> Effect[Partner]:
    """Find a direct-bill partner short: it must go over to the indirect model (AUT-04)."""
    on = case.at.date()
    restricts_at = case.at + case.policy.length("transition", case.at)
    data = {
        "missing": ", ".join(missing(case.subject, case.policy, on=on)),
        "restricts_at": iso(restricts_at),
        **_checked(case, on),
    }
    subject = replace(unscheduled(case.subject), restricts_at=restricts_at)
    return Effect(subject, (Fact("partner-transition-required", data),))


def restrict(case: Judged) -> Effect[Partner]:
    """Close the direct-bill capabilities for everything new (AUT-06); the partner is told."""
    return Effect(replace(case.subject, restricts_at=None), (Fact("partner-restricted"),))


def notify(case: Judged) -> Effect[Partner]:
    """Warn a reseller that is below the threshold, and its provider (AUT-16, table 8.3)."""
    subject, on = case.subject, case.at.date()
    tested_on = subject.check_from.date() if subject.check_from else on
    needed = threshold_of(subject, case.policy, on=tested_on)
    data: dict[str, Value] = {
        "mark": subject.notices[0].mark,
        "recipients": "reseller, provider",
        "enforced_on": tested_on.isoformat(),
        **_provider(subject),
        **_figures(reseller_revenue(subject, case.policy, on=on), needed),
    }
    return Effect(_noticed(subject), (Fact("partner-notice-sent", data),))


def keep_quiet(case: Judged) -> Effect[Partner]:
    """Pass a mark at which there is nothing to warn of (AUT-16)."""
    return Effect(_noticed(case.subject))


def _noticed(subject: Partner) -> Partner:
    return replace(subject, notices=subject.notices[1:])


def _provider(subject: Partner) -> dict[str, Value]:
    return {"provider": subject.provider} if subject.provider else {}


def deauthorize(case: Judged) -> Effect[Partner]:
    """Deauthorize a reseller below the threshold and tell everybody concerned (AUT-14, AUT-17).

    It waits a year before it may enrol again (AUT-18). What it has goes on (AUT-20).
    """
    old, on = case.subject, case.at.date()
    again = add_months(on, case.policy.count("waiting", case.at))
    subject = replace(unscheduled(old), deauthorized_at=case.at, reenrol_on=again)
    told: dict[str, Value] = {
        "mark": "enforcement",
        "recipients": "reseller, provider, customers",
        "enforced_on": on.isoformat(),
        **_provider(old),
    }
    data: dict[str, Value] = {"reenrol_on": again.isoformat(), **_checked(case, on)}
    return Effect(
        subject,
        (
            Fact("partner-deauthorized", data, ("AUT-14", "AUT-17", "AUT-18")),
            Fact("partner-notice-sent", told, ("AUT-17",)),
        ),
    )


def review(case: Judged) -> Effect[Partner]:
    """Tell where the partner stands, by the figures it is shown (AUT-08, AUT-15).

    A direct-bill partner is shown the revenue of the latest refresh; a check looks at that of the
    day.
    """
    subject, policy, on = case.subject, case.policy, case.at.date()
    if subject.partner_type is PartnerType.DIRECT_BILL:
        found = refreshed_revenue(subject, policy, on=on)
    else:
        found = reseller_revenue(subject, policy, on=on)
    data: dict[str, Value] = {"state": str(subject.state)}
    if subject.partner_type is not PartnerType.INDIRECT_PROVIDER:
        data |= _figures(found, threshold_of(subject, policy, on=on))
    if subject.anniversary_on is not None:
        data["anniversary_on"] = subject.anniversary_on.isoformat()
    return Effect(subject, (Fact("partner-reviewed", data),))
