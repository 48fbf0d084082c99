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
    at = written(event.at)
    partner, customer, version = snapshot.partner, snapshot.customer, snapshot.version
    for number, (fact, activity, order, _) in enumerate(trails(event, decision)):
        if order is not None:
            head = (tenant, order.id, order.transaction, "completed", at, recorded_at)
            last = (event.id, version, number, policy)
            orders.append((*head, partner, customer, *_line_of(order), *last))
        if activity is not None:
            (
                record,
                kind,
                stage,
                outcome,
                told,
                subscription,
                source,
                into,
                path,
                channel,
                order_id,
                code,
            ) = activity
            activities.append(
                (
                    tenant,
                    record,
                    kind._value_,
                    stage._value_,
                    outcome,
                    told,
                    at,
                    recorded_at,
                    partner,
                    customer,
                    subscription,
                    source,
                    into,
                    actor.kind._value_,
                    actor.id,
                    path,
                    channel,
                    order_id,
                    event.id,
                    version,
                    number,
                    " ".join(fact.rules),
                    code,
                    policy,
                )
            )
    return activities, orders


def _line_of(order: Order) -> tuple[Any, ...]:
    """Return what an order line says; the amount goes over as text, exact."""
    _, _, subscription, sku, quantity, term, billing, amount, currency = order
    said = None if amount is None else str(amount)
    return subscription, sku, quantity, term, billing, said, currency
