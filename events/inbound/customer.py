"""What happens between a customer and its partners: accepted, ended, privileges (EA-04, EVT-11)."""

from datetime import datetime

from sublife.events.inbound.row import Row, Verdict, unchanged, unmapped
from sublife.events.inbound.target import Ask, Target
from sublife.lifecycle.customer.model import Customer, WithPartner
from sublife.lifecycle.model import Actor, ActorKind, Role, iso

ACCEPTS = "accept_relationship"
ENDS = "end_relationship"
APPROVES = "approve_dap"
TERMINATES = "terminate_dap"
_OF_THE_CUSTOMER = frozenset({ACCEPTS, APPROVES})
"""What only a global admin of the customer can do, so that whoever did it was one (EA-04)."""


def report(
    row: Row, request: str, customer: str, at: datetime, target: Target, *, by: str = ""
) -> Verdict:
    """Report to a stored customer what has happened between it and the partner.

    Args:
        row: that says so.
        request: of the customer's lifecycle.
        customer: customer tenant id.
        at: UTC instant.
        target: the store.
        by: the user that the row names, if it does.
    """
    if not customer:
        return unmapped("names no customer tenant; give --customer")
    if not target.partner:
        return unmapped("names no partner tenant; give --partner", customer)
    stored = target.standing(customer, at)
    if not isinstance(stored, Customer):
        said = f"customer {customer} is not stored, and one that is not is not tracked"
        return unmapped(f"{said}; register it first", customer)
    if target.knows(row.mark, customer):
        return unchanged("imported already, from a row of the same content", customer)
    if _is_so(stored, request, target.partner):
        return unchanged("what is stored says the same", customer)
    actor = Actor(ActorKind.MICROSOFT, "partner-center")
    if request in _OF_THE_CUSTOMER:
        actor = Actor(ActorKind.USER, by or "customer-admin", Role.GLOBAL_ADMIN)
    ask = Ask(request, customer, at, WithPartner(target.partner), actor, "customer")
    return target.take(row, [ask], f"{request} of {target.partner} at {iso(at)}")


def _is_so(stored: Customer, request: str, partner: str) -> bool:
    """Return whether a request would change nothing."""
    found = stored.relationship(partner)
    accepted = found is not None and found.is_accepted
    has_dap = found is not None and found.dap_since is not None
    return {
        ACCEPTS: accepted,
        ENDS: found is not None and found.ended_at is not None,
        APPROVES: has_dap,
        TERMINATES: found is not None and not has_dap,
    }[request]
