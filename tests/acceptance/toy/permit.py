"""A toy lifecycle in one file: a parking permit is issued, extended, lapses, ends or is given back.

It stands for any lifecycle that somebody adds. Nothing else in the project knows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from sublife.lifecycle.model import (
    ABSENT,
    Case,
    Closed,
    Code,
    Effect,
    Fact,
    Lifecycle,
    ModelError,
    Payload,
    Refusal,
    Rule,
    Snapshot,
    Timer,
    iso,
)
from sublife.lifecycle.refusal import refuse


class State(StrEnum):
    """The states of a permit, in the order it meets them."""

    VALID = "valid"
    LAPSED = "lapsed"
    ENDED = "ended"
    RETURNED = "returned"


V, L, E, R = State
LONGEST = timedelta(days=365)
CODES: Mapping[str, Code] = MappingProxyType(
    {
        "PERMIT_TOO_LONG": Code("GEN-05", "A permit holds a year at most; {until} is later."),
        "PERMIT_OVER": Code("GEN-03", "The permit is {state}; {event} is not possible any more."),
    }
)


def _at_least_a_day(days: int) -> None:
    if days < 1:
        raise ModelError(f"{days} days are none; give at least 1")


@dataclass(frozen=True, slots=True)
class Issue(Payload):
    """Issue a permit for a car, for a number of days."""

    customer: str
    partner: str
    plate: str
    days: int

    def __post_init__(self) -> None:
        _at_least_a_day(self.days)


@dataclass(frozen=True, slots=True)
class Extend(Payload):
    """Let a permit hold some days longer."""

    days: int

    def __post_init__(self) -> None:
        _at_least_a_day(self.days)


@dataclass(frozen=True, kw_only=True)
class Permit(Snapshot):
    """A permit after its latest event; it holds until an instant, exclusive (GEN-03)."""

    plate: str
    issued_at: datetime
    valid_until: datetime
    ends_at: datetime | None = None


def issue(case: Case[Permit, Issue]) -> Effect[Permit] | Refusal:
    """Issue a permit from now on."""
    ask = case.data
    permit = Permit(
        id=case.event.subject,
        state=V,
        changed_at=case.at,
        customer=ask.customer,
        partner=ask.partner,
        plate=ask.plate,
        issued_at=case.at,
        valid_until=case.at,
    )
    return _held_for(permit, ask.days, "permit-issued")


def extend(case: Case[Permit, Extend]) -> Effect[Permit] | Refusal:
    """Let it hold longer, a year from its issue at most."""
    return _held_for(case.subject, case.data.days, "permit-extended")


def _held_for(permit: Permit, days: int, fact: str) -> Effect[Permit] | Refusal:
    length = permit.valid_until - permit.issued_at
    if days > LONGEST.days or length + timedelta(days=days) > LONGEST:
        until = iso(permit.issued_at + LONGEST)
        return refuse("PERMIT_TOO_LONG", codes=CODES, until=f"what is asked for, past {until},")
    until_at = permit.valid_until + timedelta(days=days)
    told = Fact(fact, {"plate": permit.plate, "until": iso(until_at)})
    return Effect(replace(permit, valid_until=until_at), (told,))


def lapse(case: Case[Permit, Payload]) -> Effect[Permit]:
    """Let it lapse, with the grace that the policy gives at this instant (GEN-09)."""
    ends_at = case.at + case.policy.length("grace", case.at)
    return Effect(replace(case.subject, ends_at=ends_at), (Fact("permit-lapsed"),))


def end(case: Case[Permit, Payload]) -> Effect[Permit]:
    """End it for good."""
    return Effect(replace(case.subject, ends_at=None), (Fact("permit-ended"),))


def give_back(case: Case[Permit, Payload]) -> Effect[Permit]:
    """Take it back before its time."""
    return Effect(replace(case.subject, ends_at=None), (Fact("permit-returned"),))


def timers(permit: Permit) -> tuple[Timer, ...]:
    """Return when it lapses, and when it ends after that."""
    match permit.state:
        case State.VALID:
            return (Timer("validity_ended", permit.valid_until),)
        case State.LAPSED if permit.ends_at is not None:
            return (Timer("grace_ended", permit.ends_at),)
        case _:
            return ()


PERMIT = Lifecycle(
    name="permit",
    snapshot=Permit,
    states=tuple(State),
    final=frozenset({E, R}),
    requests=MappingProxyType({"issue": Issue, "extend": Extend, "give_back": Payload}),
    ticks=("validity_ended", "grace_ended"),
    rules=(
        Rule("issue", (ABSENT,), V, issue, ("GEN-05",)),
        Rule("extend", (V,), None, extend, ("GEN-05",)),
        Rule("give_back", (V, L), R, give_back, ("GEN-03",)),
        Rule("validity_ended", (V,), L, lapse, ("GEN-03", "GEN-09")),
        Rule("grace_ended", (L,), E, end, ("GEN-03",)),
    ),
    closed=(
        Closed("issue", (V, L, E, R), "PERMIT_OVER", "GEN-03"),
        Closed("extend", (L, E, R), "PERMIT_OVER", "GEN-03"),
        Closed("give_back", (E, R), "PERMIT_OVER", "GEN-03"),
    ),
    timers=timers,
    facts=(
        "permit-issued",
        "permit-extended",
        "permit-lapsed",
        "permit-ended",
        "permit-returned",
    ),
    codes=CODES,
)
