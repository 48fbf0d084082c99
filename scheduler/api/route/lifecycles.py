"""Lifecycles: their states, requests and timers, and the JSON Schema of every payload."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from sublife.events.codec import adapter
from sublife.events.token import Role
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import Lifecycle
from sublife.scheduler.api.access import Route, needs
from sublife.scheduler.api.body import Name
from sublife.scheduler.api.problem import Problem

router = APIRouter(route_class=Route, tags=["lifecycles"])

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LifecycleName = Annotated[
    Name, Path(description="name of the lifecycle", examples=["subscription"])
]


class LifecycleView(BaseModel):
    """A lifecycle."""

    name: str
    states: list[str] = Field(description="in the order a subject meets them")
    final: list[str] = Field(description="that nothing leaves")
    requests: list[str]
    timers: list[str]

    @classmethod
    def of(cls, lifecycle: Lifecycle) -> "LifecycleView":
        """Return a lifecycle as it is shown."""
        return cls(
            name=lifecycle.name,
            states=list(map(str, lifecycle.states)),
            final=sorted(map(str, lifecycle.final)),
            requests=[each for each in lifecycle.requests if each not in lifecycle.internal],
            timers=list(lifecycle.ticks),
        )


@router.get("/v1/lifecycles", openapi_extra=needs(Role.READ))
def list_lifecycles() -> list[LifecycleView]:
    """List the lifecycles there are."""
    return [LifecycleView.of(each) for each in LIFECYCLES.values()]


@router.get("/v1/lifecycles/{lifecycle}", openapi_extra=needs(Role.READ))
def show_lifecycle(lifecycle: LifecycleName) -> LifecycleView:
    """Show a lifecycle."""
    return LifecycleView.of(lifecycle_named(lifecycle))


@router.get("/v1/lifecycles/{lifecycle}/snapshot", openapi_extra=needs(Role.READ))
def show_snapshot_schema(lifecycle: LifecycleName) -> dict[str, Any]:
    """Show the JSON Schema of a snapshot."""
    shape = lifecycle_named(lifecycle).snapshot
    return {"$schema": DIALECT, **adapter(shape).json_schema(mode="serialization")}


@router.get("/v1/lifecycles/{lifecycle}/requests/{request}", openapi_extra=needs(Role.READ))
def show_request_schema(
    lifecycle: LifecycleName,
    request: Annotated[Name, Path(description="name of a request", examples=["suspend"])],
) -> dict[str, Any]:
    """Show the JSON Schema of a request's payload, the `data` of an event."""
    found = lifecycle_named(lifecycle)
    if request not in found.requests or request in found.internal:
        raise Problem(
            404,
            "UNKNOWN_REQUEST",
            f"{lifecycle} has no request {request}; /v1/lifecycles/{lifecycle} lists them",
        )
    return {"$schema": DIALECT, **adapter(found.requests[request]).json_schema()}
