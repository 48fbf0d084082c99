"""The shapes of an explanation: flat values, so that it can be printed, sent and kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sublife.lifecycle.model import Value


@dataclass(frozen=True, slots=True)
class RuleSaid:
    """A rule that decided: what it says, where that comes from, and how it was read."""

    id: str
    says: str
    source: str
    origin: str
    decision: str


@dataclass(frozen=True, slots=True)
class FigureUsed:
    """A figure of the policy that the decision asked for.

    Args:
        name: of the figure.
        value: with its unit, in words.
        rule: id of the rule it comes from.
        at: UTC instant it was asked for.
        since: UTC instant it holds from, inclusive; `None` is always before.
        until: UTC instant it holds to, exclusive; `None` is for ever.
        option: of the switch that chooses it; empty where none does.
        source: as the pack names it.
    """

    name: str
    value: str
    rule: str
    at: datetime
    since: datetime | None
    until: datetime | None
    option: str
    source: str


@dataclass(frozen=True, slots=True)
class SwitchUsed:
    """A switch of the policy that the decision asked for, and the reading that held."""

    name: str
    option: str
    rule: str
    at: datetime
    since: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class ValueRead:
    """A value of a subject that the decision read.

    Args:
        subject: id.
        name: of the field.
        before: as it was when the event was decided, as JSON.
        after: as the event left it, as JSON; of the event's own subject alone.
        is_own: whether the subject is the event's own.
    """

    subject: str
    name: str
    before: Any
    after: Any
    is_own: bool


@dataclass(frozen=True, slots=True)
class Sum:
    """How an instant or a day came about, written out.

    Args:
        name: what it is.
        text: such as `ended 2025-10-01T00:00:00Z + 30 d grace (…) = 2025-10-31T00:00:00Z`.
        result: a UTC instant or a day, in ISO 8601.
        figure: of the policy that went into it; `None` where the calendar alone does.
    """

    name: str
    text: str
    result: str
    figure: str | None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as the journal has it.

    Args:
        event_id: of the event.
        event: its name.
        subject: id.
        lifecycle: of the subject.
        actor: kind and id of who or what caused it.
        effective_at: UTC instant it happened.
        recorded_at: UTC instant it was written down.
        state_before: of the subject.
        state: of the subject after it.
        rules: ids of those that decided it.
        facts: names of what came of it.
    """

    event_id: str
    event: str
    subject: str
    lifecycle: str
    actor: str
    effective_at: datetime
    recorded_at: datetime
    state_before: str
    state: str
    rules: tuple[str, ...]
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One step back in the chain of what led to an event.

    Args:
        led: how it led to the one before it in the chain.
        dates: the arithmetic of the instant that it set, where it set one.
        happened: the event.
    """

    led: str
    dates: tuple[Sum, ...]
    happened: Happened


@dataclass(frozen=True, slots=True)
class RefusalSaid:
    """What was refused, why, and what would have been allowed.

    Args:
        code: of the refusal.
        rule: id of the rule that refuses.
        sentence: what a support agent can read out.
        details: figures behind it.
        allowed: requests that might have been made at that instant.
        accepted_in: states that take the request.
    """

    code: str
    rule: str
    sentence: str
    details: Mapping[str, Value]
    allowed: tuple[str, ...]
    accepted_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an event had the effect it had.

    Args:
        id: that was asked about.
        tenant: whose it is.
        fact: name of the fact that was asked about; `None` for the whole event.
        data: of that fact, or of the request.
        happened: the event.
        refusal: why it was refused; `None` if it was accepted.
        rules: that decided it.
        policy: id and content hash of the pack that decided it.
        figures: of the policy that the decision asked for.
        switches: of the policy that it asked for.
        regions: CSP regions it asked for, by country.
        values: of subjects that it read.
        due: when and why its timer was due; empty for a request.
        dates: instants that it set, each with its arithmetic.
        next: timers of the subject after it, each with its instant.
        chain: what led to it, back to the request or timer behind it all.
        cut: whether the chain goes on behind its last link.
        doubts: why a part is missing, or differs from what was written.
    """

    id: str
    tenant: str
    fact: str | None
    data: Mapping[str, Any]
    happened: Happened
    refusal: RefusalSaid | None
    rules: tuple[RuleSaid, ...]
    policy: str
    figures: tuple[FigureUsed, ...] = ()
    switches: tuple[SwitchUsed, ...] = ()
    regions: Mapping[str, str | None] | None = None
    values: tuple[ValueRead, ...] = ()
    due: tuple[Sum, ...] = ()
    dates: tuple[Sum, ...] = ()
    next: tuple[Sum, ...] = ()
    chain: tuple[Link, ...] = ()
    cut: bool = False
    doubts: tuple[str, ...] = ()

    def as_mapping(self) -> dict[str, Any]:
        """Return it as plain values; instants are still aware datetimes in UTC."""
        return asdict(self)
