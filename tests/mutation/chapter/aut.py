"""Chapter AUT: how the rules of partner authorization are switched off."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sublife.lifecycle.model import PartnerType
from sublife.lifecycle.partner.judgment import pass_check
from sublife.lifecycle.partner.model import RevenueKind
from tests.mutation.switch import (
    Off,
    around,
    figure,
    granted,
    here,
    instead,
    off,
    reading,
    result,
    returning,
    row,
    undue,
)

_REQUIREMENT = "lifecycle.partner.requirement"
_REVENUE = "lifecycle.partner.revenue"
_OTHERS_SALES = frozenset({RevenueKind.CPOR, RevenueKind.DPOR, RevenueKind.PAL})


def _nothing_of_direct(missing: Any, partner: Any, *_: object, **__: object) -> Any:
    return () if partner.partner_type is PartnerType.DIRECT_BILL else missing


def _from_authorization(original: Any) -> Any:
    def direct(subject: Any, *given: Any) -> Any:
        without = original(replace(subject, support_plan=None), *given)
        return replace(without, support_plan=subject.support_plan)

    return direct


def _nothing_against(*_: object, **__: object) -> None:
    return None


def _every_line(partner: Any, **_: object) -> Iterator[Any]:
    yield from partner.revenue


def _of_every_location(partner: Any) -> Iterator[Any]:
    return (line for line in partner.revenue if line.kind not in _OTHERS_SALES)


def _of_every_kind(partner: Any) -> Iterator[Any]:
    return (line for line in partner.revenue if line.tenant in {"", partner.id})


OFF: Mapping[str, Off] = {
    "AUT-01": off("anybody newly joins as direct-bill", figure("direct_enrolment", value=True)),
    "AUT-02": off(
        "a direct-bill partner has nothing to show",
        result(f"{_REQUIREMENT}.missing", _nothing_of_direct),
    ),
    "AUT-03": off(
        "the check falls on the anniversary of the authorization, not of the plan",
        around("lifecycle.partner.schedule._direct", _from_authorization),
    ),
    "AUT-04": off(
        "who falls short need not go over to the indirect model",
        row(
            "partner", "authorization_year_ended", of="require_transition", to=None, act=pass_check
        ),
    ),
    "AUT-06": off("a restricted partner goes on as before", granted("PARTNER_RESTRICTED")),
    "AUT-07": off(
        "the standing of who renews an agreement to CSP is not asked for",
        here("lifecycle.transfer.eligibility.standing_objection", _nothing_against),
    ),
    "AUT-08": off(
        "all revenue counts for direct-bill, paid or not",
        instead(f"{_REVENUE}._direct", _every_line),
    ),
    "AUT-09": off("direct business again takes no new tenant", granted("NEW_TENANT_REQUIRED")),
    "AUT-10": off(
        "an applicant has nothing to show", returning(f"{_REQUIREMENT}.missing_to_apply", ())
    ),
    "AUT-13": off(
        "the later threshold cannot be chosen",
        reading("direct_bill_threshold", "three_hundred_thousand"),
    ),
    "AUT-14": off("any revenue is enough for a reseller", figure("reseller_revenue", 0)),
    "AUT-15": off(
        "a reseller's claims on others' sales count",
        instead(f"{_REVENUE}._reseller", _of_every_kind),
    ),
    "AUT-16": off(
        "no notice is sent", undue("lifecycle.partner.timer.timers", "notice_wait_ended")
    ),
    "AUT-17": off(
        "nobody is deauthorized",
        row("partner", "authorization_year_ended", of="deauthorize", to=None, act=pass_check),
        row("partner", "enforce", of="deauthorize", to=None, act=pass_check),
    ),
    "AUT-18": off("enrolling again takes no waiting", granted("REENROL_TOO_EARLY")),
    "AUT-19": off("a new reseller is tested at once", figure("reseller_tenure", 0)),
    "AUT-20": off("a deauthorized reseller is named on orders", granted("RESELLER_DEAUTHORIZED")),
    "AUT-23": off(
        "the revenue of other locations counts as well",
        instead(f"{_REVENUE}._reseller", _of_every_location),
    ),
    "AUT-24": off("no partner agreement has to be signed", figure("mpa_required", value=False)),
}
