"""Every no as problem details (RFC 9457): refusals with code, rule and sentence; errors."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from examples.backend.billing import CreditLimitError, UnknownCustomerError
from sublife import (
    ConflictError,
    CursorError,
    EventIdTakenError,
    LimitError,
    LockedError,
    ModelError,
    Refusal,
    StaleVersionError,
    StoreError,
    UnknownSubjectError,
)

STATUS: Mapping[type[Exception], tuple[int, str]] = {
    CreditLimitError: (409, "CREDIT_LIMIT"),
    UnknownCustomerError: (404, "UNKNOWN_CUSTOMER"),
    UnknownSubjectError: (404, "UNKNOWN_SUBSCRIPTION"),
    StaleVersionError: (412, "STALE_VERSION"),
    EventIdTakenError: (422, "IDEMPOTENCY_KEY_TAKEN"),
    ModelError: (422, "BAD_REQUEST_DATA"),
    CursorError: (400, "BAD_CURSOR"),
    LimitError: (400, "BAD_LIMIT"),
    ConflictError: (503, "BUSY"),
    LockedError: (503, "BUSY"),
    StoreError: (503, "DATABASE"),
}


def problem(
    status: int,
    code: str,
    sentence: str,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """Return problem details."""
    body = {"type": "about:blank", "title": code, "status": status, "detail": sentence}
    return JSONResponse(
        {**body, "code": code, **more},
        status,
        headers=headers,
        media_type="application/problem+json",
    )


def refused(refusal: Refusal, *, headers: Mapping[str, str]) -> JSONResponse:
    """Return a refusal: what a client shows, and the rule it can look up."""
    return problem(
        409,
        refusal.code,
        refusal.sentence,
        headers=headers,
        rule=refusal.rule,
        details=dict(refusal.details),
    )


def add_problems(app: FastAPI) -> None:
    """Let the application answer every error of ours as problem details."""
    for kind, (status, code) in STATUS.items():
        app.add_exception_handler(kind, _answering(status, code))


def _answering(status: int, code: str) -> Any:
    headers = {"Retry-After": "1"} if status == 503 else None

    def answer(_request: Request, error: Exception) -> JSONResponse:
        return problem(status, code, str(error), headers=headers)

    return answer
