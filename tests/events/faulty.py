"""Kills a process between any two statements, again and again; `test_faults.py` runs it.

Usage: python faulty.py ADDRESS WORK, where WORK is `submit` or `settle`. For each number from 1 on
a child process does the work and is killed before (even numbers: after) that statement, until one
comes through. Prints one JSON line per child.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import select

from sublife.events import intake
from sublife.events.store import Store, bulk
from sublife.events.store.database import Own
from sublife.events.store.link import Link
from sublife.events.tables import metadata
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase, Upgrade
from sublife.scheduler.clock import SimulatedClock

AMY = Actor(ActorKind.USER, "amy")
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
E3, E5 = Product("E3", "Office E3", rank=3), Product("E5", "Office E5", rank=5)
LAPSING = 5


def opened(address: str) -> Store:
    """Return a store on *address* whose clock shows the end of the term."""
    return Store.open(address, clock=SimulatedClock(TERM_END))


def prepare(store: Store) -> None:
    """Sell subscriptions that lapse at the term end, and one to be upgraded."""
    for number in range(LAPSING + 1):
        order = Purchase(
            "tailspin", "contoso", E3, 30, Term.P1Y, Billing.MONTHLY, autorenew=number == LAPSING
        )
        intake.submit(store, Event(f"sale-{number}", "purchase", f"s{number}", SOLD_AT, AMY, order))


def upgrade(store: Store) -> str:
    """Split one subscription in two, by one event and what follows from it."""
    event = Event(
        "split", "upgrade", f"s{LAPSING}", MID_TERM, AMY, Upgrade(E5, quantity=10, into="s9")
    )
    return "repeated" if intake.submit(store, event).repeated else "accepted"


def lapse(store: Store) -> str:
    """Settle the term end in batches of two."""
    return f"{intake.settle(store, TERM_END, batch=2).count} settled"


WORKS: dict[str, Callable[[Store], str]] = {"submit": upgrade, "settle": lapse}


def rows(store: Store) -> dict[str, int]:
    """Return how many rows each table has."""
    with store.engine.connect() as connection:
        return {
            table.name: len(connection.execute(select(table)).all())
            for table in metadata.sorted_tables
        }


def kill_at(number: int) -> None:
    """Kill this process at a place between two statements: the *number*-th there is."""
    places = count(1)

    def deadly(run: Callable[..., Any]) -> Callable[..., Any]:
        def step(*given: Any) -> Any:
            if next(places) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            found = run(*given)
            if next(places) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return step

    bulk.COPIED = 2
    steps = ("rows", "run", "run_many", "copy")
    for owner, name in (*((Link, each) for each in steps), (Own, "_commit")):
        setattr(owner, name, deadly(getattr(owner, name)))


def attempt(address: str, work: Callable[[Store], str], number: int) -> bool:
    """Do the work in a child that is killed at a place; return whether it was."""
    child = os.fork()
    if child == 0:
        store = opened(address)
        kill_at(number)
        work(store)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"the child failed with {os.WEXITSTATUS(status)}")
    return os.WIFSIGNALED(status)


def main() -> None:
    """Kill at every place in turn and say what is there afterwards."""
    address, name = sys.argv[1:]
    store = opened(address)
    prepare(store)
    told = {"killed_at": 0, "rows": rows(store), "digest": store.digest()}
    store.close()
    print(json.dumps(told), flush=True)
    for number in count(1):
        is_killed = attempt(address, WORKS[name], number)
        store = opened(address)
        found = {"killed_at": number if is_killed else None, "rows": rows(store)}
        print(json.dumps({**found, "digest": store.digest()}), flush=True)
        store.close()
        if not is_killed:
            break
    store = opened(address)
    again = WORKS[name](store)
    told = {"again": again, "rows": rows(store), "digest": store.digest()}
    store.close()
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
