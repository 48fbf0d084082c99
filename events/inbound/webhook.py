"""Webhook bodies and migration events: they say that something happened, rarely what (EVT-10)."""

import re
from datetime import datetime

from sublife.events.inbound import customer, migration
from sublife.events.inbound.row import Row, Verdict, identifier, unchanged, unmapped
from sublife.events.inbound.target import Target
from sublife.events.wire import Reader
from sublife.lifecycle.migration.model import Migration
from sublife.lifecycle.model import iso

_RESOURCE = re.compile(
    r"/customers/(?P<customer>[^/?]+)"
    r"(?:/subscriptions/(?P<subscription>[^/?]+)"
    r"|/migrations/newcommerce/(?:schedules/)?(?P<migration>[^/?]+))?/?(?:\?.*)?$",
    re.IGNORECASE,
)
_MIGRATION = {
    "new-commerce-migration-created": "processing",
    "new-commerce-migration-completed": "completed",
    "new-commerce-migration-failed": "failed",
    "new-commerce-migration-schedule-failed": "failed",
    "migrationstarted": "processing",
    "newcommercesubscriptioncreated": "processing",
    "newcommercesubscriptionprovisioned": "processing",
    "migrationcompleted": "completed",
    "migrationfailed": "failed",
}
"""What status each event name reports of its migration (EVT-11, LEG-25)."""
_CUSTOMER = {
    "reseller-relationship-accepted-by-customer": customer.ACCEPTS,
    "indirect-reseller-relationship-accepted-by-customer": customer.ACCEPTS,
    "dap-admin-relationship-approved": customer.APPROVES,
    "dap-admin-relationship-terminated": customer.TERMINATES,
    "dap-admin-relationship-terminated-by-microsoft": customer.TERMINATES,
}


def take(row: Row, target: Target) -> Verdict:
    """Take in what a webhook body reports, where its name says all of it."""
    reader = Reader(row.fields)
    name, at = reader.text("EventName").lower(), reader.instant("ResourceChangeUtcDate")
    assert at is not None  # noqa: S101 – rows without an instant come no further
    found = _RESOURCE.search(reader.text("ResourceUri"))
    parts = found.groupdict() if found else {}
    if name in _CUSTOMER:
        tenant = identifier(parts.get("customer") or target.customer or "")
        return customer.report(row, _CUSTOMER[name], tenant, at, target)
    if name in _MIGRATION:
        return _reported(row, (parts.get("migration") or "").lower(), name, at, target)
    if name == "subscription-updated":
        return _updated((parts.get("subscription") or "").lower(), at, target)
    return unmapped(f"{name or 'it'} is about no subject of the engine")


def take_event(row: Row, target: Target) -> Verdict:
    """Take in a migration event: it names its migration and how far that has come (LEG-25)."""
    reader = Reader(row.fields)
    name, at = reader.text("eventName").lower(), reader.instant("createdTime")
    assert at is not None  # noqa: S101 – rows without an instant come no further
    if name not in _MIGRATION:
        return unmapped(f'"{reader.text("eventName")}" is no migration event')
    return _reported(row, reader.text("newCommerceMigrationId").lower(), name, at, target)


def _reported(row: Row, subject: str, name: str, at: datetime, target: Target) -> Verdict:
    """Report to a stored migration how far it has come; a step on the way changes nothing."""
    stored = target.standing(subject, at)
    if not isinstance(stored, Migration):
        said = f"names migration {subject or '?'}, which is not stored; import its resource"
        return unmapped(said, subject or None)
    status = _MIGRATION[name]
    if status == "processing" and stored.started_at is not None:
        return unchanged(f"it is stored as {stored.state}", subject)
    return migration.progress(row, stored, status, at, target)


def _updated(subject: str, at: datetime, target: Target) -> Verdict:
    """Say whether what is stored is as new as the change that a webhook tells of."""
    stored = target.standing(subject)
    if stored is None:
        said = f"says that {subject or 'a subscription'} has changed, not how"
        return unmapped(f"{said}, and it is not stored; import its resource", subject or None)
    if stored.changed_at >= at:
        said = f"what is stored is of {iso(stored.changed_at)}, not older than the change"
        return unchanged(said, subject)
    said = f"says that it has changed at {iso(at)}, not how"
    return unmapped(f"{said}; import its resource to see what differs", subject)
