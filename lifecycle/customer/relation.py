"""Whether a partner may transact for a customer: relationship, region, Customer Agreement."""

from datetime import datetime

from sublife.lifecycle.customer.model import Customer, Relationship, RelationshipKind
from sublife.lifecycle.model import Refusal, Snapshot, iso
from sublife.lifecycle.partner.model import Partner
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse


def objection(
    customer: Snapshot | None,
    partner: Snapshot | None,
    partner_id: str,
    at: datetime,
    policy: Policy,
) -> Refusal | None:
    """Return what stands between a customer and an order by a partner, or `None`.

    Asked in this order: the relationship (EA-03), the region (EA-05), the Microsoft Customer
    Agreement (MAN-22).

    Args:
        customer: settled to *at*; `None` if it is no subject, and then nothing is refused.
        partner: the transacting partner, if it is a subject; without it no region is compared.
        partner_id: the transacting partner's tenant id.
        at: UTC instant of the order.
        policy: in force at *at*.
    """
    if not isinstance(customer, Customer):
        return None
    return (
        not_accepted(customer, partner_id, _with(customer, partner_id))
        or _other_region(customer, partner, at, policy)
        or _no_agreement(customer)
    )


def related_at(customer: Snapshot | None, partner_id: str) -> datetime | None:
    """Return when the customer accepted the partner, `None` if it has not (EA-09).

    A tenant created in Partner Center has its relationship from its creation on (EA-03).
    """
    found = _with(customer, partner_id)
    return found.accepted_at if found is not None and found.is_accepted else None


def has_dap(customer: Snapshot | None, partner_id: str) -> bool:
    """Return whether the partner holds delegated admin privileges at the customer (MAN-19)."""
    found = _with(customer, partner_id)
    return found is not None and found.dap_since is not None


def not_accepted(customer: Customer, partner_id: str, found: Relationship | None) -> Refusal | None:
    """Refuse a partner that the customer has not accepted, or not yet (EA-03, EA-04).

    Args:
        customer: whose relationship it is.
        partner_id: the partner tenant.
        found: what there is between the two.
    """
    if found is not None and found.is_accepted:
        return None
    if found is not None and found.is_pending and found.requested_at is not None:
        return refuse(
            "RELATIONSHIP_PENDING",
            customer=customer.id,
            partner=partner_id,
            requested_at=iso(found.requested_at),
        )
    return refuse("RELATIONSHIP_MISSING", customer=customer.id, partner=partner_id)


def _with(customer: Snapshot | None, partner_id: str) -> Relationship | None:
    """Return the relationship that lets the partner transact; an indirect reseller's does not."""
    found = customer.relationship(partner_id) if isinstance(customer, Customer) else None
    return found if found is not None and found.kind is RelationshipKind.RESELLER else None


def _other_region(
    customer: Customer, partner: Snapshot | None, at: datetime, policy: Policy
) -> Refusal | None:
    """Refuse a customer outside the partner's CSP region (EA-05, table 3.4).

    What counts is the country set on the tenant, not where its people sit. A country of no region
    can be served from nowhere.
    """
    if not isinstance(partner, Partner) or partner.country is None:
        return None
    here, there = policy.region(customer.country, at), policy.region(partner.country, at)
    if here is not None and here == there:
        return None
    return refuse(
        "REGION_MISMATCH",
        customer=customer.id,
        country=customer.country,
        region=here or "no CSP region",
        partner=partner.id,
        partner_country=partner.country,
        partner_region=there or "no CSP region",
    )


def _no_agreement(customer: Customer) -> Refusal | None:
    """Refuse an order before the Microsoft Customer Agreement is accepted (MAN-22)."""
    if customer.mca_accepted_at is not None:
        return None
    return refuse("MCA_NOT_ACCEPTED", customer=customer.id)
