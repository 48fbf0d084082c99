"""A journal row as a value, and the digest over rows."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sublife.events import codec
from sublife.events.store.statement import restored
from sublife.lifecycle.model import Event, Fact, Refusal, iso


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: what, when, when written, who, why, and what came of it.

    Args:
        event: with its effective instant, actor and payload.
        state_before: of the subject.
        state: of the subject after it; the same if it was refused.
        version: of the subject after it.
        sequence: of the row among those of its subject, refused ones included, from 1.
        rules: that decided it.
        policy: id and content hash of the pack that decided it.
        recorded_at: UTC instant it was written down.
        outcome: the facts, or the refusal.
    """

    event: Event
    state_before: str
    state: str
    version: int
    sequence: int
    rules: tuple[str, ...]
    policy: str
    recorded_at: datetime
    outcome: tuple[Fact, ...] | Refusal


def entry_of(row: Any) -> Entry:
    """Return a journal row as an entry."""
    event = Event(
        row.event_id,
        row.name,
        row.subject,
        restored(row.effective_at),
        codec.decode_actor(row.actor),
        codec.decode_payload(row.lifecycle, row.name, row.data),
        row.cause,
        row.lifecycle,
    )
    return Entry(
        event,
        row.state_before,
        row.state,
        row.version,
        row.sequence,
        tuple(row.rules.split()),
        row.policy,
        restored(row.recorded_at),
        codec.decode_outcome(row.outcome),
    )


JSON_AT = frozenset({6, 13, 14})
"""Where `DIGESTED` has JSON, which PostgreSQL gives back in an order and spacing of its own."""


def digest_of(rows: Iterable[tuple[Any, ...]], *, canonical: bool) -> str:
    """Return the SHA-256 of journal rows, in hexadecimal: all but when they were written down.

    Args:
        rows: the columns of `DIGESTED`, by subject and sequence.
        canonical: whether JSON comes as it was written; else it is brought back to that form.
    """
    sha = sha256()
    for row in rows:
        effective_at, *rest = row if canonical else map(_canonical, range(len(row)), row)
        parts = (iso(restored(effective_at)), *("" if each is None else str(each) for each in rest))
        sha.update(("\x1f".join(parts) + "\n").encode())
    return sha.hexdigest()


def _canonical(place: int, value: Any) -> Any:
    return codec.canonical(json.loads(value)) if place in JSON_AT else value
