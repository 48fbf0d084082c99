"""Compares lists exactly: facts, records, orders, webhooks, posts; nothing missing or extra."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sublife.events.intake import Outcome
from sublife.events.records import recording_of
from sublife.events.store.delivery import CommittedFact
from sublife.events.store.entry import Entry
from sublife.events.webhook.body import Source, partner_center
from sublife.scheduler.compare import matches, plain, shown
from sublife.scheduler.replay.going import Going
from sublife.scheduler.scenario import Expect, Listed, Overall


def compare_lists(going: Going) -> None:
    """Compare facts, records, orders and webhooks, per step and over the whole run."""
    rows = _rows(going)
    for act, start, end in going.steps:
        where = f"step {act.number + 1}"
        happened = going.happened[start:end]
        _compare_happened(going, where, act.expect.facts, happened)
        if act.expect.webhooks is not None:
            _compare_webhooks(going, where, act.expect.webhooks, happened, rows)
        _compare_rows(going, where, act.expect.records, act.expect.orders, happened, rows)
    overall = going.scenario.expect
    _compare_happened(going, "the whole run", overall.facts, going.happened)
    _compare_rows(going, "the whole run", overall.records, overall.orders, going.happened, rows)
    if overall.refusals is not None:
        codes = [each.refusal.code for each in going.happened if each.refusal]
        _compare_items(going, "the whole run, refusals", overall.refusals, codes)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The stored records, and journal entries, by the event that caused them."""

    records: Mapping[str, list[dict[str, Any]]]
    orders: Mapping[str, list[dict[str, Any]]]
    entries: Mapping[str, Entry]


def _rows(going: Going) -> _Rows:
    expects: list[Expect | Overall] = [act.expect for act in going.scenario.acts]
    asked = (*expects, going.scenario.expect)
    bodies = [*chain.from_iterable(act.expect.webhooks or () for act in going.scenario.acts)]
    is_asked = any(isinstance(each, dict) for each in bodies)
    return _Rows(
        _by_event(going.store.records() if any(e.records is not None for e in asked) else ()),
        _by_event(going.store.orders() if any(e.orders is not None for e in asked) else ()),
        {each.event.id: each for each in going.store.journal()} if is_asked else {},
    )


def _by_event(rows: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.event_id, []).append(row.model_dump())
    return found


def _compare_webhooks(
    going: Going, where: str, wanted: Listed, happened: Sequence[Outcome], rows: _Rows
) -> None:
    """Compare names alone, or what their bodies say."""
    told = [
        (outcome, number, name)
        for outcome in happened
        if not outcome.repeated
        for number, fact in enumerate(outcome.facts)
        if (name := recording_of(fact).webhook)
    ]
    if not any(isinstance(each, dict) for each in wanted):
        _compare_items(going, f"{where}, webhooks", wanted, [name for _, _, name in told])
        return
    named = [{"EventName": each} if isinstance(each, str) else each for each in wanted]
    found = [_body(going, rows.entries[each.event.id], number) for each, number, _ in told]
    compare_mappings(going, f"{where}, webhooks", named, found, title=("EventName",))


def _body(going: Going, entry: Entry, number: int) -> dict[str, Any]:
    """Return the body of the webhook that a fact leads to, as Partner Center writes it."""
    of = going.snapshots[entry.event.subject]
    fact = CommittedFact(going.store.tenant, entry, number, of.customer, of.partner)
    return partner_center(fact, Source())


def _compare_happened(
    going: Going, where: str, wanted: Listed | None, happened: Sequence[Outcome]
) -> None:
    if wanted is None:
        return
    found = [
        {
            **fact.data,
            "fact": fact.name,
            "at": outcome.event.at,
            "subject": outcome.event.subject,
            "rules": list(fact.rules),
        }
        for outcome in happened
        if not outcome.repeated
        for fact in outcome.facts
    ]
    named = [{"fact": each} if isinstance(each, str) else each for each in wanted]
    compare_mappings(going, f"{where}, facts", named, found, title=("fact",))


def _compare_rows(
    going: Going,
    where: str,
    records: Listed | None,
    orders: Listed | None,
    happened: Sequence[Outcome],
    rows: _Rows,
) -> None:
    ids = [outcome.event.id for outcome in happened if not outcome.repeated]
    if records is not None:
        found = [row for each in ids for row in rows.records.get(each, [])]
        named = [_record(each) if isinstance(each, str) else each for each in records]
        title = ("kind", "stage", "outcome", "fact")
        compare_mappings(going, f"{where}, records", named, found, title=title)
    if orders is not None:
        found = [row for each in ids for row in rows.orders.get(each, [])]
        named = [{"transaction": each} if isinstance(each, str) else each for each in orders]
        compare_mappings(going, f"{where}, orders", named, found, title=("transaction", "quantity"))


def _record(words: str) -> dict[str, Any]:
    """Return what `renewal progress lapsed` says: kind, stage and outcome, as far as given."""
    return dict(zip(("kind", "stage", "outcome"), words.split(), strict=False))


def _compare_items(going: Going, where: str, wanted: Sequence[Any], found: Sequence[str]) -> None:
    if list(wanted) != list(found):
        going.differ(where, wanted, found)


def compare_mappings(
    going: Going,
    where: str,
    wanted: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    *,
    title: tuple[str, ...],
) -> None:
    """Compare a list exactly: nothing missing, nothing extra; each entry in the keys it names."""
    short = [" ".join(str(plain(each[key])) for key in title if each.get(key)) for each in found]
    if len(wanted) != len(found):
        going.differ(where, [_brief(each, title) for each in wanted], short)
        return
    for number, (want, have) in enumerate(zip(wanted, found, strict=True), start=1):
        wrong = {key: value for key, value in want.items() if not matches(value, have.get(key))}
        if wrong:
            what = f"{where}, number {number} ({short[number - 1]})"
            going.differ(what, wrong, {key: have.get(key) for key in wrong})


def _brief(want: Mapping[str, Any], title: tuple[str, ...]) -> str:
    said = [str(plain(want[key])) for key in title if want.get(key)]
    return " ".join(said) if said else shown(want)
