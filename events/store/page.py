"""A page of rows and the cursor to the next one."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any, Self, TypeVar, cast

from sublife.events.store.error import StoreError

T = TypeVar("T")

LIMIT = 1000
"""Rows of one page, if not said otherwise."""


class CursorError(StoreError):
    """A cursor is none that this question gave."""


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


def cursor_of(question: str, key: Sequence[Any]) -> str:
    """Return the cursor behind the row with *key*, in the answers to *question*."""
    return urlsafe_b64encode(json.dumps([question, *key]).encode()).decode().rstrip("=")


def key_of(question: str, cursor: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the key that *cursor* stands behind, by the names of its columns.

    Raises:
        CursorError: it was not given for this question.
    """
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        asked, *key = cast("list[Any]", json.loads(text))
    except (ValueError, TypeError):
        asked, key = None, []
    if asked != question or len(key) != len(names):
        raise CursorError(
            f'"{cursor}" is no cursor of {question}; give the one that the page before carries, '
            "or none to begin"
        )
    return dict(zip(names, key, strict=True))
