"""What is stuck is named by readiness and counted, and leaves the daemon ready."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from sublife.events.intake import submit
from sublife.events.repair import repair
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.api import Interface
from sublife.scheduler.api.route.health import show_readiness
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.daemon.settling import Settling
from sublife.scheduler.daemon.watch import Watch

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
NIGHT = datetime(2025, 10, 2, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")


class Steady(SimulatedClock):
    """A simulated clock that also counts the seconds that pass on it."""

    def steady(self) -> float:
        """Return seconds since the epoch."""
        return self.now().timestamp()


@pytest.fixture
def store() -> Iterator[Store]:
    """Three subscriptions that lapse, two of one tenant and one of another."""
    clock = Steady(SOLD_AT)
    opened = Store.open("sqlite://", clock=clock)
    for tenant, name in (("default", "bad"), ("default", "good"), ("other", "s1")):
        order = Purchase(
            f"of-{name}", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
        )
        event = Event(f"order-{name}", "purchase", name, SOLD_AT, AMY, order)
        submit(opened.of(tenant), event)
    clock.move(NIGHT)
    yield opened
    opened.close()


def settling(store: Store) -> Settling:
    clock: Any = store.host_clock
    return Settling(store=store, watch=Watch(clock, 60), witness=lambda _: None)


def change(store: Store, column: str, value: object, where: str = "id = 'bad'") -> None:
    table = "journal" if "subject" in where else "subject"
    with store.engine.begin() as connection:
        statement = f"UPDATE sublife_{table} SET {column} = :v WHERE {where}"  # noqa: S608 – names of this test
        assert connection.execute(text(statement), {"v": value}).rowcount == 1


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("snapshot", "[]"),
        ("lifecycle", "warranty"),
        ("sequence", "x"),
        ("stamp", "x"),
        ("due_at", 12345),
        ("due_at", "0 days"),
        ("due_at", "2025-02-31 00:00:00"),
    ],
)
def test_a_subject_with_a_damaged_column_is_stuck_by_itself(
    column: str, value: object, store: Store
) -> None:
    """GEN-08: those of its tenant and of others go on, whatever stands in its row."""
    change(store, column, value)
    looks = settling(store)

    looked = looks.run_once()

    assert looks.stuck == ("bad",)
    assert looked.events == 4
    found = (store.get("good"), store.of("other").get("s1"))
    assert [each and str(each.state) for each in found] == ["grace", "grace"]


def test_what_is_repaired_is_stuck_no_longer(store: Store) -> None:
    change(store, "snapshot", "[]")
    looks = settling(store)
    looks.run_once()

    repair(store, "bad", by="amy")
    clock: Any = store.host_clock
    clock.move(NIGHT + timedelta(minutes=2))
    looks.run_once()

    assert looks.stuck == ()


def test_what_is_set_aside_is_named_without_being_tried(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    change(store, "hash", "x", "subject = 'bad' AND sequence = 1")
    change(store, "snapshot", "[]")
    repair(store, "bad", by="amy")
    caplog.clear()
    looks = settling(store)

    looks.run_once()

    assert looks.stuck == ("bad",)
    assert "subject_stuck" not in [each.getMessage() for each in caplog.records]
    assert ("sublife_stuck", {}, 1.0) in list(looks.metrics.values())


@pytest.mark.parametrize(
    ("stuck", "body"),
    [
        ((), {"status": "ready"}),
        (("bad",), {"status": "ready", "stuck": ["bad"]}),
        (
            tuple(f"s{number:02}" for number in range(12)),
            {"status": "ready", "stuck": [f"s{number:02}" for number in range(10)]},
        ),
    ],
)
def test_readiness_names_it_and_stays_ready(
    stuck: tuple[str, ...], body: dict[str, object], store: Store
) -> None:
    answer = show_readiness(Interface(store, stuck=lambda: stuck))

    assert answer.status_code == 200
    assert json.loads(bytes(answer.body)) == body
