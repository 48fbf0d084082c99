"""The tables of `sublife.events.layout` as SQLModel rows that a host may query."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from sublife.events.indexes import metadata
from sublife.events.layout import (
    ACTIVITY,
    CLAIM,
    CONSUMER,
    DAEMON,
    DELIVERY,
    ENDPOINT,
    JOURNAL,
    ORDER,
    PAUSE,
    SIMULATION,
    SUBJECT,
    TOKEN,
    ExactAmount,
    UtcDateTime,
)

__all__ = [
    "ActivityRow",
    "ClaimRow",
    "ConsumerRow",
    "DaemonRow",
    "DeliveryRow",
    "EndpointRow",
    "ExactAmount",
    "JournalRow",
    "OrderRow",
    "PauseRow",
    "Row",
    "SimulationRow",
    "SubjectRow",
    "TokenRow",
    "UtcDateTime",
    "metadata",
]


def _of(column: Column[Any], **more: Any) -> Any:
    return Field(sa_column=column, **more)


class Row(SQLModel, registry=registry(metadata=metadata)):
    """What our tables share: tables and a registry of their own, apart from those of a host."""


class SubjectRow(Row, table=True):
    """A subject as it stands; the row is the timer: `due_at` is the earliest there is.

    `sequence` counts its journal rows, `head` is the hash of the latest one, and `stamp` is that
    row's place in the order in which facts are handed on.
    """

    __table__ = SUBJECT

    tenant: str = _of(SUBJECT.c.tenant)
    id: str = _of(SUBJECT.c.id)
    lifecycle: str = _of(SUBJECT.c.lifecycle)
    state: str = _of(SUBJECT.c.state)
    version: int = _of(SUBJECT.c.version)
    sequence: int = _of(SUBJECT.c.sequence)
    customer: str = _of(SUBJECT.c.customer)
    partner: str = _of(SUBJECT.c.partner)
    changed_at: datetime = _of(SUBJECT.c.changed_at)
    due_at: datetime | None = _of(SUBJECT.c.due_at, default=None)
    due: str | None = _of(SUBJECT.c.due, default=None)
    stamp: int = _of(SUBJECT.c.stamp)
    head: str = _of(SUBJECT.c.head)
    snapshot: str = _of(SUBJECT.c.snapshot)


class JournalRow(Row, table=True):
    """One event as it was decided: accepted or refused, never edited.

    `sequence` counts the rows of a subject from 1 without a gap; `hash` covers this row and the
    hash of the one before. `stamp` and `position` are the order in which facts are handed on.
    """

    __table__ = JOURNAL

    position: int | None = _of(JOURNAL.c.position, default=None)
    tenant: str = _of(JOURNAL.c.tenant)
    subject: str = _of(JOURNAL.c.subject)
    sequence: int = _of(JOURNAL.c.sequence)
    stamp: int = _of(JOURNAL.c.stamp)
    event_id: str = _of(JOURNAL.c.event_id)
    lifecycle: str = _of(JOURNAL.c.lifecycle)
    version: int = _of(JOURNAL.c.version)
    name: str = _of(JOURNAL.c.name)
    effective_at: datetime = _of(JOURNAL.c.effective_at)
    recorded_at: datetime = _of(JOURNAL.c.recorded_at)
    actor_kind: str = _of(JOURNAL.c.actor_kind)
    actor_id: str = _of(JOURNAL.c.actor_id)
    actor: str = _of(JOURNAL.c.actor)
    cause: str | None = _of(JOURNAL.c.cause, default=None)
    state_before: str = _of(JOURNAL.c.state_before)
    state: str = _of(JOURNAL.c.state)
    rules: str = _of(JOURNAL.c.rules)
    policy: str = _of(JOURNAL.c.policy)
    code: str | None = _of(JOURNAL.c.code, default=None)
    data: str = _of(JOURNAL.c.data)
    outcome: str = _of(JOURNAL.c.outcome)
    hash: str = _of(JOURNAL.c.hash)


class ClaimRow(Row, table=True):
    """What only one subject may hold, and the subject that holds it (EA-26)."""

    __table__ = CLAIM

    tenant: str = _of(CLAIM.c.tenant)
    name: str = _of(CLAIM.c.name)
    subject: str = _of(CLAIM.c.subject)


class ActivityRow(Row, table=True):
    """An activity record: a `migration` or a `renewal`, nothing else (EVT-04, EVT-06)."""

    __table__ = ACTIVITY

    tenant: str = _of(ACTIVITY.c.tenant)
    id: str = _of(ACTIVITY.c.id)
    kind: str = _of(ACTIVITY.c.kind)
    stage: str = _of(ACTIVITY.c.stage)
    outcome: str | None = _of(ACTIVITY.c.outcome, default=None)
    fact: str = _of(ACTIVITY.c.fact)
    effective_at: datetime = _of(ACTIVITY.c.effective_at)
    recorded_at: datetime = _of(ACTIVITY.c.recorded_at)
    partner: str = _of(ACTIVITY.c.partner)
    customer: str = _of(ACTIVITY.c.customer)
    subscription: str = _of(ACTIVITY.c.subscription)
    source_subscription: str | None = _of(ACTIVITY.c.source_subscription, default=None)
    new_subscription: str | None = _of(ACTIVITY.c.new_subscription, default=None)
    actor_kind: str = _of(ACTIVITY.c.actor_kind)
    actor_id: str = _of(ACTIVITY.c.actor_id)
    path: str | None = _of(ACTIVITY.c.path, default=None)
    channel: str | None = _of(ACTIVITY.c.channel, default=None)
    order_id: str | None = _of(ACTIVITY.c.order_id, default=None)
    event_id: str = _of(ACTIVITY.c.event_id)
    version: int = _of(ACTIVITY.c.version)
    number: int = _of(ACTIVITY.c.number)
    rules: str = _of(ACTIVITY.c.rules)
    code: str | None = _of(ACTIVITY.c.code, default=None)
    policy: str = _of(ACTIVITY.c.policy)


class OrderRow(Row, table=True):
    """An order record: one line of the partner's order history (EVT-02, EVT-09)."""

    __table__ = ORDER

    tenant: str = _of(ORDER.c.tenant)
    id: str = _of(ORDER.c.id)
    transaction: str = _of(ORDER.c.transaction)
    status: str = _of(ORDER.c.status)
    effective_at: datetime = _of(ORDER.c.effective_at)
    recorded_at: datetime = _of(ORDER.c.recorded_at)
    partner: str = _of(ORDER.c.partner)
    customer: str = _of(ORDER.c.customer)
    subscription: str = _of(ORDER.c.subscription)
    sku: str = _of(ORDER.c.sku)
    quantity: int = _of(ORDER.c.quantity)
    term: str = _of(ORDER.c.term)
    billing: str = _of(ORDER.c.billing)
    amount: Decimal | None = _of(ORDER.c.amount, default=None)
    currency: str | None = _of(ORDER.c.currency, default=None)
    event_id: str = _of(ORDER.c.event_id)
    version: int = _of(ORDER.c.version)
    number: int = _of(ORDER.c.number)
    policy: str = _of(ORDER.c.policy)


class ConsumerRow(Row, table=True):
    """Who follows the journal of a tenant, and how far: a handler of the host, or an endpoint.

    Everything up to (`stamp`, `position`) is handed on or stands as a delivery. `turn` counts who
    took a handler's turn, and `leased_until` is when that turn ends by itself.
    """

    __table__ = CONSUMER

    tenant: str = _of(CONSUMER.c.tenant)
    name: str = _of(CONSUMER.c.name)
    stamp: int = _of(CONSUMER.c.stamp)
    position: int = _of(CONSUMER.c.position)
    created_at: datetime = _of(CONSUMER.c.created_at)
    paused_at: datetime | None = _of(CONSUMER.c.paused_at, default=None)
    paused_because: str | None = _of(CONSUMER.c.paused_because, default=None)
    turn: int = _of(CONSUMER.c.turn)
    leased_until: datetime | None = _of(CONSUMER.c.leased_until, default=None)


class EndpointRow(Row, table=True):
    """Where facts of a tenant are posted to, and which; its cursor is the consumer of its name."""

    __table__ = ENDPOINT

    tenant: str = _of(ENDPOINT.c.tenant)
    id: str = _of(ENDPOINT.c.id)
    url: str = _of(ENDPOINT.c.url)
    body: str = _of(ENDPOINT.c.body)
    filters: str = _of(ENDPOINT.c.filters)
    secret: str = _of(ENDPOINT.c.secret)
    previous_secret: str | None = _of(ENDPOINT.c.previous_secret, default=None)
    previous_until: datetime | None = _of(ENDPOINT.c.previous_until, default=None)
    allow_private: bool = _of(ENDPOINT.c.allow_private)
    allow_http: bool = _of(ENDPOINT.c.allow_http)


class DeliveryRow(Row, table=True):
    """One fact on its way to one consumer; `number` is its place in its event, from 0.

    `next_attempt_at` is when it is due, or when the attempt under way counts as lost; a fact that
    waits for an earlier one of its subject has none.
    """

    __table__ = DELIVERY

    tenant: str = _of(DELIVERY.c.tenant)
    consumer: str = _of(DELIVERY.c.consumer)
    subject: str = _of(DELIVERY.c.subject)
    sequence: int = _of(DELIVERY.c.sequence)
    number: int = _of(DELIVERY.c.number)
    event_id: str = _of(DELIVERY.c.event_id)
    fact: str = _of(DELIVERY.c.fact)
    customer: str = _of(DELIVERY.c.customer)
    partner: str = _of(DELIVERY.c.partner)
    created_at: datetime = _of(DELIVERY.c.created_at)
    status: str = _of(DELIVERY.c.status)
    attempts: int = _of(DELIVERY.c.attempts)
    first_attempt_at: datetime | None = _of(DELIVERY.c.first_attempt_at, default=None)
    next_attempt_at: datetime | None = _of(DELIVERY.c.next_attempt_at, default=None)
    ended_at: datetime | None = _of(DELIVERY.c.ended_at, default=None)
    status_code: int | None = _of(DELIVERY.c.status_code, default=None)
    error: str | None = _of(DELIVERY.c.error, default=None)


class TokenRow(Row, table=True):
    """Who may use the HTTP interface: a token's hash, its role, and its tenant if it has one."""

    __table__ = TOKEN

    id: str = _of(TOKEN.c.id)
    tenant: str | None = _of(TOKEN.c.tenant, default=None)
    role: str = _of(TOKEN.c.role)
    label: str = _of(TOKEN.c.label)
    hash: str = _of(TOKEN.c.hash)
    created_at: datetime = _of(TOKEN.c.created_at)
    created_by: str = _of(TOKEN.c.created_by)
    expires_at: datetime | None = _of(TOKEN.c.expires_at, default=None)
    revoked_at: datetime | None = _of(TOKEN.c.revoked_at, default=None)


class PauseRow(Row, table=True):
    """What the calendar passes over for now; an empty tenant or lifecycle stands for all."""

    __table__ = PAUSE

    tenant: str = _of(PAUSE.c.tenant)
    lifecycle: str = _of(PAUSE.c.lifecycle)
    paused_at: datetime = _of(PAUSE.c.paused_at)
    paused_by: str = _of(PAUSE.c.paused_by)
    reason: str = _of(PAUSE.c.reason)


class SimulationRow(Row, table=True):
    """A simulated tenant, and what its own clock says."""

    __table__ = SIMULATION

    tenant: str = _of(SIMULATION.c.tenant)
    now: datetime = _of(SIMULATION.c.now)
    created_at: datetime = _of(SIMULATION.c.created_at)


class DaemonRow(Row, table=True):
    """A daemon on this database, and when it last beat."""

    __table__ = DAEMON

    id: str = _of(DAEMON.c.id)
    host: str = _of(DAEMON.c.host)
    pid: int = _of(DAEMON.c.pid)
    release: str = _of(DAEMON.c.release)
    started_at: datetime = _of(DAEMON.c.started_at)
    beat_at: datetime = _of(DAEMON.c.beat_at)
    stopped_at: datetime | None = _of(DAEMON.c.stopped_at, default=None)
