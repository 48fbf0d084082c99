"""The customer tenant: its country, its relationships with partners, its agreement (EA, MAN)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.customer.model import (
    AcceptAgreement,
    Create,
    Customer,
    Register,
    RequestRelationship,
    State,
    WithPartner,
)
from sublife.lifecycle.customer.rules import CLOSED, RULES
from sublife.lifecycle.model import Event, Lifecycle, Payload, Reads, Timer

REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "register": Register,
        "create": Create,
        "request_relationship": RequestRelationship,
        "accept_relationship": WithPartner,
        "end_relationship": WithPartner,
        "approve_dap": WithPartner,
        "terminate_dap": WithPartner,
        "accept_agreement": AcceptAgreement,
    }
)


def timers(_subject: Customer) -> tuple[Timer, ...]:
    """Return no timer: a request waits for the customer as long as it takes."""
    return ()


def reads(_subject: Customer | None, event: Event) -> Reads:
    """Return the partner that creates the tenant or invites it (GEN-11, AUT-06)."""
    match event.data:
        case Create(partner=partner) | RequestRelationship(partner=partner):
            return Reads((partner,))
        case _:
            return Reads()


CUSTOMER = Lifecycle(
    name="customer",
    snapshot=Customer,
    states=tuple(State),
    final=frozenset(),
    requests=REQUESTS,
    ticks=(),
    rules=RULES,
    closed=CLOSED,
    timers=timers,
    reads=reads,
)
