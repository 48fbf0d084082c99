"""Follows the journal in the order (stamp, position), and writes down what is to be delivered."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sublife.events.codec import decode_outcome
from sublife.events.store.delivery.shape import CommittedFact, Cursor, Status
from sublife.events.store.delivery.statement import (
    FOLLOWING,
    HANDED_OVER,
    NEW_DELIVERY,
    OPEN_SUBJECTS,
)
from sublife.events.store.entry import entry_of
from sublife.events.store.link import Link
from sublife.events.store.statement import written
from sublife.lifecycle.model import Refusal


class Reach(NamedTuple):
    """A page of the journal: its facts, the place of its last row, and whether more follows."""

    facts: tuple[CommittedFact, ...]
    cursor: Cursor
    more: bool


class Parked(NamedTuple):
    """A fact to be delivered later, with the attempt that has failed, if there was one.

    After a failed attempt without a next one it is dead.
    """

    fact: CommittedFact
    attempts: int = 0
    next_attempt_at: datetime | None = None
    error: str | None = None


def following(link: Link, tenant: str, cursor: Cursor, limit: int) -> Reach:
    """Return the facts behind a place in the journal that no open transaction can still precede.

    Args:
        link: to the database.
        tenant: whose journal.
        cursor: the last place read before.
        limit: journal rows, refused events included.
    """
    key = {"t": tenant, "k_stamp": cursor.stamp, "k_position": cursor.position, "n": limit + 1}
    rows = FOLLOWING.rows(link, key)
    kept = rows[:limit]
    accepted = [row for row in kept if row.code is None]
    partners = _partners(link, tenant, accepted)
    facts = tuple(
        fact
        for row in accepted
        for fact in _facts(tenant, row, partners.get((row.subject, row.version), row.partner))
    )
    last = Cursor(kept[-1].stamp, kept[-1].position) if kept else cursor
    return Reach(facts, last, len(rows) > limit)


def _facts(tenant: str, row: Any, partner: str) -> Iterator[CommittedFact]:
    entry = entry_of(row)
    found = () if isinstance(entry.outcome, Refusal) else entry.outcome
    for number in range(len(found)):
        yield CommittedFact(tenant, entry, number, row.customer, partner)


def _partners(link: Link, tenant: str, rows: Iterable[Any]) -> Mapping[tuple[str, int], str]:
    """Return who transacted for a subject at a version, where it is another partner by now.

    A subject's row knows its present partner only; a fact from before a transfer is not for the
    partner who came later (TRM-29).
    """
    behind = [(row.subject, row.version) for row in rows if row.sequence < row.latest]
    if not behind:
        return {}
    key = {"t": tenant, "ids": json.dumps(sorted({subject for subject, _ in behind}))}
    moves: dict[str, list[tuple[int, str]]] = {}
    for row in HANDED_OVER.rows(link, key):
        outcome = decode_outcome(row.outcome)
        for fact in () if isinstance(outcome, Refusal) else outcome:
            if source := fact.data.get("source_partner"):
                moves.setdefault(row.subscription, []).append((row.version, str(source)))
    found: dict[tuple[str, int], str] = {}
    for subject, version in behind:
        later = (source for moved, source in moves.get(subject, ()) if moved > version)
        if (source := next(later, None)) is not None:
            found[subject, version] = source
    return found


def open_subjects(
    link: Link, tenant: str, consumer: str, subjects: Collection[str]
) -> frozenset[str]:
    """Return those of *subjects* of which an earlier fact is still pending."""
    if not subjects:
        return frozenset()
    key = {"t": tenant, "c": consumer, "ids": json.dumps(sorted(subjects))}
    return frozenset(row.subject for row in OPEN_SUBJECTS.rows(link, key))


def append(link: Link, tenant: str, consumer: str, parked: Sequence[Parked], now: datetime) -> None:
    """Write down facts to be delivered; the consumer must be locked.

    The first one of a subject is due at once, or when it says; those behind it wait for it.
    """
    if not parked:
        return
    waiting = set(open_subjects(link, tenant, consumer, {each.fact.subject for each in parked}))
    rows: list[tuple[Any, ...]] = []
    for fact, attempts, next_attempt_at, error in parked:
        is_dead = bool(attempts) and next_attempt_at is None
        due_at = None if is_dead or fact.subject in waiting else next_attempt_at or now
        if not is_dead:
            waiting.add(fact.subject)
        rows.append(
            (
                tenant,
                consumer,
                fact.subject,
                fact.sequence,
                fact.number,
                fact.entry.event.id,
                fact.name,
                fact.customer,
                fact.partner,
                written(now),
                Status.DEAD.value if is_dead else Status.PENDING.value,
                attempts,
                written(now) if attempts else None,
                written(due_at),
                written(now) if is_dead else None,
                None,
                error,
            )
        )
    NEW_DELIVERY.write(link, rows)
