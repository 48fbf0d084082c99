"""However many workers share a late calendar on PostgreSQL, the history is that of one alone."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import settings as profile

from sublife.events.intake import settle, submit
from sublife.events.store import Store
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SimulatedClock
from tests.acceptance.test_late import BEGIN, DAY, PLANNED, WEEKS, Script, plans
from tests.acceptance.test_night import settled_by_processes
from tests.acceptance.test_properties import RANDOM, Life, memory
from tests.scale import sized

UNTIL = PLANNED + WEEKS * DAY
FEW = tuple(f"customer-{number}" for number in range(5))
MANY = tuple(f"customer-{number}" for number in range(40))
EXAMPLES = sized(4, 8)
_numbers = count(1)


@pytest.fixture
def opened(migrated_database: str) -> Iterator[Store]:
    """A store on PostgreSQL."""
    store = Store.open(migrated_database, clock=SimulatedClock(BEGIN - 1000 * DAY))
    yield store
    store.close()


def asked(store: Store, clock: SimulatedClock, life: Life) -> None:
    """Ask for all of it in time; what falls due afterwards has not happened."""
    for event in life.script:
        clock.move(max(event.at, clock.now()))
        submit(store, event)
    clock.move(UNTIL)


def alone(life: Life) -> Store:
    """Return the store of one worker that settles it all."""
    clock = SimulatedClock(BEGIN - 1000 * DAY)
    store = memory().of(f"alone {next(_numbers)}", policy=life.policy, clock=clock)
    asked(store, clock, life)
    settle(store, UNTIL)
    return store


def told(store: Store) -> list[str]:
    """Return what happened, by subject, so that a difference can be read."""
    return [
        f"{each.event.subject} {each.sequence} {iso(each.event.at)} {each.event.id} "
        f"{each.state_before}-{each.state}"
        for each in store.journal()
    ]


def same(store: Store, other: Store) -> None:
    """See that two stores hold the same history."""
    assert told(store) == told(other)
    assert store.all() == other.all()
    assert store.digest() == other.digest()


@pytest.mark.soak
@pytest.mark.parametrize("workers", [2, 4])
def test_threads_write_the_history_of_one(opened: Store, workers: int) -> None:
    """GEN-08, GEN-09: in batches so small that they always meet."""

    @given(script=plans(FEW))
    @profile(RANDOM, max_examples=EXAMPLES, database=None, derandomize=True)
    def lived(script: Script) -> None:
        life = script.life()
        clock = SimulatedClock(BEGIN - 1000 * DAY)
        store = opened.of(f"late {next(_numbers)}", policy=life.policy, clock=clock)
        asked(store, clock, life)

        done = settle(store, UNTIL, batch=2, collect=False, workers=workers)

        assert done.stuck == ()
        assert [*store.due(UNTIL)] == []
        same(store, alone(life))

    lived()


def test_processes_write_the_history_of_one(opened: Store, migrated_database: str) -> None:
    """What one of them has left to another is settled afterwards."""

    @given(script=plans(MANY))
    @profile(RANDOM, max_examples=1, database=None, derandomize=True)
    def lived(script: Script) -> None:
        life = script.life()
        clock = SimulatedClock(BEGIN - 1000 * DAY)
        asked(opened.of("default", policy=life.policy, clock=clock), clock, life)

        counts = settled_by_processes(migrated_database, UNTIL, "10")
        settle(opened, UNTIL)

        assert sum(each > 0 for each in counts) > 1
        assert [*opened.due(UNTIL)] == []
        same(opened, alone(life))

    lived()
