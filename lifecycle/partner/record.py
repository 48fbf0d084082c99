"""What is taken down of a partner: revenue, payments, agreement, support plan, assessment."""

from dataclasses import replace
from datetime import timedelta

from sublife.lifecycle.model import Case, Effect, Fact, PartnerType, Payload, Refusal, Value
from sublife.lifecycle.money import total
from sublife.lifecycle.partner.model import (
    Assessment,
    EndSupportPlan,
    Partner,
    RecordAssessment,
    RecordPayment,
    RecordRevenue,
    SupportPlan,
    TakeSupportPlan,
)
from sublife.lifecycle.partner.schedule import scheduled
from sublife.lifecycle.refusal import refuse

_ONE_DAY = timedelta(days=1)


def record_revenue(case: Case[Partner, RecordRevenue]) -> Effect[Partner]:
    """Take down billed revenue; what of it counts is decided when it is looked at (AUT-08)."""
    lines = case.data.lines
    amount = total(line.amount for line in lines)
    data: dict[str, Value] = {"lines": len(lines), "amount": str(amount), "currency": "USD"}
    subject = replace(case.subject, revenue=(*case.subject.revenue, *lines))
    return Effect(subject, (Fact("partner-revenue-recorded", data),))


def record_payment(case: Case[Partner, RecordPayment]) -> Effect[Partner] | Refusal:
    """Take down that an invoice is paid, with all of its lines (AUT-08)."""
    ask, old = case.data, case.subject
    on = ask.on or case.at.date()
    if not any(line.invoice == ask.invoice for line in old.revenue):
        return refuse("INVOICE_UNKNOWN", partner=old.id, invoice=ask.invoice)
    lines = tuple(
        replace(line, paid_on=on) if line.invoice == ask.invoice else line for line in old.revenue
    )
    data = {"invoice": ask.invoice, "paid_on": on.isoformat()}
    return Effect(replace(old, revenue=lines), (Fact("partner-invoice-paid", data),))


def sign_mpa(case: Case[Partner, Payload]) -> Effect[Partner]:
    """Take down that the Microsoft Partner Agreement is signed (AUT-24)."""
    on = case.at.date()
    subject = replace(case.subject, mpa_signed_on=case.subject.mpa_signed_on or on)
    return Effect(subject, (Fact("partner-mpa-signed", {"on": on.isoformat()}),))


def take_support_plan(case: Case[Partner, TakeSupportPlan]) -> Effect[Partner]:
    """Buy a support plan, or go on with the one that runs and keep its anniversary (AUT-03).

    The first plan sets the day of the check; one bought after another has lapsed does not put off
    a check that is due already.
    """
    old, ask, on = case.subject, case.data, case.at.date()
    plan = old.support_plan
    since_on = plan.since_on if plan is not None and plan.is_active(on - _ONE_DAY) else on
    subject = replace(old, support_plan=SupportPlan(ask.name, since_on, ask.until_on))
    if plan is None and old.partner_type is PartnerType.DIRECT_BILL and old.check_at is not None:
        subject = scheduled(subject, case.policy, case.at, after=on)
    data: dict[str, Value] = {"name": ask.name, "since_on": since_on.isoformat()}
    if ask.until_on is not None:
        data["until_on"] = ask.until_on.isoformat()
    return Effect(subject, (Fact("support-plan-taken", data),))


def end_support_plan(case: Case[Partner, EndSupportPlan]) -> Effect[Partner]:
    """Let the support plan end; its anniversary stays the day of the check (AUT-03)."""
    old = case.subject
    plan = old.support_plan
    assert plan is not None  # noqa: S101 – an objection has made sure
    until_on = case.data.on or case.at.date() - _ONE_DAY
    subject = replace(old, support_plan=replace(plan, until_on=until_on))
    data = {"name": plan.name, "until_on": until_on.isoformat()}
    return Effect(subject, (Fact("support-plan-ended", data),))


def record_assessment(case: Case[Partner, RecordAssessment]) -> Effect[Partner]:
    """Take down what the yearly assessment found (AUT-13)."""
    ask, on = case.data, case.at.date()
    found = Assessment(on, ask.passed, ask.designation, ask.security_passed)
    data: dict[str, Value] = {
        "passed": ask.passed,
        "designation": ask.designation,
        "security_passed": ask.security_passed,
    }
    return Effect(replace(case.subject, assessment=found), (Fact("partner-assessed", data),))


def create_sandbox(case: Case[Partner, Payload]) -> Effect[Partner]:
    """Create a sandbox tenant, which a restricted partner may not (AUT-06)."""
    return Effect(case.subject, (Fact("sandbox-created"),))
