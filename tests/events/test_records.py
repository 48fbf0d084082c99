"""Facts and what they leave behind: table 8.2, row by row."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from sublife.events.intake import Outcome, submit
from sublife.events.records import RECORDINGS, Kind, Stage, record_id, recording_of
from sublife.lifecycle import subscription
from sublife.lifecycle.dates import Term
from sublife.lifecycle.migration.model import Request
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Fact, Payload, Role
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Channel,
    Platform,
    Price,
    Product,
    Rename,
    RequestTransfer,
    Source,
    Upgrade,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
UPDATED = "subscription-updated"
MOVE = "new-commerce-migration"

ANY = "any"


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql", "postgresql-partitioned"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database, that with partitions too: these tests write and read all there is."""
    return str(request.param)


class Row(NamedTuple):
    """A row of the table: a fact and what it leaves behind; "any" where the table is silent."""

    fact: str
    data: dict[str, str]
    kind: str | None
    stage: str
    outcome: str | None
    order: str | None
    webhook: str | None


NO_DATA: dict[str, str] = {}
ADDED, REMOVED = {"transaction": "addQuantity"}, {"transaction": "removeQuantity"}
TABLE_8_2 = (
    Row("subscription-created", {"path": "purchase"}, None, ANY, None, "new", UPDATED),
    Row("subscription-created", {"path": "manual"}, "migration", "succeeded", ANY, "new", UPDATED),
    Row("transfer-completed", NO_DATA, "migration", "succeeded", ANY, "new", UPDATED),
    Row("subscription-renewed", NO_DATA, "renewal", "succeeded", ANY, "renew", UPDATED),
    Row("renewal-refused", NO_DATA, "renewal", "failed", ANY, None, None),
    Row("subscription-autorenew-changed", NO_DATA, "renewal", "progress", ANY, None, UPDATED),
    Row("scheduled-change-set", NO_DATA, "renewal", "progress", ANY, None, UPDATED),
    Row("scheduled-change-removed", NO_DATA, "renewal", "progress", ANY, None, UPDATED),
    Row("subscription-expired", NO_DATA, "renewal", ANY, "lapsed", None, UPDATED),
    Row("subscription-disabled", NO_DATA, "renewal", ANY, "lapsed", None, UPDATED),
    Row("subscription-deleted", {"from": "disabled"}, "renewal", ANY, "lapsed", None, UPDATED),
    Row("subscription-suspended", NO_DATA, None, ANY, None, None, UPDATED),
    Row("subscription-reactivated", NO_DATA, None, ANY, None, None, UPDATED),
    Row("subscription-quantity-changed", ADDED, None, ANY, None, "addQuantity", UPDATED),
    Row("subscription-quantity-changed", REMOVED, None, ANY, None, "removeQuantity", UPDATED),
    Row("subscription-upgraded", NO_DATA, None, ANY, None, "convert", UPDATED),
    Row("subscription-term-changed", NO_DATA, None, ANY, None, "convert", UPDATED),
    Row("subscription-canceled", NO_DATA, None, ANY, None, "cancel", UPDATED),
    Row("por-set", NO_DATA, None, ANY, None, None, UPDATED),
    Row(f"{MOVE}-created", NO_DATA, "migration", "progress", ANY, None, f"{MOVE}-created"),
    Row(f"{MOVE}-scheduled", NO_DATA, "migration", "progress", "planned", None, None),
    Row(f"{MOVE}-schedule-updated", NO_DATA, "migration", "progress", "planned", None, None),
    Row(f"{MOVE}-schedule-cancelled", NO_DATA, "migration", "progress", "withdrawn", None, None),
    Row(f"{MOVE}-overdue", NO_DATA, "migration", "progress", "overdue", None, None),
    Row(f"{MOVE}-reverted", NO_DATA, "migration", "failed", "reverted", None, None),
    Row(f"{MOVE}-failed", NO_DATA, "migration", "failed", "failed", None, f"{MOVE}-failed"),
    Row(
        f"{MOVE}-schedule-failed",
        NO_DATA,
        "migration",
        "failed",
        "refused",
        None,
        f"{MOVE}-schedule-failed",
    ),
    # The order of a completed migration stands on its twin: see TestMigration.
    Row(f"{MOVE}-completed", NO_DATA, "migration", "succeeded", ANY, ANY, f"{MOVE}-completed"),
)


@pytest.mark.parametrize("row", TABLE_8_2, ids=lambda row: " ".join((row.fact, *row.data.values())))
def test_a_fact_leaves_behind_what_table_8_2_says(row: Row) -> None:
    """8.2, EVT-04, EVT-09, EVT-11: one row, one recording."""
    found = recording_of(Fact(row.fact, row.data))

    assert (found.kind, found.webhook) == (row.kind, row.webhook)
    assert row.stage in {ANY, found.stage}
    assert row.outcome in {ANY, found.outcome}
    assert row.order in {ANY, found.order}


def test_there_are_exactly_two_kinds_of_activity_record() -> None:
    """EVT-04: no third kind."""
    kinds = {each.kind for each in RECORDINGS.values() if each.kind is not None}

    assert [kind.value for kind in Kind] == ["migration", "renewal"]
    assert kinds == set(Kind)


def test_the_stages_are_those_of_an_audit_record() -> None:
    """EVT-06: `succeeded`, `failed`, `progress`."""
    assert {stage.value for stage in Stage} == {"succeeded", "failed", "progress"}


def test_every_order_line_has_a_documented_transaction_type() -> None:
    """EVT-09: the words of `transactionType`."""
    documented = {
        "new",
        "renew",
        "addQuantity",
        "removeQuantity",
        "cancel",
        "convert",
        "customerCredit",
    }

    assert {each.order for each in RECORDINGS.values() if each.order} <= documented


def test_every_webhook_has_a_documented_name() -> None:
    """EVT-11: the names a receiver knows."""
    documented = {
        UPDATED,
        *(f"{MOVE}-{stage}" for stage in ("created", "completed", "failed", "schedule-failed")),
        "reseller-relationship-accepted-by-customer",
        "indirect-reseller-relationship-accepted-by-customer",
        "dap-admin-relationship-approved",
        "dap-admin-relationship-terminated",
        "invoice-ready",
        "test-created",
    }

    assert {each.webhook for each in RECORDINGS.values() if each.webhook} <= documented


def test_every_fact_of_the_lifecycle_has_a_row() -> None:
    """8.2: a fact without a row could not be written down."""
    source = Path(subscription.__path__[0])
    emitted = {
        name
        for path in source.glob("*.py")
        for name in re.findall(r'\bFact\(\s*"([a-z-]+)"', path.read_text(encoding="utf-8"))
    }

    assert len(emitted) > 25
    assert emitted <= set(RECORDINGS)


def test_a_deletion_after_a_cancellation_is_no_lapse() -> None:
    """SUB-09: nobody let anything lapse; the cancellation has its own order."""
    assert recording_of(Fact("subscription-deleted", {"from": "canceled"})).kind is None


class TestIds:
    def test_ids_are_derived_from_the_event(self) -> None:
        """EVT-06: the first record of a sort has the event's id, so an order has its order's."""
        ids = [record_id("e1", 0), record_id("e1", 1), record_id("e1", 2), record_id("e2", 0)]

        assert ids == ["e1", "e1#2", "e1#3", "e2"]

    def test_two_stores_with_one_history_have_the_same_records(
        self, url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """EVT-06: replayed, every id is the same."""
        desks = (open_desk(url), open_desk("sqlite://"))

        for desk in desks:
            desk.sell("s1")
            desk.wake(TERM_END)

        records, orders = (
            {tuple(row.id for row in desk.store.records()) for desk in desks},
            {tuple(row.id for row in desk.store.orders()) for desk in desks},
        )
        assert (len(records), len(orders)) == (1, 1)


class TestActivityRecords:
    def test_a_record_has_all_that_a_record_needs(self, desk: "Desk") -> None:
        """EVT-06: what, when, whose, by whom, with which order, because of which event."""
        desk.sell("s1")
        desk.wake(TERM_END)

        record = desk.store.records()[-1]

        order = desk.store.orders()[-1]
        assert (record.kind, record.stage, record.fact) == (
            "renewal",
            "succeeded",
            "subscription-renewed",
        )
        assert (record.partner, record.customer, record.subscription) == (
            "contoso",
            "tailspin",
            "s1",
        )
        assert (record.effective_at, record.actor_kind) == (TERM_END, "timer")
        assert (record.order_id, order.transaction) == (order.id, "renew")
        assert record.event_id == desk.store.history("s1")[-1].event.id
        assert record.rules.split() == ["TRM-06", "TRM-08"]
        assert record.policy == desk.store.policy.version

    def test_a_move_from_another_channel_is_a_migration(self, desk: "Desk") -> None:
        """MAN-01, EVT-06: with source, channel, path and order."""
        desk.sell("s1", source=Source("ea-77", Channel.EA))

        (record,) = desk.store.records()

        (order,) = desk.store.orders()
        assert (record.kind, record.stage) == ("migration", "succeeded")
        assert (record.source_subscription, record.channel, record.path) == (
            "ea-77",
            "ea",
            "manual",
        )
        assert (record.actor_kind, record.actor_id) == ("user", "amy")
        assert record.order_id == order.id

    def test_a_refused_renewal_has_its_code_and_its_rule(self, desk: "Desk") -> None:
        """LEG-01, EVT-06: the record says why."""
        desk.sell("s1", datetime(2021, 7, 15, tzinfo=UTC), platform=Platform.LEGACY)

        desk.wake(datetime(2022, 7, 15, tzinfo=UTC))

        refused = next(row for row in desk.store.records() if row.fact == "renewal-refused")
        assert (refused.kind, refused.stage) == ("renewal", "failed")
        assert (refused.code, refused.rules) == ("LEGACY_RENEWAL_CLOSED", "LEG-01")
        assert refused.order_id is None

    def test_a_lapse_has_one_record_per_stage(self, desk: "Desk") -> None:
        """EVT-05, SUB-01: expired and grace at one instant are two records."""
        desk.sell("s1", autorenew=False)

        desk.wake(TERM_END + 120 * DAY)

        records = [
            (row.fact, row.outcome, row.effective_at - TERM_END) for row in desk.store.records()
        ]
        assert records == [
            ("subscription-expired", "lapsed", 0 * DAY),
            ("subscription-grace-started", "lapsed", 0 * DAY),
            ("subscription-disabled", "lapsed", 30 * DAY),
            ("subscription-deleted", "lapsed", 120 * DAY),
        ]

    def test_what_is_no_migration_and_no_renewal_has_no_record(self, desk: "Desk") -> None:
        """EVT-04: other facts go to the event log only."""
        desk.sell("s1")
        desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.do("rename", "s1", MID_TERM, Rename("HQ"))

        assert desk.store.records() == ()
        assert len(desk.store.history("s1")) == 4


class TestMigration:
    """LEG-15: the legacy subscription is closed, its new commerce twin goes on."""

    MIGRATED_AT = datetime(2022, 6, 1, 9, tzinfo=UTC)

    @pytest.fixture
    def migrated(self, desk: "Desk") -> "Desk":
        """A legacy subscription that has moved to new commerce."""
        desk.sell("old", datetime(2022, 1, 15, tzinfo=UTC), platform=Platform.LEGACY)
        ask = Request(into="new", customer="tailspin", subscription="old")
        asked = desk.event("request", "m1", self.MIGRATED_AT, ask)
        desk.clock.move(self.MIGRATED_AT)
        submit(desk.store, replace(asked, lifecycle="migration"))
        return desk

    def test_a_migration_is_told_at_its_beginning_and_at_its_end(self, migrated: "Desk") -> None:
        """8.2: both are migrations, whatever the platform calls them."""
        records = [
            (row.kind, row.stage, row.fact, row.subscription) for row in migrated.store.records()
        ]

        assert records == [
            ("migration", "progress", f"{MOVE}-created", "old"),
            ("migration", "succeeded", f"{MOVE}-completed", "old"),
        ]

    def test_a_completed_migration_has_exactly_one_new_order(self, migrated: "Desk") -> None:
        """8.2: `new`, once, for the twin."""
        orders = [
            (row.transaction, row.subscription)
            for row in migrated.store.orders()
            if row.effective_at == self.MIGRATED_AT
        ]

        assert orders == [("new", "new")]

    def test_a_completed_migration_names_its_order_and_the_new_subscription(
        self, migrated: "Desk"
    ) -> None:
        """EVT-06: the record leads to the order and to the twin."""
        record, order = migrated.store.records()[-1], migrated.store.orders()[-1]

        assert (record.new_subscription, record.order_id) == ("new", order.id)


class TestTransfer:
    def test_a_transfer_between_partners_is_a_migration_with_an_order(self, desk: "Desk") -> None:
        """8.2, TRM-29, TRM-30: recorded for the partner that takes over."""
        desk.sell("s1")
        _as(desk, "fabrikam", "request_transfer", RequestTransfer("fabrikam", True))
        _as(desk, "contoso", "accept_transfer")

        (record,) = desk.store.records()

        order = desk.store.orders()[-1]
        assert (record.kind, record.stage, record.fact) == (
            "migration",
            "succeeded",
            "transfer-completed",
        )
        assert (record.partner, record.order_id) == ("fabrikam", order.id)


class TestOrders:
    PRICE = Price(Decimal("10.00"), "EUR")

    def test_an_order_line_has_what_was_ordered(self, desk: "Desk") -> None:
        """EVT-09: sku, seats, plan, amount and currency."""
        desk.sell("s1", price=self.PRICE)

        (order,) = desk.store.orders()

        assert (order.transaction, order.status) == ("new", "completed")
        assert (order.sku, order.quantity, order.term, order.billing) == (
            "E3",
            30,
            "P1Y",
            "monthly",
        )
        assert (order.amount, order.currency) == (Decimal("300.00"), "EUR")
        assert (order.effective_at, order.event_id) == (SOLD_AT, "event-1")

    @pytest.mark.parametrize(
        ("request_", "transaction"),
        [
            pytest.param("add_seats", "addQuantity", id="added"),
            pytest.param("remove_seats", "removeQuantity", id="removed"),
        ],
    )
    def test_an_order_line_for_seats_counts_those_that_change(
        self, desk: "Desk", request_: str, transaction: str
    ) -> None:
        """EVT-09: the seats added or removed, not those there are."""
        desk.sell("s1")

        desk.do(request_, "s1", SOLD_AT + DAY, ChangeSeats(5))

        order = desk.store.orders()[-1]
        assert (order.transaction, order.quantity) == (transaction, 5)

    def test_an_order_line_for_a_cancellation_is_a_credit(self, desk: "Desk") -> None:
        """TRM-13: cancelled on the third day, three of October's 31 days are charged."""
        desk.sell("s1", price=self.PRICE)

        desk.do("cancel", "s1", datetime(2024, 10, 3, 12, tzinfo=UTC))

        order = desk.store.orders()[-1]
        assert (order.transaction, order.quantity, order.amount) == (
            "cancel",
            30,
            Decimal("-270.97"),
        )

    def test_an_unpriced_order_line_has_no_amount(self, desk: "Desk") -> None:
        """Nothing is invented where no price is known."""
        desk.sell("s1")

        (order,) = desk.store.orders()

        assert (order.amount, order.currency) == (None, None)

    def test_a_renewal_is_ordered_for_the_new_term(self, desk: "Desk") -> None:
        """8.2, TRM-08: at the term end, for all the seats."""
        desk.sell("s1", term=Term.P1M, price=self.PRICE)

        desk.wake(datetime(2024, 11, 1, tzinfo=UTC))

        order = desk.store.orders()[-1]
        assert (order.transaction, order.quantity, order.amount) == ("renew", 30, Decimal(300))
        assert order.effective_at.date() == date(2024, 11, 1)

    def test_a_part_split_off_is_ordered_once(self, desk: "Desk") -> None:
        """8.2, TRM-34: an upgrade is one `convert`, not a purchase too."""
        desk.sell("s1")
        desk.do("upgrade", "s1", MID_TERM, Upgrade(Product("E5", rank=5), 10, "s2"))

        assert [row.transaction for row in desk.store.orders()] == ["new", "convert"]


def _as(desk: "Desk", partner: str, request: str, data: Payload = EMPTY) -> Outcome:
    """Submit a request as an admin agent of a partner."""
    desk.clock.move(MID_TERM)
    agent = Actor(ActorKind.USER, "agent", Role.ADMIN_AGENT, partner)
    return submit(desk.store, Event(f"{request}-1", request, "s1", MID_TERM, agent, data))
