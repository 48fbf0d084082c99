"""Migration → Partner Center migration, schedule and event resources (LEG-16, LEG-21, LEG-25)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.migration.model import Migration, Part, State
from sublife.lifecycle.model import iso

_STATUS: Mapping[State, str] = MappingProxyType(
    {
        State.SCHEDULED: "Created",
        State.PROCESSING: "Processing",
        State.FAILED: "Failed",
        State.COMPLETED: "Completed",
        State.CANCELLED: "Cancelled",
        State.REVERTED: "Failed",
    }
)
"""What Partner Center calls each state; a reverted migration has failed."""


def resource(migration: Migration) -> dict[str, Any]:
    """Return the migration, and the schedule behind it if there is one, as one resource."""
    fields: dict[str, Any] = {
        "id": migration.id,
        "status": _STATUS[State(migration.state)],
        "customerTenantId": migration.customer,
        "externalReferenceId": migration.external_reference,
        **_part(migration.base),
        "addOnMigrations": [_part(part) for part in migration.parts[1:]],
        "createdTime": iso(migration.created_at),
        "lastModifiedTime": iso(migration.changed_at),
    }
    if migration.target_at is not None:
        fields |= _schedule(migration)
    if migration.started_at is not None:
        fields["startedTime"] = iso(migration.started_at)
    if migration.state == State.COMPLETED:
        fields |= _completed(migration)
    return fields


def _part(part: Part) -> dict[str, Any]:
    end = part.custom_end_on
    return {
        "currentSubscriptionId": part.subscription,
        "catalogItemId": part.product.sku if part.product else None,
        "quantity": part.quantity,
        "termDuration": part.term.value if part.term else None,
        "billingCycle": part.billing.value.capitalize() if part.billing else None,
        "purchaseFullTerm": part.purchase_full_term,
        "customTermEndDate": iso(day_starts_at(end)) if end else None,
    }


def _schedule(migration: Migration) -> dict[str, Any]:
    """Return what a schedule says beside the migration: exactly one of two targets (LEG-21)."""
    target_at = None if migration.on_renewal else migration.target_at
    return {
        "targetDate": iso(target_at) if target_at else None,
        "migrateOnRenewal": migration.on_renewal,
        "newCommerceMigrationId": migration.id if migration.started_at else None,
        "errorDescription": migration.reason or None,
    }


def _completed(migration: Migration) -> dict[str, Any]:
    finished_at, ends_on = migration.finished_at, migration.ends_on
    return {
        "completedTime": iso(finished_at) if finished_at else None,
        "newCommerceSubscriptionId": migration.base.into,
        "newCommerceOrderId": migration.order_id,
        "subscriptionEndDate": iso(day_starts_at(ends_on)) if ends_on else None,
    }


def events(migration: Migration) -> list[dict[str, str]]:
    """Return the migration events in their order; there are none before 2022-06-22 (LEG-25)."""
    return [
        {
            "id": f"{migration.id}/{number}",
            "newCommerceMigrationId": migration.id,
            "currentSubscriptionId": migration.base.subscription,
            "customerTenantId": migration.customer,
            "createdTime": iso(each.at),
            "eventName": each.name.value,
        }
        for number, each in enumerate(migration.log, start=1)
    ]
