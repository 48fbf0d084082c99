"""The payload of every request that a partner understands."""

from dataclasses import dataclass
from datetime import date

from sublife.lifecycle.model import ModelError, PartnerType, Payload, Shape
from sublife.lifecycle.partner.model.shape import Assessment, Revenue, SupportPlan


@dataclass(frozen=True, slots=True)
class Application(Shape):
    """What a reseller shows that applies for a direct-bill tenant (AUT-10).

    Args:
        reseller: the reseller tenant whose time and revenue count.
        credit_checked_on: day the credit check was passed.
        managed_service: at least one managed service is offered.
        assessment: the capability assessment.
    """

    reseller: str
    credit_checked_on: date | None = None
    managed_service: bool = False
    assessment: Assessment | None = None


@dataclass(frozen=True, slots=True)
class Enrol(Payload):
    """Enrol in CSP, enrol again, or go over to the indirect model (request `enrol`).

    Args:
        partner_type: the model asked for.
        country: ISO 3166 alpha-2, of the tenant; as before if not given.
        provider: the indirect provider that a reseller works with.
        mpa_signed_on: day the Microsoft Partner Agreement was signed, if it is.
        support_plan: the paid plan, if there is one.
        application: what a later direct-bill applicant shows.
    """

    partner_type: PartnerType
    country: str | None = None
    provider: str = ""
    mpa_signed_on: date | None = None
    support_plan: SupportPlan | None = None
    application: Application | None = None


@dataclass(frozen=True, slots=True)
class RecordRevenue(Payload):
    """Take down lines of billed revenue, at least one."""

    lines: tuple[Revenue, ...]

    def __post_init__(self) -> None:
        if not self.lines:
            raise ModelError("there are no lines of revenue; give at least one")


@dataclass(frozen=True, slots=True)
class RecordPayment(Payload):
    """Take down that an invoice was paid (AUT-08).

    Args:
        invoice: its id, as its lines name it.
        on: UTC day it was paid; the day of the event if not given.
    """

    invoice: str
    on: date | None = None


@dataclass(frozen=True, slots=True)
class TakeSupportPlan(Payload):
    """Buy or extend a paid Microsoft support plan from the day of the event on (AUT-02).

    Args:
        name: of the plan.
        until_on: last paid day, inclusive; it runs on if not given.
    """

    name: str
    until_on: date | None = None


@dataclass(frozen=True, slots=True)
class EndSupportPlan(Payload):
    """Let the paid support plan end.

    Args:
        on: last paid day, inclusive; the day before the event if not given.
    """

    on: date | None = None


@dataclass(frozen=True, slots=True)
class RecordAssessment(Payload):
    """Take down what a yearly assessment found (AUT-13).

    Args:
        passed: the capabilities were found sufficient.
        designation: the Solutions Partner designation held, if any.
        security_passed: the security score is a passing one.
    """

    passed: bool
    designation: str = ""
    security_passed: bool = False
