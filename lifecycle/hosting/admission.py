"""How a hoster enters and leaves its programmes, and what it reports in them."""

from dataclasses import replace
from datetime import date, timedelta

from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.hosting.model import (
    ApplyHoster,
    Hosting,
    Programme,
    Qmth,
    Register,
    Report,
    Reporting,
    State,
)
from sublife.lifecycle.hosting.period import begun, closed, handed_in, open_period, said
from sublife.lifecycle.hosting.right import hoster_not_yet
from sublife.lifecycle.model import Case, Effect, Fact, PartnerType, Payload, Refusal, Snapshot
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.refusal import refuse

Request = Case[Hosting, Payload]
_ONE_DAY = timedelta(days=1)
TIER_ONE = "Tier 1 (direct-bill) partner"
SPLA = "valid SPLA agreement"
QMTH = "QMTH authorization over the last 12 months"


def register(case: Case[Hosting, Register]) -> Effect[Hosting]:
    """Take a hoster in, outside every programme."""
    ask = case.data
    subject = Hosting(
        id=case.event.subject,
        state=State.OUTSIDE,
        changed_at=case.at,
        customer="",
        partner=ask.partner,
        listed=ask.listed,
        supplier=ask.supplier,
    )
    return Effect(subject, (Fact("hoster-registered"),))


def authorize_qmth(case: Request) -> Effect[Hosting]:
    """Authorize the partner under QMTH until it leaves or the programme ends (HST-01, HST-02)."""
    on = case.at.date()
    subject = replace(
        case.subject,
        qmth=Qmth(on),
        qmth_ends_at=case.policy.span("qmth", case.at).end,
        qmth_reporting=begun(Programme.QMTH, case.policy, on),
    )
    return Effect(subject, (Fact("qmth-authorized", {"since_on": on.isoformat()}),))


def withdraw_qmth(case: Request) -> Effect[Hosting]:
    """End the partner's QMTH authorization with the day before."""
    return _without_qmth(case, "qmth-withdrawn")


def end_qmth(case: Request) -> Effect[Hosting]:
    """End the programme: no successor, no more reports, the same supplier (HST-01, HST-03)."""
    return _without_qmth(case, "qmth-ended")


def _without_qmth(case: Request, name: str) -> Effect[Hosting]:
    old = case.subject
    qmth = old.qmth
    assert qmth is not None  # noqa: S101 – an objection, or the timer, has made sure
    until_on = case.at.date() - _ONE_DAY
    subject = replace(
        old,
        qmth=replace(qmth, until_on=until_on),
        qmth_ends_at=None,
        qmth_reporting=None,
    )
    return Effect(subject, (Fact(name, {"until_on": until_on.isoformat()}),))


def admit(case: Case[Hosting, ApplyHoster]) -> Effect[Hosting] | Refusal:
    """Admit a CSP-Hoster that meets every condition (HST-10)."""
    if refusal := hoster_not_yet(case.policy, case.at):
        return refusal
    if lacking := _missing(case):
        return refuse("HOSTER_REQUIREMENT", missing=", ".join(lacking))
    subject = replace(
        case.subject,
        admitted_at=case.at,
        hoster_reporting=begun(Programme.CSP_HOSTER, case.policy, case.at.date()),
    )
    return Effect(subject, (Fact("csp-hoster-admitted"),))


def _missing(case: Case[Hosting, ApplyHoster]) -> tuple[str, ...]:
    ask, on = case.data, case.at.date()
    conditions = (
        (TIER_ONE, _is_tier_one(case.seen.get(case.subject.partner), ask.partner_type)),
        (SPLA, ask.spla is not None and ask.spla.is_valid(on)),
        (QMTH, _has_been_qmth(case, on)),
    )
    return tuple(name for name, met in conditions if not met)


def _is_tier_one(partner: Snapshot | None, said_type: PartnerType | None) -> bool:
    """Return whether the partner does business directly; what is not known is not held against."""
    found = partner.partner_type if isinstance(partner, Partner) else said_type
    return found in {None, PartnerType.DIRECT_BILL}


def _has_been_qmth(case: Case[Hosting, ApplyHoster], on: date) -> bool:
    """Return whether it was authorized for twelve months (HST-10).

    They end with the application, or with the programme if that was earlier: else nobody could
    comply once the programme is over for a year.
    """
    qmth, months = case.subject.qmth, case.policy.count("hoster_qmth_months", case.at)
    if qmth is None:
        return False
    over = case.policy.span("qmth", case.at).start
    last_day = on if over is None else min(on, over.date() - _ONE_DAY)
    covers_end = qmth.until_on is None or last_day <= qmth.until_on
    return covers_end and qmth.since_on <= add_months(last_day, -months)


def leave(case: Request) -> Effect[Hosting]:
    """Leave the CSP-Hoster programme."""
    subject = replace(case.subject, admitted_at=None, hoster_reporting=None)
    return Effect(subject, (Fact("csp-hoster-left"),))


def report(case: Case[Hosting, Report]) -> Effect[Hosting] | Refusal:
    """Take in the report of a period that is over (HST-02, HST-12)."""
    ask, policy = case.data, case.policy
    reporting = _reporting(case.subject, ask.programme)
    first = None
    if reporting is not None:
        first = open_period(reporting, ask.programme, policy, ask.period_on)
    if reporting is None or first is None:
        asked = f"the {ask.programme} programme for {ask.period_on}"
        return refuse("REPORT_NOT_DUE", rule=_REPORT_RULES[ask.programme], asked=asked)
    if ask.programme is Programme.CSP_HOSTER and (refusal := _unfit(case, first)):
        return refusal
    subject = _with_reporting(case.subject, ask.programme, handed_in(reporting, first))
    data = said(ask.programme, first, policy)
    data["licences"] = sum(line.licences for line in ask.lines)
    rules = (_REPORT_RULES[ask.programme],)
    return Effect(subject, (Fact("hosting-reported", data),), rules=rules)


_REPORT_RULES = {Programme.QMTH: "HST-02", Programme.CSP_HOSTER: "HST-12"}


def _unfit(case: Case[Hosting, Report], first: date) -> Refusal | None:
    """Refuse a CSP-Hoster report of the wrong form for its period (HST-12)."""
    policy, lines, begun_at = case.policy, case.data.lines, day_starts_at(first)
    limit = policy.count("hoster_report_products", begun_at)
    names_tenants = policy.allows("hoster_report_tenants", begun_at)
    products = {line.product for line in lines}
    if limit and len(products) > limit:
        reason = f"it names {len(products)} products, and only {limit} are reported"
    elif not names_tenants and any(line.customer for line in lines):
        reason = "it names customer tenants, which are not reported any more"
    elif names_tenants and not all(line.customer for line in lines):
        reason = "a line does not name its customer tenant"
    else:
        return None
    return refuse("REPORT_UNFIT", period_on=first.isoformat(), reason=reason)


def _reporting(subject: Hosting, programme: Programme) -> Reporting | None:
    if programme is Programme.QMTH:
        return subject.qmth_reporting
    return subject.hoster_reporting


def _with_reporting(subject: Hosting, programme: Programme, reporting: Reporting) -> Hosting:
    if programme is Programme.QMTH:
        return replace(subject, qmth_reporting=reporting)
    return replace(subject, hoster_reporting=reporting)


def close_qmth_period(case: Request) -> Effect[Hosting]:
    """End a month of the QMTH programme: its report is due (HST-02)."""
    return _close(case, Programme.QMTH)


def close_hoster_period(case: Request) -> Effect[Hosting]:
    """End a period of the CSP-Hoster programme: its report is due (HST-12)."""
    return _close(case, Programme.CSP_HOSTER)


def _close(case: Request, programme: Programme) -> Effect[Hosting]:
    old = _reporting(case.subject, programme)
    assert old is not None  # noqa: S101 – the timer exists only with it
    reporting, facts = closed(old, programme, case.policy)
    return Effect(_with_reporting(case.subject, programme, reporting), facts)
