"""Where rebuilt subjects wait on disk while a long journal is decided again; gone when closed."""

import sqlite3
from collections.abc import Iterator
from typing import NamedTuple, Self


class Rebuilt(NamedTuple):
    """A subject as far as it has been rebuilt.

    Args:
        subject: id.
        sequence: of its latest journal row.
        lifecycle: it lives by; empty while every event on it has been refused.
        customer: whose it is.
        snapshot: as JSON; empty while every event on it has been refused.
    """

    subject: str
    sequence: int
    lifecycle: str
    customer: str
    snapshot: str


class Scratch:
    """Rebuilt subjects in a file of SQLite without a name, which no one else sees.

    Use it as a context manager, so that the file is gone at the end.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE rebuilt (subject TEXT PRIMARY KEY, sequence INTEGER, lifecycle TEXT,"
            " customer TEXT, snapshot TEXT) WITHOUT ROWID;"
            "CREATE INDEX rebuilt_customer ON rebuilt (customer, subject);"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def find(self, subject: str) -> Rebuilt | None:
        """Return a subject, or `None` if nothing is known of it yet."""
        row = self._connection.execute(
            "SELECT * FROM rebuilt WHERE subject = ?", (subject,)
        ).fetchone()
        return Rebuilt._make(row) if row else None

    def of_customer(self, customer: str) -> tuple[str, ...]:
        """Return the ids of a customer's subjects, in order."""
        rows = self._connection.execute(
            "SELECT subject FROM rebuilt WHERE customer = ? AND snapshot <> '' ORDER BY subject",
            (customer,),
        )
        return tuple(row[0] for row in rows)

    def keep(self, rebuilt: Rebuilt) -> None:
        """Put a subject in the place of what was known of it."""
        self._connection.execute("INSERT OR REPLACE INTO rebuilt VALUES (?, ?, ?, ?, ?)", rebuilt)

    def all(self) -> Iterator[Rebuilt]:
        """Yield every subject that exists, by id."""
        rows = self._connection.execute(
            "SELECT * FROM rebuilt WHERE snapshot <> '' ORDER BY subject"
        )
        yield from map(Rebuilt._make, rows)
