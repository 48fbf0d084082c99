"""What is said of a subject's row that cannot be read."""

from typing import Any

from pydantic import ValidationError

from sublife.events import codec
from sublife.events.store.error import UnreadableError
from sublife.events.store.statement import restored
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import Snapshot

_SHOWN = 120
"""Characters of a problem that are shown: what stands in the row may be long."""


def snapshot_of(row: Any) -> Snapshot:
    """Return the snapshot of a subject's row.

    Raises:
        UnreadableError: it cannot be read.
    """
    try:
        return codec.decode_snapshot(row.lifecycle, row.snapshot)
    except ValueError as error:
        raise unreadable(row, error) from error


def unreadable(row: Any, error: ValueError) -> UnreadableError:
    """Return the error of a subject's row, with the column that is to blame."""
    return UnreadableError(row.id, _problem(row, error))


def _problem(row: Any, error: ValueError) -> str:
    if isinstance(error, UnknownLifecycleError):
        return f"column lifecycle has {row.lifecycle[:_SHOWN]!a}, which this installation lacks"
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"column snapshot, {where or 'as a whole'}: {first['msg'][:_SHOWN]}"
    try:
        restored(row.due_at)
    except ValueError:
        return f"column due_at has {row.due_at[:_SHOWN]!a}, which is not an instant"
    return f"column snapshot: {str(error)[:_SHOWN]}"
