"""What a partner must show at its check, and what of it is missing (AUT-02, AUT-10, AUT-13)."""

from datetime import date

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.model import PartnerType, Snapshot
from sublife.lifecycle.partner.model import Application, Assessment, Enrol, Partner, State
from sublife.lifecycle.partner.revenue import direct_revenue, revenue_of, threshold_of
from sublife.lifecycle.policy import Policy

REVENUE = "revenue"
SUPPORT_PLAN = "support plan"
DESIGNATION = "Solutions Partner designation"
SECURITY = "security score"
ASSESSMENT = "capability assessment"
TENURE = "months as indirect reseller"
CREDIT = "support plan after the credit check"
MANAGED = "managed service"


def is_in_force(partner: Partner, policy: Policy, *, on: date) -> bool:
    """Return whether the partner's model is measured at all on *on* (AUT-03, AUT-14).

    An indirect provider is not, by any rule here.
    """
    at = day_starts_at(on)
    match partner.partner_type:
        case PartnerType.DIRECT_BILL:
            return policy.allows("direct_requirement", at)
        case PartnerType.INDIRECT_RESELLER:
            return policy.allows("reseller_requirement", at)
        case PartnerType.INDIRECT_PROVIDER:
            return False


def missing(partner: Partner, policy: Policy, *, on: date) -> tuple[str, ...]:
    """Return what the partner lacks at a check on *on*; nothing is a pass (AUT-02, AUT-14)."""
    lacking: list[str] = []
    if revenue_of(partner, policy, on=on).amount < threshold_of(partner, policy, on=on):
        lacking.append(REVENUE)
    if partner.partner_type is PartnerType.DIRECT_BILL:
        plan = partner.support_plan
        if plan is None or not plan.is_active(on):
            lacking.append(SUPPORT_PLAN)
        lacking.extend(_unqualified(partner.assessment, policy, on=on))
    return tuple(lacking)


def _unqualified(assessment: Assessment | None, policy: Policy, *, on: date) -> tuple[str, ...]:
    """Return what the later qualification lacks, where the policy asks for one (AUT-13)."""
    at = day_starts_at(on)
    if not policy.allows("direct_qualification", at):
        return ()
    oldest = add_months(on, -policy.count("assessment_validity", at))
    if assessment is None or not oldest <= assessment.on <= on:
        return DESIGNATION, SECURITY, ASSESSMENT
    shown = (
        (DESIGNATION, bool(assessment.designation)),
        (SECURITY, assessment.security_passed),
        (ASSESSMENT, assessment.passed),
    )
    return tuple(name for name, found in shown if not found)


def missing_to_apply(
    ask: Enrol, application: Application, reseller: Snapshot | None, policy: Policy, *, on: date
) -> tuple[str, ...]:
    """Return what an applicant for a new direct-bill tenant lacks on *on* (AUT-10, AUT-13)."""
    lacking: list[str] = []
    applicant = reseller if isinstance(reseller, Partner) else None
    if applicant is None or not _has_tenure(applicant, policy, on=on):
        lacking.append(TENURE)
    if applicant is None or not _earns_enough(applicant, policy, on=on):
        lacking.append(REVENUE)
    plan, checked_on = ask.support_plan, application.credit_checked_on
    if plan is None or checked_on is None or not (checked_on <= plan.since_on <= on):
        lacking.append(CREDIT)
    elif not plan.is_active(on):
        lacking.append(SUPPORT_PLAN)
    if not application.managed_service:
        lacking.append(MANAGED)
    found = application.assessment
    lacking.extend(_unqualified(found, policy, on=on))
    if ASSESSMENT not in lacking and (found is None or not found.passed):
        lacking.append(ASSESSMENT)
    return tuple(lacking)


def _has_tenure(reseller: Partner, policy: Policy, *, on: date) -> bool:
    """Return whether it has been an authorized indirect reseller for long enough (AUT-10)."""
    months = policy.count("applicant_tenure", day_starts_at(on))
    return (
        reseller.partner_type is PartnerType.INDIRECT_RESELLER
        and reseller.state == State.AUTHORIZED
        and add_months(reseller.authorized_on, months) <= on
    )


def _earns_enough(reseller: Partner, policy: Policy, *, on: date) -> bool:
    """Return whether its revenue, counted as for a direct-bill partner, is enough (AUT-08)."""
    needed = policy.amount("direct_revenue", day_starts_at(on))
    return direct_revenue(reseller, policy, on=on).amount >= needed
