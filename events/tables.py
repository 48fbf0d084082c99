"""The tables, as SQLModel rows that a host may query, and the UTC column type."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    cast,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine
from sqlmodel import Field, SQLModel

metadata = MetaData()
"""Of our tables alone, so that a host's `create_all` and ours stay apart."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant with its zone: refuses naive values, returns UTC on every database (GEN-01)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as the driver takes it.

        Raises:
            ValueError: it has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; give an aware datetime")
        at = value.astimezone(UTC)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database holds as an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class ExactAmount(TypeDecorator[Decimal]):
    """An amount to the cent, exact on every database: SQLite has no decimals, so text there."""

    impl = Numeric(18, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text on SQLite, `NUMERIC(18, 2)` elsewhere."""
        exact: TypeEngine[Any] = String(32) if dialect.name == "sqlite" else Numeric(18, 2)
        return dialect.type_descriptor(exact)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Return *value* as the driver takes it."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002 – SQLAlchemy's signature
        """Return what the database holds as a Decimal."""
        return None if value is None else Decimal(value)


class JsonText(TypeDecorator[str]):
    """JSON as text to Python: text on SQLite, `JSONB` on PostgreSQL, where SQL can look inside."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text on SQLite, `JSONB` elsewhere."""
        found: TypeEngine[Any] = Text() if dialect.name == "sqlite" else JSONB()
        return dialect.type_descriptor(found)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Return *value* as the driver takes it."""
        return value if value is None or dialect.name == "sqlite" else json.loads(value)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the column as text wherever it is read."""
        return cast(column, Text)


_Position = BigInteger().with_variant(Integer, "sqlite")


_Name = String().with_variant(String(collation="C"), "postgresql")
"""Names sort by their bytes, so that every database gives one order."""


def _name(**more: Any) -> Any:
    return Field(sa_type=_Name, **more)


def _instant(**more: Any) -> Any:
    return Field(sa_type=UtcDateTime, **more)


class Row(SQLModel, registry=registry(metadata=metadata)):
    """What our tables share: tables and a registry of their own, apart from those of a host."""


class SubjectRow(Row, table=True):
    """A subject as it stands; the row is the timer: `due_at` is the earliest there is.

    `sequence` counts its journal rows, `head` is the hash of the latest one, and `stamp` is that
    row's place in the order in which facts are handed on.
    """

    __tablename__ = "sublife_subject"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        Index(
            "sublife_subject_due",
            "tenant",
            "due_at",
            "id",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index("sublife_subject_customer", "tenant", "customer"),
    )

    tenant: str = _name(primary_key=True)
    id: str = _name(primary_key=True)
    lifecycle: str
    state: str
    version: int
    sequence: int
    customer: str = _name()
    partner: str = _name()
    changed_at: datetime = _instant()
    due_at: datetime | None = _instant(default=None)
    due: str | None = None
    stamp: int = Field(sa_type=BigInteger)
    head: str
    snapshot: str = Field(sa_type=JsonText)


class JournalRow(Row, table=True):
    """One event as it was decided: accepted or refused, never edited.

    `sequence` counts the rows of a subject from 1 without a gap; `hash` covers this row and the
    hash of the one before. `stamp` and `position` are the order in which facts are handed on.
    """

    __tablename__ = "sublife_journal"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        UniqueConstraint("tenant", "event_id", name="sublife_journal_event"),
        UniqueConstraint("tenant", "subject", "sequence", name="sublife_journal_sequence"),
        Index("sublife_journal_order", "tenant", "stamp", "position"),
    )

    position: int | None = Field(default=None, primary_key=True, sa_type=_Position)
    tenant: str = _name()
    subject: str = _name()
    sequence: int
    stamp: int = Field(sa_type=BigInteger)
    event_id: str = _name()
    lifecycle: str
    version: int
    name: str = _name()
    effective_at: datetime = _instant()
    recorded_at: datetime = _instant()
    actor_kind: str
    actor_id: str
    actor: str = Field(sa_type=JsonText)
    cause: str | None = None
    state_before: str
    state: str
    rules: str
    policy: str
    code: str | None = None
    data: str = Field(sa_type=JsonText)
    outcome: str = Field(sa_type=JsonText)
    hash: str


class ClaimRow(Row, table=True):
    """What only one subject may hold, and the subject that holds it (EA-26)."""

    __tablename__ = "sublife_claim"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "subject"], ["sublife_subject.tenant", "sublife_subject.id"]
        ),
        Index("sublife_claim_subject", "tenant", "subject"),
    )

    tenant: str = _name(primary_key=True)
    name: str = _name(primary_key=True)
    subject: str = _name()


class ActivityRow(Row, table=True):
    """An activity record: a `migration` or a `renewal`, nothing else (EVT-04, EVT-06)."""

    __tablename__ = "sublife_activity"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "event_id"], ["sublife_journal.tenant", "sublife_journal.event_id"]
        ),
        Index("sublife_activity_event", "tenant", "event_id"),
        Index("sublife_activity_period", "tenant", "effective_at"),
        Index("sublife_activity_customer", "tenant", "customer", "effective_at"),
        Index("sublife_activity_subscription", "tenant", "subscription", "effective_at"),
    )

    tenant: str = _name(primary_key=True)
    id: str = _name(primary_key=True)
    kind: str
    stage: str
    outcome: str | None = None
    fact: str
    effective_at: datetime = _instant()
    recorded_at: datetime = _instant()
    partner: str = _name()
    customer: str = _name()
    subscription: str = _name()
    source_subscription: str | None = None
    new_subscription: str | None = None
    actor_kind: str
    actor_id: str
    path: str | None = None
    channel: str | None = None
    order_id: str | None = None
    event_id: str = _name()
    version: int
    number: int
    rules: str
    code: str | None = None
    policy: str


class OrderRow(Row, table=True):
    """An order record: one line of the partner's order history (EVT-02, EVT-09)."""

    __tablename__ = "sublife_order"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "event_id"], ["sublife_journal.tenant", "sublife_journal.event_id"]
        ),
        Index("sublife_order_event", "tenant", "event_id"),
        Index("sublife_order_period", "tenant", "effective_at"),
        Index("sublife_order_customer", "tenant", "customer", "effective_at"),
        Index("sublife_order_subscription", "tenant", "subscription", "effective_at"),
    )

    tenant: str = _name(primary_key=True)
    id: str = _name(primary_key=True)
    transaction: str
    status: str
    effective_at: datetime = _instant()
    recorded_at: datetime = _instant()
    partner: str = _name()
    customer: str = _name()
    subscription: str = _name()
    sku: str
    quantity: int
    term: str
    billing: str
    amount: Decimal | None = Field(default=None, sa_type=ExactAmount)
    currency: str | None = None
    event_id: str = _name()
    version: int
    number: int
    policy: str


class ConsumerRow(Row, table=True):
    """Who follows the journal of a tenant, and how far: a handler of the host, or an endpoint.

    Everything up to (`stamp`, `position`) is handed on or stands as a delivery. `turn` counts who
    took a handler's turn, and `leased_until` is when that turn ends by itself.
    """

    __tablename__ = "sublife_consumer"  # pyright: ignore[reportAssignmentType] – SQLModel

    tenant: str = _name(primary_key=True)
    name: str = _name(primary_key=True)
    stamp: int = Field(sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    created_at: datetime = _instant()
    paused_at: datetime | None = _instant(default=None)
    paused_because: str | None = None
    turn: int
    leased_until: datetime | None = _instant(default=None)


class EndpointRow(Row, table=True):
    """Where facts of a tenant are posted to, and which; its cursor is the consumer of its name."""

    __tablename__ = "sublife_endpoint"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "id"], ["sublife_consumer.tenant", "sublife_consumer.name"]
        ),
    )

    tenant: str = _name(primary_key=True)
    id: str = _name(primary_key=True)
    url: str
    body: str
    filters: str = Field(sa_type=JsonText)
    secret: str
    previous_secret: str | None = None
    previous_until: datetime | None = _instant(default=None)
    allow_private: bool
    allow_http: bool


class DeliveryRow(Row, table=True):
    """One fact on its way to one consumer; `number` is its place in its event, from 0.

    `next_attempt_at` is when it is due, or when the attempt under way counts as lost; a fact that
    waits for an earlier one of its subject has none.
    """

    __tablename__ = "sublife_delivery"  # pyright: ignore[reportAssignmentType] – SQLModel
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "consumer"], ["sublife_consumer.tenant", "sublife_consumer.name"]
        ),
        Index(
            "sublife_delivery_due",
            "tenant",
            "consumer",
            "next_attempt_at",
            sqlite_where=text("next_attempt_at IS NOT NULL"),
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
        Index(
            "sublife_delivery_open",
            "tenant",
            "consumer",
            "subject",
            "sequence",
            "number",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index("sublife_delivery_status", "tenant", "status", "created_at"),
    )

    tenant: str = _name(primary_key=True)
    consumer: str = _name(primary_key=True)
    subject: str = _name(primary_key=True)
    sequence: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    event_id: str = _name()
    fact: str
    customer: str = _name()
    partner: str = _name()
    created_at: datetime = _instant()
    status: str
    attempts: int
    first_attempt_at: datetime | None = _instant(default=None)
    next_attempt_at: datetime | None = _instant(default=None)
    ended_at: datetime | None = _instant(default=None)
    status_code: int | None = None
    error: str | None = None


class TokenRow(Row, table=True):
    """Who may use the HTTP interface: a token's hash, its role, and its tenant if it has one."""

    __tablename__ = "sublife_token"  # pyright: ignore[reportAssignmentType] – SQLModel

    id: str = _name(primary_key=True)
    tenant: str | None = _name(default=None)
    role: str
    label: str
    hash: str
    created_at: datetime = _instant()
    created_by: str
    expires_at: datetime | None = _instant(default=None)
    revoked_at: datetime | None = _instant(default=None)


class PauseRow(Row, table=True):
    """What the calendar passes over for now; an empty tenant or lifecycle stands for all."""

    __tablename__ = "sublife_pause"  # pyright: ignore[reportAssignmentType] – SQLModel

    tenant: str = _name(primary_key=True)
    lifecycle: str = _name(primary_key=True)
    paused_at: datetime = _instant()
    paused_by: str
    reason: str


class SimulationRow(Row, table=True):
    """A simulated tenant, and what its own clock says."""

    __tablename__ = "sublife_simulation"  # pyright: ignore[reportAssignmentType] – SQLModel

    tenant: str = _name(primary_key=True)
    now: datetime = _instant()
    created_at: datetime = _instant()


class DaemonRow(Row, table=True):
    """A daemon on this database, and when it last beat."""

    __tablename__ = "sublife_daemon"  # pyright: ignore[reportAssignmentType] – SQLModel

    id: str = _name(primary_key=True)
    host: str
    pid: int
    release: str
    started_at: datetime = _instant()
    beat_at: datetime = _instant()
    stopped_at: datetime | None = _instant(default=None)
