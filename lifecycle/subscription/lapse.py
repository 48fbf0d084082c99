"""What the calendar does: the term end, renewal, extension, grace, disabling, deletion."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Case, Effect, Fact, FollowUp, Payload, evolved, iso
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.charge import charge, in_fact
from sublife.lifecycle.subscription.manual import renewed_instead
from sublife.lifecycle.subscription.model import (
    Batch,
    Extension,
    LeadMigration,
    Mover,
    Price,
    Renewal,
    ScheduledChange,
    Subscription,
)
from sublife.lifecycle.subscription.term import (
    following,
    grace_after,
    grace_ends_at,
    led_term,
    microsoft_leads,
    next_plan,
    starting,
    term_ended_at,
)

Tick = Case[Subscription, Payload]
_ONE_DAY = timedelta(days=1)
_NO_CHANGE = ScheduledChange()


def start_renewal(case: Tick) -> Effect[Subscription]:
    """Queue the renewal at the term end; it completes within its processing window (TRM-06)."""
    started_at, policy = case.at, case.policy
    simulated = policy.switch("processing", started_at) == "simulated"
    earliest = policy.length("renewal_earliest_hours", started_at)
    renewal = Renewal(
        started_at,
        started_at + earliest if simulated else None,
        policy.over_at("renewal_latest_hours", started_at),
    )
    return Effect(
        evolved(case.subject, renewal=renewal),
        (
            Fact("subscription-renewal-started", {"overdue_at": iso(renewal.overdue_at)}),
            *renewed_instead(case.subject),
        ),
    )


def tell_overdue(case: Tick) -> Effect[Subscription]:
    """Raise the alert that a renewal is late; it is no failure (GEN-07)."""
    renewal = case.subject.renewal
    assert renewal is not None  # noqa: S101 – the timer exists only while renewing
    return Effect(
        evolved(case.subject, renewal=replace(renewal, alerted=True)),
        (Fact("subscription-renewal-overdue", {"started_at": iso(renewal.started_at)}),),
    )


def complete_renewal(case: Tick) -> Effect[Subscription]:
    """Start the next term at the old term end, whenever the processing completes (TRM-06).

    Unless scheduled otherwise the plan repeats at the then-current price (TRM-08). The window for
    cancelling and the one batch of seats open at completion (TRM-09, TRM-16).
    """
    old = case.subject
    change = old.scheduled or _NO_CHANGE
    subject = _next_term(old, change)
    product = change.product or next_plan(old)[0]
    quantity, price = change.quantity or old.quantity, _next_price(old)
    subject = evolved(
        subject,
        product=product,
        quantity=quantity,
        price=price,
        next_price=None,
        promotion_id="",
        trial=False,
        converts_to=None,
        extension=None,
        term_end_choice=None,
        scheduled=None,
        next_charge=None,
        renewal=None,
        renewed_at=case.at,
        window_opened_at=case.at,
        batches=(Batch(quantity, case.at, subject.starts_on),),
        microsoft_leads=microsoft_leads(subject, case.policy),
    )
    facts = [Fact("subscription-trial-converted", rules=("SUB-17",))] if old.trial else []
    facts.append(_renewed(subject, applied=old.scheduled is not None))
    return Effect(subject, tuple(facts))


def _next_price(old: Subscription) -> Price | None:
    """Return the then-current price; a promotion goes on while its days allow (TRM-08).

    A new price list that names no promotion does not end one.
    """
    if old.next_charge is not None and old.next_price is None:
        return old.next_charge.price
    price = old.extension.price if old.extension else old.price
    if old.next_price is None:
        return price
    if old.next_price.promotion is None and price is not None:
        return replace(old.next_price, promotion=price.promotion)
    return old.next_price


def _next_term(old: Subscription, change: ScheduledChange) -> Subscription:
    """Return the subscription in its next term; a changed plan resets the anchor (GEN-06)."""
    _, term, billing = next_plan(old)
    term, billing = change.term or term, change.billing or billing
    if term is old.term and change.ends_on is None:
        subject = following(old)
        return subject if billing is subject.billing else evolved(subject, billing=billing)
    return starting(
        old, on=old.ends_on + _ONE_DAY, term=term, billing=billing, ends_on=change.ends_on
    )


def _renewed(subject: Subscription, *, applied: bool) -> Fact:
    return Fact(
        "subscription-renewed",
        {
            "sku": subject.product.sku,
            "quantity": subject.quantity,
            "term": str(subject.term),
            "billing": str(subject.billing),
            "starts_on": subject.starts_on.isoformat(),
            "ends_on": subject.ends_on.isoformat(),
            "scheduled_change_applied": applied,
            **in_fact(charge(subject, subject.quantity, from_on=subject.starts_on)),
        },
    )


def extend(case: Tick) -> Effect[Subscription]:
    """Continue for another month in the extended service term, billed monthly (TRM-36)."""
    old = case.subject
    if old.extension is None:
        price = extended_price(_next_price(old), old.billing, case.policy, case.at)
        subject = starting(
            evolved(
                old,
                extension=Extension(old.term, old.billing, old.price),
                price=price,
                next_charge=None,
            ),
            on=old.ends_on + _ONE_DAY,
            term=Term.P1M,
            billing=Billing.MONTHLY,
        )
    elif old.next_price is not None:
        price = extended_price(_next_price(old), old.extension.billing, case.policy, case.at)
        extension = replace(old.extension, price=_next_price(old))
        subject = evolved(following(old), price=price, extension=extension, next_price=None)
    else:
        subject = following(old)
    data = {
        "starts_on": subject.starts_on.isoformat(),
        "ends_on": subject.ends_on.isoformat(),
        "quantity": subject.quantity,
        "term": str(subject.term),
        "billing": str(subject.billing),
        **in_fact(charge(subject, subject.quantity, from_on=subject.starts_on)),
    }
    return Effect(subject, (Fact("subscription-extended", data),))


def extended_price(
    price: Price | None, billing: Billing, policy: Policy, at: datetime
) -> Price | None:
    """Return the monthly price of a seat in an extended service term (TRM-36).

    The monthly rate plus 3 %; where there is no monthly plan, a month's share of the running plan
    plus 23 %.
    """
    if price is None:
        return None
    if price.monthly_unit is not None:
        unit = price.monthly_unit * (1 + policy.rate("extended_uplift", at))
    else:
        share = price.unit / Decimal(billing.months)
        unit = share * (1 + policy.rate("extended_uplift_without_monthly", at))
    return Price(unit, price.currency, price.monthly_unit)


def expire(case: Tick) -> Effect[Subscription]:
    """End the term with nobody renewing (SUB-03)."""
    old = case.subject
    data = {"ended_on": old.ends_on.isoformat(), "continuity_until": _continuity_until(case)}
    return Effect(_ended(old), (Fact("subscription-expired", data),))


def expire_barred(case: Tick) -> Effect[Subscription]:
    """End the term of a suspended subscription in the other reading: users stay out (SUB-10)."""
    effect = expire(case)
    return effect._replace(subject=evolved(effect.subject, barred=True))


def refuse_renewal(case: Tick) -> Effect[Subscription]:
    """End a legacy term that can no longer be renewed (LEG-01).

    It lapses like any other (LEG-06), and nobody has been told before (LEG-07).
    """
    effect = expire(case)
    data = {"code": "LEGACY_RENEWAL_CLOSED", "ends_on": case.subject.ends_on.isoformat()}
    refused = Fact("renewal-refused", data, ("LEG-01",))
    return effect._replace(facts=(refused, *effect.facts))


def _continuity_until(case: Tick) -> str:
    """Return until when buying anew keeps the users working, exclusive (SUB-13)."""
    return iso(term_ended_at(case.subject) + grace_after(case.subject, case.policy, case.at))


def _ended(old: Subscription, **more: object) -> Subscription:
    """Return the subscription with nothing left of a term that could still change.

    Args:
        old: as it was.
        more: what else changes.
    """
    return evolved(
        old,
        autorenew=False,
        scheduled=None,
        next_charge=None,
        transfer=None,
        suspended_at=None,
        suspension_ends_at=None,
        suspension_reasons=(),
        **more,
    )


def begin_grace(case: Tick) -> Effect[Subscription]:
    """Begin the free days after the term end (SUB-04)."""
    ends_at = grace_ends_at(case.subject, case.policy, case.at)
    return Effect(
        evolved(case.subject, lapse_ends_at=ends_at),
        (Fact("subscription-grace-started", {"ends_at": iso(ends_at)}),),
    )


def disable(case: Tick) -> Effect[Subscription]:
    """Take the users' access away; only admins still reach the data (SUB-05)."""
    deleted_at = case.policy.over_at("disabled", case.at)
    return Effect(
        evolved(case.subject, lapse_ends_at=None, deleted_at=deleted_at),
        (Fact("subscription-disabled", {"deleted_at": iso(deleted_at)}),),
    )


def disable_suspended(case: Tick) -> Effect[Subscription]:
    """End the term of a suspended subscription: disabled for 30 days and 90 more (SUB-10)."""
    ends_at = case.policy.over_at("suspended_disabled", case.at)
    subject = _ended(case.subject, barred=True, lapse_ends_at=ends_at)
    return Effect(subject, (Fact("subscription-disabled", {"first_phase_ends_at": iso(ends_at)}),))


def enter_second_phase(case: Tick) -> Effect[Subscription]:
    """Begin the 90 days after the first disabled phase (SUB-10, SUB-11)."""
    deleted_at = case.policy.over_at("disabled", case.at)
    return Effect(evolved(case.subject, lapse_ends_at=None, deleted_at=deleted_at))


def delete(case: Tick) -> Effect[Subscription]:
    """Delete the subscription and its data for good (SUB-06, SUB-09)."""
    ended = _ended(case.subject, lapse_ends_at=None, deleted_at=None, price=None)
    return Effect(ended, (Fact("subscription-deleted", {"from": case.subject.state}),))


def hand_over(case: Tick) -> Effect[Subscription]:
    """Let the migration that takes the renewal's place begin, or say that it cannot (LEG-21)."""
    move = case.subject.move
    assert move is not None  # noqa: S101 – a condition has made sure
    return Effect(
        case.subject, follow_ups=(FollowUp("begin", move.migration, lifecycle="migration"),)
    )


def ask_for_base(case: Tick) -> Effect[Subscription]:
    """Let the base that ends at the same instant be led; it takes this add-on along (LEG-19)."""
    base = case.seen[case.subject.parent or ""]
    assert isinstance(base, Subscription)  # noqa: S101 – a condition has made sure
    return Effect(case.subject, follow_ups=(_lead_of(base, case),))


def ask_to_be_led(case: Tick) -> Effect[Subscription]:
    """Let the distributor or Microsoft move it into a full new term (LEG-04, LEG-24)."""
    return Effect(case.subject, follow_ups=(_lead_of(case.subject, case),))


def announce(case: Tick) -> Effect[Subscription]:
    """Let Microsoft create its migration on the last day; it begins the day after (LEG-24)."""
    return Effect(case.subject, follow_ups=(_led("announce", case.subject, Mover.MICROSOFT),))


def announce_base(case: Tick) -> Effect[Subscription]:
    """Let Microsoft create the migration of the base, which takes this add-on along (LEG-19)."""
    base = case.seen[case.subject.parent or ""]
    assert isinstance(base, Subscription)  # noqa: S101 – a condition has made sure
    return Effect(case.subject, follow_ups=(_led("announce", base, Mover.MICROSOFT),))


def leave_to_renewal(case: Tick) -> Effect[Subscription]:
    """Note that Microsoft does not migrate it after all: another policy holds by now (LEG-24)."""
    return Effect(evolved(case.subject, microsoft_leads=False))


def _lead_of(subject: Subscription, case: Tick) -> FollowUp:
    """Return who leads at the term end: Microsoft where legacy goes on renewing (LEG-23)."""
    by_microsoft = microsoft_leads(subject, case.policy)
    return _led("lead", subject, Mover.MICROSOFT if by_microsoft else Mover.DISTRIBUTOR)


def _led(name: str, subject: Subscription, mover: Mover) -> FollowUp:
    """Return the event that creates the migration; its id names the day the new term starts.

    A distributor keeps the term length (LEG-04), Microsoft gives its own (LEG-24).
    """
    at = term_ended_at(subject)
    term = led_term(subject.term) if mover is Mover.MICROSOFT else subject.term
    lead = LeadMigration(
        subject.id,
        f"{subject.id}-nce",
        subject.customer,
        subject.partner,
        mover,
        at=at,
        term=term,
    )
    return FollowUp(name, f"{subject.id}-migration-{at.date()}", lead, "migration")
