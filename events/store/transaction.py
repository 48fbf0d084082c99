"""One transaction: reads subjects once, holds what is decided, writes it all in bulk."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from sublife.events import codec
from sublife.events.store.entry import Entry, entry_of
from sublife.events.store.error import IsolationError, UnreadableError
from sublife.events.store.history import (
    ADVISORY,
    AHEAD,
    BEHIND,
    CLAIM,
    CLAIM_BESIDE,
    CLAIM_UNPAUSED,
    CLAIM_WAITING,
    DUE_HELD,
    DUE_OF_CUSTOMER,
    KNOWN,
    KNOWN_FIRST,
    LOCKED,
    LOOK,
    LOOK_FIRST,
    OF_CUSTOMER,
    SEVERAL,
    SINCE,
    UNLOCKED,
)
from sublife.events.store.ledger import Held, Ledger
from sublife.events.store.link import Link
from sublife.events.store.pause import (
    HeldUp,
    Pause,
    PausedError,
    held_up,
    paused_lifecycles,
    pauses_of,
    refuse_paused,
    refuse_paused_due,
)
from sublife.events.store.reach import Reach
from sublife.events.store.readable import ASIDE, snapshot_of, unreadable
from sublife.events.store.statement import Statement, restored, written
from sublife.events.store.typed import WRONG, instant_or
from sublife.lifecycle.machine import next_timer, reads
from sublife.lifecycle.model import (
    ActorKind,
    Decision,
    Event,
    Refusal,
    Timer,
    filled,
)
from sublife.lifecycle.policy import Policy


@dataclass(frozen=True, slots=True)
class Touched:
    """What a transaction has read, so that another attempt can lock it in one fixed order."""

    subjects: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()


NOTHING = Touched()


class Transaction:
    """Reads subjects once, holds what is decided, and writes it all in bulk at the end.

    Args:
        link: to the database, in a transaction that somebody else ends.
        tenant: whose rows these are.
        policy: decides.
        reading: nothing will be written, so nothing is locked.
    """

    def __init__(self, link: Link, *, tenant: str, policy: Policy, reading: bool = False) -> None:
        self.tenant = tenant
        self.policy = policy
        self._link = link
        self._reading = reading
        self._isolation = ""
        self._held: dict[str, Held | None] = {}
        self._unreadable: dict[str, UnreadableError] = {}
        self.holding: Mapping[str, Held | None] = self._held
        """What is held so far, at once; a subject that is missing is still to be asked for."""
        self._ledger = Ledger(
            link,
            self._held,
            tenant=tenant,
            policy=policy.version,
            number=0 if link.is_sqlite or reading else None,
        )
        self._customers: set[str] = set()
        self._whole: set[str] = set()
        self._announces = not (link.is_sqlite or reading)
        self._pauses: tuple[Pause, ...] | None = None
        self._held_up: dict[str, HeldUp | None] = {}
        self._behind: bool | None = None
        self._is_beside = not (link.is_sqlite or reading)
        self.reach: Reach | None = None
        """How far what was claimed may be moved, where others may have claimed what is earlier."""

    @property
    def touched(self) -> Touched:
        """What has been read so far."""
        return Touched(tuple(sorted(self._held)), tuple(sorted(self._customers)))

    def lock(self, touched: Touched) -> None:
        """Lock what an earlier attempt has read, in one fixed order, so that none deadlocks."""
        for customer in touched.customers:
            self._lock_customer(customer)
        if touched.subjects:
            self.hold(touched.subjects)

    def look(self, event: Event) -> tuple[Entry, ...]:
        """Hold an event's subject, and return what the journal says of the event if it is known.

        Of an event that follows from no other it is learned by the way what `is_behind` tells.

        Returns:
            Nothing if the event id is new; else its entry, and those of the timed events that fell
            due at its instant because of it.
        """
        if not (self._link.is_sqlite or self._held or self._customers):
            self._lock_ahead(event)
        known = self._known(event)
        if known is None:
            return ()
        key = {"t": self.tenant, "known": known}
        entries = [entry_of(each) for each in SINCE.rows(self._link, key)]
        return (entries[0], *takewhile(partial(_fell_due_with, entries[0]), entries[1:]))

    def _lock_ahead(self, event: Event) -> None:
        """Lock what a decision will read before its subject: customers first, subjects in order.

        Two events of one customer would else each hold their subject and wait for the other's.
        """
        key = {"t": self.tenant, "i": event.subject, "until": self._stored(event.at)}
        rows = AHEAD.rows(self._link, key)
        snapshot = snapshot_of(rows[0]) if rows else None
        asked = reads(snapshot, event)
        customers, due = set(asked.customers), tuple[str, ...]()
        if snapshot is not None and snapshot.customer and rows[0].behind is not None:
            due = self.due_of_customer(snapshot.customer, event.at)
            customers.update({snapshot.customer} if due else ())
        for customer in sorted(customers):
            self._lock_customer(customer)
        self.hold({event.subject, *asked.subjects, *due})

    def _known(self, event: Event) -> int | None:
        """Return the position of an event's journal row, or `None` if its id is new.

        Where writers do not take turns, the id is looked up once the subject is locked: whoever
        held it may have taken the same event in meanwhile.
        """
        key = {"t": self.tenant, "i": event.subject, "e": event.id}
        look, ask = LOOK, KNOWN
        if event.cause is None:
            look, ask = LOOK_FIRST, KNOWN_FIRST
            key["until"] = self._stored(event.at)
        if self._link.is_sqlite and event.subject not in self._held:
            rows = look.rows(self._link, key)
            if rows:
                self._keep(rows[0])
                if look is LOOK_FIRST:
                    self._behind = rows[0].behind is not None
                return _position(rows[0].known)
            self._held[event.subject] = None
        self.held(event.subject)
        (row,) = ask.rows(self._link, key)
        self._ledger.number = row.number
        if ask is KNOWN_FIRST:
            self._behind = row.behind is not None
        return _position(row.known)

    def is_behind(self, until: datetime) -> bool:
        """Return whether something of the tenant was due by an instant as this began.

        It is asked once in a transaction, for its latest instant.
        """
        if self._behind is None:
            key = {"t": self.tenant, "until": self._stored(until)}
            self._behind = BEHIND.rows(self._link, key)[0].behind is not None
        return self._behind

    def is_due_beside(self, subjects: Collection[str], until: datetime) -> bool:
        """Return whether something of the tenant is due by an instant, but to *subjects*."""
        key = {"t": self.tenant, "until": self._stored(until), "n": len(subjects) + 1}
        return any(row.id not in subjects for row in DUE_HELD.rows(self._link, key))

    def due_of_customer(self, customer: str, until: datetime) -> tuple[str, ...]:
        """Return the ids of a customer's subjects that are due by an instant."""
        key = {"t": self.tenant, "c": customer, "until": self._stored(until)}
        return tuple(row.id for row in DUE_OF_CUSTOMER.rows(self._link, key))

    def _stored(self, at: datetime) -> Any:
        return written(at) if self._link.is_sqlite else at

    def held(self, subject: str) -> Held | None:
        """Return a subject as this transaction sees it, or `None` if it does not exist.

        Raises:
            UnreadableError: its row cannot be read.
        """
        found = self._held.get(subject)
        if found is not None:
            return found
        if subject not in self._held and subject not in self._unreadable:
            rows = self._rows(LOCKED, {"t": self.tenant, "i": subject})
            if rows:
                self._keep(rows[0])
            else:
                self._held[subject] = None
        if subject in self._unreadable:
            raise self._unreadable[subject]
        return self._held[subject]

    def hold(self, subjects: Iterable[str]) -> None:
        """Hold many subjects at once, locked in the order of their ids."""
        names = sorted({name for name in subjects if name not in self._held})
        if len(names) > 1:
            key = {"t": self.tenant, "ids": json.dumps(names)}
            for row in self._rows(SEVERAL, key):
                self._keep(row)
            for name in names:
                if name not in self._unreadable:
                    self._held.setdefault(name, None)

    def of_customer(self, customer: str) -> tuple[str, ...]:
        """Return the ids of a customer's subjects and hold them; none can appear meanwhile.

        Raises:
            IsolationError: the transaction would not see one that has just appeared.
            UnreadableError: the row of one of them cannot be read.
        """
        if customer not in self._whole:
            self._whole.add(customer)
            self._lock_customer(customer)
            if self._isolation not in {"", "read committed"}:
                raise IsolationError(
                    f"this needs all that customer {customer} holds, and {self._isolation} hides "
                    "what others have just sold to it; use a transaction with READ COMMITTED"
                )
            for row in self._rows(OF_CUSTOMER, {"t": self.tenant, "c": customer}):
                self._keep(row)
                if row.id in self._unreadable:
                    self._whole.discard(customer)
                    raise self._unreadable[row.id]
        return tuple(
            sorted(
                name
                for name, held in self._held.items()
                if held is not None and held.snapshot.customer == customer
            )
        )

    def _lock_customer(self, customer: str) -> None:
        if customer in self._customers:
            return
        self._customers.add(customer)
        if not self._link.is_sqlite and not self._reading:
            key = f"sublife\x1f{self.tenant}\x1f{customer}"
            self._isolation = str(self._link.rows(ADVISORY, {"key": key})[0][1])

    def claim(
        self, until: datetime, *, limit: int, but: Collection[str] = (), waiting: bool = False
    ) -> tuple[tuple[str, ...], datetime, bool]:
        """Hold the subjects that are due first, and tell how far they may be moved.

        What is paused is passed over, unless it is waited for.

        Args:
            until: UTC instant; what is due later stays.
            limit: how many to hold.
            but: ids to leave alone.
            waiting: for what another writer holds; else that is left to it.

        Returns:
            The ids; the instant up to which no subject left out is due; whether any was left out.
        """
        key = {
            "t": self.tenant,
            "until": self._stored(until),
            "n": limit + len(but) + 1,
        }
        self._announces &= waiting  # who settles goes on until nothing is due
        statement = CLAIM_WAITING if waiting else CLAIM_BESIDE if self._is_beside else CLAIM
        if not waiting and self.pauses:
            paused = paused_lifecycles(self.pauses)
            if paused is None:
                return (), until, False
            statement, key["paused"] = CLAIM_UNPAUSED, paused
        rows = [row for row in self._rows(statement, key) if row.id not in but]
        if rows and not self._reading:
            self._ledger.number = rows[0].number
        for row in rows[:limit]:
            self._keep(row)
        if self.pauses:
            held = [self._held.get(row.id) for row in rows[:limit]]
            self._hold_up({each.snapshot.customer for each in held if each} - self._held_up.keys())
        more = len(rows) > limit
        horizon = _horizon(rows, limit, until) if more else until
        if rows and self._is_beside and not waiting:
            self._reach(rows[:limit], horizon, but, key.get("paused"))
        return tuple(row.id for row in rows[:limit]), horizon, more

    def _reach(self, rows: list[Any], horizon: datetime, but: Collection[str], paused: Any) -> None:
        """See how far a claim may be moved; to the tenant's first instant without asking more."""
        key = {"t": self.tenant} if paused is None else {"t": self.tenant, "paused": paused}
        first = restored(rows[0].behind) if paused is None else None
        mine = [*(row.id for row in rows), *but]
        if first is None or first < horizon:
            self.reach = Reach(self._link, key, first=first, horizon=horizon, mine=mine)

    def leaves_due(self, until: datetime, *, but: Collection[str]) -> bool:
        """Return whether others may have skipped what this holds and does not move (GEN-08).

        A subject that was only read is locked until the end as well. Another worker that claims
        meanwhile passes it over and may end, so it is left to this one to claim once more.

        Args:
            until: UTC instant by which it is due.
            but: ids to leave alone.
        """
        return self._is_beside and any(
            held is not None and held.timer is not None and held.timer.due_at <= until
            for name, held in self._held.items()
            if name not in but
        )

    def in_turn(self, subjects: Iterable[str]) -> tuple[str, ...]:
        """Return those of what was claimed whose next timer need not wait for another worker."""
        if (reach := self.reach) is None:
            return tuple(subjects)
        found: list[str] = []
        for subject in subjects:
            if subject in self._unreadable:
                found.append(subject)
                continue
            held = self.held(subject)
            if held is None or held.timer is None:
                continue
            customer, at = held.snapshot.customer, held.timer.due_at
            if reach.includes(customer, at):
                found.append(subject)
            else:
                reach.put_off(customer, at)
        return tuple(found)

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """What is paused of the tenant; nothing to who only looks, since a pause moves no instant.

        It is asked once in a transaction.
        """
        if self._pauses is None:
            self._pauses = () if self._reading else pauses_of(self._link, self.tenant)
        return self._pauses

    def refuse_paused(self, event: Event) -> None:
        """Let an event pass whose subject is not paused, nor its customer held up by what is.

        Raises:
            PausedError: it is.
        """
        refuse_paused(self.pauses, event)
        if (held := self.held(event.subject)) and (customer := held.snapshot.customer):
            if customer not in self._held_up:
                self._hold_up({customer})
            if (found := self._held_up[customer]) and found.since <= event.at:
                raise PausedError(event.subject, found.pause, found.subject)

    def hold_up(self, *waiting: HeldUp) -> None:
        """Let nothing of a customer happen from an instant on."""
        self._hold_up({each.customer for each in waiting} - self._held_up.keys())
        for each in waiting:
            known = self._held_up[each.customer]
            if known is None or each.since < known.since:
                self._held_up[each.customer] = each

    def _hold_up(self, customers: Collection[str]) -> None:
        """Ask from when on customers are held up by what is paused and due to them."""
        found = held_up(self._link, self.tenant, self.pauses, customers)
        self._held_up |= dict.fromkeys(customers) | found

    def refuse_paused_due(self, until: datetime) -> None:
        """Do nothing if no paused subject of the tenant has something due by *until*.

        Raises:
            PausedError: one has.
        """
        refuse_paused_due(self._link, self.tenant, self.pauses, until)

    def _rows(self, statement: Statement, key: Mapping[str, Any]) -> list[Any]:
        """Ask, and lock what is found unless nothing will be written."""
        return (UNLOCKED[statement] if self._reading else statement).rows(self._link, key)

    def _keep(self, row: Any) -> None:
        """Hold a subject as its row says, unless it is held already.

        A row that cannot be read holds up nobody else: it is noted, and raised where it is asked
        for.
        """
        if self._held.get(row.id) is not None:
            return
        try:
            snapshot = codec.decode_snapshot(row.lifecycle, row.snapshot)
            timer = filled(Timer, (row.due, restored(row.due_at))) if row.due else None
            if not type(row.sequence) is type(row.stamp) is int:
                raise TypeError
            if timer is not None and timer.name.startswith(ASIDE):
                raise TypeError
        except WRONG as error:
            self._unreadable[row.id] = unreadable(row, error)
            return
        self._held[row.id] = filled(Held, (snapshot, row.lifecycle, timer))
        self._ledger.begin(row, snapshot)

    def accept(self, event: Event, decision: Decision, *, recorded_at: datetime) -> None:
        """Take down an accepted event: the subject, the journal, the records."""
        snapshot = decision.snapshot
        if self._held.get(event.subject) is None:
            self._lock_customer(snapshot.customer)
        timer = next_timer(snapshot, event.lifecycle)
        self._held[event.subject] = filled(Held, (snapshot, event.lifecycle, timer))
        self._ledger.accept(event, decision, recorded_at)

    def refuse(self, event: Event, refusal: Refusal, *, recorded_at: datetime) -> None:
        """Take down a refused event; the subject stays as it is."""
        self.held(event.subject)
        self._ledger.refuse(event, refusal, recorded_at)

    def flush(self) -> None:
        """Write everything held, in bulk.

        Raises:
            ConflictError: a subject's row is no longer the one that was decided on.
        """
        self._ledger.flush(announces=self._announces)


def _horizon(rows: list[Any], limit: int, until: datetime) -> datetime:
    """Return the instant up to which none is due of those beyond *limit*.

    Where the first of them has no instant, nothing goes further than the last one that has.
    """
    for row in reversed(rows[: limit + 1]):
        if (found := instant_or(row.due_at, None)) is not None:
            return found
    return until


def _position(known: int | None) -> int | None:
    return None if known is None else int(known)


def _fell_due_with(first: Entry, entry: Entry) -> bool:
    """Return whether a later entry of the subject is a timed event of the same instant."""
    return entry.event.actor.kind is ActorKind.TIMER and entry.event.at == first.event.at
