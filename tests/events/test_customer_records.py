"""What the facts of customers and manual purchases leave behind (8.2, EVT-11)."""

import pytest

from sublife.events.records import Kind, Recording, recording_of
from sublife.lifecycle.model import Fact, Value


@pytest.mark.parametrize(
    ("fact", "data", "webhook"),
    [
        ("customer-registered", {}, None),
        ("customer-created", {"partner": "contoso"}, None),
        ("customer-agreement-accepted", {}, None),
        ("relationship-requested", {"kind": "reseller"}, None),
        (
            "relationship-accepted",
            {"kind": "reseller"},
            "reseller-relationship-accepted-by-customer",
        ),
        (
            "relationship-accepted",
            {"kind": "indirect-reseller"},
            "indirect-reseller-relationship-accepted-by-customer",
        ),
        ("relationship-ended", {"kind": "reseller"}, None),
        ("dap-admin-relationship-approved", {}, "dap-admin-relationship-approved"),
        ("dap-admin-relationship-terminated", {}, "dap-admin-relationship-terminated"),
        ("successor-noted", {}, None),
        ("manual-purchase-advisory", {"code": "DOUBLE_BILLING_RISK"}, None),
        ("credit-referred", {}, None),
    ],
)
def test_relationships_leave_a_webhook_and_nothing_else(
    fact: str, data: dict[str, Value], webhook: str | None
) -> None:
    """8.2, EVT-04, EVT-11: no activity record, no order."""
    assert recording_of(Fact(fact, data)) == Recording(webhook=webhook)


@pytest.mark.parametrize(("path", "kind"), [("manual", Kind.MIGRATION), ("purchase", None)])
def test_a_purchase_is_a_migration_if_it_comes_from_another_channel(
    path: str, kind: Kind | None
) -> None:
    """8.2, EVT-04."""
    found = recording_of(Fact("subscription-created", {"path": path}))

    assert (found.kind, found.order, found.webhook) == (kind, "new", "subscription-updated")
