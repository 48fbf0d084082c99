"""Chapter SUB: how the rules of a subscription's states are switched off."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from sublife.lifecycle.model import Effect
from sublife.lifecycle.subscription.lapse import expire
from sublife.lifecycle.subscription.state import Meaning, State
from tests.mutation.switch import (
    Change,
    Off,
    altered,
    around,
    effect,
    figure,
    granted,
    instead,
    off,
    opened,
    result,
    returning,
    row,
    undue,
)

_TIMERS = "lifecycle.subscription.timer.timers"
_ONE_DAY = timedelta(days=1)


def means(*states: State, **values: Any) -> Change:
    """Let these states mean something else."""

    def make(original: Mapping[State, Meaning]) -> Mapping[State, Meaning]:
        changed = {state: replace(original[state], **values) for state in states}
        return MappingProxyType({**original, **changed})

    return around("lifecycle.subscription.state.MEANINGS", make)


def _a_day_early(timers: Any, subject: Any) -> Any:
    if subject.autorenew:
        return timers
    return tuple(timer._replace(due_at=timer.due_at - _ONE_DAY) for timer in timers)


def _never_deleted(timers: Any, subject: Any) -> Any:
    return () if subject.state == State.DISABLED and not subject.lapse_ends_at else timers


def _suspended_alone(found: Effect[Any], case: Any) -> Effect[Any]:
    old = case.subject
    kept = replace(found.subject, autorenew=old.autorenew, scheduled=old.scheduled)
    return altered(found, subject=kept, facts=found.facts[:1])


OFF: Mapping[str, Off] = {
    "SUB-01": off(
        "expired is not followed by grace, nor by disabled", undue(_TIMERS, "expiry_ended")
    ),
    "SUB-02": off(
        "active gives no access and is not billed",
        means(State.ACTIVE, user_access=False, partner_billed=False),
    ),
    "SUB-03": off(
        "without autorenew it expires as its last paid day begins",
        result("lifecycle.subscription.timer._term_end", _a_day_early),
    ),
    "SUB-04": off("there is no grace", figure("grace", 0)),
    "SUB-05": off("disabled is over as soon as it begins", figure("disabled", 0)),
    "SUB-06": off("what is disabled is never deleted", result(_TIMERS, _never_deleted)),
    "SUB-07": off(
        "users of what is suspended go on working, and nobody is billed",
        means(State.SUSPENDED, user_access=True, partner_billed=False),
    ),
    "SUB-08": off(
        "suspending leaves autorenew and what is scheduled alone",
        effect("lifecycle.subscription.change.suspend", _suspended_alone),
    ),
    "SUB-09": off("the data of what is cancelled is not kept", figure("canceled_retention", 0)),
    "SUB-10": off(
        "what is suspended at its term end expires like any other",
        row(
            "subscription",
            "term_ended",
            of="disable_suspended",
            to=State.EXPIRED,
            act=expire,
        ),
    ),
    "SUB-11": off("the 90 days of disabled count from the term end", figure("disabled", 60)),
    "SUB-12": off(
        "what has ended is reactivated",
        opened(
            "subscription",
            "reactivate",
            State.ACTIVE,
            "lifecycle.subscription.change.reactivate",
            code="NO_REACTIVATION",
        ),
    ),
    "SUB-13": off(
        "buying again in the grace is not told from any other purchase",
        instead("lifecycle.subscription.birth._CONTINUITY", MappingProxyType({})),
    ),
    "SUB-14": off(
        "expired is hidden from the export as well",
        means(State.EXPIRED, State.GRACE, wire_status="deleted"),
    ),
    "SUB-15": off(
        "a suspended legacy subscription is treated like one on new commerce",
        returning("lifecycle.subscription.state._is_legacy", False),
        returning("lifecycle.subscription.guard.legacy_deletes", False),
        undue(_TIMERS, "suspension_ended"),
    ),
    "SUB-17": off(
        "a trial may be changed and may have any number of seats",
        granted("TRIAL_LOCKED"),
        granted("SEAT_LIMIT", "SUB-17"),
    ),
}
