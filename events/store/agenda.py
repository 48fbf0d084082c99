"""Where what is foreseen waits on disk until all of it is known; gone when closed."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Self


class Item(NamedTuple):
    """One event that is foreseen, as flat values; instants are text that sorts by time.

    Args:
        at: UTC instant it happens.
        event_id: it will have; foreseen twice, it stands once.
        said: everything else.
    """

    at: str
    event_id: str
    said: dict[str, Any]


class Agenda:
    """What is foreseen, in a file of SQLite without a name, which no one else sees.

    Use it as a context manager, so that the file is gone at the end.
    """

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE item (number INTEGER PRIMARY KEY, at TEXT, event_id TEXT UNIQUE,"
            " said TEXT);"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def keep(self, items: Iterable[Item]) -> None:
        """Put items down, in the order in which they take effect."""
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT OR IGNORE INTO item (at, event_id, said) VALUES (?, ?, ?)",
            ((each.at, each.event_id, json.dumps(each.said)) for each in items),
        )
        self._connection.execute("COMMIT")

    def in_order(self) -> Iterator[Item]:
        """Yield all of them by instant; at one instant, in the order in which they were put."""
        rows = self._connection.execute("SELECT at, event_id, said FROM item ORDER BY at, number")
        for at, event_id, said in rows:
            yield Item(at, event_id, json.loads(said))
