"""Reads a page of rows; one that cannot be read is an error, or is left out and named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sublife.events.store.error import UnreadableError
from sublife.events.store.link import Link
from sublife.events.store.page import Page, cursor_of
from sublife.events.store.statement import Statement
from sublife.events.store.typed import LeftOut

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """The answers to a question, in order.

    Args:
        statement: the question; it takes `n`, the number of rows.
        link: to the database.
        given: the other parameters of the question.
    """

    statement: Statement
    link: Link
    given: Mapping[str, Any]

    def first(self, number: int) -> list[Any]:
        """Return the first *number* rows."""
        return self.statement.rows(self.link, {**self.given, "n": number})


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """What was read of a page, and whether more rows follow."""

    rows: list[T]
    more: bool

    def page(self, question: str, key: Callable[[T], Sequence[Any]]) -> Page[T]:
        """Return it as a page; the cursor stands behind its last row."""
        return Page(self.rows, cursor_of(question, key(self.rows[-1])) if self.more else None)


def paged(
    rows: Rows, read: Callable[[Any], T], limit: int, left_out: LeftOut | None = None
) -> Kept[T]:
    """Return the first *limit* rows that can be read.

    A cursor stands behind a row that can be read. Where there are too few of them among the rows
    asked for, more are asked for, so that a page always leads on.

    Args:
        rows: in order.
        read: makes a value of a row.
        limit: values of the page.
        left_out: takes the errors of rows up to the last one of the page; if not given, the first
            of them is raised.

    Raises:
        UnreadableError: a row cannot be read, and *left_out* is not given.
    """
    number = limit + 1
    while True:
        found = rows.first(number)
        kept, errors = _read(found, read, raises=left_out is None)
        is_all = len(found) < number
        if is_all or len(kept) > limit:
            break
        number *= 2
    for place, error in errors:
        if left_out is not None and (place < limit or len(kept) <= limit):
            left_out(error)
    return Kept(kept[:limit], len(kept) > limit)


def _read(
    rows: Sequence[Any], read: Callable[[Any], T], *, raises: bool
) -> tuple[list[T], list[tuple[int, UnreadableError]]]:
    """Return what can be read, and each error with the number of values before it."""
    kept: list[T] = []
    errors: list[tuple[int, UnreadableError]] = []
    for row in rows:
        try:
            kept.append(read(row))
        except UnreadableError as error:
            if raises:
                raise
            errors.append((len(kept), error))
    return kept, errors
