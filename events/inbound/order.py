"""Order lines: a new one becomes a subscription, a change becomes its request, once (EVT-09)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sublife.events.inbound.row import Row, Verdict, identifier, unchanged, unmapped
from sublife.events.inbound.subscription import take_over
from sublife.events.inbound.target import MARK, Ask, Target
from sublife.events.wire import NCE_PRODUCT, Reader
from sublife.lifecycle.dates import Term, day_starts_at, natural_end, term_ends_at
from sublife.lifecycle.model import Payload, iso
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import ChangeSeats, Subscription

_NEAR = timedelta(hours=24)
"""How far the engine's own record of an order may lie from the order in the export (TRM-06)."""
_SEATS = {"addquantity": "add_seats", "removequantity": "remove_seats"}
_OVER = frozenset({"cancelled", "error", "po review rejected"})


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line of an order says."""

    row: Row
    order: str
    subscription: str
    transaction: str
    quantity: int | None
    at: datetime


def take(row: Row, target: Target) -> Verdict:
    """Take in one line of an order, unless what is stored has it already."""
    order, line = Reader(row.fields), Reader(row.fields).part("lineItem")
    subject = line.text("subscriptionId").lower()
    transaction = line.text("transactionType").lower()
    at = order.instant("creationDate")
    if not subject or at is None:
        return unmapped("the line names no subscription, so nothing can be made of it")
    status = order.text("status").lower() or "completed"
    if status in _OVER:
        return unchanged(f"the order is {status}; nothing came of it", subject)
    if status != "completed":
        return unmapped(f"the order is {status}; import it when it is completed", subject)
    event = order.text("eventId")
    if event and target.knows(event, subject):
        return unchanged(f"it is the record of event {event}, which is stored", subject)
    quantity = line.value("quantity", default=None)
    seats = quantity if isinstance(quantity, int) and quantity > 0 else None
    said = _Line(row, order.text("id"), subject, transaction, seats, at)
    return _taken(said, order, line, target)


def _taken(line: _Line, order: Reader, item: Reader, target: Target) -> Verdict:
    stored = target.standing(line.subscription, line.at)
    if line.transaction == "new":
        if stored is not None:
            return unchanged("the subscription that it ordered is stored", line.subscription)
        return _ordered(line, order, item, target)
    if stored is None:
        said = "changes a subscription that is not stored; import its resource first"
        return unmapped(said, line.subscription)
    if not isinstance(stored, Subscription):
        return unmapped("names a subject that is no subscription", line.subscription)
    since = target.taken_over_at(line.subscription)
    if since is not None and line.at <= since:
        said = f"it is in what was taken over at {iso(since)}"
        return unchanged(said, line.subscription)
    if target.knows(line.row.mark, line.subscription):
        return unchanged("imported already, from a row of the same content", line.subscription)
    if known := _own_record(line, target):
        return unchanged(f"the engine has recorded it as order {known}", line.subscription)
    return _changed(line, stored, target)


def _own_record(line: _Line, target: Target) -> str | None:
    """Return the engine's own order record of the same business, if it has one.

    Of the same kind and number, a day at most away: what was asked for here and then done in
    Partner Center comes back in its export. What was imported is no such record.
    """
    span = (line.at - _NEAR, line.at + _NEAR)
    records = target.store.orders(
        subscription=line.subscription, since=span[0], until=span[1] + timedelta(seconds=1)
    )
    for each in records:
        same = each.transaction.lower() == line.transaction
        counts = line.transaction not in _SEATS or each.quantity == line.quantity
        if same and counts and not each.event_id.startswith(MARK):
            return each.id
    return None


def _changed(line: _Line, stored: Subscription, target: Target) -> Verdict:
    """Ask for what a line of an order did to a subscription."""
    name, data = "", Payload()
    match line.transaction:
        case "addquantity" | "removequantity" if line.quantity:
            name, data = _SEATS[line.transaction], ChangeSeats(line.quantity)
        case "cancel":
            name = "cancel"
        case "renew" if stored.renewal is not None:
            name = "complete_renewal"
        case "renew":
            said = "no renewal is being processed at that instant; compare the subscription"
            return unmapped(said, line.subscription)
        case _:
            said = f'transactionType "{line.transaction}" does not say what changed'
            return unmapped(f"{said}; import the resource", line.subscription)
    said = f"{line.transaction} of order {line.order}"
    return target.take(line.row, [Ask(name, line.subscription, line.at, data)], said)


def _ordered(line: _Line, order: Reader, item: Reader, target: Target) -> Verdict:
    """Take over the subscription that an order made, while its first term runs.

    What became of it later, the order does not say. Autorenew is taken to be on (TRM-03).
    """
    term = item.choice("termDuration", {each.value.lower(): each for each in Term})
    end = item.optional("customTermEndDate", item.day)
    if item.faults or term is None:
        return unmapped(_said(item), line.subscription)
    ends_on = end or natural_end(line.at.date(), term)
    if term_ends_at(ends_on) <= target.at:
        said = f"its first term has ended on {ends_on}, and the order does not say what became"
        return unmapped(f"{said} of it; import the subscription's resource", line.subscription)
    customer = identifier(order.text("referenceCustomerId"))
    fields = {**_resource(line, order, item, target.policy), "customerId": customer or None}
    fields["commitmentEndDate"] = iso(day_starts_at(ends_on))
    return take_over(line.row, fields, target, at=line.at)


def _resource(line: _Line, order: Reader, item: Reader, policy: Policy) -> Mapping[str, Any]:
    """Return the resource of a subscription at the instant of its order."""
    sku = item.text("offerId")
    started = day_starts_at(date(line.at.year, line.at.month, line.at.day))
    window = line.at + policy.length("cancellation_window", line.at, begun_at=line.at)
    seats = line.at + policy.length("seat_window", line.at)
    detail = {"quantity": line.quantity, "allowedUntilDateTime": iso(seats)}
    return {
        "id": line.subscription,
        "offerId": sku,
        "friendlyName": item.text("friendlyName"),
        "productType": {"id": NCE_PRODUCT if sku.count(":") == 2 else "OnlineServices"},
        "quantity": line.quantity,
        "creationDate": iso(line.at),
        "effectiveStartDate": iso(started),
        "cancellationAllowedUntilDate": iso(window),
        "status": "active",
        "autoRenewEnabled": True,
        "billingCycle": order.text("billingCycle"),
        "termDuration": item.text("termDuration"),
        "refundableQuantity": {"details": [detail] if line.quantity else []},
        "partnerId": item.text("partnerIdOnRecord"),
        "orderId": line.order,
    }


def _said(reader: Reader) -> str:
    return "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in reader.faults)
