"""What seats cost in the running billing cycle and what comes back, exact to the day (TRM-13)."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from sublife.lifecycle.dates import (
    cycle_end,
    cycle_start,
    day_starts_at,
    days_between,
    next_cycle_start,
)
from sublife.lifecycle.model import NOTHING, FigureError, Value
from sublife.lifecycle.money import Money, days_charged, prorated
from sublife.lifecycle.subscription.model import Batch, Subscription

MOST_AMOUNT = Decimal(10**16)
"""What the column of an amount cannot hold any more."""


def cycle_anchor(subscription: Subscription) -> date:
    """Return the day billing cycles count from.

    A first term cut short by a custom end date has its anchor after itself (GEN-06); its cycles
    count from its own first day. A billing plan changed within the term counts from its change.
    """
    if subscription.cycles_on is not None:
        return subscription.cycles_on
    return min(subscription.anchor_on, subscription.starts_on)


def cycle_first(subscription: Subscription, on: date) -> date:
    """Return the first day of the billing cycle that holds *on*."""
    return cycle_start(cycle_anchor(subscription), subscription.billing, on=on)


def cycle_last(subscription: Subscription, on: date) -> date:
    """Return the inclusive last day of the billing cycle that holds *on*."""
    return cycle_end(
        cycle_anchor(subscription), subscription.billing, on=on, ends_on=subscription.ends_on
    )


def _cost(subscription: Subscription, seat_days: int, *, on: date) -> Money | None:
    """Return what *seat_days* cost in the cycle that holds *on*, rounded once; `None` unpriced.

    Raises:
        FigureError: more than the column of an amount holds.
    """
    price = subscription.price
    if price is None:
        return None
    anchor, first = cycle_anchor(subscription), cycle_first(subscription, on)
    full_days = (next_cycle_start(anchor, subscription.billing, on=on) - first).days
    unit = price.unit_on(subscription.starts_on)
    amount = prorated(unit, seat_days, full_days)
    if amount >= MOST_AMOUNT:
        raise FigureError(
            f"{subscription.id}: {seat_days} days of seats at {unit} {price.currency} come to "
            f"{amount}; an amount has at most 16 digits, so check the price and the seats"
        )
    return Money(amount, price.currency)


def charge(subscription: Subscription, quantity: int, *, from_on: date) -> Money | None:
    """Return what *quantity* seats cost from *from_on* to the end of the cycle that holds it.

    `None` where no price is known. A cycle cut short is charged by the day (TRM-25).
    """
    days = days_between(from_on, cycle_last(subscription, from_on))
    return _cost(subscription, quantity * days, on=from_on)


def refund_of(subscription: Subscription, batches: Iterable[Batch], at: datetime) -> Money | None:
    """Return what comes back for *batches* given back at *at* (TRM-13).

    Each batch has been charged from the later of the day it was added and the first day of the
    running cycle; the days until *at* are kept, at least one in the batch's first cycle. Rounded
    once, on the total.
    """
    on = at.date()
    first, last = cycle_first(subscription, on), cycle_last(subscription, on)
    seat_days = 0
    for batch in batches:
        charged_from = max(batch.charged_from, first)
        at_least = 1 if batch.charged_from >= first else 0
        kept = days_charged(day_starts_at(charged_from), at, at_least=at_least)
        seat_days += batch.quantity * max(0, days_between(charged_from, last) - kept)
    return _cost(subscription, seat_days, on=on)


def remainder(subscription: Subscription, *, from_on: date) -> Money | None:
    """Return the prepaid part of the running cycle from *from_on* on, for all seats (TRM-30)."""
    return charge(subscription, subscription.quantity, from_on=from_on)


def worth(subscription: Subscription, days: int, *, on: date) -> Money | None:
    """Return what *days* of all the seats cost in the billing cycle that holds *on* (LEG-17)."""
    return _cost(subscription, subscription.quantity * days, on=on)


def difference(old: Subscription, new: Subscription, *, from_on: date) -> Money | None:
    """Return the charge of *new* from *from_on* less what *old* has prepaid from then on.

    `None` where one of the prices is not known or the currencies differ.
    """
    charged = charge(new, new.quantity, from_on=from_on)
    prepaid = remainder(old, from_on=from_on)
    if charged is None or prepaid is None or charged.currency != prepaid.currency:
        return None
    return charged.minus(prepaid.amount)


def in_fact(money: Money | None, *, credit: bool = False) -> Mapping[str, Value]:
    """Return an amount as a fact carries it: `amount` (negative for a credit) and `currency`."""
    if money is None:
        return NOTHING
    return {
        "amount": str(money.amount.copy_negate() if credit and money.amount else money.amount),
        "currency": money.currency,
    }
