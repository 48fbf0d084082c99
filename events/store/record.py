"""The rows that the records of a decision are, in the order of their columns; pure."""

from typing import Any

from sublife.events.records import Order, trails
from sublife.events.store.statement import written
from sublife.lifecycle.model import Decision, Event

Rows = list[tuple[Any, ...]]


def record_rows(
    tenant: str, policy: str, event: Event, decision: Decision, *, recorded_at: str | None
) -> tuple[Rows, Rows]:
    """Return the activity records and the order records that an accepted event leaves (8.2).

    Args:
        tenant: whose rows they are.
        policy: id and content hash of the pack that decided.
        event: accepted.
        decision: what became of it.
        recorded_at: UTC instant it was written down, as a row carries it.
    """
    activities: Rows = []
    orders: Rows = []
    snapshot, actor = decision.snapshot, event.actor
    when = (written(event.at), recorded_at)
    whose = (snapshot.partner, snapshot.customer)
    for number, (fact, activity, order, _) in enumerate(trails(event, decision)):
        numbered = (event.id, snapshot.version, number)
        if order is not None:
            head = (tenant, order.id, order.transaction, "completed")
            orders.append((*head, *when, *whose, *_line_of(order), *numbered, policy))
        if activity is not None:
            said = (activity.outcome, activity.fact)
            head = (tenant, activity.id, activity.kind.value, activity.stage.value)
            moved = (activity.source_subscription, activity.new_subscription)
            way = (activity.path, activity.channel, activity.order_id)
            by = (actor.kind.value, actor.id)
            why = (" ".join(fact.rules), activity.code, policy)
            about = (*whose, activity.subscription)
            activities.append((*head, *said, *when, *about, *moved, *by, *way, *numbered, *why))
    return activities, orders


def _line_of(order: Order) -> tuple[Any, ...]:
    """Return what an order line says; the amount goes over as text, exact."""
    amount = None if order.amount is None else str(order.amount)
    kind = (order.sku, order.quantity, order.term, order.billing)
    return order.subscription, *kind, amount, order.currency
