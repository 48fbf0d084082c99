"""What a renewal to CSP leaves in the store: table 8.2, the order of 8.4, live or late."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.records import RECORDINGS, Kind, Stage, recording_of
from sublife.lifecycle import transfer
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Event,
    Fact,
    PartnerType,
    Payload,
    Role,
)
from sublife.lifecycle.subscription.model import Product
from sublife.lifecycle.transfer.model import (
    Agreement,
    EaSubscription,
    ExtendAgreement,
    RecordAgreement,
    Schedule,
    Transfer,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

RECORDED_AT = datetime(2024, 9, 2, 8, tzinfo=UTC)
SCHEDULED_AT = datetime(2024, 9, 3, 9, tzinfo=UTC)
TERM_END = datetime(2024, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PROVIDER = PartnerType.INDIRECT_PROVIDER
BEN = Actor(ActorKind.USER, "ben", Role.ADMIN_AGENT, "northwind", PROVIDER)
MICROSOFT = Actor(ActorKind.MICROSOFT, "volume-licensing")
KNOWN = RecordAgreement(
    "tailspin",
    date(2024, 9, 30),
    tuple(EaSubscription(f"ea-{number}", Product("E3"), 10) for number in range(3)),
)
MOVE = Schedule("ea", "ea-0", "tailspin", "northwind", "s0", Term.P1Y, Billing.MONTHLY)
CREATED, COMPLETED = "new-commerce-migration-created", "new-commerce-migration-completed"
FAILED, NOT_STARTED = "new-commerce-migration-failed", "new-commerce-migration-schedule-failed"
MIGRATION = Kind.MIGRATION


@pytest.mark.parametrize(
    ("fact", "kind", "stage", "webhook"),
    [
        ("ea-renewal-scheduled", MIGRATION, Stage.PROGRESS, None),
        ("ea-renewal-updated", MIGRATION, Stage.PROGRESS, None),
        ("ea-renewal-unscheduled", MIGRATION, Stage.PROGRESS, None),
        ("ea-renewal-started", MIGRATION, Stage.PROGRESS, CREATED),
        ("ea-renewal-completed", MIGRATION, Stage.SUCCEEDED, COMPLETED),
        ("ea-renewal-failed", MIGRATION, Stage.FAILED, FAILED),
        ("ea-renewal-schedule-failed", MIGRATION, Stage.FAILED, NOT_STARTED),
        ("ea-renewal-advisory", None, Stage.PROGRESS, None),
        ("por-required", None, Stage.PROGRESS, None),
    ],
)
def test_a_fact_leaves_behind_what_table_8_2_says(
    fact: str, kind: Kind | None, stage: Stage, webhook: str | None
) -> None:
    """8.2, EVT-01, EVT-03: a migration, never a renewal; the order is the new subscription's."""
    found = recording_of(Fact(fact))

    assert (found.kind, found.stage, found.webhook, found.order) == (kind, stage, webhook, None)


def test_every_fact_of_agreements_and_renewals_has_a_row() -> None:
    """8.2: a fact without a row could not be written down."""
    source = Path(transfer.__path__[0])
    emitted = {
        name
        for path in source.rglob("*.py")
        for name in re.findall(
            r'"((?:agreement|ea-renewal|por)-[a-z-]+)"', path.read_text(encoding="utf-8")
        )
    }

    assert len(emitted) > 12
    assert emitted <= set(RECORDINGS)


def _ask(
    desk: "Desk",
    name: str,
    subject: str,
    at: datetime,
    data: Payload = EMPTY,
    *,
    actor: Actor = BEN,
    lifecycle: str = "transfer",
) -> None:
    desk.clock.move(max(at, desk.clock.now()))
    event = desk.event(name, subject, at, data)
    outcome = submit(desk.store, replace(event, actor=actor, lifecycle=lifecycle))
    assert outcome.accepted, outcome.refusal


def _scheduled(desk: "Desk", count: int = 1) -> None:
    _ask(desk, "record_agreement", "ea", RECORDED_AT, KNOWN, actor=MICROSOFT, lifecycle="agreement")
    for number in range(count):
        data = replace(MOVE, ea_subscription=f"ea-{number}", into=f"s{number}")
        _ask(desk, "schedule", f"m{number}", SCHEDULED_AT, data)


def test_the_order_of_what_happens_at_the_hour(desk: "Desk") -> None:
    """8.4: started, the subscription and its order, completed, partner of record required."""
    _scheduled(desk)

    settled = desk.wake(TERM_END)

    facts = [fact.name for each in settled.outcomes for fact in each.facts]
    assert facts == [
        "ea-renewal-started",
        "subscription-created",
        "ea-renewal-completed",
        "por-required",
        "subscription-provisioned",
    ]
    (order,) = desk.store.orders()
    started, completed = desk.store.records()[-2:]
    assert (order.transaction, order.subscription, order.partner) == ("new", "s0", "northwind")
    assert (started.fact, started.order_id) == ("ea-renewal-started", None)
    assert (completed.fact, completed.order_id) == ("ea-renewal-completed", order.id)
    assert desk.subscription("s0").order_id == order.id


def test_every_record_says_where_from_where_to_and_which_way(desk: "Desk") -> None:
    """EVT-01, EVT-06: the subject is a schedule, its records are about subscriptions."""
    _scheduled(desk)
    desk.wake(TERM_END)

    found = [
        (
            each.kind,
            each.subscription,
            each.source_subscription,
            each.new_subscription,
            each.path,
            each.channel,
            each.partner,
            each.customer,
        )
        for each in desk.store.records()
    ]

    shared = ("channel-transfer", "ea", "northwind", "tailspin")
    assert found == [
        ("migration", "s0", "ea-0", None, *shared),
        ("migration", "s0", "ea-0", None, *shared),
        ("migration", "s0", "ea-0", "s0", *shared),
    ]


def test_each_renewal_leaves_one_order(desk: "Desk") -> None:
    """EVT-02: as many orders as renewals, all new."""
    _scheduled(desk, count=3)
    desk.wake(TERM_END)

    assert [each.transaction for each in desk.store.orders()] == ["new", "new", "new"]
    assert sorted(each.subscription for each in desk.store.orders()) == ["s0", "s1", "s2"]


def test_a_daemon_that_slept_writes_the_same_history(open_desk: Callable[..., "Desk"]) -> None:
    """GEN-08, GEN-09: woken every day or once after a year, with one schedule or three."""
    digests: list[str] = []
    for days in (1, 400):
        desk = open_desk()
        _scheduled(desk, count=3)
        extension = ExtendAgreement(date(2024, 10, 31))
        at = RECORDED_AT + 5 * DAY
        _ask(desk, "extend_agreement", "ea", at, extension, actor=MICROSOFT, lifecycle="agreement")
        woken_at = at
        while woken_at < at + 400 * DAY:
            woken_at += days * DAY
            desk.wake(woken_at)
        digests.append(desk.store.digest())

    assert digests[0] == digests[1]


def test_what_falls_due_before_a_request_is_seen_by_it(open_desk: Callable[..., "Desk"]) -> None:
    """GEN-08, TRM-33: a subscription that comes to be on the way counts, asleep or awake."""
    limited = Product("BP", smb=True)
    answers: list[str | None] = []
    for awake in (True, False):
        desk = open_desk()
        known = replace(KNOWN, subscriptions=(EaSubscription("ea-0", limited, 200),))
        _ask(
            desk,
            "record_agreement",
            "ea",
            RECORDED_AT,
            known,
            actor=MICROSOFT,
            lifecycle="agreement",
        )
        _ask(desk, "schedule", "m0", SCHEDULED_AT, MOVE)
        if awake:
            desk.wake(TERM_END)
        outcome = desk.sell("more", TERM_END + DAY, product=limited, quantity=101)
        answers.append(outcome.refusal.code if outcome.refusal else None)

    assert answers == ["SEAT_LIMIT", "SEAT_LIMIT"]


def test_two_renewals_of_one_instant_share_the_limit(desk: "Desk") -> None:
    """TRM-33: each fits, but not both; the second one fails and the calendar goes on."""
    limited = Product("BP", smb=True)
    known = replace(
        KNOWN, subscriptions=tuple(EaSubscription(f"ea-{each}", limited, 200) for each in range(2))
    )
    _ask(desk, "record_agreement", "ea", RECORDED_AT, known, actor=MICROSOFT, lifecycle="agreement")
    for number in range(2):
        data = replace(MOVE, ea_subscription=f"ea-{number}", into=f"s{number}")
        _ask(desk, "schedule", f"m{number}", SCHEDULED_AT, data)

    settled = desk.wake(TERM_END)

    states = sorted(getattr(desk.store.get(name), "state", "") for name in ("m0", "m1"))
    assert (states, settled.stuck) == (["completed", "failed"], ())
    assert [each.quantity for each in desk.store.orders()] == [200]
    assert [each.code for each in desk.store.records() if each.code] == ["SEAT_LIMIT"]


def test_a_schedule_and_its_agreement_are_read_back_as_they_were(desk: "Desk") -> None:
    """The rows hold all there is to know."""
    _scheduled(desk)
    desk.wake(TERM_END)

    move, agreement = desk.store.get("m0"), desk.store.get("ea")

    assert isinstance(move, Transfer)
    assert isinstance(agreement, Agreement)
    assert (move.state, move.into, move.por_required) == ("completed", "s0", True)
    assert (agreement.version, agreement.subscriptions) == (1, KNOWN.subscriptions)


def test_a_request_that_comes_twice_has_one_effect(desk: "Desk") -> None:
    """Once equals twice: the second time the first answer is given."""
    _scheduled(desk)
    data = replace(MOVE, ea_subscription="ea-1", into="s1")
    event = Event("twice", "schedule", "m1", SCHEDULED_AT + DAY, BEN, data, None, "transfer")
    desk.clock.move(SCHEDULED_AT + 2 * DAY)

    first, second = submit(desk.store, event), submit(desk.store, event)

    assert (first.repeated, second.repeated) == (False, True)
    assert len(desk.store.records()) == 2
