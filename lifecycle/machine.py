"""decide(): one event through one lifecycle; the only file that imports transitions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any, cast

from transitions import EventData, Machine

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import (
    ABSENT,
    EMPTY,
    NOBODY,
    TIMER_ID,
    Actor,
    ActorKind,
    Case,
    Closed,
    Compound,
    Decision,
    Event,
    Fact,
    FollowUp,
    Lifecycle,
    ModelError,
    Payload,
    Permission,
    Reads,
    Refusal,
    Rule,
    Snapshot,
    Standing,
    Timer,
    evolved,
    filled,
    follow_up_id,
    iso,
    made,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import CODES, refuse


class UnknownLifecycleError(ModelError):
    """There is no lifecycle of that name."""


class UnknownEventError(ModelError):
    """The lifecycle has no event of that name in that state."""


class UnknownSubjectError(ModelError):
    """The subject does not exist, and the event does not create one."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A rule as `transitions` sees it: its conditions are the guard of one transition."""

    rule: Rule

    def holds(self, data: EventData) -> bool:
        """Return whether the rule is the one for this event (`EventData.args[0]` is a Standing)."""
        (here,) = cast("tuple[Standing[Any]]", data.args)
        return _chosen(self.rule, here)


def _chosen(rule: Rule, here: Standing[Any]) -> bool:
    for condition in rule.when:  # noqa: SIM110 – a generator costs more than most conditions
        if not condition(here):
            return False
    return True


@cache
def definition(lifecycle: Lifecycle) -> Machine:
    """Return the lifecycle as one `transitions.Machine` without a model of its own.

    Built once per lifecycle; drive it with `machine.events[name].trigger(subject, standing)`.
    """
    machine = Machine(
        model=None,
        states=[ABSENT, *map(str, lifecycle.states)],
        initial=ABSENT,
        auto_transitions=False,
        send_event=True,
    )
    for rule in lifecycle.rules:
        for source in rule.sources:
            machine.add_transition(
                rule.event, str(source), rule.to and str(rule.to), conditions=Guarded(rule).holds
            )
    return machine


Table = Mapping[tuple[str, str], tuple[Rule, ...] | Closed]


@cache
def table(lifecycle: Lifecycle) -> Table:
    """Return the definition compiled to a mapping (event, state) → rules, or the refusal.

    Read off the machine, so the two cannot differ; a trigger of `transitions` costs some forty
    look-ups.

    Raises:
        ModelError: a request has no answer in some state, or two in one cell.
    """
    cells: dict[tuple[str, str], tuple[Rule, ...] | Closed] = {}
    for event in definition(lifecycle).events.values():
        for source, transitions in event.transitions.items():
            rules = tuple(_rule_of(transition) for transition in transitions)
            _check_cell(lifecycle, event.name, source, rules)
            cells[event.name, source] = rules
    for closed in lifecycle.closed:
        for state in closed.states:
            if (closed.event, str(state)) in cells:
                raise ModelError(f"{lifecycle.name}: {closed.event} in {state} has two answers")
            cells[closed.event, str(state)] = closed
    for name in lifecycle.requests:
        for state in lifecycle.states:
            if (name, str(state)) not in cells:
                raise ModelError(f"{lifecycle.name}: {name} in {state} has no answer; add one")
    return MappingProxyType(cells)


def _rule_of(transition: Any) -> Rule:
    guarded: Guarded = transition.conditions[0].func.__self__
    return guarded.rule


def _check_cell(lifecycle: Lifecycle, event: str, source: str, rules: tuple[Rule, ...]) -> None:
    """Only the last rule of a cell may stand without a condition, or later ones never apply."""
    if any(not rule.when for rule in rules[:-1]):
        raise ModelError(f"{lifecycle.name}: {event} in {source} has two rules without a condition")


def lifecycle_named(name: str) -> Lifecycle:
    """Return a lifecycle of the catalog.

    Raises:
        UnknownLifecycleError: there is none of that name.
    """
    try:
        return LIFECYCLES[name]
    except KeyError:
        known = ", ".join(LIFECYCLES)
        raise UnknownLifecycleError(f'no lifecycle "{name}"; use one of {known}') from None


_CASE: type[Case[Any, Any]] = Case
_STANDING: type[Standing[Any]] = Standing


def decide(
    snapshot: Snapshot | None,
    event: Event,
    policy: Policy,
    *,
    seen: Mapping[str, Snapshot] = NOBODY,
) -> Decision | Refusal:
    """Decide one event on one subject; pure, so the same arguments give the same answer.

    Args:
        snapshot: the subject before the event; `None` if it does not exist.
        event: dated when it happened; that instant is the only time there is (GEN-09).
        policy: figures and switches; those in force at the event's instant apply.
        seen: other subjects the event must see, by id; ask `reads` which.

    Returns:
        The decision, or the refusal with its code, rule and sentence.

    Raises:
        UnknownSubjectError: *snapshot* is `None` and the event creates nothing.
        UnknownEventError: the lifecycle has no such event in that state.
        ModelError: the payload is not the request's own.
    """
    lifecycle = lifecycle_named(event.lifecycle)
    if snapshot is not None and event.at < snapshot.changed_at:
        return refuse("OUT_OF_ORDER", at=iso(event.at), changed_at=iso(snapshot.changed_at))
    expected = lifecycle.requests.get(event.name)
    if expected is not None:
        _check_request(lifecycle, expected, event)
    if snapshot is not None and event.name in lifecycle.ticks:
        _check_due(lifecycle, snapshot, event)
    cell = _cell(lifecycle, snapshot, event)
    if isinstance(cell, Closed):
        return _closed(lifecycle, cell, snapshot, event.name)
    data = event.data
    rule = cell[0]
    if rule.when or rule.unless:
        here = filled(_STANDING, (snapshot, event.at, policy, data, seen))
        rule = _choice(cell, here, event)
        if rule.unless and (refusal := _objection(rule, here)):
            return refusal
    case = filled(_CASE, (snapshot, event, data, policy, seen))
    split = None if expected is None else lifecycle.compounds.get(event.name)
    return _act(rule, case) if split is None else _all_or_none(rule, case, split)


def _check_request(lifecycle: Lifecycle, expected: type[Payload], event: Event) -> None:
    """A request carries its own payload; an internal one follows from another event."""
    if type(event.data) is not expected:
        raise ModelError(
            f"{event.name} on {event.subject}: the payload is {type(event.data).__name__}; "
            f"give {expected.__name__}"
        )
    if event.name in lifecycle.internal and event.cause is None:
        raise UnknownEventError(
            f"{event.name} on {event.subject} only follows from another event; submit that one"
        )


def _check_due(lifecycle: Lifecycle, snapshot: Snapshot, event: Event) -> None:
    """The calendar alone moves timers: a timed event must be one of the subject's, and its date."""
    due: tuple[Timer, ...] = lifecycle.timers(snapshot)
    for name, due_at in due:
        if name == event.name and due_at == event.at:
            return
    known = ", ".join(f"{timer.name} at {iso(timer.due_at)}" for timer in due) or "none"
    raise UnknownEventError(
        f"{lifecycle.name} {snapshot.id}: {event.name} in {snapshot.state} is not due at "
        f"{iso(event.at)}; "
        f"its timers are: {known}. Settle the store instead of submitting timers"
    )


def _choice(cell: tuple[Rule, ...], here: Standing[Any], event: Event) -> Rule:
    """Return the first rule of a cell whose conditions hold."""
    for rule in cell:
        if _chosen(rule, here):
            return rule
    raise UnknownEventError(f"{event.subject}: no rule takes {event.name} as it stands")


def _cell(
    lifecycle: Lifecycle, snapshot: Snapshot | None, event: Event
) -> tuple[Rule, ...] | Closed:
    state = ABSENT if snapshot is None else snapshot.state
    try:
        return table(lifecycle)[event.name, state]
    except KeyError:
        pass
    known = event.name in lifecycle.requests or event.name in lifecycle.ticks
    if snapshot is None and known:
        raise UnknownSubjectError(
            f"{lifecycle.name} {event.subject} does not exist; {event.name} needs one that does. "
            f"Create it first, or fix the id"
        )
    if not known:
        raise UnknownEventError(
            f'{lifecycle.name} {event.subject}: no event "{event.name}"; '
            f"use one of {', '.join(lifecycle.requests)}"
        )
    raise UnknownEventError(
        f"{lifecycle.name} {event.subject}: nothing takes {event.name} in {state}; "
        f"use one of {', '.join(lifecycle.requests)}"
    )


def _closed(lifecycle: Lifecycle, closed: Closed, snapshot: Snapshot | None, event: str) -> Refusal:
    state = ABSENT if snapshot is None else snapshot.state
    return refuse(
        closed.code,
        rule=closed.ref,
        api_error=closed.api_error,
        codes=lifecycle.codes if closed.code in lifecycle.codes else CODES,
        state=str(state),
        event=event,
        reason=f"it is {state}",
    )


def _objection(rule: Rule, here: Standing[Any]) -> Refusal | None:
    for objection in rule.unless:
        if refusal := objection(here):
            return refusal
    return None


def _act(rule: Rule, case: Case[Any, Any]) -> Decision | Refusal:
    effect = rule.act(case)
    if isinstance(effect, Refusal):
        return effect
    before: Snapshot | None = case.subject
    after: Snapshot = effect.subject
    facts, follow_ups, rules = effect.facts, effect.follow_ups, effect.rules or rule.refs
    event = case.event
    values = after.__dict__.copy()
    values["state"] = rule.to or str(after.state)
    values["version"] = (before.version if before else 0) + 1
    values["changed_at"] = event.at
    return filled(
        Decision,
        (
            made(type(after), values),
            str(before.state) if before else ABSENT,
            tuple(
                [
                    fact if fact.rules else filled(Fact, (fact.name, fact.data, rules))
                    for fact in facts
                ]
            ),
            tuple([_follow_up(event, number, each) for number, each in enumerate(follow_ups)])
            if follow_ups
            else (),
            rules,
        ),
    )


def _follow_up(event: Event, number: int, each: FollowUp) -> Event:
    return Event(
        follow_up_id(event, number),
        each.name,
        each.subject,
        event.at,
        event.actor,
        each.data,
        event.id,
        each.lifecycle,
    )


def _all_or_none(rule: Rule, case: Case[Any, Any], split: Compound) -> Decision | Refusal:
    """Decide the parts of a compound request in turn; the first refusal refuses the whole."""
    whole = _act(rule, case)
    if isinstance(whole, Refusal):
        return whole
    snapshot, facts, follow_ups = whole.snapshot, whole.facts, whole.follow_ups
    rules = whole.rules
    for name, data in split(case.subject, case.data):
        part = replace(case.event, name=name, data=data)
        decided = decide(snapshot, part, case.policy, seen=case.seen)
        if isinstance(decided, Refusal):
            return decided
        snapshot = decided.snapshot
        facts += decided.facts
        follow_ups += decided.follow_ups
        rules += tuple(ref for ref in decided.rules if ref not in rules)
    snapshot = evolved(snapshot, version=whole.snapshot.version)
    return Decision(snapshot, whole.state_before, facts, follow_ups, rules)


def may(
    snapshot: Snapshot,
    event: str,
    *,
    policy: Policy,
    at: datetime | None = None,
    lifecycle: str = "subscription",
) -> Permission:
    """Return whether a request may be made, by the very rules that decide it.

    What the payload says is not asked: a yes here can still be refused for its figures.

    Args:
        snapshot: the subject; settle it to *at* first.
        event: name of a request.
        policy: in force at *at*.
        at: UTC instant; the subject's latest change if not given.
        lifecycle: the lifecycle it lives by.

    Returns:
        A `Permission`, true if yes; else it carries the `Refusal` that `decide` would give.

    Raises:
        UnknownEventError: the lifecycle has no such request.
    """
    found = lifecycle_named(lifecycle)
    if event not in found.requests:
        raise UnknownEventError(f'no request "{event}"; use one of {", ".join(found.requests)}')
    cell = table(found)[event, snapshot.state]
    if isinstance(cell, Closed):
        return Permission(event, (cell.ref,), _closed(found, cell, snapshot, event))
    here: Standing[Any] = Standing(snapshot, at or snapshot.changed_at, policy)
    rule = next((rule for rule in cell if _chosen(rule, here)), None)
    if rule is None:
        raise UnknownEventError(f"{snapshot.id}: no rule takes {event} as it stands")
    refusal = _objection(rule, here)
    return Permission(event, (refusal.rule,) if refusal else rule.refs, refusal)


def allowed(
    snapshot: Snapshot,
    *,
    policy: Policy,
    at: datetime | None = None,
    lifecycle: str = "subscription",
) -> tuple[str, ...]:
    """Return the requests that `may` be made, in the lifecycle's own order (table 1.1)."""
    found = lifecycle_named(lifecycle)
    return tuple(
        name
        for name in found.requests
        if name not in found.internal
        and may(snapshot, name, policy=policy, at=at, lifecycle=lifecycle)
    )


def timers(snapshot: Snapshot, lifecycle: str) -> tuple[Timer, ...]:
    """Return every timer of a subject, in the order they fire at one instant."""
    return lifecycle_named(lifecycle).timers(snapshot)


def next_timer(snapshot: Snapshot, lifecycle: str) -> Timer | None:
    """Return the timer that is due first, or `None` if nothing is to come."""
    found = lifecycle_named(lifecycle).timers(snapshot)
    return found[0] if len(found) == 1 else min(found, key=_due_at, default=None)


def _due_at(timer: Timer) -> datetime:
    return timer.due_at


def timed_event(snapshot: Snapshot, timer: Timer, lifecycle: str) -> Event:
    """Return the event that a due timer becomes: dated when it was due, not when we woke.

    Its id is made of subject, version, timer and due instant, so it can apply only once.
    """
    name, due_at = timer
    return made(
        Event,
        {
            "id": f"{TIMER_ID}{snapshot.id}/{name}/{iso(due_at)}/{snapshot.version}",
            "name": name,
            "subject": snapshot.id,
            "at": due_at,
            "actor": _timer_named(name),
            "data": EMPTY,
            "cause": None,
            "lifecycle": lifecycle,
        },
    )


@cache
def _timer_named(name: str) -> Actor:
    return Actor(ActorKind.TIMER, name)


def may_begin(event: Event) -> bool:
    """Return whether the event is one that creates its subject."""
    return (event.name, ABSENT) in table(lifecycle_named(event.lifecycle))


def reads(snapshot: Snapshot | None, event: Event) -> Reads:
    """Return which other subjects `decide` must see for *event*.

    Raises:
        ModelError: the subject lives by another lifecycle than the event names.
    """
    lifecycle = lifecycle_named(event.lifecycle)
    if snapshot is not None and not isinstance(snapshot, lifecycle.snapshot):
        raise ModelError(
            f"{event.name} on {event.subject}: it is a {type(snapshot).__name__}, which does not "
            f"live by the lifecycle {event.lifecycle}; name its own"
        )
    return lifecycle.reads(snapshot, event)
