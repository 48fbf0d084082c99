"""Questions to the store, answered a page at a time by keys, never by counting rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Integer, Table, bindparam, select, tuple_

from sublife.events.layout import JOURNAL, SUBJECT, ExactAmount, UtcDateTime
from sublife.events.store.entry import Entry, entry_of
from sublife.events.store.history import ENTRY
from sublife.events.store.link import Link
from sublife.events.store.page import Page, bounded, cursor_of, key_of
from sublife.events.store.statement import Statement, restored, stored
from sublife.lifecycle.model import utc

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Due:
    """A subject with a timer, and when that is due."""

    subject: str
    lifecycle: str
    state: str
    timer: str
    due_at: datetime


RECORD_KEY = ("effective_at", "subscription", "version", "number")
"""Records are ordered by instant, then sequence (EVT-05)."""


@cache
def _records(
    table: Table,
    filters: tuple[str, ...],
    *,
    since: bool,
    until: bool,
    after: bool = False,
    paged: bool = True,
) -> Statement:
    query = select(table).where(table.c.tenant == bindparam("t"))
    for name in filters:
        query = query.where(table.c[name] == bindparam(f"f_{name}"))
    if since:
        query = query.where(table.c.effective_at >= bindparam("since"))
    if until:
        query = query.where(table.c.effective_at < bindparam("until"))
    keys = [table.c[name] for name in RECORD_KEY]
    if after:
        query = query.where(_behind(keys))
    query = query.order_by(*keys)
    return Statement(query.limit(bindparam("n", type_=Integer())) if paged else query)


def records(
    link: Link,
    tenant: str,
    into: tuple[Table, Callable[..., R]],
    filters: Mapping[str, str | None],
    period: tuple[datetime | None, datetime | None],
    page: tuple[str | None, int],
) -> Page[R]:
    """Return activity or order records, by instant, then sequence.

    Args:
        link: to the database.
        tenant: whose records.
        into: the table, and what makes a record of its columns.
        filters: values of columns, by name; `None` is no filter.
        period: UTC instants, from and until, the latter exclusive.
        page: the cursor of the page before, and how many rows.
    """
    table, record = into
    given = {name: value for name, value in filters.items() if value is not None}
    (since, until), (after, limit) = period, page
    statement = _records(
        table,
        tuple(given),
        since=since is not None,
        until=until is not None,
        after=after is not None,
    )
    values: dict[str, Any] = {f"f_{name}": value for name, value in given.items()}
    values |= {"t": tenant, "n": bounded(limit) + 1}
    values |= {"since": _instant(link, since, "since"), "until": _instant(link, until, "until")}
    question = _question(table.name, tenant, given)
    if after is not None:
        values |= _from(link, key_of(question, after, RECORD_KEY), "effective_at")
    restore = _restoring(table)
    rows = [record(**restore(each)) for each in statement.rows(link, values)]
    return _paged(question, rows, limit, _record_key)


def stream(
    link: Link,
    tenant: str,
    table: Table,
    filters: Mapping[str, str | None],
    period: tuple[datetime | None, datetime | None],
) -> Iterator[dict[str, Any]]:
    """Yield activity or order records as plain values, by instant, then sequence.

    Pages of a million rows that share an instant would each sort all of them; this sorts once.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    since, until = period
    statement = _records(
        table, tuple(given), since=since is not None, until=until is not None, paged=False
    )
    values: dict[str, Any] = {f"f_{name}": value for name, value in given.items()} | {"t": tenant}
    values |= {"since": _instant(link, since, "since"), "until": _instant(link, until, "until")}
    yield from map(_restoring(table), statement.stream(link, values))


def _record_key(row: Any) -> list[Any]:
    return [row.effective_at.isoformat(), *(getattr(row, name) for name in RECORD_KEY[1:])]


def _restoring(table: Table) -> Callable[[Any], dict[str, Any]]:
    """Return what makes typed values of a driver's row."""
    instants = {each.name for each in table.c if isinstance(each.type, UtcDateTime)}
    amounts = {each.name for each in table.c if isinstance(each.type, ExactAmount)}

    def restore(row: Any) -> dict[str, Any]:
        found: dict[str, Any] = row._asdict()
        for name in instants & found.keys():
            found[name] = found[name] and restored(found[name])
        for name in amounts:
            found[name] = None if found[name] is None else Decimal(found[name])
        return found

    return restore


_HISTORY_KEY = ("sequence",)
_OF_ONE = (
    select(*ENTRY)
    .where(
        JOURNAL.c.tenant == bindparam("t"),
        JOURNAL.c.subject == bindparam("i"),
        JOURNAL.c.sequence > bindparam("k_sequence"),
    )
    .order_by(JOURNAL.c.sequence)
    .limit(bindparam("n", type_=Integer()))
)
HISTORY = Statement(_OF_ONE)


def history(link: Link, tenant: str, subject: str, after: str | None, limit: int) -> Page[Entry]:
    """Return the journal of one subject, in the order of its sequence."""
    question = _question("history", tenant, {"subject": subject})
    key = {"sequence": 0} if after is None else key_of(question, after, _HISTORY_KEY)
    values = {"t": tenant, "i": subject, "n": bounded(limit) + 1, "k_sequence": key["sequence"]}
    rows = [entry_of(row) for row in HISTORY.rows(link, values)]
    return _paged(question, rows, limit, lambda each: [each.sequence])


_DUE_KEY = ("due_at", "id")


@cache
def _due(*, until: bool, after: bool) -> Statement:
    columns = (SUBJECT.c.id, SUBJECT.c.lifecycle, SUBJECT.c.state, SUBJECT.c.due, SUBJECT.c.due_at)
    query = select(*columns).where(
        SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at.is_not(None)
    )
    if until:
        query = query.where(SUBJECT.c.due_at <= bindparam("until"))
    keys = [SUBJECT.c[name] for name in _DUE_KEY]
    if after:
        query = query.where(_behind(keys))
    return Statement(query.order_by(*keys).limit(bindparam("n", type_=Integer())))


def due(
    link: Link, tenant: str, until: datetime | None, after: str | None, limit: int
) -> Page[Due]:
    """Return subjects with a timer, the earliest first."""
    question = _question("due", tenant, {})
    values: dict[str, Any] = {"t": tenant, "n": bounded(limit) + 1}
    values |= {"until": _instant(link, until, "until")}
    if after is not None:
        values |= _from(link, key_of(question, after, _DUE_KEY), "due_at")
    statement = _due(until=until is not None, after=after is not None)
    rows = [
        Due(row.id, row.lifecycle, row.state, row.due, restored(row.due_at))
        for row in statement.rows(link, values)
    ]
    return _paged(question, rows, limit, lambda each: [each.due_at.isoformat(), each.subject])


@cache
def _due_of_customers(*, customer: bool, after: bool) -> Statement:
    keys = [SUBJECT.c.customer, SUBJECT.c.id]
    query = select(*keys).where(
        SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at <= bindparam("until")
    )
    if customer:
        query = query.where(SUBJECT.c.customer == bindparam("f_customer"))
    if after:
        query = query.where(_behind(keys))
    return Statement(query.order_by(*keys).limit(bindparam("n", type_=Integer())))


def due_by_customer(
    link: Link,
    tenant: str,
    until: datetime,
    *,
    customer: str | None = None,
    after: tuple[str, str] | None = None,
    limit: int,
) -> list[tuple[str, str]]:
    """Return customer and id of subjects due by *until*, inclusive, by customer, then id."""
    values: dict[str, Any] = {"t": tenant, "until": _instant(link, until, "until"), "n": limit}
    values["f_customer"] = customer
    values |= dict(zip(("k_customer", "k_id"), after or ("", ""), strict=True))
    statement = _due_of_customers(customer=customer is not None, after=after is not None)
    return [(row[0], row[1]) for row in statement.raw(link, values)]


def _instant(link: Link, at: datetime | None, name: str) -> Any:
    """Return an instant of the caller's, of whatever zone, as the driver takes it.

    Raises:
        ModelError: it has no zone.
    """
    return None if at is None else stored(utc(at, name=name), link.dialect)


def _question(asked: str, tenant: str, filters: Mapping[str, str]) -> str:
    """Return what a cursor belongs to; the period may move on from page to page."""
    said = "".join(f", {name} {value}" for name, value in sorted(filters.items()))
    return f"{asked} of tenant {tenant}{said}"


def _behind(keys: Sequence[Column[Any]]) -> ColumnElement[bool]:
    return tuple_(*keys) > tuple_(*[bindparam(f"k_{key.name}", type_=key.type) for key in keys])


def _from(link: Link, key: Mapping[str, Any], instant: str) -> dict[str, Any]:
    """Return a cursor's key as parameters of the driver."""
    at = _instant(link, datetime.fromisoformat(key[instant]), instant)
    return {f"k_{name}": value for name, value in {**key, instant: at}.items()}


def _paged(question: str, rows: list[T], limit: int, key: Callable[[T], Sequence[Any]]) -> Page[T]:
    """Return *rows* as a page; one row more than asked for says that there are more."""
    more = len(rows) > limit
    kept = rows[:limit]
    return Page(kept, cursor_of(question, key(kept[-1])) if more else None)
