"""The shape of a subscription and of what it is made of."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Segment, Snapshot, Sparse


class Platform(StrEnum):
    """Where the subscription is sold (GEN-15)."""

    NCE = "nce"
    LEGACY = "legacy"


class Channel(StrEnum):
    """Where a subscription comes from before it moves into CSP (GEN-13)."""

    EA = "ea"
    WEB_DIRECT = "web-direct"
    CSP_PARTNER = "csp-partner"


class ProductKind(StrEnum):
    """What sort of thing is sold; only licence-based online services align their ends (TRM-21)."""

    ONLINE_SERVICE = "online-service"
    SOFTWARE = "software"
    RESERVATION = "reservation"
    THIRD_PARTY = "third-party"
    AZURE = "azure"


class Continuity(StrEnum):
    """What users notice when the same service is bought anew (SUB-13)."""

    NEW = "new"
    UNINTERRUPTED = "uninterrupted"
    INTERRUPTED = "interrupted"


class TermEndChoice(StrEnum):
    """What the partner chose for the end of a term that is not renewed (TRM-36)."""

    CANCEL = "cancel"
    EXTEND = "extend"


@dataclass(frozen=True)
class Product(Sparse):
    """What is subscribed to.

    Args:
        sku: opaque product and SKU id.
        name: catalog name.
        kind: only online services are licence-based.
        rank: position in its upgrade path; an upgrade goes to a higher one (TRM-34).
        smb: under the limit of seats per customer and SKU (TRM-33).
        plans: `term/billing` pairs on offer; empty means every valid pair (TRM-02).
        provisioning_id: SKU or part number that licences are assigned by; opaque (MAN-07, MAN-08).
        markets: countries whose CSP price list has it; empty means every market (MAN-01).
        sold_until: last day it is on sale, inclusive; `None` while there is no end (MAN-02).
        on_new_commerce: whether new commerce has it, for a legacy product (LEG-18, code 5).
    """

    sku: str
    name: str = ""
    kind: ProductKind = ProductKind.ONLINE_SERVICE
    rank: int = 0
    smb: bool = False
    plans: tuple[str, ...] = ()
    provisioning_id: str = ""
    markets: tuple[str, ...] = ()
    sold_until: date | None = None
    on_new_commerce: bool = True


@dataclass(frozen=True)
class Promotion(Sparse):
    """A promotional price and the days it may be bought or renewed in, both inclusive (TRM-08)."""

    id: str
    unit: Decimal
    from_on: date
    until_on: date


@dataclass(frozen=True)
class Price(Sparse):
    """What one seat costs for one billing cycle.

    Args:
        unit: list price of a seat per billing cycle of the subscription.
        currency: ISO 4217.
        monthly_unit: price of a seat on the monthly plan, if one is offered (TRM-36).
        promotion: a promotional price that takes the place of *unit* while it holds (TRM-32).
    """

    unit: Decimal
    currency: str
    monthly_unit: Decimal | None = None
    promotion: Promotion | None = None

    def unit_on(self, day: date) -> Decimal:
        """Return the price of a seat for a charge that is fixed on *day* (TRM-08)."""
        promotion = self.promotion_on(day)
        return self.unit if promotion is None else promotion.unit

    def promotion_on(self, day: date) -> Promotion | None:
        """Return the promotion that holds on *day*, if one does (TRM-08, TRM-32)."""
        promotion = self.promotion
        if promotion is None or not promotion.from_on <= day <= promotion.until_on:
            return None
        return promotion


@dataclass(frozen=True)
class Batch(Sparse):
    """Seats added together; they share one window for taking them back (TRM-16).

    Args:
        quantity: seats still in the batch.
        added_at: UTC instant their window opened; closes 168 h later, inclusive (GEN-04).
        charged_from: first day they are charged for.
    """

    quantity: int
    added_at: datetime
    charged_from: date


@dataclass(frozen=True)
class ScheduledChange(Sparse):
    """What changes at the next renewal; `None` leaves a property as it is (TRM-17)."""

    product: Product | None = None
    term: Term | None = None
    billing: Billing | None = None
    quantity: int | None = None
    ends_on: date | None = None


@dataclass(frozen=True)
class NextCharge(Sparse):
    """A billing plan that takes effect with the next billing cycle (TRM-20).

    Args:
        billing: the plan.
        at: first instant of the cycle.
        price: what a seat costs per cycle of that plan, if known.
    """

    billing: Billing
    at: datetime
    price: Price | None = None


@dataclass(frozen=True)
class Renewal(Sparse):
    """A renewal being processed: queued at the term end, not completed yet (TRM-06, GEN-07).

    Args:
        started_at: the term end.
        completes_at: when it completes in the simulation; `None` waits for Microsoft's report.
        overdue_at: the last instant at which completing is on time.
        alerted: whether the lateness has been told.
    """

    started_at: datetime
    completes_at: datetime | None
    overdue_at: datetime
    alerted: bool = False


@dataclass(frozen=True)
class Source(Sparse):
    """The subscription a purchase takes over from (GEN-13).

    What it says of itself counts where that subscription is no subject here.

    Args:
        subscription: its id, in whatever channel.
        channel: where it was bought.
        customer: the tenant it lies in; the buyer's own if not given.
        sku: what it is of.
        provisioning_id: SKU or part number its licences are assigned by (MAN-07).
        quantity: its licences.
        ends_on: last day of its term, inclusive.
        autorenew: whether it renews at its term end (MAN-14).
        discontinued: its offer is no longer made (MAN-12).
        equivalent: the new offer is an equivalent one, where the two differ (MAN-10, MAN-12).
        active_subscriptions: how many active ones the customer has in that channel (MAN-21).
    """

    subscription: str
    channel: Channel
    customer: str = ""
    sku: str = ""
    provisioning_id: str = ""
    quantity: int | None = None
    ends_on: date | None = None
    autorenew: bool | None = None
    discontinued: bool = False
    equivalent: bool = False
    active_subscriptions: int | None = None


@dataclass(frozen=True)
class Extension(Sparse):
    """The plan that an extended service term follows on (TRM-36).

    Args:
        term: the commitment before it; renewing out of it goes back to this.
        billing: its billing plan.
        price: its price, if known.
    """

    term: Term
    billing: Billing
    price: Price | None


@dataclass(frozen=True)
class TransferRequest(Sparse):
    """A partner-to-partner transfer that waits for the source partner (TRM-29, TRM-31)."""

    target_partner: str
    requested_at: datetime
    por: str = ""


class Mover(StrEnum):
    """Who moves a subscription to new commerce (LEG-04, LEG-15, LEG-24)."""

    PARTNER = "partner"
    DISTRIBUTOR = "distributor"
    MICROSOFT = "microsoft"


@dataclass(frozen=True)
class Move(Sparse):
    """The migration to new commerce that waits for this subscription or moves it (LEG-15, LEG-21).

    Args:
        migration: the migration, a subject of its own.
        at: UTC instant it is to begin; the term end where it takes the renewal's place.
        on_renewal: it takes the place of the renewal.
        is_add_on: another subscription's migration takes this one along (LEG-19).
        started_at: since when it is being processed; `None` while it waits.
    """

    migration: str
    at: datetime
    on_renewal: bool = False
    is_add_on: bool = False
    started_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Subscription(Snapshot):
    """A subscription after its latest event. Instants are UTC, end dates inclusive (GEN-02).

    Args:
        product: what is subscribed to.
        platform: legacy or new commerce.
        segment: customer segment.
        quantity: seats.
        term: length of the running term.
        billing: how often it is charged.
        created_at: instant of the order.
        anchor_on: day the terms are counted from (GEN-06).
        cycles_on: day billing cycles count from, where the plan changed within the term (TRM-20).
        terms: how many terms from the anchor the running one is, from 1; 0 for a custom end.
        starts_on: first day of the running term.
        ends_on: last day of the running term, inclusive.
        autorenew: whether it renews at the term end (TRM-03).
        batches: seats by when they were added (TRM-16).
        window_opened_at: start of the cancellation window (TRM-09, TRM-11).
        renewed_at: when the latest renewal completed, if any.
        scheduled: what changes at the next renewal.
        next_charge: what changes at the next billing cycle.
        renewal: the renewal being processed, if one is.
        price: what a seat costs, if known.
        next_price: the price list from the next renewal on, if known (TRM-08).
        promotion_id: the promotion an export named for the running term, its price unknown.
        trial: whether it is a trial (SUB-17).
        converts_to: the paid product of a trial.
        extension: the plan before the extended service term it runs in, if it does (TRM-36).
        term_end_choice: an explicit choice for the term end (TRM-36).
        suspended_at: since when it is suspended.
        suspension_ends_at: when a suspended legacy subscription is deleted (SUB-15).
        suspension_reasons: why.
        barred: users never regain access, since it was suspended when its term ended (SUB-10).
        lapse_ends_at: end of the grace, or of the first disabled phase (SUB-04, SUB-10).
        deleted_at: when it becomes deleted (SUB-06, SUB-09).
        transfer: a partner-to-partner transfer being asked for.
        move: the migration to new commerce that waits for it or moves it.
        unmoved_on: last day of the term at whose end a migration could not be carried out.
        microsoft_leads: Microsoft itself migrates it at the end of the running term (LEG-24).
        por: partner of record, the indirect reseller's PartnerID.
        updates: accepted changes so far (TRM-33).
        source: what it took over from.
        successor: the subscription that a manual purchase put in its place (MAN-14).
        migrated_from: the legacy subscription it came from (LEG-15).
        parent: the subscription it was split off by a partial upgrade (TRM-34), or that it is an
            add-on to (LEG-19).
        friendly_name: the partner's own name for it.
        order_id: the order that created it.
        provisioning_ends_at: when it is provisioned; `None` waits for Microsoft's report.
    """

    product: Product
    platform: Platform = Platform.NCE
    segment: Segment = Segment.COMMERCIAL
    quantity: int
    term: Term
    billing: Billing
    created_at: datetime
    anchor_on: date
    cycles_on: date | None = None
    terms: int = 1
    starts_on: date
    ends_on: date
    autorenew: bool = True
    batches: tuple[Batch, ...] = ()
    window_opened_at: datetime | None = None
    renewed_at: datetime | None = None
    scheduled: ScheduledChange | None = None
    next_charge: NextCharge | None = None
    renewal: Renewal | None = None
    price: Price | None = None
    next_price: Price | None = None
    promotion_id: str = ""
    trial: bool = False
    converts_to: Product | None = None
    extension: Extension | None = None
    term_end_choice: TermEndChoice | None = None
    suspended_at: datetime | None = None
    suspension_ends_at: datetime | None = None
    suspension_reasons: tuple[str, ...] = ()
    barred: bool = False
    lapse_ends_at: datetime | None = None
    deleted_at: datetime | None = None
    transfer: TransferRequest | None = None
    move: Move | None = None
    unmoved_on: date | None = None
    microsoft_leads: bool = False
    por: str = ""
    updates: int = 0
    source: Source | None = None
    successor: str = ""
    migrated_from: str | None = None
    parent: str | None = None
    friendly_name: str = ""
    order_id: str = ""
    provisioning_ends_at: datetime | None = None
