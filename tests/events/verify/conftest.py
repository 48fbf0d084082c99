"""A history with everything in it, and hands that get at its rows past the engine."""

# ruff: noqa: S608 – the SQL of somebody who must not, of names and values of our own

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.store.chain import CHAINED, chained
from sublife.events.verify import Verdict, verify
from sublife.lifecycle.subscription.model import ChangeSeats, Product, Upgrade

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
E5 = Product("E5", "Office E5", rank=5)


class Hands:
    """Whoever gets at the rows of a database with SQL, past everything that would stop them.

    Args:
        desk: at the store whose rows they are.
    """

    def __init__(self, desk: "Desk") -> None:
        self.desk = desk
        self.is_sqlite = desk.store.engine.dialect.name == "sqlite"

    @contextmanager
    def cursor(self) -> Generator[Any]:
        """Yield a cursor; no foreign key and no trigger looks at what it writes."""
        connection = self.desk.store.engine.raw_connection()
        cursor = connection.cursor()
        if self.is_sqlite:
            cursor.execute("PRAGMA foreign_keys = OFF")
        else:
            cursor.execute("SET session_replication_role = replica")
        try:
            yield cursor
        finally:
            if self.is_sqlite:
                cursor.execute("PRAGMA foreign_keys = ON")
            else:
                cursor.execute("SET session_replication_role = DEFAULT")
            connection.commit()
            cursor.close()
            connection.close()

    def write(self, *statements: str) -> None:
        """Run statements of SQL and commit."""
        with self.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.cursor() as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]

    @contextmanager
    def only_now(self, table: str = "sublife_journal") -> Generator[None]:
        """Put a table back as it was when the block ends."""
        self.write(f"CREATE TABLE kept AS SELECT * FROM {table}")
        yield
        self.write(
            f"DELETE FROM {table}",
            f"INSERT INTO {table} SELECT * FROM kept",
            "DROP TABLE kept",
        )

    def edit(self, subject: str, sequence: int, column: str, value: str) -> None:
        """Let one column of a journal row say something else.

        Args:
            subject: id.
            sequence: of the row.
            column: name.
            value: as SQL.
        """
        self.write(
            f'UPDATE sublife_journal SET "{column}" = {value} '
            f"WHERE tenant = 'default' AND subject = '{subject}' AND sequence = {sequence}"
        )

    def at(self, instant: str) -> str:
        """Return an instant of UTC as SQL."""
        return f"'{instant}.000000'" if self.is_sqlite else f"'{instant}+00'"

    def move(self, subject: str, *places: tuple[int, int]) -> None:
        """Give rows of a subject other sequences, each from the one to the other."""
        away = [
            f"UPDATE sublife_journal SET sequence = {1000 + to} "
            f"WHERE subject = '{subject}' AND sequence = {from_}"
            for from_, to in places
        ]
        back = (
            f"UPDATE sublife_journal SET sequence = sequence - 1000 "
            f"WHERE subject = '{subject}' AND sequence > 1000"
        )
        self.write(*away, back)

    def shift(self, subject: str, behind: int, by: int) -> None:
        """Renumber all rows of a subject behind one."""
        rows = f"FROM sublife_journal WHERE subject = '{subject}' AND sequence > {behind}"
        found = self.read(f"SELECT sequence {rows} ORDER BY sequence")
        self.move(subject, *((each[0], each[0] + by) for each in found))

    def drop(self, subject: str, *sequences: int) -> None:
        """Delete rows of a subject's journal."""
        places = ", ".join(map(str, sequences))
        self.write(
            f"DELETE FROM sublife_journal WHERE subject = '{subject}' AND sequence IN ({places})"
        )

    def insert(self, subject: str, like: int, sequence: int, *, proper: bool = False) -> None:
        """Put in a row like another one, at a sequence that is free.

        Args:
            subject: id.
            like: sequence of the row that it copies.
            sequence: its own.
            proper: give it the hash with which it follows on the row before.
        """
        with self.desk.store.audit() as audit:
            lines = list(audit.lines_of("default", subject))
        model = next(line for line in lines if line.sequence == like)
        before = next((line.hash for line in lines if line.sequence == sequence - 1), "")
        made = model._replace(sequence=sequence, event_id=f"made-up-{sequence}")
        hash_ = chained(before, made.parts) if proper else "0" * 64
        copied = (*CHAINED, "stamp", "actor_kind", "actor_id")
        values = {
            **{name: f'"{name}"' for name in copied},
            "sequence": str(sequence),
            "event_id": f"'made-up-{sequence}'",
            "hash": f"'{hash_}'",
        }
        names = ", ".join(f'"{name}"' for name in values)
        self.write(
            f"INSERT INTO sublife_journal ({names}) SELECT {', '.join(values.values())} "
            f"FROM sublife_journal WHERE subject = '{subject}' AND sequence = {like}"
        )

    def rehash(self, subject: str, sequence: int) -> None:
        """Give a row the hash that fits to what it says now."""
        with self.desk.store.audit() as audit:
            lines = {line.sequence: line for line in audit.lines_of("default", subject)}
        before = lines[sequence - 1].hash if sequence > 1 else ""
        hash_ = chained(before, lines[sequence].parts)
        self.write(
            f"UPDATE sublife_journal SET hash = '{hash_}' "
            f"WHERE subject = '{subject}' AND sequence = {sequence}"
        )

    def rewrite(self, subject: str, since: int) -> None:
        """Give all rows from *since* on, and the subject, the hashes that fit."""
        with self.desk.store.audit() as audit:
            last = [line.sequence for line in audit.lines_of("default", subject)][-1]
        for sequence in range(since, last + 1):
            self.rehash(subject, sequence)
        self.write(
            "UPDATE sublife_subject SET head = (SELECT hash FROM sublife_journal AS j "
            "WHERE j.tenant = 'default' AND j.subject = sublife_subject.id "
            f"AND j.sequence = {last}) WHERE id = '{subject}'"
        )


@pytest.fixture
def history(desk: "Desk") -> "Desk":
    """Three subjects that have lapsed, been renewed and come from another; a refusal; a tenant.

    `s1` has the rows purchase, provisioning ended, a refused reactivation, more seats, an upgrade
    of a part that `s3` arises from, then the timers of its lapse; `s0` was refused its birth.
    """
    desk.sell("s1", autorenew=False)
    desk.sell("s2", SOLD_AT + DAY)
    desk.do("reactivate", "s1", MID_TERM)
    desk.do("add_seats", "s1", MID_TERM + DAY, ChangeSeats(5))
    desk.do("upgrade", "s1", MID_TERM + 2 * DAY, Upgrade(E5, quantity=3, into="s3"))
    desk.sell("s0", MID_TERM + 3 * DAY, align_with="nobody")
    desk.wake(datetime(2025, 12, 1, tzinfo=UTC))
    return desk


@pytest.fixture
def hands(history: "Desk") -> Hands:
    """Hands on the history."""
    return Hands(history)


@pytest.fixture
def look(history: "Desk") -> Callable[..., Verdict]:
    """Verifies the history."""

    def look_(**more: Any) -> Verdict:
        return verify(history.store, **more)

    return look_
