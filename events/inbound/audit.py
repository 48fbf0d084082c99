"""Audit records: what was changed from what into what becomes the requests behind it (EVT-08)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sublife.events.inbound import customer, migration
from sublife.events.inbound.row import (
    Row,
    Shape,
    Verdict,
    differs,
    identifier,
    named,
    parsed,
    shown,
    unchanged,
    unmapped,
)
from sublife.events.inbound.shape import shape_of
from sublife.events.inbound.subscription import take_over
from sublife.events.inbound.target import EXPORT, Ask, Target
from sublife.events.wire import Reader, resource
from sublife.lifecycle.dates import term_ends_at
from sublife.lifecycle.migration.model import Migration
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Payload, iso
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Rename,
    SetPor,
    Subscription,
    Suspend,
)

_CUSTOMER = {
    "remove_partner_customer_relationship": customer.ENDS,
    "dap_admin_relationship_approved": customer.APPROVES,
    "dap_admin_relationship_terminated": customer.TERMINATES,
}
"""Operations between customer and partner, by the request they are."""
_SUBSCRIPTION = frozenset({"update_subscription", "upgrade_subscription", "update_order"})
_FOLLOWED = ("status", "quantity", "friendlyName", "partnerId", "autoRenewEnabled")
"""Fields whose change is a request, in the order the requests are made."""
_PLAN = (
    "offerId",
    "termDuration",
    "billingCycle",
    "commitmentEndDate",
    "scheduledNextTermInstructions",
    "nextChargeInstructions",
)
"""Fields whose change has more to it than an audit record says."""


def take(row: Row, target: Target) -> Verdict:
    """Take in what an audit record says was done, if it says enough to do it too."""
    reader = Reader(row.fields)
    operation = reader.text("operationType").lower()
    status = reader.text("operationStatus").lower() or "succeeded"
    at = reader.instant("operationDate")
    assert at is not None  # noqa: S101 – rows without an instant come no further
    if status == "failed":
        return unchanged("the operation failed, so nothing was changed")
    if status == "progress":
        return unmapped("the operation is not finished; import the record when it is")
    if operation in _CUSTOMER:
        tenant = identifier(reader.text("customerId")) or target.customer or ""
        by = reader.text("userPrincipalName")
        return customer.report(row, _CUSTOMER[operation], tenant, at, target, by=by)
    if operation == "create_new_commerce_migration":
        return _migrated(row, reader, at, target)
    new = parsed(reader.value("resourceNewValue", default=None))
    if operation in _SUBSCRIPTION and new is not None:
        return _updated(row, reader, new, at, target)
    return _empty(reader, operation, target)


def _empty(reader: Reader, operation: str, target: Target) -> Verdict:
    """Say why nothing can be made of a record: who it is about, or what it leaves out."""
    subject, event = reader.text("subscriptionId"), reader.text("eventId")
    if subject and event and target.knows(event, subject):
        return unchanged(f"it is the record of event {event}, which is stored", subject)
    kind = reader.text("resourceType") or "no resource type"
    if operation in _SUBSCRIPTION or operation.startswith("create_order"):
        said = f"{operation} has no new value to be read, so it does not say what changed"
        return unmapped(f"{said}; import the resource", subject or None)
    return unmapped(f"{operation} ({kind}) is about no subject of the engine")


def _migrated(row: Row, reader: Reader, at: datetime, target: Target) -> Verdict:
    """Take in a migration that an audit record carries, in full or by its id and status."""
    new = dict(parsed(reader.value("resourceNewValue", default=None)) or {})
    if shape_of(new) in {Shape.MIGRATION, Shape.SCHEDULE}:
        times = {name: iso(at) for name in ("startedTime", "lastModifiedTime")}
        has = named(new)
        fields = {**{n: v for n, v in times.items() if n.lower() not in has}, **new}
        return migration.take(Row(row.file, row.line, row.item, shape_of(new), fields), target)
    found = Reader(new)
    subject, status = found.text("id").lower(), found.text("status").lower()
    stored = target.standing(subject, at)
    if not isinstance(stored, Migration) or status not in migration.STATES:
        said = "says only that a migration was made, not of what; import its resource"
        return unmapped(said, subject or None)
    return migration.progress(row, stored, status, at, target)


def _updated(
    row: Row, reader: Reader, new: Mapping[str, Any], at: datetime, target: Target
) -> Verdict:
    """Ask for what was changed, where what is stored stands as it did before the change."""
    subject = Reader(new).text("id").lower()
    stored = target.standing(subject, at)
    if stored is None:
        return _taken_over(row, reader, new, at, target)
    if not isinstance(stored, Subscription):
        return unmapped(f"{subject} is stored as something else than a subscription", subject)
    since = target.taken_over_at(subject)
    if since is not None and at <= since:
        return unchanged(f"it is in what was taken over at {iso(since)}", subject)
    if target.knows(row.mark, subject):
        return unchanged("imported already, from a row of the same content", subject)
    old = parsed(reader.value("resourceOldValue", default=None)) or {}
    changed, told = _compared(old, new, stored, target, at)
    if told:
        return differs("; ".join(told), subject)
    if not changed:
        return unchanged("what is stored says the same", subject)
    by = reader.text("userPrincipalName")
    actor = Actor(ActorKind.USER, by, partner=stored.partner) if by else EXPORT
    asks = [
        Ask(name, subject, at, data, actor)
        for name, data in (_request(field, changed[field], stored) for field in changed)
    ]
    return target.take(row, asks, f"changed {', '.join(changed)} at {iso(at)}")


def _taken_over(
    row: Row, reader: Reader, new: Mapping[str, Any], at: datetime, target: Target
) -> Verdict:
    """Take over a subscription as an audit record shows it, while the term it shows runs."""
    found = Reader(new)
    subject = found.text("id").lower() or None
    ends_on = found.day("commitmentEndDate") if found.text("commitmentEndDate") else None
    if shape_of(new) is not Shape.SUBSCRIPTION or ends_on is None:
        return unmapped("changes a subscription that is not stored; import its resource", subject)
    if ends_on.year > _LAST_YEAR or term_ends_at(ends_on) <= target.at:
        said = f"shows a term that ended on {ends_on}, not what became of it"
        return unmapped(f"{said}; import the subscription's resource", subject)
    tenant = reader.text("customerId")
    return take_over(row, {"customerId": tenant or None, **new}, target, at=at)


_LAST_YEAR = 9998


def _compared(
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    stored: Subscription,
    target: Target,
    at: datetime,
) -> tuple[dict[str, Any], list[str]]:
    """Return what is to be changed, and what stands in the way of it.

    A field is followed only where what is stored is what it was before, and left where it is what
    it has become; so nothing is done twice, and nothing that went another way is overwritten.
    """
    before, after = named(old), named(new)
    kept = resource(stored, policy=target.policy, at=at)
    changed: dict[str, Any] = {}
    told: list[str] = []
    for name in (*_FOLLOWED, *_PLAN):
        was, is_ = before.get(name.lower()), after.get(name.lower())
        has_changed = name.lower() in after and (not before or was != is_)
        if not has_changed or _same(is_, kept[name]):
            continue
        if name in _PLAN:
            if before:
                told.append(f"{name} was changed to {shown(is_)}; ask for that change itself")
        elif before and _same(was, kept[name]):
            changed[name] = is_
        else:
            told.append(f"{name} is {shown(is_)} in the row, {shown(kept[name])} stored")
    return changed, told


def _same(row: Any, stored: Any) -> bool:
    """Return whether two values say the same; null and the empty text do."""
    return row == stored or (row or "") == (stored or "") == ""


def _request(name: str, value: Any, stored: Subscription) -> tuple[str, Payload]:
    """Return the request behind the change of one field.

    Raises:
        ValueError: the value is none that the field can have.
    """
    match name, value:
        case "quantity", int() if value > 0:
            growth = value - stored.quantity
            return ("add_seats" if growth > 0 else "remove_seats"), ChangeSeats(abs(growth))
        case "friendlyName", str():
            return "rename", Rename(value)
        case "partnerId", str():
            return "set_por", SetPor(value)
        case "autoRenewEnabled", bool():
            return ("turn_autorenew_on" if value else "turn_autorenew_off"), EMPTY
        case "status", "suspended":
            return "suspend", Suspend()
        case "status", "active":
            return "reactivate", EMPTY
        case "status", "deleted":
            return "cancel", EMPTY
        case _:
            raise ValueError(f"{name} cannot become {value!r} by a request; import the resource")
