"""A shop on every database: subscriptions of several tenants, by a clock that a test moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sublife.events.intake import Outcome, submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.daemon.settling import Settling
from sublife.scheduler.daemon.watch import Watch

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
GRACE_END = TERM_END + timedelta(days=30)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase(
    "tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
)


class Told:
    """What went to the log, as event names with their keys."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __call__(self, name: str) -> list[dict[str, Any]]:
        """Return the keys of every line with that event name."""
        return [vars(each) for each in self._caplog.records if each.getMessage() == name]


@dataclass(slots=True)
class Shop:
    """A database with its simulated clock, in which every tenant sells."""

    store: Store
    clock: SimulatedClock
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def sell(self, subject: str, tenant: str = "default", **changes: Any) -> Outcome:
        """Sell a subscription that lapses after its year, unless *changes* say otherwise."""
        return self.do("purchase", subject, SOLD_AT, replace(ORDER, **changes), tenant=tenant)

    def do(
        self,
        name: str,
        subject: str,
        at: datetime,
        data: Payload = EMPTY,
        *,
        tenant: str = "default",
    ) -> Outcome:
        """Submit a request of that instant."""
        self.clock.move(max(at, self.clock.now()))
        event = Event(f"event-{next(self._numbers)}", name, subject, at, AMY, data)
        return submit(self.store.of(tenant), event)

    def state(self, subject: str, tenant: str = "default") -> str:
        """Return where a subject stands."""
        found = self.store.of(tenant).get(subject)
        assert found is not None
        return str(found.state)

    def settling(self, **changes: Any) -> Settling:
        """Return the settling of a daemon that goes by the same clock."""
        watch = Watch(self.clock, 60)
        return Settling(store=self.store, watch=watch, witness=lambda _store: None, **changes)


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return "sqlite://" if request.param == "sqlite-memory" else f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def open_shop() -> Iterator[Callable[[str], Shop]]:
    """Opens a shop at an address, any number of times, and closes them all."""
    opened: list[Store] = []

    def open_(url: str) -> Shop:
        clock = SimulatedClock(datetime(2020, 1, 1, tzinfo=UTC))
        opened.append(Store.open(url, clock=clock))
        return Shop(opened[-1], clock)

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def shop(url: str, open_shop: Callable[[str], Shop]) -> Shop:
    """A shop at an empty database."""
    return open_shop(url)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    """What the library logs from now on."""
    caplog.set_level("INFO", logger="sublife")
    return Told(caplog)
