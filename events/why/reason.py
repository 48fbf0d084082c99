"""Puts an explanation together: rules, policy, values read, dates, and the chain behind it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sublife.events import codec
from sublife.events.ruletext import rules
from sublife.events.store.audit import Audit, Line
from sublife.events.store.entry import Entry, entry_of
from sublife.events.verify.compare import differing
from sublife.events.why import told
from sublife.events.why.chain import chain, due, next_timers
from sublife.events.why.date import dates
from sublife.events.why.explanation import Explanation, RefusalSaid, RuleSaid
from sublife.events.why.past import Past, UnrebuiltError
from sublife.events.why.watched import Watched, watched
from sublife.lifecycle.machine import allowed, lifecycle_named, table
from sublife.lifecycle.model import Closed, Refusal

OTHERWISE = (
    "decided again it comes out otherwise ({column}: {rebuilt} instead of {written}): another "
    "release of sublife decided it, or the row was changed; `sublife verify --rebuild` tells more"
)


class Asked(NamedTuple):
    """What is to be explained: the id as it was given, the journal row, the fact's number."""

    id: str
    line: Line
    fact: int | None


def explained(asked: Asked, past: Past, audit: Audit) -> Explanation:
    """Return the explanation of a row, as far as it can be rebuilt."""
    entry = entry_of(asked.line)
    plain = _plain(asked, entry)
    try:
        policy = past.policy(asked.line)
        found = past.at(asked.line, lambda moment: (moment, watched(moment, policy)))
    except UnrebuiltError as error:
        return replace(plain, doubts=(f"{error}; only what the journal says is told",))
    moment, decided = found
    links, is_cut, doubts = chain(decided, moment.steps, past, audit)
    watch = decided.watch
    return replace(
        plain,
        refusal=plain.refusal and _may_instead(plain.refusal, decided),
        figures=tuple(told.figure(each, policy) for each in watch.figures),
        switches=tuple(told.switch(each, policy) for each in watch.switches),
        regions={each.country: each.region for each in watch.regions},
        values=tuple(told.values(decided)),
        due=due(decided.step),
        dates=tuple(dates(decided, entry.outcome)),
        next=() if decided.after is None else next_timers(decided.after, entry.event.lifecycle),
        chain=links,
        cut=is_cut,
        doubts=(*_doubts(decided, asked.line), *doubts),
    )


def _plain(asked: Asked, entry: Entry) -> Explanation:
    """Return what the journal says, without deciding anything."""
    outcome = entry.outcome
    names, fact, data = entry.rules, None, told.payload(entry)
    if asked.fact is not None and not isinstance(outcome, Refusal):
        found = outcome[asked.fact]
        names, fact, data = found.rules, found.name, dict(found.data)
    elif not isinstance(outcome, Refusal):
        names = tuple(dict.fromkeys((*names, *(rule for each in outcome for rule in each.rules))))
    return Explanation(
        asked.id,
        asked.line.tenant,
        fact,
        data,
        told.happened(entry),
        _said(outcome) if isinstance(outcome, Refusal) else None,
        tuple(map(_rule, names)),
        asked.line.policy,
    )


def _rule(name: str) -> RuleSaid:
    known = rules().get(name)
    if known is None:
        return RuleSaid(name, "", "", "", "")
    return RuleSaid(name, known.says, known.source, known.origin, known.decision)


def _said(refusal: Refusal) -> RefusalSaid:
    details = dict(refusal.details)
    return RefusalSaid(refusal.code, refusal.rule, refusal.sentence, details, (), ())


def _may_instead(refusal: RefusalSaid, decided: Watched) -> RefusalSaid:
    """Return a refusal with what could have been asked for at that instant, and where this can."""
    event, before = decided.step.event, decided.step.before
    lifecycle = lifecycle_named(event.lifecycle)
    cells = table(lifecycle)
    states = tuple(
        str(state)
        for state in lifecycle.states
        if not isinstance(cells.get((event.name, str(state)), None), Closed | None)
    )
    may: tuple[str, ...] = ()
    if before is not None and before.changed_at <= event.at:
        may = allowed(before, policy=decided.policy, at=event.at, lifecycle=event.lifecycle)
    return replace(refusal, allowed=may, accepted_in=states)


def _doubts(decided: Watched, line: Line) -> tuple[str, ...]:
    """Return how what was decided again differs from what was written."""
    outcome = decided.outcome
    written: Mapping[str, Any] = line._asdict()
    if isinstance(outcome, Refusal):
        rebuilt: dict[str, Any] = {"code": outcome.code, "rules": outcome.rule}
    else:
        rebuilt = {
            "code": None,
            "state": str(outcome.snapshot.state),
            "rules": " ".join(outcome.rules),
            "outcome": codec.encode_outcome(outcome.facts),
        }
    found = differing(dict(written), rebuilt)
    if not found:
        return ()
    column, is_written, is_rebuilt = found
    return (OTHERWISE.format(column=column, rebuilt=is_rebuilt, written=is_written),)
