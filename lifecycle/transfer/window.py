"""When a schedule is processed and from when the new subscription counts (table 0.5)."""

from datetime import date, datetime, timedelta

from sublife.lifecycle.dates import day_starts_at, term_ends_at
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.transfer.model import Transfer, Window

_ONE_DAY = timedelta(days=1)


def is_late(scheduled_at: datetime, ea_ends_on: date) -> bool:
    """Return whether a schedule was placed after the agreement's last day (EA-15, EA-17)."""
    return scheduled_at >= term_ends_at(ea_ends_on)


def processing_window(scheduled_at: datetime, ea_ends_on: date, policy: Policy) -> Window:
    """Return when a schedule is processed; midnights are 00:00Z, never noon (EA-16).

    On or before the last day D of the agreement: from (D+1)T00:00Z, so never during its term
    (EA-15). After it, at t: from the first midnight strictly after t, at most 96 h after t (EA-17).

    Args:
        scheduled_at: UTC instant the schedule was submitted.
        ea_ends_on: D, inclusive.
        policy: the figures in force when the window opens.
    """
    if not is_late(scheduled_at, ea_ends_on):
        opens_at = counted_from = term_ends_at(ea_ends_on)
        kind = "transfer"
    else:
        opens_at = day_starts_at(scheduled_at.date() + _ONE_DAY)
        counted_from = scheduled_at
        kind = "late_transfer"
    return Window(
        opens_at,
        counted_from + policy.length(f"{kind}_typical_hours", opens_at),
        counted_from + policy.length(f"{kind}_latest_hours", opens_at),
    )


def begins_at(window: Window, policy: Policy, at: datetime) -> datetime | None:
    """Return when a simulated processing starts: at its earliest instant (GEN-07).

    `None` where the policy waits for Microsoft's report.
    """
    if policy.switch("processing", at) == "reported":
        return None
    return window.earliest_at + policy.length("transfer_start_hours", window.earliest_at)


def ends_at(policy: Policy, at: datetime) -> datetime | None:
    """Return when a simulated processing that starts at *at* ends (GEN-07)."""
    if policy.switch("processing", at) == "reported":
        return None
    return at + policy.length("transfer_run_hours", at)


def starts_on(transfer: Transfer, created_at: datetime) -> date:
    """Return the first day of the subscription that is created at *created_at* (EA-19).

    Scheduled by the agreement's last day it starts the day after, however late it is processed;
    scheduled later it starts when it is created, and nothing is billed backwards.
    """
    if is_late(transfer.scheduled_at, transfer.ea_ends_on):
        return created_at.date()
    return transfer.ea_ends_on + _ONE_DAY
