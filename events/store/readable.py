"""Subjects and journal rows: what is said of one that cannot be read."""

from typing import Any

from pydantic import ValidationError

from sublife.events import codec
from sublife.events.store.error import UnreadableError
from sublife.events.store.typed import WRONG, instant
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import Snapshot

ASIDE = "set aside: "
"""How the timer of a subject begins that is set aside; what follows is for taking it back."""
NEVER = "9999-01-01 00:00:00.000000"
"""When a subject that is set aside is due: no calendar reaches it, and an index finds it."""
_SHOWN = 120
"""Characters of a problem that are shown: what stands in the row may be long."""


def snapshot_of(row: Any) -> Snapshot:
    """Return the snapshot of a subject's row.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        found = codec.decode_snapshot(row.lifecycle, row.snapshot)
        if not type(row.sequence) is type(row.stamp) is int:
            raise TypeError
        if row.due:
            _demand_timer(row)
    except WRONG as error:
        raise unreadable(row, error) from error
    return found


def _demand_timer(row: Any) -> None:
    instant(row.due_at)
    if row.due.startswith(ASIDE):
        raise ValueError


def unreadable(row: Any, error: Exception) -> UnreadableError:
    """Return the error of a subject's row, with the column that is to blame."""
    column, problem = _problem(row, error)
    if str(getattr(row, "due", "")).startswith(ASIDE):
        column, problem = "due", f": the subject is set aside, since column {column}{problem}"
    return UnreadableError(
        f"the row of {row.id}",
        "sublife_subject",
        column,
        f"column {column}{problem}",
        _remedy(row.id, is_aside=column == "due"),
        row.id,
    )


def _remedy(subject: str, *, is_aside: bool) -> str:
    if is_aside:
        return (
            f"when its journal is sound again, `sublife repair {subject}` brings it back; "
            f"`sublife repair {subject} --release` lets the calendar try it as it is"
        )
    return f"`sublife repair {subject}` rebuilds it from its journal"


def _problem(row: Any, error: Exception) -> tuple[str, str]:
    """Return the column of a subject's row that is wrong, and what is wrong with it."""
    if isinstance(error, UnknownLifecycleError):
        return "lifecycle", f" has {str(row.lifecycle)[:_SHOWN]!a}, which this installation lacks"
    if isinstance(error, ValidationError):
        return "snapshot", _first_of(error)
    for column in ("sequence", "stamp"):
        value = getattr(row, column, 0)
        if not isinstance(value, int):
            return column, f" has {str(value)[:_SHOWN]!a}, which is not a whole number"
    try:
        if getattr(row, "due", None):
            instant(row.due_at)
    except WRONG:
        return "due_at", f" has {str(row.due_at)[:_SHOWN]!a}, which is not an instant"
    if str(getattr(row, "due", "")).startswith(ASIDE):
        return "due", " says so"
    if not isinstance(row.lifecycle, str):
        return "lifecycle", " is not text"
    if not isinstance(row.snapshot, str):
        return "snapshot", " is not text"
    return "snapshot", f": {str(error)[:_SHOWN]}"


def _first_of(error: ValidationError) -> str:
    """Return the first thing that is wrong with JSON, without what stands there."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f", {where or 'as a whole'}: {first['msg'][:_SHOWN]}"


def unreadable_entry(row: Any, column: str, error: Exception) -> UnreadableError:
    """Return the error of a journal row, of which one column cannot be read."""
    if isinstance(error, ValidationError):
        problem = _first_of(error)
    elif isinstance(error, UnknownLifecycleError):
        problem = f" has {str(row.lifecycle)[:_SHOWN]!a}, which this installation lacks"
    elif column in {"effective_at", "recorded_at"}:
        problem = f" has {str(getattr(row, column))[:_SHOWN]!a}, which is not an instant"
    elif column in {"sequence", "version"}:
        problem = " does not have the number that it must have"
    else:
        problem = " does not have the form that this release writes"
    return UnreadableError(
        f"the row of event {row.event_id}",
        "sublife_journal",
        column,
        f"column {column}{problem}",
        "`sublife verify` tells what was done to it; restore it from a backup",
    )
