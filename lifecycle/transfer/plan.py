"""The subscription that a scheduled renewal leads to: its plan, its term, its end date."""

from datetime import date, datetime
from typing import Any

from sublife.lifecycle.dates import natural_end
from sublife.lifecycle.model import Case, Fact, Refusal, Value, iso
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.birth import over_seat_limit
from sublife.lifecycle.subscription.model import (
    Batch,
    Channel,
    ScheduleChange,
    Source,
    Subscription,
)
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import custom_end, outside, plan_refusal, starting
from sublife.lifecycle.transfer.model import Transfer
from sublife.lifecycle.transfer.window import starts_on

PATH = "channel-transfer"
"""The path into CSP, as records and facts name it (GEN-13)."""


def new_subscription(
    transfer: Transfer, *, at: datetime, ends_on: date | None = None
) -> Subscription:
    """Return the subscription as it is created at *at*: new commerce, licence-based (GEN-15).

    In the scheduling partner's tenant, like any other new subscription, with a window of its own
    from its creation (EA-28, TRM-11); another partner can take it over later (EA-33). The
    scheduling partner owes its price from the first day on (EA-30), promotions included (EA-34).

    Args:
        transfer: as scheduled.
        at: UTC instant of creation.
        ends_on: custom inclusive end of the first term.
    """
    first = starts_on(transfer, at)
    subject = Subscription(
        id=transfer.into,
        state=State.PENDING,
        changed_at=at,
        customer=transfer.customer,
        partner=transfer.partner,
        product=transfer.product,
        quantity=transfer.quantity,
        term=transfer.term,
        billing=transfer.billing,
        created_at=at,
        anchor_on=first,
        starts_on=first,
        ends_on=first,
        batches=(Batch(transfer.quantity, at, first),),
        window_opened_at=at,
        price=transfer.price,
        source=Source(transfer.ea_subscription, Channel.EA, transfer.customer),
    )
    term, billing = transfer.term, transfer.billing
    return starting(subject, on=first, term=term, billing=billing, ends_on=ends_on)


def planned(case: Case[Any, Any], transfer: Transfer) -> Subscription | Refusal:
    """Return the subscription as a schedule asks for it, expected at the earliest, or why not.

    Checks the plan (TRM-02), the limit of licences (TRM-33) and the end date (TRM-21…24) when
    something is submitted.
    """
    refusal = plan_refusal(transfer.product, transfer.term, transfer.billing)
    if refusal := refusal or _no_room(case, transfer):
        return refusal
    expected = new_subscription(transfer, at=transfer.window.earliest_at)
    end = _custom_end(transfer, expected, case)
    if isinstance(end, Refusal):
        return end
    return new_subscription(transfer, at=transfer.window.earliest_at, ends_on=end)


def resulting(case: Case[Any, Any], transfer: Transfer) -> Subscription | Refusal:
    """Return the subscription as it is created at the event's instant, or why it cannot be.

    Its first day may be another than expected, so the end date is worked out again (EA-24). A
    date that was asked for was matched with a month or a subscription when it was scheduled; now
    it only has to lie within the first term (TRM-22).
    """
    if refusal := _no_room(case, transfer):
        return refusal
    subject = new_subscription(transfer, at=case.at)
    fixed_on = transfer.custom_end_on if transfer.align_with is None else None
    end: date | Refusal | None
    if fixed_on is not None:
        latest_on = natural_end(subject.starts_on, transfer.term)
        end = outside(fixed_on, subject.starts_on, latest_on, transfer.term) or fixed_on
    else:
        end = _custom_end(transfer, subject, case)
    if isinstance(end, Refusal):
        return end
    return new_subscription(transfer, at=case.at, ends_on=end)


def _no_room(case: Case[Any, Any], transfer: Transfer) -> Refusal | None:
    """Refuse an id that something else has already, and more licences than allowed.

    The new subscription is one of its own (EA-28); of a small-business product a customer holds
    only so many licences (TRM-33).
    """
    if transfer.into == transfer.id or transfer.into in case.seen:
        return refuse("NEW_SUBSCRIPTION_TAKEN", into=transfer.into)
    alone: Case[Any, Any] = Case(None, case.event, case.data, case.policy, case.seen)
    return over_seat_limit(alone, transfer.product, transfer.quantity)


def _custom_end(
    transfer: Transfer, subject: Subscription, case: Case[Any, Any]
) -> date | Refusal | None:
    """Return the end date that the first term is aligned to, by the rules of any purchase."""
    ask = ScheduleChange(
        custom_end_on=transfer.custom_end_on,
        align_with=transfer.align_with,
        align_month_end=transfer.align_month_end,
    )
    return custom_end(
        ask,
        product=transfer.product,
        term=transfer.term,
        start_on=subject.starts_on,
        subscription=subject,
        seen=case.seen,
        policy=case.policy,
        at=case.at,
    )


def told(transfer: Transfer, **more: Value) -> dict[str, Value]:
    """Return what every fact of a renewal says: where it comes from, where it goes, which way."""
    return {
        "agreement": transfer.agreement,
        "source": transfer.ea_subscription,
        "channel": Channel.EA.value,
        "path": PATH,
        "subscription": transfer.into,
        **more,
    }


def scheduled(name: str, transfer: Transfer, expected: Subscription) -> Fact:
    """Return the fact of a schedule as it stands now: the plan and when it is processed."""
    window = transfer.window
    data = told(
        transfer,
        sku=transfer.product.sku,
        quantity=transfer.quantity,
        term=transfer.term.value,
        billing=transfer.billing.value,
        starts_on=expected.starts_on.isoformat(),
        ends_on=expected.ends_on.isoformat(),
        earliest_at=iso(window.earliest_at),
        typical_at=iso(window.typical_at),
        latest_at=iso(window.latest_at),
    )
    return Fact(name, data)
