"""Where seats and subscriptions move to: upgrades, another partner, new commerce."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sublife.lifecycle.customer.model import Customer
from sublife.lifecycle.customer.relation import objection
from sublife.lifecycle.model import (
    Actor,
    Case,
    Effect,
    Fact,
    FollowUp,
    Payload,
    Refusal,
    Role,
    Snapshot,
    Value,
)
from sublife.lifecycle.partner.standing import por_objection, transact_objection
from sublife.lifecycle.refusal import ineligible, refuse
from sublife.lifecycle.subscription.birth import over_seat_limit, reseller_cannot_transact
from sublife.lifecycle.subscription.change import changed, dropped
from sublife.lifecycle.subscription.charge import difference, in_fact, remainder
from sublife.lifecycle.subscription.model import (
    Arise,
    AwaitMigration,
    Batch,
    EnterMigration,
    Move,
    ReceiveSeats,
    ReleaseMigration,
    RequestTransfer,
    Subscription,
    TransferRequest,
    Upgrade,
)
from sublife.lifecycle.subscription.por import may_not_name
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import term_ended_at
from sublife.lifecycle.subscription.window import cancelable_until, open_batches, take

Request = Case[Subscription, Payload]
_ONE_DAY = timedelta(days=1)


def upgrade(case: Case[Subscription, Upgrade]) -> Effect[Subscription] | Refusal:
    """Move seats to a higher product: all of them, or a part to a second one (TRM-34)."""
    old, ask = case.subject, case.data
    moved = ask.quantity or old.quantity
    if ask.product.rank <= old.product.rank:
        return refuse("UPGRADE_NOT_HIGHER", asked=ask.product.sku, sku=old.product.sku)
    if moved > old.quantity:
        return _target_refused(ask, f"only {old.quantity} licences are there, not {moved}")
    if refusal := over_seat_limit(case, ask.product, moved):
        return refusal
    if moved == old.quantity and ask.into is None:
        return _upgrade_all(case)
    if ask.into is None or ask.into == old.id:
        return _target_refused(ask, "a part of the licences needs a second subscription")
    target = case.seen.get(ask.into)
    if target is None:
        return _split_off(case, ask.into, moved)
    return _move_into(case, target, moved)


def _target_refused(ask: Upgrade, reason: str) -> Refusal:
    return refuse("UPGRADE_TARGET_REFUSED", target=ask.into or "(none named)", reason=reason)


def _upgrade_all(case: Case[Subscription, Upgrade]) -> Effect[Subscription]:
    """Keep the id, the term and the windows; licences follow by themselves (TRM-11, TRM-34)."""
    old, ask = case.subject, case.data
    subject = changed(old, product=ask.product, scheduled=None, price=ask.price or old.price)
    told = _upgraded(old, ask, old.quantity, reassign=False)
    money = difference(old, subject, from_on=case.at.date()) if ask.price else None
    told = told._replace(data={**told.data, **in_fact(money)})
    return Effect(subject, (told, *dropped(old, "upgraded")))


def _upgraded(old: Subscription, ask: Upgrade, moved: int, *, reassign: bool) -> Fact:
    data: dict[str, Value] = {
        "sku_before": old.product.sku,
        "sku": ask.product.sku,
        "quantity": moved,
        "reassign_licences": reassign,
    }
    return Fact("subscription-upgraded", data | ({"into": ask.into} if ask.into else {}))


def _leave(case: Case[Subscription, Upgrade], moved: int) -> tuple[Subscription, tuple[Batch, ...]]:
    """Return the subscription without *moved* seats, and their batches, windows kept."""
    old = case.subject
    open_now = [batch for batch, _ in open_batches(old, case.policy, case.at)]
    in_order = (*open_now, *(batch for batch in old.batches if batch not in open_now))
    taken, left = take(in_order, moved)
    return changed(old, quantity=old.quantity - moved, batches=left, scheduled=None), taken


def _split_off(
    case: Case[Subscription, Upgrade], into: str, moved: int
) -> Effect[Subscription] | Refusal:
    """Make a second subscription with the same end date; it inherits the window (TRM-11)."""
    old, ask = case.subject, case.data
    if moved == old.quantity:
        return _target_refused(ask, "there is no such subscription to take all licences")
    left, taken = _leave(case, moved)
    child = replace(
        old,
        product=ask.product,
        quantity=moved,
        batches=taken,
        price=ask.price or old.price,
        scheduled=None,
        transfer=None,
        next_charge=None,
        updates=0,
        parent=old.id,
        friendly_name="",
    )
    told = _upgraded(old, ask, moved, reassign=True)
    follow_up = FollowUp("arise", into, Arise(child, "upgrade", old.id))
    return Effect(left, (told, *dropped(old, "upgraded")), (follow_up,))


def _unfit(case: Case[Subscription, Upgrade], target: Subscription) -> str | None:
    """Return why seats cannot move into *target*, or `None` (TRM-34)."""
    old, ask = case.subject, case.data
    until = cancelable_until(target, case.policy, case.at)
    if target.state != State.ACTIVE or target.product.sku != ask.product.sku:
        return f"it is not an active subscription of {ask.product.sku}"
    if (target.customer, target.partner) != (old.customer, old.partner):
        return "it belongs to another customer or partner"
    if until is not None and case.at <= until:
        return "it is still in its cancellation window"
    if target.term.months < old.term.months:
        return f"its term {target.term} is shorter"
    if target.ends_on < old.ends_on:
        return f"it ends earlier, on {target.ends_on}"
    return None


def _move_into(
    case: Case[Subscription, Upgrade], target: Snapshot, moved: int
) -> Effect[Subscription] | Refusal:
    """Move seats into an existing subscription of the higher product (TRM-34)."""
    old, ask = case.subject, case.data
    if not isinstance(target, Subscription):
        return _target_refused(ask, "it is no subscription")
    if reason := _unfit(case, target):
        return _target_refused(ask, reason)
    if moved == old.quantity:
        return _target_refused(ask, "one licence at least stays here; upgrade it in place instead")
    left, taken = _leave(case, moved)
    told = _upgraded(old, ask, moved, reassign=True)
    follow_up = FollowUp("receive_seats", target.id, ReceiveSeats(taken, old.id))
    return Effect(left, (told, *dropped(old, "upgraded")), (follow_up,))


def request_transfer(case: Case[Subscription, RequestTransfer]) -> Effect[Subscription] | Refusal:
    """Let the target partner ask for the subscription (TRM-28, TRM-29)."""
    old, ask, actor = case.subject, case.data, case.event.actor
    if refusal := _may_not_transfer(actor, ask.target_partner, "asking for a transfer"):
        return refusal
    if ask.target_customer and ask.target_customer != old.customer:
        reason = "a subscription does not move from one customer tenant to another"
        return refuse("OUT_OF_SCOPE", rule="GEN-16", reason=reason)
    if ask.target_partner == old.partner:
        return refuse("OUT_OF_SCOPE", rule="TRM-29", reason=f"{old.partner} holds it already")
    if refusal := _may_not_take_over(case, ask.target_partner, ask.por):
        return refusal
    if refusal := _unrelated(case, ask.target_partner, said=ask.relationship_accepted):
        return refusal
    subject = changed(old, transfer=TransferRequest(ask.target_partner, case.at, ask.por))
    return Effect(subject, (Fact("transfer-requested", {"target": ask.target_partner}),))


def _may_not_take_over(case: Case[Subscription, Any], target: str, por: str) -> Refusal | None:
    """Refuse a target, or its partner of record, that may take on nothing new (AUT-06, AUT-20)."""
    refusal = transact_objection(case.seen.get(target), case.at)
    return refusal or may_not_name(por, case.seen, case.at, case.policy)


def _unrelated(case: Case[Subscription, Any], target: str, *, said: bool) -> Refusal | None:
    """Refuse a target that the customer has not accepted, or of another region (TRM-29, EA-05).

    Asked when the target asks and again when the source accepts. Of a customer that is no subject
    the request itself says whether it has *said* yes.
    """
    customer = case.seen.get(case.subject.customer)
    if isinstance(customer, Customer):
        refusal = objection(customer, case.seen.get(target), target, case.at, case.policy)
    elif not said:
        refusal = refuse("RELATIONSHIP_MISSING", customer=case.subject.customer, partner=target)
    else:
        return None
    return replace(refusal, rule="TRM-29") if refusal and refusal.rule == "EA-03" else refusal


def _may_not_transfer(actor: Actor, partner: str, asked: str) -> Refusal | None:
    """Refuse who may not act in a transfer: role, partner type, or another's tenant (GEN-10)."""
    if refusal := reseller_cannot_transact(actor):
        return refusal
    if actor.role is Role.ADMIN_AGENT and actor.partner == partner:
        return None
    shown = f"{actor.id} ({actor.role or 'no role'} of {actor.partner or 'no partner'})"
    needed = f"{Role.ADMIN_AGENT} of {partner}"
    return refuse("ROLE_DENIED", rule="TRM-29", asked=asked, needed=needed, actor=shown)


def accept_transfer(case: Request) -> Effect[Subscription] | Refusal:
    """Let the source partner submit: from this day on the target is billed (TRM-29, TRM-30).

    The rest of what the source has prepaid is its credit, and the charge of the target's order.
    """
    old, transfer, on = case.subject, case.subject.transfer, case.at.date()
    assert transfer is not None  # noqa: S101 – an objection has made sure
    if refusal := _may_not_transfer(case.event.actor, old.partner, "accepting a transfer"):
        return refusal
    if refusal := _may_not_take_over(case, transfer.target_partner, transfer.por):
        return refusal
    if refusal := _unrelated(case, transfer.target_partner, said=True):
        return refusal
    subject = changed(old, partner=transfer.target_partner, por=transfer.por, transfer=None)
    rest = remainder(old, from_on=on)
    data: dict[str, Value] = {
        "source_partner": old.partner,
        "target_partner": transfer.target_partner,
        "source_billed_until": (on - _ONE_DAY).isoformat(),
        "target_billed_from": on.isoformat(),
        "ends_on": old.ends_on.isoformat(),
        "quantity": old.quantity,
        **in_fact(rest, credit=True),
        **({"charged": str(rest.amount)} if rest else {}),
    }
    return Effect(subject, (Fact("transfer-completed", data),))


def withdraw_transfer(case: Request) -> Effect[Subscription] | Refusal:
    """Let the target, which created the request, withdraw it while it waits (TRM-31)."""
    transfer = case.subject.transfer
    assert transfer is not None  # noqa: S101 – an objection has made sure
    refusal = _may_not_transfer(case.event.actor, transfer.target_partner, "withdrawing a transfer")
    if refusal:
        return replace(refusal, rule="TRM-31")
    told = Fact("transfer-withdrawn", {"target": transfer.target_partner})
    return Effect(changed(case.subject, transfer=None), (told,))


def await_migration(case: Case[Subscription, AwaitMigration]) -> Effect[Subscription]:
    """Remember the migration that waits; it comes before one that Microsoft leads (LEG-21)."""
    ask = case.data
    move = Move(ask.migration, ask.at, ask.on_renewal, ask.is_add_on)
    return Effect(replace(case.subject, move=move))


def enter_migration(
    case: Case[Subscription, EnterMigration],
) -> Effect[Subscription] | Refusal:
    """Suspend the legacy subscription while its new commerce twin is made (LEG-15).

    Billing stops and service goes on. A partner of record that stays must still be one (LEG-18).
    """
    old, ask = case.subject, case.data
    invalid = por_objection(case.seen.get(old.por), case.at, case.policy) if ask.keeps_por else None
    if invalid is not None:
        return ineligible(9, invalid.sentence, subscription=old.id)
    at = old.move.at if old.move else case.at
    return Effect(replace(old, move=Move(ask.migration, at, started_at=case.at)))


def revert_migration(case: Request) -> Effect[Subscription]:
    """Make the legacy subscription active and billed again, in the term it had (LEG-17).

    Where that term has ended meanwhile, it is as with any move that came to nothing.
    """
    old = case.subject
    is_over = term_ended_at(old) <= case.at
    return Effect(replace(old, move=None, unmoved_on=old.ends_on if is_over else old.unmoved_on))


def complete_migration(case: Request) -> Effect[Subscription]:
    """Close the legacy subscription for good; its new commerce twin goes on (LEG-15)."""
    closed = replace(
        case.subject, move=None, autorenew=False, scheduled=None, next_charge=None, price=None
    )
    return Effect(closed)


def release_migration(case: Case[Subscription, ReleaseMigration]) -> Effect[Subscription]:
    """Forget the migration that waited, cancelled or failed at its time (LEG-21)."""
    old = case.subject
    unmoved_on = old.ends_on if case.data.failed else old.unmoved_on
    return Effect(replace(old, move=None, unmoved_on=unmoved_on))
