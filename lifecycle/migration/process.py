"""What becomes of a migration that has begun: done, failed, repaired, late (LEG-16, LEG-17)."""

from dataclasses import replace
from datetime import datetime, timedelta

from sublife.lifecycle.migration.eligibility import Question, objection
from sublife.lifecycle.migration.model import Fail, Migration, Retry, Step
from sublife.lifecycle.migration.plan import charged_from, twin
from sublife.lifecycle.migration.start import begun, logged
from sublife.lifecycle.migration.told import PATH, about, reverted
from sublife.lifecycle.model import (
    Case,
    Effect,
    Fact,
    FollowUp,
    Payload,
    Refusal,
    follow_up_id,
    iso,
)
from sublife.lifecycle.money import Money
from sublife.lifecycle.subscription.birth import reseller_cannot_transact
from sublife.lifecycle.subscription.charge import in_fact, worth
from sublife.lifecycle.subscription.model import Arise, Subscription
from sublife.lifecycle.subscription.state import State as Status

Tick = Case[Migration, Payload]
_ONE_DAY = timedelta(days=1)


def complete(case: Tick) -> Effect[Migration]:
    """Close the legacy subscriptions and create their twins (LEG-15, LEG-16, LEG-21)."""
    old, at = case.subject, case.at
    order_id = follow_up_id(case.event, 1)
    twins: list[Subscription] = []
    follow_ups: list[FollowUp] = []
    for part in old.parts:
        legacy = case.seen[part.subscription]
        assert isinstance(legacy, Subscription)  # noqa: S101 – it is held while processing
        new = twin(old, part, legacy, at)
        twins.append(new)
        arise = Arise(new, PATH, legacy.id, charged_from=charged_from(part, legacy, new))
        follow_ups.append(FollowUp("complete_migration", legacy.id))
        follow_ups.append(FollowUp("arise", part.into, arise))
    subject = replace(
        old,
        finished_at=at,
        legacy_suspended=False,
        reason="",
        order_id=order_id,
        ends_on=twins[0].ends_on,
    )
    steps = (Step.CREATED, Step.PROVISIONED, Step.COMPLETED)
    subject = logged(subject, case.policy, at, *steps)
    data = {**about(subject, case.seen), "order": order_id}
    return Effect(subject, (Fact(f"{PATH}-completed", data),), tuple(follow_ups))


def fail(case: Case[Migration, Fail]) -> Effect[Migration]:
    """Take down that processing has failed (LEG-17).

    With the legacy subscription still active the partner may try again; suspended, it waits for
    Microsoft to complete or revert.
    """
    old, ask = case.subject, case.data
    subject = replace(
        old, finished_at=case.at, legacy_suspended=ask.legacy_suspended, reason=ask.reason
    )
    subject = logged(subject, case.policy, case.at, Step.FAILED)
    legacy = Status.SUSPENDED if ask.legacy_suspended else Status.ACTIVE
    told = Fact(
        f"{PATH}-failed",
        {**about(old, case.seen), "reason": ask.reason, "legacy": legacy.value},
    )
    return Effect(subject, (told,), () if ask.legacy_suspended else reverted(subject))


def revert(case: Tick) -> Effect[Migration]:
    """Take down that Microsoft has reverted: legacy is billed again, but not for the gap (LEG-17).

    Every day begun in the gap is credited, exact to the day.
    """
    old, started_at = case.subject, case.subject.started_at
    assert started_at is not None  # noqa: S101 – it failed while it was processed
    data = {
        **about(old, case.seen),
        "uncharged_from": iso(started_at),
        "uncharged_until": iso(case.at),
        **in_fact(_gap(case, started_at), credit=True),
    }
    subject = replace(old, finished_at=case.at, legacy_suspended=False)
    return Effect(subject, (Fact(f"{PATH}-reverted", data),), reverted(subject))


def _gap(case: Tick, started_at: datetime) -> Money | None:
    """Return what the days of the gap would have cost; `None` where a price is not known."""
    days = -((started_at - case.at) // _ONE_DAY)
    total: Money | None = None
    for part in case.subject.parts:
        legacy = case.seen[part.subscription]
        assert isinstance(legacy, Subscription)  # noqa: S101 – it is held until now
        money = worth(legacy, days, on=started_at.date())
        if money is None or (total is not None and total.currency != money.currency):
            return None
        total = money if total is None else total.plus(money.amount)
    return total


def retry(case: Case[Migration, Retry]) -> Effect[Migration] | Refusal:
    """Try again what failed with the legacy subscription active, perhaps with fewer seats (LEG-17).

    Everything is asked anew; the 72 hours count from this request.
    """
    old = case.subject
    if refusal := reseller_cannot_transact(case.event.actor):
        return refusal
    quantity = case.data.quantity or old.base.quantity
    base = replace(old.base, quantity=quantity)
    subject = replace(old, parts=(base, *old.parts[1:]), on_renewal=False, target_at=None)
    if refusal := objection(Question(subject, case.at, case.policy, case.seen)):
        return refusal
    return begun(case, subject, keeps_por=not subject.por)


def tell_overdue(case: Tick) -> Effect[Migration]:
    """Raise the alert that it is neither completed nor reverted in time (GEN-07, LEG-16)."""
    old = case.subject
    assert old.started_at is not None  # noqa: S101 – the timer exists only with it
    data = {**about(old, case.seen), "started_at": iso(old.started_at)}
    return Effect(replace(old, alerted=True), (Fact(f"{PATH}-overdue", data),))
