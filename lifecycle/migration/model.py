"""The shape of a migration to new commerce, and of every request it understands."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import ModelError, Payload, Snapshot, Sparse
from sublife.lifecycle.subscription.model import Mover, Price, Product


class State(StrEnum):
    """The states of a migration, in the order it meets them (LEG-16, LEG-17, LEG-21)."""

    SCHEDULED = "scheduled"
    PROCESSING = "processing"
    FAILED = "failed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REVERTED = "reverted"


class Step(StrEnum):
    """What Partner Center tells of a migration, in its own words and order (LEG-25)."""

    STARTED = "MigrationStarted"
    CREATED = "NewCommerceSubscriptionCreated"
    PROVISIONED = "NewCommerceSubscriptionProvisioned"
    COMPLETED = "MigrationCompleted"
    FAILED = "MigrationFailed"


def _at_least_one(quantity: int | None) -> None:
    if quantity is not None and quantity < 1:
        raise ModelError(f"quantity {quantity} is below 1; give at least 1, or leave it out")


@dataclass(frozen=True)
class Part(Sparse):
    """One subscription of a migration and what becomes of it; `None` leaves it as it is (LEG-15).

    Args:
        subscription: id of the legacy subscription.
        into: id of the new commerce subscription.
        product: the new commerce product, where it is another one.
        quantity: seats.
        term: term length; a longer one starts anew, a shorter one does not (LEG-20).
        billing: billing plan.
        price: what a seat costs on new commerce; as before if the billing plan is.
        purchase_full_term: start a full new term instead of keeping the end date.
        custom_end_on: last day of a new first term, inclusive.
        align_with: id of the new commerce subscription to end together with.
        align_month_end: end with a calendar month.
    """

    subscription: str
    into: str
    product: Product | None = None
    quantity: int | None = None
    term: Term | None = None
    billing: Billing | None = None
    price: Price | None = None
    purchase_full_term: bool = False
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _at_least_one(self.quantity)

    @property
    def is_custom(self) -> bool:
        """Whether it asks for an end date of its own (LEG-20)."""
        return bool(self.custom_end_on or self.align_with or self.align_month_end)


@dataclass(frozen=True)
class Logged(Sparse):
    """One migration event and when it happened (LEG-25)."""

    name: Step
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Migration(Snapshot):
    """A migration after its latest event; instants are UTC.

    Args:
        parts: the subscription asked for, then the add-ons that move with it (LEG-19).
        mover: who moves it: the partner, its distributor, or Microsoft.
        por: partner of record afterwards, where it was named.
        por_before: partner of record when it was scheduled; looked at again (LEG-18, code 9).
        trade_blocked: the customer's trade status does not allow it (LEG-18, code 8).
        target_at: when it begins; for `on_renewal` the term end it waits for (LEG-21).
        on_renewal: it takes the place of the renewal.
        created_at: when it was asked for.
        started_at: when processing began, the latest time.
        completes_at: when it completes in the simulation; `None` waits for Microsoft's report.
        overdue_at: the last instant at which completing or reverting is on time (LEG-16, LEG-17).
        alerted: whether the lateness has been told.
        legacy_suspended: it failed with the legacy subscription suspended (LEG-17).
        finished_at: when it completed, failed, was cancelled or reverted.
        order_id: the order that created the new subscription.
        ends_on: last day of its term, inclusive.
        code: the refusal code behind a failure, if there is one.
        reason: why it failed, in words.
        log: what Partner Center tells of it, in order (LEG-25).
        external_reference: the caller's own id for a batch.
    """

    parts: tuple[Part, ...]
    mover: Mover = Mover.PARTNER
    por: str = ""
    por_before: str = ""
    trade_blocked: bool = False
    target_at: datetime | None = None
    on_renewal: bool = False
    created_at: datetime
    started_at: datetime | None = None
    completes_at: datetime | None = None
    overdue_at: datetime | None = None
    alerted: bool = False
    legacy_suspended: bool = False
    finished_at: datetime | None = None
    order_id: str = ""
    ends_on: date | None = None
    code: str = ""
    reason: str = ""
    log: tuple[Logged, ...] = ()
    external_reference: str = ""

    @property
    def base(self) -> Part:
        """The subscription that was asked for."""
        return self.parts[0]

    @property
    def is_live(self) -> bool:
        """Whether it holds its subscriptions: it waits, runs, or is being repaired (LEG-17)."""
        waits = self.state in {State.SCHEDULED, State.PROCESSING}
        return waits or (self.state == State.FAILED and self.legacy_suspended)


@dataclass(frozen=True, slots=True)
class Plan(Payload):
    """What becomes of a subscription and the add-ons that move with it.

    Args:
        into: id of the new commerce subscription.
        product, quantity, term, billing, price, purchase_full_term, custom_end_on, align_with,
            align_month_end: as in `Part`.
        add_ons: active add-ons of the subscription, each as a `Part` (LEG-19).
        por: partner of record afterwards; as before if not given.
        trade_blocked: the customer's trade status does not allow it (LEG-18, code 8).
        external_reference: the caller's own id for a batch.
    """

    into: str
    product: Product | None = None
    quantity: int | None = None
    term: Term | None = None
    billing: Billing | None = None
    price: Price | None = None
    purchase_full_term: bool = False
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    add_ons: tuple[Part, ...] = ()
    por: str = ""
    trade_blocked: bool = False
    external_reference: str = ""

    def __post_init__(self) -> None:
        _at_least_one(self.quantity)

    def parts(self, subscription: str) -> tuple[Part, ...]:
        """Return the plan for *subscription*, followed by those for its add-ons."""
        base = Part(
            subscription,
            self.into,
            self.product,
            self.quantity,
            self.term,
            self.billing,
            self.price,
            self.purchase_full_term,
            self.custom_end_on,
            self.align_with,
            self.align_month_end,
        )
        return (base, *self.add_ons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Plan):
    """Migrate a legacy subscription at once (LEG-15).

    Args:
        customer: customer tenant id.
        subscription: id of the legacy subscription.
        white_glove: the distributor does it, at the partner's wish (LEG-08).
    """

    customer: str
    subscription: str
    white_glove: bool = False


def _one_target(target_at: datetime | None, *, on_renewal: bool) -> None:
    if (target_at is None) is not on_renewal:
        raise ModelError(
            "a schedule needs exactly one of target_at and migrate_on_renewal; give one"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Plan):
    """Migrate a legacy subscription later (LEG-21).

    Args:
        customer: customer tenant id.
        subscription: id of the legacy subscription.
        target_at: UTC instant at which it begins.
        migrate_on_renewal: it begins at the term end, in place of the renewal.

    Raises:
        ModelError: both of the two, or neither.
    """

    customer: str
    subscription: str
    target_at: datetime | None = None
    migrate_on_renewal: bool = False

    def __post_init__(self) -> None:
        _at_least_one(self.quantity)
        _one_target(self.target_at, on_renewal=self.migrate_on_renewal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Plan):
    """Put another plan in the place of a schedule's; the subscription stays (LEG-21).

    Args:
        target_at: UTC instant at which it begins.
        migrate_on_renewal: it begins at the term end, in place of the renewal.

    Raises:
        ModelError: both of the two, or neither.
    """

    target_at: datetime | None = None
    migrate_on_renewal: bool = False

    def __post_init__(self) -> None:
        _at_least_one(self.quantity)
        _one_target(self.target_at, on_renewal=self.migrate_on_renewal)


@dataclass(frozen=True, slots=True)
class Fail(Payload):
    """Report that processing has failed (LEG-17).

    Args:
        reason: in words.
        legacy_suspended: whether the legacy subscription is suspended, so that Microsoft repairs.
    """

    reason: str
    legacy_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Retry(Payload):
    """Try again what failed with the legacy subscription still active (LEG-17, LEG-26).

    Args:
        quantity: seats; as before if not given.
    """

    quantity: int | None = None

    def __post_init__(self) -> None:
        _at_least_one(self.quantity)
