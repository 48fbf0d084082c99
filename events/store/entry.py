"""A journal row as a value, and the digest over rows."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from operator import index
from typing import Any

from sublife.events import codec
from sublife.events.store.error import UnreadableError
from sublife.events.store.readable import unreadable_entry
from sublife.events.store.statement import restored
from sublife.events.store.typed import WRONG, instant
from sublife.lifecycle.machine import lifecycle_named
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
    """Return a journal row as an entry.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        return _read(row)
    except WRONG as error:
        raise _unreadable(row, error) from error


def _read(row: Any) -> Entry:
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
        index(row.version),
        _place(row.sequence),
        tuple(row.rules.split()),
        row.policy,
        restored(row.recorded_at),
        codec.decode_outcome(row.outcome),
    )


def _place(sequence: Any) -> int:
    """Return the place of a row in its journal; an audit has 0 where it is no number."""
    found = index(sequence)
    if found < 1:
        raise ValueError
    return found


def _unreadable(row: Any, error: Exception) -> UnreadableError:
    """Return the error of a journal row, with the first column that cannot be read."""
    columns: tuple[tuple[str, Callable[[], object]], ...] = (
        ("lifecycle", lambda: lifecycle_named(row.lifecycle)),
        ("effective_at", lambda: instant(row.effective_at)),
        ("recorded_at", lambda: instant(row.recorded_at)),
        ("actor", lambda: codec.decode_actor(row.actor)),
        ("data", lambda: codec.decode_payload(row.lifecycle, row.name, row.data)),
        ("outcome", lambda: codec.decode_outcome(row.outcome)),
        ("rules", lambda: str.split(row.rules)),
        ("version", lambda: index(row.version)),
        ("sequence", lambda: _place(row.sequence)),
    )
    for column, read in columns:
        try:
            read()
        except WRONG as wrong:
            return unreadable_entry(row, column, wrong)
    return unreadable_entry(row, "data", error)


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
