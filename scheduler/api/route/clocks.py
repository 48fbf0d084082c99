"""Clocks: what a tenant's clock shows, simulated tenants, forks of live subjects into them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from sublife.events.simulation import advance, fork, simulate
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, Scope, TheInterface, TheStore, needs
from sublife.scheduler.api.body import Instant, Name, Shape, Text
from sublife.scheduler.api.problem import documented
from sublife.scheduler.api.view import StuckView

router = APIRouter(route_class=Route, tags=["clocks"])

MOST_ROOTS = 100


class ClockView(BaseModel):
    """What the clock of a tenant shows."""

    tenant: str
    simulated: bool
    now: datetime


class Move(Shape):
    """How far to move a simulated clock."""

    to: Instant = Field(description="inclusive; not before what the clock shows")


class AdvancedView(BaseModel):
    """How far a simulated clock has moved, and what happened on the way."""

    model_config = ConfigDict(from_attributes=True)

    tenant: str
    since: datetime
    now: datetime
    count: int = Field(description="events that happened")
    stuck: list[StuckView]


class NewSimulation(Shape):
    """A tenant that goes by a clock of its own."""

    tenant: Name
    at: Instant | None = Field(None, description="what its clock shows first; now if not given")


class SimulationView(BaseModel):
    """A simulated tenant."""

    model_config = ConfigDict(from_attributes=True)

    tenant: str
    now: datetime
    created_at: datetime
    subjects: int
    next_due_at: datetime | None


class Fork(Shape):
    """Which live subjects to copy."""

    tenant: Name = Field(description="the live tenant that has them")
    subjects: Annotated[list[Text], Field(min_length=1, max_length=MOST_ROOTS)]
    into: Name = Field(description="a simulated tenant; a new one is made, and shows now")


class ForkedView(BaseModel):
    """What was copied: the subjects named, and all that their decisions read."""

    model_config = ConfigDict(from_attributes=True)

    tenant: str
    now: datetime
    subjects: list[str]
    events: int
    is_new: bool


@router.get("/v1/clock", openapi_extra=needs(Role.READ))
def show_clock(store: TheStore) -> ClockView:
    """Show what the tenant's clock shows: its own if it is simulated, else the real one."""
    shown = store.simulations.now(store.tenant)
    now = store.clock.now() if shown is None else shown
    return ClockView(tenant=store.tenant, simulated=shown is not None, now=now)


@router.post("/v1/clock/advance", openapi_extra=needs(Role.OPERATE), responses=documented(409))
def advance_clock(asked: Move, store: TheStore) -> AdvancedView:
    """Move the clock of a simulated tenant forward; all that is due on the way happens, in order.

    It is answered when all of it has happened. Who does not wait sends it again: it goes on.
    """
    return AdvancedView.model_validate(advance(store, asked.to, collect=False))


@router.get("/v1/installation/simulations", openapi_extra=needs(Role.READ, Scope.INSTALLATION))
def list_simulations(interface: TheInterface) -> list[SimulationView]:
    """List the simulated tenants."""
    return [SimulationView.model_validate(each) for each in interface.store.simulations.all()]


@router.post(
    "/v1/installation/simulations",
    status_code=201,
    openapi_extra=needs(Role.ADMIN, Scope.INSTALLATION),
    responses=documented(409),
)
def create_simulation(asked: NewSimulation, interface: TheInterface) -> SimulationView:
    """Make a tenant with nothing in it a simulated one."""
    return SimulationView.model_validate(simulate(interface.store, asked.tenant, asked.at))


@router.post(
    "/v1/installation/forks",
    status_code=201,
    openapi_extra=needs(Role.ADMIN, Scope.INSTALLATION),
    responses=documented(404, 409),
)
def fork_subjects(asked: Fork, interface: TheInterface) -> ForkedView:
    """Copy live subjects into a simulated tenant, to see their future there."""
    store = interface.store_of(asked.tenant)
    return ForkedView.model_validate(fork(store, asked.subjects, asked.into))
