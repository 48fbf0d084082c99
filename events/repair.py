"""repair(): a subject's row is rebuilt from its journal, or the subject is set aside.

A row that cannot be read keeps its subject from every timer and request. What the row must say
follows from the journal, if that is as it was written; else the subject is set aside, so that it is
not tried with every look at what is due. Nothing is ever deleted, and the journal is not touched.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sublife.events import codec
from sublife.events.logs import log
from sublife.events.store import Store
from sublife.events.store.audit import Audit, Line, SubjectLine
from sublife.events.store.chain import START
from sublife.events.store.error import UnreadableError
from sublife.events.store.readable import snapshot_of
from sublife.events.store.repair import Aside, Repairing
from sublife.events.store.statement import written
from sublife.events.verify.diagnosis import follows
from sublife.events.verify.pack import policies_named
from sublife.events.why.past import Moment, Past, UnrebuiltError
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.machine import UnknownSubjectError, decide, next_timer
from sublife.lifecycle.model import Refusal, Snapshot, iso
from sublife.lifecycle.policy import Policy

__all__ = ["Difference", "Repair", "RepairError", "Repaired", "release", "repair"]

_NOT_SOUND = "tells what was done to it; restore it from a backup, then run repair again"


class RepairError(SublifeError, ValueError):
    """A subject cannot be repaired as asked; nothing was changed."""


class Repaired(StrEnum):
    """What is to be done about a subject's row, or was."""

    SOUND = "sound"
    """The row is what its journal leads to."""
    REBUILT = "rebuilt"
    ASIDE = "set aside"
    """The row cannot be read and its journal does not lead to it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A column of a subject's row, or a field of its snapshot, that is not as it must be.

    Args:
        column: its name; fields are `snapshot.quantity` and the like.
        stored: what stands there.
        rebuilt: what must stand there.
    """

    column: str
    stored: object
    rebuilt: object


@dataclass(frozen=True, slots=True)
class Repair:
    """What is to be done about a subject's row, or was.

    Args:
        subject: id.
        outcome: which of the three it is.
        differences: what was not as it must be, where the row is rebuilt.
        reason: why it could not be rebuilt, where it is set aside.
        written: whether it was done; else it only would be.
    """

    subject: str
    outcome: Repaired
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    written: bool = False


def repair(
    store: Store, subject: str, *, by: str, policies: Iterable[Policy] = (), write: bool = True
) -> Repair:
    """Rebuild a subject's row from its journal, or set the subject aside where that cannot be done.

    The journal must be as it was written, also that of each subject that its decisions saw. Every
    event is decided again, and must lead to what the journal says. A subject that was set aside
    comes back when its row can be rebuilt.

    Args:
        store: of the tenant; one that begins transactions of its own.
        subject: id.
        by: who asks for it.
        policies: packs of one's own that decided events; the store's and the shipped ones are at
            hand anyway.
        write: whether to do it; else only what would be done is returned.

    Raises:
        UnknownSubjectError: the tenant has neither a row nor a journal of it.
        RepairError: the row can be read, but its journal does not lead to it.
    """
    with store.repairing(subject) as work:
        try:
            rebuilt = _rebuilt(store, work, subject, policies)
        except UnrebuiltError as error:
            return _put_aside(store, work, subject, by, error, write=write)
        differences = tuple(_differences(work.row, rebuilt))
        if not differences:
            return Repair(subject, Repaired.SOUND)
        if write:
            work.write(rebuilt)
            columns = sorted({each.column.partition(".")[0] for each in differences})
            log.warning(
                "subject_repaired", tenant=store.tenant, subject=subject, columns=columns, by=by
            )
        return Repair(subject, Repaired.REBUILT, differences, written=write)


def release(store: Store, subject: str, *, by: str) -> None:
    """Take back that a subject was set aside: the calendar finds it again, as it did before.

    Args:
        store: of the tenant; one that begins transactions of its own.
        subject: id.
        by: who asks for it.

    Raises:
        RepairError: it is not set aside.
    """
    with store.repairing(subject) as work:
        if work.aside is None:
            raise RepairError(
                f"{subject} of tenant {store.tenant} is not set aside; `sublife doctor` lists "
                "those that are"
            )
        work.release(work.aside)
    log.warning("subject_released", tenant=store.tenant, subject=subject, by=by)


def _put_aside(
    store: Store, work: Repairing, subject: str, by: str, error: UnrebuiltError, *, write: bool
) -> Repair:
    """Set a subject aside whose row cannot be read.

    Raises:
        RepairError: it can.
    """
    row = work.row
    if row is None or _is_readable(row):
        state = "has no row" if row is None else "has a row that can be read"
        raise RepairError(
            f"{subject} of tenant {store.tenant} {state}, but its journal does not lead to it: "
            f"{error}; nothing was changed"
        )
    if write and work.aside is None:
        work.set_aside(Aside(row.due, row.due_at, by, iso(store.host_clock.now())))
        log.warning("subject_set_aside", tenant=store.tenant, subject=subject, by=by)
    return Repair(subject, Repaired.ASIDE, reason=str(error), written=write)


def _is_readable(row: SubjectLine) -> bool:
    with suppress(UnreadableError):
        snapshot_of(row)
        return row.sequence > 0
    return False


def _rebuilt(
    store: Store, work: Repairing, subject: str, policies: Iterable[Policy]
) -> dict[str, Any]:
    """Return the columns that a subject's row must have.

    Raises:
        UnrebuiltError: the journal does not lead to a row.
        UnknownSubjectError: there is neither.
    """
    lines = tuple(work.audit.lines_of(store.tenant, subject))
    if not lines and work.row is None:
        raise UnknownSubjectError(
            f"tenant {store.tenant} has no subject {subject}, and no event on it; correct the id, "
            "or say which --tenant"
        )
    accepted = [line for line in lines if line.code is None]
    if not accepted:
        raise UnrebuiltError("its journal has no accepted event")
    _demand_chain(lines)
    _demand_end(work, lines[-1])
    snapshot = _decided(store, work.audit, lines, policies)
    timer = next_timer(snapshot, accepted[-1].lifecycle)
    return {
        "lifecycle": accepted[-1].lifecycle,
        "state": str(snapshot.state),
        "version": snapshot.version,
        "sequence": lines[-1].sequence,
        "customer": snapshot.customer,
        "partner": snapshot.partner,
        "changed_at": written(snapshot.changed_at),
        "due_at": written(timer.due_at) if timer else None,
        "due": timer.name if timer else None,
        "stamp": work.stamp,
        "head": lines[-1].hash,
        "snapshot": codec.encode_snapshot(snapshot),
    }


def _demand_chain(lines: Sequence[Line]) -> None:
    """Do nothing if each row of a journal follows on the one before.

    Raises:
        UnrebuiltError: one does not.
    """
    head = START
    for place, line in enumerate(lines, start=1):
        if line.sequence != place or not follows(head, line):
            raise UnrebuiltError(
                f"row {place} of the journal of {line.subject} is not as it was written; "
                f"`sublife verify --tenant {line.tenant}` {_NOT_SOUND}"
            )
        head = line.hash


def _demand_end(work: Repairing, last: Line) -> None:
    """Do nothing if the subject's own row does not say that its journal ends elsewhere.

    Raises:
        UnrebuiltError: it does, so rows at the end are missing, or are too many.
    """
    row = work.row
    if row is None:
        return
    is_number = row.sequence > 0  # an audit has 0 where there is something else
    if row.head != last.hash or (is_number and row.sequence != last.sequence):
        raise UnrebuiltError(
            f"its journal ends at row {last.sequence}, and its own row says otherwise; "
            f"`sublife verify --tenant {last.tenant}` {_NOT_SOUND}"
        )


def _decided(
    store: Store, audit: Audit, lines: Sequence[Line], policies: Iterable[Policy]
) -> Snapshot:
    """Return a subject as its journal leaves it, with every event decided again.

    Raises:
        UnrebuiltError: an event does not lead to what the journal says.
    """
    at_hand = policies_named(audit.policies(store.tenant), (store.policy, *policies))
    past = Past(audit, store.tenant, at_hand)
    moment = past.at(lines[-1], lambda found: found)
    for name in sorted(moment.known.keys() - {lines[0].subject}):
        _demand_chain(tuple(audit.lines_of(store.tenant, name)))
    return _last_of(moment, past)


def _last_of(moment: Moment, past: Past) -> Snapshot:
    snapshot: Snapshot | None = None
    for step in moment.steps:
        if step.line.code is not None:
            continue
        decision = decide(step.before, step.event, past.policy(step.line), seen=step.seen)
        outcome = decision if isinstance(decision, Refusal) else decision.facts
        if isinstance(decision, Refusal) or codec.encode_outcome(outcome) != step.line.outcome:
            raise UnrebuiltError(
                f"event {step.event.id}, decided again, does not lead to what the journal says; "
                "use the release of sublife that decided it"
            )
        snapshot = decision.snapshot
    assert snapshot is not None  # noqa: S101 – at least one event was accepted
    return snapshot


def _differences(row: SubjectLine | None, rebuilt: Mapping[str, Any]) -> Iterable[Difference]:
    if row is None:
        yield Difference("row", "nothing", "a row")
        return
    stored = row._asdict()
    for column, value in rebuilt.items():
        if column == "snapshot":
            yield from _of_snapshot(str(stored[column]), value)
        elif stored[column] != value:
            yield Difference(column, stored[column], value)


def _of_snapshot(stored: str, rebuilt: str) -> Iterable[Difference]:
    was: dict[str, Any] = json.loads(rebuilt)
    try:
        found: Any = json.loads(stored)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        yield Difference("snapshot", "not a snapshot", f"{len(was)} fields")
        return
    fields: dict[str, Any] = {**found}
    for name in sorted(fields.keys() | was.keys()):
        one, other = fields.get(name, "nothing"), was.get(name, "nothing")
        if one != other:
            yield Difference(f"snapshot.{name}", one, other)
