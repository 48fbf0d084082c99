"""What a rule is switched off by: the changes, and how they are made and put back.

Nothing of it is in the engine. A rule is switched off by changing what the engine is made of before
a scenario runs: a row of a rule table, a figure of the policy pack, a recording, a refusal, or the
one function that computes what the rule says. Everything is put back afterwards.
"""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from sublife.events.packs import load_pack
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Closed, Effect, Lifecycle, Rule
from sublife.lifecycle.policy import Policy

Row: TypeAlias = Rule | Closed
Make: TypeAlias = Callable[[Any], Any]
Place: TypeAlias = tuple[Any, str, Any]
Pairs: TypeAlias = dict[int, tuple[Any, Any]]
"""What stands there and what takes its place, by the identity of the first."""


class SwitchError(LookupError):
    """What an entry names is not there (any more); fix the entry."""


@dataclass(slots=True)
class Changes:
    """What is to be changed for one rule.

    Args:
        swaps: dotted path below `sublife`, and what to make of the thing that stands there.
        rows: lifecycle, and what to make of each of its rows; `None` takes the row out.
        policies: what to make of each policy pack as it is read.
        granted: codes, and perhaps rules, by which nothing is refused: where a row or an act has
            nothing else to say, it accepts and does nothing.
        added: lifecycle, and a row to be added to its table.
        local: like *swaps*, but only where the path itself points to.
    """

    swaps: list[tuple[str, Make]] = field(default_factory=list[tuple[str, Make]])
    local: list[tuple[str, Make]] = field(default_factory=list[tuple[str, Make]])
    rows: list[tuple[str, Callable[[Row], Row | None]]] = field(
        default_factory=list[tuple[str, Callable[[Row], Row | None]]]
    )
    added: list[tuple[str, Row]] = field(default_factory=list[tuple[str, Row]])
    policies: list[Callable[[Policy], Policy]] = field(
        default_factory=list[Callable[[Policy], Policy]]
    )
    granted: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])


Change: TypeAlias = Callable[[Changes], None]


@dataclass(frozen=True, slots=True)
class Off:
    """How one rule is switched off.

    Args:
        as_if: what the engine does without it, in a sentence.
        by: the changes, applied together.
        broad: why more than half of all scenarios fail without it, where they do.
    """

    as_if: str
    by: tuple[Change, ...]
    broad: str = ""


def off(as_if: str, *by: Change, broad: str = "") -> Off:
    """Return how a rule is switched off."""
    return Off(as_if, by, broad)


@contextmanager
def switched(by: tuple[Change, ...]) -> Generator[None]:
    """Run what is inside with the changes made, and put everything back.

    Raises:
        SwitchError: a path, lifecycle or row that an entry names is not there.
    """
    changes = Changes()
    for change in by:
        change(changes)
    undo: list[Place] = []
    pairs: Pairs = {}
    try:
        _install(changes, pairs, undo)
        load_pack.cache_clear()
        yield
    finally:
        for owner, name, old in reversed(undo):
            setattr(owner, name, old)
        _put({id(new): (new, old) for old, new in pairs.values()}, [])
        load_pack.cache_clear()


def _install(changes: Changes, pairs: Pairs, undo: list[Place]) -> None:
    swaps = list(changes.swaps)
    if changes.policies:
        swaps.append(("events.packs.policy_from", _reading(changes.policies)))
    for path, make in swaps:
        owner, name, original = found(path)
        known = pairs.get(id(original))
        substitute = make(known[1] if known else original)
        if isinstance(owner, type):
            _set(owner, name, substitute, undo)
        else:
            pairs[id(original)] = (original, substitute)
    for path, make in changes.local:
        owner, name, original = found(path)
        _set(owner, name, make(original), undo)
    rebuilt = {
        name: _rebuilt(lifecycle, changes, pairs, undo) for name, lifecycle in LIFECYCLES.items()
    }
    for name, lifecycle in rebuilt.items():
        pairs[id(LIFECYCLES[name])] = (LIFECYCLES[name], lifecycle)
    pairs[id(LIFECYCLES)] = (LIFECYCLES, MappingProxyType(rebuilt))
    _put(pairs, undo)


def _put(pairs: Pairs, undo: list[Place]) -> None:
    """Put the second of each pair wherever a module of the engine names the first.

    Done the other way round in the end, for modules that were imported only meanwhile.
    """
    for module in [each for name, each in sys.modules.items() if name.startswith("sublife.")]:
        for name, value in list(vars(module).items()):
            if id(value) in pairs and pairs[id(value)][0] is value:
                _set(module, name, pairs[id(value)][1], undo)


def _set(owner: Any, name: str, value: Any, undo: list[Place]) -> None:
    old = vars(owner)[name] if isinstance(owner, type) else getattr(owner, name)
    undo.append((owner, name, old))
    setattr(owner, name, value)


def found(path: str) -> Place:
    """Return owner, name and value of what stands at a dotted path below `sublife`."""
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = import_module("sublife." + ".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for step in parts[length:-1]:
            owner = getattr(owner, step, None)
        if parts[-1] not in vars(owner or object):
            break
        return owner, parts[-1], cast("Any", vars(owner)[parts[-1]])
    raise SwitchError(f"there is no sublife.{path}; fix the entry that names it")


def _rebuilt(lifecycle: Lifecycle, changes: Changes, pairs: Pairs, undo: list[Place]) -> Lifecycle:
    """Return the lifecycle with other functions in its rows and other rows, to be compiled anew."""

    def put(function: Any) -> Any:
        if id(function) in pairs:
            return pairs[id(function)][1]
        for cell in getattr(function, "__closure__", None) or ():
            if id(cell.cell_contents) in pairs:
                _set_cell(cell, pairs[id(cell.cell_contents)][1], undo)
        return function

    given: list[Row] = [*lifecycle.rules, *lifecycle.closed]
    for change in [each for name, each in changes.rows if name == lifecycle.name]:
        changed = [change(row) for row in given]
        if all(new is old for new, old in zip(changed, given, strict=True)):
            raise SwitchError(f"no row of {lifecycle.name} is changed; fix the entry")
        given = [row for row in changed if row is not None]
    given += [row for name, row in changes.added if name == lifecycle.name]
    given = [_granting(row, changes) if isinstance(row, Closed) else row for row in given]
    rules = [
        replace(
            rule,
            act=_accepting(put(rule.act)) if changes.granted else put(rule.act),
            when=tuple(map(put, rule.when)),
            unless=tuple(map(put, rule.unless)),
        )
        for rule in given
        if isinstance(rule, Rule)
    ]
    return replace(
        lifecycle,
        rules=tuple(rules),
        closed=tuple(row for row in given if isinstance(row, Closed)),
        timers=put(lifecycle.timers),
        reads=put(lifecycle.reads),
        claims=put(lifecycle.claims),
        compounds={name: put(split) for name, split in lifecycle.compounds.items()},
    )


def _accepting(act: Any) -> Any:
    def accepted(case: Any) -> Any:
        found = act(case)
        return Effect(case.subject) if found is None else found

    return accepted


def _granting(closed: Closed, changes: Changes) -> Row:
    for code, rule in changes.granted:
        if closed.code == code and rule in {None, closed.ref}:
            return Rule(closed.event, closed.states, None, idle, (closed.ref,))
    return closed


def _set_cell(cell: Any, value: Any, undo: list[Place]) -> None:
    undo.append((cell, "cell_contents", cell.cell_contents))
    cell.cell_contents = value


def _reading(policies: list[Callable[[Policy], Policy]]) -> Make:
    def make(original: Any) -> Any:
        def policy_from(*given: Any, **named: Any) -> Policy:
            policy = cast("Policy", original(*given, **named))
            for change in policies:
                policy = change(policy)
            return policy

        return policy_from

    return make


def idle(case: Any) -> Effect[Any]:
    """Accept and do nothing."""
    return Effect(case.subject)
