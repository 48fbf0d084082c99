"""A page of rows and the cursor to the next one."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Self, TypeVar, cast

from sublife.events.store.error import StoreError

T = TypeVar("T")

LIMIT = 1000
"""Rows of one page, if not said otherwise."""
MOST = 10_000
"""Rows of the longest page there is."""
_COUNTS = frozenset({"sequence", "version", "number"})
_HIGHEST = 2**31 - 1


class CursorError(StoreError):
    """A cursor is none that this question gave."""


class LimitError(StoreError):
    """A page cannot have that many rows."""


class Page(tuple[T, ...]):
    """Rows in order, as a tuple that knows where to go on.

    Attributes:
        next: the cursor to give as `after` for the rows that follow; `None` at the end.
    """

    next: str | None

    def __new__(cls, rows: Iterable[T], cursor: str | None = None) -> Self:
        """Return a page of *rows*."""
        page = super().__new__(cls, rows)
        page.next = cursor
        return page


def bounded(limit: int) -> int:
    """Return *limit* if a page can have so many rows.

    Raises:
        LimitError: it is below 1 or above `MOST`.
    """
    if not 1 <= limit <= MOST:
        raise LimitError(f"a page of {limit} rows cannot be; give a limit from 1 to {MOST}")
    return limit


def cursor_of(question: str, key: Sequence[Any]) -> str:
    """Return the cursor behind the row with *key*, in the answers to *question*.

    Args:
        question: with whatever makes it another one, such as the tenant and the filters.
        key: the row's; instants in ISO 8601.
    """
    return urlsafe_b64encode(json.dumps([_mark(question), *key]).encode()).decode().rstrip("=")


def key_of(question: str, cursor: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the key that *cursor* stands behind, by the names of its columns.

    Raises:
        CursorError: it was not given for this question.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        mark, *key = cast("list[Any]", json.loads(text))
    except (ValueError, TypeError, RecursionError):
        mark, key = None, []
    if mark != _mark(question) or len(key) != len(names) or not all(map(_can_be, names, key)):
        raise CursorError(
            f'"{cursor}" is no cursor of {question}; give the one that the page before carries, '
            "or none to begin"
        )
    return dict(zip(names, key, strict=True))


def _mark(question: str) -> str:
    """Return what tells the cursors of one question from those of all others."""
    return sha256(question.encode()).hexdigest()[:12]


def _can_be(name: str, value: object) -> bool:
    """Return whether a column can hold a value: cursors come back from outside."""
    if name in _COUNTS:
        return type(value) is int and 0 <= value <= _HIGHEST
    if not isinstance(value, str) or "\x00" in value:
        return False
    return not name.endswith("_at") or _is_instant(value)


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
