"""Partner authorization (AUT): the table cell by cell, every boundary, what always holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.codec import decode_snapshot, encode_snapshot
from sublife.events.packs import load_pack
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import (
    allowed,
    decide,
    definition,
    may,
    next_timer,
    reads,
    table,
    timed_event,
    timers,
)
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    ModelError,
    PartnerType,
    Payload,
    Refusal,
    Role,
    Snapshot,
)
from sublife.lifecycle.partner.model import (
    Application,
    Assessment,
    EndSupportPlan,
    Enrol,
    Partner,
    RecordAssessment,
    RecordPayment,
    RecordRevenue,
    Revenue,
    RevenueKind,
    State,
    SupportPlan,
    TakeSupportPlan,
)
from sublife.lifecycle.partner.revenue import (
    direct_revenue,
    refreshed_revenue,
    reseller_revenue,
)
from sublife.lifecycle.partner.schedule import anniversary_after
from sublife.lifecycle.partner.standing import objection, por_objection, transact_objection
from sublife.lifecycle.policy import Policy, Unit
from sublife.lifecycle.subscription.model import (
    BuyAgain,
    Patch,
    Product,
    Purchase,
    RequestTransfer,
    SetPor,
)

PARTNER = LIFECYCLES["partner"]
DIRECT, PROVIDER, RESELLER = (
    PartnerType.DIRECT_BILL,
    PartnerType.INDIRECT_PROVIDER,
    PartnerType.INDIRECT_RESELLER,
)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
AMY = Actor(ActorKind.USER, "amy", Role.GLOBAL_ADMIN, "contoso")
Facts: TypeAlias = list[tuple[str, Mapping[str, Any]]]


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _event(name: str, at: datetime, data: Payload = EMPTY, subject: str = "contoso") -> Event:
    return Event(f"{name} {at}", name, subject, at, AMY, data, None, "partner")


def _accepted(subject: Partner | None, event: Event, policy: Policy) -> Partner:
    return _decided(subject, event, policy)[0]


def _decided(
    subject: Partner | None,
    event: Event,
    policy: Policy,
    seen: Mapping[str, Snapshot] | None = None,
) -> tuple[Partner, Decision]:
    decision = decide(subject, event, policy, seen=seen or {})
    assert isinstance(decision, Decision), f"{event.name} at {event.at}: {decision}"
    assert isinstance(decision.snapshot, Partner)
    return decision.snapshot, decision


def _settled(subject: Partner, until: datetime, policy: Policy) -> tuple[Partner, Facts]:
    facts: Facts = []
    while (timer := next_timer(subject, "partner")) is not None and timer.due_at <= until:
        subject, decision = _decided(subject, timed_event(subject, timer, "partner"), policy)
        facts.extend((fact.name, fact.data) for fact in decision.facts)
    return subject, facts


def _enrolled(
    partner_type: PartnerType,
    policy: Policy,
    at: str = "2020-06-15T09:00:00",
    *,
    plan: SupportPlan | None = None,
) -> Partner:
    return _accepted(
        None, _event("enrol", _day(at), Enrol(partner_type, support_plan=plan)), policy
    )


def _with(subject: Partner, *lines: Revenue) -> Partner:
    return replace(subject, revenue=lines)


def _line(
    on: str,
    amount: str,
    kind: RevenueKind = RevenueKind.CLOUD,
    *,
    paid_on: date | None = date(2019, 1, 1),
    tenant: str = "",
) -> Revenue:
    """Return a line of revenue, paid long ago unless said otherwise."""
    return Revenue(date.fromisoformat(on), Decimal(amount), kind, "", paid_on, tenant)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shipped policy as it comes."""
    return load_pack()


PLAN = SupportPlan("ASfP", date(2018, 6, 15))


@pytest.fixture(scope="module")
def subjects(policy: Policy) -> Mapping[str, tuple[Partner, datetime]]:
    """A partner of each type in each state it can be in, and when a request reaches it there."""
    direct = _enrolled(DIRECT, policy, plan=PLAN)
    reseller = _enrolled(RESELLER, policy)
    short = replace(
        direct, state=State.TRANSITION_REQUIRED, check_at=None, restricts_at=_day("2021-07-15")
    )
    asked_at = _day("2021-06-01")
    later = _day("2024-06-20")
    return {
        "direct-bill, authorized": (direct, asked_at),
        "provider, authorized": (_enrolled(PROVIDER, policy), asked_at),
        "reseller, authorized": (reseller, later - 10 * DAY),
        "direct-bill, transition_required": (short, _day("2021-07-01")),
        "direct-bill, restricted": (_settled(direct, _day("2021-06-15"), policy)[0], later),
        "reseller, deauthorized": (_settled(reseller, _day("2024-06-15"), policy)[0], later),
        "reseller, a year later": (
            _settled(reseller, _day("2024-06-15"), policy)[0],
            _day("2025-06-15"),
        ),
    }


PAYLOADS: Mapping[str, Payload] = {
    "enrol": Enrol(RESELLER, provider="adatum"),
    "record_revenue": RecordRevenue((Revenue(date(2021, 1, 1), Decimal(5)),)),
    "record_payment": RecordPayment("i-1"),
    "take_support_plan": TakeSupportPlan("ASfP"),
    "end_support_plan": EndSupportPlan(),
    "record_assessment": RecordAssessment(passed=True),
}
COLUMNS = (
    "direct-bill, authorized",
    "provider, authorized",
    "reseller, authorized",
    "direct-bill, transition_required",
    "direct-bill, restricted",
    "reseller, deauthorized",
    "reseller, a year later",
)
ALL = "= = = = = = ="
TABLE: Mapping[str, str] = {
    # "=" the state stays, ">x" it becomes x, otherwise the refusal code and its rule.
    "enrol": (
        ">authorized ALREADY_ENROLLED:AUT-23 ALREADY_ENROLLED:AUT-23 >authorized >authorized "
        "REENROL_TOO_EARLY:AUT-18 >authorized"
    ),
    "record_revenue": ALL,
    "record_payment": " ".join(["INVOICE_UNKNOWN:AUT-08"] * 7),
    "sign_mpa": ALL,
    "take_support_plan": ALL,
    "end_support_plan": (
        "= NO_SUPPORT_PLAN:AUT-02 NO_SUPPORT_PLAN:AUT-02 = = NO_SUPPORT_PLAN:AUT-02 "
        "NO_SUPPORT_PLAN:AUT-02"
    ),
    "record_assessment": ALL,
    "create_sandbox": (
        "= = PARTNER_TYPE_DENIED:GEN-11 = PARTNER_RESTRICTED:AUT-06 PARTNER_TYPE_DENIED:GEN-11 "
        "PARTNER_TYPE_DENIED:GEN-11"
    ),
    "review": ALL,
    "enforce": (
        "PARTNER_TYPE_UNFIT:GEN-11 PARTNER_TYPE_UNFIT:GEN-11 NOT_YET_SUBJECT:AUT-17 "
        "PARTNER_TYPE_UNFIT:GEN-11 PARTNER_TYPE_UNFIT:GEN-11 PARTNER_BAD_STATE:AUT-17 "
        "PARTNER_BAD_STATE:AUT-17"
    ),
}
CELLS = [
    pytest.param(request, column, outcome, id=f"{request}-{column}")
    for request, outcomes in TABLE.items()
    for column, outcome in zip(COLUMNS, outcomes.split(), strict=True)
]


def test_the_table_has_a_cell_for_every_request_in_every_state() -> None:
    assert set(TABLE) == set(PARTNER.requests)
    assert {column.rpartition(", ")[2] for column in COLUMNS[:-1]} == {*map(str, State)}


def test_machine_and_table_agree_on_every_cell() -> None:
    """ADR-0004: the compiled table is read off the machine."""
    machine = definition(PARTNER)

    for (event, state), cell in table(PARTNER).items():
        found = machine.events[event].transitions.get(state, []) if event in machine.events else []
        assert len(found) == (len(cell) if isinstance(cell, tuple) else 0)


@pytest.mark.parametrize(("request_name", "column", "outcome"), CELLS)
def test_a_request_meets_a_partner_as_the_table_says(
    request_name: str,
    column: str,
    outcome: str,
    subjects: Mapping[str, tuple[Partner, datetime]],
    policy: Policy,
) -> None:
    subject, at = subjects[column]
    data = PAYLOADS.get(request_name, EMPTY)

    answer = decide(subject, _event(request_name, at, data), policy)

    if outcome[0] in "=>":
        assert isinstance(answer, Decision), answer
        assert answer.snapshot.state == (outcome[1:] or subject.state)
    else:
        assert isinstance(answer, Refusal), answer
        assert f"{answer.code}:{answer.rule}" == outcome


@pytest.mark.parametrize(("request_name", "column", "outcome"), CELLS)
def test_asking_beforehand_gives_the_answer_of_the_table(
    request_name: str,
    column: str,
    outcome: str,
    subjects: Mapping[str, tuple[Partner, datetime]],
    policy: Policy,
) -> None:
    """An unknown invoice is a matter of the payload, so asking beforehand says yes."""
    subject, at = subjects[column]
    wanted = "" if outcome[0] in "=>" or "INVOICE" in outcome else outcome

    asked = may(subject, request_name, policy=policy, at=at, lifecycle="partner")
    names = allowed(subject, policy=policy, at=at, lifecycle="partner")

    found = f"{asked.refusal.code}:{asked.refusal.rule}" if asked.refusal else ""
    assert found == wanted
    assert (request_name in names) == (not wanted)


@pytest.mark.parametrize(
    ("column", "due"),
    [
        ("direct-bill, authorized", {"authorization_year_ended": _day("2021-06-15")}),
        ("provider, authorized", {}),
        (
            "reseller, authorized",
            {
                "notice_wait_ended": _day("2024-03-15"),
                "authorization_year_ended": _day("2024-06-15"),
            },
        ),
        ("direct-bill, transition_required", {"transition_ended": _day("2021-07-15")}),
        ("direct-bill, restricted", {}),
        ("reseller, deauthorized", {}),
    ],
)
def test_the_calendar_of_each_state(
    column: str,
    due: Mapping[str, datetime],
    subjects: Mapping[str, tuple[Partner, datetime]],
) -> None:
    subject, _ = subjects[column]

    assert {timer.name: timer.due_at for timer in timers(subject, "partner")} == due


# Direct-bill: AUT-01 … AUT-13.


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (_day("2020-09-30T23:59:59"), None),
        (_day("2020-10-01"), "DIRECT_ENROLMENT_CLOSED"),
        (_day("2030-01-01"), "DIRECT_ENROLMENT_CLOSED"),
    ],
)
def test_direct_enrolment_closes_with_october_2020(
    at: datetime, code: str | None, policy: Policy
) -> None:
    """AUT-01."""
    answer = decide(None, _event("enrol", at, Enrol(DIRECT)), policy)

    assert (answer.code if isinstance(answer, Refusal) else None) == code


@pytest.mark.parametrize(
    ("amount", "plan_until", "state"),
    [
        ("300000.00", None, State.AUTHORIZED),
        ("300000.01", None, State.AUTHORIZED),
        ("299999.99", None, State.RESTRICTED),
        ("300000.00", date(2021, 6, 15), State.AUTHORIZED),
        ("300000.00", date(2021, 6, 14), State.RESTRICTED),
    ],
)
def test_a_direct_bill_partner_needs_revenue_and_a_plan_on_its_anniversary(
    amount: str, plan_until: date | None, state: State, policy: Policy
) -> None:
    """AUT-02: both, exact to the cent and to the day."""
    direct = _enrolled(DIRECT, policy, plan=replace(PLAN, until_on=plan_until))
    direct = _with(direct, _line("2021-01-01", amount))

    before, _ = _settled(direct, _day("2021-06-15") - SECOND, policy)
    after, _ = _settled(direct, _day("2021-06-15"), policy)

    assert (before.state, after.state) == (State.AUTHORIZED, state)


@pytest.mark.parametrize(
    ("since_on", "check_at"),
    [
        (date(2017, 12, 31), _day("2021-12-31")),
        (date(2018, 1, 1), _day("2021-01-01")),
        (date(2020, 2, 29), _day("2021-02-28")),
        (date(2020, 9, 30), _day("2021-09-30")),
    ],
)
def test_the_first_check_is_on_the_first_anniversary_from_january_2021(
    since_on: date, check_at: datetime, policy: Policy
) -> None:
    """AUT-03."""
    direct = _enrolled(DIRECT, policy, "2020-09-30", plan=SupportPlan("ASfP", since_on))

    assert direct.check_at == check_at


@pytest.mark.parametrize(
    ("on", "counts"),
    [
        ("2020-06-14", False),
        ("2020-06-15", True),
        ("2021-06-14", True),
        ("2021-06-15", False),
    ],
)
def test_twelve_months_end_the_day_before(on: str, *, counts: bool, policy: Policy) -> None:
    """AUT-03, AUT-17: first and last day are inside."""
    partner = _with(_enrolled(DIRECT, policy), _line(on, "7"))
    day = date(2021, 6, 15)

    assert direct_revenue(partner, policy, on=day).amount == (7 if counts else 0)
    assert reseller_revenue(partner, policy, on=day).amount == (7 if counts else 0)


@pytest.mark.parametrize("kind", list(RevenueKind))
def test_which_kind_of_revenue_counts_for_whom(kind: RevenueKind, policy: Policy) -> None:
    """AUT-08, AUT-15."""
    partner = _with(_enrolled(DIRECT, policy), _line("2021-01-01", "7", kind))
    day = date(2021, 6, 15)
    software = kind in {RevenueKind.PERPETUAL_SOFTWARE, RevenueKind.SOFTWARE_SUBSCRIPTION}
    cloud = kind is RevenueKind.CLOUD

    assert direct_revenue(partner, policy, on=day).amount == (7 if cloud else 0)
    assert reseller_revenue(partner, policy, on=day).amount == (7 if cloud or software else 0)


@pytest.mark.parametrize(
    ("paid_on", "direct"),
    [(None, 0), (date(2021, 6, 14), 7), (date(2021, 6, 15), 0)],
)
def test_only_what_is_paid_by_then_counts_for_direct_bill(
    paid_on: date | None, direct: int, policy: Policy
) -> None:
    """AUT-08: paid invoices only; a reseller's counts either way (AUT-15)."""
    partner = _with(_enrolled(DIRECT, policy), _line("2021-01-01", "7", paid_on=paid_on))
    day = date(2021, 6, 15)

    assert direct_revenue(partner, policy, on=day).amount == direct
    assert reseller_revenue(partner, policy, on=day).amount == 7


def test_direct_bill_counts_the_account_and_a_reseller_its_tenant(policy: Policy) -> None:
    """AUT-08, AUT-15, AUT-23."""
    lines = (
        _line("2021-01-01", "1"),
        _line("2021-01-01", "2", tenant="contoso"),
        _line("2021-01-01", "4", tenant="contoso-se"),
    )
    partner = _with(_enrolled(DIRECT, policy), *lines)
    day = date(2021, 6, 15)

    assert direct_revenue(partner, policy, on=day).amount == 7
    assert reseller_revenue(partner, policy, on=day).amount == 3


@pytest.mark.parametrize(
    ("on", "first", "last"),
    [
        (date(2021, 6, 7), date(2020, 5, 1), date(2021, 4, 30)),
        (date(2021, 6, 8), date(2020, 6, 1), date(2021, 5, 31)),
        (date(2021, 1, 7), date(2019, 12, 1), date(2020, 11, 30)),
        (date(2021, 1, 8), date(2020, 1, 1), date(2020, 12, 31)),
    ],
)
def test_the_shown_revenue_is_refreshed_on_the_eighth(
    on: date, first: date, last: date, policy: Policy
) -> None:
    """AUT-08: for the twelve months to the prior month."""
    found = refreshed_revenue(_enrolled(DIRECT, policy), policy, on=on)

    assert (found.from_on, found.until_on) == (first, last)


def test_an_amount_in_another_currency_is_a_mistake() -> None:
    """AUT-02: the requirement is in US dollars, so nothing else can be compared."""
    with pytest.raises(ModelError, match="convert it and give USD"):
        Revenue(date(2021, 1, 1), Decimal(1), currency="EUR")
    with pytest.raises(ModelError, match="give an amount"):
        Revenue(date(2021, 1, 1), Decimal("NaN"))


def test_there_is_no_empty_record_of_revenue() -> None:
    with pytest.raises(ModelError, match="give at least one"):
        RecordRevenue(())


def test_a_partner_that_goes_over_begins_its_years_anew(policy: Policy) -> None:
    """AUT-04, AUT-19: the old revenue stays on record."""
    direct = _with(_enrolled(DIRECT, policy, plan=PLAN), _line("2021-01-01", "10"))
    restricted, _ = _settled(direct, _day("2021-06-15"), policy)

    ask = Enrol(RESELLER, provider="adatum")
    reseller = _accepted(restricted, _event("enrol", _day("2023-07-01"), ask), policy)

    assert (reseller.partner_type, reseller.provider, reseller.was_direct) == (
        RESELLER,
        "adatum",
        True,
    )
    assert (reseller.authorized_on, reseller.check_at) == (date(2023, 7, 1), _day("2024-07-01"))
    assert reseller.revenue == direct.revenue


@pytest.mark.parametrize("state", ["authorized", "restricted"])
@pytest.mark.parametrize("asked", [DIRECT, PROVIDER])
def test_a_direct_bill_tenant_becomes_nothing_but_a_reseller(
    state: str, asked: PartnerType, subjects: Mapping[str, tuple[Partner, datetime]], policy: Policy
) -> None:
    """AUT-09."""
    subject, at = subjects[f"direct-bill, {state}"]

    answer = decide(subject, _event("enrol", at, Enrol(asked)), policy)

    assert isinstance(answer, Refusal)
    assert answer.code == ("ALREADY_ENROLLED" if state == "authorized" else "NEW_TENANT_REQUIRED")


def test_a_deauthorized_reseller_does_not_become_direct_bill(
    subjects: Mapping[str, tuple[Partner, datetime]], policy: Policy
) -> None:
    """AUT-09."""
    subject, at = subjects["reseller, a year later"]

    answer = decide(subject, _event("enrol", at, Enrol(DIRECT)), policy)

    assert isinstance(answer, Refusal)
    assert answer.code == "NEW_TENANT_REQUIRED"


APPLICANT = Enrol(
    DIRECT,
    support_plan=SupportPlan("ASfP", date(2024, 1, 10)),
    application=Application(
        "northwind",
        credit_checked_on=date(2024, 1, 9),
        managed_service=True,
        assessment=Assessment(date(2024, 1, 8), passed=True),
    ),
)


def _applied(
    at: datetime, policy: Policy, ask: Enrol = APPLICANT, *, reseller: Partner | None = None
) -> Decision | Refusal:
    if reseller is None:
        enrolled = _enrolled(RESELLER, policy, "2023-01-15")
        reseller = _with(enrolled, _line("2023-12-31", "300000"))
    event = _event("enrol", at, ask, "contoso-direct")
    return decide(None, event, policy, seen={"northwind": reseller})


def test_an_application_reads_the_reseller_that_applies() -> None:
    """AUT-10."""
    event = _event("enrol", _day("2024-01-15"), APPLICANT, "contoso-direct")

    assert reads(None, event).subjects == ("northwind",)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (_day("2024-01-15") - SECOND, "DIRECT_ENROLMENT_REQUIREMENT"),
        (_day("2024-01-15"), None),
        (_day("2025-10-01"), "DIRECT_ENROLMENT_CLOSED"),
    ],
)
def test_an_applicant_has_been_a_reseller_for_twelve_months(
    at: datetime, code: str | None, policy: Policy
) -> None:
    """AUT-10: to the end of September 2025."""
    answer = _applied(at, policy)

    assert (answer.code if isinstance(answer, Refusal) else None) == code


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"support_plan": None}, "support plan after the credit check"),
        (
            {"support_plan": SupportPlan("ASfP", date(2024, 1, 8))},
            "support plan after the credit check",
        ),
        (
            {"support_plan": SupportPlan("ASfP", date(2024, 1, 10), date(2024, 1, 14))},
            "support plan",
        ),
    ],
)
def test_an_applicant_has_an_active_plan_bought_after_the_credit_check(
    change: dict[str, Any], missing: str, policy: Policy
) -> None:
    """AUT-10."""
    answer = _applied(_day("2024-01-15"), policy, replace(APPLICANT, **change))

    assert isinstance(answer, Refusal)
    assert answer.details["missing"] == missing


@pytest.mark.parametrize("state", [State.DEAUTHORIZED, State.AUTHORIZED])
def test_an_applicant_is_an_authorized_reseller(state: State, policy: Policy) -> None:
    """AUT-10: no provider, no direct-bill tenant, none that lost its authorization."""
    partner_type = RESELLER if state is State.DEAUTHORIZED else PROVIDER
    enrolled = _enrolled(RESELLER, policy, "2023-01-15")
    reseller = replace(
        _with(enrolled, _line("2023-12-31", "300000")), state=state, partner_type=partner_type
    )

    answer = _applied(_day("2024-01-15"), policy, reseller=reseller)

    assert isinstance(answer, Refusal)
    assert answer.details["missing"] == "months as indirect reseller"


@pytest.mark.parametrize(
    ("assessment", "missing"),
    [
        (None, "revenue, Solutions Partner designation, security score, capability assessment"),
        (
            Assessment(
                date(2024, 10, 14), passed=True, designation="Security", security_passed=True
            ),
            "revenue, Solutions Partner designation, security score, capability assessment",
        ),
        (
            Assessment(
                date(2024, 10, 15), passed=True, designation="Security", security_passed=True
            ),
            "revenue",
        ),
        (
            Assessment(date(2025, 10, 15), passed=False, designation="Security"),
            "revenue, security score, capability assessment",
        ),
    ],
)
def test_the_later_threshold_asks_for_a_yearly_qualification(
    assessment: Assessment | None, missing: str, policy: Policy
) -> None:
    """AUT-13: behind its switch, and 999,999.99 is short of one million."""
    switched = policy.choosing({"direct_bill_threshold": "one_million"})
    since = SupportPlan("ASfP", date(2024, 10, 15))
    direct = replace(
        _with(_enrolled(DIRECT, policy), _line("2025-09-01", "999999.99")),
        support_plan=since,
        assessment=assessment,
        anniversary_on=date(2025, 10, 15),
        check_at=_day("2025-10-15"),
    )

    after, facts = _settled(direct, _day("2025-10-15"), switched)
    unswitched, _ = _settled(direct, _day("2025-10-15"), policy)

    assert after.state == State.RESTRICTED
    assert facts[0][1]["missing"] == missing
    assert unswitched.state == State.AUTHORIZED


# Resellers: AUT-14 … AUT-24.


@pytest.mark.parametrize(
    ("amount", "state"),
    [("1000.00", State.AUTHORIZED), ("999.99", State.DEAUTHORIZED), ("0", State.DEAUTHORIZED)],
)
def test_a_reseller_needs_one_thousand_dollars(amount: str, state: State, policy: Policy) -> None:
    """AUT-14, AUT-17: at 00:00Z of the anniversary."""
    reseller = _with(_enrolled(RESELLER, policy), _line("2024-06-14", amount))

    before, _ = _settled(reseller, _day("2024-06-15") - SECOND, policy)
    after, _ = _settled(reseller, _day("2024-06-15"), policy)

    assert (before.state, after.state) == (State.AUTHORIZED, state)


@pytest.mark.parametrize(
    ("enrolled_on", "tested_on"),
    [
        ("2021-03-31", "2025-03-31"),
        ("2021-04-01", "2024-04-01"),
        ("2023-03-31", "2025-03-31"),
        ("2023-04-01", "2024-04-01"),
        ("2024-02-29", "2025-02-28"),
        ("2020-02-29", "2025-02-28"),
    ],
)
def test_the_first_test_is_on_an_anniversary_from_april_2024(
    enrolled_on: str, tested_on: str, policy: Policy
) -> None:
    """AUT-17, AUT-19."""
    reseller = _enrolled(RESELLER, policy, enrolled_on)

    assert reseller.check_at == _day(tested_on)
    assert _settled(reseller, _day(tested_on), policy)[0].state == State.DEAUTHORIZED


@pytest.mark.parametrize(
    ("anniversary", "marks"),
    [
        ("2024-06-15", ("2024-03-15", "2024-04-16", "2024-05-16")),
        ("2024-05-31", ("2024-02-29", "2024-04-01", "2024-05-01")),
        ("2024-04-01", ("2024-01-01", "2024-02-01", "2024-03-02")),
    ],
)
def test_notices_go_out_three_months_and_60_and_30_days_before(
    anniversary: str, marks: tuple[str, ...], policy: Policy
) -> None:
    """AUT-16, table 8.3: three months by the calendar, days by their number (GEN-05)."""
    reseller = _enrolled(RESELLER, policy, anniversary.replace("2024", "2022"))

    assert tuple(notice.at for notice in reseller.notices) == tuple(map(_day, marks))
    _, facts = _settled(reseller, _day(anniversary) - SECOND, policy)
    assert [data["recipients"] for _, data in facts] == ["reseller, provider"] * 3


def test_the_deauthorization_is_told_to_reseller_provider_and_customers(policy: Policy) -> None:
    """AUT-17."""
    reseller = replace(_enrolled(RESELLER, policy), notices=(), provider="adatum")

    _, facts = _settled(reseller, _day("2024-06-15"), policy)

    assert [name for name, _ in facts] == ["partner-deauthorized", "partner-notice-sent"]
    assert facts[1][1]["recipients"] == "reseller, provider, customers"
    assert facts[1][1]["provider"] == "adatum"


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        (_day("2021-06-15") - SECOND, "AUT-19"),
        (_day("2021-06-15"), "AUT-14"),
        (_day("2024-04-01") - SECOND, "AUT-14"),
        (_day("2024-04-01"), "AUT-17"),
        (_day("2024-06-14"), "AUT-17"),
    ],
)
def test_an_early_enforcement_says_why_it_is_early(at: datetime, rule: str, policy: Policy) -> None:
    """AUT-19: within twelve months; then before the requirement; then before the anniversary."""
    reseller = _enrolled(RESELLER, policy)

    answer = decide(reseller, _event("enforce", at), policy)

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.rule) == ("NOT_YET_SUBJECT", rule)


@pytest.mark.parametrize(
    ("enrolled_on", "first", "last"),
    [
        ("2022-06-15", "2024-06-01", "2024-06-30"),
        ("2023-06-15", "2024-06-15", "2024-06-30"),
        ("2022-06-01", "2024-06-01", "2024-06-30"),
        ("2022-06-30", "2024-06-01", "2024-06-30"),
    ],
)
def test_the_anniversary_month_is_open_from_its_first_day_to_its_last(
    enrolled_on: str, first: str, last: str, policy: Policy
) -> None:
    """AUT-17, AUT-19: behind the switch; when simulated, the earliest instant counts (GEN-07)."""
    month = {"reseller_test": "anniversary_month"}
    simulated = policy.choosing(month)
    reported = policy.choosing({**month, "processing": "reported"})

    early, late = (_enrolled(RESELLER, each, enrolled_on) for each in (simulated, reported))

    assert (early.check_from, early.check_at) == (_day(first), _day(first))
    assert (late.check_from, late.check_at) == (_day(first), _day(last))
    refused = decide(late, _event("enforce", _day(first) - SECOND), reported)
    tested, _ = _decided(late, _event("enforce", _day(first)), reported)
    assert isinstance(refused, Refusal)
    assert refused.code == "NOT_YET_SUBJECT"
    assert tested.state == State.DEAUTHORIZED


def test_a_test_that_was_passed_early_in_its_month_is_not_made_again(policy: Policy) -> None:
    """AUT-17: the next one is that of the next year."""
    chosen = policy.choosing({"reseller_test": "anniversary_month", "processing": "reported"})
    reseller = _with(_enrolled(RESELLER, chosen, "2022-06-15"), _line("2024-05-01", "1000"))

    passed = _accepted(reseller, _event("enforce", _day("2024-06-03")), chosen)

    assert (passed.anniversary_on, passed.check_from) == (date(2025, 6, 15), _day("2025-06-01"))


@pytest.mark.parametrize(
    ("deauthorized_on", "allowed_on"),
    [("2024-06-15", "2025-06-15"), ("2028-02-29", "2029-02-28")],
)
def test_a_reseller_enrols_again_from_the_same_date_a_year_later(
    deauthorized_on: str, allowed_on: str, policy: Policy
) -> None:
    """AUT-18."""
    day = date.fromisoformat(deauthorized_on)
    reseller = _enrolled(RESELLER, policy, f"2024-{day:%m-%d}" if day.year > 2024 else "2021-06-15")
    lines = [_line(f"{year}-01-31", "1000") for year in range(2024, day.year)]
    gone, _ = _settled(_with(reseller, *lines), _day(deauthorized_on), policy)
    ask = Enrol(RESELLER)

    early = decide(gone, _event("enrol", _day(allowed_on) - SECOND, ask), policy)
    again = _accepted(gone, _event("enrol", _day(allowed_on), ask), policy)

    assert gone.state == State.DEAUTHORIZED
    assert isinstance(early, Refusal)
    assert early.code == "REENROL_TOO_EARLY"
    assert (again.state, again.authorized_on) == (State.AUTHORIZED, date.fromisoformat(allowed_on))


# What stands against a partner.


def _standing(partner_type: PartnerType, state: State, signed_on: date | None = None) -> Partner:
    return Partner(
        id="p",
        state=state,
        changed_at=_day("2020-01-01"),
        customer="",
        partner="p",
        partner_type=partner_type,
        authorized_on=date(2020, 1, 1),
        mpa_signed_on=signed_on,
    )


LATE = _day("2024-07-01")


@pytest.mark.parametrize(
    ("partner", "new", "existing"),
    [
        (None, None, None),
        (_standing(DIRECT, State.AUTHORIZED), None, None),
        (_standing(DIRECT, State.TRANSITION_REQUIRED), None, None),
        (_standing(DIRECT, State.RESTRICTED), "PARTNER_RESTRICTED", None),
        (_standing(PROVIDER, State.AUTHORIZED), None, None),
        (_standing(RESELLER, State.AUTHORIZED), None, None),
        (
            _standing(RESELLER, State.DEAUTHORIZED),
            "RESELLER_DEAUTHORIZED",
            "RESELLER_DEAUTHORIZED",
        ),
    ],
)
def test_what_stands_against_a_partner(
    partner: Partner | None, new: str | None, existing: str | None
) -> None:
    """AUT-06, AUT-07, AUT-17, AUT-20: of one that is not tracked nothing is known."""
    found = [objection(partner, LATE, new_business=each) for each in (True, False)]

    assert [refusal.code if refusal else None for refusal in found] == [new, existing]


def test_a_reseller_does_not_transact() -> None:
    """GEN-11."""
    refusal = transact_objection(_standing(RESELLER, State.AUTHORIZED), LATE)

    assert refusal is not None
    assert refusal.code == "PARTNER_TYPE_DENIED"
    assert transact_objection(_standing(PROVIDER, State.AUTHORIZED), LATE) is None


@pytest.mark.parametrize(
    ("partner", "at", "code"),
    [
        (None, LATE, None),
        (_standing(DIRECT, State.AUTHORIZED), LATE, "POR_NOT_RESELLER"),
        (_standing(PROVIDER, State.AUTHORIZED), LATE, "POR_NOT_RESELLER"),
        (_standing(RESELLER, State.AUTHORIZED), LATE, "MPA_NOT_SIGNED"),
        (_standing(RESELLER, State.AUTHORIZED), _day("2020-02-01") - SECOND, None),
        (_standing(RESELLER, State.AUTHORIZED), _day("2020-02-01"), "MPA_NOT_SIGNED"),
        (_standing(RESELLER, State.AUTHORIZED, date(2024, 7, 1)), LATE, None),
        (_standing(RESELLER, State.AUTHORIZED, date(2024, 7, 2)), LATE, "MPA_NOT_SIGNED"),
        (_standing(RESELLER, State.DEAUTHORIZED, date(2024, 1, 1)), LATE, "RESELLER_DEAUTHORIZED"),
    ],
)
def test_who_may_be_partner_of_record(
    partner: Partner | None, at: datetime, code: str | None, policy: Policy
) -> None:
    """AUT-20, AUT-24, EA-32."""
    refusal = por_objection(partner, at, policy)

    assert (refusal.code if refusal else None) == code


ORDER = Purchase("tailspin", "contoso", Product("E3"), 1, Term.P1Y, Billing.MONTHLY, por="munich")


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("purchase", ORDER, {"contoso", "munich"}),
        ("set_por", SetPor("munich"), {"munich"}),
        ("patch", Patch(partner_id="munich"), {"munich"}),
        ("request_transfer", RequestTransfer("adatum", por="munich"), {"adatum", "munich"}),
    ],
)
def test_a_request_reads_the_partners_that_it_names(
    name: str, data: Payload, named: set[str]
) -> None:
    """AUT-06, AUT-20."""
    event = Event("e", name, "s1", LATE, AMY, data)

    assert named <= set(reads(None, event).subjects)


def test_buying_again_reads_the_partner_and_the_partner_of_record(policy: Policy) -> None:
    """AUT-06, AUT-20."""
    bought = decide(None, Event("e", "purchase", "s1", LATE, AMY, ORDER), policy)
    assert isinstance(bought, Decision)

    event = Event("e2", "buy_again", "s1", LATE, AMY, BuyAgain("s2"))

    assert {"contoso", "munich"} <= set(reads(bought.snapshot, event).subjects)


# The figures.


@dataclass(frozen=True, slots=True)
class Row:
    """A figure at an instant."""

    figure: str
    at: datetime
    value: int | bool | Decimal
    switched: bool = False


EARLY, FOR_EVER = _day("2000-01-01"), _day("2090-01-01")
FIGURES = (
    Row("direct_enrolment", _day("2020-10-01") - SECOND, value=True),
    Row("direct_enrolment", _day("2020-10-01"), value=False),
    Row("direct_application", _day("2021-01-01") - SECOND, value=False),
    Row("direct_application", _day("2021-01-01"), value=True),
    Row("direct_application", _day("2025-10-01") - SECOND, value=True),
    Row("direct_application", _day("2025-10-01"), value=False),
    Row("direct_application", _day("2025-10-01"), value=True, switched=True),
    Row("direct_requirement", _day("2021-01-01") - SECOND, value=False),
    Row("direct_requirement", _day("2021-01-01"), value=True),
    Row("direct_qualification", FOR_EVER, value=False),
    Row("direct_qualification", _day("2025-10-01") - SECOND, value=False, switched=True),
    Row("direct_qualification", _day("2025-10-01"), value=True, switched=True),
    Row("direct_revenue", EARLY, Decimal(300_000)),
    Row("direct_revenue", FOR_EVER, Decimal(300_000)),
    Row("direct_revenue", _day("2025-10-01") - SECOND, Decimal(300_000), switched=True),
    Row("direct_revenue", _day("2025-10-01"), Decimal(1_000_000), switched=True),
    Row("applicant_tenure", FOR_EVER, 12),
    Row("assessment_validity", FOR_EVER, 12),
    Row("trailing_months", FOR_EVER, 12),
    Row("refresh_day", FOR_EVER, 8),
    Row("transition", FOR_EVER, 0),
    Row("reseller_requirement", _day("2024-04-01") - SECOND, value=False),
    Row("reseller_requirement", _day("2024-04-01"), value=True),
    Row("reseller_revenue", FOR_EVER, Decimal(1000)),
    Row("reseller_tenure", FOR_EVER, 12),
    Row("first_notice", FOR_EVER, 3),
    Row("second_notice", FOR_EVER, 60),
    Row("third_notice", FOR_EVER, 30),
    Row("waiting", FOR_EVER, 12),
    Row("mpa_required", _day("2020-02-01") - SECOND, value=False),
    Row("mpa_required", _day("2020-02-01"), value=True),
)


def test_every_figure_is_looked_at() -> None:
    assert {row.figure for row in FIGURES} == set(PARTNER.figures)


@pytest.mark.parametrize("row", FIGURES, ids=lambda row: f"{row.figure} {row.at:%Y-%m-%d}")
def test_a_figure_at_an_instant(row: Row, policy: Policy) -> None:
    """GEN-09: figures are dated."""
    chosen = policy
    if row.switched:
        chosen = policy.choosing({"direct_bill_threshold": "one_million"})
    found: int | bool | Decimal
    match PARTNER.figures[row.figure]:
        case Unit.ALLOWED:
            found = chosen.allows(row.figure, row.at)
        case Unit.USD:
            found = chosen.amount(row.figure, row.at)
        case Unit.DAYS:
            found = chosen.length(row.figure, row.at).days
        case _:
            found = chosen.count(row.figure, row.at)

    assert found == row.value


# What always holds.

DAYS = st.dates(date(2019, 1, 1), date(2032, 12, 31))
AMOUNTS = st.decimals(Decimal(-500), Decimal(1500), places=2)
LINES = st.lists(
    st.builds(
        Revenue,
        DAYS,
        AMOUNTS,
        st.sampled_from(list(RevenueKind)),
        paid_on=st.none() | DAYS,
        tenant=st.sampled_from(["", "contoso", "other"]),
    ),
    max_size=12,
)
_POLICY = load_pack()


@given(anchor=DAYS, on=DAYS)
def test_an_anniversary_is_the_first_after_its_day(anchor: date, on: date) -> None:
    """GEN-06: counted from the anchor, so no year has two and none is left out."""
    found = anniversary_after(anchor, on)

    assert found > max(on, anchor)
    assert (found.month, found.day) in {(anchor.month, anchor.day), (2, 28)}
    assert found.year - max(on.year, anchor.year) <= 1


@given(anchor=DAYS, lines=LINES)
def test_two_tests_leave_no_day_between_them(anchor: date, lines: list[Revenue]) -> None:
    """AUT-17, GEN-06: each window ends the day before its test and reaches to the test before."""
    partner = _with(_standing(RESELLER, State.AUTHORIZED), *lines)
    first = anniversary_after(anchor, anchor)
    second = anniversary_after(anchor, first)

    window = reseller_revenue(partner, _POLICY, on=second)

    assert window.until_on == second - DAY
    assert window.from_on <= first
    assert (first - window.from_on).days <= 1


@given(lines=LINES, enrolled_on=st.dates(date(2020, 1, 1), date(2023, 12, 31)))
def test_a_reseller_is_deauthorized_exactly_when_it_is_below(
    lines: list[Revenue], enrolled_on: date
) -> None:
    """AUT-14, AUT-15: by a sum worked out here, line by line."""
    reseller = _with(_enrolled(RESELLER, _POLICY, enrolled_on.isoformat()), *lines)
    assert reseller.check_at is not None
    tested_on = reseller.check_at.date()
    before = tested_on - DAY
    counted = {RevenueKind.CLOUD, RevenueKind.PERPETUAL_SOFTWARE, RevenueKind.SOFTWARE_SUBSCRIPTION}
    is_leap_day = (tested_on.month, tested_on.day) == (2, 29)
    first = (before if is_leap_day else tested_on).replace(year=tested_on.year - 1)
    total = sum(
        line.amount
        for line in lines
        if line.kind in counted and line.tenant != "other" and first <= line.on <= before
    )

    after, _ = _settled(reseller, reseller.check_at, _POLICY)

    assert (after.state == State.DEAUTHORIZED) == (total < 1000)


@given(lines=LINES, seed=st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(lines: list[Revenue], seed: Any) -> None:
    """AUT-08, AUT-15: a sum is a sum."""
    shuffled = list(lines)
    seed.shuffle(shuffled)
    day = date(2025, 6, 15)
    one, other = (_with(_standing(DIRECT, State.AUTHORIZED), *each) for each in (lines, shuffled))

    assert direct_revenue(one, _POLICY, on=day) == direct_revenue(other, _POLICY, on=day)
    assert reseller_revenue(one, _POLICY, on=day) == reseller_revenue(other, _POLICY, on=day)


@given(lines=LINES, partner_type=st.sampled_from(list(PartnerType)), enrolled_on=DAYS)
def test_a_partner_reads_back_as_it_was_written(
    lines: list[Revenue], partner_type: PartnerType, enrolled_on: date
) -> None:
    partner = replace(
        _with(_standing(partner_type, State.AUTHORIZED, enrolled_on), *lines),
        support_plan=SupportPlan("ASfP", enrolled_on),
    )

    assert decode_snapshot("partner", encode_snapshot(partner)) == partner


@given(
    lines=LINES,
    partner_type=st.sampled_from([DIRECT, RESELLER]),
    enrolled_on=st.dates(date(2018, 1, 1), date(2020, 9, 30)),
)
def test_no_timer_lies_before_its_cause_and_the_calendar_comes_to_rest_or_goes_on(
    lines: list[Revenue], partner_type: PartnerType, enrolled_on: date
) -> None:
    """A late daemon changes nothing: settling at once equals settling year by year."""
    partner = _with(_enrolled(partner_type, _POLICY, enrolled_on.isoformat()), *lines)
    end = _day("2030-01-01")

    at_once, _ = _settled(partner, end, _POLICY)
    stepwise = partner
    for year in range(2019, 2031):
        stepwise, _ = _settled(stepwise, _day(f"{year}-01-01"), _POLICY)
        assert all(timer.due_at >= stepwise.changed_at for timer in timers(stepwise, "partner"))

    assert at_once == stepwise
