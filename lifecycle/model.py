"""The frozen shapes everything speaks in: events, snapshots, facts, timers, decisions, rules."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.policy import Policy, Unit

Value: TypeAlias = str | int | bool | None
NOTHING: Mapping[str, Value] = MappingProxyType({})
ABSENT = "absent"
"""The pseudo-state of a subject that does not exist yet; a birth rule leads out of it."""


class ModelError(SublifeError, ValueError):
    """A shape was built from values that cannot stand."""


class FigureError(ModelError):
    """A figure is larger than any count, price or amount can be."""


def utc(at: datetime, *, name: str = "at") -> datetime:
    """Return *at* in UTC (GEN-01).

    Raises:
        ModelError: *at* is not a datetime, or carries no zone, so it names no instant.
    """
    if not _is_instant(at):  # of a host, whatever its annotation says
        shown = f"{at!r:.60} ({type(at).__name__})"
        raise ModelError(f'"{name}" is {shown}; make it a datetime with a time zone')
    if at.tzinfo is None:
        raise ModelError(f'"{name}" {at.isoformat()} has no time zone; write {at.isoformat()}Z')
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _is_instant(value: object) -> bool:
    return isinstance(value, datetime)


class ActorKind(StrEnum):
    """Who or what asks (GEN-12, EVT-06)."""

    USER = "user"
    APPLICATION = "application"
    MICROSOFT = "microsoft"
    TIMER = "timer"


class Role(StrEnum):
    """The Partner Center role a user acts in (GEN-10)."""

    ADMIN_AGENT = "admin-agent"
    SALES_AGENT = "sales-agent"
    ACCOUNT_ADMIN = "account-admin"
    GLOBAL_ADMIN = "global-admin"


class PartnerType(StrEnum):
    """What kind of partner an actor acts for (GEN-11)."""

    DIRECT_BILL = "direct-bill"
    INDIRECT_PROVIDER = "indirect-provider"
    INDIRECT_RESELLER = "indirect-reseller"


class Segment(StrEnum):
    """Who is sold to (GEN-14)."""

    COMMERCIAL = "commercial"
    EDUCATION = "education"
    GOVERNMENT = "government"
    NONPROFIT = "nonprofit"


class Shape:
    """A closed shape: where it is read from outside, what it does not name is refused."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, str]] = {"extra": "forbid"}


@dataclass(frozen=True)
class Sparse(Shape):
    """A shape whose dictionary holds only what differs from its defaults; its class has the rest.

    So `vars` of it is what there is to say of it, and a copy is a copy of one dictionary. Snapshots
    are such shapes, and so is what they are made of.

    Raises:
        ModelError: a subclass has slots; a copy would lack what is in them.
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if vars(cls).get("__slots__"):
            raise ModelError(
                f"{cls.__name__} has slots, so a copy of it would lack their fields; "
                'take "slots=True" out'
            )

    def __post_init__(self) -> None:
        object.__setattr__(self, "__dict__", _differing(type(self), vars(self)))


@dataclass(frozen=True, slots=True)
class Actor(Shape):
    """Who caused an event; every change carries one (EVT-06)."""

    kind: ActorKind
    id: str
    role: Role | None = None
    partner: str | None = None
    partner_type: PartnerType | None = None

    def __hash__(self) -> int:
        """Return a hash at once: the same few actors are looked up for every event."""
        return hash(self.id)


@dataclass(frozen=True, slots=True)
class Payload(Shape):
    """What a request carries beside its name; each request has a subclass of its own."""


EMPTY = Payload()


@dataclass(frozen=True)
class Event:
    """One user event or timed event, dated when it happened.

    Args:
        id: unique per tenant; the same id twice has one effect.
        name: an imperative for requests (`suspend`), what ended for timers (`grace_ended`).
        subject: id of the subject it moves.
        at: UTC instant it happened; for a timer, the instant it was due (GEN-08, GEN-09).
        actor: who or which timer caused it.
        data: the request's own payload.
        cause: id of the event this one follows from.
        lifecycle: the lifecycle the subject lives by.
    """

    id: str
    name: str
    subject: str
    at: datetime
    actor: Actor
    data: Payload = EMPTY
    cause: str | None = None
    lifecycle: str = "subscription"

    def __post_init__(self) -> None:
        if getattr(self.at, "tzinfo", None) is not UTC:
            object.__setattr__(self, "at", utc(self.at))
        if not (self.id and self.name and self.subject):
            raise ModelError(
                f"event {self.id!r} {self.name!r} on {self.subject!r}: "
                "id, name and subject may not be empty; give each a text"
            )


@dataclass(frozen=True, kw_only=True)
class Snapshot(Sparse):
    """What is known of one subject after its latest event; subclasses add their own fields.

    Every event copies one, with some fifty fields of which a third are set.

    Args:
        id: the subject.
        state: one of the lifecycle's states.
        version: number of accepted events so far, from 1 without a gap.
        changed_at: UTC instant of the latest accepted event.
        customer: customer tenant id.
        partner: id of the partner tenant that transacts.
    """

    id: str
    state: str
    version: int = 0
    changed_at: datetime
    customer: str
    partner: str


class Fact(NamedTuple):
    """Something that has happened: a past name, flat values, the rules that made it so."""

    name: str
    data: Mapping[str, Value] = NOTHING
    rules: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made again: a mapping that cannot change has no pickle of its own."""
        return _fact, (self.name, dict(self.data), self.rules)


def _fact(name: str, data: dict[str, Value], rules: tuple[str, ...]) -> Fact:
    return Fact(name, MappingProxyType(data) if data else NOTHING, rules)


class Timer(NamedTuple):
    """A timed event to come: its name and the UTC instant from which it is due."""

    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule said no. A value: returned, recorded and tested, never raised.

    Args:
        code: one of `sublife.lifecycle.refusal.CODES`.
        rule: id of the rule that refuses.
        sentence: what a support agent can read out.
        details: figures behind the answer, as JSON scalars.
    """

    code: str
    rule: str
    sentence: str
    details: Mapping[str, Value] = field(default_factory=dict[str, Value])

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made again: a mapping that cannot change has no pickle of its own."""
        return Refusal, (self.code, self.rule, self.sentence, dict(self.details))


@dataclass(frozen=True, slots=True)
class Code:
    """One refusal code.

    Args:
        rule: the rule that refuses, where the place that refuses names no other.
        sentence: text with `{name}` for each detail it needs.
        api_error: the Partner Center error number it imitates, where there is one.
    """

    rule: str
    sentence: str
    api_error: int | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """The answer of `may`; true is yes.

    Args:
        event: the request that was asked about.
        rules: ids of the rules that would decide it, or of the one that refuses.
        refusal: why not; `None` is yes.
    """

    event: str
    rules: tuple[str, ...]
    refusal: Refusal | None = None

    def __bool__(self) -> bool:
        """Return whether the request may be made."""
        return self.refusal is None


T = TypeVar("T")
S = TypeVar("S", bound=Snapshot)
P = TypeVar("P", bound=Payload)


class Case(NamedTuple, Generic[S, P]):
    """One event on one subject with all that the answer may depend on."""

    subject: S
    event: Event
    data: P
    policy: Policy
    seen: Mapping[str, Snapshot] = MappingProxyType({})

    @property
    def at(self) -> datetime:
        """The UTC instant of the event."""
        return self.event.at


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An event that a decision causes on another subject, in the same transaction."""

    name: str
    subject: str
    data: Payload = EMPTY
    lifecycle: str = "subscription"


def evolved(snapshot: S, **changes: object) -> S:
    """Return a copy of *snapshot* with other values; what `dataclasses.replace` does, faster.

    Every event makes such copies, and a snapshot has some fifty fields.

    Raises:
        ModelError: the snapshot has no such field.
    """
    shape = type(snapshot)
    known = shape.__dataclass_fields__
    values = snapshot.__dict__.copy()
    for name, value in changes.items():
        if name not in known:
            raise ModelError(f"{shape.__name__} has no {name}; fix the name")
        if value == getattr(shape, name, _NEEDED):
            values.pop(name, None)
        else:
            values[name] = value
    return made(shape, values)


_NEEDED = object()
"""Stands for the default of a field that has none; it equals no value."""


def _differing(shape: type[Sparse], values: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of *values* that differ from their default."""
    return {name: value for name, value in values.items() if value != getattr(shape, name, _NEEDED)}


def made(shape: type[T], values: dict[str, Any]) -> T:
    """Return a frozen shape of values that are known to be sound, at once.

    Args:
        shape: a dataclass without slots.
        values: fields by their names; others stand at their defaults.
    """
    it = _new(shape)
    _set(it, "__dict__", values)
    return it


_new, _set = object.__new__, object.__setattr__


class _Filled(Protocol):
    def __call__(self, shape: type[T], values: tuple[Any, ...], /) -> T: ...


filled = cast("_Filled", cast("Any", tuple).__new__)
"""Makes a named tuple of all its values, in order: `filled(Timer, (name, due_at))`.

It is `Timer(name, due_at)` at less than half the cost, for what every event makes several of.
"""


TIMER_ID = "timer:"
"""How the ids of timed events begin, and of nothing else."""


def follow_up_id(event: Event, number: int) -> str:
    """Return the id of the *number*-th event, from 0, that follows from *event*."""
    return f"{event.id}/{number}"


class Effect(NamedTuple, Generic[S]):
    """What one rule does: the changed subject, the facts, what follows elsewhere.

    Args:
        rules: ids of the rules that it applied, where they depend on what was asked; those of the
            table's row if not given.
    """

    subject: S
    facts: tuple[Fact, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    rules: tuple[str, ...] = ()


class Decision(NamedTuple):
    """The yes of `decide`: everything the event changes."""

    snapshot: Snapshot
    state_before: str
    facts: tuple[Fact, ...]
    follow_ups: tuple[Event, ...]
    rules: tuple[str, ...]


NOBODY: Mapping[str, Snapshot] = MappingProxyType({})


class Standing(NamedTuple, Generic[S]):
    """What a guard looks at: the subject, the instant and the policy.

    Its answer may not depend on the payload, or `may` could not give it; an objection uses the
    payload only to tell more, where there is one. What `reads` named is there as well, but only
    what the calendar or another event brings, and `may` is never asked, may depend on it.
    """

    subject: S
    at: datetime
    policy: Policy
    data: Payload | None = None
    seen: Mapping[str, Snapshot] = NOBODY


Condition: TypeAlias = Callable[[Standing[Any]], bool]
Objection: TypeAlias = Callable[[Standing[Any]], Refusal | None]
Act: TypeAlias = Callable[[Case[Any, Any]], Effect[Any] | Refusal]


@dataclass(frozen=True, slots=True)
class Rule:
    """One accepting row of a state × event table.

    Args:
        event: the request or timer.
        sources: the states it applies in.
        to: the state it leads to; `None` leaves the state as it is.
        act: computes the effect; may still refuse for what the payload says.
        refs: ids of the rules it applies.
        when: conditions that choose this rule among several of one cell.
        unless: objections, asked in order; the first one is the answer.
    """

    event: str
    sources: tuple[str, ...]
    to: str | None
    act: Act
    refs: tuple[str, ...]
    when: tuple[Condition, ...] = ()
    unless: tuple[Objection, ...] = ()

    def __post_init__(self) -> None:
        if self.to is not None:
            object.__setattr__(self, "to", str(self.to))  # as a snapshot carries it


@dataclass(frozen=True, slots=True)
class Closed:
    """One refusing row of a state × event table: these states answer with this code.

    Args:
        event: the request.
        states: where it is refused.
        code: the refusal code.
        ref: the rule that refuses.
        api_error: the Partner Center error number, if it is not the code's own.
    """

    event: str
    states: tuple[str, ...]
    code: str
    ref: str
    api_error: int | None = None


@dataclass(frozen=True, slots=True)
class Reads:
    """Which other subjects a decision must see.

    Args:
        subjects: ids.
        customers: customer tenants whose every subject is needed.
    """

    subjects: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()


NO_READS = Reads()


Compound: TypeAlias = Callable[[Any, Any], Iterable[tuple[str, Payload]]]
"""Splits one request into several, decided in this order, accepted together or not at all."""


def no_reads(_subject: Snapshot | None, _event: Event) -> Reads:
    """Return that a decision needs nothing but its own subject."""
    return NO_READS


def no_claims(_subject: Snapshot) -> tuple[str, ...]:
    """Return that a subject holds nothing that only one may hold."""
    return ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Lifecycle:
    """A whole lifecycle as data: states, requests, timers and rules.

    Args:
        name: as it stands in events, rows and scenario files.
        snapshot: the snapshot class.
        states: every state, in the order a subject meets them.
        final: states that nothing leaves.
        requests: payload class of every user event.
        ticks: names of the timed events.
        rules: the accepting rows.
        closed: the refusing rows.
        timers: all timers of a snapshot, in the order they fire at one instant.
        reads: which other subjects an event must see.
        claims: names of what the subject holds and only one may hold; a unique key in the store
            stands behind the rule that asks first.
        compounds: requests that are several at once.
        internal: requests that only follow from another event, never asked for by anyone.
        figures: the policy figures its rules ask for, with their units.
        limits: of figures that their unit alone does not bound: the least and the most, inclusive.
        switches: the policy switches they ask for, with their options, the default first.
        facts: names of its facts that table 8.2 does not have; they stand in the journal alone.
        codes: refusal codes of its own, beside those of the index (8.6).
    """

    name: str
    snapshot: type[Snapshot]
    states: tuple[str, ...]
    final: frozenset[str]
    requests: Mapping[str, type[Payload]]
    ticks: tuple[str, ...]
    rules: tuple[Rule, ...]
    closed: tuple[Closed, ...]
    timers: Callable[[Any], tuple[Timer, ...]]
    reads: Callable[[Any, Event], Reads] = no_reads
    claims: Callable[[Any], tuple[str, ...]] = no_claims
    compounds: Mapping[str, Compound] = field(default_factory=dict[str, Compound])
    internal: frozenset[str] = frozenset()
    figures: Mapping[str, Unit] = field(default_factory=dict[str, Unit])
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    facts: tuple[str, ...] = ()
    codes: Mapping[str, Code] = field(default_factory=dict[str, Code])


@lru_cache(maxsize=4096)
def iso(at: datetime) -> str:
    """Return a UTC instant as the project writes it: seconds, microseconds if any, `Z`."""
    return at.isoformat().removesuffix("+00:00") + "Z"
