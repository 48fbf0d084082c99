"""How one event is decided: table and definition, broken lifecycles, mistakes, order, purity."""

import copy
import string
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml

from sublife.lifecycle import rules as rule_files
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import (
    UnknownEventError,
    UnknownLifecycleError,
    UnknownSubjectError,
    allowed,
    decide,
    definition,
    may,
    reads,
    table,
)
from sublife.lifecycle.model import (
    ABSENT,
    EMPTY,
    Actor,
    ActorKind,
    Case,
    Closed,
    Decision,
    Effect,
    Event,
    Fact,
    ModelError,
    Payload,
    Refusal,
    Role,
    Rule,
    Snapshot,
    Standing,
    evolved,
    made,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import CODES, refuse
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

SUBSCRIPTION = LIFECYCLES["subscription"]
EVENTS = (*SUBSCRIPTION.requests, *SUBSCRIPTION.ticks)
BOUGHT_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso")
PRODUCT = Product("E3", rank=1)
PURCHASE = Purchase("tailspin", "contoso", PRODUCT, 10, Term.P1Y, Billing.MONTHLY)
OTHER = Subscription(
    id="s2",
    state=State.ACTIVE,
    changed_at=BOUGHT_AT,
    customer="tailspin",
    partner="contoso",
    product=PRODUCT,
    quantity=1,
    term=Term.P1Y,
    billing=Billing.MONTHLY,
    created_at=BOUGHT_AT,
    anchor_on=BOUGHT_AT.date(),
    starts_on=BOUGHT_AT.date(),
    ends_on=date(2025, 9, 30),
)
PAYLOADS: Mapping[str, Payload] = {
    "purchase": PURCHASE,
    "adopt": Adopt(OTHER),
    "arise": Arise(OTHER, "purchase", "s2"),
    "suspend": Suspend(),
    "add_seats": ChangeSeats(2),
    "remove_seats": ChangeSeats(2),
    "receive_seats": ReceiveSeats((Batch(2, BOUGHT_AT, BOUGHT_AT.date()),), "s2"),
    "note_successor": NoteSuccessor("s2"),
    "schedule_change": ScheduleChange(quantity=4),
    "choose_term_end": ChooseTermEnd(TermEndChoice.CANCEL),
    "change_term": ChangeTerm(Term.P3Y, Billing.MONTHLY),
    "change_billing": ChangeBilling(Billing.ANNUAL),
    "upgrade": Upgrade(Product("E5", rank=2)),
    "convert_trial": ConvertTrial(),
    "rename": Rename("the office"),
    "set_por": SetPor("4711"),
    "set_price": SetPrice(Price(Decimal(12), "EUR")),
    "patch": Patch(),
    "request_transfer": RequestTransfer("fabrikam", relationship_accepted=True),
    "await_migration": AwaitMigration("m1", BOUGHT_AT),
    "enter_migration": EnterMigration("m1"),
    "release_migration": ReleaseMigration(),
    "buy_again": BuyAgain("s3"),
}


def _event(name: str, at: datetime, data: Payload | None = None, *, of: str = "s1") -> Event:
    payload = PAYLOADS.get(name, EMPTY) if data is None else data
    cause = "request-1" if name in SUBSCRIPTION.internal else None
    actor = Actor(ActorKind.TIMER, name) if name in SUBSCRIPTION.ticks else AMY
    return Event(f"{name}-1", name, of, at, actor, payload, cause)


@dataclass(slots=True)
class Thing:
    """What `transitions` moves: anything that has a state."""

    state: str


def _moved(thing: Thing, event: str, here: Standing[Any]) -> bool:
    """Drive the definition; whether it takes the event is asked first, as it would raise."""
    machine = definition(SUBSCRIPTION)
    return event in machine.get_triggers(thing.state) and bool(
        machine.events[event].trigger(thing, here)
    )


@pytest.mark.parametrize("event", EVENTS)
def test_the_compiled_table_agrees_with_the_definition_on_every_cell(
    event: str, subjects: Subjects, policies: Policies
) -> None:
    """1.2: the same yes or no and the same destination, whatever the guards look at."""
    for (profile, stage), (subject, at) in subjects.items():
        here: Standing[Any] = Standing(subject, at, policies[profile])
        thing = Thing(subject.state)

        moved = _moved(thing, event, here)

        cell = table(SUBSCRIPTION).get((event, subject.state), ())
        rules = () if isinstance(cell, Closed) else cell
        chosen = next((rule for rule in rules if all(each(here) for each in rule.when)), None)
        assert moved == (chosen is not None), (profile, stage)
        wanted = str(chosen.to) if chosen and chosen.to else subject.state
        assert thing.state == wanted, (profile, stage)


@pytest.mark.parametrize("event", EVENTS)
def test_what_is_decided_agrees_with_the_definition(
    event: str, subjects: Subjects, policies: Policies
) -> None:
    """1.2: accepted only where the definition moves, and to the same state.

    An objection or a payload may still refuse what the definition, which sees neither, would take.
    """
    for (profile, stage), (subject, at) in subjects.items():
        due = {timer.name: timer.due_at for timer in SUBSCRIPTION.timers(subject)}
        if event in SUBSCRIPTION.ticks and event not in due:
            continue
        asked_at, policy = due.get(event, at), policies[profile]
        thing = Thing(subject.state)

        moved = _moved(thing, event, Standing(subject, asked_at, policy))
        answer = decide(subject, _event(event, asked_at), policy)

        if isinstance(answer, Decision):
            assert moved, (profile, stage)
            assert thing.state == answer.snapshot.state, (profile, stage)
        else:
            closed = isinstance(table(SUBSCRIPTION)[event, subject.state], Closed)
            assert moved != closed, (profile, stage)


@pytest.mark.parametrize("event", ["purchase", "arise"])
def test_a_birth_leads_out_of_absence_in_both(event: str, policy: Policy) -> None:
    """SUB-01: pending comes first."""
    thing = Thing(ABSENT)

    moved = _moved(thing, event, Standing(None, BOUGHT_AT, policy))
    answer = decide(None, _event(event, BOUGHT_AT), policy)

    assert moved
    assert isinstance(answer, Decision)
    assert (answer.state_before, answer.snapshot.state, thing.state) == (
        "absent",
        "pending",
        "pending",
    )


def test_an_adopted_subscription_is_in_the_state_of_its_export(policy: Policy) -> None:
    """SUB-01: the one birth whose destination the payload says."""
    answer = decide(None, _event("adopt", BOUGHT_AT), policy)

    assert isinstance(answer, Decision)
    assert (answer.snapshot.id, answer.snapshot.state, answer.snapshot.version) == (
        "s1",
        "active",
        1,
    )


def _nothing(case: Case[Subscription, Payload]) -> Effect[Subscription]:
    return Effect(case.subject, (Fact("nothing-happened"),))


def _always(_here: Standing[Subscription]) -> bool:
    return True


def test_a_lifecycle_with_two_unguarded_rules_for_one_cell_is_refused() -> None:
    """1.2: one cell, one answer."""
    second = Rule("suspend", ("active",), "suspended", _nothing, ("SUB-07",))
    broken = replace(SUBSCRIPTION, rules=(*SUBSCRIPTION.rules, second))

    with pytest.raises(ModelError, match="subscription: suspend in active has two rules"):
        table(broken)


def test_a_rule_with_a_condition_behind_one_without_is_refused() -> None:
    """1.2: it could never apply."""
    second = Rule("suspend", ("active",), "canceled", _nothing, ("SUB-07",), when=(_always,))
    broken = replace(SUBSCRIPTION, rules=(*SUBSCRIPTION.rules, second))

    with pytest.raises(ModelError, match="suspend in active"):
        table(broken)


def test_a_rule_with_a_condition_before_one_without_is_taken() -> None:
    """1.2: the first rule whose conditions hold is the one."""
    first = Rule("suspend", ("active",), "canceled", _nothing, ("SUB-07",), when=(_always,))
    changed = replace(SUBSCRIPTION, rules=(first, *SUBSCRIPTION.rules))

    cell = table(changed)["suspend", "active"]

    assert isinstance(cell, tuple)
    assert [rule.to for rule in cell] == ["canceled", "suspended"]


def test_a_lifecycle_that_accepts_and_refuses_in_one_cell_is_refused() -> None:
    """1.2: one cell, one answer."""
    second = Closed("suspend", ("active",), "BAD_STATE", "1.2")
    broken = replace(SUBSCRIPTION, closed=(*SUBSCRIPTION.closed, second))

    with pytest.raises(ModelError, match="subscription: suspend in active has two answers"):
        table(broken)


def test_a_lifecycle_that_refuses_twice_in_one_cell_is_refused() -> None:
    """1.2: one cell, one code."""
    second = Closed("suspend", ("deleted",), "NO_REACTIVATION", "SUB-12")
    broken = replace(SUBSCRIPTION, closed=(*SUBSCRIPTION.closed, second))

    with pytest.raises(ModelError, match="subscription: suspend in deleted has two answers"):
        table(broken)


def test_a_lifecycle_that_leaves_a_request_unanswered_is_refused() -> None:
    """1.2: every request has an answer in every state."""
    broken = replace(SUBSCRIPTION, requests={**SUBSCRIPTION.requests, "hibernate": Payload})

    with pytest.raises(ModelError, match="subscription: hibernate in pending has no answer; add"):
        table(broken)


def test_nothing_leaves_a_final_state() -> None:
    """SUB-06: a rule may take an event there, but it leads nowhere."""
    leaving = [
        rule.event
        for rule in SUBSCRIPTION.rules
        if rule.to is not None and SUBSCRIPTION.final & set(rule.sources)
    ]

    assert SUBSCRIPTION.final == {State.DELETED}
    assert leaving == []


def test_every_rule_is_for_an_event_the_lifecycle_has() -> None:
    """1.2."""
    accepted = {rule.event for rule in SUBSCRIPTION.rules}
    refused = {closed.event for closed in SUBSCRIPTION.closed}

    assert accepted | refused == set(EVENTS)


def test_an_unknown_request_is_a_mistake_that_names_subject_value_and_remedy(
    policy: Policy, subjects: Subjects
) -> None:
    subject, at = subjects["year", "active"]

    with pytest.raises(UnknownEventError) as caught:
        decide(subject, _event("hibernate", at), policy)

    message = str(caught.value)
    assert "subscription s1" in message
    assert '"hibernate"' in message
    assert "use one of purchase, adopt" in message


@pytest.mark.parametrize("name", ["arise", "receive_seats", "note_successor"])
def test_what_only_follows_from_another_event_cannot_be_asked_for(
    name: str, policy: Policy, subjects: Subjects
) -> None:
    """SUB-13, TRM-34, MAN-14: nobody makes a twin, moves licences or names a successor alone."""
    subject, at = subjects["year", "active"]

    with pytest.raises(UnknownEventError, match=f"{name} on s1 only follows from another event"):
        decide(subject, replace(_event(name, at), cause=None), policy)


def test_asking_for_an_unknown_request_is_a_mistake_that_names_value_and_remedy(
    policy: Policy, subjects: Subjects
) -> None:
    subject, at = subjects["year", "active"]

    with pytest.raises(UnknownEventError, match='no request "hibernate"; use one of purchase'):
        may(subject, "hibernate", policy=policy, at=at)


def test_a_timer_in_a_state_that_has_none_is_a_mistake_that_names_subject_and_state(
    policy: Policy, subjects: Subjects
) -> None:
    """1.2: a dash in the table."""
    subject, at = subjects["year", "active"]

    with pytest.raises(UnknownEventError, match=r"s1: grace_ended in active"):
        decide(subject, _event("grace_ended", at), policy)


@pytest.mark.parametrize("actor", [AMY, Actor(ActorKind.TIMER, "timer")], ids=["user", "timer"])
@pytest.mark.parametrize(
    ("stage", "name"),
    [
        pytest.param("active", "term_ended", id="active"),
        pytest.param("suspended", "term_ended", id="suspended"),
        pytest.param("grace", "grace_ended", id="grace"),
        pytest.param("disabled", "retention_ended", id="disabled"),
        pytest.param("canceled", "retention_ended", id="canceled"),
    ],
)
def test_a_timed_event_that_is_not_due_is_a_mistake(
    stage: str, name: str, actor: Actor, policy: Policy, subjects: Subjects
) -> None:
    """SUB-03, SUB-06: nobody ends a term, or deletes the data, before the calendar does."""
    subject, at = subjects["year", stage]

    with pytest.raises(ModelError, match=name):
        decide(subject, replace(_event(name, at), actor=actor), policy)


def test_an_unknown_subject_is_a_mistake_that_names_it_and_the_remedy(policy: Policy) -> None:
    with pytest.raises(UnknownSubjectError) as caught:
        decide(None, _event("suspend", BOUGHT_AT, of="s9"), policy)

    message = str(caught.value)
    assert "s9 does not exist" in message
    assert "suspend" in message
    assert "Create it first, or fix the id" in message


def test_a_request_of_the_wrong_shape_is_a_mistake_that_names_both_shapes(
    policy: Policy, subjects: Subjects
) -> None:
    subject, at = subjects["year", "active"]

    with pytest.raises(ModelError, match="suspend on s1: the payload is ChangeSeats; give Suspend"):
        decide(subject, _event("suspend", at, ChangeSeats(1)), policy)


def test_an_unknown_lifecycle_is_a_mistake_that_names_value_and_remedy(policy: Policy) -> None:
    event = replace(_event("purchase", BOUGHT_AT), lifecycle="warranty")

    with pytest.raises(UnknownLifecycleError, match='no lifecycle "warranty"; use one of subscr'):
        decide(None, event, policy)


def test_a_snapshot_in_a_state_that_is_none_cannot_be_adopted(policy: Policy) -> None:
    event = _event("adopt", BOUGHT_AT, Adopt(replace(OTHER, state="asleep")))

    with pytest.raises(ModelError, match='adopt of s1: there is no state "asleep"; give one of'):
        decide(None, event, policy)


def test_a_subject_of_another_lifecycle_is_a_mistake_that_names_both(subjects: Subjects) -> None:
    subject, at = subjects["year", "active"]
    event = replace(_event("register", at), lifecycle="customer")

    with pytest.raises(ModelError, match="register on s1: it is a Subscription, which does not"):
        reads(subject, event)


def test_a_copy_takes_the_names_of_its_shape_and_no_other() -> None:
    """Also of a field that stands at its default so far."""
    values: dict[str, Any] = {"id": "s1", "state": "grace", "customer": "t", "partner": "c"}
    values["changed_at"] = datetime(2025, 10, 1, tzinfo=UTC)
    snapshot = made(Snapshot, values)

    changes: dict[str, Any] = {"version": 7, "state": "disabled"}

    assert evolved(snapshot, **changes) == Snapshot(**{**values, **changes})
    assert snapshot.version == 0
    with pytest.raises(ModelError, match="Snapshot has no stat; fix the name"):
        evolved(snapshot, version=7, stat="disabled")


def test_an_instant_without_a_zone_is_a_mistake_that_shows_the_remedy() -> None:
    """GEN-01."""
    with pytest.raises(ModelError, match="has no time zone; write 2026-01-31T00:00:00Z"):
        _event("suspend", datetime(2026, 1, 31))  # noqa: DTZ001 – the mistake


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_request_for_less_than_one_licence_is_a_mistake(quantity: int) -> None:
    """TRM-15: 0 is a cancellation."""
    with pytest.raises(ModelError, match=f"quantity {quantity} is below 1; give at least 1"):
        ChangeSeats(quantity)


@pytest.mark.parametrize("name", SUBSCRIPTION.requests)
def test_a_request_dated_before_the_latest_change_is_out_of_order(
    name: str, policy: Policy, subjects: Subjects
) -> None:
    """GEN-09: facts are never rewritten."""
    subject, _ = subjects["year", "suspended"]
    early = subject.changed_at - timedelta(microseconds=1)

    answer = decide(subject, _event(name, early), policy)

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.rule) == ("OUT_OF_ORDER", "GEN-09")
    assert "2024-10-21T02:35:00Z" in answer.sentence


def test_a_request_at_the_very_instant_of_the_latest_change_is_in_order(
    policy: Policy, subjects: Subjects
) -> None:
    """GEN-09: only earlier is too early."""
    subject, _ = subjects["year", "suspended"]

    answer = decide(subject, _event("reactivate", subject.changed_at), policy)

    assert isinstance(answer, Decision)


def test_an_instant_in_another_zone_is_the_same_instant(policy: Policy, subjects: Subjects) -> None:
    """GEN-01: kept and compared in UTC."""
    subject, at = subjects["year", "active"]
    zone = timezone(timedelta(hours=5, minutes=45))

    answer = decide(subject, _event("suspend", at.astimezone(zone)), policy)

    assert answer == decide(subject, _event("suspend", at), policy)
    assert isinstance(answer, Decision)
    assert answer.snapshot.changed_at.tzinfo is UTC


RULE_IDS = frozenset(
    rule["id"]
    for folder in rule_files.__path__
    for path in Path(folder).glob("*.yaml")
    for rule in yaml.safe_load(path.read_text("utf-8")).get("rules", ())
)
INDEX = {
    "OUT_OF_SCOPE": "GEN-16",
    "BAD_STATE": "1.2",
    "NO_REACTIVATION": "SUB-12",
    "ALREADY_SUSPENDED": "1.2",
    "SUSPENDED_LOCKED": "1.2",
    "TERM_ENDED": "1.2",
    "TRIAL_LOCKED": "SUB-17",
    "READ_ONLY_RENEWAL": "TRM-07",
    "RETRY_LATER": "TRM-07",
    "CANCEL_WINDOW_CLOSED": "TRM-12",
    "SEAT_WINDOW_CLOSED": "TRM-15",
    "AUTORENEW_REQUIRED": "TRM-17",
    "TERM_SHORTER": "TRM-19",
    "BILLING_CHANGE_NA": "TRM-20",
    "COTERM_NO_TARGET": "TRM-21",
    "COTERM_OUT_OF_TERM": "TRM-22",
    "LEGACY_RENEWAL_CLOSED": "LEG-01",
    "LEGACY_SALE_CLOSED": "LEG-22",
    "MIGRATION_INELIGIBLE": "LEG-18",
}
"""The index of refusal codes (8.6), as far as it concerns a subscription."""


@pytest.mark.parametrize("code", INDEX)
def test_a_refusal_code_stands_for_the_rule_of_the_index(code: str) -> None:
    """8.6."""
    assert CODES[code].rule == INDEX[code]


@pytest.mark.parametrize("code", CODES)
def test_the_rule_of_every_refusal_code_exists(code: str) -> None:
    """8.6: in one of the rule files."""
    assert CODES[code].rule in RULE_IDS


@pytest.mark.parametrize("code", CODES)
def test_the_sentence_of_every_refusal_code_can_be_read_out(code: str) -> None:
    """8.6: every place it names is filled, and it ends as a sentence does."""
    names = [name for _, name, _, _ in string.Formatter().parse(CODES[code].sentence) if name]
    details: dict[str, Any] = dict.fromkeys(names, "this")

    refusal = refuse(code, **details)

    assert (refusal.code, refusal.rule) == (code, CODES[code].rule)
    assert not set(refusal.sentence) & set("{}")
    assert refusal.sentence.endswith(".")
    assert all(refusal.details[name] == "this" for name in names)


def test_a_refusal_lacking_what_its_sentence_names_is_a_mistake() -> None:
    """8.6: no sentence with a hole is ever read out."""
    with pytest.raises(KeyError):
        refuse("BAD_STATE", state="deleted")


@pytest.mark.parametrize(
    "ref",
    sorted(
        {ref for rule in SUBSCRIPTION.rules for ref in rule.refs}
        | {closed.ref for closed in SUBSCRIPTION.closed}
    ),
)
def test_every_rule_that_the_table_cites_exists(ref: str) -> None:
    """1.2."""
    assert ref in RULE_IDS


@pytest.mark.parametrize("code", sorted({closed.code for closed in SUBSCRIPTION.closed}))
def test_every_code_of_the_table_exists(code: str) -> None:
    """8.6."""
    assert code in CODES


@pytest.mark.parametrize("name", SUBSCRIPTION.requests)
def test_a_decision_depends_on_its_arguments_alone_and_leaves_them_as_they_are(
    name: str, subjects: Subjects, policies: Policies
) -> None:
    """GEN-09: no clock, no memory: the same arguments twice give the same answer."""
    for (profile, _), (subject, at) in subjects.items():
        event, seen = _event(name, at), {"s2": OTHER}
        before = copy.deepcopy((subject, event, seen))

        first = decide(subject, event, policies[profile], seen=seen)
        second = decide(*copy.deepcopy((subject, event)), policies[profile], seen=dict(seen))

        assert first == second
        assert (subject, event, seen) == before


def test_asking_changes_nothing(subjects: Subjects, policies: Policies) -> None:
    """1.1: `allowed` is a question."""
    for (profile, _), (subject, at) in subjects.items():
        before = copy.deepcopy(subject)

        first = allowed(subject, policy=policies[profile], at=at)

        assert allowed(subject, policy=policies[profile], at=at) == first
        assert subject == before


@pytest.mark.parametrize("name", SUBSCRIPTION.requests)
def test_a_refusal_says_why_and_an_acceptance_by_which_rules(
    name: str, subjects: Subjects, policies: Policies
) -> None:
    """EVT-06: no answer without a rule."""
    for (profile, _), (subject, at) in subjects.items():
        answer = decide(subject, _event(name, at), policies[profile])

        if isinstance(answer, Decision):
            assert answer.rules
            assert all(fact.rules and set(fact.rules) <= RULE_IDS for fact in answer.facts)
            assert answer.snapshot.version == subject.version + 1
            assert answer.snapshot.changed_at == at
        else:
            assert answer.rule in RULE_IDS
            assert answer.sentence


def test_a_policy_change_applies_from_its_instant_on(policy: Policy, subjects: Subjects) -> None:
    """GEN-09: billing changes of three-year terms end with March 2025 (TRM-20)."""
    active, _ = subjects["three years", "active"]
    last = datetime(2025, 3, 31, 23, 59, 59, tzinfo=UTC)

    before = decide(active, _event("change_billing", last), policy)
    after = decide(active, _event("change_billing", last + timedelta(seconds=1)), policy)

    assert isinstance(before, Decision)
    assert isinstance(after, Refusal)
    assert (after.code, after.rule) == ("BILLING_CHANGE_NA", "TRM-20")
