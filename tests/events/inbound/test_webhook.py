"""Webhook bodies and migration events: what they report is taken in, what they hide is told."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.events.inbound.conftest import AT, ID, SUBSCRIPTION, Bring
from tests.events.inbound.test_audit import webhook
from tests.events.inbound.test_migration import LEGACY, MIGRATION, MOVE, OLD, held
from tests.events.inbound.test_migration import reported as reported  # noqa: PLC0414 – a fixture

if TYPE_CHECKING:
    from tests.events.conftest import Desk

API = "https://api.partnercenter.microsoft.com"
UPDATED = f"{API}/webhooks/v1/customers/tailspin/subscriptions/{ID.upper()}"
MIGRATED = f"{API}/v1/customers/tailspin/migrations/newcommerce/{MOVE}"
LEGACY_AT = datetime(2022, 12, 1, 8, tzinfo=UTC)
NIGHT = datetime(2022, 12, 4, tzinfo=UTC)


class TestSubscription:
    def test_a_change_since_then_is_told_for_want_of_its_content(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """EVT-12: the body says that something has changed, not what."""
        bring(desk, SUBSCRIPTION)
        row = webhook("subscription-updated", UPDATED, at="2024-12-05T20:00:00Z")

        brought = bring(desk, row, at=AT + timedelta(days=1))

        assert (brought.fates, brought.subjects) == (["unmapped"], [ID])
        assert "has changed at 2024-12-05T20:00:00Z, not how" in brought.said

    def test_a_change_that_is_in_what_is_stored_changes_nothing(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """It was taken over later than the change."""
        bring(desk, SUBSCRIPTION)

        brought = bring(desk, webhook("subscription-updated", UPDATED))

        assert brought.fates == ["unchanged"]

    def test_one_that_is_not_stored_is_named(self, desk: "Desk", bring: Bring) -> None:
        """With what to do."""
        brought = bring(desk, webhook("subscription-updated", UPDATED))

        assert f"{ID} has changed, not how, and it is not stored" in brought.said


class TestMigration:
    @pytest.fixture
    def runs(self, reported: "Desk", bring: Bring) -> "Desk":
        """A migration that runs."""
        bring(reported, LEGACY, at=LEGACY_AT)
        row = {**MIGRATION, "status": "Processing", "completedTime": None}
        assert bring(reported, row, at=NIGHT).events == ["request"]
        return reported

    @pytest.mark.parametrize(
        ("row", "events", "state"),
        [
            (
                webhook("new-commerce-migration-completed", MIGRATED, "2022-12-02T03:00:00Z"),
                ["complete"],
                "completed",
            ),
            (
                webhook("new-commerce-migration-failed", MIGRATED, "2022-12-02T03:00:00Z"),
                ["fail"],
                "failed",
            ),
            (
                {
                    "id": "e4",
                    "newCommerceMigrationId": MOVE.upper(),
                    "currentSubscriptionId": OLD,
                    "createdTime": "2022-12-02T03:00:00Z",
                    "eventName": "MigrationCompleted",
                },
                ["complete"],
                "completed",
            ),
        ],
        ids=["completed", "failed", "migration event"],
    )
    def test_it_reports_how_far_a_stored_migration_has_come(
        self, runs: "Desk", bring: Bring, row: dict[str, Any], events: list[str], state: str
    ) -> None:
        """LEG-16, LEG-25: at the instant it says, once."""
        first = bring(runs, row, at=NIGHT)
        before = runs.rows()
        again = bring(runs, row, at=NIGHT)

        assert (first.events, again.fates) == (events, ["unchanged"])
        assert held(runs, MOVE).state == state
        assert held(runs, MOVE).finished_at == datetime(2022, 12, 2, 3, tzinfo=UTC)
        assert runs.rows() == before

    def test_a_step_on_the_way_changes_nothing(self, runs: "Desk", bring: Bring) -> None:
        """It has begun here too."""
        row = webhook("new-commerce-migration-created", MIGRATED, at="2022-12-02T00:00:05Z")

        assert bring(runs, row, at=NIGHT).said == "it is stored as processing"

    def test_one_that_is_not_stored_is_named(self, desk: "Desk", bring: Bring) -> None:
        """LEG-16: it needs its resource first."""
        brought = bring(desk, webhook("new-commerce-migration-completed", MIGRATED))

        assert f"names migration {MOVE}, which is not stored" in brought.said


@pytest.mark.parametrize("name", ["invoice-ready", "test-created", "azure-fraud-event-detected"])
def test_what_is_about_no_subject_is_told(desk: "Desk", bring: Bring, name: str) -> None:
    """EVT-11: never dropped in silence."""
    brought = bring(desk, webhook(name, f"{API}/invoices/1"))

    assert (brought.fates, brought.said) == (
        ["unmapped"],
        f"{name} is about no subject of the engine",
    )
