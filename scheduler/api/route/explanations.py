"""Explanations: why a fact happened, by which rules, figures and dates, and what led to it."""

from typing import Annotated

from fastapi import APIRouter, Query

from sublife.events.token import Role
from sublife.events.why import Explanation, UnknownIdError, why
from sublife.scheduler.api.access import Route, TheStore, needs
from sublife.scheduler.api.problem import Problem, documented

router = APIRouter(route_class=Route, tags=["explanations"])

Of = Annotated[
    str,
    Query(
        min_length=1,
        max_length=1000,
        pattern=r"^[^\x00]+$",
        description="id of a fact (its event's id, # and a number), an event or a record",
        examples=["order-1#0"],
    ),
]


@router.get("/v1/why", openapi_extra=needs(Role.READ), responses=documented(404))
def explain(of: Of, store: TheStore) -> Explanation:
    """Explain a fact, an event, a refusal or an activity record.

    The event is decided once more, on what was known then and under the pack of then; what that
    decision asks for is the explanation. Nothing is written.
    """
    try:
        return why(store, of)
    except UnknownIdError as error:
        raise Problem(404, "UNKNOWN_ID", f"there is no fact, event or record {of}") from error
