"""How a partner enters CSP, goes over to the indirect model, and comes back."""

from dataclasses import replace

from sublife.lifecycle.model import Case, Effect, Fact, PartnerType, Refusal, iso
from sublife.lifecycle.partner.model import Enrol, Partner, State
from sublife.lifecycle.partner.requirement import missing_to_apply
from sublife.lifecycle.partner.schedule import scheduled
from sublife.lifecycle.refusal import refuse

Asked = Case[Partner, Enrol]
_DIRECT = PartnerType.DIRECT_BILL


def enrol(case: Asked) -> Effect[Partner] | Refusal:
    """Enrol a tenant or location; nobody newly joins as direct-bill (AUT-01, AUT-23).

    A reseller that applies for a tenant of its own for direct business, and meets what is asked
    for, may (AUT-09, AUT-10).
    """
    ask, at = case.data, case.at
    if ask.partner_type is _DIRECT and (refusal := _not_direct(case)):
        return refusal
    subject = Partner(
        id=case.event.subject,
        state=State.AUTHORIZED,
        changed_at=at,
        customer="",
        partner=case.event.subject,
        partner_type=ask.partner_type,
        country=ask.country,
        provider=ask.provider,
        authorized_on=at.date(),
        mpa_signed_on=ask.mpa_signed_on,
        support_plan=ask.support_plan,
        assessment=ask.application.assessment if ask.application else None,
        from_tenant=ask.application.reseller if ask.application else "",
    )
    subject = scheduled(subject, case.policy, at, after=at.date())
    return Effect(subject, (_enrolled("partner-enrolled", subject),), rules=_rules(ask))


def _rules(ask: Enrol) -> tuple[str, ...]:
    """Return the rules that an enrolment went by."""
    if ask.partner_type is PartnerType.INDIRECT_RESELLER:
        return "AUT-19", "AUT-23"
    if ask.partner_type is _DIRECT and ask.application is not None:
        return "AUT-09", "AUT-10", "AUT-03"
    return ("AUT-01", "AUT-03") if ask.partner_type is _DIRECT else ("GEN-11",)


def _not_direct(case: Asked) -> Refusal | None:
    """Return why this direct-bill enrolment is refused, or `None` (AUT-01, AUT-10)."""
    ask, policy, at = case.data, case.policy, case.at
    if policy.allows("direct_enrolment", at):
        return None
    application = ask.application
    if application is None or not policy.allows("direct_application", at):
        return refuse("DIRECT_ENROLMENT_CLOSED", at=iso(at))
    reseller = case.seen.get(application.reseller)
    lacking = missing_to_apply(ask, application, reseller, policy, on=at.date())
    if not lacking:
        return None
    rule = "AUT-13" if policy.allows("direct_qualification", at) else "AUT-10"
    return refuse("DIRECT_ENROLMENT_REQUIREMENT", rule=rule, missing=", ".join(lacking))


def _enrolled(name: str, subject: Partner) -> Fact:
    check = subject.anniversary_on
    data = {
        "partner_type": subject.partner_type.value,
        "provider": subject.provider or None,
        "from_tenant": subject.from_tenant or None,
        "anniversary_on": check.isoformat() if check else None,
    }
    return Fact(name, {key: value for key, value in data.items() if value is not None})


def become_reseller(case: Asked) -> Effect[Partner] | Refusal:
    """Go over to the indirect model with the same tenant (AUT-04).

    What it has goes on; there is no way back with this tenant (AUT-09).
    """
    old = case.subject
    if case.data.partner_type is not PartnerType.INDIRECT_RESELLER:
        code = "ALREADY_ENROLLED" if old.state == State.AUTHORIZED else "NEW_TENANT_REQUIRED"
        return refuse(code, partner=old.id)
    subject = replace(_begun_anew(case), restricts_at=None, was_direct=True)
    subject = scheduled(subject, case.policy, case.at, after=case.at.date())
    return Effect(subject, (_enrolled("partner-transitioned", subject),))


def reenrol(case: Asked) -> Effect[Partner] | Refusal:
    """Enrol a deauthorized reseller again; its first year begins anew (AUT-18, AUT-19)."""
    old = case.subject
    if case.data.partner_type is not PartnerType.INDIRECT_RESELLER:
        return refuse("NEW_TENANT_REQUIRED", partner=old.id)
    subject = replace(_begun_anew(case), deauthorized_at=None, reenrol_on=None)
    subject = scheduled(subject, case.policy, case.at, after=case.at.date())
    return Effect(subject, (_enrolled("partner-reenrolled", subject),))


def _begun_anew(case: Asked) -> Partner:
    old, ask = case.subject, case.data
    return replace(
        old,
        partner_type=ask.partner_type,
        country=ask.country or old.country,
        provider=ask.provider or old.provider,
        mpa_signed_on=ask.mpa_signed_on or old.mpa_signed_on,
        support_plan=ask.support_plan or old.support_plan,
        authorized_on=case.at.date(),
    )


def refuse_enrolment(case: Asked) -> Effect[Partner]:
    """Stand for a row of the table whose objection always refuses."""
    return Effect(case.subject)
