"""Pauses: the calendar of a tenant, of a lifecycle or of everything stands still for a while."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sublife.events.pause import Pause, PauseError, pause, resume
from sublife.events.store import Store
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, Scope, TheCaller, TheInterface, TheStore, needs
from sublife.scheduler.api.body import Lifecycle, Name, Shape, Text
from sublife.scheduler.api.problem import Problem, documented

router = APIRouter(route_class=Route, tags=["pauses"])


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; say something")
    return text


Tenant = Annotated[Name, AfterValidator(_said)]


class NewPause(Shape):
    """What to pause of the tenant."""

    reason: Annotated[Text, AfterValidator(_said)] = Field(description="for those who meet it")
    lifecycle: Lifecycle | None = Field(None, description="only this one; all if not given")


class NewPauseOfAny(NewPause):
    """What to pause of any tenant."""

    tenant: Tenant | None = Field(None, description="only this one; every tenant if not given")


class PauseView(BaseModel):
    """What is paused, and who did it."""

    model_config = ConfigDict(from_attributes=True)

    tenant: str | None = Field(description="null is every tenant")
    lifecycle: str | None = Field(description="null is every lifecycle")
    paused_at: datetime
    paused_by: str
    reason: str


Only = Annotated[Lifecycle | None, Query(description="the lifecycle, where one is paused alone")]


@router.get("/v1/pauses", openapi_extra=needs(Role.READ))
def list_pauses(store: TheStore) -> list[PauseView]:
    """List what is paused of the tenant, that of every tenant first."""
    return [PauseView.model_validate(each) for each in store.pauses.of(store.tenant)]


@router.post("/v1/pauses", status_code=201, openapi_extra=needs(Role.OPERATE))
def pause_tenant(asked: NewPause, store: TheStore, caller: TheCaller) -> PauseView:
    """Let the calendar of the tenant stand still; what falls due meanwhile happens afterwards."""
    found = pause(
        store,
        by=caller.name,
        reason=asked.reason,
        tenant=store.tenant,
        lifecycle=asked.lifecycle,
    )
    return PauseView.model_validate(found)


@router.delete("/v1/pauses", openapi_extra=needs(Role.OPERATE), responses=documented(404))
def resume_tenant(store: TheStore, caller: TheCaller, lifecycle: Only = None) -> PauseView:
    """Let the calendar of the tenant go on, and return the pause that has ended."""
    return PauseView.model_validate(_resumed(store, caller.name, store.tenant, lifecycle))


@router.get("/v1/installation/pauses", openapi_extra=needs(Role.READ, Scope.INSTALLATION))
def list_all_pauses(interface: TheInterface) -> list[PauseView]:
    """List what is paused of any tenant."""
    return [PauseView.model_validate(each) for each in interface.store.pauses.all()]


@router.post(
    "/v1/installation/pauses",
    status_code=201,
    openapi_extra=needs(Role.ADMIN, Scope.INSTALLATION),
)
def pause_any(asked: NewPauseOfAny, interface: TheInterface, caller: TheCaller) -> PauseView:
    """Let the calendar of a tenant stand still, or of all."""
    found = pause(
        interface.store,
        by=caller.name,
        reason=asked.reason,
        tenant=asked.tenant,
        lifecycle=asked.lifecycle,
    )
    return PauseView.model_validate(found)


@router.delete(
    "/v1/installation/pauses",
    openapi_extra=needs(Role.ADMIN, Scope.INSTALLATION),
    responses=documented(404),
)
def resume_any(
    interface: TheInterface,
    caller: TheCaller,
    tenant: Annotated[Tenant | None, Query(description="the tenant, where one is paused")] = None,
    lifecycle: Only = None,
) -> PauseView:
    """Let the calendar go on, and return the pause that has ended."""
    return PauseView.model_validate(_resumed(interface.store, caller.name, tenant, lifecycle))


def _resumed(store: Store, by: str, tenant: str | None, lifecycle: str | None) -> Pause:
    """End a pause; the error's own words would name what is paused of other tenants.

    Raises:
        Problem: 404, where just that is not paused.
    """
    try:
        return resume(store, by=by, tenant=tenant, lifecycle=lifecycle)
    except PauseError as error:
        raise Problem(
            404, "NOT_PAUSED", "just that is not paused; the list of pauses shows what is"
        ) from error
