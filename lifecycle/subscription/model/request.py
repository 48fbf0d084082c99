"""The payload of every request that a subscription understands."""

from dataclasses import dataclass
from datetime import date, datetime

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import ModelError, Payload, Segment
from sublife.lifecycle.seats import check_seats
from sublife.lifecycle.subscription.model.shape import (
    Batch,
    Continuity,
    Mover,
    Platform,
    Price,
    Product,
    Source,
    Subscription,
    TermEndChoice,
)


@dataclass(frozen=True, slots=True)
class Purchase(Payload):
    """Buy a subscription (request `purchase`).

    Args:
        customer: customer tenant id.
        partner: transacting partner tenant id.
        product: what is bought.
        quantity: seats, at least 1.
        term: length of the first term.
        billing: billing plan; no longer than the term (TRM-02).
        custom_end_on: last day of the first term, inclusive (TRM-22).
        align_with: id of the subscription to end together with (TRM-23).
        align_month_end: end with a calendar month (TRM-24).
        autorenew: on unless said otherwise (TRM-03).
        trial: a 30-day trial of at most 25 seats (SUB-17).
        converts_to: the paid product of a trial; the same product if not given.
        price: what a seat costs, if known.
        platform: new commerce unless said otherwise.
        segment: commercial unless said otherwise.
        source: the subscription it takes over from, on the manual path.
        por: partner of record.
        friendly_name: the partner's own name for it.
        add_on_to: legacy only: id of the subscription that it is an add-on to (LEG-22).
    """

    customer: str
    partner: str
    product: Product
    quantity: int
    term: Term
    billing: Billing
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False
    autorenew: bool = True
    trial: bool = False
    converts_to: Product | None = None
    price: Price | None = None
    platform: Platform = Platform.NCE
    segment: Segment = Segment.COMMERCIAL
    source: Source | None = None
    por: str = ""
    friendly_name: str = ""
    add_on_to: str | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class BuyAgain(Payload):
    """Buy the same service anew beside an old subscription (SUB-13).

    Args:
        into: id of the new subscription.
        quantity: seats; as before if not given.
        term: as before if not given.
        billing: as before if not given.
        price: what a seat costs, if known.
    """

    into: str
    quantity: int | None = None
    term: Term | None = None
    billing: Billing | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class Arise(Payload):
    """A subscription that another one leads to: bought anew, split off or migrated.

    Args:
        subscription: its snapshot as it starts.
        path: how it came to be: `purchase`, `upgrade`, `new-commerce-migration` or
            `channel-transfer`.
        origin: the subject it comes from.
        continuity: what users notice.
        charged_from: first day it is charged for; the day it is created if not given.
    """

    subscription: Subscription
    path: str
    origin: str
    continuity: Continuity = Continuity.NEW
    charged_from: date | None = None


@dataclass(frozen=True, slots=True)
class Adopt(Payload):
    """Take over a subscription that exists already, as an export describes it.

    Args:
        subscription: its snapshot as of the event's instant.
    """

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Suspend(Payload):
    """Take the users' access away, for non-payment or fraud (SUB-07)."""

    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeSeats(Payload):
    """Add or remove seats.

    Args:
        quantity: how many, at least 1.
    """

    quantity: int

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class ReceiveSeats(Payload):
    """Seats that a partial upgrade of another subscription moves here (TRM-34)."""

    batches: tuple[Batch, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class NoteSuccessor(Payload):
    """A manual purchase in another channel takes over from this subscription (MAN-14)."""

    successor: str


@dataclass(frozen=True, slots=True)
class ScheduleChange(Payload):
    """Say what changes at the next renewal; it replaces what was scheduled before (TRM-17).

    Args:
        product: a higher product.
        term: length of the next term.
        billing: billing plan of the next term.
        quantity: seats of the next term.
        custom_end_on: last day of the next term, inclusive (TRM-25).
        align_with: id of the subscription to end together with.
        align_month_end: end with a calendar month.
    """

    product: Product | None = None
    term: Term | None = None
    billing: Billing | None = None
    quantity: int | None = None
    custom_end_on: date | None = None
    align_with: str | None = None
    align_month_end: bool = False

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class ChangeTerm(Payload):
    """Start a longer term at once (TRM-19).

    Args:
        term: the longer term.
        billing: its billing plan.
        price: what a seat costs then, if known.
    """

    term: Term
    billing: Billing
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class ChangeBilling(Payload):
    """Change the billing plan from the next billing cycle on (TRM-20).

    Args:
        billing: the other plan.
        price: what a seat costs per cycle of that plan, if known.
    """

    billing: Billing
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Upgrade(Payload):
    """Move seats to a higher product (TRM-34).

    Args:
        product: the higher product.
        quantity: seats to move; all if not given.
        into: for a part of the seats, the id of the second subscription; for all of them an
            existing subscription, or nothing to keep this one.
        price: what a seat of the higher product costs, if known.
    """

    product: Product
    quantity: int | None = None
    into: str | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class Rename(Payload):
    """Give the subscription a friendly name."""

    friendly_name: str


@dataclass(frozen=True, slots=True)
class SetPor(Payload):
    """Set the partner of record: the indirect reseller's PartnerID."""

    por: str


@dataclass(frozen=True, slots=True)
class SetPrice(Payload):
    """Tell the price list from the next renewal on (TRM-08)."""

    price: Price


@dataclass(frozen=True, slots=True)
class ConvertTrial(Payload):
    """Turn a trial into the paid subscription at once (SUB-17).

    Args:
        term: annual if not given.
        billing: monthly if not given.
        quantity: as before if not given.
        price: what a seat costs, if known.
    """

    term: Term = Term.P1Y
    billing: Billing = Billing.MONTHLY
    quantity: int | None = None
    price: Price | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)


@dataclass(frozen=True, slots=True)
class ChooseTermEnd(Payload):
    """Choose between cancelling and extending at the term end (TRM-36)."""

    choice: TermEndChoice


@dataclass(frozen=True, slots=True)
class RequestTransfer(Payload):
    """Ask for a partner-to-partner transfer; sent by the target partner (TRM-29).

    Args:
        target_partner: the partner tenant that takes over.
        relationship_accepted: whether the customer accepted a relationship with it.
        target_customer: customer tenant it moves to; only the same one is allowed (GEN-13).
        por: partner of record afterwards.
    """

    target_partner: str
    relationship_accepted: bool = False
    target_customer: str = ""
    por: str = ""


@dataclass(frozen=True, slots=True)
class AwaitMigration(Payload):
    """A migration is scheduled for this subscription, or for other plans (LEG-21).

    Args:
        migration: its id.
        at: UTC instant it is to begin.
        on_renewal: it takes the place of the renewal.
        is_add_on: it takes this one along as an add-on (LEG-19).
    """

    migration: str
    at: datetime
    on_renewal: bool = False
    is_add_on: bool = False


@dataclass(frozen=True, slots=True)
class EnterMigration(Payload):
    """A migration begins to be processed (LEG-15).

    Args:
        migration: its id.
        keeps_por: the partner of record stays, and is looked at again (LEG-18, code 9).
    """

    migration: str
    keeps_por: bool = False


@dataclass(frozen=True, slots=True)
class ReleaseMigration(Payload):
    """A migration that waited for this subscription waits no longer.

    Args:
        failed: it was its time, but it could not be carried out.
    """

    failed: bool = False


@dataclass(frozen=True, slots=True)
class LeadMigration(Payload):
    """A distributor or Microsoft migrates a subscription at its term end (LEG-04, LEG-24).

    Args:
        subscription: id of the legacy subscription.
        into: id of the new commerce subscription.
        customer: customer tenant id.
        partner: transacting partner tenant id.
        mover: the distributor or Microsoft.
        at: the term end.
        term: length of the new term.
    """

    subscription: str
    into: str
    customer: str
    partner: str
    mover: Mover
    at: datetime
    term: Term


@dataclass(frozen=True, slots=True)
class Patch(Payload):
    """Send the whole resource back, as `PATCH` does: what is left out is turned off (TRM-35).

    Args:
        auto_renew_enabled: left out means off.
        scheduled: left out means no scheduled change.
        quantity: left out means unchanged.
        friendly_name: left out means unchanged.
        partner_id: left out means unchanged.
        status: `active` or `suspended`; left out means unchanged.

    Raises:
        ModelError: another status.
    """

    auto_renew_enabled: bool = False
    scheduled: ScheduleChange | None = None
    quantity: int | None = None
    friendly_name: str | None = None
    partner_id: str | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        check_seats(self.quantity)
        if self.status not in {None, "active", "suspended"}:
            raise ModelError(f'status "{self.status}" cannot be set; give active or suspended')
