"""The calendar: what is due, the earliest first, and what will happen in the days to come."""

from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from sublife.events.forecast import ForecastError, Foreseen, forecast
from sublife.events.store import Store
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, TheStore, needs
from sublife.scheduler.api.body import Instant, Lifecycle, Text
from sublife.scheduler.api.page import LIMIT, MOST, Listing, Paged
from sublife.scheduler.api.view import DueView, StuckView

router = APIRouter(route_class=Route, tags=["calendar"])

LONGEST_DAYS = 3660


class ForeseenView(BaseModel):
    """One event that will happen, if nobody asks for anything else."""

    model_config = ConfigDict(from_attributes=True)

    at: datetime
    event_id: str
    event: str
    subject: str
    lifecycle: str
    customer: str
    partner: str
    state_before: str
    state: str
    facts: list[str]
    rules: list[str]
    cause: str | None


class ForecastView(BaseModel):
    """What will happen, in order of time."""

    until: datetime
    items: list[ForeseenView]
    complete: bool = Field(description="false where there is more than the limit lets through")
    stuck: list[StuckView] = Field(description="subjects of which it is not known")


@router.get("/v1/due", openapi_extra=needs(Role.READ))
def list_due(store: TheStore, paged: Paged, until: Instant | None = None) -> Listing[DueView]:
    """List subjects with a timer and when it is due; `until` is inclusive."""
    page = store.due(until, after=paged.after, limit=paged.limit)
    return paged.listing(page, [DueView.of(each) for each in page])


@router.get("/v1/forecast", openapi_extra=needs(Role.READ))
def show_forecast(
    store: TheStore,
    days: Annotated[int, Query(ge=0, le=LONGEST_DAYS, description="how far to look")] = 30,
    customer: Text | None = None,
    partner: Text | None = None,
    lifecycle: Lifecycle | None = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="events at most")] = LIMIT,
) -> ForecastView:
    """Show what will happen in the days to come, by the rules and figures that will decide it.

    The calendar of the tenant is run forward for it, or that of one customer, which is quicker;
    nothing is written.
    """
    until = store.clock.now() + timedelta(days=days)
    found, stuck = _foreseen(store, until, limit + 1, customer, partner, lifecycle)
    return ForecastView(
        until=until,
        items=[ForeseenView.model_validate(each) for each in found[:limit]],
        complete=len(found) <= limit,
        stuck=stuck,
    )


def _foreseen(
    store: Store,
    until: datetime,
    limit: int,
    customer: str | None,
    partner: str | None,
    lifecycle: str | None,
) -> tuple[list[Foreseen], list[StuckView]]:
    found: list[Foreseen] = []
    coming = forecast(store, until, customer=customer, partner=partner, lifecycle=lifecycle)
    try:
        found.extend(islice(coming, limit))
    except ForecastError as error:
        return found, [StuckView.model_validate(each) for each in error.stuck]
    finally:
        coming.close()
    return found, []
