"""The indexes of the tables, each for a read of ours (ADR-0012).

They stand apart from the tables, since SQLAlchemy loads a database's dialect for what is said of an
index there, and no command that only reads needs that of another database.
"""

from typing import Any

from sqlalchemy import Index, text

from sublife.events.layout import ACTIVITY, CLAIM, DELIVERY, JOURNAL, ORDER, SUBJECT, metadata

__all__ = ["metadata"]


def _where(condition: str) -> dict[str, Any]:
    """Return the condition of a partial index, as each dialect wants it."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


Index(
    "sublife_subject_due",
    SUBJECT.c.tenant,
    SUBJECT.c.due_at,
    SUBJECT.c.id,
    **_where("due_at IS NOT NULL"),
)
Index("sublife_subject_customer", SUBJECT.c.tenant, SUBJECT.c.customer)
Index("sublife_journal_order", JOURNAL.c.tenant, JOURNAL.c.stamp, JOURNAL.c.position)
Index("sublife_claim_subject", CLAIM.c.tenant, CLAIM.c.subject)
Index("sublife_activity_event", ACTIVITY.c.tenant, ACTIVITY.c.event_id)
Index("sublife_activity_period", ACTIVITY.c.tenant, ACTIVITY.c.effective_at)
Index("sublife_activity_customer", ACTIVITY.c.tenant, ACTIVITY.c.customer, ACTIVITY.c.effective_at)
Index(
    "sublife_activity_subscription",
    ACTIVITY.c.tenant,
    ACTIVITY.c.subscription,
    ACTIVITY.c.effective_at,
)
Index("sublife_order_event", ORDER.c.tenant, ORDER.c.event_id)
Index("sublife_order_period", ORDER.c.tenant, ORDER.c.effective_at)
Index("sublife_order_customer", ORDER.c.tenant, ORDER.c.customer, ORDER.c.effective_at)
Index("sublife_order_subscription", ORDER.c.tenant, ORDER.c.subscription, ORDER.c.effective_at)
Index(
    "sublife_delivery_due",
    DELIVERY.c.tenant,
    DELIVERY.c.consumer,
    DELIVERY.c.next_attempt_at,
    **_where("next_attempt_at IS NOT NULL"),
)
Index(
    "sublife_delivery_open",
    DELIVERY.c.tenant,
    DELIVERY.c.consumer,
    DELIVERY.c.subject,
    DELIVERY.c.sequence,
    DELIVERY.c.number,
    **_where("status = 'pending'"),
)
Index("sublife_delivery_status", DELIVERY.c.tenant, DELIVERY.c.status, DELIVERY.c.created_at)
