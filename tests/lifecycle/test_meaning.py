"""What each state means for those who use, run and pay (1.1): cell by cell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.machine import allowed
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import Subscription
from sublife.lifecycle.subscription.state import MEANINGS, Admin, State, meaning

Asked: TypeAlias = tuple[Subscription, datetime]
Subjects: TypeAlias = Mapping[tuple[str, str], Asked]
Policies: TypeAlias = Mapping[str, Policy]
Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]

SUBSCRIPTION = LIFECYCLES["subscription"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of table 1.1: who has access, who is billed, what the wire says."""

    users: bool
    admins: Admin
    billed: bool
    wire: str


TABLE: Mapping[str, Row] = {
    "pending": Row(users=False, admins=Admin.NONE, billed=False, wire="pending"),
    "active": Row(users=True, admins=Admin.FULL, billed=True, wire="active"),
    "renewing": Row(users=True, admins=Admin.FULL, billed=True, wire="active"),
    "suspended": Row(users=False, admins=Admin.FULL, billed=True, wire="suspended"),
    "expired": Row(users=True, admins=Admin.DATA, billed=False, wire="expired"),
    "grace": Row(users=True, admins=Admin.DATA, billed=False, wire="expired"),
    "disabled": Row(users=False, admins=Admin.DATA, billed=False, wire="disabled"),
    "disabled, first phase": Row(users=False, admins=Admin.DATA, billed=False, wire="disabled"),
    "disabled, second phase": Row(users=False, admins=Admin.DATA, billed=False, wire="disabled"),
    "canceled": Row(users=False, admins=Admin.BACKUP, billed=False, wire="deleted"),
    "deleted": Row(users=False, admins=Admin.NONE, billed=False, wire="deleted"),
}

AUTORENEW = {"turn_autorenew_on", "turn_autorenew_off"}
SCHEDULE = {"schedule_change", "unschedule_change"}
PLAN = {"change_term", "upgrade"}
NAMES = {"rename", "set_por"}
WINDOW = {"cancel", "remove_seats"}
ACTIVE = {"suspend", "add_seats", "request_transfer"} | AUTORENEW | SCHEDULE | PLAN | NAMES
OF_THE_TABLE = ACTIVE | WINDOW | {"reactivate", "buy_again"}
"""What table 1.1 speaks of, but for the billing change, which only three-year terms know (TRM-20).

To migrate a legacy one is asked of a migration, a subject of its own (LEG-15).
Prices, reports and answers to transfers are other rules' business.
"""


def test_every_state_has_a_meaning() -> None:
    """1.1: and there is none beside the eight (SUB-01)."""
    assert set(MEANINGS) == set(State)
    assert tuple(SUBSCRIPTION.states) == tuple(State)
    assert {state.value for state in State} == {
        "pending",
        "active",
        "suspended",
        "expired",
        "grace",
        "disabled",
        "canceled",
        "deleted",
    }


@pytest.mark.parametrize("state", TABLE)
def test_users_have_access_where_the_table_says(state: str, subjects: Subjects) -> None:
    """1.1, user access."""
    subject, _ = subjects["year", state]

    assert meaning(subject).user_access is TABLE[state].users


@pytest.mark.parametrize("state", TABLE)
def test_admins_reach_as_far_as_the_table_says(state: str, subjects: Subjects) -> None:
    """1.1, admin access: everything, the data, a backup of it, or nothing."""
    subject, _ = subjects["year", state]

    assert meaning(subject).admin_access is TABLE[state].admins


@pytest.mark.parametrize("state", TABLE)
def test_the_partner_is_billed_where_the_table_says(state: str, subjects: Subjects) -> None:
    """1.1, partner billed (SUB-02, SUB-07)."""
    subject, _ = subjects["year", state]

    assert meaning(subject).partner_billed is TABLE[state].billed


@pytest.mark.parametrize("state", TABLE)
def test_the_wire_bears_the_status_of_the_table(state: str, subjects: Subjects) -> None:
    """1.1, wire status: grace is `expired`, canceled is `deleted`."""
    subject, _ = subjects["year", state]

    assert meaning(subject).wire_status == TABLE[state].wire


@pytest.mark.parametrize(
    ("profile", "state", "wanted"),
    [
        pytest.param("year", "pending", set[str](), id="pending"),
        pytest.param("three years", "active", ACTIVE, id="active, windows over"),
        pytest.param("year", "active", ACTIVE, id="active, one year, windows over"),
        pytest.param("in window", "active", ACTIVE | WINDOW, id="active, in window"),
        pytest.param(
            "year, autorenew off",
            "active",
            ACTIVE - {"schedule_change"},
            id="active, autorenew off",
        ),
        pytest.param(
            "legacy",
            "active",
            ACTIVE - {"request_transfer"},
            id="active, legacy",
        ),
        pytest.param("in window", "suspended", {"reactivate", "cancel"}, id="suspended, in window"),
        pytest.param("year", "suspended", {"reactivate"}, id="suspended, window over"),
        pytest.param("year", "expired", set[str](), id="expired"),
        pytest.param("year", "grace", set[str](), id="grace"),
        pytest.param("year", "disabled", set[str](), id="disabled"),
        pytest.param("year", "disabled, first phase", set[str](), id="disabled, first phase"),
        pytest.param("year", "canceled", set[str](), id="canceled"),
        pytest.param("year", "deleted", set[str](), id="deleted"),
    ],
)
def test_the_allowed_actions_are_those_of_the_table(
    profile: str, state: str, wanted: set[str], subjects: Subjects, policies: Policies
) -> None:
    """1.1, allowed actions; table 1.2 adds buying anew, and autorenew off where it is off."""
    subject, at = subjects[profile, state]
    beside = {"pending": set[str](), "suspended": {"buy_again", "turn_autorenew_off"}}

    found = set(allowed(subject, policy=policies[profile], at=at)) & OF_THE_TABLE

    assert found == wanted | beside.get(state, {"buy_again"})


def test_the_billing_plan_of_a_three_year_term_may_be_changed(
    subjects: Subjects, policies: Policies
) -> None:
    """1.1, allowed actions; before 2025-04-01 (TRM-20)."""
    subject, at = subjects["three years", "active"]

    assert "change_billing" in allowed(subject, policy=policies["three years"], at=at)


def test_a_suspended_legacy_subscription_is_not_billed(subjects: Subjects) -> None:
    """SUB-15: unlike one on new commerce (SUB-07)."""
    legacy, _ = subjects["legacy", "suspended"]

    shown = meaning(legacy)

    assert not shown.partner_billed
    assert shown.rule == "SUB-15"
    assert (shown.user_access, shown.admin_access, shown.wire_status) == (
        False,
        Admin.FULL,
        "suspended",
    )


def test_an_active_legacy_subscription_is_billed(subjects: Subjects) -> None:
    """SUB-02 holds on both platforms."""
    legacy, _ = subjects["legacy", "active"]

    assert meaning(legacy).partner_billed


def test_a_subscription_being_migrated_serves_its_users_and_is_not_billed(
    subjects: Subjects,
) -> None:
    """LEG-15: legacy billing stops, the service goes on."""
    migrating, _ = subjects["legacy", "migrating"]

    shown = meaning(migrating)

    assert migrating.state == "suspended"
    assert (shown.user_access, shown.partner_billed, shown.wire_status) == (
        True,
        False,
        "suspended",
    )


@pytest.mark.parametrize("days", [0, 29, 30, 119])
def test_users_of_a_subscription_suspended_at_its_term_end_never_come_back(
    days: int, subjects: Subjects, reported: Policy, settle: Settle
) -> None:
    """SUB-10, in the reading that calls the first 30 days expired."""
    policy = reported.choosing({"suspended_at_term_end": "expired"})
    suspended, _ = subjects["year", "suspended"]
    te = datetime(2025, 10, 1, tzinfo=UTC)

    later = settle(suspended, te + timedelta(days=days), policy)

    assert later.state == ("grace" if days < 30 else "disabled")
    assert not meaning(later).user_access
    assert meaning(later).admin_access is Admin.DATA


def test_users_who_were_not_barred_work_on_in_the_grace(subjects: Subjects) -> None:
    """SUB-04: only what the suspension left behind keeps them out."""
    grace, _ = subjects["year", "grace"]

    assert meaning(grace).user_access
    assert not meaning(replace(grace, barred=True)).user_access
