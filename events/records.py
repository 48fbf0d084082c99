"""Fact → activity record, order record, webhook: table 8.2 as data, and the pure step to rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from sublife.lifecycle.model import Decision, Event, Fact, Snapshot, Value
from sublife.lifecycle.subscription.model import Subscription


class Kind(StrEnum):
    """The two kinds of activity record; there is no third (EVT-04)."""

    MIGRATION = "migration"
    RENEWAL = "renewal"


class Stage(StrEnum):
    """How far the activity has come (EVT-06)."""

    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recording:
    """What one fact leaves behind besides its journal line.

    Args:
        kind: of the activity record; `None` leaves none.
        stage: of the activity record.
        outcome: what became of the renewal or move, in a word.
        order: `transactionType` of the order line; `None` leaves none (EVT-09).
        webhook: Partner Center event name; `None` sends none (EVT-11).
    """

    kind: Kind | None = None
    stage: Stage = Stage.PROGRESS
    outcome: str | None = None
    order: str | None = None
    webhook: str | None = None


UPDATED = "subscription-updated"
_LAPSED = Recording(Kind.RENEWAL, Stage.PROGRESS, "lapsed", None, UPDATED)
_PLAN = Recording(Kind.RENEWAL, Stage.PROGRESS, "planned", None, UPDATED)
_CONVERT = Recording(order="convert", webhook=UPDATED)
_TOLD = Recording(webhook=UPDATED)
_SILENT = Recording()

RECORDINGS: Mapping[str, Recording] = MappingProxyType(
    {
        "subscription-created": Recording(order="new", webhook=UPDATED),
        "subscription-provisioned": _SILENT,
        "subscription-adopted": _SILENT,
        "subscription-bought-again": _SILENT,
        "subscription-renewal-started": Recording(Kind.RENEWAL, Stage.PROGRESS, "processing"),
        "subscription-renewal-overdue": Recording(Kind.RENEWAL, Stage.PROGRESS, "overdue"),
        "subscription-renewed": Recording(
            Kind.RENEWAL, Stage.SUCCEEDED, "renewed", "renew", UPDATED
        ),
        "subscription-extended": Recording(
            Kind.RENEWAL, Stage.PROGRESS, "extended", "renew", UPDATED
        ),
        "renewal-refused": Recording(Kind.RENEWAL, Stage.FAILED, "refused"),
        "subscription-autorenew-changed": _PLAN,
        "scheduled-change-set": _PLAN,
        "scheduled-change-removed": _PLAN,
        "term-end-chosen": _PLAN,
        "subscription-expired": _LAPSED,
        "subscription-grace-started": Recording(Kind.RENEWAL, Stage.PROGRESS, "lapsed"),
        "subscription-disabled": _LAPSED,
        "subscription-deleted": _LAPSED,
        "subscription-suspended": _TOLD,
        "subscription-reactivated": _TOLD,
        "subscription-canceled": Recording(order="cancel", webhook=UPDATED),
        "subscription-quantity-changed": Recording(order="addQuantity", webhook=UPDATED),
        "subscription-upgraded": _CONVERT,
        "subscription-term-changed": _CONVERT,
        "subscription-trial-converted": _CONVERT,
        "next-charge-set": _SILENT,
        "subscription-renamed": _SILENT,
        "price-noted": _SILENT,
        "por-set": _TOLD,
        "transfer-requested": _SILENT,
        "transfer-withdrawn": _SILENT,
        "transfer-completed": Recording(Kind.MIGRATION, Stage.SUCCEEDED, "moved", "new", UPDATED),
        "new-commerce-migration-created": Recording(
            Kind.MIGRATION, Stage.PROGRESS, None, None, "new-commerce-migration-created"
        ),
        "new-commerce-migration-completed": Recording(
            Kind.MIGRATION, Stage.SUCCEEDED, "moved", None, "new-commerce-migration-completed"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity record before it gets its tenant and the instant it was written (EVT-06)."""

    id: str
    kind: Kind
    stage: Stage
    outcome: str | None
    fact: str
    source_subscription: str | None
    new_subscription: str | None
    path: str | None
    channel: str | None
    order_id: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """One order line before it gets its tenant and the instant it was written (EVT-09)."""

    id: str
    transaction: str
    sku: str
    quantity: int
    term: str
    billing: str
    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Trail:
    """What one fact leaves behind."""

    fact: Fact
    activity: Activity | None
    order: Order | None
    webhook: str | None


def recording_of(fact: Fact) -> Recording:
    """Return what a fact leaves behind (table 8.2); the journal alone for what it does not name.

    Three facts depend on how they came about: a purchase with a source in another channel is a
    move (MAN), a seat change says itself whether it adds or removes, and the deletion of what was
    cancelled is no lapse.
    """
    found = RECORDINGS.get(fact.name, _SILENT)
    match fact.name:
        case "subscription-created" if fact.data.get("path") == "manual":
            return Recording(Kind.MIGRATION, Stage.SUCCEEDED, "moved", found.order, found.webhook)
        case "subscription-created" if fact.data.get("path") == "upgrade":
            return _TOLD
        case "subscription-quantity-changed":
            return Recording(order=str(fact.data["transaction"]), webhook=found.webhook)
        case "subscription-deleted" if fact.data.get("from") == "canceled":
            return _TOLD
        case "subscription-trial-converted" if "quantity" not in fact.data:
            return _SILENT
        case _:
            return found


def record_id(event_id: str, number: int) -> str:
    """Return the id of the *number*-th record of its sort that an event leaves behind.

    The first one has the event's own id, so an order has the id of the event that placed it; ids
    are the same whenever the same event is recorded.
    """
    return event_id if number == 0 else f"{event_id}#{number + 1}"


def trails(event: Event, decision: Decision) -> Iterator[Trail]:
    """Yield what each fact of a decision leaves behind, in the order of the facts (8.4)."""
    orders = activities = 0
    for fact in decision.facts:
        found = recording_of(fact)
        order = None
        if found.order is not None:
            order = _order(record_id(event.id, orders), found.order, fact, decision.snapshot)
            orders += 1
        activity = None
        if found.kind is not None:
            activity = _activity(record_id(event.id, activities), found.kind, found, fact, order)
            activities += 1
            if fact.name == "subscription-created":
                activity = replace(activity, new_subscription=decision.snapshot.id)
        yield Trail(fact, activity, order, found.webhook)


def _text(value: Value) -> str | None:
    return None if value is None else str(value)


def _activity(
    identifier: str, kind: Kind, found: Recording, fact: Fact, order: Order | None
) -> Activity:
    data = fact.data
    return Activity(
        id=identifier,
        kind=kind,
        stage=found.stage,
        outcome=found.outcome,
        fact=fact.name,
        source_subscription=_text(data.get("source")),
        new_subscription=_text(data.get("into")),
        path=_text(data.get("path")),
        channel=_text(data.get("channel")),
        order_id=order.id if order else _text(data.get("order")),
        code=_text(data.get("code")),
    )


def _order(identifier: str, transaction: str, fact: Fact, snapshot: Snapshot) -> Order:
    data = fact.data
    amount = data.get("charged", data.get("amount"))
    plan = snapshot if isinstance(snapshot, Subscription) else None
    return Order(
        id=identifier,
        transaction=transaction,
        sku=str(data.get("sku") or (plan.product.sku if plan else "")),
        quantity=_seats(data, plan),
        term=plan.term.value if plan else str(data.get("term", "")),
        billing=plan.billing.value if plan else str(data.get("billing", "")),
        amount=Decimal(str(amount)) if amount is not None else None,
        currency=_text(data.get("currency")),
    )


def _seats(data: Mapping[str, Value], plan: Subscription | None) -> int:
    """Return the seats of an order line: those that came or went, or all there are."""
    quantity = int(data.get("quantity") or (plan.quantity if plan else 0))
    return abs(quantity - int(data["from"] or 0)) if "from" in data else quantity
