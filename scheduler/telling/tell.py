"""From what happened to what is said: who asked for what, and what came of it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from typing import Any

from sublife.events.intake.outcome import Outcome
from sublife.lifecycle.model import Actor, ActorKind, Fact, Payload, Snapshot
from sublife.lifecycle.subscription.model import Platform
from sublife.scheduler.telling.fact import BY, EVENTS, FACTS, SAID
from sublife.scheduler.telling.request import REQUESTS, wanted
from sublife.scheduler.telling.template import filled
from sublife.scheduler.telling.word import instant, word


def tell(outcome: Outcome, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Return what happened in sentences; none where there is nothing to tell.

    Args:
        outcome: of one event.
        snapshot: of its subject after it; `None` if there is none.
    """
    values = _of_subject(outcome, snapshot)
    return tuple(_sentences(outcome, values))


def _sentences(outcome: Outcome, values: dict[str, Any]) -> Iterator[str]:
    event = outcome.event
    by_hand = event.actor.kind is not ActorKind.TIMER and event.cause is None
    if by_hand:
        yield _asked(outcome, {**values, **_of_payload(event.data)})
    if outcome.refusal is not None:
        yield f"Refused: {instant(outcome.refusal.sentence)}"
    for fact in outcome.facts:
        if not (by_hand and SAID.get(fact.name) == event.name):
            yield _fact(fact, {**values, **_of_fact(fact)})
    if not outcome.facts and (said := EVENTS.get(f"{event.lifecycle}/{event.name}")):
        yield said


def _asked(outcome: Outcome, values: Mapping[str, Any]) -> str:
    event = outcome.event
    generic = f"asks for {event.name.replace('_', ' ')}"
    said = filled(REQUESTS.get(f"{event.lifecycle}/{event.name}", generic), values)
    who = _upper(_who(event.actor))
    return f"{who} {wanted(said) if outcome.refusal else said}."


def _who(actor: Actor) -> str:
    name = {
        ActorKind.MICROSOFT: f"Microsoft ({actor.id})",
        ActorKind.APPLICATION: f"the application {actor.id}",
    }.get(actor.kind, actor.id)
    return f"{name} of {actor.partner}" if actor.partner else name


def _fact(fact: Fact, values: Mapping[str, Any]) -> str:
    chosen = values.get(BY.get(fact.name, ""))
    if chosen is not None:
        for key in (f"{fact.name}/{chosen}", f"{fact.name}/{BY[fact.name]}"):
            if key in FACTS:
                return filled(FACTS[key], values)
    generic = f"{_upper(fact.name.replace('-', ' '))}."
    return filled(FACTS.get(fact.name, generic), values)


def _upper(said: str) -> str:
    return said[:1].upper() + said[1:]


def _of_subject(outcome: Outcome, snapshot: Snapshot | None) -> dict[str, Any]:
    values: dict[str, Any] = {"subject": outcome.event.subject}
    if snapshot is not None:
        values |= {"customer": snapshot.customer, "partner": snapshot.partner}
    return values


def _of_payload(payload: Payload) -> dict[str, Any]:
    """Return the values of a payload by name, with those inside a product or a source."""
    values = {field.name: getattr(payload, field.name) for field in fields(payload)}
    if (product := values.get("product")) is not None:
        values["sku"] = product.sku
    if (source := values.get("source")) is not None:
        values["source"] = source.subscription
    values["legacy"] = values.get("platform") is Platform.LEGACY
    values["source_said"] = values.get("subscription") or "it"
    return {name: value for name, value in values.items() if value is not None}


def _of_fact(fact: Fact) -> dict[str, Any]:
    """Return the values of a fact, an amount that is given back as a credit."""
    values: dict[str, Any] = dict(fact.data)
    if (continuity := word("continuity", values.get("continuity"))) and fact.data:
        values["continuity_said"] = continuity
    if "lines" in values:
        count = int(values["lines"])
        values["lines_said"] = f"{count} line{'' if count == 1 else 's'} of revenue"
    if (amount := _number(values.get("amount"))) is not None and amount < 0:
        values["credit"] = -amount
        del values["amount"]
    return values


def _number(value: Any) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except InvalidOperation:
        return None
