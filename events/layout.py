"""The tables: their columns, types and keys, as SQLAlchemy Core.

Our own statements are made of these. `sublife.events.tables` has the same tables as SQLModel rows
for hosts; what only reads a database is spared their import, which takes as long as its work.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    cast,
)
from sqlalchemy.types import DateTime, TypeDecorator, TypeEngine

metadata = MetaData()
"""Of our tables alone; without their indexes, which `sublife.events.indexes` adds."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant with its zone: refuses naive values, returns UTC on every database (GEN-01)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """The type of its values."""
        return datetime

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

    @property
    def python_type(self) -> type[Decimal]:
        """The type of its values."""
        return Decimal

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

    @property
    def python_type(self) -> type[str]:
        """The type of its values."""
        return str

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text on SQLite, `JSONB` elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(Text())
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415 – dear, and not for SQLite

        return dialect.type_descriptor(JSONB())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """Return *value* as the driver takes it."""
        return value if value is None or dialect.name == "sqlite" else json.loads(value)

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the column as text wherever it is read."""
        return cast(column, Text)


_POSITION = BigInteger().with_variant(Integer, "sqlite")


_NAME = String().with_variant(String(collation="C"), "postgresql")
"""Names sort by their bytes, so that every database gives one order."""


SUBJECT = Table(
    "sublife_subject",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("id", _NAME, primary_key=True),
    Column("lifecycle", String(), nullable=False),
    Column("state", String(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("customer", _NAME, nullable=False),
    Column("partner", _NAME, nullable=False),
    Column("changed_at", UtcDateTime(), nullable=False),
    Column("due_at", UtcDateTime()),
    Column("due", String()),
    Column("stamp", BigInteger(), nullable=False),
    Column("head", String(), nullable=False),
    Column("snapshot", JsonText(), nullable=False),
)

JOURNAL = Table(
    "sublife_journal",
    metadata,
    Column("position", _POSITION, primary_key=True),
    Column("tenant", _NAME, nullable=False),
    Column("subject", _NAME, nullable=False),
    Column("sequence", Integer(), nullable=False),
    Column("stamp", BigInteger(), nullable=False),
    Column("event_id", _NAME, nullable=False),
    Column("lifecycle", String(), nullable=False),
    Column("version", Integer(), nullable=False),
    Column("name", _NAME, nullable=False),
    Column("effective_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("actor_kind", String(), nullable=False),
    Column("actor_id", String(), nullable=False),
    Column("actor", JsonText(), nullable=False),
    Column("cause", String()),
    Column("state_before", String(), nullable=False),
    Column("state", String(), nullable=False),
    Column("rules", String(), nullable=False),
    Column("policy", String(), nullable=False),
    Column("code", String()),
    Column("data", JsonText(), nullable=False),
    Column("outcome", JsonText(), nullable=False),
    Column("hash", String(), nullable=False),
    UniqueConstraint("tenant", "event_id", name="sublife_journal_event"),
    UniqueConstraint("tenant", "subject", "sequence", name="sublife_journal_sequence"),
)

CLAIM = Table(
    "sublife_claim",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("subject", _NAME, nullable=False),
    ForeignKeyConstraint(["tenant", "subject"], ["sublife_subject.tenant", "sublife_subject.id"]),
)

ACTIVITY = Table(
    "sublife_activity",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("id", _NAME, primary_key=True),
    Column("kind", String(), nullable=False),
    Column("stage", String(), nullable=False),
    Column("outcome", String()),
    Column("fact", String(), nullable=False),
    Column("effective_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("partner", _NAME, nullable=False),
    Column("customer", _NAME, nullable=False),
    Column("subscription", _NAME, nullable=False),
    Column("source_subscription", String()),
    Column("new_subscription", String()),
    Column("actor_kind", String(), nullable=False),
    Column("actor_id", String(), nullable=False),
    Column("path", String()),
    Column("channel", String()),
    Column("order_id", String()),
    Column("event_id", _NAME, nullable=False),
    Column("version", Integer(), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("rules", String(), nullable=False),
    Column("code", String()),
    Column("policy", String(), nullable=False),
    ForeignKeyConstraint(
        ["tenant", "event_id"], ["sublife_journal.tenant", "sublife_journal.event_id"]
    ),
)

ORDER = Table(
    "sublife_order",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("id", _NAME, primary_key=True),
    Column("transaction", String(), nullable=False),
    Column("status", String(), nullable=False),
    Column("effective_at", UtcDateTime(), nullable=False),
    Column("recorded_at", UtcDateTime(), nullable=False),
    Column("partner", _NAME, nullable=False),
    Column("customer", _NAME, nullable=False),
    Column("subscription", _NAME, nullable=False),
    Column("sku", String(), nullable=False),
    Column("quantity", Integer(), nullable=False),
    Column("term", String(), nullable=False),
    Column("billing", String(), nullable=False),
    Column("amount", ExactAmount()),
    Column("currency", String()),
    Column("event_id", _NAME, nullable=False),
    Column("version", Integer(), nullable=False),
    Column("number", Integer(), nullable=False),
    Column("policy", String(), nullable=False),
    ForeignKeyConstraint(
        ["tenant", "event_id"], ["sublife_journal.tenant", "sublife_journal.event_id"]
    ),
)

CONSUMER = Table(
    "sublife_consumer",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("stamp", BigInteger(), nullable=False),
    Column("position", BigInteger(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("paused_at", UtcDateTime()),
    Column("paused_because", String()),
    Column("turn", Integer(), nullable=False),
    Column("leased_until", UtcDateTime()),
)

ENDPOINT = Table(
    "sublife_endpoint",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("id", _NAME, primary_key=True),
    Column("url", String(), nullable=False),
    Column("body", String(), nullable=False),
    Column("filters", JsonText(), nullable=False),
    Column("secret", String(), nullable=False),
    Column("previous_secret", String()),
    Column("previous_until", UtcDateTime()),
    Column("allow_private", Boolean(), nullable=False),
    Column("allow_http", Boolean(), nullable=False),
    ForeignKeyConstraint(["tenant", "id"], ["sublife_consumer.tenant", "sublife_consumer.name"]),
)

DELIVERY = Table(
    "sublife_delivery",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("consumer", _NAME, primary_key=True),
    Column("subject", _NAME, primary_key=True),
    Column("sequence", Integer(), primary_key=True),
    Column("number", Integer(), primary_key=True),
    Column("event_id", _NAME, nullable=False),
    Column("fact", String(), nullable=False),
    Column("customer", _NAME, nullable=False),
    Column("partner", _NAME, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("status", String(), nullable=False),
    Column("attempts", Integer(), nullable=False),
    Column("first_attempt_at", UtcDateTime()),
    Column("next_attempt_at", UtcDateTime()),
    Column("ended_at", UtcDateTime()),
    Column("status_code", Integer()),
    Column("error", String()),
    ForeignKeyConstraint(
        ["tenant", "consumer"], ["sublife_consumer.tenant", "sublife_consumer.name"]
    ),
)

TOKEN = Table(
    "sublife_token",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("tenant", _NAME),
    Column("role", String(), nullable=False),
    Column("label", String(), nullable=False),
    Column("hash", String(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("created_by", String(), nullable=False),
    Column("expires_at", UtcDateTime()),
    Column("revoked_at", UtcDateTime()),
)

PAUSE = Table(
    "sublife_pause",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("lifecycle", _NAME, primary_key=True),
    Column("paused_at", UtcDateTime(), nullable=False),
    Column("paused_by", String(), nullable=False),
    Column("reason", String(), nullable=False),
)

SIMULATION = Table(
    "sublife_simulation",
    metadata,
    Column("tenant", _NAME, primary_key=True),
    Column("now", UtcDateTime(), nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
)

DAEMON = Table(
    "sublife_daemon",
    metadata,
    Column("id", _NAME, primary_key=True),
    Column("host", String(), nullable=False),
    Column("pid", Integer(), nullable=False),
    Column("release", String(), nullable=False),
    Column("started_at", UtcDateTime(), nullable=False),
    Column("beat_at", UtcDateTime(), nullable=False),
    Column("stopped_at", UtcDateTime()),
)


def types_of(table: Table) -> Mapping[str, Any]:
    """Return the types of a table's columns in Python by their names, in order."""
    return {
        column.name: column.type.python_type | None if column.nullable else column.type.python_type
        for column in table.c
    }
