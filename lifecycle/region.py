"""CSP regions as dated data: which region a country belongs to, when (table 3.4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from types import MappingProxyType
from typing import TypeAlias, cast

Place: TypeAlias = tuple[str | int, ...]
Report: TypeAlias = Callable[[Place, str], None]
Reader: TypeAlias = Callable[[Place, object], datetime | None]

_KEYS = frozenset({"countries", "from", "to", "source", "note"})
_LETTERS = 2
_ALWAYS = datetime.min.replace(tzinfo=UTC)
_FOR_EVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Membership:
    """A country's place in a region, in the half-open validity [start, end) (GEN-03)."""

    region: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Regions:
    """All memberships by country, ISO 3166 alpha-2."""

    by_country: Mapping[str, tuple[Membership, ...]] = field(
        default_factory=dict[str, tuple[Membership, ...]]
    )

    def __bool__(self) -> bool:
        """Return whether there are any regions to compare."""
        return bool(self.by_country)

    def of(self, country: str, at: datetime) -> str | None:
        """Return the region of *country* at *at*, `None` if it belongs to none then."""
        for each in self.by_country.get(country, ()):
            if each.start <= at < each.end:
                return each.region
        return None


NO_REGIONS = Regions()


def regions_from(given: object, *, report: Report, instant: Reader) -> Regions:
    """Return the regions that a pack names.

    Args:
        given: `{region: [{countries: "US UM", from: …, to: …}, …]}` as read from YAML.
        report: takes the place and the sentence of each fault.
        instant: reads a date or an instant, and reports what is neither.
    """
    found: dict[str, list[tuple[Membership, Place]]] = {}
    for region, entries in _mapping(("regions",), given, report).items():
        place: Place = ("regions", region)
        if not isinstance(entries, list) or not entries:
            report(place, "needs a list of entries, such as [{countries: US UM}]")
            continue
        for number, entry in enumerate(cast("list[object]", entries)):
            _read(region, (*place, number), entry, found, report=report, instant=instant)
    for country, places in found.items():
        places.sort(key=lambda each: each[0].start)
        _check(country, places, report)
    return Regions(
        MappingProxyType(
            {country: tuple(each for each, _ in places) for country, places in found.items()}
        )
    )


def _read(
    region: str,
    place: Place,
    given: object,
    found: dict[str, list[tuple[Membership, Place]]],
    *,
    report: Report,
    instant: Reader,
) -> None:
    entry = _mapping(place, given, report)
    if not entry:
        return
    for key in entry:
        if key not in _KEYS:
            report((*place, key), f'unknown key "{key}"; use one of {", ".join(sorted(_KEYS))}')
    start = instant((*place, "from"), entry.get("from")) or _ALWAYS
    end = instant((*place, "to"), entry.get("to")) or _FOR_EVER
    if end <= start:
        report(place, 'it ends before it starts; fix "from" or "to"')
    countries = str(entry.get("countries") or "").split()
    if not countries:
        report(place, '"countries" is missing; list their codes, such as US UM')
    for code in countries:
        if len(code) != _LETTERS or not code.isascii() or not code.isupper():
            report((*place, "countries"), f'"{code}" is no ISO 3166 alpha-2 code; write it as US')
        found.setdefault(code, []).append((Membership(region, start, end), place))


def _check(country: str, places: list[tuple[Membership, Place]], report: Report) -> None:
    """A country lies in one region at a time."""
    for (before, _), (after, place) in pairwise(places):
        if after.start < before.end:
            report(
                (*place, "countries"),
                f"{country} lies in {before.region} and in {after.region} at once; "
                'give one a "to", or take it out',
            )


def _mapping(place: Place, given: object, report: Report) -> Mapping[str, object]:
    if isinstance(given, Mapping):
        return cast("Mapping[str, object]", given)
    report(place, f"must be a mapping, not {given!r}")
    return {}
