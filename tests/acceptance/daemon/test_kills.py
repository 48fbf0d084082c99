"""Random SIGKILLs among daemons over many due subjects: each moved once, no gap anywhere."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import sleep
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text
from sqlmodel import col

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.events.tables import ActivityRow, JournalRow, SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

if TYPE_CHECKING:
    from tests.acceptance.daemon.conftest import Hands, Nursery

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AMY = Actor(ActorKind.USER, "amy")
KILLS = sized(12, 200)
DUE = sized(3_000, 100_000)
EACH = DUE // KILLS
"""Subjects due in one minute; the clock goes on by a minute with each kill."""
TWICE_OR_GAP = """
SELECT count(*) FROM sublife_subject AS s
WHERE s.state <> 'deleted' OR s.due_at IS NOT NULL OR s.sequence <> :before + 1
OR (SELECT count(*) FROM sublife_journal AS j
    WHERE j.tenant = s.tenant AND j.subject = s.id AND j.sequence = s.sequence
    AND j.name = 'retention_ended' AND j.hash = s.head) <> 1
"""


def sow(store: Store, clock: SimulatedClock) -> tuple[datetime, int]:
    """Write down subjects that wait for their deletion, as many in each of so many minutes.

    Returns:
        The instant just before the first is due; how many journal rows each has.
    """
    order = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
    for minute in range(KILLS):
        name = f"s{minute}"
        clock.move(SOLD_AT)
        assert submit(store, Event(f"sale-{name}", "purchase", name, SOLD_AT, AMY, order)).accepted
    for minute in range(KILLS):
        name, at = f"s{minute}", SOLD_AT + (minute + 1) * MINUTE
        clock.move(at)
        assert submit(store, Event(f"end-{name}", "cancel", name, at, AMY)).accepted
    first_at = store.next_due()
    assert first_at is not None
    rows = len(store.history("s0"))
    with store.engine.begin() as connection:
        seeds = connection.execute(select(SubjectRow)).mappings().all()
        copies = (_copy(dict(seed), n) for seed in seeds for n in range(1, EACH))
        while part := list(islice(copies, 5000)):
            connection.execute(SubjectRow.__table__.insert(), part)
        connection.execute(text("ANALYZE"))
    return first_at - MINUTE, rows


def _copy(seed: dict[str, Any], number: int) -> dict[str, Any]:
    name = f"{seed['id']}-{number}"
    snapshot = str(seed["snapshot"]).replace(f'"{seed["id"]}"', f'"{name}"')
    return {**seed, "id": name, "snapshot": snapshot}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("url", "daemons"), [("postgresql", 4), ("sqlite", 1)], indirect=["url"], ids=str
)
def test_random_kills_leave_each_subject_moved_exactly_once(
    url: str,
    daemons: int,
    hands: "Hands",
    nursery: "Nursery",
    open_store: Callable[..., Store],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """Whatever instant it hits, SIGKILL loses nothing and does nothing twice (GEN-08)."""
    seed = random.randrange(2**32)  # noqa: S311 – no secret
    print(f"random seed {seed}")
    chance = random.Random(seed)  # noqa: S311 – no secret
    clock = SimulatedClock(SOLD_AT)
    store = open_store(url, clock)
    before_at, rows = sow(store, clock)
    flags = (str(hands.path), "--store", url, "--beat-seconds", "0.1", "--batch", "100")
    hands.show(before_at)
    running = [nursery.start(*flags) for _ in range(daemons)]
    interrupted = 0

    for kill in range(KILLS):
        now = before_at + (kill + 1) * MINUTE
        hands.show(now)
        sleep(chance.uniform(0, 0.4))
        interrupted += bool(store.tenants.outlook(now).waiting)
        victim = chance.randrange(daemons)
        nursery.kill(running[victim])
        running[victim] = nursery.start(*flags)
    end_at = before_at + KILLS * MINUTE
    wait_until(lambda: not store.tenants.outlook(end_at).waiting)
    wait_until(lambda: set(running) <= {each.pid for each in store.daemons.all()})
    statuses = [nursery.stop(each) for each in running]

    print(f"{interrupted} of {KILLS} kills while something was due")
    with store.engine.connect() as connection:
        wrong = connection.execute(text(TWICE_OR_GAP), {"before": rows}).scalar_one()
        moved = connection.execute(
            select(func.count(), func.count(col(JournalRow.subject).distinct())).where(
                col(JournalRow.name) == "retention_ended"
            )
        ).one()
        records = connection.execute(
            select(func.count()).where(col(ActivityRow.fact) == "subscription-deleted")
        ).scalar_one()
    assert (tuple(moved), wrong) == ((DUE, DUE), 0)
    assert records in {0, DUE}
    assert statuses == [0] * daemons
    assert interrupted > KILLS // 4
