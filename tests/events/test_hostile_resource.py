"""Exported resources with instants at the edge of the calendar: a fault that names the field."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sublife.events.packs import load_pack
from sublife.events.wire import ResourceError, adopted

EXPORTED_AT = datetime(2024, 12, 5, 8, tzinfo=UTC)
RESOURCE: dict[str, Any] = {
    "id": "s1",
    "offerId": "E3",
    "productType": {"id": "OnlineServicesNCE"},
    "quantity": 30,
    "creationDate": "2024-10-01T02:35:00Z",
    "effectiveStartDate": "2024-10-01T00:00:00Z",
    "commitmentEndDate": "2025-09-30T00:00:00Z",
    "status": "active",
    "autoRenewEnabled": True,
    "billingCycle": "monthly",
    "termDuration": "P1Y",
}
EDGES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "9999-12-31T00:00:00Z",
    "1899-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
]


@pytest.mark.parametrize("instant", EDGES)
@pytest.mark.parametrize(
    "field",
    ["creationDate", "effectiveStartDate", "commitmentEndDate", "cancellationAllowedUntilDate"],
)
def test_an_instant_beyond_the_calendar_is_a_fault_of_its_field(field: str, instant: str) -> None:
    with pytest.raises(ResourceError, match=f'{field}: "{instant[:10]}.*beyond the calendar'):
        adopted(
            {**RESOURCE, field: instant},
            customer="tailspin",
            partner="contoso",
            policy=load_pack(),
            at=EXPORTED_AT,
        )


@pytest.mark.parametrize("instant", EDGES)
def test_so_is_one_of_a_batch_of_seats(instant: str) -> None:
    batch = {"details": [{"quantity": 1, "allowedUntilDateTime": instant}]}

    with pytest.raises(ResourceError, match=r"allowedUntilDateTime: .*beyond the calendar"):
        adopted(
            {**RESOURCE, "refundableQuantity": batch},
            customer="tailspin",
            partner="contoso",
            policy=load_pack(),
            at=EXPORTED_AT,
        )
