"""Turns a document into a scenario and collects what is wrong with it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from sublife.events.codec import adapter
from sublife.events.document import DocumentError, read
from sublife.events.inbound.row import is_storable
from sublife.events.jsontext import JsonError, decode
from sublife.events.packs import load_pack
from sublife.events.records import known_facts
from sublife.events.wire import ResourceError, adopted
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Actor, ActorKind, Event, Payload, iso
from sublife.lifecycle.policy import Fault, Policy, PolicyError
from sublife.lifecycle.subscription.model import Adopt
from sublife.scheduler.rulebook import known_ids
from sublife.scheduler.scenario.check import Checker
from sublife.scheduler.scenario.fault import faults_of, instead
from sublife.scheduler.scenario.model import Act, Scenario
from sublife.scheduler.scenario.shape import DEFAULT, Document, Expect, Given, Step, Who

MANY = 100
"""Faults after which the rest of a file is not checked."""


class Builder:
    """Turns a document into a scenario and collects what is wrong with it."""

    def __init__(self, document: Document, path: Path) -> None:
        self.document = document
        self.path = path
        self.faults: list[Fault] = []
        self.subjects = dict.fromkeys((given.subject for given in document.given), DEFAULT)
        self._checker = Checker(self.subjects, self.faults)

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
        acts = tuple(self._acts())
        self._check_order()
        self._check_endpoints()
        self._checker.check_overall(document.expect)
        return Scenario(
            str(self.path),
            document.title,
            tuple(document.rules),
            document.about,
            policy,
            tuple(event for event in given if event is not None),
            acts,
            document.expect,
            tuple(document.endpoints),
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
            loaded: object = decode(read(path))
        except DocumentError as error:
            self._fault(at, "; ".join(error.lines))
            return None
        except JsonError as error:
            where = f"{path}:{error.line}" if error.line else str(path)
            self._fault(at, f"{where}: is no JSON: {error}; export it again")
            return None
        if not is_storable(loaded):
            said = "has a text with U+0000 or half a character, which no database keeps; correct it"
            self._fault(at, f"{path}: {said}")
            return None
        if isinstance(loaded, dict):
            return cast("Mapping[str, Any]", loaded)
        self._fault(at, f"{path}: must hold one resource, a JSON object")
        return None

    def _acts(self) -> Iterator[Act]:
        """Yield the steps; those after very many faults are not looked at."""
        for number, step in enumerate(self.document.steps):
            if len(self.faults) > MANY:
                return
            yield self._act(number, step)

    def _act(self, number: int, step: Step) -> Act:
        at: tuple[str | int, ...] = ("steps", number)
        lifecycle = step.lifecycle or self.subjects.get(step.subject or "", DEFAULT)
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
        self._checker.check_expect((*at, "expect"), step, lifecycle)
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
            self.subjects.setdefault(name, DEFAULT)
        event_id = step.id or f"step-{number + 1}"
        return Event(event_id, request, step.subject, step.at, actor, payload, None, lifecycle)

    def _payload(
        self, at: tuple[str | int, ...], shape: type[Payload], data: Mapping[str, Any]
    ) -> Payload | None:
        try:
            return adapter(shape).validate_python(data)
        except ValidationError as error:
            self.faults.extend(faults_of(error, at))
        except OverflowError as error:
            self._fault(at, f"has a date or number beyond the calendar ({error}); write another")
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

    def _check_endpoints(self) -> None:
        """Each endpoint has an id of its own, and posts are expected only where one gets them."""
        ids: set[str] = set()
        for number, endpoint in enumerate(self.document.endpoints):
            at: tuple[str | int, ...] = ("endpoints", number)
            if endpoint.id in ids:
                self._fault(
                    (*at, "id"), f'"{endpoint.id}" stands twice; give each an id of its own'
                )
            ids.add(endpoint.id)
            for place, fact in enumerate(endpoint.facts):
                if fact not in known_facts():
                    said = f'no fact "{fact}"; {instead(fact, known_facts())}'
                    self._fault((*at, "facts", place), said)
        for number, step in enumerate(self.document.steps):
            for name in ("posts", "deliveries"):
                if getattr(step.expect, name) is not None and not ids:
                    said = 'nobody listens; add "endpoints" to the file, or remove it'
                    self._fault(("steps", number, "expect", name), said)


def _led_to(payload: Payload) -> Iterator[str]:
    """Yield the id of the second subject that a payload may bring about."""
    into = getattr(payload, "into", None)
    if isinstance(into, str):
        yield into
