"""Every row, objection, figure, date and record of the engine, switched off or moved by itself.

Rules are switched off by hand, one entry each; these follow from what the engine is made of, so
that nothing that is added later is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sublife.events.packs import load_pack
from sublife.events.records import RECORDINGS
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import ABSENT, Closed, Lifecycle, Rule
from sublife.lifecycle.policy import Figure, Policy, Span, Unit
from tests.mutation.switch import (
    Change,
    Changes,
    Row,
    idle,
    policies,
    recording,
    result,
    rows,
)

_ONE_SECOND = timedelta(seconds=1)
_ONE_DAY = timedelta(days=1)
_ONE_MONTH = timedelta(days=31)
_BY_THE_DAY = frozenset(
    {
        "legacy_renewal",
        "microsoft_led_commercial",
        "microsoft_led_public_sector",
        "direct_requirement",
        "reseller_requirement",
        "hoster_report_months",
    }
)
"""Figures asked for whole days only: a second more or less is no other day."""
_BY_THE_MONTH = frozenset({"hoster_report_products", "hoster_report_tenants"})
"""Figures asked for the first day of a month only."""


_GUARDED = "the row after it takes for granted that something stands against it, and stops"
UNSHOWN: Mapping[str, str] = MappingProxyType(
    {
        "subscription term_ended in active (ask_to_be_led: LEG-24)": (
            "reached only where another policy is chosen between the last day and the term end"
        ),
        "migration lead in absent (lead: LEG-04 LEG-15)": _GUARDED,
        "migration target_reached in scheduled (begin: LEG-15 LEG-21)": _GUARDED,
        "migration begin in scheduled (begin: LEG-15 LEG-21)": _GUARDED,
        "hosting withdraw_qmth in outside, csp_hoster: qmth_not_held (1)": (
            "what follows takes an authorization for granted, and stops"
        ),
        "subscription-quantity-changed: order": "the fact says itself whether seats come or go",
        "update_limit is 1201": "no scenario makes 1,200 updates; with a limit of three one does",
        "update_limit is 1199": "no scenario makes 1,200 updates; with a limit of three one does",
    }
)
"""Parts that no scenario can show the absence of, and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the engine is made of.

    Args:
        kind: row, objection, figure, date or record.
        name: which one, for people.
        as_if: what the engine does without it, or with it moved.
        rules: ids of the rules it stands for; scenarios that list them are asked first.
        by: the changes.
    """

    kind: str
    name: str
    as_if: str
    rules: tuple[str, ...]
    by: tuple[Change, ...]


def parts() -> Iterator[Part]:
    """Yield every part, in the order of the definitions."""
    for lifecycle in LIFECYCLES.values():
        yield from _rows(lifecycle)
        yield from _closed(lifecycle)
        yield from _objections(lifecycle)
    for figure in load_pack().figures.values():
        yield from _figure(figure)
    yield from _records()


def _rows(lifecycle: Lifecycle) -> Iterator[Part]:
    """Yield each accepting row: without it, the next row of its cell decides, or nothing does."""
    for number, rule in enumerate(lifecycle.rules):
        rest = lifecycle.rules[number + 1 :]
        left = tuple(
            str(state)
            for state in rule.sources
            if not any(each.event == rule.event and state in each.sources for each in rest)
        )
        if ABSENT in left:
            continue  # without its birth a subject cannot be spoken of
        name = f"{lifecycle.name} {rule.event} in {', '.join(map(str, rule.sources))}"
        act = getattr(rule.act, "__name__", "act")
        by = [rows(lifecycle.name, _taking_out(rule))]
        if left and rule.event in lifecycle.ticks:
            by.append(_not_due(lifecycle, rule.event, left))
        elif left:
            by.append(_refused(lifecycle, rule.event, left))
        name = f"{name} ({act}: {' '.join(rule.refs)})"
        yield Part("row", name, "it is not there", rule.refs, tuple(by))


def _is_row(row: Row, rule: Rule) -> bool:
    """Return whether *row* is *rule*, perhaps with other functions in it."""
    return isinstance(row, Rule) and (
        (row.event, row.sources, row.to, row.refs, len(row.when), len(row.unless))
        == (rule.event, rule.sources, rule.to, rule.refs, len(rule.when), len(rule.unless))
        and row.act is rule.act
    )


def _taking_out(rule: Rule) -> Any:
    def changed(row: Row) -> Row | None:
        return None if _is_row(row, rule) else row

    return changed


def _not_due(lifecycle: Lifecycle, name: str, states: tuple[str, ...]) -> Change:
    def of(timers: Any, subject: Any) -> Any:
        if str(subject.state) not in states:
            return timers
        return tuple(timer for timer in timers if timer.name != name)

    function: Any = lifecycle.timers
    path = f"{function.__module__.removeprefix('sublife.')}.{function.__name__}"
    return result(path, of)


def _refused(lifecycle: Lifecycle, event: str, states: tuple[str, ...]) -> Change:
    def change(changes: Changes) -> None:
        changes.added.append((lifecycle.name, Closed(event, states, "BAD_STATE", "1.2")))

    return change


def _closed(lifecycle: Lifecycle) -> Iterator[Part]:
    """Yield each refusing row: without it, the request is accepted and does nothing.

    What only follows from another event is refused to nobody, and no scenario can ask for it.
    """
    for closed in lifecycle.closed:
        if closed.event in lifecycle.internal:
            continue
        name = f"{lifecycle.name} {closed.event} in {', '.join(map(str, closed.states))}"
        yield Part(
            "row",
            f"{name} ({closed.code})",
            "nothing is refused",
            (closed.ref,),
            (rows(lifecycle.name, _opening(closed)),),
        )


def _opening(closed: Closed) -> Any:
    def opened(row: Row) -> Row:
        if row != closed:
            return row
        return Rule(closed.event, closed.states, None, idle, (closed.ref,))

    return opened


def _objections(lifecycle: Lifecycle) -> Iterator[Part]:
    """Yield each objection of each row, but for what only follows from another event."""
    for rule in lifecycle.rules:
        if rule.event in lifecycle.internal:
            continue
        for number, objection in enumerate(rule.unless):
            name = getattr(objection, "__name__", "objection")
            yield Part(
                "objection",
                f"{lifecycle.name} {rule.event} in {', '.join(map(str, rule.sources))}: "
                f"{name} ({number + 1})",
                "it is not asked",
                rule.refs,
                (rows(lifecycle.name, _unasked(rule, number)),),
            )


def _unasked(rule: Rule, number: int) -> Any:
    def changed(row: Row) -> Row:
        if not (isinstance(row, Rule) and _is_row(row, rule)):
            return row
        return replace(row, unless=(*row.unless[:number], *row.unless[number + 1 :]))

    return changed


def _figure(figure: Figure) -> Iterator[Part]:
    """Yield a figure one up and one down, and each of its dates a moment earlier and later."""
    for option, spans in figure.spans.items():
        which = f"{figure.name} ({option})" if option else figure.name
        for number, span in enumerate(spans):
            yield from _moved_values(figure, option, number, span, which)
            yield from _moved_dates(figure, option, number, span, which)


def _moved_values(
    figure: Figure, option: str, number: int, span: Span, which: str
) -> Iterator[Part]:
    if figure.unit is Unit.ALLOWED:
        yield _moved(figure, option, number, f"{which} is {not span.value}", value=not span.value)
        return
    for step in (1, -1):
        value = span.value + step
        if value > 0 or (value == 0 and figure.unit is not Unit.MONTHS):
            yield _moved(figure, option, number, f"{which} is {value}", value=value)


def _moved_dates(
    figure: Figure, option: str, number: int, span: Span, which: str
) -> Iterator[Part]:
    for end in ("end", "begun_before"):
        at: datetime | None = getattr(span, end)
        if at is None:
            continue
        by = _ONE_DAY if figure.name in _BY_THE_DAY else _ONE_SECOND
        by = _ONE_MONTH if figure.name in _BY_THE_MONTH else by
        for step in (-by, by):
            name = f"{which}: {end} {at + step:%Y-%m-%dT%H:%M:%SZ}"
            yield _moved(figure, option, number, name, **{end: at + step})


def _moved(figure: Figure, option: str, number: int, name: str, **values: Any) -> Part:
    def changed(policy: Policy) -> Policy:
        old = policy.figures[figure.name]
        if old.spans != figure.spans:
            return policy  # a pack with figures of its own
        spans = list(old.spans[option])
        spans[number] = replace(spans[number], **values)
        if "end" in values:
            spans[number + 1] = replace(spans[number + 1], start=values["end"])
        new = replace(old, spans=MappingProxyType({**old.spans, option: tuple(spans)}))
        return replace(policy, figures=MappingProxyType({**policy.figures, figure.name: new}))

    kind = "date" if {"end", "begun_before"} & values.keys() else "figure"
    return Part(kind, name, "it is another one", (figure.rule,), (policies(changed),))


def _records() -> Iterator[Part]:
    """Yield each activity record, order line and webhook of each fact (table 8.2)."""
    for fact, found in RECORDINGS.items():
        for name in ("kind", "order", "webhook"):
            if getattr(found, name) is not None:
                yield Part(
                    "record",
                    f"{fact}: {name}",
                    "it is not made",
                    ("8.2",),
                    (recording(fact, **{name: None}),),
                )
