"""What people change while it runs: access, seats, autorenew, plans, names, the next term."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sublife.lifecycle.dates import Billing, day_starts_at
from sublife.lifecycle.model import (
    EMPTY,
    Case,
    Effect,
    Fact,
    Payload,
    Refusal,
    Value,
    evolved,
    iso,
)
from sublife.lifecycle.money import Money
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.birth import over_seat_limit
from sublife.lifecycle.subscription.charge import charge, cycle_last, difference, in_fact, refund_of
from sublife.lifecycle.subscription.model import (
    Batch,
    ChangeBilling,
    ChangeSeats,
    ChangeTerm,
    ChooseTermEnd,
    ConvertTrial,
    NextCharge,
    NoteSuccessor,
    Patch,
    Platform,
    ReceiveSeats,
    Rename,
    ScheduleChange,
    ScheduledChange,
    SetPor,
    SetPrice,
    Subscription,
    Suspend,
)
from sublife.lifecycle.subscription.por import may_not_name
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import custom_end, next_plan, plan_refusal, starting
from sublife.lifecycle.subscription.window import open_batches, take

Request = Case[Subscription, Payload]
_ONE_DAY = timedelta(days=1)


def changed(subject: Subscription, **changes: Any) -> Subscription:
    """Return the subject with *changes*, counted as one update (TRM-33)."""
    return evolved(subject, updates=subject.updates + 1, **changes)


def dropped(subject: Subscription, why: str) -> tuple[Fact, ...]:
    """Return the fact that scheduled changes are removed, if there are any (TRM-18)."""
    if subject.scheduled is None:
        return ()
    return (Fact("scheduled-change-removed", {"why": why}, ("TRM-18",)),)


def _autorenew_off(subject: Subscription) -> tuple[Fact, ...]:
    if not subject.autorenew:
        return ()
    return (Fact("subscription-autorenew-changed", {"autorenew": False}),)


def suspend(case: Case[Subscription, Suspend]) -> Effect[Subscription]:
    """Take the users' access away; billing goes on (SUB-07).

    Autorenew goes off and scheduled changes go, but a pending next charge stays (SUB-08). A legacy
    subscription is deleted when it stays suspended for 90 days (SUB-15).
    """
    old, at = case.subject, case.at
    limit = case.policy.length("legacy_suspension", at)
    subject = changed(
        old,
        autorenew=False,
        scheduled=None,
        suspended_at=at,
        suspension_ends_at=at + limit if old.platform is Platform.LEGACY else None,
        suspension_reasons=case.data.reasons,
    )
    told = Fact("subscription-suspended", {"reasons": ", ".join(case.data.reasons)})
    return Effect(subject, (told, *_autorenew_off(old), *dropped(old, "suspended")))


def reactivate(case: Request) -> Effect[Subscription]:
    """Give the users their access back, but neither autorenew nor what was removed (SUB-08)."""
    subject = changed(
        case.subject, suspended_at=None, suspension_ends_at=None, suspension_reasons=()
    )
    return Effect(subject, (Fact("subscription-reactivated"),))


def cancel(case: Request) -> Effect[Subscription]:
    """End everything at once inside the window; the refund is exact to the day (SUB-09, TRM-13)."""
    old, policy = case.subject, case.policy
    deleted_at = case.at + policy.length("canceled_retention", case.at)
    money = refund_of(old, _refundable(old), case.at)
    subject = changed(
        old,
        autorenew=False,
        scheduled=None,
        next_charge=None,
        transfer=None,
        renewal=None,
        suspended_at=None,
        suspension_ends_at=None,
        suspension_reasons=(),
        deleted_at=deleted_at,
    )
    data: dict[str, Value] = {
        "quantity": old.quantity,
        "deleted_at": iso(deleted_at),
        **in_fact(money, credit=True),
    }
    return Effect(subject, (Fact("subscription-canceled", data), *dropped(old, "canceled")))


def _refundable(subject: Subscription) -> tuple[Batch, ...]:
    """Return the seats that have been charged for; in an extended term, all of them."""
    if subject.extension is None:
        return subject.batches
    return (Batch(subject.quantity, day_starts_at(subject.starts_on), subject.starts_on),)


def turn_autorenew_off(case: Request) -> Effect[Subscription]:
    """Let the term end without renewal; scheduled changes go (TRM-05)."""
    old = case.subject
    facts = (*_autorenew_off(old), *dropped(old, "autorenew off"))
    return Effect(changed(old, autorenew=False, scheduled=None), facts)


def turn_autorenew_on(case: Request) -> Effect[Subscription]:
    """Renew at the term end (TRM-05)."""
    old = case.subject
    told = () if old.autorenew else (Fact("subscription-autorenew-changed", {"autorenew": True}),)
    return Effect(changed(old, autorenew=True, term_end_choice=None), told)


def add_seats(case: Case[Subscription, ChangeSeats]) -> Effect[Subscription] | Refusal:
    """Add seats, charged to the end of the billing cycle, with a window of their own (TRM-14)."""
    old, added, on = case.subject, case.data.quantity, case.at.date()
    if refusal := over_seat_limit(case, old.product, added):
        return refusal
    subject = changed(
        old,
        quantity=old.quantity + added,
        batches=(*old.batches, Batch(added, case.at, on)),
        scheduled=None,
    )
    money = in_fact(charge(subject, added, from_on=on))
    return Effect(subject, (_seats(old, subject, "addQuantity", money), *_mid_term(old)))


def remove_seats(case: Case[Subscription, ChangeSeats]) -> Effect[Subscription] | Refusal:
    """Take seats back whose window is open, the one that closes first before others (TRM-16)."""
    old, asked = case.subject, case.data.quantity
    if asked >= old.quantity:
        return refuse("SEAT_MINIMUM", asked=asked, quantity=old.quantity)
    open_now = tuple(batch for batch, _ in open_batches(old, case.policy, case.at))
    reducible = sum(batch.quantity for batch in open_now)
    if asked > reducible:
        return refuse("SEAT_WINDOW_CLOSED", asked=asked, reducible=reducible)
    taken, left = take(open_now, asked)
    closed = tuple(batch for batch in old.batches if batch not in open_now)
    subject = changed(old, quantity=old.quantity - asked, batches=(*closed, *left), scheduled=None)
    money = in_fact(refund_of(old, taken, case.at), credit=True)
    return Effect(subject, (_seats(old, subject, "removeQuantity", money), *_mid_term(old)))


def receive_seats(case: Case[Subscription, ReceiveSeats]) -> Effect[Subscription]:
    """Take in seats that a partial upgrade moves here, windows and all (TRM-34, TRM-11)."""
    old, batches = case.subject, case.data.batches
    added = sum(batch.quantity for batch in batches)
    subject = changed(
        old, quantity=old.quantity + added, batches=(*old.batches, *batches), scheduled=None
    )
    data: dict[str, Value] = {"origin": case.data.origin}
    return Effect(subject, (_seats(old, subject, "convert", data), *_mid_term(old)))


def note_successor(case: Case[Subscription, NoteSuccessor]) -> Effect[Subscription]:
    """Remember what a manual purchase put in the place of this one (MAN-14)."""
    successor = case.data.successor
    subject = replace(case.subject, successor=successor)
    return Effect(subject, (Fact("successor-noted", {"successor": successor}),))


def _seats(
    old: Subscription,
    new: Subscription,
    transaction: str,
    more: Any,
) -> Fact:
    data = {"transaction": transaction, "from": old.quantity, "quantity": new.quantity, **more}
    return Fact("subscription-quantity-changed", data)


def _mid_term(old: Subscription) -> tuple[Fact, ...]:
    return dropped(old, "changed within the term")


def schedule_change(case: Case[Subscription, ScheduleChange]) -> Effect[Subscription] | Refusal:
    """Set what changes at the next renewal, in place of what was set before (TRM-17)."""
    old, ask = case.subject, case.data
    base, term, billing = next_plan(old)
    product, term, billing = ask.product or base, ask.term or term, ask.billing or billing
    if product.sku != base.sku and product.rank <= base.rank:
        return refuse("UPGRADE_NOT_HIGHER", asked=product.sku, sku=base.sku)
    if refusal := plan_refusal(product, term, billing):
        return refusal
    growth = (ask.quantity or old.quantity) - (
        old.quantity if product.sku == old.product.sku else 0
    )
    if growth > 0 and (refusal := over_seat_limit(case, product, growth)):
        return refusal
    ends_on = custom_end(
        ask,
        product=product,
        term=term,
        start_on=old.ends_on + _ONE_DAY,
        subscription=old,
        seen=case.seen,
        policy=case.policy,
        at=case.at,
    )
    if isinstance(ends_on, Refusal):
        return ends_on
    scheduled = ScheduledChange(ask.product, ask.term, ask.billing, ask.quantity, ends_on)
    said: dict[str, Value] = {
        "sku": scheduled.product.sku if scheduled.product else None,
        "term": scheduled.term.value if scheduled.term else None,
        "billing": scheduled.billing.value if scheduled.billing else None,
        "quantity": scheduled.quantity,
        "ends_on": ends_on.isoformat() if ends_on else None,
    }
    said = {key: value for key, value in said.items() if value is not None}
    return Effect(changed(old, scheduled=scheduled), (Fact("scheduled-change-set", said),))


def unschedule_change(case: Request) -> Effect[Subscription]:
    """Remove the scheduled changes on request (TRM-18)."""
    return Effect(changed(case.subject, scheduled=None), dropped(case.subject, "asked for"))


def change_term(case: Case[Subscription, ChangeTerm]) -> Effect[Subscription] | Refusal:
    """Start a longer term at once; its anchor is the day of the change (TRM-19)."""
    old, ask = case.subject, case.data
    if ask.term.months <= old.term.months:
        return refuse("TERM_SHORTER", term=old.term.value, asked=ask.term.value)
    if refusal := plan_refusal(old.product, ask.term, ask.billing):
        return refusal
    on, price = case.at.date(), ask.price or (old.price if ask.billing is old.billing else None)
    subject = starting(
        changed(old, scheduled=None, next_charge=None, price=price),
        on=on,
        term=ask.term,
        billing=ask.billing,
    )
    money = difference(old, subject, from_on=on)
    return Effect(subject, (term_changed(old, subject, money), *_mid_term(old)))


def term_changed(old: Subscription, new: Subscription, money: Money | None) -> Fact:
    """Return the fact that the term or the billing plan is another one now."""
    return Fact(
        "subscription-term-changed",
        {
            "term": new.term.value,
            "billing": new.billing.value,
            "term_before": old.term.value,
            "billing_before": old.billing.value,
            "quantity": new.quantity,
            "ends_on": new.ends_on.isoformat(),
            **in_fact(money),
        },
    )


def change_billing(case: Case[Subscription, ChangeBilling]) -> Effect[Subscription] | Refusal:
    """Change the billing plan from the next billing cycle on (TRM-20)."""
    old, asked = case.subject, case.data.billing
    if {old.billing, asked} != {Billing.MONTHLY, Billing.ANNUAL}:
        return refuse(
            "BILLING_CHANGE_NA",
            billing=old.billing.value,
            asked=asked.value,
            term=old.term.value,
        )
    next_at = day_starts_at(cycle_last(old, case.at.date()) + _ONE_DAY)
    subject = changed(old, next_charge=NextCharge(asked, next_at, case.data.price), scheduled=None)
    told = Fact("next-charge-set", {"billing": asked.value, "at": iso(next_at)})
    return Effect(subject, (told, *_mid_term(old)))


def apply_next_charge(case: Request) -> Effect[Subscription]:
    """Switch to the other billing plan as its first cycle begins (TRM-20).

    Its cycles count from this day. The price of a seat is per cycle, so the old one means nothing
    any more: where none was given with the change, it is not known.
    """
    old, change, on = case.subject, case.subject.next_charge, case.at.date()
    assert change is not None  # noqa: S101 – the timer exists only with it
    subject = replace(
        old, billing=change.billing, price=change.price, next_charge=None, cycles_on=on
    )
    money = charge(subject, subject.quantity, from_on=on)
    return Effect(subject, (term_changed(old, subject, money),))


def rename(case: Case[Subscription, Rename]) -> Effect[Subscription]:
    """Give it the partner's own name; no commerce change, so no webhook (EVT-12)."""
    data = {"friendly_name": case.data.friendly_name}
    return Effect(
        changed(case.subject, friendly_name=case.data.friendly_name),
        (Fact("subscription-renamed", data),),
    )


def set_por(case: Case[Subscription, SetPor]) -> Effect[Subscription] | Refusal:
    """Name the indirect reseller of record, if it is authorized (AUT-20, AUT-24)."""
    if refusal := may_not_name(case.data.por, case.seen, case.at, case.policy):
        return refusal
    return Effect(
        changed(case.subject, por=case.data.por), (Fact("por-set", {"por": case.data.por}),)
    )


def set_price(case: Case[Subscription, SetPrice]) -> Effect[Subscription]:
    """Take note of the price list that the next renewal follows (TRM-08)."""
    price = case.data.price
    data = {"unit": str(price.unit), "currency": price.currency}
    return Effect(replace(case.subject, next_price=price), (Fact("price-noted", data),))


def convert_trial(case: Case[Subscription, ConvertTrial]) -> Effect[Subscription] | Refusal:
    """Turn the trial into the paid subscription now: its purchase instant (SUB-17, TRM-18)."""
    old, ask, on = case.subject, case.data, case.at.date()
    product = old.converts_to or old.product
    if refusal := plan_refusal(product, ask.term, ask.billing):
        return refusal
    quantity = ask.quantity or old.quantity
    growth = quantity - old.quantity
    if growth > 0 and (refusal := over_seat_limit(case, product, growth)):
        return refusal
    subject = starting(
        changed(
            old,
            trial=False,
            converts_to=None,
            product=product,
            quantity=quantity,
            scheduled=None,
            batches=(Batch(quantity, case.at, on),),
            window_opened_at=case.at,
            price=ask.price or old.next_price or old.price,
        ),
        on=on,
        term=ask.term,
        billing=ask.billing,
    )
    data: dict[str, Value] = {
        "quantity": quantity,
        "ends_on": subject.ends_on.isoformat(),
        **in_fact(charge(subject, quantity, from_on=on)),
    }
    told = Fact("subscription-trial-converted", data)
    return Effect(subject, (told, *dropped(old, "trial converted")))


def choose_term_end(case: Case[Subscription, ChooseTermEnd]) -> Effect[Subscription]:
    """Choose between cancelling and extending at the term end; autorenew goes off (TRM-36)."""
    old, choice = case.subject, case.data.choice
    told = Fact("term-end-chosen", {"choice": choice.value})
    subject = changed(old, term_end_choice=choice, autorenew=False, scheduled=None)
    return Effect(subject, (told, *_autorenew_off(old), *dropped(old, "autorenew off")))


def accept_patch(case: Request) -> Effect[Subscription]:
    """Accept the envelope of a PATCH; the requests it stands for follow (TRM-35)."""
    return Effect(case.subject)


def split_patch(subject: Subscription, patch: Patch) -> Iterable[tuple[str, Payload]]:
    """Return the requests that a PATCH with the whole resource stands for (TRM-35).

    What the payload leaves out is turned off or deleted: autorenew and the scheduled changes.
    """
    if patch.status == State.ACTIVE and subject.state == State.SUSPENDED:
        yield "reactivate", EMPTY
    yield from _quantity_requests(subject, patch)
    if patch.friendly_name is not None and patch.friendly_name != subject.friendly_name:
        yield "rename", Rename(patch.friendly_name)
    if patch.partner_id is not None and patch.partner_id != subject.por:
        yield "set_por", SetPor(patch.partner_id)
    if patch.auto_renew_enabled != subject.autorenew:
        yield ("turn_autorenew_on" if patch.auto_renew_enabled else "turn_autorenew_off"), EMPTY
    if patch.scheduled is not None:
        yield "schedule_change", patch.scheduled
    elif subject.scheduled is not None and patch.auto_renew_enabled:
        yield "unschedule_change", EMPTY
    if patch.status == State.SUSPENDED and subject.state == State.ACTIVE:
        yield "suspend", Suspend()


def _quantity_requests(subject: Subscription, patch: Patch) -> Iterable[tuple[str, Payload]]:
    if patch.quantity is None or patch.quantity == subject.quantity:
        return
    growth = patch.quantity - subject.quantity
    yield ("add_seats" if growth > 0 else "remove_seats"), ChangeSeats(abs(growth))
