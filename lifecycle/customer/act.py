"""What happens to a customer tenant: known, related to partners, its agreement accepted."""

from dataclasses import replace
from typing import Any

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
from sublife.lifecycle.customer.relation import not_accepted
from sublife.lifecycle.model import (
    Actor,
    ActorKind,
    Case,
    Effect,
    Fact,
    PartnerType,
    Refusal,
    Role,
    Value,
)
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.partner.standing import objection, transact_objection
from sublife.lifecycle.refusal import refuse

_OF_THE_PAGE = frozenset({Role.ADMIN_AGENT, Role.ACCOUNT_ADMIN, Role.SALES_AGENT})
"""The roles that request relationships (GEN-10)."""


def register(case: Case[Customer, Register]) -> Effect[Customer]:
    """Make a tenant known that has no relationship yet (EA-03)."""
    subject = _tenant(case, case.data)
    return Effect(subject, (Fact("customer-registered", _described(subject)),))


def create(case: Case[Customer, Create]) -> Effect[Customer] | Refusal:
    """Create the tenant in Partner Center: the relationship is there at once (EA-03).

    Its partner must be one that transacts and that may take on new customers (GEN-11, AUT-06).
    """
    ask = case.data
    if refusal := _not_of_partner(case.event.actor, ask.partner, "creating a customer"):
        return refusal
    if _kind(case, ask.partner) is RelationshipKind.INDIRECT_RESELLER:
        return refuse("PARTNER_TYPE_DENIED", partner_type=PartnerType.INDIRECT_RESELLER.value)
    if refusal := transact_objection(case.seen.get(ask.partner), case.at):
        return refusal
    related = Relationship(ask.partner, accepted_at=case.at)
    subject = replace(_tenant(case, ask), relationships=(related,))
    told = Fact("customer-created", {**_described(subject), "partner": ask.partner})
    return Effect(subject, (told,))


def _tenant(case: Case[Customer, Any], ask: Register | Create) -> Customer:
    return Customer(
        id=case.event.subject,
        state=State.UNRELATED,
        changed_at=case.at,
        customer=case.event.subject,
        partner="",
        country=ask.country,
        segment=ask.segment,
        name=ask.name,
    )


def _described(subject: Customer) -> dict[str, Value]:
    return {"country": subject.country, "segment": subject.segment.value}


def request_relationship(case: Case[Customer, RequestRelationship]) -> Effect[Customer] | Refusal:
    """Let a partner ask for a relationship and send the address to accept it at (EA-04).

    A restricted partner may not invite anybody (AUT-06).
    """
    subject, ask = case.subject, case.data
    if refusal := _not_of_partner(case.event.actor, ask.partner, "requesting a relationship"):
        return refusal
    if refusal := objection(case.seen.get(ask.partner), case.at, new_business=True):
        return refusal
    found = subject.relationship(ask.partner)
    if found is not None and found.is_accepted:
        return refuse("RELATIONSHIP_EXISTS", customer=subject.id, partner=ask.partner)
    if found is not None and found.is_pending:
        refusal = not_accepted(subject, ask.partner, found)
        assert refusal is not None  # noqa: S101 – it waits
        return replace(refusal, rule="EA-04")
    asked = Relationship(
        ask.partner,
        _kind(case, ask.partner),
        requested_at=case.at,
        url=ask.url,
        with_dap=ask.with_dap,
    )
    data = {**_between(asked), "url": asked.url, "with_dap": asked.with_dap}
    return Effect(_with(subject, asked), (Fact("relationship-requested", data),))


def accept_relationship(case: Case[Customer, WithPartner]) -> Effect[Customer] | Refusal:
    """Let the customer's global admin accept; only now may the partner provision (EA-04)."""
    subject, partner, actor = case.subject, case.data.partner, case.event.actor
    if refusal := _not_of_customer(actor, "accepting a relationship"):
        return refusal
    found = subject.relationship(partner)
    if found is not None and found.is_accepted:
        return refuse("RELATIONSHIP_EXISTS", customer=subject.id, partner=partner)
    if found is None or not found.is_pending:
        return refuse("RELATIONSHIP_NOT_REQUESTED", customer=subject.id, partner=partner)
    accepted = replace(found, accepted_at=case.at, dap_since=case.at if found.with_dap else None)
    facts = [Fact("relationship-accepted", {**_between(accepted), "accepted_by": actor.id})]
    if accepted.with_dap:
        facts.append(_dap("approved", partner, actor))
    return Effect(_with(subject, accepted), tuple(facts))


def end_relationship(case: Case[Customer, WithPartner]) -> Effect[Customer] | Refusal:
    """Let either side end it, and the delegated admin privileges with it (EA-03, MAN-19).

    Subscriptions that exist go on; nothing new can be ordered.
    """
    subject, partner, actor = case.subject, case.data.partner, case.event.actor
    found = _of_either_side(case, "ending a relationship")
    if isinstance(found, Refusal):
        return found
    ended = replace(found, ended_at=case.at, dap_since=None)
    facts = [Fact("relationship-ended", {**_between(ended), "ended_by": actor.id})]
    if found.dap_since is not None:
        facts.append(_dap("terminated", partner, actor))
    return Effect(_with(subject, ended), tuple(facts))


def approve_dap(case: Case[Customer, WithPartner]) -> Effect[Customer] | Refusal:
    """Let the customer's global admin grant delegated admin privileges (MAN-19, EVT-11)."""
    subject, partner, actor = case.subject, case.data.partner, case.event.actor
    if refusal := _not_of_customer(actor, "granting delegated admin privileges"):
        return refusal
    found = _accepted(subject, partner)
    if isinstance(found, Refusal):
        return found
    if found.dap_since is not None:
        return refuse("DAP_EXISTS", customer=subject.id, partner=partner)
    granted = replace(found, dap_since=case.at)
    return Effect(_with(subject, granted), (_dap("approved", partner, actor),))


def terminate_dap(case: Case[Customer, WithPartner]) -> Effect[Customer] | Refusal:
    """Let either side take the delegated admin privileges back (MAN-19, EVT-11)."""
    subject, partner, actor = case.subject, case.data.partner, case.event.actor
    found = _of_either_side(case, "ending delegated admin privileges")
    if isinstance(found, Refusal):
        return found
    if found.dap_since is None:
        return refuse("DAP_MISSING", customer=subject.id, partner=partner)
    left = replace(found, dap_since=None)
    return Effect(_with(subject, left), (_dap("terminated", partner, actor),))


def accept_agreement(case: Case[Customer, AcceptAgreement]) -> Effect[Customer] | Refusal:
    """Accept the Microsoft Customer Agreement, or confirm that it was accepted (MAN-22).

    The customer's global admin accepts; a partner that the customer has accepted may confirm it.
    """
    subject, by = case.subject, case.data.accepted_by
    if refusal := _may_not_accept_agreement(subject, case.event.actor):
        return refusal
    accepted = replace(subject, mca_accepted_at=case.at, mca_accepted_by=by)
    return Effect(accepted, (Fact("customer-agreement-accepted", {"accepted_by": by}),))


def _may_not_accept_agreement(subject: Customer, actor: Actor) -> Refusal | None:
    asked, partner = "accepting the Customer Agreement", actor.partner
    if partner is None:
        return _not_of_customer(actor, asked, rule="MAN-22")
    if refusal := _not_of_partner(actor, partner, asked):
        return refusal
    return not_accepted(subject, partner, subject.relationship(partner))


def _with(subject: Customer, changed: Relationship) -> Customer:
    """Return the customer with one relationship in the place of the earlier one."""
    others = (each for each in subject.relationships if each.partner != changed.partner)
    return replace(subject, relationships=(*others, changed))


def _between(relationship: Relationship) -> dict[str, Value]:
    return {"partner": relationship.partner, "kind": relationship.kind.value}


def _dap(change: str, partner: str, actor: Actor) -> Fact:
    data: dict[str, Value] = {"partner": partner, "by": actor.id}
    return Fact(f"dap-admin-relationship-{change}", data, ("MAN-19", "EVT-11"))


def _kind(case: Case[Customer, Any], partner: str) -> RelationshipKind:
    """Return what the partner is to the customer: as it is known, or as its actor says (GEN-11)."""
    known, actor = case.seen.get(partner), case.event.actor
    partner_type = known.partner_type if isinstance(known, Partner) else actor.partner_type
    if partner_type is PartnerType.INDIRECT_RESELLER:
        return RelationshipKind.INDIRECT_RESELLER
    return RelationshipKind.RESELLER


def _accepted(subject: Customer, partner: str) -> Relationship | Refusal:
    """Return the relationship that holds with *partner*, or why there is none."""
    found = subject.relationship(partner)
    if refusal := not_accepted(subject, partner, found):
        return refusal
    assert found is not None  # noqa: S101 – it is accepted
    return found


def _of_either_side(case: Case[Customer, WithPartner], asked: str) -> Relationship | Refusal:
    """Return the relationship if the actor is the partner, the customer's admin or Microsoft."""
    actor, partner = case.event.actor, case.data.partner
    if actor.kind is not ActorKind.MICROSOFT:
        refusal = (
            _not_of_customer(actor, asked)
            if actor.partner is None
            else _not_of_partner(actor, partner, asked)
        )
        if refusal:
            return refusal
    return _accepted(case.subject, partner)


def _not_of_partner(actor: Actor, partner: str, asked: str) -> Refusal | None:
    """Refuse who does not act for *partner* in a role of the page (GEN-10).

    An application of the partner has no role; relationships can be requested by the API too.
    """
    if actor.partner == partner and (
        actor.kind is ActorKind.APPLICATION
        or (actor.kind is ActorKind.USER and actor.role in _OF_THE_PAGE)
    ):
        return None
    roles = ", ".join(sorted(_OF_THE_PAGE))
    return _denied(actor, asked, f"one of {roles} of {partner}", "GEN-10")


def _not_of_customer(actor: Actor, asked: str, *, rule: str = "EA-04") -> Refusal | None:
    """Refuse who is no global admin of the customer tenant itself (EA-04)."""
    if actor.kind is ActorKind.USER and actor.role is Role.GLOBAL_ADMIN and actor.partner is None:
        return None
    return _denied(actor, asked, f"{Role.GLOBAL_ADMIN} of the customer tenant", rule)


def _denied(actor: Actor, asked: str, needed: str, rule: str) -> Refusal:
    shown = f"{actor.id} ({actor.role or 'no role'} of {actor.partner or 'no partner'})"
    return refuse("ROLE_DENIED", rule=rule, asked=asked, needed=needed, actor=shown)
