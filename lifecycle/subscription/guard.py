"""Conditions that choose a rule and objections that refuse; both see no payload."""

from datetime import timedelta

from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Objection, Refusal, Standing, iso
from sublife.lifecycle.programme import moves, programme_id
from sublife.lifecycle.refusal import ineligible, refuse
from sublife.lifecycle.subscription.model import (
    ChangeBilling,
    ChangeSeats,
    Platform,
    ProductKind,
    Subscription,
    TermEndChoice,
)
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.term import (
    extends,
    grace_after,
    microsoft_leads,
    renewal_closed,
    term_ended_at,
)
from sublife.lifecycle.subscription.window import cancelable_until, open_batches

Here = Standing[Subscription]
ONLINE_SERVICE = ProductKind.ONLINE_SERVICE
_ZERO = timedelta(0)


def renews(here: Here) -> bool:
    """Autorenew is on at the term end (TRM-06)."""
    return here.subject.autorenew


def legacy_renewal_closed(here: Here) -> bool:
    """A commercial legacy subscription would renew after legacy renewal has closed (LEG-01).

    What ends before renews once more, as legacy and on its conditions (LEG-02).
    """
    return here.subject.autorenew and renewal_closed(here.subject, here.policy)


def moves_at_renewal(here: Here) -> bool:
    """A migration waits to take the place of the renewal, or for this very instant (LEG-21)."""
    move = here.subject.move
    if move is None or move.is_add_on or move.started_at is not None:
        return False
    return move.on_renewal or move.at == term_ended_at(here.subject)


def base_is_led(here: Here) -> bool:
    """The base of an add-on ends with it and is led to new commerce: both go together (LEG-19)."""
    base = here.seen.get(here.subject.parent or "")
    return (
        isinstance(base, Subscription)
        and base.state == State.ACTIVE
        and term_ended_at(base) == term_ended_at(here.subject)
        and _would_be_led(here)
        and _would_be_led(Standing(base, here.at, here.policy, seen=here.seen))
    )


def _would_be_led(here: Here) -> bool:
    return distributor_migrates(here) or microsoft_migrates(here)


def distributor_migrates(here: Here) -> bool:
    """Legacy renewal has closed and the distributor's programme moves it (LEG-04, LEG-05)."""
    subject = here.subject
    programme = here.seen.get(programme_id(subject.partner, subject.customer))
    return legacy_renewal_closed(here) and _may_be_led(subject) and moves(programme, here.at)


def microsoft_migrates(here: Here) -> bool:
    """Microsoft migrates it at its term end, unless a schedule of one's own waits (LEG-24)."""
    subject = here.subject
    return subject.autorenew and _may_be_led(subject) and microsoft_leads(subject, here.policy)


def _may_be_led(subject: Subscription) -> bool:
    """Whether nothing of one's own waits, and nothing has failed at this term end (LEG-24)."""
    return subject.move is None and subject.unmoved_on != subject.ends_on


def continues_extended(here: Here) -> bool:
    """The policy extends the service and nobody chose to cancel (TRM-36)."""
    subject = here.subject
    if subject.term_end_choice is TermEndChoice.CANCEL:
        return False
    return subject.extension is not None or extends(subject, here.policy)


def grants_no_grace(here: Here) -> bool:
    """The policy gives no free days after the term end (SUB-01, TRM-36)."""
    return grace_after(here.subject, here.policy, here.at) == _ZERO


def suspended_expires(here: Here) -> bool:
    """The other reading of a suspended term end: expired, then disabled (SUB-10)."""
    return here.policy.switch("suspended_at_term_end", here.at) == "expired"


def legacy_deletes(here: Here) -> bool:
    """A legacy subscription that could still renew is deleted if suspended at its end (SUB-15).

    Where legacy renewal has closed it is disabled like any other (table 1.2).
    """
    return here.subject.platform is Platform.LEGACY and not renewal_closed(
        here.subject, here.policy
    )


def while_renewing(code: str) -> Objection:
    """Return the objection of the renewal-processing interval with its code (TRM-07)."""

    def objection(here: Here) -> Refusal | None:
        renewal = here.subject.renewal
        if renewal is None:
            return None
        minutes = here.policy.count("retry_after_minutes", here.at)
        started_at = iso(renewal.started_at)
        return refuse(code, renewal_at=started_at, retry_after_minutes=minutes)

    return objection


def while_migrating(here: Here) -> Refusal | None:
    """Refuse what comes while a migration is being processed (LEG-15)."""
    if here.subject.move is None or here.subject.move.started_at is None:
        return None
    minutes = here.policy.count("retry_after_minutes", here.at)
    return refuse("RETRY_LATER", rule="LEG-15", retry_after_minutes=minutes)


def on_trial(here: Here) -> Refusal | None:
    """Refuse changes of a trial's quantity, status or term (SUB-17)."""
    return refuse("TRIAL_LOCKED") if here.subject.trial else None


def not_on_trial(here: Here) -> Refusal | None:
    """Refuse converting what is no trial (SUB-17)."""
    if here.subject.trial:
        return None
    return refuse(
        "BAD_STATE", rule="SUB-17", state="no trial, but a paid one", event="convert_trial"
    )


def window_closed(here: Here) -> Refusal | None:
    """Refuse to cancel after the last instant of the window (TRM-09, TRM-12).

    An extended service term can be cancelled at any time (TRM-36).
    """
    if here.subject.extension is not None:
        return None
    until = cancelable_until(here.subject, here.policy, here.at)
    if until is not None and here.at <= until:
        return None
    closed_at = iso(until) if until is not None else "the moment it was taken over"
    return refuse("CANCEL_WINDOW_CLOSED", closed_at=closed_at)


def no_seat_returns(here: Here) -> Refusal | None:
    """Refuse to give seats back once every window has closed (TRM-15)."""
    if open_batches(here.subject, here.policy, here.at):
        return None
    asked = here.data.quantity if isinstance(here.data, ChangeSeats) else 1
    return refuse("SEAT_WINDOW_CLOSED", asked=asked, reducible=0)


def billing_is_fixed(here: Here) -> Refusal | None:
    """Refuse another billing plan where the term or the date allows none (TRM-20)."""
    subject = here.subject
    allowed = here.policy.allows("three_year_billing_change", here.at)
    if subject.term is Term.P3Y and subject.billing is not Billing.TRIENNIAL and allowed:
        return None
    asked = here.data.billing.value if isinstance(here.data, ChangeBilling) else "another plan"
    return refuse(
        "BILLING_CHANGE_NA", billing=subject.billing.value, asked=asked, term=subject.term.value
    )


def autorenew_is_off(here: Here) -> Refusal | None:
    """Refuse to schedule while autorenew is off (TRM-17)."""
    return None if here.subject.autorenew else refuse("AUTORENEW_REQUIRED")


def too_many_updates(here: Here) -> Refusal | None:
    """Refuse a change beyond the number a subscription takes (TRM-33)."""
    limit = here.policy.count("update_limit", here.at)
    return refuse("UPDATE_LIMIT", limit=limit) if here.subject.updates >= limit else None


def not_legacy(here: Here) -> Refusal | None:
    """Refuse to migrate what is on new commerce already (table 1.2)."""
    if here.subject.platform is Platform.LEGACY:
        return None
    return refuse(
        "MIGRATION_INELIGIBLE",
        reason="it is on new commerce already",
        subscription=here.subject.id,
    )


def being_processed(here: Here) -> Refusal | None:
    """Refuse to migrate while a renewal is being processed (LEG-18, code 1)."""
    if here.subject.renewal is None:
        return None
    return ineligible(1, "its renewal is being processed", subscription=here.subject.id)


def not_migrating(here: Here) -> Refusal | None:
    """Refuse the end of a migration that is not being processed (LEG-15)."""
    move = here.subject.move
    if move is not None and move.started_at is not None:
        return None
    return refuse("BAD_STATE", rule="LEG-15", state="not being migrated", event="this")


def no_extension(here: Here) -> Refusal | None:
    """Refuse a choice for the term end where the policy leaves none (TRM-36)."""
    if continues_extended(here) or grants_no_grace(here):
        return None
    return refuse("EXTENSION_UNAVAILABLE", end_of_term="the 30-day grace")


def no_transfer(here: Here) -> Refusal | None:
    """Refuse to answer a transfer that nobody asked for (TRM-31)."""
    if here.subject.transfer is not None:
        return None
    return refuse("TRANSFER_NOT_PENDING")


def transfer_pending(here: Here) -> Refusal | None:
    """Refuse a second transfer request while one waits (TRM-31)."""
    transfer = here.subject.transfer
    if transfer is None:
        return None
    return refuse("TRANSFER_PENDING", target=transfer.target_partner)


def transfer_not_offered(here: Here) -> Refusal | None:
    """Refuse a transfer of a legacy subscription, or before transfers began (TRM-29)."""
    subject = here.subject
    if subject.platform is not Platform.NCE or subject.product.kind is not ONLINE_SERVICE:
        reason = "only new commerce licence-based subscriptions change partners this way"
    elif not here.policy.allows("partner_transfer", here.at):
        reason = "partner-to-partner transfers were not offered yet"
    else:
        return None
    return refuse("OUT_OF_SCOPE", rule="TRM-29", reason=reason)


def no_renewal(here: Here) -> Refusal | None:
    """Refuse the report of a renewal that is not being processed (TRM-06)."""
    if here.subject.renewal is not None:
        return None
    return refuse("BAD_STATE", rule="TRM-06", state="not being renewed", event="complete_renewal")
