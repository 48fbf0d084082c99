"""What is wrong with a definition: states, rules and timers that cannot work together."""

from collections import Counter
from collections.abc import Iterator

from sublife.lifecycle.model import ABSENT, Lifecycle, Rule


def faults(lifecycle: Lifecycle) -> tuple[str, ...]:
    """Return every mistake of a definition, each with the place and what to do; none if sound.

    Looked at are the rules alone. Where a rule names no state to lead to, what it does cannot be
    seen here and counts for nothing.
    """
    found = (
        *_unknown(lifecycle),
        *_unreachable(lifecycle),
        *_dead_ends(lifecycle),
        *_ambiguous(lifecycle),
        *_timers(lifecycle),
    )
    return tuple(f"{lifecycle.name}: {each}" for each in found)


def edges(lifecycle: Lifecycle) -> tuple[tuple[str, str, Rule], ...]:
    """Return every change of state that a rule names: from, to, the rule; in the rules' order."""
    return tuple(
        (str(source), str(rule.to), rule)
        for rule in lifecycle.rules
        if rule.to is not None
        for source in rule.sources
        if str(source) != str(rule.to)
    )


def _unknown(lifecycle: Lifecycle) -> Iterator[str]:
    states = {ABSENT, *map(str, lifecycle.states)}
    for rule in lifecycle.rules:
        for name in (*map(str, rule.sources), str(rule.to or ABSENT)):
            if name not in states:
                yield f"{rule.event} names the unknown state {name}; fix the name"
    for name in sorted(map(str, lifecycle.final)):
        if name not in states:
            yield f"the final state {name} is unknown; fix the name"


def _unreachable(lifecycle: Lifecycle) -> Iterator[str]:
    """Yield the states that nothing leads to from a subject's beginning."""
    reached, grew = {ABSENT}, True
    while grew:
        new = {to for source, to, _ in edges(lifecycle) if source in reached} - reached
        reached |= new
        grew = bool(new)
    for state in map(str, lifecycle.states):
        if state not in reached:
            yield f"nothing leads to {state}; add a rule, or take the state out"


def _dead_ends(lifecycle: Lifecycle) -> Iterator[str]:
    """Yield the states that are left by nothing, or by something although they are final."""
    final = set(map(str, lifecycle.final))
    left = {source: rule for source, _, rule in edges(lifecycle)}
    for state in map(str, lifecycle.states):
        if state in final and state in left:
            yield f"{left[state].event} leaves {state}, which is final; remove one of the two"
        elif state not in final and state not in left:
            yield f"nothing leaves {state}, and it is not final; add a rule, or make it final"


def _ambiguous(lifecycle: Lifecycle) -> Iterator[str]:
    """Yield the cells in which more than one rule stands without a condition."""
    count = Counter(
        (rule.event, str(source))
        for rule in lifecycle.rules
        if not rule.when
        for source in rule.sources
    )
    for (event, state), number in count.items():
        if number > 1:
            yield (
                f"{event} in {state} has {number} rules without a condition; "
                "give all but the last one a condition"
            )


def _timers(lifecycle: Lifecycle) -> Iterator[str]:
    """Yield timers that no rule takes, and rules for what is neither a request nor a timer."""
    taken = {rule.event: None for rule in lifecycle.rules}
    for tick in lifecycle.ticks:
        if tick not in taken:
            yield f"no rule takes the timer {tick}; add one, or take it out of the timers"
    for event in taken:
        if event not in lifecycle.requests and event not in lifecycle.ticks:
            yield f"a rule takes {event}, which is neither a request nor a timer; list it"
