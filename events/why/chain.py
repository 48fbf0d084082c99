"""What led to an event: the one it followed from, or the one that set its timer, and so on."""

from collections.abc import Sequence

from sublife.events.store.audit import Audit
from sublife.events.store.entry import entry_of
from sublife.events.why import told
from sublife.events.why.arithmetic import LAST, Named, by_calendar, instants, said, summed
from sublife.events.why.explanation import Link, Sum
from sublife.events.why.past import Past, Step, UnrebuiltError
from sublife.events.why.watched import Watched, watched_step
from sublife.lifecycle.machine import timers
from sublife.lifecycle.model import ActorKind, Snapshot
from sublife.lifecycle.tracing import Watch

MOST = 24
"""Links that are told; a subscription that renews every month has many."""


def chain(
    decided: Watched, steps: Sequence[Step], past: Past, audit: Audit
) -> tuple[tuple[Link, ...], bool, tuple[str, ...]]:
    """Return the links back to a request or the first timer, whether more follow, and doubts."""
    links: list[Link] = []
    step = decided.step
    try:
        while len(links) < MOST:
            found = _behind(step, steps, past, audit)
            if found is None:
                return tuple(links), False, ()
            link, step, steps = found
            links.append(link)
    except UnrebuiltError as error:
        return tuple(links), True, (f"the chain is not told further: {error}",)
    return tuple(links), _behind(step, steps, past, audit) is not None, ()


def _behind(
    step: Step, steps: Sequence[Step], past: Past, audit: Audit
) -> tuple[Link, Step, Sequence[Step]] | None:
    """Return what is behind a row, or `None` if it was asked for from outside."""
    event = step.event
    if event.cause is not None:
        line = audit.line_of(step.line.tenant, event.cause)
        if line is None:
            raise UnrebuiltError(f"{event.cause}, which it follows from, is not in the journal")
        moment = past.at(line, lambda found: found)
        link = Link(f"{event.name} follows from it", (), told.happened(entry_of(line)))
        return link, moment.steps[-1], moment.steps
    if event.actor.kind is not ActorKind.TIMER or step.before is None:
        return None
    field = _field_of(step.before, event.lifecycle, Named(event.name, event.at))
    origin = None if field is None else _origin(field[1], steps[: steps.index(step)])
    if field is None or origin is None:
        return None
    led = f"it set {field[1].text}, and {event.name} is due then"
    if field[1].name == LAST:
        led = f"{event.name} is due at its instant"
    sum_ = _sum_of(field[1], origin, past)
    link = Link(led, () if sum_ is None else (sum_,), told.happened(entry_of(origin.line)))
    return link, origin, steps


def due(step: Step) -> tuple[Sum, ...]:
    """Return when a timed event was due, by what its timer reads of the subject."""
    event = step.event
    if event.actor.kind is not ActorKind.TIMER or event.cause is not None or step.before is None:
        return ()
    found = _field_of(step.before, event.lifecycle, Named(event.name, event.at))
    return () if found is None else (found[0],)


def next_timers(snapshot: Snapshot, lifecycle: str) -> tuple[Sum, ...]:
    """Return the timers of a subject, the earliest first, each by what it reads of the subject."""
    found: list[Sum] = []
    for timer in sorted(timers(snapshot, lifecycle), key=lambda each: each.due_at):
        wanted = Named(timer.name, timer.due_at)
        field = _field_of(snapshot, lifecycle, wanted)
        at = said(timer.due_at)
        found.append(field[0] if field else Sum(timer.name, at, at, None))
    return tuple(found)


def _field_of(snapshot: Snapshot, lifecycle: str, wanted: Named) -> tuple[Sum, Named] | None:
    """Return the field that a timer takes its instant from, with the last step from it."""
    watch = Watch()
    subject = watch.subject(snapshot)
    with watch.watching():
        timers(subject, lifecycle)
    read = watch.values.get(snapshot.id, {})
    bases = [each for name, value in read.items() for each in instants(value, name)]
    for base in sorted(bases, key=lambda each: each.name == LAST):
        if found := by_calendar(wanted, [base]):
            top = base.name.partition(".")[0]
            same = (each for each in bases if each.name.partition(".")[0] == top)
            names = (each.name for each in same if each.when == base.when)
            return found, Named(", ".join(names), base.when)
    return None


def _origin(field: Named, steps: Sequence[Step]) -> Step | None:
    """Return the latest accepted row that gave a field the value it has had since."""
    origin: Step | None = None
    for step in reversed(steps):
        if step.line.code is not None:
            continue
        if step.after is None or not _has(step.after, field):
            break
        origin = step
    return origin


def _has(snapshot: Snapshot, field: Named) -> bool:
    """Return whether a subject has an instant in a field, or in several that go together."""
    names = field.name.split(", ")
    return {Named(name, field.when) for name in names} <= set(instants(snapshot))


def _sum_of(field: Named, origin: Step, past: Past) -> Sum | None:
    decided = watched_step(origin, past.policy(origin.line))
    return summed(field, decided.known)
