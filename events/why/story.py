"""The history of one subject with the subject as each event left it."""

from collections.abc import Iterable, Sequence

from sublife.events.store import Entry, Store
from sublife.events.store.audit import Line
from sublife.events.store.entry import entry_of
from sublife.events.store.error import UnreadableError
from sublife.events.store.typed import LeftOut, readable
from sublife.events.verify.pack import policies_named
from sublife.events.why.past import Past, UnrebuiltError
from sublife.lifecycle.model import Snapshot
from sublife.lifecycle.policy import Policy


def story(
    store: Store,
    subject: str,
    *,
    policies: Iterable[Policy] = (),
    left_out: LeftOut | None = None,
) -> tuple[tuple[Entry, Snapshot | None], ...]:
    """Return every journal row of a subject, each with the subject after it.

    Where the history cannot be rebuilt, because a pack is not at hand, another release decided
    it or a row cannot be read, only the last row has its subject.

    Args:
        store: of the tenant; one that begins transactions of its own.
        subject: id.
        policies: packs of one's own that decided events.
        left_out: takes the error of each row that cannot be read, be it of the journal or the
            subject's own; if not given, it is raised.

    Raises:
        UnreadableError: a row cannot be read, and *left_out* is not given.
    """
    latest = _latest(store, subject, left_out)
    with store.audit() as audit:
        lines = tuple(audit.lines_of(store.tenant, subject))
        if not lines:
            return ()
        entries = readable(lines, entry_of, left_out)
        if len(entries) < len(lines):
            known: list[Snapshot | None] = [None for _ in entries[:-1]]
        else:
            at_hand = policies_named({line.policy for line in lines}, (store.policy, *policies))
            known = _known(Past(audit, store.tenant, at_hand), lines)
    return tuple(zip(entries, (*known, latest), strict=True)) if entries else ()


def _latest(store: Store, subject: str, left_out: LeftOut | None) -> Snapshot | None:
    try:
        return store.get(subject)
    except UnreadableError as error:
        if left_out is None:
            raise
        left_out(error)
        return None


def _known(past: Past, lines: Sequence[Line]) -> list[Snapshot | None]:
    """Return the subject after each row but the last; `None` where it cannot be rebuilt."""
    try:
        steps = past.at(lines[-1], lambda moment: moment.steps)
    except UnrebuiltError:
        return [None for _ in lines[:-1]]
    return [step.after for step in steps[:-1]]
