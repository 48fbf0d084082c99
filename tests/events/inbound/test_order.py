"""Order lines: a new one is a subscription, a change is asked for once, history stays history."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.lifecycle.subscription.model import ChangeSeats
from tests.events.inbound.conftest import AT, ID, SUBSCRIPTION, Bring

if TYPE_CHECKING:
    from tests.events.conftest import Desk

LATER = AT + timedelta(days=1)
LINE: dict[str, Any] = {
    "lineItemNumber": 0,
    "offerId": "CFQ7TTC0XYZ1:0002:CFQ7TTC0XYZ2",
    "subscriptionId": ID,
    "friendlyName": "HQ E3",
    "quantity": 30,
    "termDuration": "P1Y",
    "transactionType": "New",
    "partnerIdOnRecord": "6098765",
}


def order(
    transaction: str = "new",
    quantity: int = 30,
    at: str = "2024-10-01T02:35:00Z",
    **more: Any,
) -> dict[str, Any]:
    """Return an order of one line."""
    line = {**LINE, "transactionType": transaction, "quantity": quantity}
    return {
        "id": f"order-{transaction}-{at}",
        "referenceCustomerId": "tailspin",
        "creationDate": at,
        "billingCycle": "monthly",
        "status": "completed",
        "lineItems": [line],
        **more,
    }


class TestNew:
    def test_it_takes_the_subscription_over_as_it_was_ordered(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """TRM-03, TRM-09, TRM-16: within its first term, with both windows of the order."""
        brought = bring(desk, order())

        held = desk.subscription(ID)
        assert (brought.fates, brought.events) == (["imported"], ["adopt"])
        assert (held.state, held.quantity, held.autorenew, held.por) == (
            "active",
            30,
            True,
            "6098765",
        )
        assert held.changed_at == held.window_opened_at == datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
        assert held.ends_on.isoformat() == "2025-09-30"
        assert desk.store.orders() == ()

    def test_it_changes_nothing_where_the_subscription_is_stored(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """The resource says more than its order, and comes first, wherever it stands."""
        brought = bring(desk, order(), SUBSCRIPTION)

        assert brought.fates == ["imported", "unchanged"]
        assert [each.row.shape.value for each in brought.told] == ["subscription", "order"]
        assert desk.subscription(ID).version == 1

    def test_a_term_that_is_over_is_not_gone_on_with(self, desk: "Desk", bring: Bring) -> None:
        """Whether it was renewed, the order does not say; no renewal is made up."""
        brought = bring(desk, order(at="2023-10-01T02:35:00Z"))

        assert brought.fates == ["unmapped"]
        assert "its first term has ended on 2024-09-30" in brought.said
        assert desk.store.is_empty()

    def test_a_custom_end_is_kept(self, desk: "Desk", bring: Bring) -> None:
        """TRM-22."""
        asked = order()
        asked["lineItems"][0]["customTermEndDate"] = "2025-03-31T00:00:00Z"

        bring(desk, asked)

        assert desk.subscription(ID).ends_on.isoformat() == "2025-03-31"


class TestChange:
    def test_what_happened_after_the_take_over_is_asked_for_once(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """EVT-09: with its own instant; the second import changes nothing."""
        bring(desk, SUBSCRIPTION)
        more = order("addQuantity", 5, at="2024-12-05T20:00:00Z")

        first = bring(desk, more, at=LATER)
        before = desk.rows()
        again = bring(desk, more, at=LATER)

        assert (first.events, again.fates) == (["add_seats"], ["unchanged"])
        assert desk.subscription(ID).quantity == 35
        assert desk.subscription(ID).changed_at == datetime(2024, 12, 5, 20, tzinfo=UTC)
        assert [each.transaction for each in desk.store.orders()] == ["addQuantity"]
        assert desk.rows() == before

    def test_what_happened_before_is_in_what_was_taken_over(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """Seats are not added a second time."""
        bring(desk, SUBSCRIPTION)

        brought = bring(desk, order("addQuantity", 5, at="2024-11-01T00:00:00Z"))

        assert brought.fates == ["unchanged"]
        assert "it is in what was taken over at 2024-12-05T08:00:00Z" in brought.said
        assert desk.subscription(ID).quantity == 30

    def test_what_was_asked_for_here_is_not_done_again(self, desk: "Desk", bring: Bring) -> None:
        """Its order comes back in the export, a moment later than it was asked for."""
        bring(desk, SUBSCRIPTION)
        desk.do("add_seats", ID, AT + timedelta(hours=1), ChangeSeats(5))

        brought = bring(desk, order("addQuantity", 5, at="2024-12-05T09:03:00Z"), at=LATER)

        assert brought.fates == ["unchanged"]
        assert "the engine has recorded it as order event-1" in brought.said
        assert desk.subscription(ID).quantity == 35

    def test_two_equal_orders_of_one_day_are_two(self, desk: "Desk", bring: Bring) -> None:
        """An imported order is no sign that the next one was imported too."""
        bring(desk, SUBSCRIPTION)
        first, second = (
            order("addQuantity", 5, at=f"2024-12-05T{hour}:00:00Z") for hour in (10, 11)
        )

        assert bring(desk, first, second, at=LATER).fates == ["imported", "imported"]
        assert desk.subscription(ID).quantity == 40

    def test_all_changes_since_the_order_are_gone_through(self, desk: "Desk", bring: Bring) -> None:
        """GEN-08: in the order of their instants, wherever they stand in the file."""
        fewer = order("removeQuantity", 2, at="2024-10-05T00:00:00Z")
        more = order("addQuantity", 4, at="2024-10-03T00:00:00Z")

        brought = bring(desk, fewer, more, order())

        assert brought.events == ["adopt", "add_seats", "remove_seats"]
        assert desk.subscription(ID).quantity == 32

    def test_a_rule_may_refuse_and_nothing_is_written(self, desk: "Desk", bring: Bring) -> None:
        """TRM-12: so that the row can be imported once it has become possible."""
        bring(desk, SUBSCRIPTION)
        before = desk.rows()

        brought = bring(desk, order("cancel", at="2024-12-05T20:00:00Z"), at=LATER)

        assert brought.fates == ["refused"]
        assert "cancel: CANCEL_WINDOW_CLOSED (TRM-12)" in brought.said
        assert desk.rows() == before

    @pytest.mark.parametrize(
        ("row", "fate", "told"),
        [
            (order("addQuantity", 5), "unmapped", "a subscription that is not stored"),
            (order(status="pending"), "unmapped", "the order is pending"),
            (order(status="cancelled"), "unchanged", "nothing came of it"),
            (order(creationDate="soon"), "unmapped", 'creationDate: "soon" is no instant'),
            (order(creationDate=None), "unmapped", "creationDate is missing"),
            (order(lineItems=[{"transactionType": "new"}]), "unmapped", "names no subscription"),
            (order(lineItems=[5]), "unmapped", "names no subscription"),
            (order(lineItems=[]), "unmapped", "names no subscription"),
            (order(billingCycle="weekly"), "unmapped", 'billingCycle: "weekly" is not known'),
            (order(at="2024-12-05T08:00:01Z"), "unmapped", "what has not happened"),
        ],
        ids=lambda each: str(each)[:30],
    )
    def test_what_nothing_can_be_made_of_is_told(
        self, desk: "Desk", bring: Bring, row: dict[str, Any], fate: str, told: str
    ) -> None:
        """Row by row, with the reason."""
        brought = bring(desk, row)

        assert (brought.fates, told in brought.said) == ([fate], True), brought.said
        assert desk.store.is_empty()

    def test_a_conversion_does_not_say_into_what(self, desk: "Desk", bring: Bring) -> None:
        """Nor does a credit."""
        bring(desk, SUBSCRIPTION)

        brought = bring(desk, order("convert", at="2024-12-05T20:00:00Z"), at=LATER)

        assert '"convert" does not say what changed' in brought.said

    def test_the_lines_of_an_order_are_told_one_by_one(self, desk: "Desk", bring: Bring) -> None:
        """Each with its number."""
        both = [LINE, {**LINE, "subscriptionId": "second"}]

        brought = bring(desk, order(lineItems=both))

        assert [each.row.item for each in brought.told] == [1, 2]
        assert brought.subjects == [ID, "second"]
