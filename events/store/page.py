"""A page of rows and the cursor to the next one."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self, TypeVar, cast

from sublife.events.store.error import StoreError
from sublife.lifecycle.identifier import unfit_character

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
        raise LimitError(f"limit must be between 1 and {MOST:,}, not {limit:,}")
    return limit


def cursor_of(question: str, key: Sequence[Any]) -> str:
    """Return the cursor behind the row with *key*, in the answers to *question*.

    Args:
        question: with whatever makes it another one, such as the tenant and the filters.
        key: the row's; instants in ISO 8601.
    """
    said = json.dumps([_mark(question, key), *key], ensure_ascii=False)
    return urlsafe_b64encode(said.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def key_of(question: str, cursor: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the key that *cursor* stands behind, by the names of its columns.

    Raises:
        CursorError: it was not given for this question, or a part of it was changed since.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        mark, *key = cast("list[Any]", json.loads(text))
    except (ValueError, TypeError, RecursionError):
        mark, key = None, []
    fits = len(key) == len(names) and all(map(_can_be, names, key))
    if not fits or mark != _mark(question, key):
        shown = f"{cursor[:40]}…" if len(cursor) > 40 else cursor
        raise CursorError(
            f"{shown!a} is no cursor of {question}; give the one that the page before carries, "
            "or none to begin"
        )
    return dict(zip(names, key, strict=True))


def _mark(question: str, key: Sequence[Any]) -> str:
    """Return what tells a cursor from those of other questions, and from one that was changed."""
    said = json.dumps([question, *key])
    return sha256(said.encode()).hexdigest()[:12]


def _can_be(name: str, value: object) -> bool:
    """Return whether a column can hold a value: cursors come back from outside."""
    if name in _COUNTS:
        return type(value) is int and 0 <= value <= _HIGHEST
    if not isinstance(value, str) or unfit_character(value) is not None:
        return False
    return not name.endswith("_at") or _is_instant(value)


def _is_instant(text: str) -> bool:
    try:
        at = datetime.fromisoformat(text)
        at.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return at.tzinfo is not None
