"""The shape of a partner and of what it is judged by."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sublife.lifecycle.model import ModelError, PartnerType, Snapshot, Sparse

CURRENCY = "USD"
"""The one currency that the requirements are stated in (AUT-02, AUT-14)."""


class State(StrEnum):
    """What a partner is authorized to do, in the order it may lose it."""

    AUTHORIZED = "authorized"
    TRANSITION_REQUIRED = "transition_required"
    RESTRICTED = "restricted"
    DEAUTHORIZED = "deauthorized"


class RevenueKind(StrEnum):
    """What revenue was earned with; which kinds count depends on the model (AUT-08, AUT-15)."""

    CLOUD = "cloud"
    PERPETUAL_SOFTWARE = "perpetual-software"
    SOFTWARE_SUBSCRIPTION = "software-subscription"
    CPOR = "cpor"
    DPOR = "dpor"
    PAL = "pal"


@dataclass(frozen=True)
class Revenue(Sparse):
    """One line of billed revenue.

    Args:
        on: UTC day it was billed on; the day that places it in the trailing twelve months.
        amount: exact; a credit note is negative.
        kind: what it was earned with.
        invoice: the invoice it stands on.
        paid_on: day the invoice was paid; `None` while it is open.
        tenant: the tenant that earned it, where it is another one of the same global account.
        currency: always USD.

    Raises:
        ModelError: another currency, or an amount that is no number.
    """

    on: date
    amount: Decimal
    kind: RevenueKind = RevenueKind.CLOUD
    invoice: str = ""
    paid_on: date | None = None
    tenant: str = ""
    currency: str = CURRENCY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.currency != CURRENCY:
            raise ModelError(
                f"revenue of {self.on} is in {self.currency}; convert it and give {CURRENCY}"
            )
        if not self.amount.is_finite():
            raise ModelError(f"revenue of {self.on} is {self.amount}; give an amount")


@dataclass(frozen=True)
class SupportPlan(Sparse):
    """A paid Microsoft support plan; its anniversary is the day of the check (AUT-03).

    Args:
        name: of the plan.
        since_on: first day; anniversaries are counted from it (GEN-06).
        until_on: last paid day, inclusive; `None` while it runs on.
    """

    name: str
    since_on: date
    until_on: date | None = None

    def is_active(self, on: date) -> bool:
        """Return whether the plan is paid for on *on* (GEN-02)."""
        return self.since_on <= on and (self.until_on is None or on <= self.until_on)


@dataclass(frozen=True)
class Assessment(Sparse):
    """What a yearly assessment of a direct-bill partner found (AUT-13).

    Args:
        on: UTC day of the assessment.
        passed: the capabilities were found sufficient.
        designation: the Solutions Partner designation held, if any.
        security_passed: the security score is a passing one.
    """

    on: date
    passed: bool
    designation: str = ""
    security_passed: bool = False


@dataclass(frozen=True)
class Notice(Sparse):
    """An advance notice still to be sent to a reseller that falls short by then (AUT-16).

    Args:
        mark: how long before the enforcement, in words.
        at: UTC instant.
    """

    mark: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Partner(Snapshot):
    """A partner tenant, or one business location of a reseller, after its latest event (AUT-23).

    Args:
        partner_type: how it does business; a direct-bill partner that falls short becomes a
            reseller (AUT-04).
        country: ISO 3166 alpha-2, of the tenant.
        provider: the indirect provider that a reseller works with.
        authorized_on: since which day it is authorized in its present model (AUT-19).
        mpa_signed_on: since which day the Microsoft Partner Agreement is signed (AUT-24).
        support_plan: the paid plan, if there ever was one (AUT-02).
        assessment: the latest one, if there ever was one (AUT-13).
        revenue: billed revenue, in the order it was recorded.
        anniversary_on: the anniversary of the next check, if it is checked at all.
        check_from: UTC instant from which that check may be made (AUT-17).
        check_at: UTC instant at which the calendar makes it (AUT-03, AUT-17).
        notices: the notices still to come before it, the first one first (AUT-16).
        restricts_at: when the time to move to the indirect model is over (AUT-04).
        deauthorized_at: since when it is deauthorized (AUT-17).
        reenrol_on: first day it may enrol again (AUT-18).
        was_direct: it did business directly before it became a reseller (AUT-09).
        from_tenant: the reseller tenant it was applied for from (AUT-09, AUT-10).
    """

    partner_type: PartnerType
    country: str | None = None
    provider: str = ""
    authorized_on: date
    mpa_signed_on: date | None = None
    support_plan: SupportPlan | None = None
    assessment: Assessment | None = None
    revenue: tuple[Revenue, ...] = ()
    anniversary_on: date | None = None
    check_from: datetime | None = None
    check_at: datetime | None = None
    notices: tuple[Notice, ...] = ()
    restricts_at: datetime | None = None
    deauthorized_at: datetime | None = None
    reenrol_on: date | None = None
    was_direct: bool = False
    from_tenant: str = ""
