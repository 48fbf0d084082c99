"""Runs scenarios on the simulated clock and compares what happened with what is expected."""

import gc
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self, TypeVar

from sublife.events import migration
from sublife.events.document import DocumentError
from sublife.events.intake import IntakeError, Outcome, settle, submit
from sublife.events.records import recording_of
from sublife.events.store import Store
from sublife.events.wire import resource
from sublife.lifecycle.machine import allowed, next_timer
from sublife.lifecycle.migration.model import Migration
from sublife.lifecycle.model import ABSENT, ModelError, Refusal, Snapshot
from sublife.lifecycle.subscription.model import Subscription
from sublife.lifecycle.subscription.state import meaning
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.compare import matches, plain, shown
from sublife.scheduler.scenario import Act, Expect, Listed, Look, Overall, Scenario, load

T = TypeVar("T")


class ReplayError(ValueError):
    """A scenario cannot be run on this store; nothing of it was written."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that did not hold: where, what was expected, what was found."""

    where: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a timeline."""

    at: datetime
    subject: str
    event: str
    actor: str
    state_before: str
    state: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]
    code: str | None
    sentence: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scenario.

    Args:
        digest: SHA-256 of the journal, in hexadecimal.
        faults: why the file could not be run; then nothing else is there.
    """

    path: str
    title: str = ""
    rules: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    timeline: tuple[Happening, ...] = ()
    digest: str = ""
    faults: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        """Whether everything expected happened, and nothing else."""
        return not self.differences and not self.faults


@dataclass(slots=True)
class _Run:
    """A scenario while it runs."""

    scenario: Scenario
    store: Store
    clock: SimulatedClock
    happened: list[Outcome] = field(default_factory=list[Outcome])
    timeline: list[Happening] = field(default_factory=list[Happening])
    differences: list[Difference] = field(default_factory=list[Difference])
    snapshots: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    lifecycles: dict[str, str] = field(default_factory=dict[str, str])
    steps: list[tuple[Act, int, int]] = field(default_factory=list[tuple[Act, int, int]])

    def differ(self, where: str, expected: object, found: object) -> None:
        self.differences.append(Difference(where, shown(expected), shown(found)))

    def note(self, outcomes: Iterable[Outcome], remark: str = "") -> None:
        """Add outcomes to what happened and to the timeline."""
        for outcome in outcomes:
            event, subject = outcome.event, outcome.event.subject
            if outcome.snapshot is not None:
                self.snapshots[subject] = outcome.snapshot
                self.lifecycles[subject] = event.lifecycle
            self.happened.append(outcome)
            self.timeline.append(
                Happening(
                    event.at,
                    subject,
                    event.name,
                    f"{event.actor.kind.value} {event.actor.id}",
                    str(outcome.state_before),
                    str(outcome.own_state),
                    tuple(fact.name for fact in outcome.facts),
                    outcome.rules,
                    outcome.refusal.code if outcome.refusal else None,
                    outcome.refusal.sentence if outcome.refusal else None,
                    remark if event.actor.kind.value != "timer" and event.cause is None else "",
                )
            )


def run(scenario: Scenario, store: Store, *, tenant: str | None = None) -> Result:
    """Run one scenario to its end and compare.

    The clock stops at every instant at which something is due, as if nobody had slept.

    Args:
        scenario: checked.
        store: any store.
        tenant: the tenant it runs in, which must be empty; named by the file if not given.

    Raises:
        ReplayError: the store holds that tenant already.
    """
    clock = SimulatedClock(_first_instant(scenario))
    own = store.of(tenant or f"scenario:{scenario.path}", policy=scenario.policy, clock=clock)
    if not own.is_empty():
        raise ReplayError(
            f"{scenario.path}: the store holds this scenario already; replay into a new file"
        )
    going = _Run(scenario, own, clock)
    for event in scenario.given:
        _advance(going, event.at)
        going.note(submit(own, event).sequence())
    for act in scenario.acts:
        _perform(going, act)
    _compare_lists(going)
    _compare_store(going)
    return Result(
        scenario.path,
        scenario.title,
        scenario.rules,
        tuple(going.differences),
        tuple(going.timeline),
        own.digest(),
    )


def _first_instant(scenario: Scenario) -> datetime:
    return min((*(event.at for event in scenario.given), *(act.at for act in scenario.acts)))


def _advance(going: _Run, to: datetime) -> None:
    """Move the clock to *to*, stopping wherever something is due on the way.

    What is due is known from what has happened; that the store says the same is checked when the
    run is over.
    """
    while (due_at := _next_due(going)) is not None and due_at <= to:
        going.clock.move(max(due_at, going.clock.now()))
        settled = settle(going.store, going.clock.now())
        going.note(settled.outcomes)
        for each in settled.stuck:
            going.differ("the calendar", "every timer is applied", f"{each.subject}: {each.reason}")
        if settled.stuck:
            break
    going.clock.move(to)


def _next_due(going: _Run) -> datetime | None:
    timers = (next_timer(each, going.lifecycles[name]) for name, each in going.snapshots.items())
    return min((timer.due_at for timer in timers if timer is not None), default=None)


def _compare_store(going: _Run) -> None:
    """Make sure that the store holds what has happened: every subject as it should be."""
    stored = going.store.all()
    for name in sorted(stored.keys() | going.snapshots.keys()):
        if stored.get(name) != going.snapshots.get(name):
            going.differ(f"the stored row of {name}", going.snapshots.get(name), stored.get(name))


def _perform(going: _Run, act: Act) -> None:
    """Do one step and compare what it led to; lists are compared when the run is over."""
    start = len(going.happened)
    _advance(going, act.at)
    where = f"step {act.number + 1}"
    if act.event is not None:
        try:
            outcome = submit(going.store, act.event)
        except (ModelError, IntakeError) as error:
            going.differ(where, "an event that can be taken in", str(error))
        else:
            going.note(outcome.sequence(), act.note)
            _compare_outcome(going, where, act.expect, outcome)
    going.steps.append((act, start, len(going.happened)))
    if act.subject is not None:
        _compare_look(going, where, act.subject, act.expect, act)
    for subject, look in act.expect.subjects.items():
        _compare_look(going, f"{where}, {subject}", subject, look, act)


def _compare_outcome(going: _Run, where: str, expect: Expect, outcome: Outcome) -> None:
    if outcome.repeated != expect.repeated:
        words = {True: "an event id known already", False: "a new event id"}
        going.differ(where, words[expect.repeated], words[outcome.repeated])
    refusal = outcome.refusal
    match expect.refused:
        case None if refusal is not None:
            going.differ(where, "accepted", f"refused: {refusal.code} ({refusal.rule})")
        case str() as code if refusal is None or refusal.code != code:
            going.differ(f"{where}, refused", code, refusal.code if refusal else "accepted")
        case dict() as wanted:
            _compare_refusal(going, f"{where}, refused", wanted, refusal)
        case _:
            pass


def _compare_refusal(
    going: _Run, where: str, wanted: Mapping[str, Any], refusal: Refusal | None
) -> None:
    if refusal is None:
        going.differ(where, wanted, "accepted")
        return
    found = {
        "code": refusal.code,
        "rule": refusal.rule,
        "sentence": refusal.sentence,
        "details": dict(refusal.details),
    }
    for key, value in wanted.items():
        if not matches(value, found[key]):
            going.differ(f"{where}, {key}", value, found[key])


def _compare_look(going: _Run, where: str, subject: str, look: Look, act: Act) -> None:
    asked = [name for name in Look.model_fields if getattr(look, name) is not None]
    if not asked:
        return
    snapshot = going.snapshots.get(subject)
    if snapshot is None:
        if look.state != ABSENT:
            going.differ(f"{where}, state", look.state or "that it exists", ABSENT)
        return
    found = _seen(snapshot, look, going, act.at)
    for name in asked:
        wanted = getattr(look, name)
        if name in {"fields", "wire"}:
            shows = found.get(name, {})
            for key, value in wanted.items():
                if not matches(value, shows.get(key)):
                    going.differ(f"{where}, {name}.{key}", value, shows.get(key))
        elif not matches(wanted, found.get(name)):
            going.differ(f"{where}, {name}", wanted, found.get(name))


def _seen(snapshot: Snapshot, look: Look, going: _Run, at: datetime) -> dict[str, Any]:
    """Return what there is to see of a subject at *at*, as far as *look* asks."""
    policy, lifecycle = going.scenario.policy, going.lifecycles[snapshot.id]
    found: dict[str, Any] = {"state": str(snapshot.state), "version": snapshot.version}
    if look.due is not None:
        timer = next_timer(snapshot, lifecycle)
        found["due"] = {timer.name: timer.due_at} if timer else {}
    if look.allowed is not None:
        found["allowed"] = list(allowed(snapshot, policy=policy, at=at, lifecycle=lifecycle))
    if look.fields is not None:
        found["fields"] = {name: plain(getattr(snapshot, name)) for name in look.fields}
    if isinstance(snapshot, Migration) and look.wire is not None:
        found["wire"] = migration.resource(snapshot)
    if isinstance(snapshot, Subscription):
        means = meaning(snapshot)
        found["users"] = means.user_access
        found["admins"] = means.admin_access.value
        found["billed"] = means.partner_billed
        if look.wire is not None:
            found["wire"] = resource(snapshot, policy=policy, at=at)
    return found


def _compare_lists(going: _Run) -> None:
    """Compare facts, records, orders and webhooks, per step and over the whole run."""
    rows = _rows(going)
    for act, start, end in going.steps:
        where = f"step {act.number + 1}"
        happened = going.happened[start:end]
        _compare_happened(going, where, act.expect.facts, happened)
        if act.expect.webhooks is not None:
            webhooks = [
                recording.webhook
                for outcome in happened
                if not outcome.repeated
                for fact in outcome.facts
                if (recording := recording_of(fact)).webhook
            ]
            _compare_items(going, f"{where}, webhooks", act.expect.webhooks, webhooks)
        _compare_rows(going, where, act.expect.records, act.expect.orders, happened, rows)
    overall = going.scenario.expect
    _compare_happened(going, "the whole run", overall.facts, going.happened)
    _compare_rows(going, "the whole run", overall.records, overall.orders, going.happened, rows)
    if overall.refusals is not None:
        codes = [each.refusal.code for each in going.happened if each.refusal]
        _compare_items(going, "the whole run, refusals", overall.refusals, codes)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The stored records by the event that caused them."""

    records: Mapping[str, list[dict[str, Any]]]
    orders: Mapping[str, list[dict[str, Any]]]


def _rows(going: _Run) -> _Rows:
    expects: list[Expect | Overall] = [act.expect for act in going.scenario.acts]
    asked = (*expects, going.scenario.expect)
    return _Rows(
        _by_event(going.store.records() if any(e.records is not None for e in asked) else ()),
        _by_event(going.store.orders() if any(e.orders is not None for e in asked) else ()),
    )


def _by_event(rows: Sequence[Any]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.event_id, []).append(row.model_dump())
    return found


def _compare_happened(
    going: _Run, where: str, wanted: Listed | None, happened: Sequence[Outcome]
) -> None:
    if wanted is None:
        return
    found = [
        {
            **fact.data,
            "fact": fact.name,
            "at": outcome.event.at,
            "subject": outcome.event.subject,
            "rules": list(fact.rules),
        }
        for outcome in happened
        if not outcome.repeated
        for fact in outcome.facts
    ]
    named = [{"fact": each} if isinstance(each, str) else each for each in wanted]
    _compare_mappings(going, f"{where}, facts", named, found, title=("fact",))


def _compare_rows(
    going: _Run,
    where: str,
    records: Listed | None,
    orders: Listed | None,
    happened: Sequence[Outcome],
    rows: _Rows,
) -> None:
    ids = [outcome.event.id for outcome in happened if not outcome.repeated]
    if records is not None:
        found = [row for each in ids for row in rows.records.get(each, [])]
        named = [_record(each) if isinstance(each, str) else each for each in records]
        title = ("kind", "stage", "outcome", "fact")
        _compare_mappings(going, f"{where}, records", named, found, title=title)
    if orders is not None:
        found = [row for each in ids for row in rows.orders.get(each, [])]
        named = [{"transaction": each} if isinstance(each, str) else each for each in orders]
        _compare_mappings(
            going, f"{where}, orders", named, found, title=("transaction", "quantity")
        )


def _record(words: str) -> dict[str, Any]:
    """Return what `renewal progress lapsed` says: kind, stage and outcome, as far as given."""
    return dict(zip(("kind", "stage", "outcome"), words.split(), strict=False))


def _compare_items(
    going: _Run, where: str, wanted: Sequence[str], found: Sequence[str | None]
) -> None:
    if list(wanted) != list(found):
        going.differ(where, wanted, found)


def _compare_mappings(
    going: _Run,
    where: str,
    wanted: Sequence[Mapping[str, Any]],
    found: Sequence[Mapping[str, Any]],
    *,
    title: tuple[str, ...],
) -> None:
    """Compare a list exactly: nothing missing, nothing extra; each entry in the keys it names."""
    short = [" ".join(str(plain(each[key])) for key in title if each.get(key)) for each in found]
    if len(wanted) != len(found):
        going.differ(where, [_brief(each, title) for each in wanted], short)
        return
    for number, (want, have) in enumerate(zip(wanted, found, strict=True), start=1):
        wrong = {key: value for key, value in want.items() if not matches(value, have.get(key))}
        if wrong:
            what = f"{where}, number {number} ({short[number - 1]})"
            going.differ(what, wrong, {key: have.get(key) for key in wrong})


def _brief(want: Mapping[str, Any], title: tuple[str, ...]) -> str:
    said = [str(plain(want[key])) for key in title if want.get(key)]
    return " ".join(said) if said else shown(want)


@cache
def _memory() -> Store:
    """Return this process's store in memory; every scenario has a tenant of its own in it."""
    return Store.open("sqlite://", clock=SimulatedClock(datetime.fromisoformat("2000-01-01T00Z")))


def check(path: Path) -> tuple[str, ...]:
    """Load a file and keep it for its run; return its faults."""
    try:
        _loaded[path] = load(path)
    except DocumentError as error:
        return error.lines
    return ()


_loaded: dict[Path, Scenario] = {}
_runs = count(1)
"""Numbers the runs in memory, so that a file may be replayed again by the same process."""


def replay_file(path: Path, *, url: str | None = None) -> Result:
    """Load and run one file; a file that is wrong gives a result with its faults."""
    faults = () if path in _loaded else check(path)
    if faults:
        return Result(str(path), faults=faults)
    scenario = _loaded.pop(path)
    if url is None:
        return run(scenario, _memory(), tenant=f"scenario:{scenario.path} {next(_runs)}")
    try:
        return run(scenario, _file_store(url))
    except ReplayError as error:
        return Result(str(path), scenario.title, scenario.rules, faults=(str(error),))


@cache
def _file_store(url: str) -> Store:
    return Store.open(url, clock=SimulatedClock(datetime.fromisoformat("2000-01-01T00Z")))


class Replay:
    """A replay of many files: all are checked before any runs.

    Args:
        paths: scenario files; results come in their order, whatever the number of jobs.
        url: the store; in memory if not given.
        jobs: processes to share the files between, this one among them.

    Use it as a context manager, so that the processes end with it.
    """

    def __init__(self, paths: Sequence[Path], *, url: str | None = None, jobs: int = 1) -> None:
        self._paths = tuple(paths)
        self._url = url
        context = get_context("spawn")
        others = min(jobs, len(self._paths)) - 1
        self._hands = [ProcessPoolExecutor(1, context) for _ in range(others)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()
        for hand in self._hands:
            hand.shutdown()

    def faults(self) -> list[Result]:
        """Return a result with its faults for every file that is wrong."""
        found = zip(self._paths, self._map(check), strict=True)
        return [Result(str(path), faults=faults) for path, faults in found if faults]

    def results(self) -> Iterator[Result]:
        """Run the files and yield their results in order."""
        if self._hands and self._url is not None:
            _file_store(self._url).close()
            _file_store.cache_clear()
        self._keep_loaded()
        yield from self._map(partial(replay_file, url=self._url))

    def _keep_loaded(self) -> None:
        """Tell the collector that what is loaded stays, or it looks at it again and again."""
        gc.freeze()
        for hand in self._hands:
            hand.submit(gc.freeze)

    def _map(self, work: Callable[[Path], T]) -> Iterator[T]:
        """Yield what *work* makes of each file, in order.

        A file always goes to the same process, which keeps it loaded from its check to its run.
        This process does its own part between what the others have done.
        """
        count = len(self._hands) + 1
        done = [
            hand.map(work, self._paths[number::count], chunksize=16)
            for number, hand in enumerate(self._hands, start=1)
        ]
        done.insert(0, map(work, self._paths[::count]))
        for number in range(len(self._paths)):
            yield next(done[number % count])


def total_digest(results: Iterable[Result]) -> str:
    """Return one SHA-256 over the digests of many scenarios, in the order of their paths."""
    sha = hashlib.sha256()
    for result in sorted(results, key=lambda each: each.path):
        sha.update(f"{result.digest}  {result.path}\n".encode())
    return sha.hexdigest()
