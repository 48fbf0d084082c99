"""The shapes of an Enterprise Agreement (EA) and of one subscription's renewal to CSP."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import PartnerType, Segment, Snapshot, Sparse
from sublife.lifecycle.subscription.model import Price, Product


class AgreementState(StrEnum):
    """What Microsoft or the customer has said of an agreement last (EA-08, EA-11, EA-24)."""

    RECORDED = "recorded"
    EXTENDED = "extended"
    EPT = "ept"
    RENEWED = "renewed"


class TransferState(StrEnum):
    """The states of a scheduled renewal, in the order it passes them (EA-26)."""

    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Availability(StrEnum):
    """Whether the product of an EA subscription can be had in CSP (EA-13, EA-14)."""

    AVAILABLE = "available"
    END_OF_SALE = "end-of-sale"
    UNSUPPORTED = "unsupported"


class Change(StrEnum):
    """What happened to an agreement after a renewal to CSP was scheduled (EA-24)."""

    RENEWED = "renewed"
    EXTENDED = "extended"
    EPT = "put-on-ept"


@dataclass(frozen=True)
class EaSubscription(Sparse):
    """One subscription of an agreement, as Microsoft describes it.

    Args:
        id: unique within its agreement.
        product: what is subscribed to; the CSP subscription carries the same SKU (EA-12).
        quantity: licences.
        segment: who it is sold to; only commercial ones are renewed to CSP (EA-02).
        availability: whether CSP has the product.
    """

    id: str
    product: Product
    quantity: int
    segment: Segment = Segment.COMMERCIAL
    availability: Availability = Availability.AVAILABLE


@dataclass(frozen=True, kw_only=True)
class Agreement(Snapshot):
    """An Enterprise Agreement. Only what Microsoft tells changes it; `partner` is empty (EA-31).

    Args:
        ends_on: last day, inclusive (GEN-02); the new one where it was extended or renewed.
        subscriptions: what it covers.
        opt_out_on: last day of the extended period term (EPT), if it is known (EA-11).
    """

    ends_on: date
    subscriptions: tuple[EaSubscription, ...] = ()
    opt_out_on: date | None = None

    def subscription(self, identifier: str) -> EaSubscription | None:
        """Return one of its subscriptions."""
        return next((each for each in self.subscriptions if each.id == identifier), None)


@dataclass(frozen=True)
class Window(Sparse):
    """The range in which a schedule is processed (GEN-07, table 0.5).

    Args:
        earliest_at: UTC instant before which nothing happens.
        typical_at: by when it is done as a rule.
        latest_at: last instant that is on time.
    """

    earliest_at: datetime
    typical_at: datetime
    latest_at: datetime


@dataclass(frozen=True, kw_only=True)
class Transfer(Snapshot):
    """One EA subscription's renewal to CSP, scheduled by the partner that transacts (EA-25, EA-28).

    Args:
        agreement: the Enterprise Agreement.
        ea_subscription: which of its subscriptions.
        product: of that subscription, and so of the new one (EA-12).
        quantity: licences of the new subscription (EA-18).
        term: its first term.
        billing: its billing plan.
        custom_end_on: its last day as asked for, inclusive (TRM-22).
        align_with: the subscription it ends together with (TRM-23).
        align_month_end: it ends with a calendar month (TRM-24).
        price: what a licence costs, if known.
        into: id of the new subscription.
        partner_type: what kind of partner transacts, if known (EA-32).
        scheduled_at: when it was first submitted; it decides how it is processed (EA-15, EA-17).
        scheduled_by: who submitted it (EA-23).
        ea_ends_on: last day of the agreement as known now (EA-24).
        window: when it is processed.
        begins_at: when a simulated processing starts; `None` waits for the report (GEN-07).
        started_at: when processing started.
        ends_at: when a simulated processing ends.
        alerted: whether the lateness has been told.
        order_id: the order that created the new subscription.
        por_required: the new subscription was created in need of a partner of record (EA-32).
    """

    agreement: str
    ea_subscription: str
    product: Product
    quantity: int
    term: Term
    billing: Billing
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    price: Price | None = None
    into: str
    partner_type: PartnerType | None = None
    scheduled_at: datetime
    scheduled_by: str
    ea_ends_on: date
    window: Window
    begins_at: datetime | None = None
    started_at: datetime | None = None
    ends_at: datetime | None = None
    alerted: bool = False
    order_id: str = ""
    por_required: bool = False
