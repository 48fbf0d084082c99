"""The first tables: subjects, journal, claims, records, outbox; plain, or cut into partitions."""

from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

from sublife.events.migrations.partition import PLAIN, Partitions, cut_months, cut_subjects

revision = "0.1.0"
down_revision = None

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)
JSON = sa.Text().with_variant(JSONB(), "postgresql")
AMOUNT = sa.Numeric(18, 2).with_variant(sa.String(32), "sqlite")
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    form: Partitions = context.config.attributes.get("partitions", PLAIN)
    _make_subject(form)
    _make_journal(form)
    _make_claim()
    if form.months:
        _make_keys()
    _make_activity(form)
    _make_order(form)
    _make_consumer()
    _make_endpoint()
    _make_delivery()
    if form.subjects:
        cut_subjects(op.execute, form.subjects)
    if form.months:
        cut_months(op.execute, form)


def _must(name: str, kind: Any = None) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.String(), nullable=False)


def _may(name: str, kind: Any = None) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.String(), nullable=True)


def _by_month(form: Partitions) -> dict[str, Any]:
    return {"postgresql_partition_by": "RANGE (recorded_at)"} if form.months else {}


def _make_subject(form: Partitions) -> None:
    by_hash: dict[str, Any] = {"postgresql_partition_by": "HASH (tenant, id)"}
    op.create_table(
        "sublife_subject",
        _must("tenant", NAME),
        _must("id", NAME),
        _must("lifecycle"),
        _must("state"),
        _must("version", sa.Integer()),
        _must("sequence", sa.Integer()),
        _must("customer", NAME),
        _must("partner", NAME),
        _must("changed_at", INSTANT),
        _may("due_at", INSTANT),
        _may("due"),
        _must("stamp", sa.BigInteger()),
        _must("head"),
        _must("snapshot", JSON),
        sa.PrimaryKeyConstraint("tenant", "id"),
        **(by_hash if form.subjects else {}),
    )
    op.create_index("sublife_subject_customer", "sublife_subject", ["tenant", "customer"])
    op.create_index(
        "sublife_subject_due",
        "sublife_subject",
        ["tenant", "due_at", "id"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _make_journal(form: Partitions) -> None:
    """Make the journal; by month, what is unique stands in a table of its own (`_make_keys`)."""
    table = "sublife_journal"
    by_event, by_sequence = ["tenant", "event_id"], ["tenant", "subject", "sequence"]
    unique = (
        sa.UniqueConstraint(*by_event, name="sublife_journal_event"),
        sa.UniqueConstraint(*by_sequence, name="sublife_journal_sequence"),
    )
    month = ("recorded_at",) if form.months else ()
    op.create_table(
        table,
        sa.Column("position", POSITION, autoincrement=True, nullable=False),
        _must("tenant", NAME),
        _must("subject", NAME),
        _must("sequence", sa.Integer()),
        _must("stamp", sa.BigInteger()),
        _must("event_id", NAME),
        _must("lifecycle"),
        _must("version", sa.Integer()),
        _must("name", NAME),
        _must("effective_at", INSTANT),
        _must("recorded_at", INSTANT),
        _must("actor_kind"),
        _must("actor_id"),
        _must("actor", JSON),
        _may("cause"),
        _must("state_before"),
        _must("state"),
        _must("rules"),
        _must("policy"),
        _may("code"),
        _must("data", JSON),
        _must("outcome", JSON),
        _must("hash"),
        sa.PrimaryKeyConstraint("position", *month),
        *(() if form.months else unique),
        **_by_month(form),
    )
    if form.months:
        op.create_index("sublife_journal_event", table, by_event)
        op.create_index("sublife_journal_sequence", table, by_sequence)
    op.create_index("sublife_journal_order", table, ["tenant", "stamp", "position"])


def _make_claim() -> None:
    op.create_table(
        "sublife_claim",
        _must("tenant", NAME),
        _must("name", NAME),
        _must("subject", NAME),
        sa.ForeignKeyConstraint(
            ["tenant", "subject"], ["sublife_subject.tenant", "sublife_subject.id"]
        ),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_index("sublife_claim_subject", "sublife_claim", ["tenant", "subject"])


def _make_keys() -> None:
    """Make the tables that hold what is unique over all months."""
    op.create_table(
        "sublife_journal_key",
        _must("tenant", NAME),
        _must("event_id", NAME),
        _must("subject", NAME),
        _must("sequence", sa.Integer()),
        _must("position", sa.BigInteger()),
        sa.PrimaryKeyConstraint("tenant", "event_id"),
        sa.UniqueConstraint("tenant", "subject", "sequence", name="sublife_journal_key_sequence"),
        sa.UniqueConstraint("position", name="sublife_journal_key_position"),
    )
    for table in ("sublife_activity_key", "sublife_order_key"):
        op.create_table(
            table,
            _must("tenant", NAME),
            _must("id", NAME),
            sa.PrimaryKeyConstraint("tenant", "id"),
        )


def _of_event(form: Partitions) -> sa.ForeignKeyConstraint:
    """Return the foreign key to the journal; by month, to the keys it must have there."""
    target = "sublife_journal_key" if form.months else "sublife_journal"
    return sa.ForeignKeyConstraint(
        ["tenant", "event_id"], [f"{target}.tenant", f"{target}.event_id"]
    )


def _make_activity(form: Partitions) -> None:
    table = "sublife_activity"
    op.create_table(
        table,
        _must("tenant", NAME),
        _must("id", NAME),
        _must("kind"),
        _must("stage"),
        _may("outcome"),
        _must("fact"),
        _must("effective_at", INSTANT),
        _must("recorded_at", INSTANT),
        _must("partner", NAME),
        _must("customer", NAME),
        _must("subscription", NAME),
        _may("source_subscription"),
        _may("new_subscription"),
        _must("actor_kind"),
        _must("actor_id"),
        _may("path"),
        _may("channel"),
        _may("order_id"),
        _must("event_id", NAME),
        _must("version", sa.Integer()),
        _must("number", sa.Integer()),
        _must("rules"),
        _may("code"),
        _must("policy"),
        _of_event(form),
        sa.PrimaryKeyConstraint("tenant", "id", *(("recorded_at",) if form.months else ())),
        **_by_month(form),
    )
    op.create_index("sublife_activity_event", table, ["tenant", "event_id"])
    op.create_index("sublife_activity_period", table, ["tenant", "effective_at"])
    for name in ("customer", "partner", "subscription", "kind"):
        op.create_index(f"sublife_activity_{name}", table, ["tenant", name, "effective_at"])


def _make_order(form: Partitions) -> None:
    table = "sublife_order"
    op.create_table(
        table,
        _must("tenant", NAME),
        _must("id", NAME),
        _must("transaction"),
        _must("status"),
        _must("effective_at", INSTANT),
        _must("recorded_at", INSTANT),
        _must("partner", NAME),
        _must("customer", NAME),
        _must("subscription", NAME),
        _must("sku"),
        _must("quantity", sa.Integer()),
        _must("term"),
        _must("billing"),
        _may("amount", AMOUNT),
        _may("currency"),
        _must("event_id", NAME),
        _must("version", sa.Integer()),
        _must("number", sa.Integer()),
        _must("policy"),
        _of_event(form),
        sa.PrimaryKeyConstraint("tenant", "id", *(("recorded_at",) if form.months else ())),
        **_by_month(form),
    )
    op.create_index("sublife_order_event", table, ["tenant", "event_id"])
    op.create_index("sublife_order_period", table, ["tenant", "effective_at"])
    for name in ("partner", "customer", "subscription"):
        op.create_index(f"sublife_order_{name}", table, ["tenant", name, "effective_at"])


def _make_consumer() -> None:
    op.create_table(
        "sublife_consumer",
        _must("tenant", NAME),
        _must("name", NAME),
        _must("stamp", sa.BigInteger()),
        _must("position", sa.BigInteger()),
        _must("created_at", INSTANT),
        _may("paused_at", INSTANT),
        _may("paused_because"),
        _must("turn", sa.Integer()),
        _may("leased_until", INSTANT),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )


def _of_consumer(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant", name], ["sublife_consumer.tenant", "sublife_consumer.name"]
    )


def _make_endpoint() -> None:
    op.create_table(
        "sublife_endpoint",
        _must("tenant", NAME),
        _must("id", NAME),
        _must("url"),
        _must("body"),
        _must("filters", JSON),
        _must("secret"),
        _may("previous_secret"),
        _may("previous_until", INSTANT),
        _must("allow_private", sa.Boolean()),
        _must("allow_http", sa.Boolean()),
        _of_consumer("id"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )


def _make_delivery() -> None:
    table = "sublife_delivery"
    op.create_table(
        table,
        _must("tenant", NAME),
        _must("consumer", NAME),
        _must("subject", NAME),
        _must("sequence", sa.Integer()),
        _must("number", sa.Integer()),
        _must("event_id", NAME),
        _must("fact"),
        _must("customer", NAME),
        _must("partner", NAME),
        _must("created_at", INSTANT),
        _must("status"),
        _must("attempts", sa.Integer()),
        _may("first_attempt_at", INSTANT),
        _may("next_attempt_at", INSTANT),
        _may("ended_at", INSTANT),
        _may("status_code", sa.Integer()),
        _may("error"),
        _of_consumer("consumer"),
        sa.PrimaryKeyConstraint("tenant", "consumer", "subject", "sequence", "number"),
    )
    is_due, is_open = sa.text("next_attempt_at IS NOT NULL"), sa.text("status = 'pending'")
    op.create_index(
        "sublife_delivery_due",
        table,
        ["tenant", "consumer", "next_attempt_at"],
        sqlite_where=is_due,
        postgresql_where=is_due,
    )
    op.create_index(
        "sublife_delivery_open",
        table,
        ["tenant", "consumer", "subject", "sequence", "number"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("sublife_delivery_status", table, ["tenant", "status", "created_at"])
