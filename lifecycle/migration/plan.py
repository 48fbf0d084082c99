"""What becomes of a subscription on new commerce: its plan, its term, its twin (LEG-15, LEG-20)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from sublife.lifecycle.dates import Billing, Term, boundary, natural_end
from sublife.lifecycle.migration.model import Migration, Part
from sublife.lifecycle.model import Refusal, Snapshot
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    Batch,
    Platform,
    Product,
    ScheduleChange,
    Subscription,
)
from sublife.lifecycle.subscription.term import custom_end, starting

_ONE_DAY = timedelta(days=1)


def product_of(legacy: Subscription, part: Part) -> Product:
    """Return what the twin is of: the same, unless another one is named."""
    return part.product or legacy.product


def plan_of(legacy: Subscription, part: Part) -> tuple[Term, Billing]:
    """Return the twin's term length and billing plan: as before, unless changed (LEG-15)."""
    return part.term or legacy.term, part.billing or legacy.billing


def seats_of(legacy: Subscription, part: Part) -> int:
    """Return the twin's seats: as many as before, unless changed (LEG-15)."""
    return part.quantity or legacy.quantity


def starts_anew(legacy: Subscription, part: Part) -> bool:
    """Return whether a full new term begins: asked for, or since it is longer (LEG-20)."""
    return part.purchase_full_term or plan_of(legacy, part)[0].months > legacy.term.months


def asked_end(
    legacy: Subscription,
    part: Part,
    *,
    on: date,
    seen: Mapping[str, Snapshot],
    policy: Policy,
    at: datetime,
) -> date | Refusal | None:
    """Return the custom end date of a term that starts on *on*, `None` if none is asked for.

    The rules are those of a purchase (LEG-20, TRM-21…24).
    """
    if not part.is_custom:
        return None
    return custom_end(
        ScheduleChange(
            custom_end_on=part.custom_end_on,
            align_with=part.align_with,
            align_month_end=part.align_month_end,
        ),
        product=product_of(legacy, part),
        term=plan_of(legacy, part)[0],
        start_on=on,
        subscription=replace(legacy, platform=Platform.NCE),
        seen=seen,
        policy=policy,
        at=at,
    )


def twin(migration: Migration, part: Part, legacy: Subscription, at: datetime) -> Subscription:
    """Return the new commerce subscription as it is created at *at* (LEG-15, LEG-20).

    Args:
        migration: being processed, with end dates worked out.
        part: what was asked for this subscription.
        legacy: the subscription as it stands; what is not changed carries over.
        at: UTC instant of creation; cancellation window and seats count from it (LEG-21).
    """
    term, billing = plan_of(legacy, part)
    quantity = seats_of(legacy, part)
    same_rhythm = billing is legacy.billing
    new = Subscription(
        id=part.into,
        state=legacy.state,
        changed_at=at,
        customer=legacy.customer,
        partner=legacy.partner,
        product=product_of(legacy, part),
        segment=legacy.segment,
        quantity=quantity,
        term=legacy.term,
        billing=billing,
        created_at=at,
        anchor_on=legacy.anchor_on,
        terms=legacy.terms,
        starts_on=legacy.starts_on,
        ends_on=legacy.ends_on,
        batches=(Batch(quantity, at, at.date()),),
        window_opened_at=at,
        price=part.price or (legacy.price if same_rhythm else None),
        por=migration.por or legacy.por,
        migrated_from=legacy.id,
        parent=None if part is migration.base else migration.base.into,
        friendly_name=legacy.friendly_name,
    )
    started_on = (migration.started_at or at).date()
    if part.custom_end_on is not None or starts_anew(legacy, part):
        ends_on = part.custom_end_on
        return starting(new, on=started_on, term=term, billing=billing, ends_on=ends_on)
    if term.months < legacy.term.months:
        new = _shortened(new, legacy, term, started_on)
    if new.ends_on < at.date():
        return starting(new, on=new.ends_on + _ONE_DAY, term=term, billing=billing)
    return new


def _shortened(new: Subscription, legacy: Subscription, term: Term, on: date) -> Subscription:
    """Return the twin in the shorter term that holds *on*, on the legacy boundaries (LEG-20).

    A year that ends on 10 February, moved to monthly on 17 November, ends on 10 December.
    """
    index = next(
        number for number in range(1, 12 * 300) if natural_end(legacy.anchor_on, term, number) >= on
    )
    return replace(
        new,
        term=term,
        terms=index,
        starts_on=boundary(legacy.anchor_on, term, index - 1),
        ends_on=min(natural_end(legacy.anchor_on, term, index), legacy.ends_on),
    )


def charged_from(part: Part, legacy: Subscription, new: Subscription) -> date | None:
    """Return the first day the twin is charged for; `None` is the day it is created (LEG-15).

    A term of its own is charged from its first day, even where processing took longer: legacy
    billing had stopped by then.
    """
    own_term = part.custom_end_on is not None or starts_anew(legacy, part)
    return new.starts_on if own_term else None
