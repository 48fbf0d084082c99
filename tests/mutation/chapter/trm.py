"""Chapter TRM: how the rules of terms, windows, changes and transfers are switched off."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sublife.lifecycle.dates import Term, day_starts_at
from sublife.lifecycle.model import Actor, ActorKind, Effect, Role
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import Channel
from sublife.lifecycle.subscription.term import starting, term_ended_at
from tests.mutation.switch import (
    Off,
    altered,
    around,
    asking,
    effect,
    figure,
    granted,
    instead,
    keeps,
    mute,
    off,
    result,
    returning,
    row,
    sets,
)

_CHANGE = "lifecycle.subscription.change"
_GUARD = "lifecycle.subscription.guard"
_MOVE = "lifecycle.subscription.move"
_TERM = "lifecycle.subscription.term"
_LAPSE = "lifecycle.subscription.lapse"
_BIRTH = "lifecycle.subscription.birth"
_ONE_DAY = timedelta(days=1)


def _from_completion(found: Effect[Any], case: Any) -> Effect[Any]:
    new, on = found.subject, case.at.date()
    if new.starts_on == on:
        return found
    return altered(found, subject=starting(new, on=on, term=new.term, billing=new.billing))


def _nothing_scheduled(case: Any) -> Any:
    return case._replace(subject=replace(case.subject, scheduled=None))


def _from_midnight(found: Effect[Any], case: Any) -> Effect[Any]:
    opened_at = day_starts_at(case.at.date())
    return altered(found, subject=replace(found.subject, window_opened_at=opened_at))


def _in_the_first_batch(found: Effect[Any], _case: Any) -> Effect[Any]:
    new = found.subject
    one = replace(new.batches[0], quantity=sum(each.quantity for each in new.batches))
    return altered(found, subject=replace(new, batches=(one,)))


def _from_its_first_day(found: Any, _subject: Any, **named: Any) -> Any:
    if named.get("ends_on") is None:
        return found
    return replace(found, anchor_on=found.starts_on, terms=1)


def _until_the_term_end(until: Any, subject: Any, *_: object) -> Any:
    if until is None or subject.terms:
        return until
    return min(until, term_ended_at(subject))


def _not_from_ea(found: Any, case: Any) -> Any:
    source = case.subject.source
    if source is not None and source.channel is Channel.EA:
        return refuse("OUT_OF_SCOPE", rule="TRM-28", reason="it came from an agreement")
    return found


def _a_day_later(case: Any) -> Any:
    return case._replace(event=replace(case.event, at=case.event.at + _ONE_DAY))


def _by_the_target(case: Any) -> Any:
    target = case.subject.transfer.target_partner
    agent = Actor(ActorKind.USER, case.event.actor.id, Role.ADMIN_AGENT, target)
    return case._replace(event=replace(case.event, actor=agent))


def _higher(case: Any) -> Any:
    product = replace(case.data.product, rank=case.subject.product.rank + 1)
    return case._replace(data=replace(case.data, product=product))


def _left_alone(requests: Any, *_: object) -> Iterator[Any]:
    for name, data in requests:
        if name not in {"turn_autorenew_off", "unschedule_change"}:
            yield name, data


def _every_term_a_year(months: Mapping[Term, int]) -> Mapping[Term, int]:
    return dict.fromkeys(months, 12)


def _own_price(_found: Any, old: Any) -> Any:
    return old.price


def _one_end(_ends: Any, other: Any, _until: date) -> tuple[date, ...]:
    return (other.ends_on,)


def _natural(not_after: date) -> date:
    return not_after


OFF: Mapping[str, Off] = {
    "TRM-01": off(
        "every term lasts a year", around("lifecycle.dates._TERM_MONTHS", _every_term_a_year)
    ),
    "TRM-02": off(
        "any term goes with any billing plan",
        granted("BILLING_EXCEEDS_TERM"),
        granted("PLAN_NOT_OFFERED"),
    ),
    "TRM-03": off("autorenew is off to begin with", sets(f"{_BIRTH}.purchase", autorenew=False)),
    "TRM-04": off("it renews although autorenew is off", returning(f"{_GUARD}.renews", True)),
    "TRM-05": off("autorenew once off stays off", mute(f"{_CHANGE}.turn_autorenew_on")),
    "TRM-06": off(
        "the new term starts when the renewal completes",
        effect(f"{_LAPSE}.complete_renewal", _from_completion),
    ),
    "TRM-07": off(
        "a renewal in progress locks nothing",
        granted("READ_ONLY_RENEWAL"),
        granted("RETRY_LATER", "TRM-07"),
    ),
    "TRM-08": off(
        "a renewal does not follow the price list", result(f"{_LAPSE}._next_price", _own_price)
    ),
    "TRM-09": off(
        "there is no window for cancelling",
        returning("lifecycle.subscription.window.cancelable_until", None),
    ),
    "TRM-10": off("the window has always been 168 hours", figure("cancellation_window", 168)),
    "TRM-11": off(
        "the window opens with the day, not at the instant of the order",
        effect(f"{_BIRTH}.purchase", _from_midnight),
    ),
    "TRM-12": off("anything can be cancelled at any time", granted("CANCEL_WINDOW_CLOSED")),
    "TRM-13": off(
        "what is given back is refunded in full", returning("lifecycle.money.days_charged", 0)
    ),
    "TRM-14": off("adding seats adds none", mute(f"{_CHANGE}.add_seats")),
    "TRM-15": off(
        "seats can be given back at any time, down to the last",
        granted("SEAT_WINDOW_CLOSED"),
        granted("SEAT_MINIMUM"),
    ),
    "TRM-16": off(
        "seats added later share the window of the first",
        effect(f"{_CHANGE}.add_seats", _in_the_first_batch),
    ),
    "TRM-17": off(
        "anything can be scheduled, and the renewal applies none of it",
        granted("AUTORENEW_REQUIRED", "TRM-17"),
        asking(f"{_LAPSE}.complete_renewal", _nothing_scheduled),
    ),
    "TRM-18": off(
        "what is scheduled outlives whatever is changed at once",
        returning(f"{_CHANGE}.dropped", ()),
        keeps(f"{_CHANGE}.add_seats", "scheduled"),
        keeps(f"{_CHANGE}.remove_seats", "scheduled"),
        keeps(f"{_CHANGE}.change_term", "scheduled"),
        keeps(f"{_CHANGE}.turn_autorenew_off", "scheduled"),
        keeps(f"{_CHANGE}.convert_trial", "scheduled"),
        keeps(f"{_MOVE}.upgrade", "scheduled"),
    ),
    "TRM-19": off("a term may be made shorter", granted("TERM_SHORTER")),
    "TRM-20": off("every billing plan may be changed", granted("BILLING_CHANGE_NA")),
    "TRM-21": off("anything aligns with anything", granted("COTERM_NO_TARGET")),
    "TRM-22": off("a custom end may lie anywhere", granted("COTERM_OUT_OF_TERM")),
    "TRM-23": off(
        "aligning looks only at the running term of the other",
        result(f"{_TERM}._ends_of", _one_end),
    ),
    "TRM-24": off(
        "aligning with the month keeps the natural end",
        instead("lifecycle.dates.last_month_end", _natural),
    ),
    "TRM-25": off(
        "the terms after a short one count from its first day",
        result(f"{_TERM}.starting", _from_its_first_day),
    ),
    "TRM-26": off(
        "the window of an aligned term ends with that term",
        result("lifecycle.subscription.window.cancelable_until", _until_the_term_end),
    ),
    "TRM-27": off("reactivating gives no access back", row("subscription", "reactivate", to=None)),
    "TRM-28": off(
        "what came from an agreement stays with its partner",
        result(f"{_MOVE}.request_transfer", _not_from_ea),
    ),
    "TRM-29": off(
        "nobody is asked about a transfer: neither the customer nor an Admin agent",
        returning(f"{_MOVE}._unrelated", None),
        returning(f"{_MOVE}._may_not_transfer", None),
    ),
    "TRM-30": off(
        "the day of the transfer is the source's", asking(f"{_MOVE}.accept_transfer", _a_day_later)
    ),
    "TRM-31": off(
        "anybody withdraws a transfer", asking(f"{_MOVE}.withdraw_transfer", _by_the_target)
    ),
    "TRM-32": off(
        "no promotion applies",
        around("lifecycle.subscription.model.shape.Price.promotion_on", lambda _: _no_promotion),
    ),
    "TRM-33": off(
        "there is no limit to seats and updates",
        granted("SEAT_LIMIT", "TRM-33"),
        granted("UPDATE_LIMIT"),
    ),
    "TRM-34": off(
        "any product counts as higher, and any subscription takes the seats in",
        asking(f"{_MOVE}.upgrade", _higher),
        returning(f"{_MOVE}._unfit", None),
    ),
    "TRM-35": off(
        "a PATCH leaves alone what it does not name",
        result(f"{_CHANGE}.split_patch", _left_alone),
    ),
    "TRM-36": off("there is no extended service term", returning(f"{_TERM}.extends", False)),
}


def _no_promotion(_price: Any, _day: date) -> None:
    return None
