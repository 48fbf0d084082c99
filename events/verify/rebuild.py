"""Decides a tenant's accepted events once more, in the order in which they were taken down."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice

from sublife.events import codec
from sublife.events.store.audit import BATCH, Audit, Line
from sublife.events.store.entry import entry_of
from sublife.events.store.error import UnreadableError
from sublife.events.store.record import record_rows
from sublife.events.store.scratch import Rebuilt, Scratch
from sublife.events.store.statement import written
from sublife.events.verify.compare import OTHER_RULES, Records, differing, not_rebuilt
from sublife.events.verify.finding import Finding, Wrong
from sublife.lifecycle.machine import decide, lifecycle_named, reads, timed_event
from sublife.lifecycle.model import ABSENT, ActorKind, Event, Refusal, Snapshot, Timer
from sublife.lifecycle.policy import Policy

_HELD = 4096
"""Decoded subjects that are kept at hand; the others wait in the scratch file."""


class Rebuild:
    """Rebuilds the subjects of one tenant from its journal alone.

    An event that reads other subjects sees them as the events taken down before it have left them:
    who decided it held their locks, so that is how they were.

    Args:
        audit: reads the journal, which must be sound.
        tenant: whose it is.
        policies: by the version that stands on the rows; all of them.
        scratch: where rebuilt subjects wait; empty.

    Attributes:
        decided: accepted events that were decided again.
        records: that were compared.
    """

    def __init__(
        self, audit: Audit, tenant: str, *, policies: Mapping[str, Policy], scratch: Scratch
    ) -> None:
        self.decided = self.records = 0
        self._audit = audit
        self._tenant = tenant
        self._policies = policies
        self._scratch = scratch
        self._near: OrderedDict[str, Snapshot] = OrderedDict()
        self._to_follow: dict[str, Event] = {}

    def run(self) -> Finding | None:
        """Return the first row of the journal, or record of one, that is not the rebuilt one."""
        lines = self._audit.taken(self._tenant)
        while batch := list(islice(lines, BATCH)):
            records = Records(self._audit, self._tenant, [line.event_id for line in batch])
            for line in batch:
                if finding := self._take(line, records):
                    return finding
        return self._left_out() or self._astray()

    def _take(self, line: Line, records: Records) -> Finding | None:
        known = self._scratch.find(line.subject)
        sequence = known.sequence if known else 0
        if line.sequence != sequence + 1:
            says = f"it lies at position {line.position}, where row {sequence + 1} should be"
            return _changed(line, "position", says)
        if line.code is not None:
            self._scratch.keep((known or _unborn(line))._replace(sequence=line.sequence))
            return self._unmoved(line) or records.check(line, (), ())
        return self._decide_again(line, records)

    def _unmoved(self, line: Line) -> Finding | None:
        """Return how a refused row differs from what it leaves the subject: as it is (SUB-07)."""
        snapshot = self._snapshot(line.subject)
        state, version = (str(snapshot.state), snapshot.version) if snapshot else (ABSENT, 0)
        rebuilt = {"state_before": state, "state": state, "version": version}
        found = differing(line._asdict(), rebuilt)
        return not_rebuilt(line, *found) if found else None

    def _decide_again(self, line: Line, records: Records) -> Finding | None:
        snapshot = self._snapshot(line.subject)
        try:
            event = entry_of(line).event
            misplaced = self._misplaced(line, event, snapshot)
            if misplaced:
                return misplaced
            policy, seen = self._policies[line.policy], self._seen(snapshot, event)
            decision = decide(snapshot, event, policy, seen=seen)
        except (ValueError, LookupError, TypeError, AttributeError, UnreadableError) as error:
            return _undecided(line, f"it cannot be decided again: {error}")
        self.decided += 1
        if isinstance(decision, Refusal):
            return _undecided(line, f"decided again it is refused: {decision.sentence}")
        rebuilt = {
            "state_before": decision.state_before,
            "state": str(decision.snapshot.state),
            "version": decision.snapshot.version,
            "rules": " ".join(decision.rules),
            "outcome": codec.encode_outcome(decision.facts),
        }
        if found := differing(line._asdict(), rebuilt):
            return not_rebuilt(line, *found)
        self._keep(line, decision.snapshot)
        self._to_follow |= {each.id: each for each in decision.follow_ups}
        activities, orders = record_rows(
            line.tenant, line.policy, event, decision, recorded_at=line.recorded_at
        )
        self.records += len(activities) + len(orders)
        return records.check(line, activities, orders)

    def _misplaced(self, line: Line, event: Event, snapshot: Snapshot | None) -> Finding | None:
        """Return why nothing leads to an event: no timer, or no event that it follows from."""
        if event.actor.kind is ActorKind.TIMER and event.cause is None and snapshot is not None:
            timer = Timer(event.name, event.at)
            known = timed_event(snapshot, timer, event.lifecycle).id
            return None if event.id == known else not_rebuilt(line, "event_id", event.id, known)
        expected = self._to_follow.pop(event.id, None)
        if expected is not None:
            found = differing(line._asdict(), _said(expected))
            return not_rebuilt(line, *found) if found else None
        if event.name in lifecycle_named(event.lifecycle).internal:
            says = "it only follows from another event, and none leads to it"
            return _inserted(line, says)
        return None

    def _seen(self, snapshot: Snapshot | None, event: Event) -> dict[str, Snapshot]:
        asked = reads(snapshot, event)
        names = set(asked.subjects)
        for customer in asked.customers:
            names.update(self._scratch.of_customer(customer))
        names.discard(event.subject)
        found = {name: self._snapshot(name) for name in sorted(names)}
        return {name: other for name, other in found.items() if other is not None}

    def _snapshot(self, subject: str) -> Snapshot | None:
        if subject in self._near:
            self._near.move_to_end(subject)
            return self._near[subject]
        known = self._scratch.find(subject)
        if known is None or not known.snapshot:
            return None
        snapshot = codec.decode_snapshot(known.lifecycle, known.snapshot)
        self._hold(subject, snapshot)
        return snapshot

    def _hold(self, subject: str, snapshot: Snapshot) -> None:
        self._near[subject] = snapshot
        self._near.move_to_end(subject)
        if len(self._near) > _HELD:
            self._near.popitem(last=False)

    def _keep(self, line: Line, snapshot: Snapshot) -> None:
        self._hold(line.subject, snapshot)
        text = codec.encode_snapshot(snapshot)
        self._scratch.keep(
            Rebuilt(line.subject, line.sequence, line.lifecycle, snapshot.customer, text)
        )

    def _left_out(self) -> Finding | None:
        """Return an event that must have followed from another, but is not there."""
        for event in self._to_follow.values():
            says = f"event {event.id} must have followed from {event.cause}, but is not there"
            return Finding(
                self._tenant, event.subject, Wrong.DROPPED, says, event=event.id, do=OTHER_RULES
            )
        return None

    def _astray(self) -> Finding | None:
        found = self._audit.astray(self._tenant)
        if found is None:
            return None
        table, record, subject, event = found
        says = f"record {record} is of an event that is not in the journal"
        name = table.removeprefix("sublife_")
        return Finding(self._tenant, subject, Wrong.INSERTED, says, name, event=event)


def _unborn(line: Line) -> Rebuilt:
    return Rebuilt(line.subject, line.sequence, "", "", "")


def _said(event: Event) -> dict[str, object]:
    """Return the columns of a journal row that say what an event is."""
    return {
        "subject": event.subject,
        "lifecycle": event.lifecycle,
        "name": event.name,
        "effective_at": written(event.at),
        "actor": codec.encode_actor(event.actor),
        "cause": event.cause,
        "data": codec.encode_payload(event.data),
    }


def _undecided(line: Line, says: str) -> Finding:
    return Finding(
        line.tenant,
        line.subject,
        Wrong.UNKNOWN,
        says,
        sequence=line.sequence,
        event=line.event_id,
        do=OTHER_RULES,
    )


def _changed(line: Line, column: str, says: str) -> Finding:
    return Finding(
        line.tenant,
        line.subject,
        Wrong.CHANGED,
        says,
        sequence=line.sequence,
        event=line.event_id,
        column=column,
    )


def _inserted(line: Line, says: str) -> Finding:
    return Finding(
        line.tenant,
        line.subject,
        Wrong.INSERTED,
        says,
        sequence=line.sequence,
        event=line.event_id,
        do=OTHER_RULES,
    )
