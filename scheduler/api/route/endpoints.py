"""Endpoints: where facts are posted to, and the secrets that sign them."""

import secrets
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sublife.events.outbox import Body, Endpoint, Filters, add_endpoint, rotate_secret
from sublife.events.outbox.endpoint import new_secret
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, TheInterface, TheStore, needs
from sublife.scheduler.api.body import AnId, Name, Shape, Text
from sublife.scheduler.api.path import segment
from sublife.scheduler.api.problem import documented

router = APIRouter(route_class=Route, tags=["endpoints"])

SECRET_BYTES = 32
MOST_FILTERS = 100
EndpointId = Annotated[
    Name,
    Path(description="id of the endpoint", examples=["billing"]),
    AfterValidator(segment),
    AnId,
]
Names = Annotated[tuple[Text, ...], Field(max_length=MOST_FILTERS)]


class FilterShape(Shape):
    """Which facts an endpoint wants; what names nothing wants all."""

    model_config = ConfigDict(from_attributes=True)

    facts: Names = ()
    lifecycles: Names = ()
    customers: Names = ()
    partners: Names = ()


class NewEndpoint(Shape):
    """Where to post to; addresses that are not public are for the command line to allow."""

    id: Annotated[Name, AnId]
    url: Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^[!-~]+$")]
    body: Body = Body.CLOUDEVENTS
    filters: FilterShape = FilterShape()
    from_start: bool = Field(
        default=False, description="post all facts there are, not only new ones"
    )


class EndpointView(BaseModel):
    """An endpoint, without its secrets."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    url: str
    body: Body
    filters: FilterShape
    previous_until: datetime | None = Field(description="until when the secret before signs too")
    paused_at: datetime | None
    paused_because: str | None


class NewEndpointView(EndpointView):
    """A new endpoint, with its secret, which is shown now and never again."""

    secret: str


class Overlap(Shape):
    """How long the secret before stays valid."""

    hours: float = Field(24, ge=0, le=720)


class SecretView(BaseModel):
    """A new secret, which is shown now and never again."""

    id: str
    secret: str
    previous_until: datetime


@router.get("/v1/endpoints", openapi_extra=needs(Role.READ))
def list_endpoints(store: TheStore) -> list[EndpointView]:
    """List the endpoints, in order of their ids, without their secrets."""
    return [EndpointView.model_validate(each) for each in store.endpoints.all()]


@router.post(
    "/v1/endpoints",
    status_code=201,
    openapi_extra=needs(Role.ADMIN),
    responses=documented(409),
)
def create_endpoint(
    asked: NewEndpoint, store: TheStore, interface: TheInterface
) -> NewEndpointView:
    """Add an endpoint. Its secret is shown now and never again."""
    wanted = asked.filters
    endpoint = Endpoint(
        id=asked.id,
        url=asked.url,
        body=asked.body,
        filters=Filters(wanted.facts, wanted.lifecycles, wanted.customers, wanted.partners),
        secret=new_secret(secrets.token_bytes(SECRET_BYTES)),
    )
    add_endpoint(store, endpoint, interface.clock.now(), from_start=asked.from_start)
    return NewEndpointView.model_validate(endpoint)


@router.get("/v1/endpoints/{endpoint}", openapi_extra=needs(Role.READ))
def show_endpoint(endpoint: EndpointId, store: TheStore) -> EndpointView:
    """Show an endpoint, without its secrets."""
    return EndpointView.model_validate(store.endpoints.get(endpoint))


@router.delete("/v1/endpoints/{endpoint}", status_code=204, openapi_extra=needs(Role.ADMIN))
def remove_endpoint(endpoint: EndpointId, store: TheStore) -> None:
    """Take an endpoint away, with all that is still on its way to it."""
    store.endpoints.get(endpoint)
    store.endpoints.remove(endpoint)


@router.post("/v1/endpoints/{endpoint}/rotate", openapi_extra=needs(Role.ADMIN))
def rotate_endpoint(
    endpoint: EndpointId, asked: Overlap, store: TheStore, interface: TheInterface
) -> SecretView:
    """Sign with a new secret, and for a while with the one before as well."""
    secret = new_secret(secrets.token_bytes(SECRET_BYTES))
    overlap = timedelta(hours=asked.hours)
    until = rotate_secret(store, endpoint, secret, now=interface.clock.now(), overlap=overlap)
    return SecretView(id=endpoint, secret=secret, previous_until=until)
