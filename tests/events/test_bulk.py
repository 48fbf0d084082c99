"""Many rows written at once come back as the same rows, in the order they were given."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, Text, UniqueConstraint, select

from sublife.events.store import ConflictError
from sublife.events.store.bulk import COPIED, TOGETHER, Bulk, BulkUpdate
from sublife.events.store.database import Own, open_engine
from sublife.events.tables import UtcDateTime

WORDS = Table(
    "bulk_word",
    MetaData(),
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("id", String, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("said", Text),
    UniqueConstraint("tenant", "id"),
)
COLUMNS = ("tenant", "id", "sequence", "at", "said")
AT = "2025-10-31 00:00:00.000000"


@pytest.fixture(name="own")
def _own(url: str) -> Iterator[Own]:
    """Transactions on an empty database that has the table alone."""
    own = Own(open_engine(url))
    WORDS.create(own.engine)
    yield own
    own.close()


def _given(count: int, *, said: str | None = None, every: int = 1) -> list[tuple[Any, ...]]:
    """Return rows of which a column differs in one of *every* rows."""
    return [
        ("default", f"s{n:03}", 1 + (n % every == 0), AT, said if n % every else f"{n}")
        for n in range(count)
    ]


def _stored(own: Own) -> list[tuple[Any, ...]]:
    with own.engine.connect() as connection:
        rows = connection.execute(select(WORDS).order_by(WORDS.c.position)).all()
    return [(row.tenant, row.id, row.sequence, _said(row.at), row.said) for row in rows]


def _said(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(" ", "microseconds")


@pytest.mark.parametrize("count", [1, 2, COPIED, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 7])
@pytest.mark.parametrize("every", [1, 2, 1000])
def test_rows_come_back_as_given_and_in_order(own: Own, count: int, every: int) -> None:
    """Whatever they have in common, also nothing but a null."""
    rows = _given(count, every=every)

    with own.writing() as link:
        written = Bulk(WORDS, COLUMNS).write(link, rows)

    assert written == count
    assert _stored(own) == rows


def test_a_row_that_is_there_is_a_conflict_and_leaves_no_other(own: Own) -> None:
    rows = _given(3 * TOGETHER)

    with pytest.raises(ConflictError), own.writing() as link:
        Bulk(WORDS, COLUMNS).write(link, [*rows, rows[0]])

    assert _stored(own) == []


@pytest.mark.parametrize("count", [1, TOGETHER, 3 * TOGETHER + 7])
def test_a_row_that_has_moved_on_is_not_updated(own: Own, count: int) -> None:
    rows = _given(count, every=2)
    update = BulkUpdate(WORDS, ("said", "sequence"))

    with own.writing() as link:
        Bulk(WORDS, COLUMNS).write(link, rows)
        touched = update.write(link, [("new", 9, row[0], row[1], 2) for row in rows])

    assert touched == (count + 1) // 2
    assert [row[4] == "new" for row in _stored(own)] == [n % 2 == 0 for n in range(count)]
