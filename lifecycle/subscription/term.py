"""Which terms a subscription runs through: plans, custom ends, the next (GEN-06, TRM-21…25)."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from sublife.lifecycle.dates import (
    Billing,
    Term,
    boundary,
    day_starts_at,
    is_month_end,
    last_month_end,
    natural_end,
    projected_ends,
    term_ends_at,
)
from sublife.lifecycle.model import Refusal, Segment, Snapshot, evolved
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import (
    Platform,
    Product,
    ProductKind,
    Purchase,
    ScheduleChange,
    Subscription,
)
from sublife.lifecycle.subscription.state import State

_ONE_DAY = timedelta(days=1)
_MONTHLY_NEVER_ON = frozenset({28, 29, 30})
_LIVE = frozenset({State.PENDING, State.ACTIVE, State.SUSPENDED})


def term_ended_at(subscription: Subscription) -> datetime:
    """Return the term-end instant TE of the running term (GEN-02)."""
    return term_ends_at(subscription.ends_on)


def renewal_closed(subscription: Subscription, policy: Policy) -> bool:
    """Return whether the running term ends where commercial legacy does not renew any more.

    The end date decides, not the day after; other segments stay renewable (LEG-01, LEG-03).
    """
    return (
        subscription.platform is Platform.LEGACY
        and subscription.segment is Segment.COMMERCIAL
        and not policy.allows("legacy_renewal", day_starts_at(subscription.ends_on))
    )


def microsoft_leads(subscription: Subscription, policy: Policy) -> bool:
    """Return whether Microsoft itself migrates it at the end of the running term (LEG-24).

    The day of the renewal decides, the day after the end date. Only where the cut-off is
    postponed; commercial subscriptions and those of the public sector begin on days of their own.
    """
    if subscription.platform is not Platform.LEGACY:
        return False
    is_commercial = subscription.segment is Segment.COMMERCIAL
    group = "commercial" if is_commercial else "public_sector"
    return policy.allows(f"microsoft_led_{group}", term_ended_at(subscription))


def led_term(term: Term) -> Term:
    """Return the term that Microsoft gives where it migrates: a year, but three stay (LEG-24)."""
    return term if term is Term.P3Y else Term.P1Y


def plan_refusal(product: Product, term: Term, billing: Billing) -> Refusal | None:
    """Return why *product* cannot be had as *term* with *billing*, or `None` (TRM-02)."""
    if billing.months > term.months:
        return refuse("BILLING_EXCEEDS_TERM", term=term.value, billing=billing.value)
    if product.plans and f"{term.value}/{billing.value}" not in product.plans:
        return refuse("PLAN_NOT_OFFERED", sku=product.sku, term=term.value, billing=billing.value)
    return None


def custom_end(
    request: Purchase | ScheduleChange,
    *,
    product: Product,
    term: Term,
    start_on: date,
    subscription: Subscription,
    seen: Mapping[str, Snapshot],
    policy: Policy,
    at: datetime,
) -> date | Refusal | None:
    """Return the custom end date a request asks for, `None` if it asks for none (TRM-21…24).

    Args:
        request: names a date, a subscription or a month end.
        product: what the term is for.
        term: its full length.
        start_on: its first day.
        subscription: whose term it is.
        seen: the customer's other subscriptions, or at least the one named.
        policy: in force at *at*.
        at: UTC instant of the request.
    """
    if request.custom_end_on is None and request.align_with is None and not request.align_month_end:
        return None
    if refusal := _not_alignable(subscription, product, policy, at):
        return refusal
    latest = natural_end(start_on, term)
    asked = request.custom_end_on
    if asked is not None and (refusal := outside(asked, start_on, latest, term)):
        return refusal
    if request.align_with is not None:
        return _aligned(request.align_with, asked, term, latest, start_on, subscription, seen)
    if asked is None:
        end = last_month_end(latest)
        return end if end >= start_on else outside(end, start_on, latest, term)
    if is_month_end(asked) or asked in _sibling_ends(subscription, term, latest, seen):
        return asked
    return refuse(
        "COTERM_NO_TARGET",
        reason=f"{asked} is neither a month's last day nor the end of another subscription of "
        "the same customer and partner",
        api_error=900242,
    )


def _not_alignable(
    subscription: Subscription, product: Product, policy: Policy, at: datetime
) -> Refusal | None:
    reason = None
    if not policy.allows("coterminosity", at):
        reason = "custom end dates were not offered yet"
    elif subscription.platform is not Platform.NCE:
        reason = "only new commerce subscriptions align their end"
    elif subscription.trial:
        reason = "a trial does not align its end"
    elif product.kind is not ProductKind.ONLINE_SERVICE:
        reason = f"{product.kind} does not align its end"
    return refuse("COTERM_NO_TARGET", reason=reason, api_error=900246) if reason else None


def outside(asked: date, start_on: date, latest: date, term: Term) -> Refusal | None:
    """Refuse a date outside the first term, or one that a monthly term may not end on (TRM-22)."""
    reason = None
    if asked > latest:
        reason = "it lies after the term's natural end"
    elif asked < start_on:
        reason = "it lies before the term starts"
    elif term is Term.P1M and asked.day in _MONTHLY_NEVER_ON and not is_month_end(asked):
        reason = "a monthly term ends on day 28, 29 or 30 only where that is the month's last day"
    if reason is None:
        return None
    return refuse(
        "COTERM_OUT_OF_TERM",
        end_on=asked.isoformat(),
        start_on=start_on.isoformat(),
        latest_on=latest.isoformat(),
        reason=reason,
    )


def _aligned(
    target: str,
    asked: date | None,
    term: Term,
    latest: date,
    start_on: date,
    subscription: Subscription,
    seen: Mapping[str, Snapshot],
) -> date | Refusal | None:
    other = _target(target, seen.get(target), term, subscription)
    if isinstance(other, str):
        return refuse("COTERM_NO_TARGET", reason=other, target=target)
    projected = _ends_of(other, latest)
    ends = [end for end in projected if outside(end, start_on, latest, term) is None]
    if not ends and projected and projected[-1] >= start_on:
        return outside(projected[-1], start_on, latest, term)
    if not ends:
        reason = f"no term end of {target} lies within the first term"
        return refuse("COTERM_NO_TARGET", reason=reason, target=target)
    if asked is not None and asked not in ends:
        reason = f"{asked} is no term end of {target}"
        return refuse("COTERM_NO_TARGET", reason=reason, target=target)
    return asked or ends[-1]


def _target(
    target: str, other: Snapshot | None, term: Term, subscription: Subscription
) -> Subscription | str:
    """Return *other* if it can be aligned with, else the reason it cannot (TRM-21, TRM-22)."""
    if not isinstance(other, Subscription) or other.state not in _LIVE:
        return f"there is no live subscription {target}"
    if (other.customer, other.partner) != (subscription.customer, subscription.partner):
        return f"{target} belongs to another customer or partner"
    if other.platform is not Platform.NCE or other.product.kind is not ProductKind.ONLINE_SERVICE:
        return f"{target} is not a licence-based new commerce subscription"
    if other.trial:
        return f"{target} is a trial"
    if term is not Term.P1M and other.term is Term.P1M:
        return f"a {term} term does not align with the monthly subscription {target}"
    return other


def _ends_of(other: Subscription, until: date) -> tuple[date, ...]:
    """Return the ends of *other*'s running and later terms up to *until* (TRM-23)."""
    return projected_ends(other.ends_on, other.anchor_on, other.term, until=until)


def _sibling_ends(
    subscription: Subscription, term: Term, latest: date, seen: Mapping[str, Snapshot]
) -> Iterable[date]:
    for name, other in seen.items():
        found = _target(name, other, term, subscription)
        if name != subscription.id and not isinstance(found, str):
            yield from _ends_of(found, latest)


def starting(
    subscription: Subscription,
    *,
    on: date,
    term: Term,
    billing: Billing,
    ends_on: date | None = None,
) -> Subscription:
    """Return the subscription with a new term that starts on *on* and resets the anchor (GEN-06).

    Args:
        subscription: whose term it is.
        on: first day of the term.
        term: its full length.
        billing: its billing plan.
        ends_on: custom inclusive end; the anchor is then the day after it.
    """
    return evolved(
        subscription,
        term=term,
        billing=billing,
        starts_on=on,
        cycles_on=None,
        anchor_on=on if ends_on is None else ends_on + _ONE_DAY,
        terms=1 if ends_on is None else 0,
        ends_on=natural_end(on, term) if ends_on is None else ends_on,
    )


def next_plan(subscription: Subscription) -> tuple[Product, Term, Billing]:
    """Return product, term and billing of the next term where nothing is scheduled (TRM-08).

    A trial becomes its paid product, annual and billed monthly (SUB-17); an extended service term
    goes back to the plan before it (TRM-36); a pending next charge counts (TRM-20).
    """
    if subscription.trial:
        return subscription.converts_to or subscription.product, Term.P1Y, Billing.MONTHLY
    term, billing = subscription.term, subscription.billing
    if subscription.extension is not None:
        term, billing = subscription.extension.term, subscription.extension.billing
    if subscription.next_charge is not None:
        billing = subscription.next_charge.billing
    return subscription.product, term, billing


def following(subscription: Subscription) -> Subscription:
    """Return the subscription in the full term after the running one, same anchor (GEN-06)."""
    terms = subscription.terms + 1
    return evolved(
        subscription,
        terms=terms,
        cycles_on=None,
        starts_on=boundary(subscription.anchor_on, subscription.term, terms - 1),
        ends_on=natural_end(subscription.anchor_on, subscription.term, terms),
    )


def grace_after(subscription: Subscription, policy: Policy, at: datetime) -> timedelta:
    """Return how long the grace after the term end *at* is; none after an extended service term.

    Nor is there any where the policy extends the service and the partner chose to cancel
    (SUB-04, TRM-36).
    """
    return timedelta(0) if _has_no_grace(subscription, policy) else policy.length("grace", at)


def grace_ends_at(subscription: Subscription, policy: Policy, at: datetime) -> datetime:
    """Return when the grace after the term end *at* is over; at once where there is none."""
    return at if _has_no_grace(subscription, policy) else policy.over_at("grace", at)


def _has_no_grace(subscription: Subscription, policy: Policy) -> bool:
    return subscription.extension is not None or extends(subscription, policy)


def extends(subscription: Subscription, policy: Policy) -> bool:
    """Return whether the extended service term takes the place of the grace (TRM-36).

    It does where the policy has it on the last day of the term, for what was bought or renewed
    late enough; everything else keeps the grace.
    """
    last_day_at = day_starts_at(subscription.ends_on)
    begun_at = subscription.renewed_at or subscription.created_at
    return (
        policy.switch("end_of_term", last_day_at) == "est"
        and subscription.platform is Platform.NCE
        and policy.allows("extended_service_term", last_day_at, begun_at=begun_at)
    )
