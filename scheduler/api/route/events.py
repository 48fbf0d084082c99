"""Events: a request to a subject, taken in once however often it is sent; why a fact happened."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Response
from pydantic import StringConstraints
from pydantic.json_schema import SkipJsonSchema

from sublife.events.intake import EventIdTakenError, Outcome, submit
from sublife.events.store import Store
from sublife.events.token import VIA, Role
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import ABSENT, Actor, Event
from sublife.scheduler.api.access import Route, TheCaller, TheInterface, TheStore, needs
from sublife.scheduler.api.body import Submission, payload_of
from sublife.scheduler.api.problem import Problem, documented, refused
from sublife.scheduler.api.route.subjects import SubjectId
from sublife.scheduler.api.view import OutcomeView
from sublife.scheduler.tracing import span

router = APIRouter(route_class=Route, tags=["events"])

REPLAYED = "Idempotent-Replayed"
_KEY = r"^[!-~]{1,200}$"

Key = Annotated[
    str,
    StringConstraints(pattern=_KEY),
    Header(
        alias="Idempotency-Key",
        description="becomes the event's id; sent again, the request has the outcome of the first "
        "time. Printable ASCII, with or without quotes",
    ),
]
IfMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-Match",
        pattern=r'^("\d{1,9}"|\*)$',
        description="the ETag that was seen, or * for any; else 412",
    ),
]
IfNoneMatch = Annotated[
    Literal["*"] | SkipJsonSchema[None],
    Header(alias="If-None-Match", description="*: the subject must be new; else 412"),
]

_HEADERS = {
    name: {"description": text, "schema": {"type": "string"}}
    for name, text in (
        ("ETag", "the subject's version"),
        (REPLAYED, "true, where this is the outcome of the first time"),
    )
}


@router.post(
    "/v1/subjects/{subject}/events",
    openapi_extra=needs(Role.OPERATE),
    responses={
        200: {"headers": _HEADERS},
        201: {"model": OutcomeView, "description": "The subject is new", "headers": _HEADERS},
        **documented(409, 412),
    },
)
def submit_event(
    subject: SubjectId,
    asked: Submission,
    key: Key,
    caller: TheCaller,
    store: TheStore,
    interface: TheInterface,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> OutcomeView:
    """Put a request to a subject.

    What is due by its instant happens first (GEN-08). A rule that says no is answered with 409 and
    its code, rule and sentence; it is written down and changes nothing.
    """
    event = _event(subject, asked, _unquoted(key), caller.actor, store)
    expected = _expected(store, subject, if_match, if_none_match)
    about = {"sublife.request": event.name, "sublife.lifecycle": event.lifecycle}
    with span("submit", about):
        outcome = submit(store, event, expected_version=expected)
    if outcome.repeated:
        _check_same(asked, event.actor, outcome)
    headers = {"ETag": f'"{outcome.version}"'} | ({REPLAYED: "true"} if outcome.repeated else {})
    if outcome.refusal is not None:
        if not outcome.repeated:
            interface.metrics.refused(outcome.refusal.code)
        raise refused(outcome.refusal, subject, headers)
    response.headers.update(headers)
    response.status_code = 201 if outcome.state_before == ABSENT else 200
    return OutcomeView.of(outcome)


def _unquoted(key: str) -> str:
    """Return a key without the quotes that the draft standard has around it."""
    return key[1:-1] if len(key) > 2 and key[0] == key[-1] == '"' else key


def _event(subject: str, asked: Submission, key: str, caller: Actor, store: Store) -> Event:
    lifecycle = asked.lifecycle or _lifecycle_of(store, subject)
    try:
        data = payload_of(asked, lifecycle)
    except UnknownLifecycleError as error:
        fault = {"pointer": "/lifecycle", "detail": str(error)}
        raise Problem(422, "UNKNOWN_LIFECYCLE", str(error), errors=[fault]) from error
    actor = caller if asked.by is None else asked.by.actor(caller)
    at = asked.at or store.clock.now()
    return Event(key, asked.request, subject, at, actor, data, None, lifecycle)


def _lifecycle_of(store: Store, subject: str) -> str:
    with store.preview() as tx:
        held = tx.held(subject)
    return held.lifecycle if held else "subscription"


def _expected(
    store: Store, subject: str, if_match: str | None, if_none_match: str | None
) -> int | None:
    """Return the version that the conditions ask for; `None` if they ask for none.

    Raises:
        Problem: 400 where they contradict each other, 412 where any version is asked for and
            there is none.
    """
    if if_none_match is not None and if_match is not None:
        raise Problem(400, "BAD_CONDITION", "If-Match and If-None-Match cannot both hold; send one")
    if if_none_match is not None:
        return 0
    if if_match == "*" and store.get(subject) is None:
        raise Problem(412, "STALE_VERSION", f"{subject} does not exist; If-Match * needs it to")
    return None if if_match in {None, "*"} else int(str(if_match).strip('"'))


def _check_same(asked: Submission, actor: Actor, first: Outcome) -> None:
    """Refuse a known key with another date, lifecycle or actor; the intake looks at the rest.

    A retry may come by way of another token, after one was replaced, and may leave the date and
    the lifecycle to us again. On whose behalf it asks is part of what it asks for.
    """
    was = first.event
    differs = (
        (asked.at is not None and asked.at != was.at)
        or (asked.lifecycle is not None and asked.lifecycle != was.lifecycle)
        or _acting(actor) != _acting(was.actor)
    )
    if differs:
        raise EventIdTakenError(
            f"the key {was.id} belongs to a {was.name} of another instant or actor; give this one "
            "a key of its own"
        )


def _acting(actor: Actor) -> Actor:
    """Return who acts, without the token that asks; nobody is named where the token acts itself."""
    name, via, _ = actor.id.partition(VIA)
    return replace(actor, id=name if via else "")
