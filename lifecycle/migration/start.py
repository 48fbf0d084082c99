"""Whether a migration begins when its time has come, and how it does (LEG-15, LEG-21)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sublife.lifecycle.migration.eligibility import Question, add_ons_of, objection
from sublife.lifecycle.migration.model import Logged, Migration, Part, State, Step
from sublife.lifecycle.migration.plan import (
    asked_end,
    plan_of,
    product_of,
    seats_of,
    starts_anew,
)
from sublife.lifecycle.migration.told import PATH, about, released
from sublife.lifecycle.model import Case, Effect, Fact, FollowUp, Refusal, Snapshot, Value
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import EnterMigration, Mover, Subscription
from sublife.lifecycle.subscription.state import State as Status
from sublife.lifecycle.subscription.term import led_term, term_ended_at


def why_not(
    subject: Migration, at: datetime, policy: Policy, seen: Mapping[str, Snapshot]
) -> Refusal | None:
    """Return what stands against beginning now; `None` lets it begin (LEG-21).

    A migration in place of a renewal needs one: autorenew on, at the term end.
    """
    legacy = seen.get(subject.base.subscription)
    if subject.on_renewal and isinstance(legacy, Subscription):
        if not legacy.autorenew and legacy.state == Status.ACTIVE:
            return refuse("AUTORENEW_REQUIRED", rule="LEG-21")
        if legacy.state == Status.ACTIVE and term_ended_at(legacy) > at:
            return refuse(
                "MIGRATION_INELIGIBLE",
                rule="LEG-21",
                reason="its renewal is not at hand",
                subscription=legacy.id,
            )
    ready = settled(subject, seen, at)
    return objection(Question(ready, at, policy, seen))


def settled(subject: Migration, seen: Mapping[str, Snapshot], at: datetime) -> Migration:
    """Return the migration with full terms for what has come to its term end (LEG-21).

    Microsoft's own takes along the add-ons that are active by now (LEG-19).
    """
    parts = subject.parts
    if subject.mover is Mover.MICROSOFT and subject.on_renewal:
        parts = (*parts, *led_along(subject.base.subscription, subject.mover, seen, at))
    return replace(subject, parts=tuple(_at_its_end(part, seen, at) for part in parts))


def _at_its_end(part: Part, seen: Mapping[str, Snapshot], at: datetime) -> Part:
    legacy = seen.get(part.subscription)
    is_over = isinstance(legacy, Subscription) and term_ended_at(legacy) <= at
    return replace(part, purchase_full_term=True) if is_over else part


def led_along(
    base: str, mover: Mover, seen: Mapping[str, Snapshot], at: datetime
) -> tuple[Part, ...]:
    """Return the active add-ons that a distributor or Microsoft takes along (LEG-19).

    One that ends at this very instant with autorenew off lapses instead.
    """
    return tuple(
        Part(
            each.id,
            f"{each.id}-nce",
            term=led_term(each.term) if mover is Mover.MICROSOFT else each.term,
            purchase_full_term=True,
        )
        for each in add_ons_of(base, seen)
        if each.move is None and (each.autorenew or at < term_ended_at(each))
    )


def begun(
    case: Case[Migration, Any], subject: Migration, *, keeps_por: bool = False
) -> Effect[Migration]:
    """Begin to process: legacy is suspended, its billing stops, its users work on (LEG-15)."""
    at, policy = case.at, case.policy
    simulated = policy.switch("processing", at) == "simulated"
    subject = replace(
        subject,
        state=State.PROCESSING,
        parts=tuple(_worked_out(case, part) for part in subject.parts),
        started_at=at,
        completes_at=at + policy.length("migration_earliest_hours", at) if simulated else None,
        overdue_at=at + policy.length("migration_latest_hours", at),
        alerted=False,
        finished_at=None,
        code="",
        reason="",
    )
    subject = logged(subject, policy, at, Step.STARTED)
    told = Fact(f"{PATH}-created", about(subject, case.seen))
    enter = EnterMigration(subject.id, keeps_por)
    follow_ups = tuple(
        FollowUp("enter_migration", each.subscription, enter) for each in subject.parts
    )
    return Effect(subject, (told,), follow_ups)


def _worked_out(case: Case[Migration, Any], part: Part) -> Part:
    """Return the part with all that its twin will be, as it is fixed now (LEG-15, LEG-20).

    Custom end dates become the days they stand for, since siblings may move on meanwhile.
    """
    legacy = case.seen.get(part.subscription)
    assert isinstance(legacy, Subscription)  # noqa: S101 – it has been looked at
    end = asked_end(legacy, part, on=case.at.date(), seen=case.seen, policy=case.policy, at=case.at)
    assert not isinstance(end, Refusal)  # noqa: S101 – nor was it objected to
    term, billing = plan_of(legacy, part)
    return replace(
        part,
        product=product_of(legacy, part),
        quantity=seats_of(legacy, part),
        term=term,
        billing=billing,
        purchase_full_term=starts_anew(legacy, part),
        custom_end_on=end,
        align_with=None,
        align_month_end=False,
    )


def logged(subject: Migration, policy: Policy, at: datetime, *steps: Step) -> Migration:
    """Note what Partner Center tells, for migrations begun since it tells anything (LEG-25)."""
    if subject.started_at is None or not policy.allows("migration_events", subject.started_at):
        return subject
    return replace(subject, log=(*subject.log, *(Logged(step, at) for step in steps)))


def not_started(
    case: Case[Migration, Any], subject: Migration, why: Refusal | None, *, ref: str
) -> Effect[Migration]:
    """Fail what could not begin at its time, say why, and let go of its subscriptions (LEG-21)."""
    assert why is not None  # noqa: S101 – a condition has made sure
    failed = replace(
        subject, state=State.FAILED, finished_at=case.at, code=why.code, reason=why.sentence
    )
    data: dict[str, Value] = {
        **about(failed, case.seen),
        "code": why.code,
        "reason": why.sentence,
        **{
            name: why.details[name]
            for name in ("eligibility", "api_error", "missing")
            if name in why.details
        },
    }
    told = Fact(f"{PATH}-schedule-failed", data, tuple(dict.fromkeys((ref, why.rule))))
    return Effect(failed, (told,), released(failed, failed=True))
