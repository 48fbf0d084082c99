"""Fewer indexes on the records: those over two kinds, and over the few partners of a tenant."""

from alembic import op

revision = "0.3.0"
down_revision = "0.2.0"

SPARE = (
    ("sublife_activity", "kind"),
    ("sublife_activity", "partner"),
    ("sublife_order", "partner"),
)


def upgrade() -> None:
    """Drop them; of a table cut by month, those of its partitions go too."""
    for table, column in SPARE:
        op.drop_index(f"{table}_{column}", table_name=table)
