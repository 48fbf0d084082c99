"""The payload of every request that a hoster's standing understands."""

from dataclasses import dataclass
from datetime import date

from sublife.lifecycle.hosting.model.shape import (
    ListedProvider,
    Owner,
    Platform,
    Programme,
    Spla,
    Use,
)
from sublife.lifecycle.model import ModelError, PartnerType, Payload, Shape


@dataclass(frozen=True, slots=True)
class Register(Payload):
    """Take a hoster in.

    Args:
        partner: the CSP partner tenant that hosts.
        listed: which of the listed providers it is, if it is one (HST-06).
        supplier: whom its customers' subscriptions come from.
    """

    partner: str
    listed: ListedProvider | None = None
    supplier: str = ""


@dataclass(frozen=True, slots=True)
class ApplyHoster(Payload):
    """Apply for the CSP-Hoster programme (HST-10).

    Args:
        partner_type: what kind of partner it is, where the partner is no subject of its own.
        spla: the Services Provider License Agreement, if there is one.
    """

    partner_type: PartnerType | None = None
    spla: Spla | None = None


@dataclass(frozen=True, slots=True)
class ReportLine(Shape):
    """One line of a report.

    Args:
        product: what is reported.
        licences: how many, 0 or more.
        customer: the customer tenant, where reports name one (HST-12).
    """

    product: str
    licences: int
    customer: str = ""

    def __post_init__(self) -> None:
        if self.licences < 0:
            raise ModelError(f"{self.product}: {self.licences} licences; give 0 or more")


@dataclass(frozen=True, slots=True)
class Report(Payload):
    """Hand in the report of a period that is over.

    Args:
        programme: whose report it is.
        period_on: any day of the period.
        lines: what is reported; may be empty.
    """

    programme: Programme
    period_on: date
    lines: tuple[ReportLine, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluate(Payload):
    """Ask whether a use is allowed at this instant.

    Args:
        use: `apps` runs Microsoft 365 Apps for customers, `byol` takes in the licences that
            customers bring, `prebuilt` builds hosted desktops and applications beforehand.
        platform: shared or dedicated.
        owner: whose the licences are.
        under_qmth: whether it is asked for as a right of the QMTH programme (HST-01).
        in_house: whether it hosts the hoster's own in-house application (HST-07).
    """

    use: Use
    platform: Platform = Platform.SHARED
    owner: Owner = Owner.SOLD
    under_qmth: bool = False
    in_house: bool = False
