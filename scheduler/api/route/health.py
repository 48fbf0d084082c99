"""Health: whether the process lives, whether it can serve, what it counts, what it offers."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, Field

from sublife.events.logs import log
from sublife.events.store import StoreError
from sublife.events.store.error import UnreadableError
from sublife.events.store.schema import look
from sublife.events.token import Role
from sublife.scheduler.api.access import Route, Scope, TheInterface, needs
from sublife.scheduler.api.interface import Interface
from sublife.scheduler.api.problem import problem
from sublife.scheduler.metrics import MEDIA_TYPE as METRICS

MOST = 10
"""Subjects that are named."""
router = APIRouter(route_class=Route, tags=["health"])


class Health(BaseModel):
    """That all is well."""

    status: str


class Readiness(Health):
    """That requests can be served, and what an operator should look at all the same."""

    stuck: list[str] | None = Field(
        None,
        description=f"ids of subjects that cannot be moved, at most {MOST}; doctor says why",
    )


@router.get("/healthz", openapi_extra=needs(None))
async def show_health() -> Health:
    """Show that the process lives; whoever gets no answer restarts it.

    It waits for no thread, so that requests that take long do not look like a process that hangs.
    """
    return Health(status="alive")


@router.get("/readyz", openapi_extra=needs(None), response_model=Readiness)
def show_readiness(interface: TheInterface) -> Response:
    """Show whether requests can be served: file, clock, database, schema, last beat of a daemon.

    Subjects that are stuck are named and leave it ready: all others are served.
    """
    code, sentence = _why_not(interface) or ("", "")
    if code:
        return problem(503, code, sentence, headers={"Retry-After": "1"})
    stuck = list(interface.stuck()[:MOST])
    return JSONResponse({"status": "ready", **({"stuck": stuck} if stuck else {})})


def _why_not(interface: Interface) -> tuple[str, str] | None:
    store, longest = interface.store, interface.limits.beat
    if (doubt := interface.doubt()) is not None:
        return doubt
    try:
        if not look(store.engine).is_current:
            return "SCHEMA", "the tables are of another release; run sublife migrate"
        if longest is None:
            return None
        now = interface.clock.now()
        known = store.daemons.all(left_out=_passed)
        beats = (each.beat_at for each in known if each.stopped_at is None)
        if not any(now - each <= longest for each in beats):
            return "NO_BEAT", f"no daemon has beaten for {longest.total_seconds():g} seconds"
    except StoreError as error:
        log.warning("not_ready", error=type(error).__name__)
        return "DATABASE", "the database does not answer"
    return None


def _passed(_error: UnreadableError) -> None:
    """Leave out a daemon whose row cannot be read: another one may have beaten."""


@router.get(
    "/metrics",
    openapi_extra=needs(Role.READ, Scope.INSTALLATION),
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def show_metrics(interface: TheInterface) -> Response:
    """Show what is counted, in the text format of Prometheus."""
    return Response(interface.metrics.text(), media_type=METRICS)


@router.get("/openapi.json", openapi_extra=needs(None), include_in_schema=False)
def show_document(request: Request) -> dict[str, Any]:
    """Show the OpenAPI document; its server is the prefix under which it is served, if any."""
    document: dict[str, Any] = request.app.openapi()
    prefix: str = request.scope.get("root_path", "")
    return document | ({"servers": [{"url": prefix}]} if prefix else {})
