"""Records: the activity log of migrations and renewals, and the order history."""

from typing import Literal

from fastapi import APIRouter

from sublife.events.token import Role
from sublife.scheduler.api.access import Route, TheStore, needs
from sublife.scheduler.api.body import Instant, Text
from sublife.scheduler.api.page import Listing, Paged
from sublife.scheduler.api.view import OrderView, RecordView

router = APIRouter(route_class=Route, tags=["records"])


@router.get("/v1/records", openapi_extra=needs(Role.READ))
def list_records(
    store: TheStore,
    paged: Paged,
    customer: Text | None = None,
    partner: Text | None = None,
    subscription: Text | None = None,
    kind: Literal["migration", "renewal"] | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Listing[RecordView]:
    """List activity records, by instant, then sequence (EVT-05); `until` is exclusive."""
    page = store.records(
        customer=customer,
        partner=partner,
        subscription=subscription,
        kind=kind,
        since=since,
        until=until,
        after=paged.after,
        limit=paged.limit,
    )
    return paged.listing(page, [RecordView.model_validate(each) for each in page])


@router.get("/v1/orders", openapi_extra=needs(Role.READ))
def list_orders(
    store: TheStore,
    paged: Paged,
    customer: Text | None = None,
    partner: Text | None = None,
    subscription: Text | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
) -> Listing[OrderView]:
    """List order records, by instant, then sequence (EVT-09); `until` is exclusive."""
    page = store.orders(
        customer=customer,
        partner=partner,
        subscription=subscription,
        since=since,
        until=until,
        after=paged.after,
        limit=paged.limit,
    )
    return paged.listing(page, [OrderView.model_validate(each) for each in page])
