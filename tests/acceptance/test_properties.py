"""What holds for every lifecycle of the catalog, whatever is asked: nothing here names one."""

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sublife.events.document import DocumentError
from sublife.events.intake import IntakeError, settle, submit
from sublife.events.packs import load_pack
from sublife.events.store import Entry, Store
from sublife.events.verify import verify
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.machine import may, next_timer, timers
from sublife.lifecycle.model import (
    TIMER_ID,
    Actor,
    ActorKind,
    Event,
    Lifecycle,
    ModelError,
    PartnerType,
    Permission,
    Refusal,
    Role,
    Snapshot,
    iso,
)
from sublife.lifecycle.policy import Policy
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.scenario import load
from tests.scale import sized

SCENARIOS = Path(__file__).parents[2] / "scenarios"
BEGIN = datetime(2024, 3, 1, 9, tzinfo=UTC)
WATCHED = timedelta(days=500)
"""How long a life is watched after the last request."""
FEW = 8
"""Scenarios that lives of one lifecycle begin like."""
RANDOM = settings(
    max_examples=sized(4, 12),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
NAMES = ("tailspin", "contoso", "fabrikam", "one", "two", "E3", "DE")
ACTORS = (
    Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL),
    Actor(ActorKind.USER, "gus", Role.GLOBAL_ADMIN),
    Actor(ActorKind.MICROSOFT, "microsoft"),
)


def payloads(shape: Any) -> st.SearchStrategy[Any]:
    """Return values of a type, made from its annotations alone; only such as can stand."""
    plain: Mapping[Any, st.SearchStrategy[Any]] = {
        str: st.sampled_from(NAMES),
        bool: st.booleans(),
        int: st.integers(1, 40),
        Decimal: st.decimals(Decimal("0.01"), Decimal(99), places=2),
        date: st.integers(-400, 400).map(lambda days: (BEGIN + timedelta(days)).date()),
        datetime: st.integers(-400, 400).map(lambda days: BEGIN + timedelta(days)),
        type(None): st.none(),
    }
    if shape in plain:
        return plain[shape]
    if get_origin(shape) in {Union, types.UnionType}:
        return st.one_of([payloads(each) for each in get_args(shape)])
    if get_origin(shape) is tuple:
        return st.lists(payloads(get_args(shape)[0]), max_size=2).map(tuple)
    if _is_a(shape, Enum):
        return st.sampled_from(list(shape))
    return st.deferred(lambda: _built(shape))


def _is_a(shape: Any, kind: type) -> bool:
    return isinstance(shape, type) and issubclass(shape, kind)


def _built(shape: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(shape)
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for each in fields(shape):
        is_needed = each.default is MISSING and each.default_factory is MISSING
        (needed if is_needed else optional)[each.name] = payloads(hints[each.name])
    drawn = st.fixed_dictionaries(needed, optional=optional)
    return drawn.map(lambda values: _stands(shape, values)).filter(lambda made: made is not None)


def _stands(shape: Any, values: Mapping[str, Any]) -> Any:
    try:
        return shape(**values)
    except ModelError:
        return None


class Life:
    """What is asked and when, under which policy."""

    def __init__(self, policy: Policy, script: tuple[Event, ...]) -> None:
        self.policy = policy
        self.script = script

    def __repr__(self) -> str:
        """Return the script, line by line, as short as can be read."""
        return "\n".join(_line(each) for each in self.script)

    @property
    def until(self) -> datetime:
        """When watching ends."""
        return max(each.at for each in self.script) + WATCHED


def _line(event: Event) -> str:
    asked = f"{event.lifecycle} {event.subject} {event.name} {event.data}"
    return f"{iso(event.at)} {asked}"[:160]


@cache
def beginnings(name: str) -> tuple[tuple[Policy, tuple[Event, ...]], ...]:
    """Return what is asked in a few scenarios of a lifecycle; nothing where there are none."""
    told = re.compile(rf"lifecycle: {name}\b" if name != "subscription" else "do: purchase")
    files = [each for each in sorted(SCENARIOS.rglob("*.yaml")) if "packs" not in each.parts]
    having = [each for each in files if told.search(each.read_text(encoding="utf-8"))]
    step = max(1, len(having) // FEW)
    return tuple(_scripts(having[::step]))


def _scripts(paths: list[Path]) -> Iterator[tuple[Policy, tuple[Event, ...]]]:
    for path in paths:
        try:
            scenario = load(path)
        except DocumentError:
            continue
        asked = [*scenario.given, *(act.event for act in scenario.acts if act.event is not None)]
        yield scenario.policy, tuple(asked)


@st.composite
def lives(draw: st.DrawFn, name: str) -> Life:
    """Draw a life: it may begin like a scenario, and goes on with whatever can be asked.

    Args:
        draw: Hypothesis gives it.
        name: of the lifecycle.
    """
    lifecycle = LIFECYCLES[name]
    known = beginnings(name)
    policy, script = load_pack(), list[Event]()
    if known and draw(st.integers(0, 4)) > 0:
        policy, asked = draw(st.sampled_from(known))
        script = list(asked[: draw(st.integers(1, len(asked)))])
    at = script[-1].at if script else BEGIN
    subjects = {each.subject for each in script if each.lifecycle == name}
    subjects |= {"one", "two"}
    requests = [each for each in lifecycle.requests if _is_asked_for(lifecycle, each)]
    for number in range(draw(st.integers(2, 8))):
        subject = draw(st.sampled_from(sorted(subjects)))
        request = draw(st.sampled_from(requests))
        data = draw(payloads(lifecycle.requests[request]))
        at += draw(st.integers(0, 90 * 86_400).map(lambda seconds: timedelta(seconds=seconds)))
        actor = draw(st.sampled_from(ACTORS))
        event_id = f"random-{number}"
        script.append(Event(event_id, request, subject, at, actor, data, None, name))
    return Life(policy, tuple(script))


def _is_asked_for(lifecycle: Lifecycle, request: str) -> bool:
    """Return whether anybody can ask for it with values of his own making.

    A request that takes over a whole snapshot is left to scenarios: its values hang together.
    """
    shapes = get_type_hints(lifecycle.requests[request]).values()
    whole = any(_is_a(each, Snapshot) for each in shapes)
    return request not in lifecycle.internal and not whole


@cache
def memory() -> Store:
    """Return the store of this process; each life has a tenant of its own in it."""
    return Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))


_numbers = count(1)


class Wakes(Enum):
    """When somebody settles: whenever something is due, as something is asked, or at the end."""

    AT_EVERY_DUE = "at every due"
    WITH_REQUESTS = "with requests"
    AT_THE_END = "at the end"


class Lived:
    """A life lived to its end in a tenant of its own."""

    def __init__(self, life: Life, *, wakes: Wakes = Wakes.AT_EVERY_DUE, times: int = 1) -> None:
        self.clock = SimulatedClock(min(each.at for each in life.script))
        tenant = f"life {next(_numbers)}"
        self.store = memory().of(tenant, policy=life.policy, clock=self.clock)
        self.stuck: list[str] = []
        self.mistakes: list[str] = []
        for event in life.script:
            if wakes is Wakes.AT_EVERY_DUE:
                self._wake(event.at)
            self.clock.move(max(event.at, self.clock.now()))
            if wakes is Wakes.WITH_REQUESTS:
                self._settle()
            for _ in range(times):
                self._ask(event)
        if wakes is Wakes.AT_EVERY_DUE:
            self._wake(life.until)
        self.clock.move(life.until)
        self._settle()

    def _ask(self, event: Event) -> None:
        try:
            submit(self.store, event)
        except (ModelError, IntakeError) as error:
            self.mistakes.append(f"{event.id}: {error}")

    def _wake(self, until: datetime) -> None:
        while not self.stuck and (due := self.store.next_due()) is not None and due <= until:
            self.clock.move(max(due, self.clock.now()))
            self._settle()

    def _settle(self) -> None:
        self.stuck += [each.reason for each in settle(self.store, self.clock.now()).stuck]

    def told(self) -> list[str]:
        """Return what happened, by subject, so that a difference can be read."""
        return [
            f"{each.event.subject} {each.sequence} {iso(each.event.at)} {each.event.id} "
            f"{each.event.name} {each.state_before}-{each.state} {each.outcome}"
            for each in self.entries()
        ]

    def entries(self) -> list[Entry]:
        """Return every line of the journal, by subject."""
        return list(self.store.journal())


each_lifecycle = pytest.mark.parametrize("name", [*LIFECYCLES])


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_a_late_wake_up_writes_the_history_of_a_punctual_one(
    name: str, data: st.DataObject
) -> None:
    """GEN-08, GEN-09: the same events, facts, refusals and subjects; and no timer is stuck."""
    life = data.draw(lives(name))

    _compare(Lived(life), Lived(life, wakes=Wakes.WITH_REQUESTS))


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_nobody_has_to_wake_before_a_request(name: str, data: st.DataObject) -> None:
    """GEN-08: what is due comes before what is asked, also where others look at what is asked."""
    life = data.draw(lives(name))

    _compare(Lived(life), Lived(life, wakes=Wakes.AT_THE_END))


def _compare(punctual: Lived, late: Lived) -> None:
    assert late.told() == punctual.told()
    assert late.store.digest() == punctual.store.digest()
    assert late.store.all() == punctual.store.all()
    assert late.mistakes == punctual.mistakes
    assert (late.stuck, punctual.stuck) == ([], [])


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_once_equals_twice(name: str, data: st.DataObject) -> None:
    """Every request sent again has no second effect."""
    life = data.draw(lives(name))

    once, twice = Lived(life), Lived(life, times=2)

    assert twice.store.digest() == once.store.digest()
    assert twice.store.all() == once.store.all()


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_what_was_written_can_be_decided_again(name: str, data: st.DataObject) -> None:
    """The journal rebuilt is the state there is, and its chain holds."""
    life = data.draw(lives(name))
    store = Lived(life).store

    verdict = verify(store, tenant=store.tenant, rebuild=True, policies=[life.policy])

    assert verdict.findings == ()
    assert verdict.missing == ()


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_every_journal_is_sound(name: str, data: st.DataObject) -> None:
    """GEN-03: versions without a gap, no timer before its cause, final means final."""
    lived = Lived(data.draw(lives(name)))
    versions: dict[str, int] = {}
    for entry in lived.entries():
        subject, lifecycle = entry.event.subject, LIFECYCLES[entry.event.lifecycle]
        if isinstance(entry.outcome, Refusal):
            assert entry.state == entry.state_before
            continue
        versions[subject] = versions.get(subject, 0) + 1
        assert entry.version == versions[subject]
        if entry.state_before in lifecycle.final:
            assert entry.state == entry.state_before

    for subject, held in lived.store.all().items():
        lifecycle = _lifecycle(lived, subject)
        assert held.version == versions[subject]
        assert all(timer.due_at >= held.changed_at for timer in timers(held, lifecycle.name))
        assert held.state not in lifecycle.final or next_timer(held, lifecycle.name) is None


@each_lifecycle
@given(data=st.data())
@RANDOM
def test_every_request_has_an_answer_in_every_state(name: str, data: st.DataObject) -> None:
    """A yes with its rules, or a no with code, rule and sentence; never an error."""
    life = data.draw(lives(name))
    lived = Lived(life)

    for subject, held in lived.store.all().items():
        lifecycle = _lifecycle(lived, subject)
        for request in lifecycle.requests:
            answer = may(held, request, policy=life.policy, at=life.until, lifecycle=lifecycle.name)
            assert isinstance(answer, Permission)
            assert answer.rules
            assert answer or (answer.refusal and answer.refusal.sentence)


def _lifecycle(lived: Lived, subject: str) -> Lifecycle:
    (first,) = lived.store.history(subject, limit=1)
    return LIFECYCLES[first.event.lifecycle]


@pytest.mark.soak
@each_lifecycle
def test_such_lives_are_lived(name: str) -> None:
    """They are no empty pages: a request of the lifecycle is accepted, another one refused."""

    seen: set[bool] = set()

    @given(data=st.data())
    @settings(
        RANDOM, max_examples=sized(15, 40), database=None, phases=[Phase.generate], derandomize=True
    )
    def look(data: st.DataObject) -> None:
        entries = Lived(data.draw(lives(name))).entries()
        own = [each for each in entries if each.event.lifecycle == name]
        asked = [each for each in own if not each.event.id.startswith(TIMER_ID)]
        seen.update(isinstance(each.outcome, Refusal) for each in asked)

    look()

    assert seen == {False, True}
