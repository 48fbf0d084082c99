"""The application: every router, the OpenAPI document, and problem details for the rest."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from sublife.scheduler.api.access import Route
from sublife.scheduler.api.form import Form
from sublife.scheduler.api.head import Head
from sublife.scheduler.api.interface import Interface
from sublife.scheduler.api.path import Segments, beside
from sublife.scheduler.api.problem import ProblemDetails, answer_of, problem
from sublife.scheduler.api.route import (
    calendar,
    clocks,
    deliveries,
    endpoints,
    events,
    explanations,
    health,
    lifecycles,
    pauses,
    records,
    subjects,
)

VERSION = "1"
ROUTERS = (
    subjects.router,
    events.router,
    explanations.router,
    records.router,
    calendar.router,
    endpoints.router,
    deliveries.router,
    pauses.router,
    clocks.router,
    lifecycles.router,
    health.router,
)
_ABOUT = """The HTTP interface of a subscription lifecycle engine.

Every no is problem details (RFC 9457): a refusal has its code, its rule and a sentence. An address
that does not exist is answered with 404, a method that an address does not take with 405 and the
header Allow. `x-role` says which role a token needs, `x-scope` whether it must be a token of one
tenant or of the whole installation.
"""


def create_app(interface: Interface) -> FastAPI:
    """Return the application of an interface."""
    app = FastAPI(
        title="sublife",
        version=VERSION,
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.interface = interface
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Segments)
    app.add_middleware(Form)
    app.add_middleware(Head)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(Exception, _unexpected)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _answer(request: Request, error: Exception) -> Response:
    found = answer_of(error)
    assert found is not None  # noqa: S101 – it is an HTTPException
    if found.status_code == 405:
        # One route alone knows its own method, but an address may have several routes.
        found.headers["Allow"] = ", ".join(_methods(beside(request.scope)))
    elif isinstance(error, HTTPException) and found.status_code == 404:
        document = f"{request.scope.get('root_path', '')}/openapi.json"
        sentence = f"there is nothing at this address; {document} lists what there is"
        return problem(404, "NOT_FOUND", sentence)
    return found


def _methods(path: str) -> list[str]:
    routes = [each for router in ROUTERS for each in router.routes if isinstance(each, Route)]
    at_path = [each for each in routes if each.path_regex.match(path)]
    methods = {method for each in at_path for method in each.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _unexpected(_request: Request, _error: Exception) -> Response:
    return problem(500, "INTERNAL_ERROR", "something went wrong here")


def _document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        parts = document["components"]
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        parts["schemas"] |= schema.pop("$defs") | {"ProblemDetails": schema}
        parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        for name in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema
