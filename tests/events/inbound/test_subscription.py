"""Subscription resources: taken over once, then compared and never overwritten."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.lifecycle.subscription.model import ChangeSeats, Rename, Suspend
from tests.events.inbound.conftest import AT, ID, SUBSCRIPTION, Bring

if TYPE_CHECKING:
    from tests.events.conftest import Desk

LATER = AT + timedelta(days=1)


class TestTakingOver:
    def test_a_new_one_is_a_subject_in_the_state_its_resource_shows(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """GEN-02: and its next timer is its term end."""
        brought = bring(desk, SUBSCRIPTION)

        held = desk.subscription(ID)
        assert (brought.fates, brought.events, brought.subjects) == (["imported"], ["adopt"], [ID])
        assert (held.state, held.quantity, held.customer, held.partner) == (
            "active",
            30,
            "tailspin",
            "contoso",
        )
        assert desk.store.next_due() == datetime(2025, 10, 1, tzinfo=UTC)

    def test_nothing_new_is_ordered_or_told_by_that(self, desk: "Desk", bring: Bring) -> None:
        """EVT-05: Partner Center has recorded the order already."""
        bring(desk, SUBSCRIPTION)

        assert (desk.store.orders(), desk.store.records()) == ((), ())

    def test_the_link_says_whose_it_is(self, desk: "Desk", bring: Bring) -> None:
        """Before the customer given for rows that name none; GUIDs come in either case."""
        tenant = "5D0C8F3E-1111-4A52-8E7A-0B9F6C2D1E00"
        uri = f"/customers/{tenant}/subscriptions/{ID}"

        bring(desk, {**SUBSCRIPTION, "links": {"self": {"uri": uri}}})

        assert desk.subscription(ID).customer == tenant.lower()

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"customer": None}, "names no customer tenant; give --customer"),
            ({"partner": None}, "names no partner tenant that transacts; give --partner"),
        ],
    )
    def test_without_customer_or_partner_there_is_no_subject(
        self, desk: "Desk", bring: Bring, given: dict[str, None], told: str
    ) -> None:
        """The resource carries neither; nothing is guessed."""
        brought = bring(desk, SUBSCRIPTION, **given)

        assert (brought.fates, brought.said) == (["unmapped"], told)
        assert desk.store.get(ID) is None

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"id": ""}, "id: is missing"),
            ({"status": "sleeping"}, 'status: "sleeping" is not known'),
            ({"quantity": 0}, "quantity: 0 is no count of seats"),
            ({"commitmentEndDate": "2024-09-30T00:00:00Z"}, "is before the term starts"),
            ({"commitmentEndDate": "9999-12-31T00:00:00Z"}, "beyond the calendar"),
            ({"refundableQuantity": {"details": [1]}}, "refundableQuantity.details.0: 1 is no"),
            ({"suspensionReasons": 5}, "suspensionReasons: 5 is no list"),
        ],
    )
    def test_what_cannot_be_is_told_field_by_field(
        self, desk: "Desk", bring: Bring, changes: dict[str, Any], told: str
    ) -> None:
        """And nothing is stored."""
        brought = bring(desk, {**SUBSCRIPTION, **changes})

        assert brought.fates == ["unmapped"]
        assert told in brought.said
        assert desk.store.is_empty()

    @pytest.mark.parametrize(
        ("changes", "at", "fate"),
        [
            ({}, datetime(2025, 10, 2, tzinfo=UTC), "imported"),
            ({}, datetime(2025, 10, 2, 0, 0, 1, tzinfo=UTC), "unmapped"),
            ({"status": "expired"}, datetime(2025, 11, 1, tzinfo=UTC), "imported"),
            ({"status": "expired"}, datetime(2025, 11, 2, tzinfo=UTC), "unmapped"),
            ({"status": "disabled"}, datetime(2026, 1, 30, tzinfo=UTC), "imported"),
            ({"status": "disabled"}, datetime(2026, 2, 1, tzinfo=UTC), "unmapped"),
            ({"status": "deleted"}, datetime(2027, 1, 1, tzinfo=UTC), "imported"),
        ],
    )
    def test_an_export_older_than_it_is_said_to_be_is_not_gone_on_with(
        self, desk: "Desk", bring: Bring, changes: dict[str, Any], at: datetime, fate: str
    ) -> None:
        """TRM-06: a renewal may take until a day after the term end, no longer."""
        brought = bring(desk, {**SUBSCRIPTION, **changes}, at=at)

        assert brought.fates == [fate], brought.said


class TestComparing:
    def test_the_same_row_again_changes_nothing(self, desk: "Desk", bring: Bring) -> None:
        """Even a day later, and after something has happened to it here."""
        bring(desk, SUBSCRIPTION)
        desk.do("suspend", ID, AT + timedelta(hours=1), Suspend(("fraud",)))
        before = desk.rows()

        brought = bring(desk, SUBSCRIPTION, at=LATER)

        assert brought.fates == ["unchanged"]
        assert "imported already" in brought.said
        assert desk.rows() == before

    def test_a_newer_export_that_agrees_changes_nothing(self, desk: "Desk", bring: Bring) -> None:
        """What was asked for here is found in the export of the next night."""
        bring(desk, SUBSCRIPTION)
        desk.do("add_seats", ID, AT + timedelta(hours=1), ChangeSeats(5))
        desk.do("rename", ID, AT + timedelta(hours=2), Rename("Branch"))
        before = desk.rows()
        newer = {**SUBSCRIPTION, "quantity": 35, "friendlyName": "Branch"}

        brought = bring(desk, newer, at=LATER)

        assert (brought.fates, brought.said) == (["unchanged"], "what is stored says the same")
        assert desk.rows() == before

    def test_a_newer_export_of_a_renewed_one_agrees_with_the_calendar(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """TRM-06: it is compared as it stands at the export, though nobody has settled."""
        bring(desk, SUBSCRIPTION)
        newer = {
            **SUBSCRIPTION,
            "effectiveStartDate": "2025-10-01T00:00:00Z",
            "commitmentEndDate": "2026-09-30T00:00:00Z",
            "cancellationAllowedUntilDate": None,
        }

        brought = bring(desk, newer, at=datetime(2025, 11, 1, tzinfo=UTC))

        assert brought.fates == ["unchanged"]

    def test_it_is_the_report_that_a_renewal_waits_for(self, desk: "Desk", bring: Bring) -> None:
        """TRM-06: where Microsoft reports what is done; what else differs is told."""
        desk.store = desk.store.of(
            "default", policy=desk.store.policy.choosing({"processing": "reported"})
        )
        bring(desk, SUBSCRIPTION)
        renewed = {
            **SUBSCRIPTION,
            "quantity": 31,
            "effectiveStartDate": "2025-10-01T00:00:00Z",
            "commitmentEndDate": "2026-09-30T00:00:00Z",
            "cancellationAllowedUntilDate": None,
        }
        at = datetime(2025, 10, 1, 7, tzinfo=UTC)

        brought = bring(desk, renewed, at=at)
        before = desk.rows()
        again = bring(desk, renewed, at=at)

        assert (brought.events, brought.fates) == (["complete_renewal"], ["differs"])
        assert "quantity is 31 in the row, 30 stored" in brought.said
        assert desk.subscription(ID).ends_on.isoformat() == "2026-09-30"
        assert [each.transaction for each in desk.store.orders()] == ["renew"]
        assert (again.events, desk.rows()) == ([], before)

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"quantity": 35}, "quantity is 35 in the row, 30 stored"),
            ({"autoRenewEnabled": False}, "autoRenewEnabled is false in the row, true stored"),
            ({"status": "suspended"}, 'status is "suspended" in the row, "active" stored'),
            ({"status": "deleted"}, 'status is "deleted" in the row, "active" stored'),
            ({"partnerId": "1"}, 'partnerId is "1" in the row, "6098765" stored'),
            ({"billingCycle": "annual"}, 'billingCycle is "annual" in the row, "monthly" stored'),
        ],
    )
    def test_what_differs_is_told_and_stays_as_it_is_stored(
        self, desk: "Desk", bring: Bring, changes: dict[str, Any], told: str
    ) -> None:
        """No row overwrites a history in silence."""
        bring(desk, SUBSCRIPTION)
        before = desk.rows()

        brought = bring(desk, {**SUBSCRIPTION, **changes}, at=LATER)

        assert brought.fates == ["differs"]
        assert f"differs from what is stored: {told}" in brought.said
        assert desk.rows() == before

    def test_a_field_that_the_row_lacks_is_not_compared(self, desk: "Desk", bring: Bring) -> None:
        """A CSV has fewer of them."""
        bring(desk, SUBSCRIPTION)
        fewer = {k: v for k, v in SUBSCRIPTION.items() if k not in {"friendlyName", "partnerId"}}

        assert bring(desk, fewer, at=LATER).fates == ["unchanged"]

    def test_an_export_older_than_the_latest_change_says_so(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """The export was on its way while somebody changed the seats here."""
        bring(desk, SUBSCRIPTION)
        desk.do("add_seats", ID, LATER, ChangeSeats(5))

        brought = bring(desk, {**SUBSCRIPTION, "orderId": "x"}, at=AT + timedelta(hours=1))

        assert brought.fates == ["differs"]
        assert "quantity is 30 in the row, 35 stored" in brought.said
        assert "has changed at 2024-12-06T08:00:00Z, after the export" in brought.said

    def test_another_customers_subscription_differs(self, desk: "Desk", bring: Bring) -> None:
        """A subscription does not move from one tenant to another (GEN-16)."""
        bring(desk, SUBSCRIPTION)

        brought = bring(desk, {**SUBSCRIPTION, "customerId": "northwind"}, at=LATER)

        assert "the customer is northwind in the row, tailspin stored" in brought.said

    def test_one_that_is_over_is_compared_by_its_status_alone(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """SUB-09: canceled here is deleted there; the rest says nothing any more."""
        window = "2024-12-12T02:35:00Z"
        fresh = {**SUBSCRIPTION, "cancellationAllowedUntilDate": window}
        bring(desk, fresh)
        desk.do("cancel", ID, AT + timedelta(hours=1))

        over = {**fresh, "status": "deleted", "quantity": 1}
        brought = bring(desk, over, at=LATER)

        assert brought.fates == ["unchanged"]
