"""The state × event table (1.2): every cell of it, from `table.yaml`, against what is decided."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import allowed, decide, may, next_timer, timed_event, timers
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    PartnerType,
    Payload,
    Refusal,
    Role,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    Adopt,
    Arise,
    AwaitMigration,
    Batch,
    BuyAgain,
    ChangeBilling,
    ChangeSeats,
    ChangeTerm,
    ChooseTermEnd,
    Continuity,
    ConvertTrial,
    EnterMigration,
    NoteSuccessor,
    Patch,
    Price,
    Product,
    Purchase,
    ReceiveSeats,
    ReleaseMigration,
    Rename,
    RequestTransfer,
    ScheduleChange,
    SetPor,
    SetPrice,
    Subscription,
    Suspend,
    TermEndChoice,
    Upgrade,
)
from sublife.lifecycle.subscription.state import State

Asked: TypeAlias = tuple[Subscription, datetime]
Subjects: TypeAlias = Mapping[tuple[str, str], Asked]
Policies: TypeAlias = Mapping[str, Policy]
Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]
Accept: TypeAlias = Callable[[Subscription | None, Event, Policy], Subscription]

SUBSCRIPTION = LIFECYCLES["subscription"]
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
BOUGHT_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
BUSINESS = Product("E3", "Office for business", rank=1)
ENTERPRISE = Product("E5", "Office for enterprise", rank=2)
OTHER = Subscription(
    id="s2",
    state=State.ACTIVE,
    changed_at=BOUGHT_AT,
    customer="tailspin",
    partner="contoso",
    product=BUSINESS,
    quantity=1,
    term=Term.P1Y,
    billing=Billing.MONTHLY,
    created_at=BOUGHT_AT,
    anchor_on=BOUGHT_AT.date(),
    starts_on=BOUGHT_AT.date(),
    ends_on=date(2025, 9, 30),
)
PAYLOADS: Mapping[str, Payload] = {
    "purchase": Purchase("tailspin", "contoso", BUSINESS, 1, Term.P1Y, Billing.MONTHLY),
    "adopt": Adopt(OTHER),
    "arise": Arise(OTHER, "purchase", "s2"),
    "suspend": Suspend(("non-payment",)),
    "add_seats": ChangeSeats(2),
    "remove_seats": ChangeSeats(2),
    "receive_seats": ReceiveSeats((Batch(2, BOUGHT_AT, BOUGHT_AT.date()),), "s2"),
    "note_successor": NoteSuccessor("s2"),
    "schedule_change": ScheduleChange(quantity=4),
    "choose_term_end": ChooseTermEnd(TermEndChoice.CANCEL),
    "change_term": ChangeTerm(Term.P3Y, Billing.MONTHLY),
    "shorter term": ChangeTerm(Term.P1M, Billing.MONTHLY),
    "change_billing": ChangeBilling(Billing.ANNUAL),
    "upgrade": Upgrade(ENTERPRISE),
    "convert_trial": ConvertTrial(),
    "rename": Rename("the office"),
    "set_por": SetPor("4711"),
    "set_price": SetPrice(Price(Decimal("10.00"), "EUR")),
    "patch": Patch(),
    "request_transfer": RequestTransfer("fabrikam", relationship_accepted=True),
    "await_migration": AwaitMigration("m1", BOUGHT_AT),
    "enter_migration": EnterMigration("m1"),
    "release_migration": ReleaseMigration(),
    "buy_again": BuyAgain("s3"),
}
PARTNERS = {"request_transfer": "fabrikam", "withdraw_transfer": "fabrikam"}
"""Whose agent asks, where it is not the partner that holds the subscription (TRM-29, TRM-31)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: an event of a row meets a subscription in a state.

    Args:
        row: name of the row.
        column: the state.
        event: the request or timer.
        subject: profile and stage of the subscription.
        outcome: `→state`, `=`, `none`, or a refusal code.
        rule: the rule that accepts or refuses.
        api_error: the error number that Partner Center gives, where the table has one.
        by_payload: another payload would have been accepted.
        payload: name of what the request carries.
        due: when the timer is due; empty for a request.
    """

    row: str
    column: str
    event: str
    subject: tuple[str, str]
    outcome: str
    rule: str
    api_error: int | None
    by_payload: bool
    payload: str
    due: str

    @property
    def is_accepted(self) -> bool:
        return self.outcome[0] in "→="


_CELL = re.compile(r"(\S+)(?: ([A-Z]+-\d\d|\d\.\d))?(?: \((\d+)\))?( by payload)?")
_TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("table.yaml").read_text("utf-8"))
_COLUMNS: list[str] = _TABLE["columns"]


def _read(section: str) -> Iterator[Cell]:
    """Yield the cells of a section; a row that leaves out a state, or has it twice, is an error."""
    for row in _TABLE[section]:
        cells = {
            column: text for names, text in row["cells"].items() for column in names.split(", ")
        }
        named = [column for names in row["cells"] for column in names.split(", ")]
        assert sorted(named) == sorted(_COLUMNS), f"{row['row']}: {named}"
        for column in _COLUMNS:
            found = _CELL.fullmatch(cells[column])
            assert found, f"{row['row']}, {column}: {cells[column]}"
            outcome, rule, api_error, by_payload = found.groups()
            if outcome == "n/a":
                continue
            event = row.get("request") or row["timer"]
            yield Cell(
                row["row"],
                column,
                event,
                (row["of"], row.get("instead", {}).get(column, column)),
                outcome,
                rule or _TABLE["codes"].get(outcome) or row["rule"],
                int(api_error) if api_error else None,
                bool(by_payload),
                row.get("payload", event),
                str(row.get("due", "")),
            )


REQUESTS = tuple(_read("requests"))
TIMED = tuple(_read("timed"))


def _named(cell: Cell) -> str:
    return f"{cell.row}-{cell.column}"


def _request(name: str, at: datetime, data: Payload | None = None) -> Event:
    partner = PARTNERS.get(name, "contoso")
    actor = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner, PartnerType.DIRECT_BILL)
    payload = PAYLOADS.get(name, EMPTY) if data is None else data
    cause = "request-1" if name in SUBSCRIPTION.internal else None
    return Event(f"{name}-1", name, "s1", at, actor, payload, cause)


def _due_at(cell: Cell, subject: Subscription) -> datetime:
    """Return when a timer of the table is due, worked out from the end date or latest change."""
    found = re.fullmatch(r"(TE|change)(?:\+(\d+)d)?(1s)?", cell.due)
    if found is None:
        return datetime.fromisoformat(cell.due).replace(tzinfo=UTC)
    day_after = datetime.combine(subject.ends_on + DAY, datetime.min.time(), UTC)
    start = day_after if found[1] == "TE" else subject.changed_at
    return start + int(found[2] or 0) * DAY + (SECOND if found[3] else timedelta(0))


def test_the_table_has_a_cell_for_every_request_in_every_state() -> None:
    """1.2: nothing is left to chance, and the table names no request that does not exist."""
    wanted = {(name, column) for name in SUBSCRIPTION.requests for column in _COLUMNS}

    assert {(cell.event, cell.column) for cell in REQUESTS} == wanted


def test_the_table_has_every_timer() -> None:
    """1.2: those of processing of no length come below, Microsoft's last day with migrations."""
    elsewhere = {"provisioning_ended", "renewal_ended", "last_day_began"}

    assert {cell.event for cell in TIMED} == set(SUBSCRIPTION.ticks) - elsewhere


@pytest.mark.parametrize("cell", REQUESTS, ids=_named)
def test_a_request_meets_a_state_as_the_table_says(
    cell: Cell, subjects: Subjects, policies: Policies
) -> None:
    """1.2: the same state or refusal code, and the rule that the table gives for it."""
    subject, at = subjects[cell.subject]

    answer = decide(
        subject, _request(cell.event, at, PAYLOADS.get(cell.payload)), policies[cell.subject[0]]
    )

    if cell.is_accepted:
        assert isinstance(answer, Decision), answer
        wanted = subject.state if cell.outcome == "=" else cell.outcome[1:]
        assert (answer.state_before, answer.snapshot.state) == (subject.state, wanted)
        assert cell.rule in answer.rules
    else:
        assert isinstance(answer, Refusal), answer
        assert (answer.code, answer.rule) == (cell.outcome, cell.rule)


@pytest.mark.parametrize("cell", [cell for cell in REQUESTS if cell.api_error], ids=_named)
def test_a_refusal_carries_the_error_number_that_partner_center_gives(
    cell: Cell, subjects: Subjects, policies: Policies
) -> None:
    """1.2: the number in brackets."""
    subject, at = subjects[cell.subject]

    answer = decide(
        subject, _request(cell.event, at, PAYLOADS.get(cell.payload)), policies[cell.subject[0]]
    )

    assert isinstance(answer, Refusal)
    assert answer.details["api_error"] == cell.api_error


@pytest.mark.parametrize("cell", REQUESTS, ids=_named)
def test_asking_beforehand_gives_the_answer_of_the_decision(
    cell: Cell, subjects: Subjects, policies: Policies
) -> None:
    """1.2: `may` says yes where `decide` does, and gives the same refusal where it does not.

    The figures in the refusal may differ, as `may` has not been told what would be asked for.
    """
    subject, at = subjects[cell.subject]
    policy = policies[cell.subject[0]]

    asked = may(subject, cell.event, policy=policy, at=at)

    assert bool(asked) is (cell.is_accepted or cell.by_payload)
    if asked.refusal is not None:
        said = (asked.refusal.code, asked.refusal.rule, asked.refusal.details.get("api_error"))
        answer = decide(subject, _request(cell.event, at), policy)
        assert isinstance(answer, Refusal)
        assert said == (answer.code, answer.rule, answer.details.get("api_error"))
    elif cell.is_accepted:
        assert cell.rule in asked.rules


@pytest.mark.parametrize("cell", REQUESTS, ids=_named)
def test_the_allowed_requests_are_those_the_table_accepts(
    cell: Cell, subjects: Subjects, policies: Policies
) -> None:
    """1.2: `allowed` lists a request where its cell accepts, and nowhere else.

    What only follows from another request is never listed, since nobody asks for it.
    """
    subject, at = subjects[cell.subject]

    names = allowed(subject, policy=policies[cell.subject[0]], at=at)

    is_asked_for = cell.event not in SUBSCRIPTION.internal
    assert (cell.event in names) == (is_asked_for and (cell.is_accepted or cell.by_payload))


@pytest.mark.parametrize("cell", [cell for cell in TIMED if cell.outcome == "none"], ids=_named)
def test_the_calendar_holds_nothing_more_for_a_state_than_the_table_says(
    cell: Cell, subjects: Subjects
) -> None:
    """1.2: where the table has no entry there is no such timer."""
    subject, _ = subjects[cell.subject]

    assert cell.event not in {timer.name for timer in timers(subject, "subscription")}


@pytest.mark.parametrize("cell", [cell for cell in TIMED if cell.outcome != "none"], ids=_named)
def test_a_timed_event_meets_a_state_as_the_table_says(
    cell: Cell, subjects: Subjects, policies: Policies
) -> None:
    """1.2: due at exactly that instant, leading to that state, by that rule."""
    subject, _ = subjects[cell.subject]
    (timer,) = (each for each in timers(subject, "subscription") if each.name == cell.event)

    answer = decide(subject, timed_event(subject, timer, "subscription"), policies[cell.subject[0]])

    assert timer.due_at == _due_at(cell, subject)
    assert isinstance(answer, Decision), answer
    wanted = subject.state if cell.outcome == "=" else cell.outcome[1:]
    assert (answer.state_before, answer.snapshot.state) == (subject.state, wanted)
    assert cell.rule in answer.rules


@pytest.mark.parametrize(
    ("subject_of", "before", "after"),
    [
        pytest.param(("year, autorenew off", "active"), "active", "grace", id="TE"),
        pytest.param(("year", "suspended"), "suspended", "disabled", id="TE-suspended"),
        pytest.param(("year", "grace"), "grace", "disabled", id="TE+30d"),
        pytest.param(("year", "disabled"), "disabled", "deleted", id="TE+120d"),
        pytest.param(("year", "canceled"), "canceled", "deleted", id="cancel+7d"),
    ],
)
def test_a_state_holds_to_the_last_second_and_the_next_from_the_exact_end(
    subject_of: tuple[str, str],
    before: str,
    after: str,
    subjects: Subjects,
    policies: Policies,
    settle: Settle,
) -> None:
    """GEN-03: [start, end)."""
    subject, _ = subjects[subject_of]
    policy = policies[subject_of[0]]
    timer = next_timer(subject, "subscription")
    assert timer is not None

    assert settle(subject, timer.due_at - SECOND, policy).state == before
    assert settle(subject, timer.due_at, policy).state == after


def test_processing_of_no_length_provisions_at_the_instant_of_the_order(
    policy: Policy, accept: Accept, settle: Settle
) -> None:
    """SUB-02, GEN-07: the earliest end of the window is the default."""
    ordered = accept(None, _request("purchase", BOUGHT_AT), policy)

    active = settle(ordered, BOUGHT_AT, policy)

    assert (ordered.state, active.state, active.changed_at) == ("pending", "active", BOUGHT_AT)


def test_processing_of_no_length_renews_at_the_term_end(
    policy: Policy, accept: Accept, settle: Settle
) -> None:
    """TRM-06: end 2025-09-30, so the renewal runs at 2025-10-01T00:00:00Z."""
    active = settle(accept(None, _request("purchase", BOUGHT_AT), policy), BOUGHT_AT, policy)
    te = datetime(2025, 10, 1, tzinfo=UTC)

    renewed = settle(active, te, policy)

    assert renewed.renewal is None
    assert (renewed.starts_on, renewed.ends_on) == (te.date(), date(2026, 9, 30))
    assert (renewed.renewed_at, renewed.state) == (te, "active")


@pytest.mark.parametrize("completes_after", [timedelta(0), timedelta(hours=5), timedelta(days=3)])
def test_the_new_term_starts_at_the_term_end_whenever_the_renewal_completes(
    completes_after: timedelta,
    subjects: Subjects,
    reported: Policy,
    accept: Accept,
) -> None:
    """TRM-06, TRM-09: only the window for cancelling counts from the completion."""
    renewing, _ = subjects["year", "renewing"]
    te = datetime(2025, 10, 1, tzinfo=UTC)

    renewed = accept(renewing, _request("complete_renewal", te + completes_after), reported)

    assert (renewed.starts_on, renewed.ends_on) == (date(2025, 10, 1), date(2026, 9, 30))
    assert renewed.window_opened_at == te + completes_after


def test_a_suspended_subscription_is_reactivated_up_to_the_last_second_of_its_term(
    subjects: Subjects, reported: Policy, settle: Settle
) -> None:
    """TRM-27, GEN-04: at the term end itself the change of state wins."""
    suspended, _ = subjects["year", "suspended"]
    te = datetime(2025, 10, 1, tzinfo=UTC)

    before = decide(suspended, _request("reactivate", te - SECOND), reported)
    at_te = decide(settle(suspended, te, reported), _request("reactivate", te), reported)

    assert isinstance(before, Decision)
    assert before.snapshot.state == "active"
    assert isinstance(at_te, Refusal)
    assert at_te.code == "NO_REACTIVATION"


def test_the_term_end_of_a_suspended_subscription_is_told_as_disabled(
    subjects: Subjects, reported: Policy
) -> None:
    """SUB-10: `subscription-disabled`, not `subscription-expired`."""
    suspended, _ = subjects["year", "suspended"]
    timer = next_timer(suspended, "subscription")
    assert timer is not None

    answer = decide(suspended, timed_event(suspended, timer, "subscription"), reported)

    assert isinstance(answer, Decision)
    assert [fact.name for fact in answer.facts] == ["subscription-disabled"]


@pytest.mark.parametrize(
    ("state", "continuity"),
    [
        pytest.param("active", Continuity.NEW, id="active"),
        pytest.param("renewing", Continuity.NEW, id="renewing"),
        pytest.param("suspended", Continuity.NEW, id="suspended"),
        pytest.param("expired", Continuity.UNINTERRUPTED, id="expired"),
        pytest.param("grace", Continuity.UNINTERRUPTED, id="grace"),
        pytest.param("disabled", Continuity.INTERRUPTED, id="disabled"),
        pytest.param("canceled", Continuity.NEW, id="canceled"),
        pytest.param("deleted", Continuity.NEW, id="deleted"),
    ],
)
def test_buying_anew_makes_a_new_subscription_and_leaves_the_old_one_as_it_is(
    state: str, continuity: Continuity, subjects: Subjects, reported: Policy
) -> None:
    """SUB-13: without interruption in the grace; in disabled it has happened already."""
    old, at = subjects["year", state]

    answer = decide(old, _request("buy_again", at), reported)

    assert isinstance(answer, Decision)
    assert answer.snapshot == replace(old, version=old.version + 1, changed_at=at)
    (arise,) = answer.follow_ups
    assert isinstance(arise.data, Arise)
    assert (arise.subject, arise.data.continuity) == ("s3", continuity)
    new = decide(None, arise, reported)
    assert isinstance(new, Decision)
    assert isinstance(new.snapshot, Subscription)
    assert (new.snapshot.quantity, new.snapshot.starts_on) == (old.quantity, at.date())


@pytest.mark.parametrize(
    ("profile", "request_name"),
    [
        pytest.param("in window", "cancel", id="cancel"),
        pytest.param("year", "turn_autorenew_off", id="autorenew off"),
        pytest.param("year", "add_seats", id="seats up"),
        pytest.param("in window", "remove_seats", id="seats down"),
        pytest.param("year", "upgrade", id="upgrade"),
        pytest.param("year", "change_term", id="longer term"),
        pytest.param("three years", "change_billing", id="billing change"),
        pytest.param("year", "suspend", id="suspend"),
    ],
)
def test_what_changes_a_subscription_within_its_term_removes_scheduled_changes(
    profile: str, request_name: str, subjects: Subjects, policies: Policies, accept: Accept
) -> None:
    """TRM-18: and says so."""
    active, at = subjects[profile, "active"]
    scheduled = accept(active, _request("schedule_change", at), policies[profile])

    answer = decide(scheduled, _request(request_name, at), policies[profile])

    assert scheduled.scheduled is not None
    assert isinstance(answer, Decision)
    assert isinstance(answer.snapshot, Subscription)
    assert answer.snapshot.scheduled is None
    assert "scheduled-change-removed" in {fact.name for fact in answer.facts}


@pytest.mark.parametrize("request_name", ["rename", "set_por", "set_price", "turn_autorenew_on"])
def test_what_changes_no_term_keeps_scheduled_changes(
    request_name: str, subjects: Subjects, reported: Policy, accept: Accept
) -> None:
    """TRM-18 names what deletes them; these are not among it."""
    active, at = subjects["year", "active"]
    scheduled = accept(active, _request("schedule_change", at), reported)

    after = accept(scheduled, _request(request_name, at), reported)

    assert after.scheduled == scheduled.scheduled


def test_suspending_and_reactivating_brings_back_neither_autorenew_nor_the_scheduled_change(
    subjects: Subjects, policies: Policies, accept: Accept
) -> None:
    """SUB-08: only the pending next charge outlives the suspension."""
    profile = "three years, billing change set"
    active, at = subjects[profile, "active"]
    policy = policies[profile]
    scheduled = accept(active, _request("schedule_change", at), policy)

    suspended = accept(scheduled, _request("suspend", at), policy)
    back = accept(suspended, _request("reactivate", at), policy)

    assert (suspended.autorenew, suspended.scheduled) == (False, None)
    assert (back.state, back.autorenew, back.scheduled) == ("active", False, None)
    assert suspended.next_charge == back.next_charge == active.next_charge
    assert active.next_charge is not None
