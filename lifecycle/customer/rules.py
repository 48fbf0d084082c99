"""The state × event table of a customer tenant: what is accepted, what is refused."""

from sublife.lifecycle.customer import act
from sublife.lifecycle.customer.model import Customer, State, WithPartner
from sublife.lifecycle.model import ABSENT, Closed, Refusal, Rule, Standing, iso
from sublife.lifecycle.refusal import refuse

U, R = State.UNRELATED, State.RELATED
EVERY = (U, R)


def last_relationship(here: Standing[Customer]) -> bool:
    """Only one partner is left that the customer has accepted (EA-03)."""
    return sum(each.is_accepted for each in here.subject.relationships) == 1


def nothing_requested(here: Standing[Customer]) -> Refusal | None:
    """Refuse to accept where no partner ever asked and none is related (EA-04)."""
    if here.subject.relationships:
        return None
    partner = here.data.partner if isinstance(here.data, WithPartner) else "any partner"
    return refuse("RELATIONSHIP_NOT_REQUESTED", customer=here.subject.id, partner=partner)


def no_dap(here: Standing[Customer]) -> Refusal | None:
    """Refuse to take back delegated admin privileges that nobody has (MAN-19)."""
    if any(each.dap_since is not None for each in here.subject.relationships):
        return None
    partner = here.data.partner if isinstance(here.data, WithPartner) else "any partner"
    return refuse("DAP_MISSING", customer=here.subject.id, partner=partner)


def agreement_accepted(here: Standing[Customer]) -> Refusal | None:
    """Refuse to accept the Customer Agreement a second time (MAN-22)."""
    accepted_at = here.subject.mca_accepted_at
    if accepted_at is None:
        return None
    return refuse("MCA_ACCEPTED", customer=here.subject.id, accepted_at=iso(accepted_at))


RULES: tuple[Rule, ...] = (
    Rule("register", (ABSENT,), U, act.register, ("EA-03",)),
    Rule("create", (ABSENT,), R, act.create, ("EA-03", "GEN-11")),
    Rule("request_relationship", EVERY, None, act.request_relationship, ("EA-04", "GEN-10")),
    Rule(
        "accept_relationship",
        EVERY,
        R,
        act.accept_relationship,
        ("EA-03", "EA-04"),
        unless=(nothing_requested,),
    ),
    Rule("end_relationship", (R,), U, act.end_relationship, ("EA-03",), when=(last_relationship,)),
    Rule("end_relationship", (R,), None, act.end_relationship, ("EA-03",)),
    Rule("approve_dap", (R,), None, act.approve_dap, ("MAN-19",)),
    Rule("terminate_dap", (R,), None, act.terminate_dap, ("MAN-19",), unless=(no_dap,)),
    Rule(
        "accept_agreement",
        EVERY,
        None,
        act.accept_agreement,
        ("MAN-22",),
        unless=(agreement_accepted,),
    ),
)

CLOSED: tuple[Closed, ...] = (
    Closed("register", EVERY, "CUSTOMER_EXISTS", "EA-03"),
    Closed("create", EVERY, "CUSTOMER_EXISTS", "EA-03"),
    *(
        Closed(event, (U,), "RELATIONSHIP_NONE", "EA-03")
        for event in ("end_relationship", "approve_dap", "terminate_dap")
    ),
)
