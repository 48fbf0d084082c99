"""Rows as Partner Center exports them, and means to bring them into a desk's store."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.inbound import Import, Told
from sublife.events.inbound.target import Target

if TYPE_CHECKING:
    from tests.events.conftest import Desk

AT = datetime(2024, 12, 5, 8, tzinfo=UTC)
"""When the export was made, if nothing else is said."""
SUBSCRIPTION: dict[str, Any] = {
    "id": "3a9d51c4-7e02-4b6f-8f1e-5c20d7ab9911",
    "offerId": "CFQ7TTC0XYZ1:0002:CFQ7TTC0XYZ2",
    "offerName": "Microsoft 365 E3",
    "friendlyName": "HQ E3",
    "productType": {"id": "OnlineServicesNCE"},
    "quantity": 30,
    "creationDate": "2024-10-01T02:35:00Z",
    "effectiveStartDate": "2024-10-01T00:00:00Z",
    "commitmentEndDate": "2025-09-30T00:00:00Z",
    "cancellationAllowedUntilDate": "2024-10-08T02:35:00Z",
    "status": "active",
    "autoRenewEnabled": True,
    "isTrial": False,
    "billingCycle": "monthly",
    "termDuration": "P1Y",
    "partnerId": "6098765",
    "orderId": "c0ffee12ab34",
}
ID = SUBSCRIPTION["id"]


class Brought:
    """What became of the rows of one import."""

    def __init__(self, going: Import) -> None:
        self.told: list[Told] = list(going.rows())
        self.is_kept = going.is_kept
        self.is_well = going.is_well
        self.fates = [each.verdict.fate.value for each in self.told]
        self.said = " | ".join(each.verdict.said for each in self.told)
        self.events = [name for each in self.told for name in each.verdict.events]
        self.subjects = [each.verdict.subject for each in self.told]


Bring = Callable[..., Brought]


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Writes rows to a file and imports it at the instant of the export, unless said otherwise."""

    def bring_(
        desk: "Desk",
        *rows: Any,
        at: datetime = AT,
        now: datetime | None = None,
        partner: str | None = "contoso",
        customer: str | None = "tailspin",
        **more: Any,
    ) -> Brought:
        desk.clock.move(max(now or at, desk.clock.now()))
        path = tmp_path / "export.json"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return Brought(Import([path], Target(desk.store, at, partner, customer), **more))

    return bring_
