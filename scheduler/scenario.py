"""The shape of a YAML scenario; every fault is found on load, with line, value and remedy."""

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)

from sublife.events.codec import adapter
from sublife.events.document import DocumentError, faulty, parse, read
from sublife.events.packs import load_pack
from sublife.events.records import RECORDINGS
from sublife.events.tables import ActivityRow, OrderRow
from sublife.events.wire import ResourceError, adopted
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Actor, ActorKind, Event, PartnerType, Payload, Role, iso, utc
from sublife.lifecycle.policy import Fault, Policy, PolicyError
from sublife.lifecycle.policy import Path as FaultPath
from sublife.lifecycle.refusal import CODES
from sublife.lifecycle.subscription.model import Adopt
from sublife.scheduler.rulebook import known_ids


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return utc(value)
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
    webhooks: list[str] | None = Field(
        default=None, description="every Partner Center webhook since the step before, in order"
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
    steps: list[Step] = Field(min_length=1, description="in order of their instants")
    expect: Overall = Field(default_factory=Overall, description="of the whole run")


_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)
_DEFAULT = "subscription"
"""The lifecycle of a subject of which nothing else is said."""


@dataclass(frozen=True, slots=True)
class Act:
    """One step, ready to run: the event if there is one, and what is expected after it."""

    number: int
    at: datetime
    event: Event | None
    subject: str | None
    note: str
    expect: Expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that has been checked.

    Args:
        path: the file as the user named it.
        policy: with the switches as the scenario chooses them.
        given: events that take over what exists already.
        acts: the steps in order.
    """

    path: str
    title: str
    rules: tuple[str, ...]
    about: str
    policy: Policy
    given: tuple[Event, ...]
    acts: tuple[Act, ...]
    expect: Overall


def load(path: Path) -> Scenario:
    """Return the scenario of a file.

    Raises:
        DocumentError: every fault of the file, with line, value and remedy.
    """
    return loads(read(path), path)


def loads(text: str, path: Path) -> Scenario:
    """Return the scenario of a text, as if it stood in *path*.

    Raises:
        DocumentError: every fault of the text, with line, value and remedy.
    """
    content = parse(text, name=str(path))
    document, faults = _document(content)
    if document is None:
        raise faulty(str(path), text, faults)
    builder = _Builder(document, path)
    scenario = builder.build()
    new = [each for each in builder.faults if not _is_told(each, faults)]
    if faults or new:
        raise faulty(str(path), text, [*faults, *new])
    return scenario


def _is_told(fault: Fault, told: Iterable[Fault]) -> bool:
    """Return whether *fault* may only follow from one told already, at its place or below."""
    return any(each.path[: len(fault.path)] == fault.path for each in told)


def _document(content: Mapping[str, object]) -> tuple[Document | None, list[Fault]]:
    """Return the document and the faults of its form.

    What is wrong is left out of it, so that the rest can be checked as well; no document if too
    little is left.
    """
    try:
        return _DOCUMENT.validate_python(content), []
    except ValidationError as error:
        faults = _faults(error)
        left = _without(content, [fault.path for fault in faults])
    try:
        return _DOCUMENT.validate_python(left), faults
    except ValidationError:
        return None, faults


_STAND_INS: Mapping[str, object] = MappingProxyType(
    {
        "at": datetime.min.replace(tzinfo=UTC),
        "title": "?",
        "rules": ["GEN-01"],
        "subject": "?",
        "customer": "?",
        "partner": "?",
    }
)
"""What takes the place of a wrong value that a document cannot do without."""


def _without(content: Mapping[str, object], wrong: Iterable[FaultPath]) -> Mapping[str, object]:
    """Return a copy of a document without the values at *wrong* paths, or with stand-ins."""
    left: Any = deepcopy(content)
    for path in wrong:
        place: Any = left
        for step in path[:-1]:
            place = place[step] if _holds(place, step) else {}
        name = path[-1] if path else ""
        if name in _STAND_INS:
            place[name] = _STAND_INS[str(name)]
        elif isinstance(place, list):
            place[int(name)] = "?"
        elif isinstance(place, dict):
            place.pop(name, None)  # pyright: ignore[reportUnknownMemberType] – YAML
    return cast("Mapping[str, object]", left)


def _holds(place: Any, step: str | int) -> bool:
    """Return whether *step* leads on from *place*."""
    try:
        place[step]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _faults(error: ValidationError, at: tuple[str | int, ...] = ()) -> list[Fault]:
    """Return pydantic's findings as faults, each with the value and what to do."""
    return [
        Fault((*at, *_steps(each["loc"])), _message(each))
        for each in error.errors(include_url=False)
    ]


_UNION_TAGS = frozenset({"str", "dict[str,any]", "name", "actor"})


def _steps(loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    return tuple(step for step in loc if step not in _UNION_TAGS)


def _message(error: Any) -> str:
    match error["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown key; remove it or mend its name"
        case "missing":
            return "is missing; add it"
        case "value_error":
            return str(error["ctx"]["error"])
        case _:
            said = str(error["msg"])
            return f"{error['input']!r}: {said[0].lower()}{said[1:]}"


class _Builder:
    """Turns a document into a scenario and collects what is wrong with it."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document = document
        self.path = path
        self.faults: list[Fault] = []
        self.subjects = dict.fromkeys((given.subject for given in document.given), _DEFAULT)

    def build(self) -> Scenario:
        """Return the scenario; it stands only if there are no faults."""
        document = self.document
        for number, rule in enumerate(document.rules):
            if rule not in known_ids():
                self._fault(("rules", number), f'no rule "{rule}"; `sublife rules` lists them')
        policy = self._policy()
        given = tuple(
            self._given(number, each, policy) for number, each in enumerate(document.given)
        )
        acts = tuple(self._act(number, step) for number, step in enumerate(document.steps))
        self._check_order()
        self._check_overall()
        return Scenario(
            str(self.path),
            document.title,
            tuple(document.rules),
            document.about,
            policy,
            tuple(event for event in given if event is not None),
            acts,
            document.expect,
        )

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        self.faults.append(Fault(path, message))

    def _policy(self) -> Policy:
        name = self.document.policy
        if name.endswith((".yaml", ".yml")):
            name = str(self.path.parent / name)
        try:
            policy = load_pack(name)
        except DocumentError as error:
            self._fault(("policy",), "; ".join(error.lines))
            return load_pack()
        try:
            return policy.choosing(self.document.switches)
        except PolicyError as error:
            self.faults.extend(error.faults)
            return policy

    def _given(self, number: int, given: Given, policy: Policy) -> Event | None:
        at: tuple[str | int, ...] = ("given", number)
        fields = self._resource((*at, "resource"), given.resource)
        if fields is None:
            return None
        try:
            subscription = adopted(
                fields, customer=given.customer, partner=given.partner, policy=policy, at=given.at
            )
        except ResourceError as error:
            for fault in error.faults:
                self._fault((*at, "resource", *fault.path), fault.message)
            return None
        actor = Actor(ActorKind.APPLICATION, "partner-center-export")
        event_id = f"given-{number + 1}"
        return Event(event_id, "adopt", given.subject, given.at, actor, Adopt(subscription))

    def _resource(
        self, at: tuple[str | int, ...], given: str | dict[str, Any]
    ) -> Mapping[str, Any] | None:
        if isinstance(given, dict):
            return given
        path = self.path.parent / given
        try:
            loaded: object = json.loads(read(path))
        except DocumentError as error:
            self._fault(at, "; ".join(error.lines))
            return None
        except json.JSONDecodeError as error:
            self._fault(at, f"{path}:{error.lineno}: is no JSON: {error.msg}; export it again")
            return None
        if isinstance(loaded, dict):
            return cast("Mapping[str, Any]", loaded)
        self._fault(at, f"{path}: must hold one resource, a JSON object")
        return None

    def _act(self, number: int, step: Step) -> Act:
        at: tuple[str | int, ...] = ("steps", number)
        lifecycle = step.lifecycle or self.subjects.get(step.subject or "", _DEFAULT)
        if lifecycle not in LIFECYCLES:
            self._fault(
                (*at, "lifecycle"), f'no lifecycle "{lifecycle}"; {instead(lifecycle, LIFECYCLES)}'
            )
            return Act(number, step.at, None, None, step.note, step.expect)
        event = None
        if step.do is None:
            self._check_look_only(at, step)
        else:
            event = self._event(at, number, step, step.do, lifecycle)
        self._check_expect((*at, "expect"), step, lifecycle)
        return Act(number, step.at, event, step.subject, step.note, step.expect)

    def _event(
        self, at: tuple[str | int, ...], number: int, step: Step, request: str, lifecycle: str
    ) -> Event | None:
        requests = LIFECYCLES[lifecycle].requests
        if request not in requests:
            self._fault((*at, "do"), f'no request "{request}"; {instead(request, requests)}')
            return None
        if not step.subject:
            self._fault(at, '"subject" is missing; name the subject that the event is about')
            return None
        self.subjects.setdefault(step.subject, lifecycle)
        payload = self._payload((*at, "with"), requests[request], step.data)
        actor = self._actor((*at, "by") if step.by is not None else ("by",), step.by)
        if payload is None or actor is None:
            return None
        for name in _led_to(payload):
            self.subjects.setdefault(name, _DEFAULT)
        event_id = step.id or f"step-{number + 1}"
        return Event(event_id, request, step.subject, step.at, actor, payload, None, lifecycle)

    def _payload(
        self, at: tuple[str | int, ...], shape: type[Payload], data: Mapping[str, Any]
    ) -> Payload | None:
        try:
            return adapter(shape).validate_python(data)
        except ValidationError as error:
            self.faults.extend(_faults(error, at))
            return None

    def _actor(self, at: tuple[str | int, ...], by: Who | str | None) -> Actor | None:
        who = by if by is not None else self.document.by
        if isinstance(who, str):
            return Actor(ActorKind.USER, who)
        named = [
            (kind, name)
            for kind in (ActorKind.USER, ActorKind.APPLICATION, ActorKind.MICROSOFT)
            if (name := getattr(who, kind.value)) is not None
        ]
        if len(named) != 1:
            self._fault(at, "name exactly one of user, application, microsoft")
            return None
        kind, name = named[0]
        return Actor(kind, name, who.role, who.partner, who.partner_type)

    def _check_look_only(self, at: tuple[str | int, ...], step: Step) -> None:
        """A step without a request may not carry what only a request has."""
        for key, given in (("with", step.data), ("by", step.by), ("id", step.id)):
            if given:
                self._fault((*at, key), f'"{key}" needs a request; add "do", or remove it')
        if step.expect.refused is not None:
            self._fault((*at, "expect", "refused"), 'needs a request; add "do", or remove it')
        if step.expect == Expect():
            self._fault(at, 'does nothing and expects nothing; add "do" or "expect"')

    def _check_order(self) -> None:
        steps = self.document.steps
        latest = max((given.at for given in self.document.given), default=None)
        for number, step in enumerate(steps):
            if latest is not None and step.at < latest:
                at = f"{iso(step.at)} is before {iso(latest)}"
                self._fault(("steps", number, "at"), f"{at}; put the steps in order of time")
            latest = step.at if latest is None else max(latest, step.at)

    def _check_expect(self, at: tuple[str | int, ...], step: Step, lifecycle: str) -> None:
        expect = step.expect
        if step.subject is None and any(
            getattr(expect, name) is not None for name in Look.model_fields
        ):
            self._fault(at, 'says nothing of whom; add "subject" to the step, or use "subjects"')
        self._check_look(at, expect, lifecycle)
        for name, look in expect.subjects.items():
            if name not in self.subjects:
                known = ", ".join(sorted(self.subjects))
                self._fault((*at, "subjects", name), f"no such subject so far; there is {known}")
            self._check_look((*at, "subjects", name), look, self.subjects.get(name, _DEFAULT))
        self._check_lists(at, expect)
        match expect.refused:
            case str() as code:
                self._check_code((*at, "refused"), code)
            case dict() as refused:
                self._check_keys((*at, "refused"), refused, _REFUSAL_KEYS)
                if "code" in refused:
                    self._check_code((*at, "refused", "code"), str(refused["code"]))
            case None:
                pass

    def _check_look(self, at: tuple[str | int, ...], look: Look, lifecycle: str) -> None:
        found = LIFECYCLES[lifecycle]
        states = ("absent", *map(str, found.states))
        if look.state is not None and look.state not in states:
            self._fault((*at, "state"), f'no state "{look.state}"; {instead(look.state, states)}')
        if look.fields:
            names = tuple(field.name for field in fields(found.snapshot))
            self._check_keys((*at, "fields"), look.fields, names)
        for timer in look.due or {}:
            if timer not in found.ticks:
                self._fault((*at, "due", timer), f"no such timer; {instead(timer, found.ticks)}")
        for number, name in enumerate(look.allowed or ()):
            if name not in found.requests:
                self._fault(
                    (*at, "allowed", number),
                    f'no request "{name}"; {instead(name, found.requests)}',
                )

    def _check_overall(self) -> None:
        self._check_lists(("expect",), self.document.expect)
        for number, code in enumerate(self.document.expect.refusals or ()):
            self._check_code(("expect", "refusals", number), code)

    def _check_lists(self, at: tuple[str | int, ...], expect: Expect | Overall) -> None:
        for number, fact in enumerate(expect.facts or ()):
            name = fact if isinstance(fact, str) else fact.get("fact")
            if name not in RECORDINGS:
                self._fault(
                    (*at, "facts", number), f'no fact "{name}"; {instead(str(name), RECORDINGS)}'
                )
        self._check_rows((*at, "records"), expect.records, tuple(ActivityRow.model_fields))
        self._check_rows((*at, "orders"), expect.orders, tuple(OrderRow.model_fields))

    def _check_rows(
        self, at: tuple[str | int, ...], rows: Listed | None, known: tuple[str, ...]
    ) -> None:
        for number, row in enumerate(rows or ()):
            if isinstance(row, dict):
                self._check_keys((*at, number), row, known)

    def _check_code(self, at: tuple[str | int, ...], code: str) -> None:
        if code not in CODES:
            self._fault(at, f'no refusal code "{code}"; {instead(code, CODES)}')

    def _check_keys(
        self, at: tuple[str | int, ...], given: Mapping[str, Any], known: tuple[str, ...]
    ) -> None:
        for key in given:
            if key not in known:
                self._fault((*at, key), f'unknown key "{key}"; {instead(key, known)}')


_REFUSAL_KEYS = ("code", "rule", "sentence", "details")


def _led_to(payload: Payload) -> Iterator[str]:
    """Yield the id of the second subject that a payload may bring about."""
    into = getattr(payload, "into", None)
    if isinstance(into, str):
        yield into


_FEW = 12


def instead(name: str, known: Iterable[str]) -> str:
    """Return what to write in place of a name that is not known: the nearest, or all if few."""
    names = tuple(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    shown = names if len(names) <= _FEW else (*names[:_FEW], "…")
    return f"use one of {', '.join(shown)}"


def find(paths: list[Path]) -> list[Path]:
    """Return the scenario files that *paths* name: files as given, folders searched for *.yaml.

    Folders named `packs` hold policy packs and are left out.

    Raises:
        DocumentError: a path does not exist, or a folder holds no scenario.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*.yaml") if "packs" not in each.parts)
            if not inside:
                raise DocumentError(str(path), [(0, "holds no *.yaml file; name another folder")])
            found.extend(inside)
        elif path.is_file():
            found.append(path)
        else:
            raise DocumentError(str(path), [(0, "does not exist; mend the path")])
    return list(dict.fromkeys(found))
