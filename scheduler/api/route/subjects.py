"""Subjects: how one stands, what happened to it, what may be asked of it."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import AfterValidator, BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from sublife.events.intake import held_at
from sublife.events.permission import allowed, may
from sublife.events.store import Held, Store
from sublife.events.token import Role
from sublife.lifecycle.machine import UnknownSubjectError, lifecycle_named
from sublife.lifecycle.model import Permission
from sublife.scheduler.api.access import Route, TheStore, needs
from sublife.scheduler.api.body import AnId, Instant, Name, Text
from sublife.scheduler.api.condition import MATCH, condition
from sublife.scheduler.api.page import Listing, Paged
from sublife.scheduler.api.path import segment
from sublife.scheduler.api.problem import Problem
from sublife.scheduler.api.view import EntryView, RefusalView, SubjectView

router = APIRouter(route_class=Route, tags=["subjects"])

SubjectId = Annotated[
    Text,
    Path(description="id of the subject; a slash in it is sent as %2F", examples=["sub-1"]),
    AfterValidator(segment),
    AnId,
]
At = Instant | None


class AllowedView(BaseModel):
    """The requests that may be made of a subject."""

    requests: list[str] = Field(description="in the lifecycle's own order")


class MayView(BaseModel):
    """Whether a request may be made of a subject; its payload can still be refused."""

    request: str
    may: bool
    rules: list[str] = Field(description="that would decide it, or the one that refuses")
    refusal: RefusalView | None

    @classmethod
    def of(cls, found: Permission) -> "MayView":
        """Return an answer as it is shown."""
        refusal = None if found.refusal is None else RefusalView.of(found.refusal)
        return cls(request=found.event, may=bool(found), rules=list(found.rules), refusal=refusal)


def seen(store: Store, subject: str) -> None:
    """Do nothing if a subject has been written down.

    What looks further, for a subject that is only about to be, settles the whole tenant in a
    preview: a mistyped id shall not cost that.

    Raises:
        UnknownSubjectError: it has not.
    """
    if store.get(subject) is None:
        raise UnknownSubjectError(f"there is no subject {subject}; fix the id")


def standing(store: Store, subject: str) -> Held:
    """Return a subject as it stands once everything due by now has happened.

    Raises:
        UnknownSubjectError: there is none.
    """
    seen(store, subject)
    now = store.clock.now()
    with store.preview() as tx:
        held = held_at(tx, subject, now)
    if held is None:
        raise UnknownSubjectError(f"there is no subject {subject}; fix the id")
    return held


_ETAG = {"ETag": {"schema": {"type": "string"}}}
IfNoneMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-None-Match",
        description="the ETag that was seen, or several; 304 where the subject is still at it",
        json_schema_extra={"pattern": MATCH},
    ),
]


@router.get(
    "/v1/subjects/{subject}",
    openapi_extra=needs(Role.READ),
    response_model=SubjectView,
    responses={
        200: {"headers": _ETAG},
        304: {"description": "The subject is at the version that was seen", "headers": _ETAG},
    },
)
def show_subject(
    subject: SubjectId, store: TheStore, response: Response, if_none_match: IfNoneMatch = None
) -> SubjectView | Response:
    """Show a subject as it stands now. Its version is the ETag, for `If-Match`."""
    known = condition("If-None-Match", if_none_match)
    found = SubjectView.of(standing(store, subject))
    tag = f'"{found.version}"'
    if known is not None and known.names_weakly(tag):
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    return found


@router.get("/v1/subjects/{subject}/history", openapi_extra=needs(Role.READ))
def show_history(subject: SubjectId, store: TheStore, paged: Paged) -> Listing[EntryView]:
    """Show what happened to a subject and what was refused, in order."""
    seen(store, subject)
    page = store.history(subject, after=paged.after, limit=paged.limit)
    return paged.listing(page, [EntryView.of(each) for each in page])


@router.get("/v1/subjects/{subject}/allowed", openapi_extra=needs(Role.READ))
def show_allowed(subject: SubjectId, store: TheStore, at: At = None) -> AllowedView:
    """Show the requests that may be made of a subject, now or at an instant to come."""
    seen(store, subject)
    return AllowedView(requests=list(allowed(store, subject, at=at)))


@router.get("/v1/subjects/{subject}/may/{request}", openapi_extra=needs(Role.READ))
def show_may(
    subject: SubjectId,
    request: Annotated[Name, Path(description="name of a request", examples=["suspend"])],
    store: TheStore,
    at: At = None,
) -> MayView:
    """Show whether a request may be made of a subject, by the very rules that decide it."""
    held = standing(store, subject)
    known = lifecycle_named(held.lifecycle).requests
    if request not in known:
        raise Problem(
            404,
            "UNKNOWN_REQUEST",
            f"{held.lifecycle} has no request {request}; use one of " + ", ".join(known),
        )
    return MayView.of(may(store, subject, request, at=at))
