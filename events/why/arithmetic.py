"""Finds out how an instant came about: from what a decision read, by the figures it asked for.

Nothing is known here of any lifecycle. A sum is told only if it comes out exactly, and only of what
the decision has really read and asked for.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, TypeAlias

from sublife.events.why.explanation import Sum
from sublife.lifecycle.dates import add_months, day_starts_at
from sublife.lifecycle.model import iso
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.tracing import SumAsked

When: TypeAlias = date | datetime
LAST = "changed_at"
"""Counts only where nothing else says when: every event sets it, to its own instant."""
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_INCLUSIVE = "1 d (inclusive end date, GEN-02)"
_YEAR = "a year"
_MOST_TERMS = 120
"""So many terms of one length are looked for behind a day that terms are counted from."""
_SHORT = {Unit.DAYS: "d", Unit.HOURS: "h", Unit.MONTHS: "months"}


class Named(NamedTuple):
    """An instant or day, and what it is called."""

    name: str
    when: When

    @property
    def text(self) -> str:
        """Both."""
        return f"{self.name} {said(self.when)}"


class Known(NamedTuple):
    """What a sum may be made of.

    Args:
        bases: instants and days to count from, the most telling first.
        given: those of them that the request or another subject named, and so may be copied.
        own: those of them that the subject had before.
        sums: that the decision has made with lengths of the policy.
        months: lengths in calendar months, by what they are called.
    """

    bases: tuple[Named, ...]
    given: tuple[Named, ...]
    own: tuple[Named, ...]
    sums: tuple[SumAsked, ...]
    months: Mapping[str, int]


def said(when: When) -> str:
    """Return an instant or a day as the project writes it."""
    return iso(when) if isinstance(when, datetime) else when.isoformat()


def instants(value: Any, name: str = "") -> Iterator[Named]:
    """Yield every instant and day in a shape, by the way that leads to it."""
    if isinstance(value, date):
        yield Named(name, value)
    elif is_dataclass(value):
        for each in fields(value):
            way = f"{name}.{each.name}" if name else each.name
            yield from instants(getattr(value, each.name), way)
    elif _is_tuple(value):
        for number, part in enumerate(value):
            yield from instants(part, f"{name}[{number}]")


def _is_tuple(value: object) -> bool:
    return isinstance(value, tuple)


def lengths(value: Any) -> Iterator[tuple[str, int]]:
    """Yield the lengths in calendar months that stand in a shape's own fields."""
    if is_dataclass(value):
        for each in fields(value):
            part = getattr(value, each.name)
            months = getattr(part, "months", None)
            if type(months) is int:
                yield f"{each.name} {part}", months


def summed(wanted: Named, known: Known) -> Sum | None:
    """Return how an instant or day comes about, or `None` if nothing known leads to it.

    What has the instant of the event itself needs none, unless a figure says so.
    """
    if found := _by_figure(wanted, known):
        return found
    if wanted.when == known.bases[0].when:
        return None
    return (
        by_calendar(wanted, known.given)
        or by_calendar(wanted, known.own, copied=False)
        or _by_months(wanted, known.bases, known.months)
    )


def by_calendar(wanted: Named, bases: Iterable[Named], *, copied: bool = True) -> Sum | None:
    """Return how an instant or day is another one that is known, or a day's beginning or end.

    Args:
        wanted: the instant or day.
        bases: that are known.
        copied: whether one that is just the same will do.
    """
    for base in bases:
        for begins, way in _begins(base):
            note = _reached(begins, wanted.when)
            if note is not None and (copied or way or note):
                return _sum(wanted, f"{base.text}{way}{note}", None)
    return None


def begin_of(when: When) -> datetime:
    """Return an instant itself, or a day's 00:00:00Z."""
    return when if isinstance(when, datetime) else day_starts_at(when)


def _by_figure(wanted: Named, known: Known) -> Sum | None:
    """Return a sum that the decision itself has made with a length of the policy."""
    for sum_ in known.sums:
        figure, mark = sum_.figure, "+" if sum_.sign > 0 else "-"
        length = f"{figure.value} {_SHORT[figure.unit]} {figure.name} ({figure.rule})"
        for base, result in _ends(sum_, known.bases):
            note = _reached(begin_of(result), wanted.when)
            if note is not None and (figure.value or not note):
                return _sum(wanted, f"{base} {mark} {length}{note}", figure.name)
    return None


def _ends(sum_: SumAsked, bases: Sequence[Named]) -> Iterator[tuple[str, When]]:
    """Yield what a sum may have begun with, as it is called, and what came out."""
    if sum_.result is not None:
        at = begin_of(sum_.base)
        names = (
            f"{base.text}{way}" for base in bases for begins, way in _begins(base) if begins == at
        )
        yield next(names, said(sum_.base)), sum_.result
        return
    months = sum_.sign * int(sum_.figure.value)
    for base in bases:
        for begins, way in _begins(base):
            if (begins.year, begins.month) == (sum_.base.year, sum_.base.month):
                yield f"{base.text}{way}", add_months(begins.date(), months)


def _begins(base: Named) -> Iterator[tuple[datetime, str]]:
    """Yield the instants that a base may stand for: itself, or the beginning and end of a day."""
    yield begin_of(base.when), ""
    if not isinstance(base.when, datetime):
        yield day_starts_at(base.when + _DAY), f" + {_INCLUSIVE}"


def _reached(found: datetime, wanted: When) -> str | None:
    """Return the last step from what was found to what is wanted; `None` if there is none.

    The last day of a term or right is the one before it is over (GEN-02); an alert comes a second
    after the last instant that is still on time (GEN-04).
    """
    if isinstance(wanted, datetime):
        steps = {wanted: "", wanted - _SECOND: " + 1 s (the last instant is on time, GEN-04)"}
        return steps.get(found)
    if found.timetz().replace(tzinfo=None) != time.min:
        return None
    return {wanted: "", wanted + _DAY: f" - {_INCLUSIVE}"}.get(found.date())


def _by_months(wanted: Named, bases: Sequence[Named], months: Mapping[str, int]) -> Sum | None:
    """Return a day as so many whole terms, or years, after another.

    The last day of a term is inclusive, an anniversary is the day itself (GEN-06).
    """
    days = [base for base in bases if not isinstance(base.when, datetime)]
    terms = {**months, _YEAR: 12}
    for times in range(1, _MOST_TERMS + 1):
        for base in days:
            for name, count in terms.items():
                note = _reached(day_starts_at(add_months(base.when, times * count)), wanted.when)
                if note is not None:
                    many = "" if times == 1 else f"{times} x "
                    text = f"{base.text} + {many}{count} months ({name}){note}"
                    return _sum(wanted, text, None)
    return None


def _sum(wanted: Named, text: str, figure: str | None) -> Sum:
    result = said(wanted.when)
    return Sum(wanted.name, f"{text} = {result}", result, figure)
