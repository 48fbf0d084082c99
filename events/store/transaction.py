"""One transaction: reads subjects once, holds what is decided, writes it all in bulk."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Dialect

from sublife.events import codec
from sublife.events.records import Activity, Order, trails
from sublife.events.store.entry import Entry, entry_of
from sublife.events.store.error import ConflictError, StoreError
from sublife.events.store.statement import (
    BY_CUSTOMER,
    BY_ID,
    CHANGING,
    CLAIM,
    FIRST_LOOK,
    NEW_ACTIVITY,
    NEW_ENTRY,
    NEW_ORDER,
    NEW_SUBJECT,
    SINCE,
    UPDATE,
    restored,
    stored,
)
from sublife.lifecycle.machine import next_timer
from sublife.lifecycle.model import (
    ABSENT,
    ActorKind,
    Decision,
    Event,
    Fact,
    Refusal,
    Snapshot,
    Timer,
)
from sublife.lifecycle.policy import Policy


@dataclass(frozen=True, slots=True)
class Held:
    """A subject as a transaction holds it.

    Args:
        snapshot: the subject.
        lifecycle: the lifecycle it lives by.
        stored_version: the version its row has in the database; 0 if there is none.
        timer: its next timer.
    """

    snapshot: Snapshot
    lifecycle: str
    stored_version: int
    timer: Timer | None


class Transaction:
    """Reads subjects once, holds what is decided, and writes it all in bulk at the end."""

    def __init__(self, connection: Connection, *, tenant: str, policy: Policy) -> None:
        self.tenant = tenant
        self.policy = policy
        self._connection = connection
        self._held: dict[str, Held | None] = {}
        self._dirty: dict[str, None] = {}
        self._journal: list[dict[str, Any]] = []
        self._activities: list[dict[str, Any]] = []
        self._orders: list[dict[str, Any]] = []

    def look(self, event: Event) -> tuple[Entry, ...]:
        """Hold an event's subject, and return what the journal says of the event if it is known.

        Returns:
            Nothing if the event id is new; else its entry, and those of the timed events that fell
            due at its instant because of it.
        """
        key = {"t": self.tenant, "i": event.subject, "e": event.id}
        (row,) = FIRST_LOOK.rows(self._connection, key)
        self._held.setdefault(event.subject, None if row.id is None else _held(row))
        if row.known is None:
            return ()
        key = {"t": self.tenant, "known": row.known}
        entries = [entry_of(each) for each in self._connection.execute(SINCE, key)]
        return (entries[0], *takewhile(partial(_fell_due_with, entries[0]), entries[1:]))

    def held(self, subject: str) -> Held | None:
        """Return a subject as this transaction sees it, or `None` if it does not exist."""
        if subject not in self._held:
            rows = BY_ID.rows(self._connection, {"t": self.tenant, "i": subject})
            self._held[subject] = _held(rows[0]) if rows else None
        return self._held[subject]

    def of_customer(self, customer: str) -> tuple[str, ...]:
        """Return the ids of a customer's subjects and hold them."""
        for row in BY_CUSTOMER.rows(self._connection, {"t": self.tenant, "c": customer}):
            self._held.setdefault(row.id, _held(row))
        return tuple(
            sorted(
                name
                for name, held in self._held.items()
                if held is not None and held.snapshot.customer == customer
            )
        )

    def claim(
        self, until: datetime, *, limit: int, but: Collection[str] = ()
    ) -> tuple[tuple[str, ...], datetime, bool]:
        """Hold the subjects that are due first, and tell how far they may be moved.

        Args:
            until: UTC instant; what is due later stays.
            limit: how many to hold.
            but: ids to leave alone.

        Returns:
            The ids; the instant up to which no subject left out is due; whether any was left out.
        """
        key = {
            "t": self.tenant,
            "until": stored(until, self._connection.dialect),
            "n": limit + len(but) + 1,
        }
        rows = [row for row in CLAIM.rows(self._connection, key) if row.id not in but]
        for row in rows[:limit]:
            self._held.setdefault(row.id, _held(row))
        more = len(rows) > limit
        horizon = restored(rows[limit].due_at) if more else until
        return tuple(row.id for row in rows[:limit]), horizon, more

    def accept(self, event: Event, decision: Decision, *, recorded_at: datetime) -> None:
        """Take down an accepted event: the subject, the journal, the records."""
        before = self.held(event.subject)
        stored_version = before.stored_version if before else 0
        timer = next_timer(decision.snapshot, event.lifecycle)
        self._held[event.subject] = Held(decision.snapshot, event.lifecycle, stored_version, timer)
        self._dirty[event.subject] = None
        self._take_down(
            event,
            recorded_at=recorded_at,
            state_before=decision.state_before,
            state=decision.snapshot.state,
            version=decision.snapshot.version,
            rules=decision.rules,
            code=None,
            outcome=decision.facts,
        )
        self._record(event, decision, recorded_at)

    def refuse(self, event: Event, refusal: Refusal, *, recorded_at: datetime) -> None:
        """Take down a refused event; nothing but the journal changes."""
        held = self.held(event.subject)
        state = held.snapshot.state if held else ABSENT
        self._take_down(
            event,
            recorded_at=recorded_at,
            state_before=state,
            state=state,
            version=held.snapshot.version if held else 0,
            rules=(refusal.rule,),
            code=refusal.code,
            outcome=refusal,
        )

    def _take_down(
        self,
        event: Event,
        *,
        recorded_at: datetime,
        state_before: str,
        state: str,
        version: int,
        rules: tuple[str, ...],
        code: str | None,
        outcome: tuple[Fact, ...] | Refusal,
    ) -> None:
        self._journal.append(
            {
                "tenant": self.tenant,
                "event_id": event.id,
                "lifecycle": event.lifecycle,
                "subject": event.subject,
                "version": version,
                "name": event.name,
                "effective_at": event.at,
                "recorded_at": recorded_at,
                "actor_kind": event.actor.kind.value,
                "actor_id": event.actor.id,
                "actor": codec.encode_actor(event.actor),
                "cause": event.cause,
                "state_before": state_before,
                "state": str(state),
                "rules": " ".join(rules),
                "policy": self.policy.version,
                "code": code,
                "data": codec.encode(event.data),
                "outcome": codec.encode_outcome(outcome),
            }
        )

    def _record(self, event: Event, decision: Decision, recorded_at: datetime) -> None:
        snapshot = decision.snapshot
        shared = {
            "tenant": self.tenant,
            "effective_at": self._stored(event.at),
            "recorded_at": self._stored(recorded_at),
            "partner": snapshot.partner,
            "customer": snapshot.customer,
            "subscription": snapshot.id,
            "event_id": event.id,
            "version": snapshot.version,
            "policy": self.policy.version,
        }
        for number, trail in enumerate(trails(event, decision)):
            if trail.order is not None:
                self._orders.append(
                    {
                        **shared,
                        **_columns(trail.order, self._connection.dialect),
                        "number": number,
                        "status": "completed",
                    }
                )
            if trail.activity is not None:
                self._activities.append(
                    {
                        **shared,
                        **_columns(trail.activity, self._connection.dialect),
                        "number": number,
                        "actor_kind": event.actor.kind.value,
                        "actor_id": event.actor.id,
                        "rules": " ".join(trail.fact.rules),
                    }
                )

    def _stored(self, at: datetime | None) -> Any:
        return stored(at, self._connection.dialect)

    def flush(self) -> None:
        """Write everything held, in bulk.

        Raises:
            ConflictError: a subject's row is no longer the one that was decided on.
        """
        if self._dirty:
            self._write_subjects()
        for statement, rows in (
            (NEW_ENTRY, self._journal),
            (NEW_ACTIVITY, self._activities),
            (NEW_ORDER, self._orders),
        ):
            if rows:
                statement.write(self._connection, rows)

    def _write_subjects(self) -> None:
        new: list[dict[str, Any]] = []
        old: list[dict[str, Any]] = []
        for name in self._dirty:
            held = self._held[name]
            if held is None:
                raise StoreError(f"{name} was changed, but is not held")
            row = self._row(held)
            if held.stored_version == 0:
                new.append(row)
            else:
                was = {"t": self.tenant, "i": name, "was": held.stored_version}
                old.append({**{f"new_{key}": row[key] for key in CHANGING}, **was})
        if new:
            NEW_SUBJECT.write(self._connection, new)
        if old and UPDATE.write(self._connection, old) != len(old):
            raise ConflictError(
                f"a subject of {', '.join(self._dirty)} was changed by another writer; "
                "submit the event again"
            )

    def _row(self, held: Held) -> dict[str, Any]:
        """Return the row of a subject; its earliest timer stands on it."""
        snapshot, timer = held.snapshot, held.timer
        return {
            "tenant": self.tenant,
            "id": snapshot.id,
            "lifecycle": held.lifecycle,
            "state": str(snapshot.state),
            "version": snapshot.version,
            "customer": snapshot.customer,
            "partner": snapshot.partner,
            "changed_at": self._stored(snapshot.changed_at),
            "due_at": self._stored(timer.due_at if timer else None),
            "due": timer.name if timer else None,
            "snapshot": codec.encode(snapshot),
        }


def _fell_due_with(first: Entry, entry: Entry) -> bool:
    """Return whether a later entry of the subject is a timed event of the same instant."""
    return entry.event.actor.kind is ActorKind.TIMER and entry.event.at == first.event.at


def _held(row: Any) -> Held:
    snapshot = codec.decode_snapshot(row.lifecycle, row.snapshot)
    timer = next_timer(snapshot, row.lifecycle)
    return Held(snapshot, row.lifecycle, snapshot.version, timer)


def _columns(record: Activity | Order, dialect: Dialect) -> dict[str, Any]:
    """Return the fields of a record as columns; SQLite keeps amounts as text."""
    columns = {name: getattr(record, name) for name in record.__slots__}
    if isinstance(record, Order) and record.amount is not None and dialect.name == "sqlite":
        columns["amount"] = str(record.amount)
    return columns
