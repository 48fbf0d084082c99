"""Watches a decision: which figures, switches and values of subjects it asks for.

A watched policy and watched subjects stand in the place of the real ones, so what is noted is what
was asked; a decision that nobody watches costs nothing more.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from inspect import currentframe
from types import FrameType
from typing import Any, Self, TypeVar, cast

from sublife.lifecycle.model import Snapshot
from sublife.lifecycle.policy import Amount, Figure, Policy, Span, Unit

S = TypeVar("S", bound=Snapshot)

UNASKED = frozenset({"id", "version"})
"""What every decision copies on; it is no input of any."""


@dataclass(frozen=True, slots=True)
class FigureAsked:
    """A figure that a decision asked for, and what it was told.

    Args:
        name: of the figure.
        unit: of the value.
        rule: id of the rule it comes from.
        at: UTC instant it was asked for.
        value: that held then.
        since: UTC instant the value holds from, inclusive; `None` is always before.
        until: UTC instant it holds to, exclusive; `None` is for ever.
        begun_at: when the case began, where that counts.
        option: of the switch that chooses the value; empty where none does.
        place: of the span among those of the figure, from 0.
    """

    name: str
    unit: Unit
    rule: str
    at: datetime
    value: Amount
    since: datetime | None
    until: datetime | None
    begun_at: datetime | None = None
    option: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True)
class SwitchAsked:
    """A switch that a decision asked for: the reading that held at *at*, and since when it may."""

    name: str
    rule: str
    at: datetime
    option: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class RegionAsked:
    """A country whose CSP region a decision asked for."""

    country: str
    at: datetime
    region: str | None


@dataclass(frozen=True, slots=True)
class SumAsked:
    """A length of the policy that was added to something, or taken from it.

    Args:
        figure: the length.
        sign: 1 or -1.
        base: what it was added to: an instant or day; for calendar months the first of its month.
        result: what came out; `None` for calendar months, where the day is found later.
    """

    figure: FigureAsked
    sign: int
    base: date
    result: date | None


@dataclass(slots=True)
class Watch:
    """What a decision has asked for, each thing once, in the order in which it was asked first.

    Attributes:
        figures: asked for.
        switches: asked for, those that choose a figure's value among them.
        regions: asked for.
        sums: made with lengths that were asked for.
        values: of subjects, by the subject's id, then the field's name, as they were before.
    """

    figures: list[FigureAsked] = field(default_factory=list[FigureAsked])
    switches: list[SwitchAsked] = field(default_factory=list[SwitchAsked])
    regions: list[RegionAsked] = field(default_factory=list[RegionAsked])
    sums: list[SumAsked] = field(default_factory=list[SumAsked])
    values: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _watched: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])

    def policy(self, policy: Policy) -> Policy:
        """Return a policy that says what *policy* says, and notes what it is asked."""
        return _WatchedPolicy.on(policy, self)

    def subject(self, snapshot: S) -> S:
        """Return a subject that is like *snapshot*; what is read of it within `watching` is noted.

        Copies that a decision makes of it are watched too, as far as they still say the same.
        """
        kind: Any = type(snapshot)
        shape = _watched_shape(kind)
        copy: S = object.__new__(shape)
        for name in shape.__dataclass_fields__:
            object.__setattr__(copy, name, getattr(snapshot, name))
        self._watched[snapshot.id] = copy
        return copy

    def subjects(self, seen: Mapping[str, Snapshot]) -> dict[str, Snapshot]:
        """Return all of *seen* watched."""
        return {name: self.subject(each) for name, each in seen.items()}

    @contextmanager
    def watching(self) -> Generator[None]:
        """Note what is read of watched subjects while the block runs."""
        token = _present.set(self)
        try:
            yield
        finally:
            _present.reset(token)

    def note(self, snapshot: Snapshot, name: str, value: Any) -> None:
        """Note that a field was read, unless the decision itself has put the value there."""
        subject: str = object.__getattribute__(snapshot, "id")
        known = self._watched.get(subject)
        if known is not None and object.__getattribute__(known, name) is value:
            self.values.setdefault(subject, {}).setdefault(name, value)


_present: ContextVar[Watch | None] = ContextVar("_present", default=None)


def unwatched(snapshot: Snapshot) -> Snapshot:
    """Return what a decision has made of a watched subject as an ordinary one."""
    shape: Any = type(snapshot)
    plain: Any = getattr(shape, "watched_shape", shape)
    copy: Snapshot = object.__new__(plain)
    for name in plain.__dataclass_fields__:
        object.__setattr__(copy, name, getattr(snapshot, name))
    return copy


@cache
def _watched_shape(shape: Any) -> Any:
    """Return a kind of *shape* that tells the present watch which of its fields are read."""
    names = frozenset(shape.__dataclass_fields__) - UNASKED

    def read(self: Any, name: str) -> Any:
        value = object.__getattribute__(self, name)
        watch = _present.get() if name in names else None
        if watch is not None and not _copies(currentframe()):
            watch.note(self, name, value)
        return value

    body = {"__slots__": (), "__getattribute__": read, "watched_shape": shape}
    return type(shape.__name__, (shape,), body)


def _copies(frame: FrameType | None) -> bool:
    """Return whether a field is read only to be copied or compared, by what `dataclasses` makes.

    Args:
        frame: of who was asked for the field.
    """
    reader = frame.f_back if frame else None
    if reader is None:
        return False
    return reader.f_code.co_filename == "<string>" or reader.f_globals["__name__"] == "dataclasses"


class _WatchedPolicy(Policy):
    """A policy that notes what it is asked."""

    __slots__ = ("_watch",)
    _watch: Watch

    @classmethod
    def on(cls, policy: Policy, watch: Watch) -> Self:
        """Return *policy* watched."""
        found = cls(
            policy.id,
            policy.digest,
            policy.figures,
            policy.switches,
            policy.content,
            policy.regions,
        )
        object.__setattr__(found, "_watch", watch)
        return found

    def length(self, name: str, at: datetime, *, begun_at: datetime | None = None) -> timedelta:
        """Return a figure as a length that notes what it is added to."""
        found = super().length(name, at, begun_at=begun_at)
        return cast(
            "timedelta", _WatchedLength(found, self._watch, self._asked(name, at, begun_at))
        )

    def over_at(self, name: str, at: datetime) -> datetime:
        """Return the instant at which a length that begins at *at* is over, noted as their sum."""
        return at + self.length(name, at)

    def count(self, name: str, at: datetime) -> int:
        """Return a figure as a number that notes which month it is added to."""
        found = super().count(name, at)
        if self.figures[name].unit is not Unit.MONTHS:
            return found
        return _WatchedMonths.of(found, self._watch, self._asked(name, at, None))

    def switch(self, name: str, at: datetime) -> str:
        """Return which reading holds at *at*, noted."""
        switch = self.switches[name]
        option = switch.at(at)
        _once(
            self._watch.switches, SwitchAsked(name, switch.rule, at, option, switch.since[option])
        )
        return option

    def span(self, name: str, at: datetime) -> Span:
        """Return the span of a figure that holds at *at*, noted."""
        self._asked(name, at, None)
        return self._span(self.figures[name], at)

    def region(self, country: str, at: datetime) -> str | None:
        """Return the CSP region of a country at *at*, noted."""
        found = self.regions.of(country, at)
        _once(self._watch.regions, RegionAsked(country, at, found))
        return found

    def _value(self, figure: Figure, at: datetime, begun_at: datetime | None = None) -> Amount:
        self._asked(figure.name, at, begun_at)
        return super()._value(figure, at, begun_at)

    def _asked(self, name: str, at: datetime, begun_at: datetime | None) -> FigureAsked:
        """Note that a figure is asked for, and return what it says."""
        figure = self.figures[name]
        span = self._span(figure, at)
        option = self.switches[figure.by].at(at) if figure.by else ""
        asked = FigureAsked(
            figure.name,
            figure.unit,
            figure.rule,
            at,
            span.value_for(begun_at),
            span.start,
            span.end,
            begun_at if span.begun_before is not None else None,
            option,
            figure.spans[option].index(span),
        )
        _once(self._watch.figures, asked)
        return asked


class _WatchedLength:
    """A length that notes to which instants and days it is added.

    It is no `timedelta`: to one of those an instant adds itself without asking.
    """

    __slots__ = ("_figure", "_length", "_watch")

    def __init__(self, length: timedelta, watch: Watch, figure: FigureAsked) -> None:
        self._length, self._watch, self._figure = length, watch, figure

    def __radd__(self, base: Any) -> Any:
        return self._noted(base, base + self._length, 1)

    def __rsub__(self, base: Any) -> Any:
        return self._noted(base, base - self._length, -1)

    def _noted(self, base: Any, result: Any, sign: int) -> Any:
        if isinstance(base, date):
            _once(self._watch.sums, SumAsked(self._figure, sign, base, result))
        return result

    def __add__(self, other: Any) -> Any:
        return self.__radd__(other)

    def __sub__(self, other: Any) -> Any:
        return self._length - other

    def __mul__(self, other: Any) -> Any:
        return self._length * other

    def __neg__(self) -> timedelta:
        return -self._length

    def __eq__(self, other: object) -> bool:
        return self._length == other

    def __lt__(self, other: Any) -> bool:
        return bool(self._length < other)

    def __le__(self, other: Any) -> bool:
        return bool(self._length <= other)

    def __gt__(self, other: Any) -> bool:
        return bool(self._length > other)

    def __ge__(self, other: Any) -> bool:
        return bool(self._length >= other)

    def __hash__(self) -> int:
        return hash(self._length)

    def __bool__(self) -> bool:
        return bool(self._length)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._length, name)


class _WatchedMonths(int):
    """A number of calendar months that notes to which month it is added.

    Calendar arithmetic counts months from year 0, so the number it is added to tells the month.
    """

    _watch: Watch
    _figure: FigureAsked
    _sign: int

    @classmethod
    def of(cls, count: int, watch: Watch, figure: FigureAsked, sign: int = 1) -> Self:
        """Return *count* watched."""
        found = cls(count)
        found._watch, found._figure, found._sign = watch, figure, sign
        return found

    def __radd__(self, other: int) -> int:
        return self._noted(other, 1, int(other) + int(self))

    def __rsub__(self, other: int) -> int:
        return self._noted(other, -1, int(other) - int(self))

    def __neg__(self) -> int:
        return type(self).of(-int(self), self._watch, self._figure, -1)

    def _noted(self, other: int, sign: int, result: int) -> int:
        year, month0 = divmod(other, 12)
        if date.min.year <= year <= date.max.year:
            first = date(year, month0 + 1, 1)
            _once(self._watch.sums, SumAsked(self._figure, sign * self._sign, first, None))
        return result


A = TypeVar("A")


def _once(noted: list[A], asked: A) -> None:
    if asked not in noted:
        noted.append(asked)
