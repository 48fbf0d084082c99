"""why(): explains a fact, an event or a refusal by deciding it again and watching what is asked."""

from collections.abc import Iterable

from sublife.events.store import Store
from sublife.events.store.audit import Audit, Line
from sublife.events.store.entry import entry_of
from sublife.events.verify.pack import policies_named
from sublife.events.why.explanation import (
    Explanation,
    FigureUsed,
    Happened,
    Link,
    RefusalSaid,
    RuleSaid,
    Sum,
    SwitchUsed,
    ValueRead,
)
from sublife.events.why.past import Past
from sublife.events.why.reason import Asked, explained
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import Refusal
from sublife.lifecycle.policy import Policy

__all__ = [
    "Explanation",
    "FigureUsed",
    "Happened",
    "Link",
    "RefusalSaid",
    "RuleSaid",
    "Sum",
    "SwitchUsed",
    "UnknownIdError",
    "ValueRead",
    "why",
]


class UnknownIdError(SublifeError, ValueError):
    """The tenant has no event, fact or activity record of that id."""


def why(store: Store, id_: str, *, policies: Iterable[Policy] = ()) -> Explanation:
    """Explain a fact, an event, a refusal or an activity record.

    The event is decided once more, on the subjects as the journal leaves them just before it and
    under the pack that stands on its row; what that decision asks for is the explanation. Nothing
    is written.

    Args:
        store: of the tenant; one that begins transactions of its own.
        id_: of a fact (`event#n`, from 0), of an event, or of an activity record.
        policies: packs of one's own that decided events; the store's and the shipped ones are at
            hand anyway.

    Returns:
        The explanation. What cannot be rebuilt, because a pack is not at hand or another release
        decided it, is left out and named in `doubts`; what the journal says is there in any case.

    Raises:
        UnknownIdError: the tenant has nothing of that id.
        UnreadableError: the row itself cannot be read.
        StoreError: the store is inside a host's transaction, or the database cannot answer.
    """
    with store.audit() as audit:
        asked = _asked(audit, store.tenant, id_)
        versions = audit.policies(store.tenant)
        at_hand = policies_named(versions, (store.policy, *policies))
        past = Past(audit, store.tenant, at_hand)
        return explained(asked, past, audit)


def _asked(audit: Audit, tenant: str, id_: str) -> Asked:
    """Return the row and the fact that an id stands for: a fact's before a record's."""
    if line := audit.line_of(tenant, id_):
        return Asked(id_, line, None)
    event_id, mark, number = id_.rpartition("#")
    is_number = bool(mark) and number.isascii() and number.isdecimal()
    line = audit.line_of(tenant, event_id) if is_number else None
    if line is not None and int(number) < _facts(line):
        return Asked(id_, line, int(number))
    if found := audit.fact_of(tenant, id_):
        line = audit.line_of(tenant, found[0])
        if line is not None:
            return Asked(id_, line, found[1])
    raise UnknownIdError(
        f'{tenant} has no event, fact or activity record "{id_}"; `sublife show SUBJECT --ids` '
        "lists those of a subject"
    )


def _facts(line: Line) -> int:
    outcome = entry_of(line).outcome
    return 0 if isinstance(outcome, Refusal) else len(outcome)
