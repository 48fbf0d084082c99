"""Deliveries: what is on its way to handlers and endpoints, what was given up; sending it again."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from sublife.events.outbox import Status
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, TheInterface, TheStore, needs
from sublife.scheduler.api.body import Name, Shape, Text
from sublife.scheduler.api.page import Listing, Paged
from sublife.scheduler.api.problem import documented
from sublife.scheduler.api.view import DeliveryView

router = APIRouter(route_class=Route, tags=["deliveries"])

FactId = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]+#\d{1,9}$")]


class Again(Shape):
    """What to send again: one fact, or all that was given up."""

    endpoint: Name = Field(description="the endpoint or handler")
    fact_id: FactId | None = Field(None, description="of one delivery that has ended")
    dead: bool = Field(default=False, description="all that was given up")

    @model_validator(mode="after")
    def _says_what(self) -> "Again":
        if self.dead == (self.fact_id is not None):
            raise ValueError("give either fact_id or dead")
        return self


class AgainView(BaseModel):
    """How many deliveries are due again."""

    endpoint: str
    due_again: int


@router.get("/v1/deliveries", openapi_extra=needs(Role.READ))
def list_deliveries(
    store: TheStore,
    paged: Paged,
    status: Status | None = None,
    endpoint: Name | None = None,
    subject: Text | None = None,
    fact: Text | None = None,
) -> Listing[DeliveryView]:
    """List deliveries, the oldest first."""
    page = store.deliveries.list(
        status=status,
        consumer=endpoint,
        subject=subject,
        fact=fact,
        after=paged.after,
        limit=paged.limit,
    )
    return paged.listing(page, [DeliveryView.of(each) for each in page])


@router.post("/v1/deliveries/resend", openapi_extra=needs(Role.OPERATE), responses=documented(404))
def resend(asked: Again, store: TheStore, interface: TheInterface) -> AgainView:
    """Make one ended delivery due again, or all that was given up; one that is due stays so."""
    now = interface.clock.now()
    if asked.fact_id is None:
        count = store.deliveries.resend_dead(asked.endpoint, now)
    else:
        event_id, _, number = asked.fact_id.rpartition("#")
        was = store.deliveries.resend(asked.endpoint, event_id, int(number), now)
        count = int(was.status is not Status.PENDING)
    return AgainView(endpoint=asked.endpoint, due_again=count)
