"""Migrations and schedules: what waits or runs is taken on, what is over stays over (LEG)."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.lifecycle.migration.model import Migration
from tests.events.inbound.conftest import SUBSCRIPTION, Bring

if TYPE_CHECKING:
    from tests.events.conftest import Desk

AT = datetime(2022, 12, 1, 8, tzinfo=UTC)
LATER = AT + timedelta(days=3)
LEGACY: dict[str, Any] = {
    **SUBSCRIPTION,
    "id": "7e3b9a61-4444-4f0f-8a11-90aa12bb34cc",
    "offerId": "195416c1-3447-423a-b37b-ee59a99a19c4",
    "productType": {"id": "OnlineServices"},
    "creationDate": "2022-01-05T10:00:00Z",
    "effectiveStartDate": "2022-01-05T00:00:00Z",
    "commitmentEndDate": "2023-01-04T00:00:00Z",
    "cancellationAllowedUntilDate": None,
    "partnerId": "",
}
OLD, NEW = LEGACY["id"], "b81d4c55-5555-4e2b-a3a3-77cc88dd99ee"
MOVE = "0c9a4e52-7d1f-4a9b-8c33-5b7e2f1d9a44"
SCHEDULE: dict[str, Any] = {
    "id": "3d2c1b0a-6666-4b7d-9e9e-1234567890ab",
    "currentSubscriptionId": OLD.upper(),
    "status": "Created",
    "customerTenantId": "tailspin",
    "quantity": 12,
    "termDuration": "P1Y",
    "billingCycle": "Monthly",
    "purchaseFullTerm": True,
    "migrateOnRenewal": False,
    "targetDate": "2022-12-10T00:00:00Z",
    "createdTime": "2022-11-20T08:00:00Z",
    "lastModifiedTime": "2022-11-20T08:00:00Z",
}
MIGRATION: dict[str, Any] = {
    "id": MOVE,
    "startedTime": "2022-12-02T00:00:05Z",
    "completedTime": "2022-12-02T00:09:41Z",
    "currentSubscriptionId": OLD,
    "status": "Completed",
    "customerTenantId": "tailspin",
    "catalogItemId": "CFQ7TTC0AAAA:0001:CFQ7TTC0BBBB",
    "newCommerceSubscriptionId": NEW,
    "newCommerceOrderId": "0f1e2d3c4b5a",
    "quantity": 12,
    "termDuration": "P1Y",
    "billingCycle": "Monthly",
    "purchaseFullTerm": True,
    "addOnMigrations": [],
}


def held(desk: "Desk", name: str) -> Migration:
    """Return a migration that exists."""
    found = desk.store.get(name)
    assert isinstance(found, Migration)
    return found


@pytest.fixture
def reported(desk: "Desk") -> "Desk":
    """The desk with a policy by which Microsoft reports what is done."""
    policy = desk.store.policy.choosing({"processing": "reported"})
    desk.store = desk.store.of("default", policy=policy)
    return desk


class TestSchedule:
    def test_what_waits_goes_on_waiting_here(self, desk: "Desk", bring: Bring) -> None:
        """LEG-21: from the take-over on, and begins at its target."""
        brought = bring(desk, SCHEDULE, LEGACY, at=AT)

        waits = held(desk, SCHEDULE["id"])
        assert brought.events == ["adopt", "schedule"]
        assert (waits.state, waits.changed_at, waits.target_at) == (
            "scheduled",
            AT,
            datetime(2022, 12, 10, tzinfo=UTC),
        )
        desk.wake(datetime(2022, 12, 10, tzinfo=UTC))
        twin = desk.subscription(f"{OLD}-nce")
        assert (twin.quantity, twin.migrated_from) == (12, OLD)

    def test_again_it_changes_nothing(self, desk: "Desk", bring: Bring) -> None:
        """The same row, or a later export of it."""
        bring(desk, SCHEDULE, LEGACY, at=AT)
        before = desk.rows()

        brought = bring(desk, SCHEDULE, at=LATER)
        newer = bring(desk, {**SCHEDULE, "externalReferenceId": "batch"}, at=LATER)

        assert (brought.fates, newer.fates) == (["unchanged"], ["unchanged"])
        assert desk.rows() == before

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"quantity": 9}, "quantity is 9 in the row, 12 stored"),
            ({"targetDate": "2022-12-11T00:00:00Z"}, "targetDate is 2022-12-11T00:00:00Z in"),
            ({"status": "Processing"}, "it is processing in the row, scheduled stored"),
        ],
    )
    def test_another_plan_differs(
        self, desk: "Desk", bring: Bring, changes: dict[str, Any], told: str
    ) -> None:
        """What is stored stays."""
        bring(desk, SCHEDULE, LEGACY, at=AT)
        before = desk.rows()

        brought = bring(desk, {**SCHEDULE, **changes}, at=LATER)

        assert (brought.fates, told in brought.said) == (["differs"], True), brought.said
        assert desk.rows() == before

    def test_a_cancelled_one_is_cancelled_here_too(self, desk: "Desk", bring: Bring) -> None:
        """LEG-21: at the instant it was; the subscription is free again."""
        bring(desk, SCHEDULE, LEGACY, at=AT)
        gone = {**SCHEDULE, "status": "Cancelled", "lastModifiedTime": "2022-12-03T09:00:00Z"}

        brought = bring(desk, gone, at=LATER)

        assert brought.events == ["cancel"]
        assert held(desk, SCHEDULE["id"]).finished_at == datetime(2022, 12, 3, 9, tzinfo=UTC)
        assert desk.subscription(OLD).move is None

    @pytest.mark.parametrize(
        ("rows", "fate", "told"),
        [
            ([SCHEDULE], "unmapped", f"the legacy subscription {OLD} is not stored"),
            ([LEGACY, {**SCHEDULE, "status": "Cancelled"}], "unchanged", "it is cancelled"),
            ([LEGACY, {**SCHEDULE, "targetDate": None}], "unmapped", "targetDate: is missing"),
            ([LEGACY, {**SCHEDULE, "quantity": "x"}], "unmapped", "quantity: 'x' is no count"),
            ([LEGACY, {**SCHEDULE, "status": "Lost"}], "unmapped", 'status "Lost" is not known'),
            ([LEGACY, {**SCHEDULE, "id": None}], "unmapped", "id is missing"),
            ([LEGACY, {**SCHEDULE, "customerTenantId": "x"}], "differs", "the customer is x"),
            (
                [LEGACY, {**SCHEDULE, "targetDate": "2022-11-30T00:00:00Z"}],
                "refused",
                "TARGET_PASSED",
            ),
        ],
        ids=["no legacy", "gone", "no target", "seats", "status", "id", "customer", "passed"],
    )
    def test_what_cannot_wait_here_is_told(
        self, desk: "Desk", bring: Bring, rows: list[Any], fate: str, told: str
    ) -> None:
        """With the reason; the legacy subscription stays free."""
        brought = bring(desk, *rows, at=AT)

        assert (brought.fates[-1], told in brought.said) == (fate, True), brought.said
        assert desk.store.get(SCHEDULE["id"]) is None


class TestMigration:
    @pytest.mark.parametrize("processing", ["simulated", "reported"])
    def test_one_that_was_done_since_is_done_here_once(
        self, desk: "Desk", bring: Bring, processing: str
    ) -> None:
        """LEG-15, LEG-16: under the ids and at the instants of Partner Center."""
        policy = desk.store.policy.choosing({"processing": processing})
        desk.store = desk.store.of("default", policy=policy)
        bring(desk, LEGACY, at=AT)

        first = bring(desk, MIGRATION, at=LATER)
        before = desk.rows()
        again = bring(desk, MIGRATION, at=LATER)

        asked = ["request"] if processing == "simulated" else ["request", "complete"]
        assert (first.events, again.fates) == (asked, ["unchanged"])
        assert desk.subscription(OLD).state == "deleted"
        assert desk.subscription(NEW).migrated_from == OLD
        assert [each.transaction for each in desk.store.orders()] == ["new"]
        stages = [(each.kind, each.stage) for each in desk.store.records()]
        assert stages == [("migration", "progress"), ("migration", "succeeded")]
        assert desk.rows() == before

    def test_its_new_subscription_is_not_taken_over_beside_it(
        self, reported: "Desk", bring: Bring
    ) -> None:
        """The export of the same night names it and reports it active; it exists once."""
        bring(reported, LEGACY, at=AT)
        new = {
            **SUBSCRIPTION,
            "id": NEW,
            "migratedFromSubscriptionId": OLD,
            "offerId": MIGRATION["catalogItemId"],
            "quantity": 12,
            "creationDate": "2022-12-02T00:09:41Z",
            "effectiveStartDate": "2022-12-02T00:00:00Z",
            "commitmentEndDate": "2023-12-01T00:00:00Z",
            "friendlyName": "HQ E3",
            "partnerId": "",
        }

        brought = bring(reported, new, MIGRATION, at=LATER)

        assert brought.events == ["request", "complete", "provision"]
        assert (brought.fates, brought.subjects) == (["imported", "imported"], [MOVE, NEW])

    def test_one_that_was_done_before_is_history(self, desk: "Desk", bring: Bring) -> None:
        """What was taken over is what came of it."""
        bring(desk, LEGACY, at=LATER)

        brought = bring(desk, MIGRATION, at=LATER)

        assert brought.fates == ["unchanged"]
        assert f"it was completed before {OLD} was taken over" in brought.said
        assert desk.store.get(MOVE) is None

    def test_one_whose_result_is_stored_needs_no_legacy(self, desk: "Desk", bring: Bring) -> None:
        """A team moves in long after its migrations."""
        bring(desk, {**SUBSCRIPTION, "id": NEW})

        assert bring(desk, MIGRATION).said == f"what it led to, {NEW}, is stored"

    @pytest.mark.parametrize(
        ("status", "events", "state"),
        [("Completed", ["complete"], "completed"), ("Failed", ["fail"], "failed")],
    )
    def test_what_runs_is_reported_on_by_the_next_export(
        self, reported: "Desk", bring: Bring, status: str, events: list[str], state: str
    ) -> None:
        """LEG-16, LEG-17: night by night."""
        runs = {**MIGRATION, "status": "Processing", "completedTime": None}
        bring(reported, LEGACY, at=AT)

        begun = bring(reported, runs, at=LATER)
        ended = bring(reported, {**MIGRATION, "status": status}, at=LATER)

        assert (begun.events, ended.events) == (["request"], events)
        assert held(reported, MOVE).state == state
        assert held(reported, MOVE).finished_at == datetime(2022, 12, 2, 0, 9, 41, tzinfo=UTC)

    def test_a_scheduled_one_is_found_by_its_subscription(
        self, reported: "Desk", bring: Bring
    ) -> None:
        """The migration that a schedule begins has an id of its own in Partner Center."""
        bring(reported, SCHEDULE, LEGACY, at=AT)
        done = {
            **MIGRATION,
            "newCommerceSubscriptionId": None,
            "startedTime": "2022-12-10T00:00:00Z",
            "completedTime": "2022-12-10T00:20:00Z",
        }

        brought = bring(reported, done, at=datetime(2022, 12, 11, tzinfo=UTC))

        assert (brought.events, brought.subjects) == (["complete"], [SCHEDULE["id"]])
        assert reported.store.get(MOVE) is None

    def test_a_bundle_is_taken_on_with_its_add_ons(self, reported: "Desk", bring: Bring) -> None:
        """LEG-19."""
        add_on = {**LEGACY, "id": "add-on", "parentSubscriptionId": OLD}
        runs = {
            **MIGRATION,
            "status": "Processing",
            "addOnMigrations": [{"currentSubscriptionId": "ADD-ON", "quantity": 3}],
        }
        bring(reported, LEGACY, add_on, at=AT)

        brought = bring(reported, runs, at=LATER)

        parts = [(part.subscription, part.into) for part in held(reported, MOVE).parts]
        assert brought.fates == ["imported"]
        assert parts == [(OLD, NEW), ("add-on", "add-on-nce")]

    def test_a_rule_may_refuse_it(self, desk: "Desk", bring: Bring) -> None:
        """LEG-18: what is on new commerce does not migrate; nothing is written."""
        bring(desk, {**LEGACY, "productType": {"id": "OnlineServicesNCE"}}, at=AT)
        before = desk.rows()

        brought = bring(desk, MIGRATION, at=LATER)

        assert "request: MIGRATION_INELIGIBLE (LEG-18)" in brought.said
        assert desk.rows() == before
