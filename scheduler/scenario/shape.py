"""The parts of a scenario file, closed and checked; what each key means."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from sublife.events.records import Kind
from sublife.events.store.delivery import Body
from sublife.lifecycle.model import PartnerType, Role, utc

_YEARS = (1900, 2200)
"""Years that a scenario may be about, the second one excluded."""


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        at = utc(value)
        if not _YEARS[0] <= at.year < _YEARS[1]:
            raise ValueError(f"{at} is not from {_YEARS[0]} to {_YEARS[1] - 1}; correct the year")
        return at
    given = repr(value) if isinstance(value, str) else str(value)
    raise ValueError(f"{given} is no instant; write 2024-10-01T00:00:00Z")


Instant = Annotated[datetime, BeforeValidator(_instant)]
Listed = list[str | dict[str, Any]]


class Shape(BaseModel):
    """A part of a scenario: closed, so that a misspelt key is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Who(Shape):
    """Who acts in a step."""

    user: str | None = Field(default=None, description="a person, by name")
    application: str | None = Field(default=None, description="a program, by name")
    microsoft: str | None = Field(default=None, description="Microsoft, by the system that acts")
    role: Role | None = Field(default=None, description="the Partner Center role of a user")
    partner: str | None = Field(default=None, description="the partner tenant the actor acts for")
    partner_type: PartnerType | None = Field(default=None, description="what kind of partner it is")


def _form(value: object) -> str:
    return "name" if isinstance(value, str) else "actor"


By = Annotated[Annotated[str, Tag("name")] | Annotated[Who, Tag("actor")], Discriminator(_form)]


class Look(Shape):
    """What is expected of one subject."""

    state: str | None = Field(default=None, description="its state; `absent` if it does not exist")
    version: int | None = Field(default=None, description="number of accepted events")
    users: bool | None = Field(default=None, description="whether users have access")
    admins: str | None = Field(
        default=None, description="what admins reach: full, data, backup, none"
    )
    billed: bool | None = Field(default=None, description="whether the partner is billed")
    due: dict[str, Instant] | None = Field(
        default=None, description="the next timer and when it is due; {} if none"
    )
    fields: dict[str, Any] | None = Field(default=None, description="fields of the snapshot")
    wire: dict[str, Any] | None = Field(
        default=None, description="fields of the Partner Center resource as read at this instant"
    )
    allowed: list[str] | None = Field(
        default=None, description="exactly the requests that may be made"
    )


class Log(Shape):
    """The activity log, or the order history, as `sublife log --csv` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    orders: bool = Field(default=False, description="order records instead of activity records")
    customer: str | None = Field(default=None, description="only of this customer tenant")
    partner: str | None = Field(default=None, description="only of this partner tenant")
    subscription: str | None = Field(default=None, description="only of this subscription")
    kind: Kind | None = Field(default=None, description="only activity records of this kind")
    since: Instant | None = Field(
        default=None, description="from this instant on; one month back if not given"
    )
    until: Instant | None = Field(default=None, description="up to this instant, exclusive")
    everything: bool = Field(default=False, alias="all", description="from the beginning on")
    columns: list[str] | None = Field(
        default=None, description="the titles that the file begins with, in order"
    )
    rows: list[list[Any] | dict[str, Any]] | None = Field(
        default=None,
        description="every line, in order: its first cells, or cells by the titles of their "
        "columns",
    )


class Expect(Look):
    """What is expected after a step, of its subject and of all that happened since the last."""

    refused: str | dict[str, Any] | None = Field(
        default=None, description="the refusal code, or code, rule, sentence, details"
    )
    repeated: bool = Field(default=False, description="the event id was known already")
    facts: Listed | None = Field(
        default=None, description="every fact since the step before, timed ones included, in order"
    )
    records: Listed | None = Field(
        default=None, description="every activity record since the step before, in order"
    )
    orders: Listed | None = Field(
        default=None, description="every order record since the step before, in order"
    )
    webhooks: Listed | None = Field(
        default=None,
        description="every Partner Center webhook since the step before, in order: its name, or "
        "fields of its body",
    )
    posts: Listed | None = Field(
        default=None, description="every post to an endpoint since the step before, in order"
    )
    deliveries: Listed | None = Field(
        default=None, description="every delivery there is at this instant, the oldest first"
    )
    log: Log | None = Field(
        default=None, description="the activity log or order history as exported at this instant"
    )
    subjects: dict[str, Look] = Field(default_factory=dict, description="other subjects, by id")


class Overall(Shape):
    """What is expected of the whole run."""

    facts: Listed | None = Field(default=None, description="every fact of the run, in order")
    records: Listed | None = Field(default=None, description="every activity record, in order")
    orders: Listed | None = Field(default=None, description="every order record, in order")
    refusals: list[str] | None = Field(default=None, description="every refusal code, in order")


class Given(Shape):
    """A subject that exists already, as a Partner Center resource describes it."""

    subject: str = Field(description="id of the subject in this scenario")
    at: Instant = Field(description="instant of the export")
    customer: str = Field(description="customer tenant id")
    partner: str = Field(description="partner tenant id")
    resource: str | dict[str, Any] = Field(
        description="the resource, or the path of its JSON file beside the scenario"
    )


class Endpoint(Shape):
    """Where facts are posted to, and what it answers."""

    id: str = Field(min_length=1, description="its id, one for each")
    body: Body = Field(default=Body.PARTNER_CENTER, description="how a fact is written into a post")
    facts: list[str] = Field(default_factory=list[str], description="only these facts, by name")
    customers: list[str] = Field(default_factory=list[str], description="only of these customers")
    partners: list[str] = Field(default_factory=list[str], description="only of these partners")
    answers: list[Annotated[int, Field(ge=200, le=599)] | None] = Field(
        default=[204],
        min_length=1,
        description="the HTTP status it answers each post with, one after the other, the last one "
        "from then on; null if it cannot be reached",
    )


class Step(Shape):
    """One instant: perhaps an event, perhaps expectations."""

    at: Instant = Field(description="UTC instant")
    do: str | None = Field(default=None, description="the request; leave out to only look")
    subject: str | None = Field(default=None, description="id of the subject")
    data: dict[str, Any] = Field(default_factory=dict, alias="with", description="its payload")
    by: By | None = Field(default=None, description="who acts; a name is a user")
    id: str | None = Field(default=None, description="event id; made from the step if not given")
    lifecycle: str | None = Field(
        default=None,
        description="the lifecycle of the subject; if not given, that of the step that began it, "
        "or subscription",
    )
    note: str = Field(default="", description="what this step is for; shown in the timeline")
    expect: Expect = Field(default_factory=Expect)


class Document(Shape):
    """A scenario file."""

    title: str = Field(min_length=1, description="what the scenario shows, in one line")
    rules: list[str] = Field(min_length=1, description="ids of the rules it shows")
    about: str = Field(default="", description="the story, for people")
    policy: str = Field(default="microsoft-csp", description="a pack's name, or a path beside it")
    switches: dict[str, str] = Field(default_factory=dict, description="readings chosen")
    by: By = Field(default="operator", description="who acts where a step does not say")
    given: list[Given] = Field(default_factory=list["Given"], description="what exists already")
    endpoints: list[Endpoint] = Field(
        default_factory=list["Endpoint"], description="who gets facts posted"
    )
    steps: list[Step] = Field(min_length=1, description="in order of their instants")
    expect: Overall = Field(default_factory=Overall, description="of the whole run")


DEFAULT = "subscription"
"""The lifecycle of a subject of which nothing else is said."""
