"""The history of one subject with the subject as each event left it."""

from collections.abc import Iterable

from sublife.events.store import Entry, Store
from sublife.events.store.entry import entry_of
from sublife.events.verify.pack import policies_named
from sublife.events.why.past import Past, UnrebuiltError
from sublife.lifecycle.model import Snapshot
from sublife.lifecycle.policy import Policy


def story(
    store: Store, subject: str, *, policies: Iterable[Policy] = ()
) -> tuple[tuple[Entry, Snapshot | None], ...]:
    """Return every journal row of a subject, each with the subject after it.

    Where the history cannot be rebuilt, because a pack is not at hand or another release decided
    it, only the last row has its subject.

    Args:
        store: of the tenant; one that begins transactions of its own.
        subject: id.
        policies: packs of one's own that decided events.
    """
    latest = store.get(subject)
    with store.audit() as audit:
        lines = tuple(audit.lines_of(store.tenant, subject))
        if not lines:
            return ()
        at_hand = policies_named({line.policy for line in lines}, (store.policy, *policies))
        past = Past(audit, store.tenant, at_hand)
        try:
            steps = past.at(lines[-1], lambda moment: moment.steps)
            known = [step.after for step in steps[:-1]]
        except UnrebuiltError:
            known = [None for _ in lines[:-1]]
    return tuple(zip(map(entry_of, lines), (*known, latest), strict=True))
