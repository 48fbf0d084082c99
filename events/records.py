"""Fact → activity record, order record, webhook: table 8.2 as data, and the pure step to rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Decision, Event, Fact, Snapshot, Value, filled
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
_MOVE_PLAN = Recording(Kind.MIGRATION, Stage.PROGRESS, "planned")
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
        "successor-noted": _SILENT,
        "manual-purchase-advisory": _SILENT,
        "credit-referred": _SILENT,
        "customer-registered": _SILENT,
        "customer-created": _SILENT,
        "customer-agreement-accepted": _SILENT,
        "relationship-requested": _SILENT,
        "relationship-accepted": Recording(webhook="reseller-relationship-accepted-by-customer"),
        "relationship-ended": _SILENT,
        "dap-admin-relationship-approved": Recording(webhook="dap-admin-relationship-approved"),
        "dap-admin-relationship-terminated": Recording(webhook="dap-admin-relationship-terminated"),
        "partner-enrolled": _SILENT,
        "partner-transitioned": _SILENT,
        "partner-reenrolled": _SILENT,
        "partner-revenue-recorded": _SILENT,
        "partner-invoice-paid": _SILENT,
        "partner-mpa-signed": _SILENT,
        "partner-assessed": _SILENT,
        "partner-reviewed": _SILENT,
        "partner-check-passed": _SILENT,
        "partner-notice-sent": _SILENT,
        "partner-transition-required": _SILENT,
        "partner-restricted": _SILENT,
        "partner-deauthorized": _SILENT,
        "support-plan-taken": _SILENT,
        "support-plan-ended": _SILENT,
        "sandbox-created": _SILENT,
        "hoster-registered": _SILENT,
        "qmth-authorized": _SILENT,
        "qmth-withdrawn": _SILENT,
        "qmth-ended": _SILENT,
        "csp-hoster-admitted": _SILENT,
        "csp-hoster-left": _SILENT,
        "hosting-report-due": _SILENT,
        "hosting-report-missed": _SILENT,
        "hosting-reported": _SILENT,
        "hosting-right-evaluated": _SILENT,
        "transfer-requested": _SILENT,
        "transfer-withdrawn": _SILENT,
        "transfer-completed": Recording(Kind.MIGRATION, Stage.SUCCEEDED, "moved", "new", UPDATED),
        "agreement-recorded": _SILENT,
        "agreement-renewed": _SILENT,
        "agreement-extended": _SILENT,
        "agreement-put-on-ept": _SILENT,
        "agreement-subscription-noted": _SILENT,
        "ea-renewal-scheduled": _MOVE_PLAN,
        "ea-renewal-updated": _MOVE_PLAN,
        "ea-renewal-unscheduled": Recording(Kind.MIGRATION, Stage.PROGRESS, "withdrawn"),
        "ea-renewal-advisory": _SILENT,
        "ea-renewal-overdue": Recording(Kind.MIGRATION, Stage.PROGRESS, "overdue"),
        "ea-renewal-started": Recording(
            Kind.MIGRATION, Stage.PROGRESS, "processing", None, "new-commerce-migration-created"
        ),
        "ea-renewal-completed": Recording(
            Kind.MIGRATION, Stage.SUCCEEDED, "moved", None, "new-commerce-migration-completed"
        ),
        "ea-renewal-failed": Recording(
            Kind.MIGRATION, Stage.FAILED, "failed", None, "new-commerce-migration-failed"
        ),
        "ea-renewal-schedule-failed": Recording(
            Kind.MIGRATION, Stage.FAILED, "refused", None, "new-commerce-migration-schedule-failed"
        ),
        "por-required": _SILENT,
        "programme-enrolled": _SILENT,
        "programme-item-fulfilled": _SILENT,
        "programme-opted-out": _SILENT,
        "new-commerce-migration-scheduled": _MOVE_PLAN,
        "new-commerce-migration-schedule-updated": _MOVE_PLAN,
        "new-commerce-migration-schedule-cancelled": Recording(
            Kind.MIGRATION, Stage.PROGRESS, "withdrawn"
        ),
        "new-commerce-migration-schedule-failed": Recording(
            Kind.MIGRATION, Stage.FAILED, "refused", None, "new-commerce-migration-schedule-failed"
        ),
        "new-commerce-migration-overdue": Recording(Kind.MIGRATION, Stage.PROGRESS, "overdue"),
        "new-commerce-migration-failed": Recording(
            Kind.MIGRATION, Stage.FAILED, "failed", None, "new-commerce-migration-failed"
        ),
        "new-commerce-migration-reverted": Recording(Kind.MIGRATION, Stage.FAILED, "reverted"),
        "new-commerce-migration-created": Recording(
            Kind.MIGRATION, Stage.PROGRESS, None, None, "new-commerce-migration-created"
        ),
        "new-commerce-migration-completed": Recording(
            Kind.MIGRATION, Stage.SUCCEEDED, "moved", None, "new-commerce-migration-completed"
        ),
    }
)


def known_facts() -> tuple[str, ...]:
    """Return every name a fact can have: those of table 8.2, and the own ones of a lifecycle."""
    return (*RECORDINGS, *(name for each in LIFECYCLES.values() for name in each.facts))


class Activity(NamedTuple):
    """One activity record before it gets its tenant and the instant it was written (EVT-06)."""

    id: str
    kind: Kind
    stage: Stage
    outcome: str | None
    fact: str
    subscription: str
    source_subscription: str | None
    new_subscription: str | None
    path: str | None
    channel: str | None
    order_id: str | None
    code: str | None


class Order(NamedTuple):
    """One order line before it gets its tenant and the instant it was written (EVT-09)."""

    id: str
    transaction: str
    subscription: str
    sku: str
    quantity: int
    term: str
    billing: str
    amount: Decimal | None
    currency: str | None


class Trail(NamedTuple):
    """What one fact leaves behind."""

    fact: Fact
    activity: Activity | None
    order: Order | None
    webhook: str | None


_DEPENDING = frozenset(
    {
        "subscription-created",
        "subscription-quantity-changed",
        "relationship-accepted",
        "subscription-deleted",
        "subscription-trial-converted",
    }
)
"""Facts whose data say what they leave behind."""


def recording_of(fact: Fact) -> Recording:
    """Return what a fact leaves behind (table 8.2); the journal alone for what it does not name.

    Four facts depend on how they came about: a purchase with a source in another channel is a
    move (MAN), a seat change says itself whether it adds or removes, and the deletion of what was
    cancelled is no lapse.
    """
    found = RECORDINGS.get(fact.name, _SILENT)
    if fact.name not in _DEPENDING:
        return found
    match fact.name:
        case "subscription-created" if fact.data.get("path") == "manual":
            return Recording(Kind.MIGRATION, Stage.SUCCEEDED, "moved", found.order, found.webhook)
        case "subscription-created" if fact.data.get("path") == "upgrade":
            return _TOLD
        case "subscription-quantity-changed":
            return Recording(order=str(fact.data["transaction"]), webhook=found.webhook)
        case "relationship-accepted" if fact.data.get("kind") == "indirect-reseller":
            return Recording(webhook="indirect-reseller-relationship-accepted-by-customer")
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
        order = activity = None
        if found.order is not None:
            order = _order(record_id(event.id, orders), found.order, fact, decision.snapshot)
            orders += 1
        if found.kind is not None:
            identifier = record_id(event.id, activities)
            activity = _activity(identifier, found.kind, found, fact, decision.snapshot, order)
            activities += 1
            if fact.name == "subscription-created":
                activity = activity._replace(new_subscription=decision.snapshot.id)
        yield filled(Trail, (fact, activity, order, found.webhook))


def _text(value: Value) -> str | None:
    return value if value is None or type(value) is str else str(value)


def _subscription(fact: Fact, snapshot: Snapshot) -> str:
    """Return the subscription that a record is about (EVT-06).

    The fact of a subject that is no subscription itself names it; any other is about its subject.
    """
    return str(fact.data.get("subscription") or snapshot.id)


def _activity(
    identifier: str,
    kind: Kind,
    found: Recording,
    fact: Fact,
    snapshot: Snapshot,
    order: Order | None,
) -> Activity:
    data = fact.data
    order_id = order.id if order else None
    if _TELLING.isdisjoint(data):
        return filled(
            Activity,
            (
                identifier,
                kind,
                found.stage,
                found.outcome,
                fact.name,
                snapshot.id,
                None,
                None,
                None,
                None,
                order_id,
                None,
            ),
        )
    return Activity(
        identifier,
        kind,
        found.stage,
        found.outcome,
        fact.name,
        _subscription(fact, snapshot),
        _text(data.get("source")),
        _text(data.get("into")),
        _text(data.get("path")),
        _text(data.get("channel")),
        order_id or _text(data.get("order")),
        _text(data.get("code")),
    )


_TELLING = frozenset({"subscription", "source", "into", "path", "channel", "order", "code"})
"""What a fact may say that a record repeats."""


def _order(identifier: str, transaction: str, fact: Fact, snapshot: Snapshot) -> Order:
    data = fact.data
    amount = data.get("charged", data.get("amount"))
    plan = snapshot if isinstance(snapshot, Subscription) else None
    return Order(
        identifier,
        transaction,
        _subscription(fact, snapshot),
        str(data.get("sku") or (plan.product.sku if plan else "")),
        _seats(data, plan),
        str(plan.term if plan else data.get("term", "")),
        str(plan.billing if plan else data.get("billing", "")),
        Decimal(str(amount)) if amount is not None else None,
        _text(data.get("currency")),
    )


def _seats(data: Mapping[str, Value], plan: Subscription | None) -> int:
    """Return the seats of an order line: those that came or went, or all there are."""
    quantity = int(data.get("quantity") or (plan.quantity if plan else 0))
    return abs(quantity - int(data["from"] or 0)) if "from" in data else quantity
