"""Every no as problem details (RFC 9457): refusals with code, rule and sentence; errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any, cast

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from sublife.events.intake import EventIdTakenError, EventInFutureError, StaleVersionError
from sublife.events.outbox.endpoint import EndpointError
from sublife.events.simulation import ForkError, OccupiedTenantError, SimulationError
from sublife.events.store import (
    ConflictError,
    CursorError,
    LimitError,
    LiveTenantError,
    LockedError,
    ReplacedError,
    SimulatedTenantError,
    StoreError,
    UnfitError,
)
from sublife.events.store.delivery import (
    ConsumerTakenError,
    UnknownConsumerError,
    UnknownDeliveryError,
)
from sublife.events.store.error import UnfitTextError, UnreadableError
from sublife.events.store.pause import PausedError
from sublife.events.webhook import ExtraMissingError
from sublife.events.webhook.address import AddressError
from sublife.lifecycle.machine import UnknownEventError, UnknownLifecycleError, UnknownSubjectError
from sublife.lifecycle.model import FigureError, ModelError, Refusal
from sublife.scheduler.api.brief import brief, encoded, few, plain, shown

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str | None = Field(None, description="where in the body, as a JSON Pointer")
    parameter: str | None = Field(None, description="which parameter or header")
    detail: str = Field(description="what is wrong, and what to do")


class ProblemDetails(BaseModel):
    """Why a request was not done (RFC 9457); nothing was changed, unless it says otherwise."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": True})

    type: str = Field(description="urn:sublife:problem: and the code, in small letters")
    title: str = Field(description="what the status means")
    status: int
    detail: str = Field(description="what a support agent can read out")
    code: str = Field(description="for programs")
    rule: str | None = Field(None, description="id of the rule that refuses")
    subject: str | None = Field(None, description="id of the subject it is about")
    details: dict[str, Any] | None = Field(None, description="figures behind a refusal")
    errors: list[Fault] | None = Field(None, description="what is wrong with the request")
    errors_left_out: int | None = Field(None, description="how many more errors there are")


class Problem(HTTPException):
    """A request that is not done, and why."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, sentence, headers=dict(headers) if headers else None)
        self.code = code
        self.more = more


@dataclass(frozen=True, slots=True)
class _Answer:
    """How one kind of error is answered; without a sentence, in the error's own words."""

    status: int
    code: str
    sentence: str | None = None


_OUT_OF_RANGE = _Answer(
    422, "OUT_OF_RANGE", "a date or a figure is beyond what can be reckoned with; fix it"
)
ANSWERS: Mapping[type[Exception], _Answer] = {
    UnknownSubjectError: _Answer(404, "UNKNOWN_SUBJECT"),
    UnknownConsumerError: _Answer(404, "UNKNOWN_ENDPOINT"),
    UnknownDeliveryError: _Answer(404, "UNKNOWN_DELIVERY"),
    UnknownLifecycleError: _Answer(404, "UNKNOWN_LIFECYCLE"),
    ConsumerTakenError: _Answer(409, "NAME_TAKEN"),
    SimulatedTenantError: _Answer(409, "SIMULATED_TENANT"),
    OccupiedTenantError: _Answer(409, "OCCUPIED_TENANT"),
    SimulationError: _Answer(409, "SIMULATION"),
    ForkError: _Answer(409, "FORK"),
    LiveTenantError: _Answer(409, "LIVE_TENANT"),
    PausedError: _Answer(409, "PAUSED"),
    StaleVersionError: _Answer(412, "STALE_VERSION"),
    EventIdTakenError: _Answer(422, "IDEMPOTENCY_KEY_REUSED"),
    EventInFutureError: _Answer(422, "EVENT_IN_FUTURE"),
    UnknownEventError: _Answer(422, "UNKNOWN_REQUEST"),
    FigureError: _OUT_OF_RANGE,
    ModelError: _Answer(422, "BAD_DATA"),
    EndpointError: _Answer(422, "BAD_ENDPOINT"),
    AddressError: _Answer(422, "BAD_ADDRESS"),
    OverflowError: _OUT_OF_RANGE,
    InvalidOperation: _OUT_OF_RANGE,
    UnfitError: _OUT_OF_RANGE,
    UnfitTextError: _Answer(
        422, "BAD_DATA", "a text has a character that no database can hold; remove it"
    ),
    CursorError: _Answer(
        400, "BAD_CURSOR", "the cursor is none of this list; follow the link in next, or begin anew"
    ),
    LimitError: _Answer(400, "BAD_LIMIT"),
    ConflictError: _Answer(503, "BUSY", "other writers came between; send it again"),
    LockedError: _Answer(503, "BUSY", "another process holds the database; send it again"),
    ExtraMissingError: _Answer(503, "NOT_INSTALLED"),
    ReplacedError: _Answer(
        503, "DATABASE", "the database file was lost; nothing is kept until the daemon is restarted"
    ),
    UnreadableError: _Answer(500, "UNREADABLE"),
    StoreError: _Answer(503, "DATABASE", "the database cannot do it now; send it again later"),
}
"""What the database itself says may carry a customer's data, so that is never passed on."""

_TITLES: Mapping[int, tuple[str, str]] = {
    400: ("Bad Request", "BAD_REQUEST"),
    401: ("Unauthorized", "UNAUTHORIZED"),
    403: ("Forbidden", "FORBIDDEN"),
    404: ("Not Found", "NOT_FOUND"),
    405: ("Method Not Allowed", "METHOD_NOT_ALLOWED"),
    409: ("Conflict", "CONFLICT"),
    412: ("Precondition Failed", "PRECONDITION_FAILED"),
    413: ("Content Too Large", "BODY_TOO_LARGE"),
    415: ("Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE"),
    422: ("Unprocessable Content", "BAD_DATA"),
    429: ("Too Many Requests", "TOO_MANY_REQUESTS"),
    500: ("Internal Server Error", "INTERNAL_ERROR"),
    503: ("Service Unavailable", "UNAVAILABLE"),
}


def problem(
    status: int,
    code: str,
    sentence: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return problem details, shortened where they would be long."""
    body = {
        "type": f"urn:sublife:problem:{code.lower().replace('_', '-')}",
        "title": _TITLES[status][0],
        "status": status,
        "detail": sentence,
        "code": code,
        **more,
    }
    return Response(encoded(brief(body)), status, headers=headers, media_type=MEDIA_TYPE)


def refused(refusal: Refusal, subject: str, headers: Mapping[str, str]) -> Problem:
    """Return a refusal: what a client shows, and the rule it can look up."""
    return Problem(
        409,
        refusal.code,
        refusal.sentence,
        headers=headers,
        rule=refusal.rule,
        subject=subject,
        details=dict(refusal.details),
    )


def answer_of(error: Exception) -> Response | None:
    """Return the answer to an error; `None` where it is one that should not be."""
    match error:
        case Problem():
            return problem(
                error.status_code, error.code, error.detail, headers=error.headers, **error.more
            )
        case StarletteHTTPException():
            return _of_http(error)
        case RequestValidationError():
            return _of_validation(error)
        case _:
            return _of_ours(error)


def _of_http(error: StarletteHTTPException) -> Response:
    status = error.status_code if error.status_code in _TITLES else 400
    sentences = {
        400: "the body cannot be read; send one JSON object in UTF-8",
        404: "there is nothing at this address; /openapi.json lists what there is",
        405: "this address does not take that method; the header Allow lists those it takes",
    }
    sentence = sentences.get(status, str(error.detail))
    return problem(status, _TITLES[status][1], sentence, headers=error.headers)


def _of_ours(error: Exception) -> Response | None:
    found = next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), None)
    if found is None:
        return None
    headers = {"Retry-After": "1"} if found.status == 503 else None
    subject = getattr(error, "subject", None)
    more = {"subject": subject} if isinstance(subject, str) and subject else {}
    sentence = found.sentence or _sentence(error)
    return problem(found.status, found.code, sentence, headers=headers, **more)


def _sentence(error: Exception) -> str:
    """Return an error in its own words; of a row that cannot be read, without what is in it."""
    if isinstance(error, UnreadableError):
        return f"{error.where}; nothing was changed. `sublife doctor` tells an operator what to do"
    return str(error)


def _of_validation(error: RequestValidationError) -> Response:
    found = [dict(cast("Mapping[str, Any]", each)) for each in error.errors()]
    if any(each["type"] == "json_invalid" for each in found):
        return problem(400, "BAD_JSON", "the body is not valid JSON; correct it")
    missing_key = any(str(each["loc"][-1]).lower() == "idempotency-key" for each in found)
    status, code = (400, "IDEMPOTENCY_KEY") if missing_key else (422, "BAD_DATA")
    named, left_out = few(found)
    return problem(status, code, **said_of([_fault(each, error.body) for each in named], left_out))


def said_of(faults: Sequence[Mapping[str, Any]], left_out: int = 0) -> dict[str, Any]:
    """Return what is wrong, as parts of a problem: one sentence, and the faults.

    Args:
        faults: at least one.
        left_out: how many there are besides.
    """
    first, more = faults[0], len(faults) - 1 + left_out
    where = first.get("pointer") or first.get("parameter") or "the body"
    further = f"; and {more} more" if more else ""
    said: dict[str, Any] = {"sentence": f"{plain(where)}: {plain(first['detail'])}{further}"}
    return said | {"errors": faults} | ({"errors_left_out": left_out} if left_out else {})


def _fault(error: Mapping[str, Any], body: object) -> dict[str, Any]:
    place, *loc = error["loc"]
    if place == "body":
        return {"pointer": pointer(loc, body), "detail": message(error)}
    return {"parameter": str(loc[-1] if loc else place), "detail": message(error)}


def pointer(loc: Sequence[str | int], value: object, root: Sequence[str | int] = ()) -> str:
    """Return where a fault is as a JSON Pointer (RFC 6901).

    Args:
        loc: pydantic's steps, among them names of shapes that are no part of the document.
        value: what the steps lead through.
        root: steps that lead to *value*.
    """
    steps: list[str | int] = list(root)
    for number, step in enumerate(loc):
        if _leads_on(value, step):
            value = cast("Any", value)[step]
        elif number < len(loc) - 1 or not _is_object(value):
            continue
        steps.append(step)
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _leads_on(value: object, step: str | int) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list) and isinstance(step, int) and step < len(cast("Any", value))


def message(error: Mapping[str, Any]) -> str:
    """Return what pydantic found, with the value and what to do."""
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown field; remove it or fix its name"
        case "missing" | "missing_argument":
            return "is missing; add it"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            said = str(error["msg"])
            return f"{shown(error.get('input'))}: {said[0].lower()}{said[1:]}"


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return problem details under these statuses, as OpenAPI has them."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {
            "description": _TITLES[status][0],
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status in sorted(statuses)
    }
