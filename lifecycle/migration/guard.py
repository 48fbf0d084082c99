"""Conditions that choose a rule and objections that refuse, for a migration."""

from sublife.lifecycle.migration.lead import led
from sublife.lifecycle.migration.model import Migration
from sublife.lifecycle.migration.schedule import is_still_ahead
from sublife.lifecycle.migration.start import why_not
from sublife.lifecycle.model import Refusal, Standing, iso
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import LeadMigration, Mover

Here = Standing[Migration]


def may_begin(here: Here) -> bool:
    """Nothing stands against the schedule at its time (LEG-21)."""
    return why_not(here.subject, here.at, here.policy, here.seen) is None


def may_be_led(here: Here) -> bool:
    """Nothing stands against what the distributor or Microsoft moves at the term end (LEG-04)."""
    assert isinstance(here.data, LeadMigration)  # noqa: S101 – the request's own payload
    subject = led("", here.data, here.at, here.seen)
    return why_not(subject, here.at, here.policy, here.seen) is None


def renewal_is_ahead(here: Here) -> bool:
    """The renewal it waits for comes later than it seemed (LEG-21)."""
    return is_still_ahead(here.subject, here.at, here.seen)


def led_by_microsoft(here: Here) -> Refusal | None:
    """Refuse to change what Microsoft leads (LEG-24)."""
    if here.subject.mover is not Mover.MICROSOFT:
        return None
    return refuse("MIGRATION_LED", event="changing or cancelling it")


def under_repair(here: Here) -> Refusal | None:
    """Refuse to try again what Microsoft has still to complete or revert (LEG-17)."""
    if not here.subject.legacy_suspended:
        return None
    due_by = here.subject.overdue_at
    return refuse("MIGRATION_REPAIRED", due_by=iso(due_by) if due_by else "its report")


def not_under_repair(here: Here) -> Refusal | None:
    """Refuse the repair of what left the legacy subscription active (LEG-17)."""
    if here.subject.legacy_suspended:
        return None
    state = "failed with the legacy subscription active"
    return refuse("MIGRATION_LOCKED", rule="LEG-17", state=state, event="a repair")
