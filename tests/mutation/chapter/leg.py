"""Chapter LEG: how the rules of the move from legacy to new commerce are switched off."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sublife.lifecycle.dates import day_starts_at
from sublife.lifecycle.model import Effect, Fact
from sublife.lifecycle.programme import Item, Programme, programme_id
from sublife.lifecycle.subscription.model import Platform
from tests.mutation.switch import (
    Change,
    Off,
    altered,
    effect,
    figure,
    granted,
    off,
    reading,
    result,
    returning,
    undue,
)

_GUARD = "lifecycle.subscription.guard"
_ELIGIBILITY = "lifecycle.migration.eligibility"
_MIGRATION_TIMERS = "lifecycle.migration.timer.timers"
_TERM = "lifecycle.subscription.term"
_NO_END = frozenset({11, 12})
"""The numbers by which a custom end date is refused."""


def _whatever_the_segment(_found: Any, subject: Any, policy: Any) -> bool:
    is_open = policy.allows("legacy_renewal", day_starts_at(subject.ends_on))
    return subject.platform is Platform.LEGACY and not is_open


def _unless_opted_out(found: Any, here: Any) -> bool:
    subject = here.subject
    programme = here.seen.get(programme_id(subject.partner, subject.customer))
    opted_out = isinstance(programme, Programme) and programme.opted_out_at is not None
    return bool(found) and not opted_out


def _announced(found: Effect[Any], _case: Any) -> Effect[Any]:
    return altered(found, facts=(Fact("subscription-end-announced"), *found.facts))


def not_asked(item: Item) -> Change:
    """Let the checklist not ask for an item."""

    def of(missing: Any, *_: object) -> Any:
        return tuple(each for each in missing if each is not item)

    return result("lifecycle.programme.missing", of)


def _although_opted_out(_found: Any, programme: Any, at: Any) -> bool:
    return isinstance(programme, Programme) and at >= programme.enrolled_at


def _billed_on(found: Any, subject: Any) -> Any:
    moving = subject.move is not None and subject.move.started_at is not None
    return replace(found, partner_billed=True) if moving else found


def _of_unknown_origin(new: Any, *_: object) -> Any:
    return replace(new, migrated_from=None)


def _but_eligibility(found: Iterable[Any], _question: Any) -> Iterator[Any]:
    """Leave out what LEG-18 refuses, but not a custom end that does not exist (TRM-21, TRM-22)."""
    for refusal in found:
        if refusal.rule != "LEG-18" or refusal.details.get("eligibility") in _NO_END:
            yield refusal


OFF: Mapping[str, Off] = {
    "LEG-01": off("legacy goes on renewing", figure("legacy_renewal", value=True)),
    "LEG-02": off("legacy never renews", figure("legacy_renewal", value=False)),
    "LEG-03": off(
        "the public sector no longer renews either",
        result(f"{_TERM}.renewal_closed", _whatever_the_segment),
    ),
    "LEG-04": off(
        "the distributor moves nothing", returning(f"{_GUARD}.distributor_migrates", False)
    ),
    "LEG-05": off("the opt-out form is never too late", figure("opt_out", value=True)),
    "LEG-06": off(
        "what has opted out renews",
        result(f"{_GUARD}.legacy_renewal_closed", _unless_opted_out),
    ),
    "LEG-07": off(
        "Microsoft tells that the end is reached",
        effect("lifecycle.subscription.lapse.refuse_renewal", _announced),
    ),
    "LEG-08": off("there is no white-glove service", figure("white_glove", value=False)),
    "LEG-09": off("the partner agreement is not asked for", not_asked(Item.PARTNER_AGREEMENT)),
    "LEG-10": off(
        "the association with the provider is not asked for", not_asked(Item.PROVIDER_ASSOCIATION)
    ),
    "LEG-11": off("the location's MPN ID is not asked for", not_asked(Item.LOCATION_MPN_ID)),
    "LEG-12": off("the customer agreement is not asked for", not_asked(Item.CUSTOMER_AGREEMENT)),
    "LEG-13": off(
        "the opt-out form changes nothing",
        result("lifecycle.programme.moves", _although_opted_out),
    ),
    "LEG-14": off(
        "an incomplete checklist holds nothing back",
        returning("lifecycle.programme.checklist_objection", None),
    ),
    "LEG-15": off(
        "legacy is billed on while it moves, and its twin does not know it",
        result("lifecycle.subscription.state.meaning", _billed_on),
        result("lifecycle.migration.plan.twin", _of_unknown_origin),
    ),
    "LEG-16": off("a migration may take any time", undue(_MIGRATION_TIMERS, "processing_overdue")),
    "LEG-17": off(
        "anything failed is tried again, and the gap of a reverted one is charged",
        granted("MIGRATION_REPAIRED"),
        returning("lifecycle.migration.process._gap", None),
    ),
    "LEG-18": off("everything is eligible", result(f"{_ELIGIBILITY}.objections", _but_eligibility)),
    "LEG-19": off(
        "base and add-ons need not move together",
        returning(f"{_ELIGIBILITY}._bundle", ()),
        figure("add_on_block", 0),
    ),
    "LEG-20": off(
        "a full new term cannot be chosen",
        returning("lifecycle.migration.plan.starts_anew", False),
    ),
    "LEG-21": off(
        "what is scheduled does not begin at its time",
        undue(_MIGRATION_TIMERS, "target_reached"),
        returning(f"{_GUARD}.moves_at_renewal", False),
    ),
    "LEG-22": off("legacy goes on selling", figure("legacy_sale", value=True)),
    "LEG-23": off("the cut-off is never postponed", reading("legacy_cutoff", "seed")),
    "LEG-24": off("Microsoft leads nothing", returning(f"{_TERM}.microsoft_leads", False)),
    "LEG-25": off("no migration event is told", figure("migration_events", value=False)),
    "LEG-26": off(
        "no limit of seats holds for migrations", returning(f"{_ELIGIBILITY}._seats", ())
    ),
}
