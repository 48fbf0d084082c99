"""Subscription ↔ Partner Center resource: the wire shape in both directions (GEN-02)."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from sublife.lifecycle.dates import (
    Billing,
    Term,
    boundary,
    day_starts_at,
    last_second_of,
    natural_end,
)
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import iso
from sublife.lifecycle.policy import Fault, Policy
from sublife.lifecycle.subscription.charge import cycle_last
from sublife.lifecycle.subscription.model import (
    Batch,
    NextCharge,
    Platform,
    Product,
    ScheduledChange,
    Subscription,
)
from sublife.lifecycle.subscription.state import State, meaning
from sublife.lifecycle.subscription.term import next_plan, term_ended_at
from sublife.lifecycle.subscription.window import cancelable_until, open_batches

T = TypeVar("T")
_YEARS = (1900, 2200)
"""Years that a resource may date something in, the second one excluded."""
NCE_PRODUCT = "OnlineServicesNCE"
_ONE_DAY = timedelta(days=1)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?", re.IGNORECASE
)
_STATES: Mapping[str, State] = {
    "active": State.ACTIVE,
    "pending": State.PENDING,
    "suspended": State.SUSPENDED,
    "expired": State.GRACE,
    "disabled": State.DISABLED,
    "deleted": State.DELETED,
}


class ResourceError(SublifeError, ValueError):
    """A resource cannot be taken over; each fault names field, value and remedy."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__(
            "; ".join(f"{'.'.join(map(str, each.path))}: {each.message}" for each in faults)
        )


def resource(subscription: Subscription, *, policy: Policy, at: datetime) -> dict[str, Any]:
    """Return the subscription as a Partner Center resource, as one would read it at *at*.

    Instants end in `Z`; `commitmentEndDate` is the inclusive last day at 00:00:00Z (GEN-02). A
    lapsed subscription shows as `expired` here, though no portal page lists it (SUB-14).
    """
    shown = meaning(subscription)
    cycle_on = min(max(at.date(), subscription.starts_on), subscription.ends_on)
    cycle_ends_on = cycle_last(subscription, cycle_on)
    fields: dict[str, Any] = {
        "id": subscription.id,
        "offerId": subscription.product.sku,
        "offerName": subscription.product.name,
        "friendlyName": subscription.friendly_name,
        "productType": _product_type(subscription),
        "quantity": subscription.quantity,
        "unitType": "Licenses",
        "parentSubscriptionId": subscription.parent,
        "creationDate": iso(subscription.created_at),
        "effectiveStartDate": iso(day_starts_at(subscription.starts_on)),
        "commitmentEndDate": iso(day_starts_at(subscription.ends_on)),
        "cancellationAllowedUntilDate": _cancel_until(subscription, policy, at),
        "billingCycleEndDate": iso(day_starts_at(cycle_ends_on)),
        "status": shown.wire_status,
        "autoRenewEnabled": subscription.autorenew,
        "isTrial": subscription.trial,
        "billingType": "license",
        "billingCycle": subscription.billing.value,
        "termDuration": subscription.term.value,
        "renewalTermDuration": _renewal_term(subscription),
        "refundableQuantity": _refundable(subscription, policy, at),
        "scheduledNextTermInstructions": _scheduled(subscription),
        "nextChargeInstructions": _next_charge(subscription),
        "suspensionReasons": list(subscription.suspension_reasons),
        "partnerId": subscription.por,
        "orderId": subscription.order_id,
        "promotionId": _promotion(subscription),
        "migratedFromSubscriptionId": subscription.migrated_from,
        "contractType": "subscription",
        "attributes": {"objectType": "Subscription"},
    }
    if policy.allows("end_date_times", at):
        fields["commitmentEndDateTime"] = iso(last_second_of(subscription.ends_on))
        fields["billingCycleEndDateTime"] = iso(last_second_of(cycle_ends_on))
    return fields


def _product_type(subscription: Subscription) -> dict[str, str]:
    name = NCE_PRODUCT if subscription.platform is Platform.NCE else "OnlineServices"
    return {"id": name, "displayName": name}


def _cancel_until(subscription: Subscription, policy: Policy, at: datetime) -> str | None:
    """Return the last instant for cancelling; the term end where that is any time (TRM-36)."""
    if subscription.state not in {State.ACTIVE, State.SUSPENDED} or subscription.trial:
        return None
    if subscription.extension is not None:
        return iso(term_ended_at(subscription))
    until = cancelable_until(subscription, policy, at)
    return iso(until) if until is not None else None


def _renewal_term(subscription: Subscription) -> str:
    scheduled = subscription.scheduled
    return scheduled.term.value if scheduled and scheduled.term else ""


def _refundable(subscription: Subscription, policy: Policy, at: datetime) -> dict[str, Any]:
    """Return the seats that may still be given back, batch by batch (TRM-16)."""
    if subscription.state != State.ACTIVE or subscription.trial:
        return {"totalQuantity": 0, "details": []}
    batches = open_batches(subscription, policy, at)
    return {
        "totalQuantity": sum(batch.quantity for batch, _ in batches),
        "details": [
            {"quantity": batch.quantity, "allowedUntilDateTime": iso(until)}
            for batch, until in batches
        ],
    }


def _scheduled(subscription: Subscription) -> dict[str, Any] | None:
    """Return what changes at the next renewal; a trial always changes (SUB-17, TRM-17)."""
    change = subscription.scheduled
    if change is None and not subscription.trial:
        return None
    change = change or ScheduledChange()
    product, term, billing = next_plan(subscription)
    return {
        "product": {
            **_catalog_ids((change.product or product).sku),
            "billingCycle": (change.billing or billing).value,
            "termDuration": (change.term or term).value,
        },
        "quantity": change.quantity or subscription.quantity,
        "customTermEndDate": iso(day_starts_at(change.ends_on)) if change.ends_on else None,
    }


def _catalog_ids(sku: str) -> dict[str, str]:
    """Return `product:sku:availability` as three ids; an id of another shape as the SKU's."""
    parts = sku.split(":")
    names = ("productId", "skuId", "availabilityId")
    return dict(zip(names, parts, strict=True)) if len(parts) == len(names) else {"skuId": sku}


def _next_charge(subscription: Subscription) -> dict[str, Any] | None:
    if subscription.next_charge is None:
        return None
    product = {
        **_catalog_ids(subscription.product.sku),
        "billingCycle": subscription.next_charge.billing.value,
        "termDuration": subscription.term.value,
    }
    return {"product": product, "quantity": subscription.quantity}


def _promotion(subscription: Subscription) -> str:
    """Return the promotion whose price the running term is charged at (TRM-08)."""
    price = subscription.price
    promotion = price.promotion_on(subscription.starts_on) if price else None
    return promotion.id if promotion else subscription.promotion_id


def adopted(
    fields: Mapping[str, Any], *, customer: str, partner: str, policy: Policy, at: datetime
) -> Subscription:
    """Return the subscription that an exported resource describes as of *at*.

    Names are compared without case, unknown fields are passed over; the window and the seat
    batches are worked back from their last instants (TRM-09, TRM-16).

    Args:
        fields: the resource, from JSON.
        customer: customer tenant id, which the resource does not carry.
        partner: transacting partner tenant id, likewise.
        policy: in force at *at*.
        at: UTC instant of the export.

    Raises:
        ResourceError: fields that are missing or say what cannot be.
    """
    reader = Reader(fields)
    state = reader.choice("status", _STATES)
    term = reader.choice("termDuration", {each.value.lower(): each for each in Term})
    billing = reader.choice("billingCycle", {each.value: each for each in Billing})
    starts_on = reader.day("effectiveStartDate")
    ends_on = reader.day("commitmentEndDate")
    created_at = reader.instant("creationDate")
    quantity = reader.count("quantity")
    until = reader.optional("cancellationAllowedUntilDate", reader.instant)
    identifier = reader.text("id").lower()
    if not identifier:
        reader.fault("id", "is missing; export it again")
    autorenew, trial = reader.flag("autoRenewEnabled"), reader.flag("isTrial")
    reasons = reader.texts("suspensionReasons")
    scheduled, next_charge = _read_scheduled(reader), _read_next_charge(reader)
    batches = _batches(reader, quantity or 0, starts_on or at.date(), policy, at)
    if starts_on is not None and ends_on is not None and ends_on < starts_on:
        reader.fault("commitmentEndDate", f"{ends_on} is before the term starts; fix one of them")
    if reader.faults or not (state and term and billing and starts_on and ends_on and created_at):
        raise ResourceError(reader.faults)
    anchor_on, terms = _anchor(created_at.date(), starts_on, ends_on, term)
    product = reader.part("productType")
    platform = Platform.NCE if product.text("id") == NCE_PRODUCT else Platform.LEGACY
    te = day_starts_at(ends_on + _ONE_DAY)
    lapse_ends_at, deleted_at = _lapse(state, te, policy)
    suspended = state is State.SUSPENDED
    return Subscription(
        id=identifier,
        state=state,
        changed_at=at,
        customer=customer,
        partner=partner,
        product=Product(reader.text("offerId"), reader.text("offerName")),
        platform=platform,
        quantity=quantity or 0,
        term=term,
        billing=billing,
        created_at=created_at,
        anchor_on=anchor_on,
        terms=terms,
        starts_on=starts_on,
        ends_on=ends_on,
        autorenew=autorenew,
        batches=batches,
        window_opened_at=_window_opened_at(until, policy, at) if until else None,
        scheduled=scheduled,
        next_charge=next_charge,
        promotion_id=reader.text("promotionId"),
        trial=trial,
        suspended_at=at if suspended else None,
        suspension_ends_at=_suspension_end(state, platform, policy, at),
        suspension_reasons=reasons,
        lapse_ends_at=lapse_ends_at,
        deleted_at=deleted_at,
        por=reader.text("partnerId"),
        migrated_from=reader.text("migratedFromSubscriptionId") or None,
        parent=reader.text("parentSubscriptionId") or None,
        friendly_name=reader.text("friendlyName"),
        order_id=reader.text("orderId"),
    )


def _anchor(created_on: date, starts_on: date, ends_on: date, term: Term) -> tuple[date, int]:
    """Return the anchor and the count of terms that give the running term (GEN-06).

    The day of creation first, since a clamped start has lost its day; then the term's own start;
    a term that fits neither has a custom end, and the anchor is the day after it.
    """
    elapsed = (starts_on.year - created_on.year) * 12 + starts_on.month - created_on.month
    terms = elapsed // term.months + 1
    starts = boundary(created_on, term, terms - 1)
    if (starts, natural_end(created_on, term, terms)) == (starts_on, ends_on):
        return created_on, terms
    if natural_end(starts_on, term) == ends_on:
        return starts_on, 1
    return ends_on + _ONE_DAY, 0


def _window_opened_at(until: datetime, policy: Policy, at: datetime) -> datetime:
    """Return when the window that is open *until* then was opened (TRM-09, TRM-10)."""
    opened_at = until - policy.length("cancellation_window", at)
    length = policy.length("cancellation_window", at, begun_at=opened_at)
    return until - length


def _suspension_end(
    state: State, platform: Platform, policy: Policy, at: datetime
) -> datetime | None:
    """Return when a suspended legacy subscription is deleted, counted from the export (SUB-15)."""
    if state is not State.SUSPENDED or platform is not Platform.LEGACY:
        return None
    return at + policy.length("legacy_suspension", at)


def _lapse(state: State, te: datetime, policy: Policy) -> tuple[datetime | None, datetime | None]:
    grace_ends_at = te + policy.length("grace", te)
    if state is State.GRACE:
        return grace_ends_at, None
    if state is State.DISABLED:
        return None, grace_ends_at + policy.length("disabled", grace_ends_at)
    return None, None


def _batches(
    reader: "Reader", quantity: int, starts_on: date, policy: Policy, at: datetime
) -> tuple[Batch, ...]:
    """Return the open batches by their last instants, and one for all the seats beside them."""
    length = policy.length("seat_window", at)
    found: list[Batch] = []
    for detail in reader.part("refundableQuantity").parts("details"):
        until, seats = detail.instant("allowedUntilDateTime"), detail.count("quantity")
        if until is not None and seats:
            found.append(Batch(seats, until - length, (until - length).date()))
    rest = quantity - sum(batch.quantity for batch in found)
    if rest > 0:
        found.insert(0, Batch(rest, day_starts_at(starts_on) - length, starts_on))
    return tuple(found)


def _read_scheduled(reader: "Reader") -> ScheduledChange | None:
    if not reader.value("scheduledNextTermInstructions", default=None):
        return None
    change = reader.part("scheduledNextTermInstructions")
    product = change.part("product")
    terms, plans = (
        {each.value.lower(): each for each in Term},
        {each.value: each for each in Billing},
    )
    ids = [product.text(name) for name in ("productId", "skuId", "availabilityId")]
    sku = ":".join(ids) if all(ids) else ""
    return ScheduledChange(
        product=Product(sku) if sku and sku != reader.text("offerId") else None,
        term=product.choice("termDuration", terms),
        billing=product.choice("billingCycle", plans),
        quantity=change.count("quantity"),
        ends_on=change.optional("customTermEndDate", change.day),
    )


def _read_next_charge(reader: "Reader") -> NextCharge | None:
    if not reader.value("nextChargeInstructions", default=None):
        return None
    product = reader.part("nextChargeInstructions").part("product")
    billing = product.choice("billingCycle", {each.value: each for each in Billing})
    cycle_ends_on = reader.day("billingCycleEndDate")
    if billing is None or cycle_ends_on is None:
        return None
    return NextCharge(billing, day_starts_at(cycle_ends_on + _ONE_DAY))


def listed(value: object) -> list[Any]:
    """Return a list from JSON; an empty one if it is none."""
    return [*cast("Iterable[Any]", value)] if isinstance(value, list) else []


class Reader:
    """Reads fields without regard to case and collects what is wrong with them."""

    def __init__(
        self,
        fields: Mapping[str, Any],
        at: tuple[str | int, ...] = (),
        faults: list[Fault] | None = None,
    ) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}
        self._at = at
        self.faults: list[Fault] = [] if faults is None else faults

    def fault(self, name: str, message: str) -> None:
        """Note what is wrong with a field."""
        self.faults.append(Fault((*self._at, name), message))

    def value(self, name: str, *, default: object) -> Any:
        """Return a field as it stands."""
        return self._fields.get(name.lower(), default)

    def text(self, name: str) -> str:
        """Return a field as text; empty if it is not there."""
        value = self.value(name, default=None)
        return "" if value is None else str(value)

    def part(self, name: str) -> "Reader":
        """Return the reader of a nested object; an empty one if it is not there."""
        value = self.value(name, default=None)
        fields: Mapping[str, Any] = {}
        if isinstance(value, Mapping):
            fields = cast("Mapping[str, Any]", value)
        return Reader(fields, (*self._at, name), self.faults)

    def parts(self, name: str) -> list["Reader"]:
        """Return the readers of a list of objects."""
        found: list[Reader] = []
        for number, row in enumerate(listed(self.value(name, default=None))):
            at = (*self._at, name, number)
            if not isinstance(row, Mapping):
                self.faults.append(Fault(at, f"{row!r} is no object; export it again"))
                continue
            found.append(Reader(cast("Mapping[str, Any]", row), at, self.faults))
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty if it is null or not there."""
        value = self.value(name, default=None)
        words = tuple(map(str, listed(value)))
        if value is not None and not isinstance(value, list):
            self.fault(name, f"{value!r} is no list; export it again")
        return words

    def optional(self, name: str, read: Callable[[str], T | None]) -> T | None:
        """Return what *read* makes of a field, or `None` where it is null or missing."""
        return None if self.value(name, default=None) is None else read(name)

    def choice(self, name: str, known: Mapping[str, T]) -> T | None:
        """Return what a word stands for; a word that is not known is a fault."""
        word = self.text(name)
        if word.lower() in known:
            return known[word.lower()]
        self.fault(name, f'"{word}" is not known; it must be one of {", ".join(known)}')
        return None

    def flag(self, name: str) -> bool:
        """Return a field that is true or false; false if it is not there."""
        value = self.value(name, default=False)
        if not isinstance(value, bool):
            self.fault(name, f"{value!r} is neither true nor false; export it again")
        return value is True

    def count(self, name: str) -> int | None:
        """Return a whole number of at least 1."""
        value = self.value(name, default=None)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.fault(name, f"{value!r} is no count of seats; give a whole number from 1")
        return None

    def instant(self, name: str) -> datetime | None:
        """Return an instant with 0 to 7 digits of a second's fraction; no zone is UTC (GEN-01)."""
        found = _INSTANT.fullmatch(self.text(name))
        if found is None:
            self.fault(name, f'"{self.text(name)}" is no instant; write 2024-10-01T02:35:00Z')
            return None
        day, clock, fraction, zone = found.groups()
        offset = "+00:00" if zone in {None, "Z", "z"} else zone
        try:
            at = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0'):0<6.6}{offset}")
        except ValueError:
            self.fault(name, f'"{self.text(name)}" is no instant; write 2024-10-01T02:35:00Z')
            return None
        try:
            at = at.astimezone(UTC)
        except OverflowError:
            at = datetime.max.replace(tzinfo=UTC)
        if not _YEARS[0] <= at.year < _YEARS[1]:
            said = f"is beyond the calendar; write an instant from {_YEARS[0]} to {_YEARS[1] - 1}"
            self.fault(name, f'"{self.text(name)}" {said}')
            return None
        return at

    def day(self, name: str) -> date | None:
        """Return the UTC date of an instant."""
        at = self.instant(name)
        return at.date() if at else None
