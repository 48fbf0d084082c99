"""Runs the revisions in a transaction that the caller has begun, or prints them as SQL.

`sublife.events.store.upgrade` starts it, and hands over in the attributes of Alembic's `Config`:
`connection` (with a transaction begun and the lock taken) or `dialect` (to print), `partitions`
(a `Partitions`, for the first revision) and `steps` (a list that takes each revision applied).
"""

from typing import Any

from alembic import context

from sublife.events.indexes import metadata
from sublife.events.migrations import VERSION_TABLE

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('sublife_schema', 0))"


def print_sql(dialect: str) -> None:
    """Print the statements, with the lock that keeps two runs apart."""
    context.configure(
        dialect_name=dialect,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        if dialect == "postgresql":
            context.execute(LOCK)
        context.run_migrations()


def run(connection: Any, steps: list[str]) -> None:
    """Run the statements on a connection whose transaction somebody else ends."""

    def applied(*_: Any, **told: Any) -> None:
        steps.append(str(told["step"].up_revision_id))

    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
        on_version_apply=applied,
    )
    context.run_migrations()


given = context.config.attributes
if context.is_offline_mode():
    print_sql(given["dialect"])
else:
    run(given["connection"], given["steps"])
