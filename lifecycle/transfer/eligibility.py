"""Who may schedule which renewal to CSP, and what stands against it (EA-01…14, EA-26)."""

from collections.abc import Mapping
from datetime import datetime

from sublife.lifecycle.customer.relation import objection as relation_objection
from sublife.lifecycle.customer.relation import related_at
from sublife.lifecycle.dates import add_months
from sublife.lifecycle.model import (
    Actor,
    ActorKind,
    PartnerType,
    Refusal,
    Role,
    Segment,
    Snapshot,
    iso,
)
from sublife.lifecycle.partner import Partner
from sublife.lifecycle.partner.standing import objection as standing_objection
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import Channel, ProductKind
from sublife.lifecycle.transfer.model import (
    Agreement,
    AgreementState,
    Availability,
    EaSubscription,
    Schedule,
    Transfer,
    TransferState,
)
from sublife.lifecycle.transfer.state import HOLDING

Seen = Mapping[str, Snapshot]


def not_an_agent(actor: Actor, partner: str, *, asked: str) -> Refusal | None:
    """Refuse who may not act for *partner* in a channel transfer, or `None`.

    There is no API for it, so an application cannot ask (EA-23); Microsoft and its support neither
    place nor change a schedule (EA-27); of users only Admin agents of the partner's own tenant may
    (EA-06, GEN-10), and no tenant of a reseller (GEN-11).
    """
    if actor.kind is ActorKind.APPLICATION:
        return refuse("API_UNSUPPORTED", actor=actor.id)
    needed = f"{Role.ADMIN_AGENT} of {partner}"
    shown = f"{actor.id} ({actor.role or 'no role'} of {actor.partner or 'no partner'})"
    if actor.kind is not ActorKind.USER:
        return refuse("ROLE_DENIED", rule="EA-27", asked=asked, needed=needed, actor=actor.id)
    if actor.role is not Role.ADMIN_AGENT or actor.partner is None:
        return refuse("ROLE_DENIED", rule="EA-06", asked=asked, needed=needed, actor=shown)
    if actor.partner_type is PartnerType.INDIRECT_RESELLER:
        return _reseller()
    if actor.partner != partner:
        return refuse("ROLE_DENIED", rule="EA-06", asked=asked, needed=needed, actor=shown)
    return None


def _reseller() -> Refusal:
    """Refuse a reseller's tenant: direct-bill partners and providers transact (EA-06)."""
    return refuse(
        "PARTNER_TYPE_DENIED", rule="EA-06", partner_type=PartnerType.INDIRECT_RESELLER.value
    )


def type_of(actor: Actor, partner: Snapshot | None) -> PartnerType | None:
    """Return what kind of partner transacts: as it is known, else as the actor says."""
    return partner.partner_type if isinstance(partner, Partner) else actor.partner_type


def barred(
    partner_id: str, customer_id: str, seen: Seen, at: datetime, policy: Policy
) -> Refusal | None:
    """Return what bars the partner from this customer's business, or `None`.

    Asked when a renewal is scheduled and again when it is processed (AUT-07): the partner's
    standing, the relationship (EA-03, EA-04), the region (EA-05). A partner or customer that is no
    subject is not judged.
    """
    partner = seen.get(partner_id)
    return standing_objection(partner, at, new_business=True) or relation_objection(
        seen.get(customer_id), partner, partner_id, at, policy
    )


def refusal_of(
    actor: Actor, ask: Schedule, seen: Seen, at: datetime, policy: Policy
) -> Refusal | EaSubscription:
    """Return the EA subscription that may be scheduled, or why none may be.

    Asked in this order: who asks, where it comes from, the partner and the customer, the
    agreement, the product, the place.
    """
    if refusal := not_an_agent(actor, ask.partner, asked="scheduling a renewal to CSP"):
        return refusal
    if type_of(actor, seen.get(ask.partner)) is PartnerType.INDIRECT_RESELLER:
        return _reseller()
    if refusal := _other_channel(ask):
        return refusal
    if refusal := barred(ask.partner, ask.customer, seen, at, policy):
        return refusal
    agreement = seen.get(ask.agreement)
    if not isinstance(agreement, Agreement):
        reason = "no such Enterprise Agreement is on record"
        return refuse("AGREEMENT_NOT_LISTED", agreement=ask.agreement, reason=reason)
    if refusal := _hidden(agreement, ask, seen, at, policy) or not_listed(agreement, at, policy):
        return refusal
    source = agreement.subscription(ask.ea_subscription)
    if source is None:
        reason = f"it has no subscription {ask.ea_subscription}"
        return refuse("AGREEMENT_NOT_LISTED", agreement=agreement.id, reason=reason)
    return _unfit(source, ask) or _taken(ask, seen) or source


def _other_channel(ask: Schedule) -> Refusal | None:
    """Refuse what does not come from an Enterprise Agreement (EA-01, GEN-13)."""
    if ask.channel is Channel.EA:
        return None
    return refuse(
        "CHANNEL_UNSUPPORTED", subscription=ask.ea_subscription, channel=ask.channel.value
    )


def _hidden(
    agreement: Agreement, ask: Schedule, seen: Seen, at: datetime, policy: Policy
) -> Refusal | None:
    """Refuse another tenant's agreement, or one that does not show yet (GEN-16, EA-09)."""
    if agreement.customer != ask.customer:
        return refuse(
            "OUT_OF_SCOPE", reason="a subscription does not move from one tenant to another"
        )
    accepted_at = related_at(seen.get(ask.customer), ask.partner)
    if accepted_at is None:
        return None
    visible_at = accepted_at + policy.length("agreement_visible_hours", accepted_at)
    if at >= visible_at:
        return None
    return refuse(
        "AGREEMENT_NOT_VISIBLE_YET",
        customer=ask.customer,
        partner=ask.partner,
        related_at=iso(accepted_at),
        visible_at=iso(visible_at),
    )


def not_listed(agreement: Agreement, at: datetime, policy: Policy) -> Refusal | None:
    """Return why an agreement is not among those that can be renewed to CSP at *at*, or `None`.

    Listed is what has not been renewed (EA-08), does not run on an extended period term (EA-11),
    and ended within the last 90 days or ends within the coming 6 months, UTC dates, both ends
    included (EA-07). What ends later is not expiring (EA-10).
    """
    ends_on, today = agreement.ends_on, at.date()
    if agreement.state == AgreementState.RENEWED:
        return refuse("AGREEMENT_RENEWED", agreement=agreement.id, ends_on=ends_on.isoformat())
    if refusal := on_ept(agreement):
        return refusal
    first = today - policy.length("agreement_listed_back", at)
    last = add_months(today, policy.count("agreement_listed_ahead", at))
    if ends_on < first:
        reason = f"it ended on {ends_on}, and the list goes back to {first}"
        return refuse("AGREEMENT_NOT_LISTED", agreement=agreement.id, reason=reason)
    if ends_on > last:
        reason = (
            f"it ends on {ends_on} and is not expiring, since the list goes to {last}; any product "
            "of the catalog can be bought at any time"
        )
        return refuse("AGREEMENT_NOT_LISTED", rule="EA-10", agreement=agreement.id, reason=reason)
    return None


def on_ept(agreement: Agreement) -> Refusal | None:
    """Refuse an agreement on an extended period term (EA-11)."""
    if agreement.state != AgreementState.EPT:
        return None
    opt_out = agreement.opt_out_on.isoformat() if agreement.opt_out_on else "not known yet"
    return refuse("AGREEMENT_EPT", agreement=agreement.id, opt_out=opt_out)


def _unfit(source: EaSubscription, ask: Schedule) -> Refusal | None:
    """Refuse a subscription that cannot go this way, or not as another product (EA-02, EA-12)."""
    if source.product.kind is ProductKind.AZURE:
        return refuse("OUT_OF_SCOPE", reason="Azure moves from EA to CSP in a process of its own")
    if source.segment is not Segment.COMMERCIAL:
        segment = source.segment.value
        return refuse("SEGMENT_UNSUPPORTED", subscription=source.id, segment=segment)
    if ask.sku and ask.sku != source.product.sku:
        return refuse("SKU_MISMATCH", sku=source.product.sku, asked=ask.sku)
    return unsupported(source)


def unsupported(source: EaSubscription) -> Refusal | None:
    """Refuse what CSP does not have; past its end of sale it still comes over (EA-13, EA-14)."""
    sku = source.product.sku
    if source.product.kind is not ProductKind.ONLINE_SERVICE:
        reason = "only licence-based online services are"
        return refuse("SKU_UNSUPPORTED", rule="EA-01", sku=sku, reason=reason)
    if source.availability is Availability.UNSUPPORTED:
        return refuse("SKU_UNSUPPORTED", sku=sku, reason="it is not available in CSP")
    return None


def _taken(ask: Schedule, seen: Seen) -> Refusal | None:
    """Refuse a subscription whose place is held; each one is decided by itself (EA-25, EA-26).

    Who else scheduled it is not told.
    """
    for other in seen.values():
        if not isinstance(other, Transfer) or other.state not in HOLDING:
            continue
        if (other.agreement, other.ea_subscription) != (ask.agreement, ask.ea_subscription):
            continue
        if other.state == TransferState.COMPLETED:
            completed_at = iso(other.changed_at)
            return refuse(
                "ALREADY_TRANSFERRED", subscription=ask.ea_subscription, completed_at=completed_at
            )
        if other.partner == ask.partner:
            return refuse("ALREADY_SCHEDULED", subscription=ask.ea_subscription, schedule=other.id)
        return refuse("SCHEDULED_BY_OTHER_PARTNER", subscription=ask.ea_subscription)
    return None
