"""Legacy to new commerce: a migration from its request or schedule to its end (LEG-15…LEG-26)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sublife.lifecycle.migration.model import (
    Fail,
    Migration,
    Part,
    Plan,
    Request,
    Retry,
    Schedule,
    State,
    Update,
)
from sublife.lifecycle.migration.rules import CLOSED, RULES
from sublife.lifecycle.migration.timer import timers
from sublife.lifecycle.model import ActorKind, Event, Lifecycle, Payload, Reads
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.subscription.model import LeadMigration

REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "request": Request,
        "schedule": Schedule,
        "announce": LeadMigration,
        "lead": LeadMigration,
        "begin": Payload,
        "update": Update,
        "cancel": Payload,
        "complete": Payload,
        "fail": Fail,
        "revert": Payload,
        "retry": Retry,
    }
)

TICKS = ("target_reached", "renewal_missed", "processing_ended", "processing_overdue")

FIGURES: Mapping[str, Unit] = MappingProxyType(
    {
        "white_glove": Unit.ALLOWED,
        "migration_earliest_hours": Unit.HOURS,
        "migration_latest_hours": Unit.HOURS,
        "migration_term_end": Unit.HOURS,
        "migration_minimum_age": Unit.MONTHS,
        "public_sector_new_commerce": Unit.ALLOWED,
        "bundle_migration": Unit.ALLOWED,
        "add_on_block": Unit.DAYS,
        "migration_schedule": Unit.ALLOWED,
        "migration_events": Unit.ALLOWED,
        "smb_seat_limit": Unit.COUNT,
        "coterminosity": Unit.ALLOWED,
    }
)

SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"processing": ("simulated", "reported")}
)


def reads(subject: Migration | None, event: Event) -> Reads:
    """Return whom *event* must see: the customer's every subject, and the partners named.

    The calendar needs no more than the own subscriptions of what has begun.
    """
    match event.data:
        case Request() | Schedule() as ask:
            return Reads((*_named(ask.parts(ask.subscription)), *_given(ask.por)), (ask.customer,))
        case LeadMigration(customer=customer):
            return Reads(customers=(customer,))
        case Plan() as ask if subject is not None:
            parts = (*subject.parts, *ask.parts(subject.base.subscription))
            return Reads((*_named(parts), *_given(ask.por)), (subject.customer,))
        case _ if subject is None:
            return Reads()
        case _ if event.name in {"target_reached", "renewal_missed", "begin", "retry"}:
            return Reads(_given(subject.por, subject.por_before), (subject.customer,))
        case _ if event.actor.kind is not ActorKind.TIMER:
            return Reads(customers=(subject.customer,))
        case _:
            return Reads(tuple(part.subscription for part in subject.parts))


def _named(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        yield from (part.subscription, part.into)


def _given(*partners: str) -> tuple[str, ...]:
    return tuple(each for each in partners if each)


def claims(subject: Migration) -> tuple[str, ...]:
    """Return the subscriptions that it holds; each waits for, or is moved by, one at a time."""
    if not subject.is_live:
        return ()
    return tuple(f"migration of {part.subscription}" for part in subject.parts)


MIGRATION = Lifecycle(
    name="migration",
    snapshot=Migration,
    states=tuple(State),
    final=frozenset({State.COMPLETED, State.CANCELLED, State.REVERTED}),
    requests=REQUESTS,
    ticks=TICKS,
    rules=RULES,
    closed=CLOSED,
    timers=timers,
    reads=reads,
    claims=claims,
    internal=frozenset({"announce", "lead", "begin"}),
    figures=FIGURES,
    switches=SWITCHES,
)
