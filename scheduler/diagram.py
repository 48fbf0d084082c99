"""State diagrams of the lifecycles, drawn from their rules as Mermaid text; pure."""

from collections.abc import Iterable, Mapping

from sublife.lifecycle.model import ABSENT, Lifecycle, Rule
from sublife.lifecycle.soundness import edges

BEGINNING = """\
# The lifecycles, drawn

Generated from the rules by `sublife lifecycles`; never drawn by hand. `sublife lifecycles --check \
docs/lifecycles.md` tells whether it is current.

An arrow is a change of state and names what causes it: requests as they are, timed events in \
*italics* in the lists and with a clock (⏱) on arrows, and in brackets the conditions that choose \
among several rules. What may still be refused is not drawn. Below each diagram stands what \
leaves a state as it is."""


def document(lifecycles: Iterable[Lifecycle]) -> str:
    """Return one page with a diagram of each lifecycle, in their order."""
    return "\n\n".join([BEGINNING, *map(section, lifecycles)]) + "\n"


def section(lifecycle: Lifecycle) -> str:
    """Return a heading, the diagram and the lists of one lifecycle."""
    parts = [f"## {lifecycle.name}", f"```mermaid\n{diagram(lifecycle)}\n```"]
    if kept := _kept(lifecycle):
        rows = [f"| `{state}` | {', '.join(names)} |" for state, names in kept.items()]
        parts.append("\n".join(["| State | Stays so on |", "|---|---|", *rows]))
    if born := _born(lifecycle):
        parts.append(f"Begins in a state of its own: {', '.join(born)}.")
    return "\n\n".join(parts)


def diagram(lifecycle: Lifecycle) -> str:
    """Return the lifecycle as a Mermaid `stateDiagram-v2`.

    Every rule that names another state to lead to is drawn, rules between the same two states on
    one arrow. The states stand in the order a subject meets them, the arrows in that of the rules.
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for source, to, rule in edges(lifecycle):
        labels = arrows.setdefault((source, to), [])
        if (label := _label(lifecycle, rule)) not in labels:
            labels.append(label)
    lines = [
        *(f'state "{state}" as {_id(state)}' for state in map(str, lifecycle.states)),
        *(
            f"{_id(source)} --> {_id(to)}: {'<br/>'.join(labels)}"
            for (source, to), labels in arrows.items()
        ),
        *(f"{_id(state)} --> [*]" for state in _final(lifecycle)),
    ]
    return "\n".join(["stateDiagram-v2", *(f"    {line}" for line in lines)])


def _id(state: str) -> str:
    """Return a state's id in the diagram, where a hyphen would be read as part of an arrow."""
    return "[*]" if state == ABSENT else state.replace("-", "_")


def _final(lifecycle: Lifecycle) -> tuple[str, ...]:
    """Return the final states in the order of all of them."""
    return tuple(str(state) for state in lifecycle.states if state in lifecycle.final)


def _label(lifecycle: Lifecycle, rule: Rule) -> str:
    """Return an event with a clock if it is timed, and with the conditions that choose it."""
    clock = "⏱ " if rule.event in lifecycle.ticks else ""
    conditions = [condition.__name__.replace("_", " ") for condition in rule.when]
    chosen = f" [{', '.join(conditions)}]" if conditions else ""
    return f"{clock}{rule.event}{chosen}"


def _kept(lifecycle: Lifecycle) -> Mapping[str, tuple[str, ...]]:
    """Return what is accepted in each state and leaves it as it is."""
    found: dict[str, dict[str, None]] = {}
    for state in map(str, lifecycle.states):
        for rule in lifecycle.rules:
            here = state in map(str, rule.sources)
            if here and (rule.to is None or str(rule.to) == state):
                name = f"*{rule.event}*" if rule.event in lifecycle.ticks else f"`{rule.event}`"
                found.setdefault(state, {})[name] = None
    return {state: tuple(names) for state, names in found.items()}


def _born(lifecycle: Lifecycle) -> tuple[str, ...]:
    """Return what creates a subject in whatever state it brings along."""
    return tuple(
        f"`{rule.event}`"
        for rule in lifecycle.rules
        if rule.to is None and ABSENT in map(str, rule.sources)
    )
