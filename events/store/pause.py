"""What the calendar passes over for now: the rows that say so, and what follows from them."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Integer, bindparam, delete, func, literal_column, select

from sublife.events.layout import PAUSE, SUBJECT
from sublife.events.store.bulk import Bulk
from sublife.events.store.database import Source
from sublife.events.store.error import ConflictError, StoreError, UnreadableError
from sublife.events.store.history import NEXT_DUE
from sublife.events.store.link import Link
from sublife.events.store.statement import Listed, Statement, stored, written
from sublife.events.store.typed import LeftOut, Reader, instant_or, readable
from sublife.lifecycle.model import Event, iso

_UNKNOWN = datetime(1, 1, 1, tzinfo=UTC)
"""When something was paused of which the row does not tell."""
ALL = ""
"""What stands for every tenant, or every lifecycle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """What is paused, and who did it.

    Args:
        tenant: whose calendar stands still; `None` is every tenant of the database.
        lifecycle: only of subjects that live by it; `None` is every lifecycle.
        paused_at: UTC instant.
        paused_by: who.
        reason: why.
    """

    tenant: str | None
    lifecycle: str | None
    paused_at: datetime
    paused_by: str
    reason: str

    @property
    def scope(self) -> str:
        """What is paused, in words."""
        whose = "every tenant" if self.tenant is None else f"tenant {self.tenant}"
        if self.lifecycle is None:
            return "everything" if self.tenant is None else whose
        return f"lifecycle {self.lifecycle} of {whose}"

    @property
    def remedy(self) -> str:
        """The command that ends it."""
        tenant = "" if self.tenant is None else f" --tenant {self.tenant}"
        lifecycle = "" if self.lifecycle is None else f" --lifecycle {self.lifecycle}"
        return f"sublife resume{tenant}{lifecycle}"

    def __str__(self) -> str:
        """Return who paused what, when and why."""
        return (
            f"{self.scope} was paused by {self.paused_by} at {iso(self.paused_at)}: {self.reason}"
        )


class PausedError(StoreError):
    """What is asked needs a calendar that stands still for now; nothing was changed (GEN-08).

    Attributes:
        subject: that would have to change, or be brought up to date.
        pause: that keeps it from it.
    """

    def __init__(self, subject: str, pause: Pause, other: str | None = None) -> None:
        self.subject, self.pause = subject, pause
        waits = "" if other in {None, subject} else f" before {other} of the same customer has"
        super().__init__(
            f"{subject} cannot change{waits}: {pause}; nothing was changed. End the pause with "
            f"`{pause.remedy}`, then submit the event again"
        )


class HeldUp(NamedTuple):
    """A customer of whom nothing happens from an instant on, since something earlier is paused.

    Args:
        customer: customer tenant id.
        since: UTC instant at which the first paused timer of the customer is due, inclusive.
        subject: whose timer that is.
        pause: that keeps it.
    """

    customer: str
    since: datetime
    subject: str
    pause: Pause


def _scope_of(found: Mapping[str, Any]) -> str:
    tenant, lifecycle = found["tenant"], found["lifecycle"]
    return f"the pause of {lifecycle or 'everything'} of {tenant or 'every tenant'}"


_READER = Reader(
    PAUSE, key=_scope_of, remedy="`sublife resume` ends it; then pause again what should be"
)
_STANDING = Statement(
    select(PAUSE)
    .where(PAUSE.c.tenant.in_([ALL, bindparam("t")]))
    .order_by(PAUSE.c.tenant, PAUSE.c.lifecycle)
)
_EVERY = Statement(select(PAUSE).order_by(PAUSE.c.tenant, PAUSE.c.lifecycle))
_NEW = Bulk(PAUSE)
_DROP = Statement(
    delete(PAUSE).where(PAUSE.c.tenant == bindparam("t"), PAUSE.c.lifecycle == bindparam("l"))
)
_HALTED = Statement(
    select(PAUSE.c.tenant)
    .where(PAUSE.c.tenant.in_([ALL, bindparam("t")]), PAUSE.c.lifecycle == bindparam("all"))
    .limit(literal_column("1", Integer()))
)
_IS_PAUSED = Listed(SUBJECT.c.lifecycle, "paused")
_NEXT_UNPAUSED = Statement(
    select(func.min(SUBJECT.c.due_at).label("due_at")).where(
        SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at.is_not(None), ~_IS_PAUSED
    )
)
_DUE_PAUSED = Statement(
    select(SUBJECT.c.id, SUBJECT.c.lifecycle)
    .where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at <= bindparam("until"), _IS_PAUSED)
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(literal_column("1", Integer()))
)
_HOLDING_UP = Statement(
    select(SUBJECT.c.customer, SUBJECT.c.due_at, SUBJECT.c.id, SUBJECT.c.lifecycle)
    .where(
        SUBJECT.c.tenant == bindparam("t"),
        Listed(SUBJECT.c.customer, "customers"),
        SUBJECT.c.due_at.is_not(None),
        _IS_PAUSED,
    )
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
)
_DUE_ANY = Statement(
    select(SUBJECT.c.id, SUBJECT.c.lifecycle)
    .where(SUBJECT.c.tenant == bindparam("t"), SUBJECT.c.due_at <= bindparam("until"))
    .order_by(SUBJECT.c.due_at, SUBJECT.c.id)
    .limit(literal_column("1", Integer()))
)


def pauses_of(link: Link, tenant: str) -> tuple[Pause, ...]:
    """Return what is paused of a tenant, that of all tenants first; one small read."""
    return tuple(map(_pause, _STANDING.rows(link, {"t": tenant})))


def _pause(row: Any) -> Pause:
    found = _READER.values(row)
    whose: dict[str, Any] = {name: found[name] or None for name in ("tenant", "lifecycle")}
    return Pause(**{**found, **whose})


def is_halted(link: Link, tenant: str) -> bool:
    """Return whether a tenant is paused as a whole, so that nothing of it is handed on either."""
    return bool(_HALTED.rows(link, {"t": tenant, "all": ALL}))


def pause_over(pauses: Collection[Pause], lifecycle: str) -> Pause | None:
    """Return the pause that holds for subjects of a lifecycle, or `None`."""
    return next((each for each in pauses if each.lifecycle in {None, lifecycle}), None)


def paused_lifecycles(pauses: Collection[Pause]) -> str | None:
    """Return the lifecycles that are paused, as a JSON list; `None` where all are."""
    names = {each.lifecycle for each in pauses}
    return None if None in names else json.dumps(sorted(map(str, names)))


def refuse_paused(pauses: Collection[Pause], event: Event) -> None:
    """Let an event pass whose subject is not paused.

    Raises:
        PausedError: it is.
    """
    if pause := pause_over(pauses, event.lifecycle):
        raise PausedError(event.subject, pause)


def refuse_paused_due(link: Link, tenant: str, pauses: Collection[Pause], until: datetime) -> None:
    """Do nothing if no paused subject of the tenant has something due by *until*.

    Raises:
        PausedError: one has.
    """
    paused = paused_lifecycles(pauses)
    key = {"t": tenant, "until": stored(until, link.dialect)}
    found = _DUE_ANY.rows(link, key)
    if found and paused is not None:
        found = _DUE_PAUSED.rows(link, {**key, "paused": paused})
    for row in found:
        pause = pause_over(pauses, row.lifecycle)
        if pause is not None:
            raise PausedError(row.id, pause)


def held_up(
    link: Link, tenant: str, pauses: Collection[Pause], customers: Collection[str]
) -> dict[str, HeldUp | None]:
    """Return from when on each of *customers* is held up by paused subjects, where one is.

    Subjects of one customer change each other, so what comes after a timer that is passed over
    waits for it; those without a customer stand by themselves.
    """
    paused = paused_lifecycles(pauses)
    found: dict[str, HeldUp | None] = {}
    if paused is None or not customers:
        return found
    key = {"t": tenant, "customers": json.dumps(sorted(customers)), "paused": paused}
    for row in _HOLDING_UP.rows(link, key):
        pause = pause_over(pauses, row.lifecycle)
        if row.customer and row.customer not in found and pause is not None:
            since = instant_or(row.due_at, None)
            if since is not None:
                found[row.customer] = HeldUp(row.customer, since, row.id, pause)
    return found


def next_due(link: Link, tenant: str) -> datetime | None:
    """Return the earliest instant at which a timer is due that is not paused, or `None`."""
    pauses = pauses_of(link, tenant)
    key = {"t": tenant}
    statement = NEXT_DUE
    if pauses:
        paused = paused_lifecycles(pauses)
        if paused is None:
            return None
        statement, key["paused"] = _NEXT_UNPAUSED, paused
    due_at = statement.rows(link, key)[0].due_at
    return None if due_at is None else instant_or(due_at, None)


class Pauses:
    """The pauses of a database, as rows; `sublife.events.pause` checks what it puts in here.

    Args:
        source: where transactions come from.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def all(self, *, left_out: LeftOut | None = None) -> tuple[Pause, ...]:
        """Return every pause there is, that of everything first.

        Args:
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            return tuple(readable(_EVERY.rows(link, {}), _pause, left_out))

    def of(self, tenant: str, *, left_out: LeftOut | None = None) -> tuple[Pause, ...]:
        """Return the pauses that hold for a tenant, those of all tenants first.

        Args:
            tenant: whose.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.
        """
        with self._source.reading() as link:
            return tuple(readable(_STANDING.rows(link, {"t": tenant}), _pause, left_out))

    def add(self, pause: Pause) -> Pause:
        """Write a pause down, and return the one that stands: an earlier one stays as it is."""
        row = (
            pause.tenant or ALL,
            pause.lifecycle or ALL,
            written(pause.paused_at),
            pause.paused_by,
            pause.reason,
        )
        try:
            with self._source.writing() as link:
                if found := self._found(link, pause.tenant, pause.lifecycle):
                    return found
                _NEW.write(link, [row])
        except ConflictError:
            # Somebody else has paused it in between.
            with self._source.reading() as link:
                if found := self._found(link, pause.tenant, pause.lifecycle):
                    return found
            raise
        return pause

    def drop(self, tenant: str | None, lifecycle: str | None) -> Pause | None:
        """Take a pause away and return it; `None` if there is none of just that."""
        with self._source.writing() as link:
            row: Any = self._row(link, tenant, lifecycle)
            if row is None:
                return None
            _DROP.write(link, [{"t": tenant or ALL, "l": lifecycle or ALL}])
        try:
            return _pause(row)
        except UnreadableError as error:
            # It has been taken away all the same: that is what there is to do about it.
            return Pause(
                tenant=tenant,
                lifecycle=lifecycle,
                paused_at=instant_or(row.paused_at, _UNKNOWN),
                paused_by=str(row.paused_by),
                reason=f"its row could not be read ({error.problem})",
            )

    def _found(self, link: Link, tenant: str | None, lifecycle: str | None) -> Pause | None:
        row = self._row(link, tenant, lifecycle)
        return None if row is None else _pause(row)

    def _row(self, link: Link, tenant: str | None, lifecycle: str | None) -> Any:
        wanted = (tenant or ALL, lifecycle or ALL)
        every = _EVERY.rows(link, {})
        return next((row for row in every if (row.tenant, row.lifecycle) == wanted), None)
