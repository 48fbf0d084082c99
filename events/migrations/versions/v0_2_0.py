"""The tables of the daemon: who may use its interface, what is paused, simulated clocks, beats."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0.2.0"
down_revision = "0.1.0"

NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; what is there stays as it is."""
    _make_token()
    _make_pause()
    _make_simulation()
    _make_daemon()


def _must(name: str, kind: Any = None) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.String(), nullable=False)


def _may(name: str, kind: Any = None) -> sa.Column[Any]:
    return sa.Column(name, kind or sa.String(), nullable=True)


def _make_token() -> None:
    op.create_table(
        "sublife_token",
        _must("id", NAME),
        _may("tenant", NAME),
        _must("role"),
        _must("label"),
        _must("hash"),
        _must("created_at", INSTANT),
        _must("created_by"),
        _may("expires_at", INSTANT),
        _may("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_pause() -> None:
    op.create_table(
        "sublife_pause",
        _must("tenant", NAME),
        _must("lifecycle", NAME),
        _must("paused_at", INSTANT),
        _must("paused_by"),
        _must("reason"),
        sa.PrimaryKeyConstraint("tenant", "lifecycle"),
    )


def _make_simulation() -> None:
    op.create_table(
        "sublife_simulation",
        _must("tenant", NAME),
        _must("now", INSTANT),
        _must("created_at", INSTANT),
        sa.PrimaryKeyConstraint("tenant"),
    )


def _make_daemon() -> None:
    op.create_table(
        "sublife_daemon",
        _must("id", NAME),
        _must("host"),
        _must("pid", sa.Integer()),
        _must("release"),
        _must("started_at", INSTANT),
        _must("beat_at", INSTANT),
        _may("stopped_at", INSTANT),
        sa.PrimaryKeyConstraint("id"),
    )
