"""The store: the only folder that speaks SQL. Subjects, journal and records of many tenants."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table, select

from sublife.events import codec
from sublife.events.packs import load_pack
from sublife.events.store.engine import READING, open_engine
from sublife.events.store.entry import Entry, digest_of, entry_of
from sublife.events.store.error import ConflictError, StoreError
from sublife.events.store.statement import (
    ACTIVITY,
    ALL_SUBJECTS,
    ANY_ENTRY,
    BY_ID,
    DIGESTED,
    HISTORY,
    JOURNAL,
    NEXT_DUE,
    ORDER,
    restored,
)
from sublife.events.store.transaction import Held, Transaction
from sublife.events.tables import ActivityRow, OrderRow
from sublife.lifecycle.model import Snapshot
from sublife.lifecycle.policy import Policy

__all__ = ["Clock", "ConflictError", "Entry", "Held", "Store", "StoreError", "Transaction"]


class Clock(Protocol):
    """Where the store learns when it writes something down."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        ...


class Store:
    """Subjects, journal and records of one tenant in one database.

    Args:
        engine: an SQLAlchemy engine; `Store.open` makes the right one.
        clock: tells when things are written down.
        policy: decides events submitted here; the pack `microsoft-csp` if not given.
        tenant: whose rows these are; tenants never see each other.
    """

    def __init__(
        self, engine: Engine, *, clock: Clock, policy: Policy | None = None, tenant: str = "default"
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.policy = policy or load_pack()
        self.tenant = tenant
        self._reader = engine.execution_options(**{READING: True})

    @classmethod
    def open(
        cls,
        url: str = "sqlite://",
        *,
        clock: Clock,
        policy: Policy | None = None,
        tenant: str = "default",
    ) -> "Store":
        """Open a database, making its tables where they are missing.

        Args:
            url: `sqlite://` (in memory, for one thread) or `sqlite:///path/to/file.db`.
            clock: tells when things are written down.
            policy: decides events submitted here; the pack `microsoft-csp` if not given.
            tenant: whose rows these are.

        Raises:
            StoreError: the address is no SQLite address, or the database cannot be opened.
        """
        return cls(open_engine(url), clock=clock, policy=policy, tenant=tenant)

    def of(
        self, tenant: str, *, policy: Policy | None = None, clock: Clock | None = None
    ) -> "Store":
        """Return the same database for another tenant, policy or clock."""
        return Store(
            self.engine, clock=clock or self.clock, policy=policy or self.policy, tenant=tenant
        )

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Generator[Transaction]:
        """Begin one transaction; it commits when the block ends and rolls back if it raises."""
        with self.engine.begin() as connection:
            tx = Transaction(connection, tenant=self.tenant, policy=self.policy)
            yield tx
            tx.flush()

    @contextmanager
    def _reading(self) -> Generator[Connection]:
        with self._reader.begin() as connection:
            yield connection

    def snapshot(self, subject: str) -> Snapshot | None:
        """Return a subject as it stands, or `None` if it does not exist."""
        with self._reading() as connection:
            rows = BY_ID.rows(connection, {"t": self.tenant, "i": subject})
        return codec.decode_snapshot(rows[0].lifecycle, rows[0].snapshot) if rows else None

    def snapshots(self) -> Mapping[str, Snapshot]:
        """Return every subject of the tenant by its id, in order of the ids."""
        with self._reading() as connection:
            rows = ALL_SUBJECTS.rows(connection, {"t": self.tenant})
        return {row.id: codec.decode_snapshot(row.lifecycle, row.snapshot) for row in rows}

    def next_due(self) -> datetime | None:
        """Return the earliest instant at which a timer of the tenant is due, or `None`."""
        with self._reading() as connection:
            due_at = NEXT_DUE.rows(connection, {"t": self.tenant})[0].due_at
        return None if due_at is None else restored(due_at)

    def history(self, subject: str | None = None) -> tuple[Entry, ...]:
        """Return the journal of one subject, or of all, by subject and version."""
        query = HISTORY if subject is None else HISTORY.where(JOURNAL.c.subject == subject)
        with self._reading() as connection:
            return tuple(entry_of(row) for row in connection.execute(query, {"t": self.tenant}))

    def activities(self) -> Sequence[ActivityRow]:
        """Return the activity records of the tenant, by instant, then sequence (EVT-05)."""
        return [ActivityRow(**row) for row in self._rows(ACTIVITY)]

    def orders(self) -> Sequence[OrderRow]:
        """Return the order records of the tenant, by instant, then sequence."""
        return [OrderRow(**row) for row in self._rows(ORDER)]

    def _rows(self, table: Table) -> Sequence[Mapping[str, Any]]:
        by = (table.c.effective_at, table.c.subscription, table.c.version, table.c.number)
        query = select(table).where(table.c.tenant == self.tenant).order_by(*by)
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def is_empty(self) -> bool:
        """Return whether nothing has been written for the tenant."""
        with self._reading() as connection:
            return not ANY_ENTRY.rows(connection, {"t": self.tenant})

    def digest(self) -> str:
        """Return the SHA-256 of the tenant's journal, in hexadecimal.

        Over what happened, to whom, when, by whom and why; not over when it was written down, so
        a daemon that slept has the digest of one that did not.
        """
        with self._reading() as connection:
            return digest_of(DIGESTED.rows(connection, {"t": self.tenant}))
