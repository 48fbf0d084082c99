"""Tells which column of a row was changed, by what its hash proves."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sublife.events import codec
from sublife.events.store.audit import Line, SubjectLine
from sublife.events.store.chain import chained
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import ABSENT, TIMER_ID, Actor, ActorKind, iso


def guessed(
    head: str, line: Line, last: Line | None, following: Line | None, row: SubjectLine | None
) -> tuple[str, Any] | None:
    """Return the column that was changed and what it said, if one of its neighbours knows.

    Every value that the column may have had is tried; the one with which the row has its hash is
    the one it had. There is no doubt left then, and where no value fits, nothing is told.

    Args:
        head: hash of the row before.
        line: the row whose hash does not cover what it says.
        last: the row before.
        following: the row behind.
        row: the subject's own.
    """
    for column, value in _candidates(line, last, following, row):
        other = line._replace(**{column: value})
        with suppress(ValueError):
            if chained(head, other.parts) == line.hash:
                return column, value
    return None


def _candidates(
    line: Line, last: Line | None, following: Line | None, row: SubjectLine | None
) -> Iterator[tuple[str, Any]]:
    """Yield columns with values that they may have had."""
    near = [each for each in (last, following) if each is not None]
    for column in ("effective_at", "recorded_at", "actor", "rules", "policy", "data", "outcome"):
        yield from _each(column, (getattr(each, column) for each in near))
    before, version = (last.state, last.version) if last else (ABSENT, 0)
    yield from _each("version", (version, version + 1))
    yield from _each("state_before", (before,))
    yield from _each("state", (line.state_before, *(each.state for each in (row,) if each)))
    yield from _each("state", (following.state_before,) if following else ())
    yield from _each("lifecycle", LIFECYCLES)
    for lifecycle in LIFECYCLES.values():
        yield from _each("name", (*lifecycle.requests, *lifecycle.ticks))
    yield from _each("effective_at", (line.recorded_at,))
    yield from _each("recorded_at", (line.effective_at,))
    yield from _each("cause", (None, line.event_id.rpartition("/")[0]))
    yield "data", "{}"
    yield from _of_outcome(line)
    yield from _of_actor(line)
    yield from _of_timer(line, version)


def _each(column: str, values: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for value in values:
        yield column, value


def _of_outcome(line: Line) -> Iterator[tuple[str, Any]]:
    """Yield what the outcome says once more in columns of its own."""
    yield "code", None
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        said = json.loads(line.outcome)["of"]
        if isinstance(said, dict):
            yield "code", said["code"]
            yield "rules", said["rule"]
        else:
            yield "rules", " ".join(dict.fromkeys(rule for fact in said for rule in fact[2]))


def _of_actor(line: Line) -> Iterator[tuple[str, Any]]:
    """Yield actors that the plain columns beside it name."""
    if line.actor_kind in set(ActorKind):
        yield "actor", codec.encode_actor(Actor(ActorKind(line.actor_kind), line.actor_id))


def _of_timer(line: Line, version: int) -> Iterator[tuple[str, Any]]:
    """Yield what the id of a timed event is made of, and the id itself (GEN-08)."""
    with suppress(ValueError):
        at = iso(datetime.fromisoformat(line.effective_at).replace(tzinfo=UTC))
        yield "event_id", f"{TIMER_ID}{line.subject}/{line.name}/{at}/{version}"
    parts = line.event_id.rsplit("/", 3)
    if line.event_id.startswith(TIMER_ID) and len(parts) == 4:
        with suppress(ValueError):
            at_ = datetime.fromisoformat(parts[2]).replace(tzinfo=None)
            yield "effective_at", at_.isoformat(" ", "microseconds")
