"""Partner Center resources: taken over as they are exported, written as they are read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from sublife.events.packs import load_pack
from sublife.events.wire import ResourceError, adopted, resource
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import next_timer
from sublife.lifecycle.subscription.model import (
    Adopt,
    Batch,
    ChangeSeats,
    Platform,
    Subscription,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
READ_AT = datetime(2024, 12, 5, 8, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
POLICY = load_pack()

SAMPLE: dict[str, Any] = {
    "id": "3a9d51c4-7e02-4b6f-8f1e-5c20d7ab9911",
    "offerId": "CFQ7TTC0XYZ1:0002:CFQ7TTC0XYZ2",
    "offerName": "Microsoft 365 E3",
    "friendlyName": "HQ E3",
    "productType": {"id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE"},
    "quantity": 30,
    "unitType": "Licenses",
    "creationDate": "2024-10-01T02:35:00Z",
    "effectiveStartDate": "2024-10-01T00:00:00Z",
    "commitmentEndDate": "2025-09-30T00:00:00Z",
    "commitmentEndDateTime": "2025-09-30T23:59:59Z",
    "cancellationAllowedUntilDate": "2024-10-08T02:35:00Z",
    "billingCycleEndDate": "2024-12-31T00:00:00Z",
    "status": "active",
    "autoRenewEnabled": True,
    "isTrial": False,
    "billingType": "license",
    "billingCycle": "monthly",
    "termDuration": "P1Y",
    "renewalTermDuration": "",
    "refundableQuantity": {
        "totalQuantity": 5,
        "details": [{"quantity": 5, "allowedUntilDateTime": "2024-12-09T10:00:00Z"}],
    },
    "scheduledNextTermInstructions": None,
    "suspensionReasons": [],
    "partnerId": "6098765",
    "orderId": "c0ffee12ab34",
    "contractType": "subscription",
    "attributes": {"objectType": "Subscription"},
}


def _sample(**changes: Any) -> dict[str, Any]:
    return {**SAMPLE, **changes}


def _adopted(fields: Mapping[str, Any], at: datetime = READ_AT) -> Subscription:
    return adopted(fields, customer="tailspin", partner="contoso", policy=POLICY, at=at)


def _again(fields: Mapping[str, Any], at: datetime = READ_AT) -> dict[str, Any]:
    """Take a resource over and write it again as it would be read at the same instant."""
    return resource(_adopted(fields, at), policy=POLICY, at=at)


class TestRoundTrip:
    @pytest.mark.parametrize("field", SAMPLE)
    def test_a_field_comes_back_as_it_was(self, field: str) -> None:
        """GEN-02, TRM-09, TRM-16: an active yearly subscription, 5 of 30 seats still reducible."""
        assert _again(SAMPLE)[field] == SAMPLE[field]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            pytest.param("parentSubscriptionId", "9d1f", id="base of an add-on"),
            pytest.param("migratedFromSubscriptionId", "7e3b", id="legacy predecessor"),
            pytest.param("promotionId", "CFQ7:0002:PROMO", id="promotion"),
            pytest.param("suspensionReasons", ["non-payment"], id="reasons"),
            pytest.param("isTrial", True, id="trial"),
            pytest.param("autoRenewEnabled", False, id="autorenew off"),
            pytest.param("cancellationAllowedUntilDate", None, id="not cancellable"),
        ],
    )
    def test_a_field_that_the_sample_leaves_empty_comes_back_too(
        self, field: str, value: object
    ) -> None:
        """What we write, we also read."""
        assert _again(_sample(**{field: value}))[field] == value

    def test_scheduled_changes_come_back_with_their_product(self) -> None:
        """TRM-17: product, SKU and availability, plan, seats and custom end."""
        product = {
            "productId": "CFQ7TTC0XYZ9",
            "skuId": "0001",
            "availabilityId": "CFQ7TTC0XYZ8",
            "billingCycle": "annual",
            "termDuration": "P3Y",
        }
        instructions = {
            "product": product,
            "quantity": 40,
            "customTermEndDate": "2027-12-31T00:00:00Z",
        }
        fields = _sample(scheduledNextTermInstructions=instructions, renewalTermDuration="P3Y")

        written = _again(fields)["scheduledNextTermInstructions"]

        assert written["quantity"] == 40
        assert written["customTermEndDate"] == "2027-12-31T00:00:00Z"
        assert {name: written["product"].get(name) for name in product} == product

    def test_a_pending_change_of_the_billing_plan_comes_back(self) -> None:
        """TRM-20: the next charge keeps its plan and its day."""
        product = {
            "productId": "CFQ7TTC0XYZ1",
            "skuId": "0002",
            "availabilityId": "CFQ7TTC0XYZ2",
            "billingCycle": "annual",
            "termDuration": "P3Y",
        }
        fields = _sample(
            nextChargeInstructions={"product": product, "quantity": 30},
            termDuration="P3Y",
            commitmentEndDate="2027-09-30T00:00:00Z",
        )

        subscription = _adopted(fields)

        assert subscription.next_charge is not None
        assert subscription.next_charge.billing is Billing.ANNUAL
        assert subscription.next_charge.at == datetime(2025, 1, 1, tzinfo=UTC)
        written = _again(fields)["nextChargeInstructions"]
        assert (written["product"]["billingCycle"], written["quantity"]) == ("annual", 30)

    @pytest.mark.parametrize(
        ("created", "term", "read_at", "until"),
        [
            pytest.param(
                "2022-03-01T10:00:00Z",
                ("2022-03-01", "2022-03-31"),
                "2022-03-05T00:00:00Z",
                "2022-03-04T10:00:00Z",
                id="72 h",
            ),
            pytest.param(
                "2022-03-15T11:00:00Z",
                ("2022-03-15", "2022-04-14"),
                "2022-03-20T00:00:00Z",
                "2022-03-22T11:00:00Z",
                id="168 h",
            ),
            pytest.param(
                "2022-02-01T10:00:00Z",
                ("2022-05-01", "2022-05-31"),
                "2022-05-03T00:00:00Z",
                "2022-05-08T00:00:00Z",
                id="72 h at first, 168 h since its renewal",
            ),
        ],
    )
    def test_the_last_instant_for_cancelling_comes_back(
        self, created: str, term: tuple[str, str], read_at: str, until: str
    ) -> None:
        """TRM-09, TRM-10: whichever window was in force when it opened."""
        fields = _sample(
            creationDate=created,
            effectiveStartDate=f"{term[0]}T00:00:00Z",
            commitmentEndDate=f"{term[1]}T00:00:00Z",
            termDuration="P1M",
            cancellationAllowedUntilDate=until,
            refundableQuantity={"totalQuantity": 0, "details": []},
        )

        written = _again(fields, datetime.fromisoformat(read_at))

        assert written["cancellationAllowedUntilDate"] == until


class TestReading:
    def test_names_are_compared_without_case(self) -> None:
        """Older exports write PascalCase, some write neither."""
        plain = _adopted(SAMPLE)

        pascal = _adopted(_renamed(SAMPLE, lambda name: name[0].upper() + name[1:]))
        shouted = _adopted(_renamed(SAMPLE, str.upper))

        assert pascal == shouted == plain

    def test_the_words_of_enumerations_are_compared_without_case(self) -> None:
        """Enum strings come in either case."""
        fields = _sample(status="Active", billingCycle="Monthly", termDuration="p1y")

        assert _adopted(fields) == _adopted(SAMPLE)

    def test_an_id_is_the_same_in_either_case(self) -> None:
        """GUIDs are compared without case."""
        assert _adopted(_sample(id=SAMPLE["id"].upper())) == _adopted(SAMPLE)

    @pytest.mark.parametrize("zone", ["Z", "+00:00"])
    @pytest.mark.parametrize("digits", range(8))
    def test_an_instant_has_0_to_7_digits_of_a_fraction(self, digits: int, zone: str) -> None:
        """GEN-01: the seventh digit is below what an instant can hold."""
        fraction = "." + "1234567"[:digits] if digits else ""
        microseconds = int("1234567"[:digits][:6].ljust(6, "0"))

        subscription = _adopted(_sample(creationDate=f"2024-10-01T02:35:00{fraction}{zone}"))

        assert subscription.created_at == datetime(2024, 10, 1, 2, 35, 0, microseconds, tzinfo=UTC)
        assert subscription.created_at.tzinfo is UTC

    def test_an_instant_of_another_zone_is_turned_into_utc(self) -> None:
        """GEN-01: the day is the UTC day."""
        subscription = _adopted(_sample(effectiveStartDate="2024-10-01T01:30:00+02:00"))

        assert subscription.starts_on == date(2024, 9, 30)

    def test_unknown_fields_are_passed_over(self) -> None:
        """A later export may carry more."""
        more = {"links": {"self": {"uri": "/x"}}, "actions": ["edit"], "hasPurchasableAddons": True}

        assert _adopted(_sample(**more)) == _adopted(SAMPLE)

    def test_the_tenants_come_from_beside_the_resource(self) -> None:
        """EVT-06: the resource carries neither."""
        subscription = _adopted(SAMPLE)

        assert (subscription.customer, subscription.partner) == ("tailspin", "contoso")

    @pytest.mark.parametrize(
        ("product_type", "platform"),
        [("OnlineServicesNCE", Platform.NCE), ("OnlineServices", Platform.LEGACY)],
    )
    def test_the_product_type_tells_the_platform(
        self, product_type: str, platform: Platform
    ) -> None:
        """GEN-15: new commerce, or legacy."""
        fields = _sample(productType={"id": product_type, "displayName": product_type})

        assert _adopted(fields).platform is platform

    def test_the_cancellation_window_is_worked_back_from_its_last_instant(self) -> None:
        """TRM-09: 168 h before it."""
        assert _adopted(SAMPLE).window_opened_at == datetime(2024, 10, 1, 2, 35, tzinfo=UTC)

    def test_the_batches_are_worked_back_from_their_last_instants(self) -> None:
        """TRM-16: five seats were added 168 h before; the other 25 are out of their window."""
        batches = _adopted(SAMPLE).batches

        added_at = datetime(2024, 12, 2, 10, tzinfo=UTC)
        assert sum(batch.quantity for batch in batches) == 30
        assert batches[-1] == Batch(5, added_at, added_at.date())
        assert all(batch.added_at + 7 * DAY < READ_AT for batch in batches[:-1])

    @pytest.mark.parametrize(
        ("created", "starts", "ends", "next_ends"),
        [
            pytest.param("2024-10-01", "2024-10-01", "2025-09-30", "2026-09-30", id="first term"),
            pytest.param("2022-10-01", "2024-10-01", "2025-09-30", "2026-09-30", id="third term"),
            pytest.param("2024-02-29", "2025-02-28", "2026-02-27", "2027-02-27", id="leap day"),
            pytest.param("2024-10-01", "2024-10-01", "2024-12-31", "2025-12-31", id="custom end"),
        ],
    )
    def test_the_anchor_is_worked_back_from_the_dates(
        self,
        open_desk: Callable[..., "Desk"],
        created: str,
        starts: str,
        ends: str,
        next_ends: str,
    ) -> None:
        """GEN-06, TRM-25: the following term is the full one that would have followed anyway."""
        fields = _sample(
            creationDate=f"{created}T02:35:00Z",
            effectiveStartDate=f"{starts}T00:00:00Z",
            commitmentEndDate=f"{ends}T00:00:00Z",
        )
        desk = _taken_over(open_desk(), fields, datetime.fromisoformat(f"{starts}T12:00:00Z"))

        desk.wake(datetime.fromisoformat(f"{ends}T00:00:00Z") + DAY)

        assert desk.subscription("s1").ends_on == date.fromisoformat(next_ends)


class TestStatus:
    """Each status of an export, and what the calendar has in store for it."""

    @pytest.mark.parametrize(
        ("status", "state", "timer", "days"),
        [
            pytest.param("active", "active", "term_ended", 0, id="active"),
            pytest.param("suspended", "suspended", "term_ended", 0, id="suspended"),
            pytest.param("expired", "grace", "grace_ended", 30, id="expired"),
            pytest.param("disabled", "disabled", "retention_ended", 120, id="disabled"),
        ],
    )
    def test_a_status_has_its_state_and_its_timer(
        self, status: str, state: str, timer: str, days: int
    ) -> None:
        """1.1, SUB-04, SUB-05, SUB-06: expired and disabled count from the term end."""
        after = status in {"expired", "disabled"}
        read_at = TERM_END + 2 * DAY if after else READ_AT

        subscription = _adopted(_sample(status=status), read_at)

        due = next_timer(subscription, "subscription")
        assert subscription.state == state
        assert due is not None
        assert (due.name, due.due_at) == (timer, TERM_END + days * DAY)

    @pytest.mark.parametrize("status", ["pending", "deleted"])
    def test_a_status_without_a_deadline_has_no_timer(self, status: str) -> None:
        """1.1: pending waits for Microsoft's report; deleted is final."""
        subscription = _adopted(_sample(status=status))

        assert subscription.state == status
        assert next_timer(subscription, "subscription") is None

    @pytest.mark.parametrize("status", ["active", "suspended", "pending", "deleted"])
    def test_a_status_comes_back(self, status: str) -> None:
        """1.1: the wire status of the state."""
        assert _again(_sample(status=status))["status"] == status

    @pytest.mark.parametrize("status", ["expired", "disabled"])
    def test_a_status_after_the_term_comes_back(self, status: str) -> None:
        """1.1: the grace is `expired` on the wire (SUB-01)."""
        assert _again(_sample(status=status), TERM_END + 2 * DAY)["status"] == status

    def test_a_canceled_subscription_is_deleted_on_the_wire(self, desk: "Desk") -> None:
        """SUB-09: the domain tells them apart, the resource does not."""
        desk.sell("s1")
        desk.do("cancel", "s1", desk.clock.now() + DAY)

        written = resource(desk.subscription("s1"), policy=POLICY, at=desk.clock.now())

        assert desk.subscription("s1").state == "canceled"
        assert written["status"] == "deleted"

    def test_an_end_date_is_inclusive(self, open_desk: Callable[..., "Desk"]) -> None:
        """GEN-02, SUB-03: 30 September is a full paid day."""
        desk = _taken_over(open_desk(), _sample(autoRenewEnabled=False), READ_AT)

        desk.wake(TERM_END - SECOND)
        before = desk.subscription("s1").state
        desk.wake(TERM_END)

        assert (before, desk.subscription("s1").state) == ("active", "grace")

    def test_what_is_taken_over_is_nobodys_order(self, open_desk: Callable[..., "Desk"]) -> None:
        """EVT-02: nothing was ordered, so no order record and no activity record."""
        desk = _taken_over(open_desk(), SAMPLE, READ_AT)

        assert (desk.store.orders(), desk.store.records()) == ((), ())

    @pytest.mark.parametrize(("seats", "accepted"), [(5, True), (6, False)])
    def test_only_the_open_seats_can_be_given_back(
        self, open_desk: Callable[..., "Desk"], seats: int, accepted: bool
    ) -> None:
        """TRM-15, TRM-16: the windows hold after the take-over as before it."""
        desk = _taken_over(open_desk(), SAMPLE, READ_AT)

        outcome = desk.do("remove_seats", "s1", READ_AT + DAY, ChangeSeats(seats))

        assert outcome.accepted is accepted


class TestFaults:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            pytest.param("status", "sleeping", id="unknown status"),
            pytest.param("status", "none", id="status none"),
            pytest.param("status", None, id="no status"),
            pytest.param("termDuration", "P2Y", id="unknown term"),
            pytest.param("termDuration", "", id="no term"),
            pytest.param("billingCycle", "weekly", id="unknown billing cycle"),
            pytest.param("effectiveStartDate", "yesterday", id="start in words"),
            pytest.param("effectiveStartDate", None, id="no start"),
            pytest.param("commitmentEndDate", "2025-02-30T00:00:00Z", id="end on no day"),
            pytest.param("commitmentEndDate", "2025-09-30", id="end without a time"),
            pytest.param("commitmentEndDate", "2024-09-30T00:00:00Z", id="end before the start"),
            pytest.param("creationDate", "2024-10-01T25:00:00Z", id="created at no hour"),
            pytest.param("creationDate", "2024-10-01T02:35:00.12345678Z", id="eight digits"),
            pytest.param("cancellationAllowedUntilDate", "soon", id="window in words"),
            pytest.param("quantity", 0, id="no seats"),
            pytest.param("quantity", -1, id="less than no seats"),
            pytest.param("quantity", 2.5, id="half a seat"),
            pytest.param("quantity", True, id="seats as a truth"),
            pytest.param("quantity", "30", id="seats in words"),
            pytest.param("quantity", None, id="seats missing"),
            pytest.param("autoRenewEnabled", "false", id="autorenew in words"),
            pytest.param("isTrial", "false", id="trial in words"),
        ],
    )
    def test_a_wrong_field_is_named_with_its_value(self, field: str, value: object) -> None:
        """Nothing is guessed: what cannot be read is a fault."""
        with pytest.raises(ResourceError) as caught:
            _adopted(_sample(**{field: value}))

        (fault,) = caught.value.faults
        assert fault.path == (field,)
        shown = "2024-09-30" if "2024-09-30" in str(value) else str(value or "")
        assert shown in fault.message

    @pytest.mark.parametrize(
        ("field", "value", "path"),
        [
            pytest.param(
                "refundableQuantity",
                {"totalQuantity": 5, "details": [{"quantity": 5, "allowedUntilDateTime": "soon"}]},
                ("refundableQuantity", "details", 0, "allowedUntilDateTime"),
                id="window of a batch",
            ),
            pytest.param(
                "refundableQuantity",
                {
                    "totalQuantity": 5,
                    "details": [{"quantity": 0, "allowedUntilDateTime": "2024-12-09T10:00:00Z"}],
                },
                ("refundableQuantity", "details", 0, "quantity"),
                id="seats of a batch",
            ),
            pytest.param(
                "scheduledNextTermInstructions",
                {"product": {"termDuration": "P2Y", "billingCycle": "monthly"}, "quantity": 30},
                ("scheduledNextTermInstructions", "product", "termDuration"),
                id="scheduled term",
            ),
            pytest.param(
                "nextChargeInstructions",
                {"product": {"billingCycle": "weekly"}, "quantity": 30},
                ("nextChargeInstructions", "product", "billingCycle"),
                id="next billing cycle",
            ),
        ],
    )
    def test_a_wrong_field_inside_another_is_named_with_its_path(
        self, field: str, value: object, path: tuple[str | int, ...]
    ) -> None:
        """The faults of nested objects are faults too."""
        with pytest.raises(ResourceError) as caught:
            _adopted(_sample(**{field: value}))

        assert [fault.path for fault in caught.value.faults] == [path]

    def test_all_faults_are_told_at_once(self) -> None:
        """Nobody fixes an export one fault at a time."""
        fields = _sample(status="sleeping", termDuration="P2Y", quantity=0, creationDate="once")

        with pytest.raises(ResourceError) as caught:
            _adopted(fields)

        named = {str(fault.path[0]) for fault in caught.value.faults}
        assert named == {"status", "termDuration", "quantity", "creationDate"}
        assert all(name in str(caught.value) for name in named)

    def test_a_field_that_is_missing_is_a_fault(self) -> None:
        """A resource that says nothing is not an empty subscription."""
        with pytest.raises(ResourceError) as caught:
            _adopted({})

        assert {str(fault.path[0]) for fault in caught.value.faults} >= {
            "status",
            "termDuration",
            "billingCycle",
            "effectiveStartDate",
            "commitmentEndDate",
            "creationDate",
            "quantity",
        }


class TestWriting:
    @pytest.mark.parametrize(("year", "written"), [(2023, False), (2024, True)])
    def test_the_end_with_its_time_is_written_since_it_exists(
        self, year: int, written: bool
    ) -> None:
        """GEN-02: `commitmentEndDateTime` appeared on 2023-05-10."""
        at = datetime(year, 5, 9, tzinfo=UTC)

        fields = resource(_adopted(SAMPLE), policy=POLICY, at=at)

        assert ("commitmentEndDateTime" in fields) is written

    def test_instants_end_in_z(self) -> None:
        """GEN-01: parse both, write `Z`."""
        fields = _sample(creationDate="2024-10-01T02:35:00.1230000+00:00")

        assert _again(fields)["creationDate"] == "2024-10-01T02:35:00.123000Z"

    def test_a_monthly_resource_shows_the_running_cycle(self) -> None:
        """GEN-02: the cycle's inclusive last day."""
        subscription = _adopted(SAMPLE)

        shown = [
            resource(subscription, policy=POLICY, at=at)["billingCycleEndDate"]
            for at in (READ_AT, datetime(2025, 1, 1, tzinfo=UTC), TERM_END - SECOND)
        ]

        assert shown == ["2024-12-31T00:00:00Z", "2025-01-31T00:00:00Z", "2025-09-30T00:00:00Z"]

    def test_seats_whose_window_has_closed_are_no_longer_refundable(self) -> None:
        """TRM-16, GEN-04: the window includes its last instant."""
        subscription = _adopted(SAMPLE)
        last = datetime(2024, 12, 9, 10, tzinfo=UTC)

        totals = [
            resource(subscription, policy=POLICY, at=at)["refundableQuantity"]["totalQuantity"]
            for at in (last, last + SECOND)
        ]

        assert totals == [5, 0]

    def test_a_sold_subscription_reads_as_the_terms_say(self, desk: "Desk") -> None:
        """GEN-02, TRM-03, TRM-09: what a partner sees right after the order."""
        desk.sell("s1", term=Term.P1M)

        fields = resource(desk.subscription("s1"), policy=POLICY, at=desk.clock.now())

        assert fields["commitmentEndDate"] == "2024-10-31T00:00:00Z"
        assert fields["commitmentEndDateTime"] == "2024-10-31T23:59:59Z"
        assert fields["cancellationAllowedUntilDate"] == "2024-10-08T02:35:00Z"
        assert fields["autoRenewEnabled"] is True
        assert fields["refundableQuantity"] == {
            "totalQuantity": 30,
            "details": [{"quantity": 30, "allowedUntilDateTime": "2024-10-08T02:35:00Z"}],
        }


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    """Return JSON with every name of every object changed."""
    match value:
        case dict():
            fields = cast("dict[str, Any]", value)
            return {rename(name): _renamed(each, rename) for name, each in fields.items()}
        case list():
            return [_renamed(each, rename) for each in cast("Sequence[Any]", value)]
        case _:
            return value


def _taken_over(desk: "Desk", fields: Mapping[str, Any], at: datetime) -> "Desk":
    """Adopt a resource as subject s1."""
    desk.do("adopt", "s1", at, Adopt(_adopted(fields, at)))
    return desk
