"""Migrations to new commerce and their schedules: what runs or waits is taken on (LEG-16, 21)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sublife.events import migration as wire
from sublife.events.inbound.row import (
    Row,
    Shape,
    Verdict,
    differs,
    named,
    shown,
    unchanged,
    unmapped,
)
from sublife.events.inbound.subscription import twin_of
from sublife.events.inbound.target import Ask, Target
from sublife.events.wire import Reader
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.migration.model import Fail, Migration, Part, Request, Schedule, State
from sublife.lifecycle.model import Payload, iso
from sublife.lifecycle.subscription.model import Product, Subscription

LIFECYCLE = "migration"
STATES: Mapping[str, frozenset[State]] = {
    "created": frozenset({State.SCHEDULED}),
    "processing": frozenset({State.PROCESSING}),
    "completed": frozenset({State.COMPLETED}),
    "failed": frozenset({State.FAILED, State.REVERTED}),
    "cancelled": frozenset({State.CANCELLED}),
}
"""What each status says of the stored migration."""
_REASON = "Partner Center reports that it failed"
_TERMS = {each.value.lower(): each for each in Term}
_BILLINGS = {each.value: each for each in Billing}
_COMPARED = (
    "quantity",
    "termDuration",
    "billingCycle",
    "purchaseFullTerm",
    "migrateOnRenewal",
    "newCommerceSubscriptionId",
)


def take(row: Row, target: Target) -> Verdict:
    """Take on a migration that waits or runs; report to one that is stored what became of it."""
    reader = Reader(row.fields)
    status = reader.text("status").lower().replace("canceled", "cancelled")
    legacy_id = reader.text("currentSubscriptionId").lower()
    if status not in STATES:
        known = ", ".join(STATES)
        return unmapped(f'status "{reader.text("status")}" is not known; it is one of {known}')
    if not legacy_id:
        return unmapped("currentSubscriptionId is missing; export it again")
    legacy = target.standing(legacy_id)
    stored = _stored(reader, legacy, target)
    if stored is not None:
        return progress(row, stored, status, _ended_at(reader, status), target)
    if status == "cancelled" or (status == "failed" and row.shape is Shape.SCHEDULE):
        return unchanged(f"it is {status}; nothing of it is still to come", legacy_id)
    if not isinstance(legacy, Subscription):
        return _without_legacy(reader, legacy_id, status, target)
    if status == "failed":
        return unchanged("it has failed; nothing of it is still to come", legacy_id)
    return _begun(row, reader, legacy, status, target)


def _stored(reader: Reader, legacy: object, target: Target) -> Migration | None:
    """Return the stored migration that a row is about, by its id or by what it moves."""
    names = [reader.text("id"), reader.text("newCommerceMigrationId")]
    names = [each.lower() for each in names]
    if isinstance(legacy, Subscription) and legacy.move is not None:
        names.append(legacy.move.migration)
    for name in names:
        found = target.standing(name)
        if isinstance(found, Migration):
            return found
    return None


def _without_legacy(reader: Reader, legacy: str, status: str, target: Target) -> Verdict:
    into = reader.text("newCommerceSubscriptionId").lower()
    if status == "completed" and target.has(into):
        return unchanged(f"what it led to, {into}, is stored", into)
    said = f"the legacy subscription {legacy} is not stored; import its resource first"
    return unmapped(said, legacy)


def _ended_at(reader: Reader, status: str) -> datetime | None:
    """Return the instant of the latest thing that a row reports."""
    names = {
        "completed": ("completedTime",),
        "failed": ("completedTime", "lastModifiedTime"),
        "cancelled": ("lastModifiedTime",),
    }.get(status, ())
    for name in names:
        found = Reader.instant(reader, name) if reader.text(name) else None
        if found is not None:
            return found
    return None


def progress(
    row: Row, stored: Migration, status: str, ended_at: datetime | None, target: Target
) -> Verdict:
    """Report to a stored migration how far it has come, unless it is there already."""
    if target.knows(row.mark, stored.id):
        return unchanged("imported already, from a row of the same content", stored.id)
    now = target.standing(stored.id, ended_at)
    stored = now if isinstance(now, Migration) else stored
    if stored.state in STATES[status]:
        told = _differences(row.fields, stored)
        said = f"it is stored as {stored.state}"
        return differs("; ".join(told), stored.id) if told else unchanged(said, stored.id)
    asks = _news(stored, status, ended_at or target.at)
    if asks is None:
        return differs(f"it is {status} in the row, {stored.state} stored", stored.id)
    return target.take(row, [asks], f"{status}, as Partner Center reports")


def _news(stored: Migration, status: str, at: datetime) -> Ask | None:
    """Return the request that brings a stored migration to a status, or `None` if none does."""
    data: Payload = Payload()
    runs = stored.state == State.PROCESSING
    if status == "completed" and (runs or stored.legacy_suspended):
        name = "complete"
    elif status == "failed" and runs:
        name, data = "fail", Fail(_REASON)
    elif status == "cancelled" and stored.state == State.SCHEDULED:
        name = "cancel"
    else:
        return None
    return Ask(name, stored.id, max(at, stored.changed_at), data, lifecycle=LIFECYCLE)


def _differences(fields: Mapping[str, Any], stored: Migration) -> list[str]:
    """Return what a row says of the plan that is stored otherwise; nulls say nothing."""
    given = named(fields)
    kept = wire.resource(stored)
    told: list[str] = []
    for name in _COMPARED:
        row, value = given.get(name.lower()), kept.get(name)
        if row is not None and value is not None and str(row).lower() != str(value).lower():
            told.append(f"{name} is {shown(row)} in the row, {shown(value)} stored")
    aimed = Reader(fields).instant("targetDate") if given.get("targetdate") else None
    if aimed is not None and aimed != stored.target_at:
        at = iso(stored.target_at) if stored.target_at else "none"
        told.append(f"targetDate is {iso(aimed)} in the row, {at} stored")
    return told


def _begun(row: Row, reader: Reader, legacy: Subscription, status: str, target: Target) -> Verdict:
    """Take on what waits or runs, no earlier than its legacy subscription was taken over."""
    since = target.taken_over_at(legacy.id)
    done_at = _ended_at(reader, status)
    if status == "completed" and since is not None and done_at is not None and done_at <= since:
        return unchanged(f"it was completed before {legacy.id} was taken over", legacy.id)
    name = "lastModifiedTime" if row.shape is Shape.SCHEDULE else "startedTime"
    at = reader.instant(name) if reader.text(name) else target.at
    customer = reader.text("customerTenantId").lower()
    data = _plan(row.shape, reader, legacy)
    identifier = reader.text("id").lower()
    if reader.faults or data is None or at is None:
        return unmapped(_said(reader), legacy.id)
    if not identifier:
        return unmapped("id is missing; export it again", legacy.id)
    if customer and customer != legacy.customer.lower():
        return differs(
            f"the customer is {customer} in the row, {legacy.customer} stored", legacy.id
        )
    at = max(at, since or at)
    begin = "schedule" if row.shape is Shape.SCHEDULE else "request"
    asks = [Ask(begin, identifier, at, data, lifecycle=LIFECYCLE)]
    if status == "completed":
        done = max(done_at or at, at)
        asks.append(Ask("complete", identifier, done, lifecycle=LIFECYCLE, state=State.PROCESSING))
    return target.take(row, asks, f"{status}, of {legacy.id}")


def _plan(shape: Shape, reader: Reader, legacy: Subscription) -> Payload | None:
    """Return the request that a migration or a schedule stands for; `None` with faults."""
    add_ons = "addOnMigrationSchedules" if shape is Shape.SCHEDULE else "addOnMigrations"
    others = reader.parts(add_ons) or reader.parts("addOnMigrations")
    base = _part(reader, legacy.id)
    plan: dict[str, Any] = {
        "into": base.into,
        "product": base.product,
        "quantity": base.quantity,
        "term": base.term,
        "billing": base.billing,
        "purchase_full_term": base.purchase_full_term,
        "custom_end_on": base.custom_end_on,
        "add_ons": tuple(
            _part(each, each.text("currentSubscriptionId").lower()) for each in others
        ),
        "external_reference": reader.text("externalReferenceId"),
    }
    if shape is not Shape.SCHEDULE:
        return Request(customer=legacy.customer, subscription=legacy.id, **plan)
    on_renewal = reader.flag("migrateOnRenewal")
    target_at = None if on_renewal else reader.optional("targetDate", reader.instant)
    if not on_renewal and target_at is None:
        reader.fault("targetDate", "is missing, and migrateOnRenewal is not true; export it again")
        return None
    return Schedule(
        customer=legacy.customer,
        subscription=legacy.id,
        target_at=target_at,
        migrate_on_renewal=on_renewal,
        **plan,
    )


def _part(reader: Reader, legacy: str) -> Part:
    """Return what becomes of one subscription; what is null stays as it is (LEG-15)."""
    billing = reader.optional("billingCycle", lambda name: reader.choice(name, _BILLINGS))
    sku = reader.text("catalogItemId")
    return Part(
        legacy,
        reader.text("newCommerceSubscriptionId").lower() or twin_of(legacy),
        Product(sku) if sku else None,
        reader.optional("quantity", reader.count),
        reader.optional("termDuration", lambda name: reader.choice(name, _TERMS)),
        billing,
        purchase_full_term=reader.flag("purchaseFullTerm"),
        custom_end_on=reader.optional("customTermEndDate", reader.day),
    )


def _said(reader: Reader) -> str:
    return "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in reader.faults)
