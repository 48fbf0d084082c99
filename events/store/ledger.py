"""What a transaction has decided, taken down row by row and written in bulk."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sublife.events import codec
from sublife.events.store.chain import START, chained
from sublife.events.store.error import ConflictError
from sublife.events.store.history import (
    DROP_CLAIM,
    LATEST,
    NEW_ACTIVITY,
    NEW_CLAIM,
    NEW_ENTRY,
    NEW_ORDER,
    NEW_SUBJECT,
    NUMBER,
    UPDATE,
    UPDATE_WHOSE,
)
from sublife.events.store.link import Link
from sublife.events.store.notice import NEAR, announce
from sublife.events.store.record import record_rows
from sublife.events.store.statement import written
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import (
    ABSENT,
    Decision,
    Event,
    Fact,
    ModelError,
    Refusal,
    Snapshot,
    Timer,
    no_claims,
)


class Held(NamedTuple):
    """A subject as a transaction holds it.

    Args:
        snapshot: the subject.
        lifecycle: the lifecycle it lives by.
        timer: its next timer.
    """

    snapshot: Snapshot
    lifecycle: str
    timer: Timer | None


@dataclass(slots=True)
class _Line:
    """Where the journal of a subject stands.

    Args:
        stored: the sequence its row had when it was read; 0 if it has none.
        sequence: of its latest journal row.
        head: the hash of that row.
        stamp: the place of that row in the order of handing on.
        whose: the customer and the partner its row had when it was read.
    """

    stored: int
    sequence: int
    head: str
    stamp: int
    whose: tuple[str, str] = ("", "")


class Ledger:
    """What a transaction has decided and not written yet: journal rows, records, moved subjects.

    Args:
        link: to the database, in a transaction that somebody else ends.
        held: every subject as the transaction holds it, by id; it goes on changing.
        tenant: whose rows these are.
        policy: id and content hash of the pack that decides.
        number: of the running transaction, by which its facts are handed on; asked for once if
            not given.
    """

    def __init__(
        self,
        link: Link,
        held: Mapping[str, Held | None],
        *,
        tenant: str,
        policy: str,
        number: int | None,
    ) -> None:
        self.number = number
        self._link = link
        self._held = held
        self._tenant = tenant
        self._policy = policy
        self._lines: dict[str, _Line] = {}
        self._claims: dict[str, tuple[str, ...]] = {}
        self._dirty: dict[str, None] = {}
        self._journal: list[tuple[Any, ...]] = []
        self._activities: list[tuple[Any, ...]] = []
        self._orders: list[tuple[Any, ...]] = []
        self._recorded_at = datetime.min.replace(tzinfo=UTC)

    def begin(self, row: Any, snapshot: Snapshot) -> None:
        """Note where a subject stands that was read: its journal, and what only it may hold."""
        whose = (snapshot.customer, snapshot.partner)
        self._lines[row.id] = _Line(row.sequence, row.sequence, row.head, row.stamp, whose)
        claims = lifecycle_named(row.lifecycle).claims
        if claims is not no_claims and (names := claims(snapshot)):
            self._claims[row.id] = names

    def accept(self, event: Event, decision: Decision, recorded_at: datetime) -> None:
        """Take down an accepted event and its records; its subject is held as it is now."""
        snapshot, at = decision.snapshot, written(recorded_at)
        self._recorded_at = recorded_at
        self._take_down(
            event,
            at,
            decision.state_before,
            str(snapshot.state),
            snapshot.version,
            decision.rules,
            None,
            decision.facts,
        )
        activities, orders = record_rows(
            self._tenant, self._policy, event, decision, recorded_at=at
        )
        self._activities += activities
        self._orders += orders

    def refuse(self, event: Event, refusal: Refusal, recorded_at: datetime) -> None:
        """Take down a refused event; its subject stays as it is held."""
        held = self._held[event.subject]
        state = str(held.snapshot.state) if held else ABSENT
        self._take_down(
            event,
            written(recorded_at),
            state,
            state,
            held.snapshot.version if held else 0,
            (refusal.rule,),
            refusal.code,
            refusal,
        )

    def _take_down(
        self,
        event: Event,
        recorded_at: str | None,
        state_before: str,
        state: str,
        version: int,
        rules: tuple[str, ...],
        code: str | None,
        outcome: tuple[Fact, ...] | Refusal,
    ) -> None:
        subject, actor = event.subject, event.actor
        line = self._lines.get(subject) or self._read_line(subject)
        sequence = line.sequence = line.sequence + 1
        if self.number is None:
            self.number = int(NUMBER.raw(self._link, {})[0][0])
        line.stamp = max(line.stamp, self.number)
        effective_at, acted = written(event.at), codec.encode_actor(actor)
        said = " ".join(rules)
        policy, data = self._policy, codec.encode_payload(event.data)
        led_to = codec.encode_outcome(outcome)
        try:
            line.head = chained(
                line.head,
                (
                    self._tenant,
                    subject,
                    str(sequence),
                    event.id,
                    event.lifecycle,
                    str(version),
                    event.name,
                    effective_at or "",
                    recorded_at or "",
                    acted,
                    event.cause or "",
                    state_before,
                    state,
                    said,
                    policy,
                    code or "",
                    data,
                    led_to,
                ),
            )
        except ValueError as error:
            raise ModelError(f"event {event.id!r} on {subject!r}: {error}") from error
        self._dirty[subject] = None
        self._journal.append(
            (
                self._tenant,
                subject,
                sequence,
                line.stamp,
                event.id,
                event.lifecycle,
                version,
                event.name,
                effective_at,
                recorded_at,
                actor.kind._value_,
                actor.id,
                acted,
                event.cause,
                state_before,
                state,
                said,
                policy,
                code,
                data,
                led_to,
                line.head,
            )
        )

    def _read_line(self, subject: str) -> _Line:
        """Read where the journal of a subject without a row stands: refused births may be all."""
        rows = LATEST.rows(self._link, {"t": self._tenant, "i": subject})
        line = self._lines[subject] = _Line(0, *rows[0]) if rows else _Line(0, 0, START, 0)
        return line

    def flush(self, *, announces: bool) -> None:
        """Write everything taken down, in bulk.

        Args:
            announces: whether to wake the daemons that wait, if something near is among it.

        Raises:
            ConflictError: a subject's row is no longer the one that was decided on.
        """
        if not self._journal:
            return
        self._write_subjects()
        for bulk, rows in (
            (NEW_ENTRY, self._journal),
            (NEW_ACTIVITY, self._activities),
            (NEW_ORDER, self._orders),
        ):
            if rows:
                bulk.write(self._link, rows)
        self._write_claims()
        if announces and self._is_near():
            announce(self._link)
        for name in self._dirty:
            self._lines[name].stored = self._lines[name].sequence if self._held[name] else 0
        self._journal, self._activities, self._orders = [], [], []
        self._dirty.clear()

    def _write_subjects(self) -> None:
        new: list[tuple[Any, ...]] = []
        old: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        for name in self._dirty:
            held, line = self._held[name], self._lines[name]
            if held is None:
                continue
            whose = (held.snapshot.customer, held.snapshot.partner)
            changing = self._row(held, line)
            if line.stored == 0:
                new.append((self._tenant, name, held.lifecycle, *whose, *changing))
            elif whose == line.whose:
                old.append((*changing, self._tenant, name, line.stored))
            else:
                moved.append((*whose, *changing, self._tenant, name, line.stored))
            line.whose = whose
        if new:
            NEW_SUBJECT.write(self._link, new)
        for bulk, rows in ((UPDATE, old), (UPDATE_WHOSE, moved)):
            if rows and bulk.write(self._link, rows) != len(rows):
                raise ConflictError(
                    f"a subject of {', '.join(self._dirty)} was changed by another writer; "
                    "submit the event again"
                )

    def _is_near(self) -> bool:
        """Return whether what is written is due so soon that a daemon cannot wait for its beat."""
        near = self._recorded_at + NEAR
        timers = (held.timer for name in self._dirty if (held := self._held[name]))
        return any(timer and timer.due_at <= near for timer in timers)

    def _row(self, held: Held, line: _Line) -> tuple[Any, ...]:
        """Return what changes on a subject's row (`CHANGING`); its earliest timer stands on it."""
        snapshot, timer = held.snapshot, held.timer
        return (
            str(snapshot.state),
            snapshot.version,
            line.sequence,
            written(snapshot.changed_at),
            written(timer.due_at) if timer else None,
            timer.name if timer else None,
            line.stamp,
            line.head,
            codec.encode_snapshot(snapshot),
        )

    def _write_claims(self) -> None:
        """Give up what a subject no longer holds and take what it holds now; only one may."""
        dropped: list[dict[str, str]] = []
        taken: list[tuple[str, str, str]] = []
        for name in self._dirty:
            held = self._held[name]
            if held is None:
                continue
            claims = lifecycle_named(held.lifecycle).claims
            if claims is no_claims:
                continue
            before, after = self._claims.get(name, ()), claims(held.snapshot)
            dropped += [{"t": self._tenant, "n": c, "s": name} for c in before if c not in after]
            taken += [(self._tenant, c, name) for c in after if c not in before]
        if dropped:
            DROP_CLAIM.write(self._link, dropped)
        if taken:
            NEW_CLAIM.write(self._link, taken)
