"""The customer tenant: every cell of its table, who may ask, regions, and what bars an order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.customer.model import (
    AcceptAgreement,
    Create,
    Customer,
    Register,
    Relationship,
    RelationshipKind,
    RequestRelationship,
    State,
    WithPartner,
)
from sublife.lifecycle.customer.relation import has_dap, objection, related_at
from sublife.lifecycle.machine import allowed, decide, may, reads, table, timers
from sublife.lifecycle.model import (
    ABSENT,
    Actor,
    ActorKind,
    Decision,
    Event,
    ModelError,
    PartnerType,
    Payload,
    Refusal,
    Role,
    Segment,
    Snapshot,
)
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.model import State as Standing
from sublife.lifecycle.policy import Policy

LIFECYCLE = LIFECYCLES["customer"]
AT = datetime(2024, 10, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL)
MIA = Actor(ActorKind.USER, "mia", Role.SALES_AGENT, "adatum", PartnerType.INDIRECT_PROVIDER)
BEN = Actor(ActorKind.USER, "ben", Role.GLOBAL_ADMIN)
SHOP = Actor(ActorKind.APPLICATION, "shop", partner="contoso")
MICROSOFT = Actor(ActorKind.MICROSOFT, "partner-center")
NOBODY: Mapping[str, Snapshot] = MappingProxyType({})

FRESH = Customer(
    id="tailspin",
    state=State.UNRELATED,
    version=1,
    changed_at=AT,
    customer="tailspin",
    partner="",
    country="DE",
)
PENDING = Relationship("contoso", requested_at=AT, url="https://a.example")
ACCEPTED = Relationship("contoso", accepted_at=AT)
GRANTED = replace(ACCEPTED, dap_since=AT)
OTHER = Relationship("adatum", accepted_at=AT)
STAGES: Mapping[str, Customer | None] = {
    "absent": None,
    "fresh": FRESH,
    "asked": replace(FRESH, relationships=(PENDING,)),
    "ended": replace(FRESH, relationships=(replace(ACCEPTED, ended_at=AT),)),
    "related": replace(FRESH, state=State.RELATED, relationships=(ACCEPTED,)),
    "with DAP": replace(FRESH, state=State.RELATED, relationships=(GRANTED,)),
    "with two": replace(FRESH, state=State.RELATED, relationships=(GRANTED, OTHER)),
    "agreed": replace(FRESH, mca_accepted_at=AT, mca_accepted_by="ben"),
}
PAYLOADS: Mapping[str, tuple[Payload, Actor]] = {
    "register": (Register("FR"), BEN),
    "create": (Create("contoso", "FR"), AMY),
    "request_relationship": (RequestRelationship("contoso", "https://b.example"), AMY),
    "accept_relationship": (WithPartner("contoso"), BEN),
    "end_relationship": (WithPartner("contoso"), BEN),
    "approve_dap": (WithPartner("contoso"), BEN),
    "terminate_dap": (WithPartner("contoso"), AMY),
    "accept_agreement": (AcceptAgreement("ben"), BEN),
}
U, R = "→unrelated", "→related"
MISSING, NONE = "RELATIONSHIP_MISSING", "RELATIONSHIP_NONE"
UNASKED, EXISTS = "RELATIONSHIP_NOT_REQUESTED", "CUSTOMER_EXISTS"
WAITS, THERE = "RELATIONSHIP_PENDING", "RELATIONSHIP_EXISTS"
TABLE: Mapping[str, Mapping[str, str]] = {
    "register": {"absent": U} | dict.fromkeys(list(STAGES)[1:], EXISTS),
    "create": {"absent": R} | dict.fromkeys(list(STAGES)[1:], EXISTS),
    "request_relationship": {
        "fresh": "=",
        "asked": WAITS,
        "ended": "=",
        "related": THERE,
        "with DAP": THERE,
        "with two": THERE,
        "agreed": "=",
    },
    "accept_relationship": {
        "fresh": UNASKED,
        "asked": R,
        "ended": UNASKED,
        "related": THERE,
        "with DAP": THERE,
        "with two": THERE,
        "agreed": UNASKED,
    },
    "end_relationship": {
        "fresh": NONE,
        "asked": NONE,
        "ended": NONE,
        "related": U,
        "with DAP": U,
        "with two": "=",
        "agreed": NONE,
    },
    "approve_dap": {
        "fresh": NONE,
        "asked": NONE,
        "ended": NONE,
        "related": "=",
        "with DAP": "DAP_EXISTS",
        "with two": "DAP_EXISTS",
        "agreed": NONE,
    },
    "terminate_dap": {
        "fresh": NONE,
        "asked": NONE,
        "ended": NONE,
        "related": "DAP_MISSING",
        "with DAP": "=",
        "with two": "=",
        "agreed": NONE,
    },
    "accept_agreement": dict.fromkeys(list(STAGES)[1:-1], "=") | {"agreed": "MCA_ACCEPTED"},
}
CELLS = [(request, stage, TABLE[request][stage]) for request in TABLE for stage in TABLE[request]]


def _event(name: str, data: Payload | None = None, actor: Actor | None = None) -> Event:
    payload, usual = PAYLOADS[name]
    return Event(
        "e-1", name, "tailspin", AT + HOUR, actor or usual, data or payload, None, "customer"
    )


def _partner(
    partner_id: str = "contoso",
    country: str | None = "DE",
    *,
    state: Standing = Standing.AUTHORIZED,
    partner_type: PartnerType = PartnerType.DIRECT_BILL,
) -> Partner:
    return Partner(
        id=partner_id,
        state=state,
        changed_at=AT,
        customer="",
        partner=partner_id,
        partner_type=partner_type,
        country=country,
        authorized_on=date(2020, 1, 1),
    )


def _decided(
    subject: Customer | None,
    event: Event,
    policy: Policy,
    seen: Mapping[str, Snapshot] = NOBODY,
) -> Customer:
    decision = decide(subject, event, policy, seen=seen)
    assert isinstance(decision, Decision), decision
    assert isinstance(decision.snapshot, Customer)
    return decision.snapshot


@pytest.mark.parametrize(("request_", "stage", "outcome"), CELLS, ids=str)
def test_every_cell_of_the_table(request_: str, stage: str, outcome: str, policy: Policy) -> None:
    """EA-03, EA-04, MAN-19, MAN-22."""
    subject = STAGES[stage]

    decision = decide(subject, _event(request_), policy)

    if isinstance(decision, Refusal):
        assert decision.code == outcome
        return
    before = ABSENT if subject is None else subject.state
    assert decision.state_before == before
    assert decision.snapshot.state == (before if outcome == "=" else outcome.removeprefix("→"))


def test_the_table_leaves_no_cell_out() -> None:
    cells = {(name, state) for name, state in table(LIFECYCLE) if state != ABSENT}

    assert cells == {(name, state) for name in LIFECYCLE.requests for state in LIFECYCLE.states}
    assert set(TABLE) == set(LIFECYCLE.requests)
    assert {stage for _, stage, _ in CELLS} == set(STAGES)


@pytest.mark.parametrize(
    ("stage", "requests"),
    [
        ("fresh", {"request_relationship", "accept_agreement"}),
        ("asked", {"request_relationship", "accept_relationship", "accept_agreement"}),
        (
            "with DAP",
            {
                "request_relationship",
                "accept_relationship",
                "end_relationship",
                "approve_dap",
                "terminate_dap",
                "accept_agreement",
            },
        ),
        ("agreed", {"request_relationship"}),
    ],
)
def test_what_may_be_asked_depends_on_the_stage(
    stage: str, requests: set[str], policy: Policy
) -> None:
    subject = STAGES[stage]
    assert subject is not None

    assert set(allowed(subject, policy=policy, at=AT, lifecycle="customer")) == requests


@pytest.mark.parametrize(
    ("stage", "request_", "code"),
    [
        ("fresh", "accept_relationship", UNASKED),
        ("related", "terminate_dap", "DAP_MISSING"),
        ("agreed", "accept_agreement", "MCA_ACCEPTED"),
    ],
)
def test_asking_beforehand_gives_the_refusal_without_a_payload(
    stage: str, request_: str, code: str, policy: Policy
) -> None:
    subject = STAGES[stage]
    assert subject is not None

    refusal = may(subject, request_, policy=policy, at=AT, lifecycle="customer").refusal

    assert refusal is not None
    assert refusal.code == code


PARTNERS_OWN = ("create", "request_relationship")
CUSTOMERS_OWN = ("accept_relationship", "approve_dap")
OF_BOTH = ("end_relationship", "terminate_dap", "accept_agreement")
STAGE_OF = {
    "create": "absent",
    "request_relationship": "fresh",
    "accept_relationship": "asked",
    "approve_dap": "related",
    "end_relationship": "with DAP",
    "terminate_dap": "with DAP",
    "accept_agreement": "with DAP",
}
AGENTS = {
    role: Actor(ActorKind.USER, "amy", role, "contoso", PartnerType.DIRECT_BILL) for role in Role
}
PAGE_ROLES = (Role.ADMIN_AGENT, Role.ACCOUNT_ADMIN, Role.SALES_AGENT)


@pytest.mark.parametrize("request_", [*PARTNERS_OWN, *OF_BOTH])
@pytest.mark.parametrize(
    "actor", [*(AGENTS[role] for role in PAGE_ROLES), SHOP], ids=lambda each: each.role or "shop"
)
def test_every_role_of_the_page_and_programs_act_for_their_partner(
    request_: str, actor: Actor, policy: Policy
) -> None:
    """GEN-10."""
    assert isinstance(
        decide(STAGES[STAGE_OF[request_]], _event(request_, actor=actor), policy), Decision
    )


@pytest.mark.parametrize("request_", [*PARTNERS_OWN, *OF_BOTH])
@pytest.mark.parametrize(
    "actor",
    [AGENTS[Role.GLOBAL_ADMIN], replace(AMY, role=None), Actor(ActorKind.USER, "eve")],
    ids=["global admin of the partner", "no role", "no partner"],
)
def test_nobody_else_acts_for_a_partner(request_: str, actor: Actor, policy: Policy) -> None:
    """GEN-10, EA-04."""
    refusal = decide(STAGES[STAGE_OF[request_]], _event(request_, actor=actor), policy)

    assert isinstance(refusal, Refusal)
    assert refusal.code == "ROLE_DENIED"


@pytest.mark.parametrize("request_", [*PARTNERS_OWN, "end_relationship", "terminate_dap"])
def test_nobody_acts_for_another_partner(request_: str, policy: Policy) -> None:
    """GEN-10."""
    refusal = decide(STAGES[STAGE_OF[request_]], _event(request_, actor=MIA), policy)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.rule) == ("ROLE_DENIED", "GEN-10")


@pytest.mark.parametrize("request_", [*CUSTOMERS_OWN, *OF_BOTH])
def test_a_global_admin_of_the_customer_decides_for_the_customer(
    request_: str, policy: Policy
) -> None:
    """EA-04, MAN-22."""
    assert isinstance(
        decide(STAGES[STAGE_OF[request_]], _event(request_, actor=BEN), policy), Decision
    )


@pytest.mark.parametrize("request_", CUSTOMERS_OWN)
@pytest.mark.parametrize(
    "actor",
    [AMY, AGENTS[Role.GLOBAL_ADMIN], SHOP, MICROSOFT, replace(BEN, role=None)],
    ids=["agent", "global admin of the partner", "program", "Microsoft", "no role"],
)
def test_nobody_else_decides_for_the_customer(request_: str, actor: Actor, policy: Policy) -> None:
    """EA-04."""
    refusal = decide(STAGES[STAGE_OF[request_]], _event(request_, actor=actor), policy)

    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.rule) == ("ROLE_DENIED", "EA-04")


@pytest.mark.parametrize("request_", ["end_relationship", "terminate_dap"])
def test_microsoft_ends_what_it_must(request_: str, policy: Policy) -> None:
    """EVT-11."""
    assert isinstance(
        decide(STAGES["with DAP"], _event(request_, actor=MICROSOFT), policy), Decision
    )


@pytest.mark.parametrize(
    ("known", "actor_type", "kind"),
    [
        (None, None, RelationshipKind.RESELLER),
        (None, PartnerType.DIRECT_BILL, RelationshipKind.RESELLER),
        (None, PartnerType.INDIRECT_PROVIDER, RelationshipKind.RESELLER),
        (None, PartnerType.INDIRECT_RESELLER, RelationshipKind.INDIRECT_RESELLER),
        (
            PartnerType.INDIRECT_RESELLER,
            PartnerType.DIRECT_BILL,
            RelationshipKind.INDIRECT_RESELLER,
        ),
        (PartnerType.DIRECT_BILL, PartnerType.INDIRECT_RESELLER, RelationshipKind.RESELLER),
    ],
)
def test_what_the_partner_is_makes_the_relationship(
    known: PartnerType | None,
    actor_type: PartnerType | None,
    kind: RelationshipKind,
    policy: Policy,
) -> None:
    """GEN-11: what is known of the partner counts before what its people say."""
    seen = {} if known is None else {"contoso": _partner(partner_type=known)}
    event = _event("request_relationship", actor=replace(AMY, partner_type=actor_type))

    subject = _decided(FRESH, event, policy, seen)

    assert [each.kind for each in subject.relationships] == [kind]


@pytest.mark.parametrize("request_", PARTNERS_OWN)
def test_a_restricted_partner_wins_nobody(request_: str, policy: Policy) -> None:
    """AUT-06."""
    seen = {"contoso": _partner(state=Standing.RESTRICTED)}

    refusal = decide(STAGES[STAGE_OF[request_]], _event(request_), policy, seen=seen)

    assert isinstance(refusal, Refusal)
    assert refusal.code == "PARTNER_RESTRICTED"
    assert reads(STAGES[STAGE_OF[request_]], _event(request_)).subjects == ("contoso",)


def test_an_address_is_needed_and_a_country_is_two_letters() -> None:
    with pytest.raises(ModelError, match="url is empty"):
        RequestRelationship("contoso", "")
    with pytest.raises(ModelError, match="accepted_by is empty"):
        AcceptAgreement("")
    for wrong in ("", "de", "DEU", "D", "ÄÖ"):
        with pytest.raises(ModelError, match="ISO 3166"):
            Register(wrong)
        with pytest.raises(ModelError, match="ISO 3166"):
            Create("contoso", wrong)


def test_a_customer_has_its_own_id_as_its_tenant_and_no_timers(policy: Policy) -> None:
    subject = _decided(
        None, _event("register", Register("DE", Segment.EDUCATION, "School")), policy
    )

    assert (subject.id, subject.customer, subject.partner) == ("tailspin", "tailspin", "")
    assert (subject.country, subject.segment, subject.name) == ("DE", Segment.EDUCATION, "School")
    assert timers(subject, "customer") == ()
    assert LIFECYCLE.ticks == ()


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "absent"])
def test_nothing_is_known_of_a_tenant_that_is_no_subject(stage: str, policy: Policy) -> None:
    """EA-03: an embedding host may leave the customer to somebody else."""
    partner = _partner(country="US")

    assert objection(None, partner, "contoso", AT, policy) is None
    assert objection(partner, partner, "contoso", AT, policy) is None
    assert objection(STAGES[stage], partner, "contoso", AT, policy) is not None


@pytest.mark.parametrize(
    ("relationship", "code"),
    [
        (None, "RELATIONSHIP_MISSING"),
        (PENDING, "RELATIONSHIP_PENDING"),
        (replace(PENDING, kind=RelationshipKind.INDIRECT_RESELLER), "RELATIONSHIP_MISSING"),
        (replace(ACCEPTED, kind=RelationshipKind.INDIRECT_RESELLER), "RELATIONSHIP_MISSING"),
        (replace(ACCEPTED, ended_at=AT), "RELATIONSHIP_MISSING"),
        (OTHER, "RELATIONSHIP_MISSING"),
        (ACCEPTED, "MCA_NOT_ACCEPTED"),
    ],
)
def test_only_an_accepted_relationship_of_a_transacting_partner_counts(
    relationship: Relationship | None, code: str, policy: Policy
) -> None:
    """EA-03, EA-04, GEN-11, MAN-22."""
    customer = replace(FRESH, relationships=(relationship,) if relationship else ())

    refusal = objection(customer, None, "contoso", AT, policy)

    assert refusal is not None
    assert refusal.code == code
    assert (related_at(customer, "contoso") is not None) == (code == "MCA_NOT_ACCEPTED")


def test_related_at_is_the_instant_of_the_acceptance(policy: Policy) -> None:
    """EA-09."""
    asked = STAGES["asked"]
    assert asked is not None

    accepted = _decided(asked, _event("accept_relationship"), policy)

    assert related_at(asked, "contoso") is None
    assert related_at(accepted, "contoso") == AT + HOUR
    assert related_at(_decided(None, _event("create"), policy), "contoso") == AT + HOUR
    assert related_at(None, "contoso") is None


def test_dap_comes_with_a_request_that_asks_for_it_and_goes_with_the_relationship(
    policy: Policy,
) -> None:
    """MAN-19."""
    asking = RequestRelationship("contoso", "https://a.example", with_dap=True)
    asked = _decided(FRESH, _event("request_relationship", asking), policy)
    accepted = _decided(asked, _event("accept_relationship"), policy)
    ended = _decided(accepted, _event("end_relationship"), policy)

    assert [has_dap(each, "contoso") for each in (asked, accepted, ended, None)] == [
        False,
        True,
        False,
        False,
    ]


BOTH_KNOWN = replace(FRESH, relationships=(ACCEPTED,), mca_accepted_at=AT)


@pytest.mark.parametrize(
    ("customer", "partner", "is_refused"),
    [
        ("DE", "DE", False),
        ("DE", "CH", False),
        ("DE", "TR", True),
        ("BR", "AR", True),
        ("PM", "CA", False),
        ("KP", "KR", True),
        ("KP", "KP", True),
        ("XK", "IL", False),
        ("DE", None, False),
    ],
)
def test_both_lie_in_one_region(
    customer: str, partner: str | None, *, is_refused: bool, policy: Policy
) -> None:
    """EA-05, table 3.4: of a partner whose country is not known nothing is refused."""
    tenant = replace(BOTH_KNOWN, country=customer)

    refusal = objection(tenant, _partner(country=partner), "contoso", AT, policy)

    assert (refusal is not None) == is_refused
    assert refusal is None or (refusal.code, refusal.rule) == ("REGION_MISMATCH", "EA-05")


REQUESTS = st.sampled_from(
    [
        (name, data, actor)
        for name, (data, actor) in PAYLOADS.items()
        if name not in {"register", "create"}
    ]
    + [
        ("request_relationship", RequestRelationship("adatum", "https://c.example"), MIA),
        ("accept_relationship", WithPartner("adatum"), BEN),
        ("end_relationship", WithPartner("adatum"), MIA),
        ("approve_dap", WithPartner("adatum"), BEN),
    ]
)


@given(asked=st.lists(REQUESTS, max_size=25))
def test_the_state_says_whether_any_partner_is_accepted(
    asked: list[tuple[str, Payload, Actor]], policy: Policy
) -> None:
    """EA-03: whatever is asked in whatever order, state and relationships agree."""
    subject = FRESH
    for name, data, actor in asked:
        decision = decide(subject, _event(name, data, actor), policy)
        if isinstance(decision, Decision):
            assert isinstance(decision.snapshot, Customer)
            subject = decision.snapshot

    accepted = [each for each in subject.relationships if each.is_accepted]
    assert subject.state == (State.RELATED if accepted else State.UNRELATED)
    assert all(each.is_accepted for each in subject.relationships if each.dap_since)
    assert len({each.partner for each in subject.relationships}) == len(subject.relationships)
