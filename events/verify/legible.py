"""Finds subjects and records that cannot be read, whatever their journal says."""

from collections.abc import Iterator

from sublife.events.store.audit import Audit
from sublife.events.store.error import UnreadableError
from sublife.events.store.readable import snapshot_of
from sublife.events.verify.finding import Finding, Wrong


def illegible(audit: Audit, tenant: str) -> Iterator[Finding]:
    """Yield every subject and record of a tenant of which a column cannot be read."""
    for row in audit.subjects(tenant):
        try:
            snapshot_of(row)
        except UnreadableError as error:
            do = f"`sublife repair {row.id} --tenant {tenant}` rebuilds it from its journal"
            yield Finding(
                tenant, row.id, Wrong.CHANGED, _says(error), "subject", column=error.column, do=do
            )
    for record, wrong in audit.unreadable_records(tenant):
        yield Finding(
            tenant,
            record["subscription"],
            Wrong.CHANGED,
            f"{_says(wrong)} ({wrong.row})",
            wrong.table.removeprefix("sublife_"),
            event=record["event_id"],
            column=wrong.column,
            do=wrong.remedy,
        )


def _says(error: UnreadableError) -> str:
    return error.problem.removeprefix(f"column {error.column}").lstrip(":, ")
