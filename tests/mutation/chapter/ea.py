"""Chapter EA: how the rules of the transfer from an agreement to CSP are switched off."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.model import ActorKind, Effect, Role
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import Channel
from sublife.lifecycle.transfer.eligibility import not_listed
from sublife.lifecycle.transfer.model import Availability, Transfer
from sublife.lifecycle.transfer.state import HOLDING
from tests.mutation.switch import (
    Off,
    altered,
    around,
    asking,
    effect,
    figure,
    granted,
    here,
    mute,
    off,
    recording,
    refusing,
    result,
    returning,
    sets,
    unfollowed,
    untold,
)

_ELIGIBILITY = "lifecycle.transfer.eligibility"
_NEW = "lifecycle.transfer.plan.new_subscription"
_WINDOW = "lifecycle.transfer.window.processing_window"
_MOVE = "lifecycle.subscription.move"
_ONE_DAY = timedelta(days=1)
_HALF_A_DAY = timedelta(hours=12)
_A_CENTURY_DAYS = 36_500


def _nothing_against(*_: object) -> None:
    return None


def _accepted(found: Effect[Any], case: Any) -> Effect[Any]:
    related = tuple(
        replace(each, accepted_at=case.at) if each.is_pending else each
        for each in found.subject.relationships
    )
    return altered(found, subject=replace(found.subject, relationships=related))


def _by_an_agent(original: Any) -> Any:
    def refusal_of(actor: Any, ask: Any, *given: Any) -> Any:
        if actor.kind is ActorKind.USER:
            agent = {"role": Role.ADMIN_AGENT, "partner": ask.partner, "partner_type": None}
            actor = replace(actor, **agent)
        return original(actor, ask, *given)

    return refusal_of


def _sold_no_more(found: Any, source: Any) -> Any:
    if source.availability is Availability.END_OF_SALE:
        return refuse("SKU_UNSUPPORTED", rule="EA-14", sku=source.product.sku, reason="end of sale")
    return found


def _on_the_last_day(window: Any, scheduled_at: datetime, ea_ends_on: date, _policy: Any) -> Any:
    if scheduled_at >= day_starts_at(ea_ends_on + _ONE_DAY):
        return window
    return replace(window, earliest_at=day_starts_at(ea_ends_on))


def _at_noon(window: Any, *_: object) -> Any:
    return replace(window, earliest_at=window.earliest_at + _HALF_A_DAY)


def _at_once(window: Any, scheduled_at: datetime, ea_ends_on: date, _policy: Any) -> Any:
    if scheduled_at < day_starts_at(ea_ends_on + _ONE_DAY):
        return window
    return replace(window, earliest_at=scheduled_at)


def _as_it_is(case: Any) -> Any:
    plain = replace(
        case.data, quantity=None, custom_end_on=None, align_with=None, align_month_end=False
    )
    return case._replace(data=plain)


def _created_on(_transfer: Any, created_at: datetime) -> date:
    return created_at.date()


def _listed_again(found: Any, case: Any) -> Any:
    return found or not_listed(case.seen[case.subject.agreement], case.at, case.policy)


def _whole_agreement(found: Any, ask: Any, seen: Any) -> Any:
    taken = any(
        isinstance(each, Transfer) and each.state in HOLDING and each.agreement == ask.agreement
        for each in seen.values()
    )
    if found is None and taken:
        return refuse("SCHEDULED_BY_OTHER_PARTNER", rule="EA-25", subscription=ask.ea_subscription)
    return found


def _elsewhere(new: Any, *_: object, **__: object) -> Any:
    return replace(new, partner="microsoft")


def _unpriced(new: Any, *_: object, **__: object) -> Any:
    return replace(new, price=None)


def _list_price(new: Any, *_: object, **__: object) -> Any:
    return replace(new, price=replace(new.price, promotion=None)) if new.price else new


def _is_from_ea(case: Any) -> bool:
    source = case.subject.source
    return source is not None and source.channel is Channel.EA


OFF: Mapping[str, Off] = {
    "EA-01": off(
        "any channel and any kind of product is renewed to CSP",
        granted("CHANNEL_UNSUPPORTED"),
        granted("SKU_UNSUPPORTED", "EA-01"),
    ),
    "EA-02": off("every segment is renewed to CSP", granted("SEGMENT_UNSUPPORTED")),
    "EA-03": off(
        "no relationship is asked for",
        here("lifecycle.customer.relation.not_accepted", _nothing_against),
    ),
    "EA-04": off(
        "a relationship holds as soon as it is requested",
        effect("lifecycle.customer.act.request_relationship", _accepted),
    ),
    "EA-05": off("no region is compared", granted("REGION_MISMATCH")),
    "EA-06": off(
        "any user of any tenant schedules", around(f"{_ELIGIBILITY}.refusal_of", _by_an_agent)
    ),
    "EA-07": off(
        "an agreement stays listed however long ago it ended",
        figure("agreement_listed_back", _A_CENTURY_DAYS),
    ),
    "EA-08": off("a renewed agreement is listed", granted("AGREEMENT_RENEWED")),
    "EA-09": off("agreements of a new customer show at once", figure("agreement_visible_hours", 0)),
    "EA-10": off(
        "an agreement that is not expiring is listed", granted("AGREEMENT_NOT_LISTED", "EA-10")
    ),
    "EA-11": off("an extended period term is renewed to CSP", granted("AGREEMENT_EPT")),
    "EA-12": off("another product can be asked for", granted("SKU_MISMATCH")),
    "EA-13": off("every product is supported", granted("SKU_UNSUPPORTED", "EA-13")),
    "EA-14": off(
        "what is at its end of sale is not renewed either",
        result(f"{_ELIGIBILITY}.unsupported", _sold_no_more),
    ),
    "EA-15": off(
        "processing begins on the last day of the agreement", result(_WINDOW, _on_the_last_day)
    ),
    "EA-16": off("processing begins at noon", result(_WINDOW, _at_noon)),
    "EA-17": off("what is scheduled after the end is processed at once", result(_WINDOW, _at_once)),
    "EA-18": off(
        "neither the licences nor the end date can be chosen",
        asking("lifecycle.transfer.schedule.schedule", _as_it_is),
    ),
    "EA-19": off(
        "the new subscription starts on the day it is created",
        around("lifecycle.transfer.window.starts_on", lambda _: _created_on),
    ),
    "EA-20": off("a schedule can be changed at any time", granted("SCHEDULE_LOCKED")),
    "EA-21": off("editing changes nothing", mute("lifecycle.transfer.schedule.edit")),
    "EA-22": off(
        "whether the agreement is listed is asked again at processing",
        result("lifecycle.transfer.processing._cannot_start", _listed_again),
    ),
    "EA-23": off("an application may schedule", granted("API_UNSUPPORTED")),
    "EA-24": off("a schedule does not hear of an agreement that goes on", unfollowed("reconsider")),
    "EA-25": off(
        "one schedule takes the whole agreement",
        result(f"{_ELIGIBILITY}._taken", _whole_agreement),
    ),
    "EA-26": off(
        "several schedules may wait for one subscription",
        returning(f"{_ELIGIBILITY}._taken", None),
        returning("lifecycle.transfer.state.claims", ()),
    ),
    "EA-27": off(
        "others than the holder may change a schedule",
        granted("SCHEDULED_BY_OTHER_PARTNER", "EA-27"),
        granted("ROLE_DENIED", "EA-27"),
    ),
    "EA-28": off(
        "the new subscription is not in the scheduling partner's tenant", result(_NEW, _elsewhere)
    ),
    "EA-29": off("undoing what is completed is not refused", granted("IRREVERSIBLE", "EA-29")),
    "EA-30": off("the partner owes nothing for it", result(_NEW, _unpriced)),
    "EA-31": off("anybody may change an agreement", granted("AGREEMENT_READ_ONLY")),
    "EA-32": off(
        "a provider need not name a partner of record",
        untold("por-required"),
        sets("lifecycle.transfer.processing.complete", por_required=False),
    ),
    "EA-33": off(
        "what came from an agreement is not transferred later",
        refusing(f"{_MOVE}.request_transfer", _is_from_ea, "OUT_OF_SCOPE", "EA-33", reason="so"),
    ),
    "EA-34": off("no promotion applies to it", result(_NEW, _list_price)),
    "EA-35": off(
        "a renewal to CSP leaves no record and no webhook of its own",
        recording("ea-renewal-started", "ea-renewal-completed", kind=None, webhook=None),
    ),
}
