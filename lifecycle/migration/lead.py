"""What a distributor or Microsoft moves at the term end (LEG-04, LEG-24)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sublife.lifecycle.migration.model import Migration, Part, State
from sublife.lifecycle.migration.start import begun, led_along, not_started, why_not
from sublife.lifecycle.migration.told import PATH, about, awaiting
from sublife.lifecycle.model import Case, Effect, Fact, Snapshot
from sublife.lifecycle.subscription.model import LeadMigration, Subscription
from sublife.lifecycle.subscription.term import term_ended_at


def announce(case: Case[Migration, LeadMigration]) -> Effect[Migration]:
    """Create Microsoft's migration on the last day; it begins the day after (LEG-24).

    The add-ons that end with their base wait for it too (LEG-19).
    """
    at = case.data.at
    subject = led(case.event.subject, case.data, case.at, case.seen)
    ending = tuple(part for part in subject.parts if _ends_at(part, case.seen, at))
    subject = replace(subject, parts=ending, target_at=at, on_renewal=True)
    told = Fact(f"{PATH}-scheduled", about(subject, case.seen))
    return Effect(subject, (told,), awaiting(subject))


def _ends_at(part: Part, seen: Mapping[str, Snapshot], at: datetime) -> bool:
    legacy = seen.get(part.subscription)
    return isinstance(legacy, Subscription) and term_ended_at(legacy) == at


def led(
    identifier: str, ask: LeadMigration, at: datetime, seen: Mapping[str, Snapshot]
) -> Migration:
    """Return what a distributor or Microsoft moves into a full new term (LEG-04, LEG-24).

    The active add-ons that nothing of their own waits for come along (LEG-19).
    """
    base = Part(ask.subscription, ask.into, term=ask.term, purchase_full_term=True)
    return Migration(
        id=identifier,
        state=State.SCHEDULED,
        changed_at=at,
        customer=ask.customer,
        partner=ask.partner,
        parts=(base, *led_along(ask.subscription, ask.mover, seen, ask.at)),
        mover=ask.mover,
        created_at=at,
    )


def lead(case: Case[Migration, LeadMigration]) -> Effect[Migration]:
    """Begin at the term end what the distributor or Microsoft moves (LEG-04, LEG-24)."""
    return begun(case, led(case.event.subject, case.data, case.at, case.seen))


def fail_to_lead(case: Case[Migration, LeadMigration]) -> Effect[Migration]:
    """Say why it is not moved; the subscription lapses at its end (LEG-04, LEG-06, LEG-14)."""
    subject = led(case.event.subject, case.data, case.at, case.seen)
    why = why_not(subject, case.at, case.policy, case.seen)
    return not_started(case, subject, why, ref="LEG-04")
