"""The manual path: a catalog purchase that takes over from a subscription elsewhere (MAN).

The partner that takes over buys in the Partner Center catalog, in the user interface or by the API
(MAN-03), from any channel and in any segment (MAN-05, MAN-20). Nobody ends the old subscription
by it: the customer cancels that or lets it lapse (MAN-13), and at its end date it expires like any
other (MAN-15).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sublife.lifecycle.customer.model import Customer
from sublife.lifecycle.customer.relation import has_dap
from sublife.lifecycle.dates import term_ends_at
from sublife.lifecycle.model import Case, Fact, FollowUp, Refusal, Snapshot, Value, iso
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import (
    Channel,
    Continuity,
    NoteSuccessor,
    Product,
    Purchase,
    Source,
    Subscription,
)
from sublife.lifecycle.subscription.state import State, meaning
from sublife.lifecycle.subscription.term import term_ended_at

_LIVE = frozenset({State.ACTIVE, State.SUSPENDED})


class Advisory(StrEnum):
    """What is worth a warning and refuses nothing (8.6)."""

    DOUBLE_BILLING_RISK = "DOUBLE_BILLING_RISK"
    SOURCE_AUTORENEW_ON = "SOURCE_AUTORENEW_ON"
    CONTINUITY_LOST = "CONTINUITY_LOST"
    DATA_LOSS_RISK = "DATA_LOSS_RISK"
    SUBSCRIPTION_MAXIMUM_RISK = "SUBSCRIPTION_MAXIMUM_RISK"


_SENTENCES: Mapping[Advisory, tuple[str, str]] = MappingProxyType(
    {
        Advisory.DOUBLE_BILLING_RISK: (
            "MAN-06",
            "The old subscription {source} is still paid for; until it ends both are billed.",
        ),
        Advisory.SOURCE_AUTORENEW_ON: (
            "MAN-14",
            (
                "Autorenew of the old subscription {source} is on: it renews instead of expiring. "
                "Have it turned off before the term ends."
            ),
        ),
        Advisory.CONTINUITY_LOST: (
            "MAN-16",
            (
                "The old subscription {source} is past the days in which users go on working: they "
                "are cut off, and only admins reach what data is left."
            ),
        ),
        Advisory.DATA_LOSS_RISK: (
            "MAN-12",
            (
                "The offer of the old subscription {source} is discontinued and the new one is no "
                "equivalent; without one data is lost."
            ),
        ),
        Advisory.SUBSCRIPTION_MAXIMUM_RISK: (
            "MAN-21",
            (
                "The customer has {active} active subscriptions; doubling more than {limit} "
                "exceeds what a tenant holds. Let the old ones expire first and buy anew within "
                "the grace."
            ),
        ),
    }
)


def advise(advisory: Advisory, **details: Value) -> Fact:
    """Return an advisory as a fact, with its sentence and the rule it comes from."""
    rule, sentence = _SENTENCES[advisory]
    said: dict[str, Value] = {"code": advisory.value, "sentence": sentence.format_map(details)}
    return Fact("manual-purchase-advisory", {**said, **details}, (rule,))


def not_on_sale(product: Product, customer: Snapshot | None, at: datetime) -> Refusal | None:
    """Refuse what the catalog does not have: past its end of sale, or not in the market.

    A SKU past its end of sale comes over by the channel transfer alone (MAN-02, EA-14). The market
    is the country of the customer tenant, where that is known (MAN-01).
    """
    if product.sold_until is not None and at >= term_ends_at(product.sold_until):
        sold_until = product.sold_until.isoformat()
        return refuse("SKU_END_OF_SALE", sku=product.sku, sold_until=sold_until)
    if not product.markets or not isinstance(customer, Customer):
        return None
    if customer.country in product.markets:
        return None
    return refuse("SKU_UNAVAILABLE", sku=product.sku, market=customer.country)


@dataclass(frozen=True, slots=True)
class Old:
    """What is known of the old subscription; `None` is not known.

    Args:
        sku: what it is of; empty if not known.
        provisioning_id: what its licences are assigned by; empty if not known.
        quantity: its licences.
        ended_at: its term end TE (GEN-02).
        is_billed: somebody is still charged for it.
        renews: its autorenew is on.
        continuity: what users notice of the change.
        continuous_until: when they are cut off without a new one.
    """

    sku: str
    provisioning_id: str
    quantity: int | None
    ended_at: datetime | None
    is_billed: bool
    renews: bool
    continuity: Continuity | None
    continuous_until: datetime | None


def old_one(case: Case[Subscription, Purchase], source: Source) -> Old:
    """Return what is known of the old subscription: as a subject, or as the payload says."""
    found = held(source, case.seen)
    if found is not None:
        return _subject(found, case.policy, case.at)
    return _described(source, case.policy, case.at)


def held(source: Source, seen: Mapping[str, Snapshot]) -> Subscription | None:
    """Return the old subscription if it is a subject here."""
    found = seen.get(source.subscription)
    return found if isinstance(found, Subscription) else None


def _subject(old: Subscription, policy: Policy, at: datetime) -> Old:
    """Read a subject: its own state says who works and who is charged (MAN-15, MAN-17)."""
    match old.state:
        case State.EXPIRED | State.GRACE:
            continuity = Continuity.UNINTERRUPTED
        case State.DISABLED | State.CANCELED | State.DELETED:
            continuity = Continuity.INTERRUPTED
        case _:
            continuity = Continuity.NEW
    ended_at = term_ended_at(old)
    return Old(
        old.product.sku,
        old.product.provisioning_id,
        old.quantity,
        ended_at,
        meaning(old).partner_billed,
        old.autorenew and old.state in _LIVE,
        continuity,
        old.lapse_ends_at or ended_at + policy.length("continuity", at),
    )


def _described(source: Source, policy: Policy, at: datetime) -> Old:
    """Read a description: paid to its end date, kept usable for the days after it (MAN-16).

    What renews has no end: a term end that has passed with autorenew on began another term.
    """
    ended_at = term_ends_at(source.ends_on) if source.ends_on is not None else None
    renews = source.autorenew is True
    until = ended_at + policy.length("continuity", at) if ended_at is not None else None
    continuity = None
    if ended_at is not None and until is not None:
        if renews or at < ended_at:
            continuity = Continuity.NEW
        elif at < until:
            continuity = Continuity.UNINTERRUPTED
        else:
            continuity = Continuity.INTERRUPTED
    return Old(
        source.sku,
        source.provisioning_id,
        source.quantity,
        ended_at,
        continuity is Continuity.NEW,
        renews,
        continuity,
        until,
    )


def is_elsewhere(ask: Purchase, seen: Mapping[str, Snapshot]) -> bool:
    """Return whether the purchase moves something here from another channel (8.2, GEN-13).

    What the buying partner itself has in CSP is in no other channel.
    """
    if ask.source is None:
        return False
    found = held(ask.source, seen)
    own = found is not None and found.partner == ask.partner
    return not (own and ask.source.channel is Channel.CSP_PARTNER)


def told(case: Case[Subscription, Purchase]) -> Mapping[str, Value]:
    """Return what the fact of the purchase says of the change, as far as it is known.

    The same provisioning ID, an opaque text, spares reassigning licences (MAN-07, MAN-08); another
    one does not (MAN-11). Nothing at all is lost or interrupted where three things hold: the same
    offer, the same number of licences, an equivalent offer (MAN-10).
    """
    source = case.data.source
    if source is None:
        return {}
    old = old_one(case, source)
    said: dict[str, Value] = {}
    if old.continuity is not None:
        said["continuity"] = old.continuity.value
    if old.continuity is Continuity.UNINTERRUPTED and old.continuous_until is not None:
        said["continuity_until"] = iso(old.continuous_until)
    if (same := _same_offer(old, case.data.product)) is None:
        return said
    same_quantity = None if old.quantity is None else old.quantity == case.data.quantity
    equivalent = same or source.equivalent
    return {
        **said,
        "reassign_licences": not same,
        "same_offer": same,
        "same_quantity": same_quantity,
        "equivalent_offer": equivalent,
        "seamless": same and same_quantity is True and old.continuity is not Continuity.INTERRUPTED,
    }


def _same_offer(old: Old, product: Product) -> bool | None:
    """Return whether licences fit as they are: by provisioning ID, or else by SKU (MAN-07)."""
    if old.provisioning_id and product.provisioning_id:
        return old.provisioning_id == product.provisioning_id
    return old.sku == product.sku if old.sku else None


def warned(case: Case[Subscription, Purchase]) -> Iterator[Fact]:
    """Yield the advisories of a purchase and who asks for a credit, in the order of the rules."""
    source = case.data.source
    if source is None:
        return
    old, at, policy = old_one(case, source), case.at, case.policy
    name: dict[str, Value] = {"source": source.subscription}
    ends: dict[str, Value] = {"term_ends_at": iso(old.ended_at)} if old.ended_at else {}
    if old.is_billed:
        yield advise(Advisory.DOUBLE_BILLING_RISK, **name, **ends)
    if source.discontinued and not (_same_offer(old, case.data.product) or source.equivalent):
        yield advise(Advisory.DATA_LOSS_RISK, **name)
    if old.renews:
        yield advise(Advisory.SOURCE_AUTORENEW_ON, **name, **ends)
    if old.continuity is Continuity.INTERRUPTED:
        yield advise(Advisory.CONTINUITY_LOST, **name, **ends)
    if source.channel is Channel.WEB_DIRECT:
        yield _credit(case)
    active, limit = _active_elsewhere(case, source), policy.count("doubled_subscriptions", at)
    if active > limit and old.continuity in {None, Continuity.NEW}:
        yield advise(Advisory.SUBSCRIPTION_MAXIMUM_RISK, **name, active=active, limit=limit)


def _credit(case: Case[Subscription, Purchase]) -> Fact:
    """Say who asks for a credit for what was bought straight from Microsoft (MAN-18, MAN-19).

    Microsoft 365 billing support handles it, never the partner; a partner with delegated admin
    privileges may ask there for the customer.
    """
    ask = case.data
    by = "partner" if has_dap(case.seen.get(ask.customer), ask.partner) else "customer"
    data: dict[str, Value] = {"handled_by": "microsoft-365-billing-support", "asked_by": by}
    return Fact("credit-referred", data, ("MAN-18", "MAN-19"))


def _active_elsewhere(case: Case[Subscription, Purchase], source: Source) -> int:
    """Return how many active subscriptions the customer has with others (MAN-21)."""
    ask = case.data
    known = sum(
        isinstance(each, Subscription)
        and (each.customer, each.state) == (ask.customer, State.ACTIVE)
        and each.partner != ask.partner
        for each in case.seen.values()
    )
    return max(known, source.active_subscriptions or 0)


def linked(case: Case[Subscription, Purchase]) -> tuple[FollowUp, ...]:
    """Return that a live old subscription learns of its successor, so that its term end can tell.

    Nothing in an Enterprise Agreement is touched (EA-31), and nothing that has ended renews.
    """
    source = case.data.source
    found = held(source, case.seen) if source is not None else None
    if source is None or found is None or found.state not in _LIVE:
        return ()
    if source.channel is Channel.EA or not is_elsewhere(case.data, case.seen):
        return ()
    return (FollowUp("note_successor", found.id, NoteSuccessor(case.event.subject)),)


def renewed_instead(old: Subscription) -> tuple[Fact, ...]:
    """Return the advisory of a term end at which a replaced subscription renews (MAN-14)."""
    if not old.successor:
        return ()
    return (advise(Advisory.SOURCE_AUTORENEW_ON, source=old.id, successor=old.successor),)
