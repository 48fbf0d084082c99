"""A migration that waits: scheduled, updated, cancelled, begun at its time (LEG-21)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sublife.lifecycle.migration.eligibility import Question, lasting_objection, not_found
from sublife.lifecycle.migration.model import Migration, Part, Schedule, Update
from sublife.lifecycle.migration.request import asked
from sublife.lifecycle.migration.start import begun, not_started, settled, why_not
from sublife.lifecycle.migration.told import PATH, about, awaiting, released
from sublife.lifecycle.model import Case, Effect, Fact, FollowUp, Payload, Refusal, Snapshot, iso
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.birth import reseller_cannot_transact
from sublife.lifecycle.subscription.model import ReleaseMigration, Subscription
from sublife.lifecycle.subscription.state import State as Status
from sublife.lifecycle.subscription.term import term_ended_at

Tick = Case[Migration, Payload]


def schedule(case: Case[Migration, Schedule]) -> Effect[Migration] | Refusal:
    """Migrate later: at an instant, or at the term end in place of the renewal (LEG-21)."""
    ask = case.data
    legacy = case.seen.get(ask.subscription)
    if not case.policy.allows("migration_schedule", case.at):
        return refuse("MIGRATION_NOT_OFFERED", what="scheduling a migration", at=iso(case.at))
    if refusal := reseller_cannot_transact(case.event.actor):
        return refusal
    if not isinstance(legacy, Subscription) or legacy.customer != ask.customer:
        return not_found(Part(ask.subscription, ask.into))
    subject = asked(case, legacy, ask.parts(ask.subscription))
    return _waiting(case, subject, legacy, fact="scheduled")


def update(case: Case[Migration, Update]) -> Effect[Migration] | Refusal:
    """Put another plan in the place of the scheduled one, before its time (LEG-21)."""
    old, ask = case.subject, case.data
    legacy = case.seen.get(old.base.subscription)
    if refusal := reseller_cannot_transact(case.event.actor):
        return refusal
    assert isinstance(legacy, Subscription)  # noqa: S101 – it has been there since scheduling
    subject = replace(
        old,
        parts=ask.parts(old.base.subscription),
        por=ask.por,
        trade_blocked=ask.trade_blocked,
        external_reference=ask.external_reference or old.external_reference,
    )
    effect = _waiting(case, subject, legacy, fact="schedule-updated")
    if isinstance(effect, Refusal):
        return effect
    kept = {part.subscription for part in subject.parts}
    dropped = tuple(
        FollowUp("release_migration", part.subscription, ReleaseMigration())
        for part in old.parts
        if part.subscription not in kept
    )
    return effect._replace(follow_ups=(*dropped, *effect.follow_ups))


def _waiting(
    case: Case[Migration, Any], subject: Migration, legacy: Subscription, *, fact: str
) -> Effect[Migration] | Refusal:
    """Return the schedule, and tell its subscriptions, unless nothing can come of it."""
    ask: Schedule | Update = case.data
    target_at = ask.target_at or term_ended_at(legacy)
    if target_at <= case.at:
        return refuse("TARGET_PASSED", target_at=iso(target_at), at=iso(case.at))
    subject = replace(
        subject,
        target_at=target_at,
        on_renewal=ask.migrate_on_renewal,
        por_before=legacy.por,
    )
    if refusal := lasting_objection(Question(subject, target_at, case.policy, case.seen)):
        return refusal
    told = Fact(f"{PATH}-{fact}", about(subject, case.seen))
    return Effect(subject, (told,), awaiting(subject))


def cancel(case: Tick) -> Effect[Migration]:
    """Cancel the schedule before its time; the subscription goes on as it was (LEG-21)."""
    subject = replace(case.subject, finished_at=case.at)
    told = Fact(f"{PATH}-schedule-cancelled", about(subject, case.seen))
    return Effect(subject, (told,), released(subject, failed=False))


def begin(case: Tick) -> Effect[Migration]:
    """Begin a schedule at its time (LEG-15, LEG-21)."""
    return begun(case, settled(case.subject, case.seen, case.at))


def fail_schedule(case: Tick) -> Effect[Migration]:
    """Say why a schedule cannot begin at its time; the subscription goes on (LEG-21)."""
    why = why_not(case.subject, case.at, case.policy, case.seen)
    return not_started(case, case.subject, why, ref="LEG-21")


def is_still_ahead(subject: Migration, at: datetime, seen: Mapping[str, Snapshot]) -> bool:
    """Return whether the renewal that it waits for has moved to a later term end (LEG-21)."""
    legacy = seen.get(subject.base.subscription)
    return (
        isinstance(legacy, Subscription)
        and legacy.state in {Status.ACTIVE, Status.SUSPENDED}
        and term_ended_at(legacy) > at
    )


def aim_anew(case: Tick) -> Effect[Migration]:
    """Wait for the term end that the subscription has by now (LEG-21)."""
    legacy = case.seen[case.subject.base.subscription]
    assert isinstance(legacy, Subscription)  # noqa: S101 – a condition has made sure
    subject = replace(case.subject, target_at=term_ended_at(legacy))
    active = tuple(
        each for each in awaiting(subject) if case.seen[each.subject].state == Status.ACTIVE
    )
    return Effect(subject, follow_ups=active)
