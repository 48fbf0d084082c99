"""The partner lifecycle: who is authorized to sell, and until when (AUT)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.model import NO_READS, Event, Lifecycle, Payload, Reads
from sublife.lifecycle.partner.model import (
    EndSupportPlan,
    Enrol,
    Partner,
    RecordAssessment,
    RecordPayment,
    RecordRevenue,
    State,
    TakeSupportPlan,
)
from sublife.lifecycle.partner.rules import CLOSED, RULES
from sublife.lifecycle.partner.timer import timers
from sublife.lifecycle.policy import Unit

__all__ = ["PARTNER", "Partner"]

REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "enrol": Enrol,
        "record_revenue": RecordRevenue,
        "record_payment": RecordPayment,
        "sign_mpa": Payload,
        "take_support_plan": TakeSupportPlan,
        "end_support_plan": EndSupportPlan,
        "record_assessment": RecordAssessment,
        "create_sandbox": Payload,
        "review": Payload,
        "enforce": Payload,
    }
)

TICKS = ("notice_wait_ended", "authorization_year_ended", "transition_ended")

FIGURES: Mapping[str, Unit] = MappingProxyType(
    {
        "direct_enrolment": Unit.ALLOWED,
        "direct_application": Unit.ALLOWED,
        "direct_requirement": Unit.ALLOWED,
        "direct_qualification": Unit.ALLOWED,
        "direct_revenue": Unit.USD,
        "applicant_tenure": Unit.MONTHS,
        "assessment_validity": Unit.MONTHS,
        "trailing_months": Unit.MONTHS,
        "refresh_day": Unit.COUNT,
        "transition": Unit.DAYS,
        "reseller_requirement": Unit.ALLOWED,
        "reseller_revenue": Unit.USD,
        "reseller_tenure": Unit.MONTHS,
        "first_notice": Unit.MONTHS,
        "second_notice": Unit.DAYS,
        "third_notice": Unit.DAYS,
        "waiting": Unit.MONTHS,
        "mpa_required": Unit.ALLOWED,
    }
)

LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"refresh_day": (1, 28), "trailing_months": (1, 120)}
)

SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "direct_bill_threshold": ("three_hundred_thousand", "one_million"),
        "reseller_test": ("anniversary", "anniversary_month"),
        "processing": ("simulated", "reported"),
    }
)


def reads(_subject: Partner | None, event: Event) -> Reads:
    """Return which other partner *event* must see: the reseller that applies (AUT-10)."""
    match event.data:
        case Enrol(application=application) if application is not None:
            return Reads((application.reseller,))
        case _:
            return NO_READS


PARTNER = Lifecycle(
    name="partner",
    snapshot=Partner,
    states=tuple(State),
    final=frozenset(),
    requests=REQUESTS,
    ticks=TICKS,
    rules=RULES,
    closed=CLOSED,
    timers=timers,
    reads=reads,
    figures=FIGURES,
    limits=LIMITS,
    switches=SWITCHES,
)
