"""Subscription resources: one that is new is taken over, one that is stored is compared."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sublife.events.inbound.row import (
    Row,
    Verdict,
    differs,
    identifier,
    named,
    shown,
    unchanged,
    unmapped,
)
from sublife.events.inbound.target import Ask, Target
from sublife.events.wire import Reader, ResourceError, adopted, resource
from sublife.lifecycle.model import iso
from sublife.lifecycle.subscription.model import Adopt, Subscription
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import term_ended_at

COMPARED = (
    "offerId",
    "quantity",
    "status",
    "autoRenewEnabled",
    "isTrial",
    "termDuration",
    "billingCycle",
    "effectiveStartDate",
    "commitmentEndDate",
    "scheduledNextTermInstructions",
    "nextChargeInstructions",
    "partnerId",
    "friendlyName",
)
"""What a resource and what is stored must have in common, in the order it is told."""
_IN_LINK = re.compile(r"/customers/([^/?]+)/subscriptions\b", re.IGNORECASE)


def twin_of(legacy: str) -> str:
    """Return the id of what a legacy subscription migrates into, where no export names it."""
    return f"{legacy}-nce"


def customer_of(fields: Mapping[str, Any], target: Target) -> str:
    """Return the customer tenant of a subscription: as it says, as its link says, or as given."""
    reader = Reader(fields)
    said = reader.text("customerId") or reader.text("customerTenantId")
    found = _IN_LINK.search(reader.part("links").part("self").text("uri"))
    return identifier(said or (found.group(1) if found else "") or target.customer or "")


def take(row: Row, target: Target) -> Verdict:
    """Take over a subscription that is not stored; compare one that is."""
    reader = Reader(row.fields)
    subject = reader.text("id").lower()
    legacy = reader.text("migratedFromSubscriptionId").lower()
    stored = target.standing(subject)
    if stored is None and legacy:
        stored = target.standing(twin_of(legacy))
    if stored is None:
        return take_over(row, row.fields, target, at=target.at)
    if not isinstance(stored, Subscription):
        return unmapped(f"{subject} is stored as something else than a subscription", subject)
    if target.knows(row.mark, stored.id):
        return unchanged("imported already, from a row of the same content", stored.id)
    return _compared(row, stored, target)


def take_over(row: Row, fields: Mapping[str, Any], target: Target, *, at: datetime) -> Verdict:
    """Make a subject of a resource as it was at *at*; nothing new is ordered by that."""
    customer, partner = customer_of(fields, target), target.partner
    subject = Reader(fields).text("id").lower()
    if not customer:
        return unmapped("names no customer tenant; give --customer", subject)
    if not partner:
        return unmapped("names no partner tenant that transacts; give --partner", subject)
    try:
        found = adopted(fields, customer=customer, partner=partner, policy=target.policy, at=at)
    except ResourceError as error:
        return unmapped(str(error), subject)
    over_at = _over_at(found)
    if over_at is not None and over_at + target.policy.length("renewal_latest_hours", at) < at:
        said = f"is shown as {found.state}, but that was over at {iso(over_at)}"
        return unmapped(f"{said}; the export is older than {iso(at)}, give --as-of", subject)
    said = f"taken over as {found.state} at {iso(at)}"
    return target.take(row, [Ask("adopt", found.id, at, Adopt(found))], said)


def _over_at(found: Subscription) -> datetime | None:
    """Return when the state that a resource shows comes to its end, if it has one.

    A resource that is older than its export is said to be would be renewed or lapse here at once,
    though Partner Center has done so already.
    """
    match found.state:
        case State.ACTIVE | State.SUSPENDED:
            return term_ended_at(found)
        case State.GRACE:
            return found.lapse_ends_at
        case _:
            return found.deleted_at


def _compared(row: Row, stored: Subscription, target: Target) -> Verdict:
    """Say in what a stored subscription differs from its resource; it is never overwritten."""
    customer = customer_of(row.fields, target) or stored.customer
    try:
        found = adopted(
            row.fields,
            customer=customer,
            partner=stored.partner,
            policy=target.policy,
            at=target.at,
        )
    except ResourceError as error:
        return unmapped(str(error), stored.id)
    asks = list(_awaited(found, stored, target.at))
    taken = target.take(row, asks, f"{asks[0].name} as of {iso(target.at)}") if asks else None
    now = target.standing(stored.id) if taken else None
    stored = now if isinstance(now, Subscription) else stored
    told = differences(row.fields, found, stored, target)
    if customer != stored.customer:
        told.insert(0, f"the customer is {customer} in the row, {stored.customer} stored")
    if not told or (taken and not taken.fate.is_well):
        return taken or unchanged("what is stored says the same", stored.id)
    if stored.changed_at > target.at:
        told.append(f"what is stored has changed at {iso(stored.changed_at)}, after the export")
    return replace(differs("; ".join(told), stored.id), events=taken.events if taken else ())


def _awaited(found: Subscription, stored: Subscription, at: datetime) -> Iterator[Ask]:
    """Yield the report that a stored subscription waits for, where its resource gives it.

    Under `processing: reported` that is how a renewal completes and an order is provisioned.
    """
    renewed = stored.renewal is not None and found.starts_on > stored.ends_on
    if stored.state == State.PENDING and found.state != State.PENDING:
        yield Ask("provision", stored.id, max(at, stored.changed_at))
    elif renewed:
        yield Ask("complete_renewal", stored.id, max(at, stored.changed_at))


def differences(
    fields: Mapping[str, Any], found: Subscription, stored: Subscription, target: Target
) -> list[str]:
    """Return field by field what a resource says and what is stored; fields it lacks are left."""
    given = named(fields)
    row = resource(found, policy=target.policy, at=target.at)
    kept = resource(stored, policy=target.policy, at=target.at)
    over = row["status"] == kept["status"] == "deleted"
    names: tuple[str, ...] = ("status",) if over else COMPARED
    if stored.state not in {State.PENDING, State.ACTIVE, State.SUSPENDED}:
        names = tuple(name for name in names if name != "autoRenewEnabled")
    return [
        f"{name} is {shown(row[name])} in the row, {shown(kept[name])} stored"
        for name in names
        if name.lower() in given and row[name] != kept[name]
    ]
