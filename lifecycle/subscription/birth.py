"""How a subscription comes to be: bought, provisioned, bought anew, adopted from an export."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sublife.lifecycle.customer.model import Customer
from sublife.lifecycle.customer.relation import objection
from sublife.lifecycle.dates import Billing, Term, day_starts_at
from sublife.lifecycle.model import (
    Act,
    Actor,
    Case,
    Effect,
    Fact,
    FollowUp,
    ModelError,
    P,
    PartnerType,
    Payload,
    Refusal,
    Snapshot,
    Value,
)
from sublife.lifecycle.partner.standing import transact_objection
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription import manual
from sublife.lifecycle.subscription.charge import charge, in_fact
from sublife.lifecycle.subscription.model import (
    Adopt,
    Arise,
    Batch,
    BuyAgain,
    Channel,
    Continuity,
    Platform,
    Product,
    ProductKind,
    Purchase,
    Segment,
    Subscription,
)
from sublife.lifecycle.subscription.por import may_not_name
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import (
    custom_end,
    microsoft_leads,
    plan_refusal,
    starting,
)

_ONE_DAY = timedelta(days=1)
_STATES = frozenset(State)
_COUNTED = frozenset({State.PENDING, State.ACTIVE, State.SUSPENDED})
_CONTINUITY: Mapping[str, Continuity] = MappingProxyType(
    {
        State.EXPIRED: Continuity.UNINTERRUPTED,
        State.GRACE: Continuity.UNINTERRUPTED,
        State.DISABLED: Continuity.INTERRUPTED,
    }
)


def purchase(case: Case[Subscription, Purchase]) -> Effect[Subscription] | Refusal:
    """Create a subscription from an order (TRM-03, TRM-11, GEN-11)."""
    ask, at = case.data, case.at
    if refusal := _may_not_buy(case):
        return refusal
    subject = _ordered(case)
    end = custom_end(
        ask,
        product=ask.product,
        term=ask.term,
        start_on=at.date(),
        subscription=subject,
        seen=case.seen,
        policy=case.policy,
        at=at,
    )
    if isinstance(end, Refusal):
        return end
    if ask.trial:
        end = _trial_end(at.date(), case.policy, at)
    subject = starting(subject, on=at.date(), term=ask.term, billing=ask.billing, ends_on=end)
    subject = replace(subject, microsoft_leads=microsoft_leads(subject, case.policy))
    path = "manual" if manual.is_elsewhere(ask, case.seen) else "purchase"
    told = created(subject, path=path)
    told = told._replace(data={**told.data, **manual.told(case)})
    return Effect(subject, (told, *manual.warned(case)), manual.linked(case))


def _may_not_buy(case: Case[Subscription, Purchase]) -> Refusal | None:
    ask, policy, at = case.data, case.policy, case.at
    if refusal := _out_of_scope(case):
        return refusal
    if refusal := may_not_order(case, ask.customer, ask.partner, ask.product):
        return refusal
    if refusal := may_not_name(ask.por, case.seen, at, policy):
        return refusal
    if ask.trial and ask.quantity > (limit := policy.count("trial_seats", at)):
        sku = f"the trial {ask.product.sku}"
        return refuse("SEAT_LIMIT", rule="SUB-17", quantity=ask.quantity, limit=limit, sku=sku)
    if refusal := over_seat_limit(case, ask.product, ask.quantity):
        return refusal
    if refusal := _legacy_closed(case):
        return refusal
    return plan_refusal(ask.product, ask.term, ask.billing)


def _legacy_closed(case: Case[Subscription, Purchase]) -> Refusal | None:
    """Refuse new commercial orders on legacy; what runs there may still take add-ons (LEG-22).

    In Brazil they end later. Other segments go on (LEG-03).
    """
    ask, at = case.data, case.at
    if ask.add_on_to is not None:
        return _no_base(case, ask.add_on_to)
    if (ask.platform, ask.segment) != (Platform.LEGACY, Segment.COMMERCIAL):
        return None
    customer = case.seen.get(ask.customer)
    in_brazil = isinstance(customer, Customer) and customer.country == "BR"
    if case.policy.allows("legacy_sale_brazil" if in_brazil else "legacy_sale", at):
        return None
    return refuse("LEGACY_SALE_CLOSED", ordered_on=at.date().isoformat())


def _no_base(case: Case[Subscription, Purchase], base: str) -> Refusal | None:
    """Refuse an add-on without an active legacy subscription to add it to (LEG-22)."""
    ask, found = case.data, case.seen.get(base)
    if (
        isinstance(found, Subscription)
        and (found.platform, found.state) == (Platform.LEGACY, State.ACTIVE)
        and (found.customer, found.partner) == (ask.customer, ask.partner)
        and ask.platform is Platform.LEGACY
    ):
        return None
    return refuse("ADD_ON_NO_BASE", base=base)


def may_not_order(
    case: Case[Any, Any], customer_id: str, partner_id: str, product: Product
) -> Refusal | None:
    """Refuse an order that partner, customer or catalog do not allow (MAN-01, MAN-04, MAN-22).

    A restricted direct-bill partner orders nothing new (AUT-06, AUT-07).
    """
    customer, partner = case.seen.get(customer_id), case.seen.get(partner_id)
    refusal = transact_objection(partner, case.at)
    refusal = refusal or objection(customer, partner, partner_id, case.at, case.policy)
    return refusal or manual.not_on_sale(product, customer, case.at)


def _out_of_scope(case: Case[Subscription, Purchase]) -> Refusal | None:
    """Refuse what the move into CSP does not cover (GEN-13, GEN-16)."""
    ask, source = case.data, case.data.source
    if source is None:
        return None
    found = manual.held(source, case.seen)
    if source.channel is Channel.EA and ask.product.kind is ProductKind.AZURE:
        return refuse("OUT_OF_SCOPE", reason="Azure moves from EA to CSP in a process of its own")
    tenant = found.customer if found is not None else source.customer
    if tenant and tenant != ask.customer:
        return refuse(
            "OUT_OF_SCOPE", reason="a subscription does not move from one tenant to another"
        )
    return None


def reseller_cannot_transact(actor: Actor) -> Refusal | None:
    """Refuse an indirect reseller: only direct-bill partners and providers transact (GEN-11)."""
    if actor.partner_type is not PartnerType.INDIRECT_RESELLER:
        return None
    return refuse("PARTNER_TYPE_DENIED", partner_type=actor.partner_type.value)


def transacting(act: Act) -> Act:
    """Return *act*, refused to an indirect reseller, since it orders something (GEN-11)."""

    def guarded(case: Case[Any, Any]) -> Effect[Any] | Refusal:
        return reseller_cannot_transact(case.event.actor) or act(case)

    return guarded


def over_seat_limit(case: Case[Subscription, P], product: Product, added: int) -> Refusal | None:
    """Refuse seats beyond what a customer may hold of a small-business product (TRM-33)."""
    if not product.smb:
        return None
    limit = case.policy.count("smb_seat_limit", case.at)
    held = sum(
        other.quantity
        for other in _with_own(case.subject, case.seen)
        if other.product.sku == product.sku and other.state in _COUNTED
    )
    if held + added <= limit:
        return None
    return refuse("SEAT_LIMIT", quantity=held + added, limit=limit, sku=product.sku)


def _with_own(subject: Subscription | None, seen: Mapping[str, Snapshot]) -> Iterable[Subscription]:
    if subject is not None:
        yield subject
    for name, other in seen.items():
        if isinstance(other, Subscription) and (subject is None or name != subject.id):
            yield other


def _ordered(case: Case[Subscription, Purchase]) -> Subscription:
    """Return the subscription as ordered, its term still to be set."""
    ask, at = case.data, case.at
    return Subscription(
        id=case.event.subject,
        state=State.PENDING,
        changed_at=at,
        customer=ask.customer,
        partner=ask.partner,
        product=ask.product,
        platform=ask.platform,
        segment=ask.segment,
        quantity=ask.quantity,
        term=ask.term,
        billing=ask.billing,
        created_at=at,
        anchor_on=at.date(),
        starts_on=at.date(),
        ends_on=at.date(),
        autorenew=ask.autorenew,
        batches=(Batch(ask.quantity, at, at.date()),),
        window_opened_at=at,
        price=ask.price,
        trial=ask.trial,
        converts_to=ask.converts_to,
        por=ask.por,
        source=ask.source,
        friendly_name=ask.friendly_name,
        parent=ask.add_on_to,
        order_id=case.event.id,
        provisioning_ends_at=provisioned_at(case.policy, at),
    )


def provisioned_at(policy: Policy, at: datetime) -> datetime | None:
    """Return when an order of *at* is provisioned; `None` waits for Microsoft's report (GEN-07)."""
    if policy.switch("processing", at) == "reported":
        return None
    return at + policy.length("provisioning_hours", at)


def _trial_end(on: date, policy: Policy, at: datetime) -> date:
    """Return the last of the trial's days (SUB-17)."""
    return (day_starts_at(on) + policy.length("trial_length", at)).date() - _ONE_DAY


def created(
    subject: Subscription, *, path: str, charged_from: date | None = None, **more: Value
) -> Fact:
    """Return the fact that a subscription was ordered, with what the order record needs."""
    source = subject.source
    from_on = charged_from or max(subject.starts_on, subject.created_at.date())
    return Fact(
        "subscription-created",
        {
            "path": path,
            "sku": subject.product.sku,
            "quantity": subject.quantity,
            "term": subject.term.value,
            "billing": subject.billing.value,
            "ends_on": subject.ends_on.isoformat(),
            **({"source": source.subscription, "channel": source.channel.value} if source else {}),
            **in_fact(charge(subject, subject.quantity, from_on=from_on)),
            **more,
        },
    )


def provision(case: Case[Subscription, Payload]) -> Effect[Subscription]:
    """Make an ordered subscription usable (SUB-02)."""
    return Effect(
        replace(case.subject, provisioning_ends_at=None), (Fact("subscription-provisioned"),)
    )


def adopt(case: Case[Subscription, Adopt]) -> Effect[Subscription]:
    """Take over a subscription that exists already, in the state its export shows.

    No order record: nothing was ordered.

    Raises:
        ModelError: its state is none.
    """
    subject = replace(case.data.subscription, id=case.event.subject)
    if subject.state not in _STATES:
        known = ", ".join(State)
        raise ModelError(
            f'adopt of {subject.id}: there is no state "{subject.state}"; give one of {known}'
        )
    subject = replace(subject, microsoft_leads=microsoft_leads(subject, case.policy))
    return Effect(subject, (Fact("subscription-adopted", {"state": subject.state}),))


def arise(case: Case[Subscription, Arise]) -> Effect[Subscription]:
    """Create the subscription that another one leads to (SUB-13, TRM-34, LEG-15)."""
    origin = case.data
    subject = replace(
        origin.subscription,
        id=case.event.subject,
        state=State.PENDING,
        version=0,
        changed_at=case.at,
        created_at=case.at,
        order_id=case.event.id,
        provisioning_ends_at=provisioned_at(case.policy, case.at),
    )
    details = {"origin": origin.origin, "continuity": origin.continuity.value}
    told = created(subject, path=origin.path, charged_from=origin.charged_from, **details)
    return Effect(subject, (told,))


def buy_again(case: Case[Subscription, BuyAgain]) -> Effect[Subscription] | Refusal:
    """Buy the same service anew beside this one, which runs down its own states (SUB-13).

    In the grace users notice nothing; once disabled, the interruption has happened already.
    """
    old, ask, at = case.subject, case.data, case.at
    term: Term = ask.term or old.term
    billing: Billing = ask.billing or old.billing
    if old.extension is not None:
        term, billing = ask.term or old.extension.term, ask.billing or old.extension.billing
    if refusal := may_not_order(case, old.customer, old.partner, old.product):
        return refusal
    if refusal := may_not_name(old.por, case.seen, at, case.policy):
        return refusal
    if refusal := plan_refusal(old.product, term, billing):
        return refusal
    quantity = ask.quantity or old.quantity
    if refusal := over_seat_limit(case, old.product, quantity):
        return refusal
    new = Subscription(
        id=ask.into,
        state=State.PENDING,
        changed_at=at,
        customer=old.customer,
        partner=old.partner,
        product=old.product,
        segment=old.segment,
        quantity=quantity,
        term=term,
        billing=billing,
        created_at=at,
        anchor_on=at.date(),
        starts_on=at.date(),
        ends_on=at.date(),
        batches=(Batch(quantity, at, at.date()),),
        window_opened_at=at,
        price=ask.price or old.next_price or old.price,
        por=old.por,
    )
    new = starting(new, on=at.date(), term=term, billing=billing)
    continuity = _CONTINUITY.get(old.state, Continuity.NEW)
    return Effect(
        old,
        (Fact("subscription-bought-again", {"into": ask.into, "continuity": continuity.value}),),
        (FollowUp("arise", ask.into, Arise(new, "purchase", old.id, continuity)),),
    )
