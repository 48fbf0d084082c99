"""A transfer from partner to partner: who may receive, asked when it is asked and answered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sublife.lifecycle.customer.model import Customer, Relationship
from sublife.lifecycle.customer.model import State as Relation
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import decide, reads
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    PartnerType,
    Refusal,
    Role,
    Snapshot,
)
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.model import State as Standing
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    Product,
    RequestTransfer,
    Subscription,
    TransferRequest,
)
from sublife.lifecycle.subscription.state import State

AT = datetime(2024, 6, 15, 11, 30, tzinfo=UTC)
BEFORE = AT - timedelta(days=60)
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL)
MIA = Actor(ActorKind.USER, "mia", Role.ADMIN_AGENT, "adatum", PartnerType.DIRECT_BILL)
HELD = Subscription(
    id="s1",
    state=State.ACTIVE,
    version=2,
    changed_at=BEFORE,
    customer="tailspin",
    partner="contoso",
    product=Product("E3"),
    quantity=10,
    term=Term.P1Y,
    billing=Billing.MONTHLY,
    created_at=BEFORE,
    anchor_on=BEFORE.date(),
    starts_on=BEFORE.date(),
    ends_on=date(2025, 4, 15),
)
ASKED = replace(HELD, transfer=TransferRequest("adatum", BEFORE))
ACCEPTED = Relationship("adatum", accepted_at=BEFORE)
TAILSPIN = Customer(
    id="tailspin",
    state=Relation.RELATED,
    version=3,
    changed_at=BEFORE,
    customer="tailspin",
    partner="",
    country="DE",
    relationships=(ACCEPTED,),
    mca_accepted_at=BEFORE,
)
ADATUM = Partner(
    id="adatum",
    state=Standing.AUTHORIZED,
    version=1,
    changed_at=BEFORE,
    customer="",
    partner="adatum",
    partner_type=PartnerType.DIRECT_BILL,
    country="AT",
    authorized_on=date(2020, 1, 1),
)
REQUEST = Event("e-1", "request_transfer", "s1", AT, MIA, RequestTransfer("adatum"))
ANSWER = Event("e-2", "accept_transfer", "s1", AT, AMY, EMPTY)
BOTH = pytest.mark.parametrize(
    ("subject", "event"), [(HELD, REQUEST), (ASKED, ANSWER)], ids=["asked", "answered"]
)


@BOTH
@pytest.mark.parametrize(
    ("seen", "code", "rule"),
    [
        ({"tailspin": TAILSPIN, "adatum": ADATUM}, None, None),
        ({"tailspin": TAILSPIN}, None, None),
        (
            {"tailspin": replace(TAILSPIN, relationships=())},
            "RELATIONSHIP_MISSING",
            "TRM-29",
        ),
        (
            {
                "tailspin": replace(
                    TAILSPIN, relationships=(Relationship("adatum", requested_at=BEFORE),)
                )
            },
            "RELATIONSHIP_PENDING",
            "TRM-29",
        ),
        (
            {"tailspin": replace(TAILSPIN, relationships=(replace(ACCEPTED, ended_at=AT),))},
            "RELATIONSHIP_MISSING",
            "TRM-29",
        ),
        (
            {"tailspin": replace(TAILSPIN, country="US"), "adatum": ADATUM},
            "REGION_MISMATCH",
            "EA-05",
        ),
        ({"tailspin": replace(TAILSPIN, mca_accepted_at=None)}, "MCA_NOT_ACCEPTED", "MAN-22"),
        (
            {"tailspin": TAILSPIN, "adatum": replace(ADATUM, state=Standing.RESTRICTED)},
            "PARTNER_RESTRICTED",
            "AUT-06",
        ),
        (
            {
                "tailspin": TAILSPIN,
                "adatum": replace(ADATUM, partner_type=PartnerType.INDIRECT_RESELLER),
            },
            "PARTNER_TYPE_DENIED",
            "GEN-11",
        ),
    ],
)
def test_the_target_must_be_accepted_near_and_authorized_at_both_steps(
    subject: Subscription,
    event: Event,
    seen: Mapping[str, Snapshot],
    code: str | None,
    rule: str | None,
    policy: Policy,
) -> None:
    """TRM-29, EA-03, EA-05, MAN-22, AUT-06."""
    decision = decide(subject, event, policy, seen=seen)

    if code is None:
        assert isinstance(decision, Decision)
        return
    assert isinstance(decision, Refusal)
    assert (decision.code, decision.rule) == (code, rule)


@BOTH
def test_both_steps_read_the_customer_and_the_target(subject: Subscription, event: Event) -> None:
    """TRM-29."""
    assert {"tailspin", "adatum"} <= set(reads(subject, event).subjects)


@pytest.mark.parametrize("said", [False, True])
def test_of_a_customer_that_is_no_subject_the_request_says_it(
    *, said: bool, policy: Policy
) -> None:
    """TRM-29: it stays with the host whether the customer has accepted."""
    ask = replace(REQUEST, data=RequestTransfer("adatum", relationship_accepted=said))

    decision = decide(HELD, ask, policy)

    assert isinstance(decision, Decision if said else Refusal)
    assert isinstance(decide(ASKED, ANSWER, policy), Decision)


def test_what_the_request_says_does_not_count_beside_what_is_known(policy: Policy) -> None:
    """TRM-29."""
    ask = replace(REQUEST, data=RequestTransfer("adatum", relationship_accepted=True))
    seen = {"tailspin": replace(TAILSPIN, relationships=())}

    refusal = decide(HELD, ask, policy, seen=seen)

    assert isinstance(refusal, Refusal)
    assert refusal.code == "RELATIONSHIP_MISSING"
