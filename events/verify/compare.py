"""Compares what is stored with what was rebuilt, column by column."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

from sublife.events.store.audit import Audit, Line
from sublife.events.store.history import NEW_ACTIVITY, NEW_ORDER
from sublife.events.verify.finding import BACKUP, Finding, Wrong

OTHER_RULES = (
    "if another release of sublife wrote it, rebuild with that one: its rules may differ; else "
    + BACKUP
)
"""What to do about a row that is not what its event leads to."""


def differing(
    stored: Mapping[str, Any], rebuilt: Mapping[str, Any]
) -> tuple[str, object, object] | None:
    """Return the first column that differs, with what is stored and what was rebuilt."""
    for column, value in rebuilt.items():
        found = stored[column]
        if found != value and not _is_same_amount(column, found, value):
            return column, found, value
    return None


def _is_same_amount(column: str, one: object, other: object) -> bool:
    """Return whether two amounts are equal; how many digits they show is up to the database."""
    if column != "amount" or one is None or other is None:
        return False
    with suppress(InvalidOperation):
        return Decimal(str(one)) == Decimal(str(other))
    return False


def not_rebuilt(line: Line, column: str, stored: object, rebuilt: object) -> Finding:
    """Return that a journal row does not say what its event leads to."""
    return Finding(
        line.tenant,
        line.subject,
        Wrong.CHANGED,
        f'its {column} is "{stored}"; decided again it is "{rebuilt}"',
        sequence=line.sequence,
        event=line.event_id,
        column=column,
        do=OTHER_RULES,
    )


class Records:
    """The stored records of a batch of events.

    Args:
        audit: reads them.
        tenant: whose they are.
        events: ids.
    """

    def __init__(self, audit: Audit, tenant: str, events: Sequence[str]) -> None:
        self._activities = _by_event(audit.activities(tenant, events))
        self._orders = _by_event(audit.orders(tenant, events))

    def check(
        self, line: Line, activities: Iterable[tuple[Any, ...]], orders: Iterable[tuple[Any, ...]]
    ) -> Finding | None:
        """Return the first record of an event that is not the rebuilt one."""
        return _compared(
            line,
            "activity",
            self._activities[line.event_id],
            [dict(zip(NEW_ACTIVITY.columns, row, strict=True)) for row in activities],
        ) or _compared(
            line,
            "order",
            self._orders[line.event_id],
            [dict(zip(NEW_ORDER.columns, row, strict=True)) for row in orders],
        )


def _by_event(rows: Iterable[dict[str, Any]]) -> Mapping[str, list[dict[str, Any]]]:
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["event_id"]].append(row)
    return found


def _compared(
    line: Line,
    table: str,
    stored: Sequence[Mapping[str, Any]],
    rebuilt: Sequence[Mapping[str, Any]],
) -> Finding | None:
    known = {each["id"] for each in rebuilt}
    there = {each["id"]: each for each in stored}
    if more := sorted(there.keys() - known):
        says = f"record {more[0]} is none that its event leaves"
        return _of_record(line, table, Wrong.INSERTED, says)
    for each in rebuilt:
        if each["id"] not in there:
            return _of_record(line, table, Wrong.DROPPED, f"record {each['id']} is not there")
        if found := differing(there[each["id"]], each):
            column, is_, was = found
            says = f'the {column} of record {each["id"]} is "{is_}"; rebuilt it is "{was}"'
            return _of_record(line, table, Wrong.CHANGED, says, column)
    return None


def _of_record(
    line: Line, table: str, wrong: Wrong, says: str, column: str | None = None
) -> Finding:
    return Finding(
        line.tenant,
        line.subject,
        wrong,
        says,
        table,
        event=line.event_id,
        column=column,
        do=OTHER_RULES,
    )


def snapshot_difference(stored: str, rebuilt: str) -> tuple[str, object, object] | None:
    """Return the first field in which two snapshots in JSON differ, by its name."""
    one: dict[str, Any] = {}
    other: dict[str, Any] = json.loads(rebuilt)
    with suppress(ValueError, TypeError):
        one = dict(json.loads(stored))
    if not one:
        return "snapshot", stored, rebuilt
    for name in sorted(one.keys() | other.keys()):
        is_, was = one.get(name, "nothing"), other.get(name, "nothing")
        if is_ != was:
            return f"snapshot.{name}", is_, was
    return None
