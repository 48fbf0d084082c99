"""Runs one scenario on the simulated clock, instant by instant."""

from datetime import datetime

from sublife.events.content import clear
from sublife.events.intake import IntakeError, settle, submit
from sublife.events.store import Store
from sublife.lifecycle.machine import next_timer
from sublife.lifecycle.model import ModelError
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay.going import Going
from sublife.scheduler.replay.listing import compare_lists
from sublife.scheduler.replay.log import compare_log
from sublife.scheduler.replay.look import compare_look, compare_outcome
from sublife.scheduler.replay.post import Posting
from sublife.scheduler.replay.result import ReplayError, Result
from sublife.scheduler.scenario import Act, Scenario


def run(scenario: Scenario, store: Store, *, tenant: str | None = None) -> Result:
    """Run one scenario to its end and compare.

    The clock stops at every instant at which something is due, as if nobody had slept.

    Args:
        scenario: checked.
        store: any store.
        tenant: the tenant it runs in, which must be empty; named by the file if not given.

    Raises:
        ReplayError: the store holds that tenant already, its endpoints cannot be posted to, or
            what is given cannot be kept.
    """
    clock = SimulatedClock(_first_instant(scenario))
    own = store.of(tenant or f"scenario:{scenario.path}", policy=scenario.policy, clock=clock)
    if not own.is_empty():
        raise ReplayError(
            f"{scenario.path}: the store holds this scenario already; replay into a new file"
        )
    going = Going(scenario, own, clock)
    posting = Posting(going)
    for event in scenario.given:
        _advance(going, posting, event.at)
        try:
            going.note(submit(own, event).sequence())
        except (ModelError, IntakeError) as error:
            said = f"{clear(scenario.path, 200)}: {event.id}: {clear(str(error), 600)}"
            raise ReplayError(said) from error
    for act in scenario.acts:
        _perform(going, posting, act)
    compare_lists(going)
    _compare_store(going)
    return Result(
        scenario.path,
        scenario.title,
        scenario.rules,
        tuple(going.differences),
        tuple(going.timeline),
        own.digest(),
        remarks=tuple(going.remarks),
        about=scenario.about.strip(),
    )


def _first_instant(scenario: Scenario) -> datetime:
    return min((*(event.at for event in scenario.given), *(act.at for act in scenario.acts)))


def _advance(going: Going, posting: Posting, to: datetime) -> None:
    """Move the clock to *to*, stopping wherever something is due on the way.

    What is due is known from what has happened; that the store says the same is checked when the
    run is over.
    """
    while (due_at := _next_due(going, posting)) is not None and due_at <= to:
        going.clock.move(max(due_at, going.clock.now()))
        settled = settle(going.store, going.clock.now())
        going.note(settled.outcomes)
        posting.hand_on()
        for each in settled.stuck:
            going.differ("the calendar", "every timer is applied", f"{each.subject}: {each.reason}")
        if settled.stuck:
            break
    going.clock.move(to)


def _next_due(going: Going, posting: Posting) -> datetime | None:
    timers = (next_timer(each, going.lifecycles[name]) for name, each in going.snapshots.items())
    instants = (timer.due_at for timer in timers if timer is not None)
    return min((*instants, *posting.instants()), default=None)


def _compare_store(going: Going) -> None:
    """Make sure that the store holds what has happened: every subject as it should be."""
    stored = going.store.all()
    for name in sorted(stored.keys() | going.snapshots.keys()):
        if stored.get(name) != going.snapshots.get(name):
            going.differ(f"the stored row of {name}", going.snapshots.get(name), stored.get(name))


def _perform(going: Going, posting: Posting, act: Act) -> None:
    """Do one step and compare what it led to; lists are compared when the run is over."""
    start = len(going.happened)
    _advance(going, posting, act.at)
    where = f"step {act.number + 1}"
    if act.event is not None:
        try:
            outcome = submit(going.store, act.event)
        except (ModelError, IntakeError) as error:
            going.differ(where, "an event that can be taken in", str(error))
        else:
            going.note(outcome.sequence(), act.note)
            compare_outcome(going, where, act.expect, outcome)
    elif act.note:
        going.remark(act, start)
    going.steps.append((act, start, len(going.happened)))
    posting.hand_on()
    _compare(going, posting, act, where)


def _compare(going: Going, posting: Posting, act: Act, where: str) -> None:
    """Compare what can be seen at the step's own instant."""
    posting.compare(where, act.expect)
    if act.expect.log is not None:
        compare_log(going, where, act.expect.log, act.at)
    if act.subject is not None:
        compare_look(going, where, act.subject, act.expect, act)
    for subject, look in act.expect.subjects.items():
        compare_look(going, f"{where}, {subject}", subject, look, act)
