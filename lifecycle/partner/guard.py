"""Conditions that choose a rule and objections that refuse; both see no payload."""

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.model import PartnerType, Refusal, Standing, iso
from sublife.lifecycle.partner.model import Enrol, Partner
from sublife.lifecycle.partner.requirement import is_in_force, missing
from sublife.lifecycle.partner.revenue import reseller_revenue, threshold_of
from sublife.lifecycle.partner.standing import objection
from sublife.lifecycle.refusal import refuse

Here = Standing[Partner]
_DIRECT = PartnerType.DIRECT_BILL
_RESELLER = PartnerType.INDIRECT_RESELLER


def is_direct(here: Here) -> bool:
    """The partner does business directly."""
    return here.subject.partner_type is _DIRECT


def falls_short(here: Here) -> bool:
    """The requirement is in force and something is missing (AUT-02, AUT-14)."""
    on = here.at.date()
    if not is_in_force(here.subject, here.policy, on=on):
        return False
    return bool(missing(here.subject, here.policy, on=on))


def would_fall_short(here: Here) -> bool:
    """A reseller is below the threshold of the test that a notice announces (AUT-16)."""
    subject, policy, on = here.subject, here.policy, here.at.date()
    tested_on = subject.check_from.date() if subject.check_from else on
    if not is_in_force(subject, policy, on=tested_on):
        return False
    needed = threshold_of(subject, policy, on=tested_on)
    return reseller_revenue(subject, policy, on=on).amount < needed


def enrolled_already(here: Here) -> Refusal | None:
    """Refuse to enrol what is enrolled; the direct model takes a new tenant (AUT-09, AUT-23)."""
    ask = here.data
    if isinstance(ask, Enrol) and ask.partner_type is _DIRECT and not is_direct(here):
        return refuse("NEW_TENANT_REQUIRED", partner=here.subject.id)
    return refuse("ALREADY_ENROLLED", partner=here.subject.id)


def too_early(here: Here) -> Refusal | None:
    """Refuse to enrol again before a year has passed; its day a year on is allowed (AUT-18)."""
    subject = here.subject
    since, again = subject.deauthorized_at, subject.reenrol_on
    if since is None or again is None or here.at >= day_starts_at(again):
        return None
    return refuse(
        "REENROL_TOO_EARLY",
        partner=subject.id,
        since=iso(since),
        reenrol_on=again.isoformat(),
    )


def no_reseller(here: Here) -> Refusal | None:
    """Refuse what concerns resellers alone (AUT-14)."""
    return _unfit(here, _RESELLER, "A test of reseller revenue")


def no_transactor(here: Here) -> Refusal | None:
    """Refuse a sandbox to a reseller, which does not transact (GEN-11)."""
    if here.subject.partner_type is not _RESELLER:
        return None
    return refuse("PARTNER_TYPE_DENIED", partner_type=_RESELLER.value)


def _unfit(here: Here, needed: PartnerType, event: str) -> Refusal | None:
    found = here.subject.partner_type
    if found is needed:
        return None
    return refuse(
        "PARTNER_TYPE_UNFIT",
        event=event,
        needed=needed.value,
        partner=here.subject.id,
        partner_type=found.value,
    )


def not_yet_subject(here: Here) -> Refusal | None:
    """Refuse a test before its time (AUT-17, AUT-19).

    A reseller is tested from twelve completed months of authorization on, from the day the
    requirement is in force, and then only when its anniversary has come.
    """
    subject, policy, at = here.subject, here.policy, here.at
    tenure = add_months(subject.authorized_on, policy.count("reseller_tenure", at))
    if at < day_starts_at(tenure):
        return _not_yet(here, "AUT-19", f"it completes twelve months as a reseller on {tenure}")
    if not is_in_force(subject, policy, on=at.date()):
        return _not_yet(here, "AUT-14", "the requirement is not in force yet")
    start = subject.check_from
    if start is not None and at < start:
        return _not_yet(here, "AUT-17", f"its next test is due on {start.date()}")
    return None


def _not_yet(here: Here, rule: str, reason: str) -> Refusal:
    asked_on = here.at.date().isoformat()
    return refuse(
        "NOT_YET_SUBJECT", rule=rule, partner=here.subject.id, asked_on=asked_on, reason=reason
    )


def restricted(here: Here) -> Refusal | None:
    """Refuse what a restricted or deauthorized partner may not begin (AUT-06)."""
    return objection(here.subject, here.at, new_business=True)


def no_plan(here: Here) -> Refusal | None:
    """Refuse to end a support plan that there is none of (AUT-02)."""
    plan = here.subject.support_plan
    if plan is not None and plan.is_active(here.at.date()):
        return None
    return refuse("NO_SUPPORT_PLAN", partner=here.subject.id)
