"""Tells what was done to a subject's journal where its chain breaks."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from sublife.events import codec
from sublife.events.store.audit import Line, SubjectLine
from sublife.events.store.chain import chained
from sublife.events.verify.finding import Finding, Wrong
from sublife.events.verify.guess import guessed

_RENUMBERED = 64
"""So many rows may have been dropped before the ones that were given new numbers, to be told."""


class Break(NamedTuple):
    """Where a chain breaks.

    Args:
        line: the first row that is not the one that should come.
        sequence: that should come.
        head: hash of the row before; `START` if there is none.
        last: the row before.
        before: hash of the row before that one.
    """

    line: Line
    sequence: int
    head: str
    last: Line | None
    before: str


class _Ahead(NamedTuple):
    """What lies behind the break.

    Args:
        following: the next row.
        due: the row that should have come, wherever it lies.
        due_after: hash of the row that lies before that one.
    """

    following: Line | None
    due: Line | None
    due_after: str


def hashed(previous: str, line: Line) -> str | None:
    """Return the hash that a row must have; `None` if it cannot have been written by us."""
    try:
        return chained(previous, line.parts)
    except ValueError:
        return None


def follows(head: str, line: Line) -> bool:
    """Return whether a row is the one that was written behind the row with the hash *head*."""
    return hashed(head, line) == line.hash and misfit(line) is None


def misfit(line: Line) -> str | None:
    """Return the column outside the chain that does not say what those inside it say."""
    if (line.actor_kind, line.actor_id) != _acting(line.actor):
        kind, _ = _acting(line.actor)
        return "actor_id" if line.actor_kind == kind else "actor_kind"
    return next((name for name in ("cause", "code") if getattr(line, name) == ""), None)


@lru_cache(maxsize=1024)
def _acting(actor: str) -> tuple[str, str]:
    try:
        found = codec.decode_actor(actor)
    except ValueError:
        return "", ""
    return found.kind.value, found.id


def diagnose(at: Break, lines: Callable[[], Iterator[Line]], row: SubjectLine | None) -> Finding:
    """Return what was done to the row at which a chain breaks.

    Args:
        at: where.
        lines: reads the subject's journal once more, from its first row.
        row: the subject's own; `None` if it has none.
    """
    line, place = at.line, at.sequence
    if row is not None and (row.sequence, row.head) == (place - 1, at.head):
        return _found(line, Wrong.INSERTED, f"the subject's own row ends at row {row.sequence}")
    if line.sequence == place and hashed(at.head, line) == line.hash:
        return _changed(line, misfit(line), "it does not say what the chained columns say")
    ahead = _look_ahead(at, lines())
    if line.sequence != place:
        return _out_of_sequence(at, ahead)
    return _moved(at, ahead) or _renumbered(at, ahead, row) or _altered(at, ahead, row)


def _look_ahead(at: Break, lines: Iterator[Line]) -> _Ahead:
    following: Line | None = None
    passed, lying_before = False, at.head
    for line in lines:
        passed = passed or line == at.line
        if not passed:
            continue
        if following is None and line != at.line:
            following = line
        if hashed(at.head, line._replace(sequence=at.sequence)) in {line.hash, at.line.hash}:
            return _Ahead(following, line, lying_before)
        lying_before = line.hash
    return _Ahead(following, None, "")


def _out_of_sequence(at: Break, ahead: _Ahead) -> Finding:
    """Return why a number is missing, or is there twice."""
    line, place = at.line, at.sequence
    if ahead.due is not None and ahead.due.sequence != place:
        says = f"its sequence was changed from {place} to {ahead.due.sequence}"
        return _changed(ahead.due._replace(sequence=place), "sequence", says)
    if line.sequence < place:
        says = f"its sequence {line.sequence} is none that can come after row {place - 1}"
        return _found(line, Wrong.INSERTED, says)
    return _dropped(line, place, line.sequence - 1, "the numbers before it are missing")


def _moved(at: Break, ahead: _Ahead) -> Finding | None:
    """Return which rows were swapped or inserted, if the row that should come lies elsewhere."""
    line, place = at.line, at.sequence
    if at.last and hashed(at.before, line._replace(sequence=place - 1)) == line.hash:
        says = f"without it, row {place} follows on row {place - 2}"
        return _found(at.last, Wrong.INSERTED, says)
    due = ahead.due
    if due is None:
        return None
    ours = line._replace(sequence=due.sequence)
    homes = {hashed(head, ours) for head in (ahead.due_after, due.hash, line.hash)}
    if homes & {line.hash, due.hash}:
        says = (
            f"what belongs here lies at row {due.sequence} (event {due.event_id}), and the other "
            "way round: the two were swapped"
        )
        return _found(line, Wrong.SWAPPED, says)
    says = f"row {due.sequence} (event {due.event_id}) is the one that follows on row {place - 1}"
    return _found(line, Wrong.INSERTED, says)


def _renumbered(at: Break, ahead: _Ahead, row: SubjectLine | None) -> Finding | None:
    """Return which rows were dropped, if the rest was given new numbers."""
    line, place, following = at.line, at.sequence, ahead.following
    for dropped in range(1, _RENUMBERED + 1):
        if following is not None:
            other = following._replace(sequence=following.sequence + dropped)
            is_so = hashed(line.hash, other) == following.hash
        else:
            is_so = row is not None and (row.sequence, row.head) == (place + dropped, line.hash)
        if is_so:
            says = f"row {place} and those behind it once had numbers higher by {dropped}"
            return _dropped(line, place, place + dropped - 1, says)
    return None


def _altered(at: Break, ahead: _Ahead, row: SubjectLine | None) -> Finding:
    """Return which column of a row was changed, as far as that can be told."""
    line, following = at.line, ahead.following

    def leads_on(head: str) -> bool:
        if following is not None:
            return hashed(head, following) == following.hash
        return row is not None and row.head == head

    own = hashed(at.head, line)
    if own is not None and leads_on(own):
        return _changed(line, "hash", "its hash was changed; the rest of it is as it was written")
    if guess := guessed(at.head, line, at.last, following, row):
        column, was = guess
        now = getattr(line, column)
        return _changed(line, column, f'its {column} says "{now}" and said "{was or "nothing"}"')
    if not leads_on(line.hash):
        return _changed(line, None, "it was changed, and so was what comes behind it")
    says = "its hash does not cover what it says: one of its columns was changed"
    if at.last is not None:
        says += f", or row {at.last.sequence} (event {at.last.event_id}) was and got a new hash"
    return _changed(line, None, says)


def _found(line: Line, wrong: Wrong, says: str) -> Finding:
    return Finding(
        line.tenant, line.subject, wrong, says, sequence=line.sequence, event=line.event_id
    )


def _changed(line: Line, column: str | None, says: str) -> Finding:
    return Finding(
        line.tenant,
        line.subject,
        Wrong.CHANGED,
        says,
        sequence=line.sequence,
        event=line.event_id,
        column=column,
    )


def _dropped(next_one: Line, first: int, last: int, why: str) -> Finding:
    rows = f"row {first} is" if first == last else f"rows {first} to {last} are"
    says = f"{rows} not there; the next one is event {next_one.event_id}: {why}"
    return Finding(next_one.tenant, next_one.subject, Wrong.DROPPED, says, sequence=first)
