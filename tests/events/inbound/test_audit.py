"""Audit records: a change is followed where what is stored stands as it did before it (EVT-08)."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import submit
from sublife.lifecycle.customer.model import Customer, Register, RequestRelationship, WithPartner
from sublife.lifecycle.model import Actor, ActorKind, Event, Role
from sublife.lifecycle.subscription.model import ChangeSeats
from tests.events.inbound.conftest import AT, ID, SUBSCRIPTION, Bring

if TYPE_CHECKING:
    from tests.events.conftest import Desk

LATER = AT + timedelta(days=1)
CHANGED_AT = "2024-12-05T20:00:00Z"


def record(
    old: dict[str, Any] | None, new: dict[str, Any] | None, at: str = CHANGED_AT, **more: Any
) -> dict[str, Any]:
    """Return the record of an update; the values are JSON in texts."""
    return {
        "customerId": "tailspin",
        "userPrincipalName": "amy@contoso.example",
        "resourceType": "subscription",
        "resourceOldValue": json.dumps(old) if old else None,
        "resourceNewValue": json.dumps(new) if new else None,
        "operationType": "update_subscription",
        "operationDate": at,
        "operationStatus": "succeeded",
        "attributes": {"objectType": "AuditRecord"},
        **more,
    }


def changed(**changes: Any) -> dict[str, Any]:
    """Return the record of an update of the subscription."""
    return record(SUBSCRIPTION, {**SUBSCRIPTION, **changes})


class TestUpdate:
    @pytest.mark.parametrize(
        ("changes", "events"),
        [
            ({"quantity": 35}, ["add_seats"]),
            ({"autoRenewEnabled": False}, ["turn_autorenew_off"]),
            ({"friendlyName": "Branch"}, ["rename"]),
            ({"partnerId": "4711"}, ["set_por"]),
            ({"status": "suspended"}, ["suspend"]),
            ({"quantity": 35, "friendlyName": "Branch"}, ["add_seats", "rename"]),
        ],
    )
    def test_what_was_changed_is_asked_for_once(
        self, desk: "Desk", bring: Bring, changes: dict[str, Any], events: list[str]
    ) -> None:
        """With its instant and the user who did it; the second import changes nothing."""
        bring(desk, SUBSCRIPTION)

        first = bring(desk, changed(**changes), at=LATER)
        before = desk.rows()
        again = bring(desk, changed(**changes), at=LATER)

        last = desk.store.history(ID)[-1].event
        assert (first.events, again.fates) == (events, ["unchanged"])
        assert (last.at, last.actor.id) == (
            datetime(2024, 12, 5, 20, tzinfo=UTC),
            "amy@contoso.example",
        )
        assert desk.rows() == before

    def test_afterwards_the_export_of_the_night_agrees(self, desk: "Desk", bring: Bring) -> None:
        """Rows are taken in before what is stored is compared."""
        bring(desk, SUBSCRIPTION)
        new = {**SUBSCRIPTION, "quantity": 35}

        brought = bring(desk, new, record(SUBSCRIPTION, new), at=LATER)

        assert brought.fates == ["imported", "unchanged"]

    def test_what_was_done_here_too_is_not_done_again(self, desk: "Desk", bring: Bring) -> None:
        """It has come to be so already."""
        bring(desk, SUBSCRIPTION)
        desk.do("add_seats", ID, AT + timedelta(hours=1), ChangeSeats(5))

        brought = bring(desk, changed(quantity=35), at=LATER)

        assert (brought.fates, brought.said) == (["unchanged"], "what is stored says the same")

    def test_what_went_another_way_here_differs(self, desk: "Desk", bring: Bring) -> None:
        """It stands neither as before the change nor as after it."""
        bring(desk, SUBSCRIPTION)
        desk.do("add_seats", ID, AT + timedelta(hours=1), ChangeSeats(9))
        before = desk.rows()

        brought = bring(desk, changed(quantity=35), at=LATER)

        assert brought.fates == ["differs"]
        assert "quantity is 35 in the row, 39 stored" in brought.said
        assert desk.rows() == before

    def test_a_refused_part_undoes_the_whole(self, desk: "Desk", bring: Bring) -> None:
        """TRM-12: the seats are not added either."""
        bring(desk, SUBSCRIPTION)
        before = desk.rows()

        brought = bring(desk, changed(quantity=35, status="deleted"), at=LATER)

        assert "cancel: CANCEL_WINDOW_CLOSED" in brought.said
        assert desk.rows() == before

    @pytest.mark.parametrize(
        ("row", "fate", "told"),
        [
            (changed(termDuration="P3Y"), "differs", 'termDuration was changed to "P3Y"'),
            (changed(quantity="many"), "unmapped", "quantity cannot become 'many'"),
            (record(None, {**SUBSCRIPTION, "quantity": 35}), "differs", "quantity is 35"),
            (record(None, SUBSCRIPTION), "unchanged", "what is stored says the same"),
            (record(SUBSCRIPTION, None), "unmapped", "does not say what changed"),
            (record(None, None, operationStatus="failed"), "unchanged", "the operation failed"),
            (record(None, None, operationStatus="progress"), "unmapped", "is not finished"),
            (record(None, {**SUBSCRIPTION, "id": "x"}, at="2024-11-01T00:00:00Z"), "imported", ""),
            (changed(), "unchanged", "what is stored says the same"),
            (
                record(SUBSCRIPTION, {**SUBSCRIPTION, "quantity": 35}, at="2024-11-01T00:00:00Z"),
                "unchanged",
                "it is in what was taken over",
            ),
        ],
    )
    def test_what_is_not_followed_is_told(
        self, desk: "Desk", bring: Bring, row: dict[str, Any], fate: str, told: str
    ) -> None:
        """With the reason, and what is stored stays."""
        bring(desk, SUBSCRIPTION)

        brought = bring(desk, row, at=LATER)

        assert (brought.fates, told in brought.said) == ([fate], True), brought.said
        assert desk.subscription(ID).version == 1

    def test_an_old_picture_of_a_term_that_is_over_makes_no_subject(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """Whether it was renewed, the record does not say."""
        brought = bring(desk, record(None, SUBSCRIPTION), at=datetime(2025, 10, 1, tzinfo=UTC))

        assert brought.fates == ["unmapped"]
        assert "shows a term that ended on 2025-09-30" in brought.said


class TestOthers:
    @pytest.mark.parametrize(
        ("resource", "operation"),
        [
            ("customer_user", "create_customer_user"),
            ("invoice", "ready_invoice"),
            ("transfer", "create_transfer"),
        ],
    )
    def test_what_no_subject_can_be_made_of_is_told(
        self, desk: "Desk", bring: Bring, resource: str, operation: str
    ) -> None:
        """Never dropped in silence."""
        row = record(None, None, resourceType=resource, operationType=operation)

        brought = bring(desk, row, at=LATER)

        assert brought.fates == ["unmapped"]
        assert brought.said == f"{operation} ({resource}) is about no subject of the engine"

    def test_an_order_in_a_record_is_an_order(self, desk: "Desk", bring: Bring) -> None:
        """It is in the new value, as JSON in a text."""
        order = {
            "id": "o1",
            "referenceCustomerId": "tailspin",
            "creationDate": "2024-10-01T02:35:00Z",
            "billingCycle": "monthly",
            "status": "completed",
            "lineItems": [
                {
                    "subscriptionId": ID,
                    "offerId": "E3",
                    "quantity": 30,
                    "termDuration": "P1Y",
                    "transactionType": "new",
                }
            ],
        }

        brought = bring(desk, record(None, order, operationType="create_order"))

        assert brought.events == ["adopt"]
        assert desk.subscription(ID).order_id == "o1"

    def test_a_migration_by_id_and_status_alone_says_too_little(
        self, desk: "Desk", bring: Bring
    ) -> None:
        """EVT-08: unless that migration is stored."""
        new = {"id": "0c9a4e52", "status": "Completed"}

        row = record(None, new, operationType="create_new_commerce_migration")

        brought = bring(desk, row, at=LATER)

        assert "says only that a migration was made, not of what" in brought.said


@pytest.fixture
def invited(desk: "Desk") -> "Desk":
    """A customer that contoso has invited."""
    desk.clock.move(AT - timedelta(days=30))
    at = desk.clock.now()
    agent = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso")
    ask = RequestRelationship("contoso", "https://example.com/invitation")
    for number, (name, data) in enumerate(
        (("register", Register("DE")), ("request_relationship", ask))
    ):
        event = Event(f"c{number}", name, "tailspin", at, agent, data, None, "customer")
        assert submit(desk.store, event).accepted
    return desk


def customer(desk: "Desk") -> Customer:
    """Return the customer."""
    found = desk.store.get("tailspin")
    assert isinstance(found, Customer)
    return found


def webhook(name: str, uri: str | None, at: str = "2024-12-01T10:00:00Z") -> dict[str, Any]:
    """Return the body of a webhook (EVT-10)."""
    return {
        "EventName": name,
        "ResourceUri": uri,
        "ResourceName": "customer",
        "AuditUri": None,
        "ResourceChangeUtcDate": at.replace("Z", ".0000000+00:00"),
    }


ACCEPTED = webhook(
    "reseller-relationship-accepted-by-customer",
    "https://api.partnercenter.microsoft.com/v1/customers/tailspin",
)


class TestCustomer:
    def test_an_accepted_relationship_is_accepted_here_once(
        self, invited: "Desk", bring: Bring
    ) -> None:
        """EA-04, EVT-11: only the customer's global admin can have done it."""
        first = bring(invited, ACCEPTED)
        before = invited.rows()
        again = bring(invited, ACCEPTED)

        found = customer(invited).relationship("contoso")
        assert found is not None
        assert found.accepted_at == datetime(2024, 12, 1, 10, tzinfo=UTC)
        assert (first.events, again.fates) == (["accept_relationship"], ["unchanged"])
        assert invited.rows() == before

    def test_privileges_and_the_end_are_followed(self, invited: "Desk", bring: Bring) -> None:
        """MAN-19: approved, terminated, the relationship removed."""
        operations = (
            "dap_admin_relationship_approved",
            "dap_admin_relationship_terminated",
            "remove_partner_customer_relationship",
        )
        rows = [
            record(None, None, at=f"2024-12-02T1{number}:00:00Z", operationType=operation)
            for number, operation in enumerate(operations)
        ]

        brought = bring(invited, ACCEPTED, *rows)

        assert brought.events == [
            "accept_relationship",
            "approve_dap",
            "terminate_dap",
            "end_relationship",
        ]
        assert customer(invited).state == "unrelated"

    def test_what_is_so_already_changes_nothing(self, invited: "Desk", bring: Bring) -> None:
        """It was taken down here when it happened."""
        admin = Actor(ActorKind.USER, "eve", Role.GLOBAL_ADMIN)
        at = AT - timedelta(days=29)
        invited.clock.move(at)
        data = WithPartner("contoso")
        event = Event("ok", "accept_relationship", "tailspin", at, admin, data, None, "customer")
        submit(invited.store, event)

        assert bring(invited, ACCEPTED).said == "what is stored says the same"

    def test_a_customer_that_is_not_stored_is_not_tracked(self, desk: "Desk", bring: Bring) -> None:
        """Whether it exists is not for a webhook to say."""
        brought = bring(desk, ACCEPTED)

        assert brought.fates == ["unmapped"]
        assert "customer tailspin is not stored" in brought.said

    @pytest.mark.parametrize(
        ("row", "given", "told"),
        [
            (webhook("dap-admin-relationship-approved", None), {"customer": None}, "--customer"),
            (ACCEPTED, {"partner": None}, "names no partner tenant; give --partner"),
        ],
    )
    def test_between_whom_it_is_must_be_known(
        self, invited: "Desk", bring: Bring, row: dict[str, Any], given: Any, told: str
    ) -> None:
        """Bodies about delegated privileges carry no link."""
        assert told in bring(invited, row, **given).said
