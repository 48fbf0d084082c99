"""What is sent to a subject: a request with its payload, in the lifecycle's own shapes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict

from sublife.events.codec import adapter
from sublife.events.token import VIA
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.identifier import objection_to_id
from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import Actor, ActorKind, PartnerType, Payload, Role
from sublife.scheduler.api.brief import few, shown
from sublife.scheduler.api.problem import Problem, message, pointer, said_of

LONGEST = 500
"""Characters of one text: what is looked up must fit into an index."""
DEEPEST = 32
MOST = 2**31 - 1
"""The largest figure a column takes."""
_OF_OUR_TIMES = re.compile(r"^(19[7-9][0-9]|2[0-9]{3})-[0-9]{2}-[0-9]{2}T")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


def _written_out(at: object) -> object:
    if not (isinstance(at, str) and _OF_OUR_TIMES.match(at)):
        raise ValueError("an instant is written such as 2024-10-01T00:00:00Z; fix it")
    return at


def _of_our_times(at: datetime) -> datetime:
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        at = datetime.min.replace(tzinfo=UTC)
    if not FIRST <= at <= LAST:
        raise ValueError(f"an instant lies between {FIRST.year} and {LAST.year}; fix the date")
    return at


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    AfterValidator(_of_our_times),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": _OF_OUR_TIMES.pattern}),
]
"""An instant with its zone (GEN-01), written out in ISO 8601."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST, pattern=r"^[^\x00]+$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


def _may_be_id(text: str) -> str:
    if (objection := objection_to_id(text)) is not None:
        raise ValueError(objection)
    return text


AnId = AfterValidator(_may_be_id)
"""Refuses an id that could be taken for another, or reached by several addresses."""


def _known(lifecycle: str) -> str:
    if lifecycle not in LIFECYCLES:
        raise ValueError(f'no lifecycle "{lifecycle}"; use one of {", ".join(LIFECYCLES)}')
    return lifecycle


Lifecycle = Annotated[Name, AfterValidator(_known)]
"""The name of a lifecycle there is."""


class Shape(BaseModel):
    """A body or a part of one: closed, so that a misspelt field is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _names_no_caller(name: str) -> str:
    if VIA in name:
        raise ValueError(f'has "{VIA}", which joins a name and the caller; leave the caller out')
    return name


ActorName = Annotated[Name, AfterValidator(_names_no_caller)]


class By(Shape):
    """On whose behalf the caller asks; one of user, application, microsoft."""

    user: ActorName | None = Field(None, description="a person, by the id you know them by")
    application: ActorName | None = Field(None, description="a program, by name")
    microsoft: ActorName | None = Field(None, description="Microsoft, by the system that acts")
    role: Role | None = Field(None, description="the Partner Center role of a user (GEN-10)")
    partner: Text | None = Field(None, description="the partner tenant it acts for (GEN-11)")
    partner_type: PartnerType | None = Field(None, description="what kind of partner that is")

    @model_validator(mode="after")
    def _names_one(self) -> "By":
        if sum(each is not None for each in (self.user, self.application, self.microsoft)) > 1:
            raise ValueError("name at most one of user, application, microsoft")
        return self

    def actor(self, caller: Actor) -> Actor:
        """Return who acts: the one named, by way of the caller; or the caller itself."""
        for kind in (ActorKind.USER, ActorKind.APPLICATION, ActorKind.MICROSOFT):
            name: str | None = getattr(self, kind.value)
            if name is not None:
                return Actor(
                    kind, f"{name}{VIA}{caller.id}", self.role, self.partner, self.partner_type
                )
        return Actor(caller.kind, caller.id, self.role, self.partner, self.partner_type)


_PURCHASE: JsonDict = {
    "request": "purchase",
    "data": {
        "customer": "tailspin",
        "partner": "contoso",
        "product": {"sku": "E3", "name": "Office E3"},
        "quantity": 30,
        "term": "P1Y",
        "billing": "monthly",
    },
}
_SUSPEND: JsonDict = {"request": "suspend", "by": {"user": "amy"}, "data": {"reasons": ["unpaid"]}}


class Submission(Shape):
    """A request to a subject."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PURCHASE, _SUSPEND]})

    request: Name = Field(description="its name, such as `suspend`")
    lifecycle: Name | None = Field(
        None, description="of the subject; its own, or subscription for a new one, if not given"
    )
    at: Instant | None = Field(None, description="when it happened; now if not given")
    by: By | None = Field(None, description="on whose behalf; the token itself if not given")
    data: dict[str, Any] = Field(
        default_factory=dict[str, Any],
        description="the request's payload; /v1/lifecycles has the JSON Schema of each",
    )


def payload_of(asked: Submission, lifecycle: str) -> Payload:
    """Return the payload of a request in the shape that its lifecycle has for it.

    Raises:
        Problem: there is no such request, or the data is not what it carries; every fault with
            its place, value and remedy.
    """
    found = lifecycle_named(lifecycle)
    if asked.request not in found.requests or asked.request in found.internal:
        known = ", ".join(each for each in found.requests if each not in found.internal)
        detail = f'{lifecycle} has no request "{asked.request}"; use one of {known}'
        raise _wrong("UNKNOWN_REQUEST", [{"pointer": "/request", "detail": detail}])
    unfit, left_out = few(_unfit(asked.data))
    if unfit:
        raise _wrong("BAD_DATA", unfit, left_out)
    try:
        return adapter(found.requests[asked.request]).validate_json(json.dumps(asked.data))
    except ValidationError as error:
        named, left_out = few(cast("list[dict[str, Any]]", error.errors(include_url=False)))
        told = [
            {"pointer": pointer(each["loc"], asked.data, ("data",)), "detail": message(each)}
            for each in named
        ]
        raise _wrong("BAD_DATA", told, left_out) from error


def _wrong(code: str, faults: Sequence[Mapping[str, str]], left_out: int = 0) -> Problem:
    return Problem(422, code, **said_of(faults, left_out))


def _unfit(data: object) -> Iterator[dict[str, str]]:
    """Yield what no database of ours can hold, whatever it means."""
    open_: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    while open_:
        place, value = open_.pop()
        detail = _why_unfit(place, value)
        if detail is not None:
            yield {"pointer": pointer(place, data, ("data",)), "detail": detail}
        elif isinstance(value, dict):
            inside = cast("dict[str, object]", value)
            open_.extend(((*place, name), each) for name, each in inside.items())
            unfit = next((name for name in inside if _why_unfit((), name)), None)
            if unfit is not None:
                yield {
                    "pointer": pointer(place, data, ("data",)),
                    "detail": f"the name {unfit[:20]!r} of a field cannot be; remove it",
                }
        elif isinstance(value, list):
            open_.extend(((*place, n), each) for n, each in enumerate(cast("list[object]", value)))


def _why_unfit(place: tuple[str | int, ...], value: object) -> str | None:
    if len(place) > DEEPEST:
        return f"is nested more than {DEEPEST} deep; send a flatter one"
    match value:
        case str() if len(value) > LONGEST:
            return f"has more than {LONGEST} characters; shorten it"
        case str() if "\x00" in value or any("\ud800" <= each <= "\udfff" for each in value):
            return "has a character that no text can hold; remove it"
        case int() if abs(value) > MOST:
            return f"{shown(value)} is above {MOST}; give a smaller figure"
        case float() if not abs(value) <= MOST:
            return f"{value} is no figure; give one up to {MOST}"
        case _:
            return None
