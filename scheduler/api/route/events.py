"""Events: a request to a subject, taken in once however often it is sent; why a fact happened."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

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
from sublife.scheduler.api.condition import MATCH, condition
from sublife.scheduler.api.problem import Problem, documented, refused
from sublife.scheduler.api.route.subjects import SubjectId, standing
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
        description="the ETag that was seen, several with commas between them, or * for any; else "
        "412. A weak tag never matches",
        json_schema_extra={"pattern": MATCH},
    ),
]
IfNoneMatch = Annotated[
    str | SkipJsonSchema[None],
    Header(
        alias="If-None-Match",
        description="*: the subject must be new; else 412",
        json_schema_extra={"const": "*"},
    ),
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
        Problem: 400 where one is malformed or they contradict each other, 412 where no version
            can match, or any is asked for and there is none.
    """
    match, none_match = condition("If-Match", if_match), condition("If-None-Match", if_none_match)
    if none_match is not None and match is not None:
        raise Problem(400, "BAD_CONDITION", "If-Match and If-None-Match cannot both hold; send one")
    if none_match is not None:
        if not none_match.is_any:
            raise Problem(400, "BAD_CONDITION", "If-None-Match: a request takes * alone; send *")
        return 0
    if match is None:
        return None
    if match.is_any:
        if store.get(subject) is None:
            raise Problem(412, "STALE_VERSION", f"{subject} does not exist; If-Match * needs it to")
        return None
    return _one_of(match.versions, store, subject)


def _one_of(versions: Sequence[int], store: Store, subject: str) -> int:
    """Return the version to expect: of several, the one at which the subject is."""
    if not versions:
        raise Problem(
            412,
            "STALE_VERSION",
            "If-Match names no version: it takes the ETag of GET as it is, without W/ before it; "
            "look at the subject again, then decide",
        )
    if len(versions) == 1 or store.get(subject) is None:
        return versions[0]
    found = standing(store, subject).snapshot.version
    return found if found in versions else versions[0]


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
