"""Dated figures and switches as one frozen, checked Policy: a mapping in, a Policy out (GEN-09)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias, cast

from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.money import percent
from sublife.lifecycle.region import NO_REGIONS, Regions, regions_from

Amount: TypeAlias = int | Decimal | bool
Path: TypeAlias = tuple[str | int, ...]


class Unit(StrEnum):
    """What a figure counts."""

    DAYS = "days"
    HOURS = "hours"
    MONTHS = "months"
    COUNT = "count"
    PERCENT = "percent"
    USD = "usd"
    ALLOWED = "allowed"


_WHOLE = frozenset({Unit.DAYS, Unit.HOURS, Unit.MONTHS, Unit.COUNT})
_MOST: Mapping[Unit, int] = MappingProxyType(
    {
        Unit.DAYS: 36_525,
        Unit.HOURS: 876_600,
        Unit.MONTHS: 1_200,
        Unit.COUNT: 1_000_000_000,
        Unit.PERCENT: 1_000,
        Unit.USD: 1_000_000_000_000,
    }
)
"""What a figure may be at most; lengths end after a hundred years."""
_YEARS = (1900, 2200)
"""Years that a pack may date something in, the second one excluded."""
_NAME = 64
"""Characters that the id of a pack may have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a document: where (keys and indexes from the top) and what to do."""

    path: Path
    message: str


class PolicyError(SublifeError, ValueError):
    """A policy pack contradicts itself or does not say what the engine must know.

    Args:
        pack: id of the pack.
        faults: every mistake found, in document order.
    """

    def __init__(self, pack: str, faults: Iterable[Fault]) -> None:
        self.pack = pack
        self.faults = tuple(faults)
        lines = "; ".join(
            f"{'.'.join(map(str, fault.path))}: {fault.message}" for fault in self.faults
        )
        super().__init__(f"policy pack {pack}: {lines}")


@dataclass(frozen=True, slots=True)
class Span:
    """One value and the half-open validity [start, end) it holds in (GEN-03).

    Args:
        start: UTC instant, inclusive; `None` is always before.
        end: UTC instant, exclusive; `None` is for ever.
        value: in the figure's unit.
        begun_before: what began before this instant keeps *earlier* instead of *value*.
        earlier: the value such an older case keeps.
    """

    start: datetime | None
    end: datetime | None
    value: Amount
    begun_before: datetime | None = None
    earlier: Amount | None = None

    def value_for(self, begun_at: datetime | None) -> Amount:
        """Return the value for a case that began at *begun_at*."""
        if self.begun_before is None or self.earlier is None or begun_at is None:
            return self.value
        return self.earlier if begun_at < self.begun_before else self.value


@dataclass(frozen=True, slots=True)
class Figure:
    """A named figure: its unit, its rule, its spans, per option where a switch chooses them."""

    name: str
    unit: Unit
    rule: str
    spans: Mapping[str, tuple[Span, ...]]
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """A documented conflict: the default reading, the others, and since when each may hold."""

    name: str
    rule: str
    default: str
    since: Mapping[str, datetime | None]
    chosen: str

    def at(self, at: datetime) -> str:
        """Return the option in force at *at*: the chosen one, or the default before it starts."""
        start = self.since[self.chosen]
        return self.chosen if start is None or at >= start else self.default


@dataclass(frozen=True, slots=True)
class Policy:
    """All figures and switches of one pack. Lookups take the event's own instant (GEN-09).

    Args:
        id: the pack's id.
        digest: SHA-256 over the pack's content with the switches as chosen, 64 hex digits.
    """

    id: str
    digest: str
    figures: Mapping[str, Figure] = field(repr=False)
    switches: Mapping[str, Switch] = field(repr=False)
    content: str = field(repr=False, compare=False)
    regions: Regions = field(default=NO_REGIONS, repr=False)

    @property
    def version(self) -> str:
        """The id and the content hash, as they stand on every fact."""
        return f"{self.id}@{self.digest[:16]}"

    def switch(self, name: str, at: datetime) -> str:
        """Return which reading of a documented conflict holds at *at*."""
        return self.switches[name].at(at)

    def length(self, name: str, at: datetime, *, begun_at: datetime | None = None) -> timedelta:
        """Return a figure in days or hours as a fixed length (GEN-05)."""
        figure = self.figures[name]
        return _length(self._value(figure, at, begun_at), figure.unit)

    def over_at(self, name: str, at: datetime) -> datetime:
        """Return the instant at which a length that begins at *at* is over (GEN-05)."""
        return _sum(at, self.length(name, at))

    def count(self, name: str, at: datetime) -> int:
        """Return a figure that counts things or calendar months."""
        return int(self._value(self.figures[name], at))

    def rate(self, name: str, at: datetime) -> Decimal:
        """Return a percentage as a factor: 3 % is `Decimal("0.03")`."""
        return percent(self._value(self.figures[name], at))

    def amount(self, name: str, at: datetime) -> Decimal:
        """Return an amount of US dollars."""
        return Decimal(self._value(self.figures[name], at))

    def allows(self, name: str, at: datetime, *, begun_at: datetime | None = None) -> bool:
        """Return whether the policy allows *name* at *at*."""
        return bool(self._value(self.figures[name], at, begun_at))

    def span(self, name: str, at: datetime) -> Span:
        """Return the span of a figure that holds at *at*, for since when and until when it does."""
        return self._span(self.figures[name], at)

    def region(self, country: str, at: datetime) -> str | None:
        """Return the CSP region of a country at *at*, `None` if it has none (table 3.4)."""
        return self.regions.of(country, at)

    def rule(self, name: str) -> str:
        """Return the id of the rule that a figure or switch comes from."""
        return self.figures[name].rule if name in self.figures else self.switches[name].rule

    def choosing(self, choices: Mapping[str, str]) -> "Policy":
        """Return this policy with other readings chosen; the content hash follows.

        Raises:
            PolicyError: a switch or option that does not exist.
        """
        if not choices:
            return self
        faults = [
            Fault(("switches", name), problem)
            for name, option in choices.items()
            if (problem := self._unknown_choice(name, option))
        ]
        if faults:
            raise PolicyError(self.id, faults)
        switches = {
            name: replace(switch, chosen=choices.get(name, switch.chosen))
            for name, switch in self.switches.items()
        }
        return Policy(
            self.id,
            _digest(self.content, switches),
            self.figures,
            MappingProxyType(switches),
            self.content,
            self.regions,
        )

    def _unknown_choice(self, name: str, option: str) -> str | None:
        if name not in self.switches:
            return f'no switch "{name}"; the switches are {", ".join(sorted(self.switches))}'
        if option not in self.switches[name].since:
            return (
                f'switch "{name}" has no option "{option}"; '
                f"choose one of {', '.join(self.switches[name].since)}"
            )
        return None

    def _value(self, figure: Figure, at: datetime, begun_at: datetime | None = None) -> Amount:
        span = self._span(figure, at)
        return span.value if begun_at is None else span.value_for(begun_at)

    def _span(self, figure: Figure, at: datetime) -> Span:
        option = self.switch(figure.by, at) if figure.by else ""
        for span in figure.spans[option]:
            if span.end is None or at < span.end:
                return span
        raise AssertionError(figure.name)  # the last span of a checked figure has no end


@lru_cache
def _length(value: Amount, unit: Unit) -> timedelta:
    return timedelta(days=int(value)) if unit is Unit.DAYS else timedelta(hours=int(value))


@lru_cache(maxsize=4096)
def _sum(at: datetime, length: timedelta) -> datetime:
    """Return *at* and *length*; a night moves very many subjects at the same few instants."""
    return at + length


def policy_from(
    content: Mapping[str, object],
    *,
    figures: Mapping[str, Unit],
    switches: Mapping[str, tuple[str, ...]],
    limits: Mapping[str, tuple[int, int]] = MappingProxyType({}),
) -> Policy:
    """Check a pack's content and freeze it.

    Args:
        content: `{pack, title, switches, figures, regions}` as read from YAML, with `extends`
            resolved.
        figures: every figure the lifecycles ask for, with its unit.
        switches: every switch they ask for, with its options, the default first.
        limits: the least and the most of figures that their unit alone does not bound, inclusive.

    Raises:
        PolicyError: all mistakes at once: gap, overlap, unknown key, wrong unit, missing figure.
    """
    check = _Checker(content, limits)
    parsed_switches = check.switches(switches)
    parsed_figures = check.figures(figures, parsed_switches)
    parsed_regions = check.regions()
    if check.faults:
        raise PolicyError(check.pack, check.faults)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return Policy(
        check.pack,
        _digest(text, parsed_switches),
        MappingProxyType(parsed_figures),
        MappingProxyType(parsed_switches),
        text,
        parsed_regions,
    )


def _digest(content: str, switches: Mapping[str, Switch]) -> str:
    chosen = json.dumps({name: switches[name].chosen for name in sorted(switches)})
    return hashlib.sha256(f"{content}\n{chosen}".encode()).hexdigest()


def _instant(value: object) -> datetime | None:
    """Return a date (00:00Z of it) or an aware instant in UTC; `None` for anything else."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else None
    return datetime.combine(value, time.min, UTC) if isinstance(value, date) else None


class _Checker:
    """Walks a pack's content, collects faults and builds what is sound."""

    TOP = frozenset({"pack", "title", "switches", "figures", "regions"})
    FIGURE = frozenset({"unit", "rule", "spans", "by", "note"})
    SPAN = frozenset({"from", "to", "value", "begun_before", "earlier", "source", "note"})
    SWITCH = frozenset({"rule", "default", "options", "choose", "note"})
    OPTION = frozenset({"from", "source", "note"})

    def __init__(
        self, content: Mapping[str, object], limits: Mapping[str, tuple[int, int]]
    ) -> None:
        self.content = content
        self.limits = limits
        self.faults: list[Fault] = []
        self.pack = str(content.get("pack", "(unnamed)"))
        self._keys((), content, self.TOP, needed=("pack", "switches", "figures"))
        self._name(content.get("pack", "(unnamed)"))
        self._texts((), content, "title")

    def _name(self, name: object) -> None:
        """See that a pack has a name that can stand on every fact."""
        problem = f"{name!r} is not a name for a pack; write a word such as our-terms, in quotes"
        if not isinstance(name, str):
            self._fault(("pack",), problem)
        elif not name.strip() or name != name.strip() or not name.isprintable() or "@" in name:
            self._fault(("pack",), f"{problem}, without blanks around it and without @")
        elif len(name) > _NAME:
            self._fault(("pack",), f"has {len(name)} characters; write a name of at most {_NAME}")

    def _texts(self, path: Path, body: Mapping[str, object], *keys: str) -> None:
        """See that what is there for people is text."""
        for key in keys:
            if key in body and not isinstance(body[key], str):
                self._fault((*path, key), f"{body[key]!r} is not text; put it in quotes")

    def switches(self, known: Mapping[str, tuple[str, ...]]) -> dict[str, Switch]:
        """Return the sound switches; every known one must be there, no other may."""
        given = self._mapping(("switches",), self.content.get("switches"))
        self._names(("switches",), given, known, "switch")
        parsed: dict[str, Switch] = {}
        for name in (name for name in given if name in known):
            switch = self._switch(name, self._mapping(("switches", name), given[name]), known[name])
            if switch:
                parsed[name] = switch
        return parsed

    def _switch(
        self, name: str, body: Mapping[str, object], options: tuple[str, ...]
    ) -> Switch | None:
        path: Path = ("switches", name)
        self._keys(path, body, self.SWITCH, needed=("rule", "default", "options"))
        self._texts(path, body, "rule", "note")
        given = self._mapping((*path, "options"), body.get("options"))
        if set(given) != set(options):
            self._fault((*path, "options"), f"must be exactly {', '.join(options)}")
        since: dict[str, datetime | None] = {}
        for option, details in given.items():
            at: Path = (*path, "options", option)
            span = self._mapping(at, details if details is not None else {})
            self._keys(at, span, self.OPTION)
            self._texts(at, span, "source", "note")
            since[option] = self._at((*at, "from"), span.get("from"))
        default, chosen = str(body.get("default")), str(body.get("choose", body.get("default")))
        for key, option in (("default", default), ("choose", chosen)):
            if option not in since:
                self._fault((*path, key), f'"{option}" is none of {", ".join(map(str, since))}')
                return None
        if since[default] is not None:
            self._fault((*path, "options", default), 'the default has no "from"; remove it')
        return Switch(name, str(body.get("rule")), default, MappingProxyType(since), chosen)

    def figures(
        self, known: Mapping[str, Unit], switches: Mapping[str, Switch]
    ) -> dict[str, Figure]:
        """Return the sound figures; every known one must be there, no other may."""
        given = self._mapping(("figures",), self.content.get("figures"))
        self._names(("figures",), given, known, "figure")
        parsed: dict[str, Figure] = {}
        for name in (name for name in given if name in known):
            body = self._mapping(("figures", name), given[name])
            parsed[name] = self._figure(name, body, known[name], switches)
        return parsed

    def regions(self) -> Regions:
        """Return the sound regions; a pack that names none compares none (EA-05)."""
        given = self.content.get("regions", {})
        return regions_from(given, report=self._fault, instant=self._at)

    def _figure(
        self, name: str, body: Mapping[str, object], unit: Unit, switches: Mapping[str, Switch]
    ) -> Figure:
        path: Path = ("figures", name)
        self._keys(path, body, self.FIGURE, needed=("unit", "rule", "spans"))
        self._texts(path, body, "rule", "note")
        if body.get("unit") != unit:
            self._fault((*path, "unit"), f'"{body.get("unit")}" is the wrong unit; write {unit}')
        by = body.get("by")
        if by is None:
            spans = {"": self._spans((*path, "spans"), body.get("spans"), unit)}
        else:
            options = tuple(switches[str(by)].since) if str(by) in switches else ()
            if not options:
                self._fault((*path, "by"), f'no switch "{by}"; name one of this pack\'s switches')
            branches = self._mapping((*path, "spans"), body.get("spans"))
            if set(branches) != set(options):
                self._fault((*path, "spans"), f"needs spans for exactly {', '.join(options)}")
            spans = {
                option: self._spans((*path, "spans", option), branch, unit)
                for option, branch in branches.items()
            }
        return Figure(
            name, unit, str(body.get("rule")), MappingProxyType(spans), str(by) if by else None
        )

    def _spans(self, path: Path, given: object, unit: Unit) -> tuple[Span, ...]:
        if not isinstance(given, list) or not given:
            self._fault(path, "needs a list of at least one span, such as [{value: 30}]")
            return ()
        entries = cast("list[object]", given)
        spans = [self._span((*path, index), entry, unit) for index, entry in enumerate(entries)]
        self._check_cover(path, spans)
        return tuple(spans)

    def _span(self, path: Path, given: object, unit: Unit) -> Span:
        body = self._mapping(path, given)
        self._keys(path, body, self.SPAN, needed=("value",))
        self._texts(path, body, "source", "note")
        begun_before = self._at((*path, "begun_before"), body.get("begun_before"))
        if (begun_before is None) != ("earlier" not in body):
            self._fault(path, '"begun_before" and "earlier" go together; give both or neither')
        return Span(
            self._at((*path, "from"), body.get("from")),
            self._at((*path, "to"), body.get("to")),
            self._amount((*path, "value"), body.get("value"), unit),
            begun_before,
            self._amount((*path, "earlier"), body["earlier"], unit) if "earlier" in body else None,
        )

    def _check_cover(self, path: Path, spans: list[Span]) -> None:
        """The spans must follow each other from always to for ever, with no gap or overlap."""
        if spans[0].start is not None:
            self._fault((*path, 0), 'gap: nothing holds before it; remove "from" of the first span')
        if spans[-1].end is not None:
            self._fault(
                (*path, len(spans) - 1), 'gap: nothing holds after it; remove "to" of the last span'
            )
        for index, span in enumerate(spans):
            if span.start is not None and span.end is not None and span.end <= span.start:
                self._fault((*path, index), 'overlap: it ends before it starts; fix "from" or "to"')
        for index in range(1, len(spans)):
            end, start = spans[index - 1].end, spans[index].start
            at: Path = (*path, index)
            if end is None or start is None:
                self._fault(at, 'overlap: give the span before a "to" and this one the same "from"')
            elif start != end:
                word, first, last = ("gap", end, start) if start > end else ("overlap", start, end)
                remedy = f'write "from" {end:%Y-%m-%dT%H:%M:%SZ}'
                self._fault(at, f"{word} from {first:%Y-%m-%d} to {last:%Y-%m-%d}; {remedy}")

    def _amount(self, path: Path, value: object, unit: Unit) -> Amount:
        match value:
            case bool() if unit is Unit.ALLOWED:
                return value
            case bool():
                pass
            case int() if unit is not Unit.ALLOWED and value >= 0:
                return self._bounded(path, value, unit)
            case Decimal() if unit in {Unit.PERCENT, Unit.USD} and value >= 0:
                return self._bounded(path, value, unit)
            case _:
                pass
        wanted = "true or false" if unit is Unit.ALLOWED else "a number of " + unit
        whole = "whole, not negative" if unit in _WHOLE else "not negative"
        self._fault(
            path, f"{value!r} is not {wanted}" + ("" if unit is Unit.ALLOWED else f", {whole}")
        )
        return 0

    def _bounded(self, path: Path, value: Amount, unit: Unit) -> Amount:
        least, most = self.limits.get(str(path[1]), (0, _MOST[unit]))
        if least <= value <= most:
            return value
        self._fault(path, f"{value} is out of range; write {least} to {most} {unit}")
        return 0

    def _at(self, path: Path, value: object) -> datetime | None:
        if value is None:
            return None
        at = _instant(value)
        if at is None:
            self._fault(path, f"{value!r} is no date or instant; write 2026-05-04")
            return None
        first, last = _YEARS
        if not first <= at.year < last:
            self._fault(path, f"{value} is not from {first} to {last - 1}; correct the year")
            return None
        return at

    def _mapping(self, path: Path, given: object) -> Mapping[str, object]:
        if isinstance(given, Mapping):
            return cast("Mapping[str, object]", given)
        self._fault(path, f"must be a mapping, not {given!r}")
        return {}

    def _names(
        self, path: Path, given: Mapping[str, object], known: Mapping[str, object], word: str
    ) -> None:
        for name in given:
            if name not in known:
                self._fault((*path, name), f'unknown {word} "{name}"; remove it or fix its name')
        for name in known:
            if name not in given:
                self._fault(path, f'{word} "{name}" is missing; add it')

    def _keys(
        self,
        path: Path,
        body: Mapping[str, object],
        known: frozenset[str],
        *,
        needed: tuple[str, ...] = (),
    ) -> None:
        for key in body:
            if key not in known:
                self._fault(
                    (*path, key), f'unknown key "{key}"; use one of {", ".join(sorted(known))}'
                )
        for key in needed:
            if key not in body:
                self._fault(path, f'"{key}" is missing; add it')

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append(Fault(path, message))
