"""The payload of every request that an agreement or a scheduled renewal understands."""

from dataclasses import dataclass
from datetime import date

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import ModelError, Payload
from sublife.lifecycle.seats import check_seats
from sublife.lifecycle.subscription.model import Channel, Price
from sublife.lifecycle.transfer.model.shape import Change, EaSubscription


@dataclass(frozen=True, slots=True)
class RecordAgreement(Payload):
    """Make an Enterprise Agreement known, as Microsoft lists it.

    Args:
        customer: customer tenant id.
        ends_on: last day, inclusive.
        subscriptions: what it covers; ids may not repeat.
    """

    customer: str
    ends_on: date
    subscriptions: tuple[EaSubscription, ...]

    def __post_init__(self) -> None:
        names = [each.id for each in self.subscriptions]
        if len(set(names)) < len(names):
            raise ModelError(f"subscriptions {', '.join(names)}: an id stands twice; fix one")


@dataclass(frozen=True, slots=True)
class RenewAgreement(Payload):
    """Tell that the agreement was renewed (EA-08).

    Args:
        ends_on: last day of the renewed agreement, inclusive.
    """

    ends_on: date


@dataclass(frozen=True, slots=True)
class ExtendAgreement(Payload):
    """Tell that the agreement was extended (EA-24).

    Args:
        ends_on: its new last day, inclusive.
    """

    ends_on: date


@dataclass(frozen=True, slots=True)
class PutOnEpt(Payload):
    """Tell that the agreement runs on an extended period term, month by month (EA-11).

    Args:
        opt_out_on: its last day, once the customer has opted out.
    """

    opt_out_on: date | None = None


@dataclass(frozen=True, slots=True)
class NoteEaSubscription(Payload):
    """Tell what Microsoft says of one EA subscription now; it takes the place of what was known."""

    subscription: EaSubscription


@dataclass(frozen=True, slots=True)
class Schedule(Payload):
    """Schedule the renewal of one EA subscription to CSP (EA-18).

    Args:
        agreement: id of the Enterprise Agreement.
        ea_subscription: which of its subscriptions.
        customer: customer tenant the new subscription is for; only the agreement's own (GEN-13).
        partner: the partner tenant that transacts.
        into: id of the new subscription.
        term: length of its first term.
        billing: its billing plan.
        quantity: licences; those of the EA subscription if not given.
        sku: the product; only that of the EA subscription is possible (EA-12).
        channel: where the subscription comes from; only an Enterprise Agreement (EA-01).
        custom_end_on: last day of the first term, inclusive (TRM-22).
        align_with: id of the subscription to end together with (TRM-23).
        align_month_end: end with a calendar month (TRM-24).
        price: what a licence costs, if known; a promotion goes with it (EA-34).
    """

    agreement: str
    ea_subscription: str
    customer: str
    partner: str
    into: str
    term: Term
    billing: Billing
    quantity: int | None = None
    sku: str = ""
    channel: Channel = Channel.EA
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class EditSchedule(Payload):
    """Change what can be changed; what is left out stays as it is (EA-21).

    Args:
        quantity: licences.
        term: length of the first term.
        billing: billing plan.
        custom_end_on: last day of the first term; takes the place of any other alignment.
        align_with: id of the subscription to end together with, likewise.
        align_month_end: end with a calendar month, likewise.
        price: what a licence costs then, if known.
    """

    quantity: int | None = None
    term: Term | None = None
    billing: Billing | None = None
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)

    @property
    def aligns(self) -> bool:
        """Whether it says anything of the end date."""
        return bool(self.custom_end_on or self.align_with or self.align_month_end)


@dataclass(frozen=True, slots=True)
class ResubmitSchedule(Payload):
    """Submit the properties as a whole once more; what is left out is no longer asked for (EA-20).

    Args:
        term: length of the first term.
        billing: billing plan.
        quantity: licences.
        custom_end_on: last day of the first term, inclusive.
        align_with: id of the subscription to end together with.
        align_month_end: end with a calendar month.
        price: what a licence costs, if known.
    """

    term: Term
    billing: Billing
    quantity: int
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class FailProcessing(Payload):
    """Report that Microsoft's processing has failed.

    Args:
        code: Microsoft's error code.
        reason: what it said.
    """

    code: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reconsider(Payload):
    """What happened to the agreement of a schedule (EA-24).

    Args:
        change: renewed, extended or put on an extended period term.
        ends_on: last day of the agreement now, inclusive.
    """

    change: Change
    ends_on: date


@dataclass(frozen=True, slots=True)
class Stop(Payload):
    """Why a schedule cannot start, or its processing not be finished.

    Args:
        code: the refusal code.
        rule: the rule that refuses.
        reason: its sentence.
    """

    code: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Complete(Payload):
    """What processing has led to.

    Args:
        order: id of the order.
        starts_on: first day of the new subscription.
        ends_on: last day of its first term, inclusive.
    """

    order: str
    starts_on: date
    ends_on: date
