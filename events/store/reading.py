"""Questions to the store, answered a page at a time by keys, never by counting rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Integer, Table, bindparam, select, tuple_

from sublife.events.layout import ACTIVITY, JOURNAL, ORDER, SUBJECT
from sublife.events.records import Kind
from sublife.events.store.entry import Entry, entry_of
from sublife.events.store.error import UnreadableError
from sublife.events.store.history import ENTRY
from sublife.events.store.link import Link
from sublife.events.store.page import Page, bounded, key_of
from sublife.events.store.paging import Rows, paged
from sublife.events.store.readable import unreadable
from sublife.events.store.statement import Statement, stored
from sublife.events.store.typed import WRONG, LeftOut, Reader, instant, one_of
from sublife.lifecycle.model import utc

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Due:
    """A subject with a timer, and when that is due."""

    subject: str
    lifecycle: str
    state: str
    timer: str
    due_at: datetime


_REBUILT = "`sublife verify --rebuild` tells what it must say; restore it from a backup"
RECORDS: Mapping[str, Reader] = {
    table.name: Reader(table, key=itemgetter("id"), remedy=f"{_REBUILT}", **shapes)
    for table, shapes in ((ACTIVITY, {"kind": one_of(Kind)}), (ORDER, dict[str, Any]()))
}
"""What reads activity and order records, by the names of their tables."""
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
    left_out: LeftOut | None = None,
) -> Page[R]:
    """Return activity or order records, by instant, then sequence.

    Args:
        link: to the database.
        tenant: whose records.
        into: the table, and what makes a record of its columns.
        filters: values of columns, by name; `None` is no filter.
        period: UTC instants, from and until, the latter exclusive.
        page: the cursor of the page before, and how many rows.
        left_out: takes the error of each row that cannot be read; if not given, it is raised.
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
    reader = RECORDS[table.name]
    rows = Rows(statement, link, values)
    return paged(rows, lambda each: record(**reader.values(each)), limit, left_out).page(
        question, _record_key
    )


def stream(
    link: Link,
    tenant: str,
    table: Table,
    filters: Mapping[str, str | None],
    period: tuple[datetime | None, datetime | None],
    left_out: LeftOut | None = None,
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
    read = RECORDS[table.name].values
    for each in statement.stream(link, values):
        try:
            yield read(each)
        except UnreadableError as error:
            if left_out is None:
                raise
            left_out(error)


def _record_key(row: Any) -> list[Any]:
    return [row.effective_at.isoformat(), *(getattr(row, name) for name in RECORD_KEY[1:])]


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


def history(
    link: Link,
    tenant: str,
    subject: str,
    page: tuple[str | None, int],
    left_out: LeftOut | None = None,
) -> Page[Entry]:
    """Return the journal of one subject, in the order of its sequence."""
    after, limit = page
    question = _question("history", tenant, {"subject": subject})
    key = {"sequence": 0} if after is None else key_of(question, after, _HISTORY_KEY)
    values = {"t": tenant, "i": subject, "n": bounded(limit) + 1, "k_sequence": key["sequence"]}
    rows = Rows(HISTORY, link, values)
    return paged(rows, entry_of, limit, left_out).page(question, lambda each: [each.sequence])


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
    link: Link,
    tenant: str,
    until: datetime | None,
    page: tuple[str | None, int],
    left_out: LeftOut | None = None,
) -> Page[Due]:
    """Return subjects with a timer, the earliest first."""
    after, limit = page
    question = _question("due", tenant, {})
    values: dict[str, Any] = {"t": tenant, "n": bounded(limit) + 1}
    values |= {"until": _instant(link, until, "until")}
    if after is not None:
        values |= _from(link, key_of(question, after, _DUE_KEY), "due_at")
    statement = _due(until=until is not None, after=after is not None)
    rows = Rows(statement, link, values)
    return paged(rows, _due_of, limit, left_out).page(
        question, lambda each: [each.due_at.isoformat(), each.subject]
    )


def _due_of(row: Any) -> Due:
    try:
        return Due(row.id, row.lifecycle, row.state, row.due, instant(row.due_at))
    except WRONG as error:
        raise unreadable(row, error) from error


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
