"""A store on every database there is, and a desk at it: who does what, to whom, when."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from sublife.events.intake import Outcome, Settled, settle, submit
from sublife.events.migrations.partition import Partitions
from sublife.events.store import Store
from sublife.events.store.upgrade import upgrade
from sublife.events.tables import metadata
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.migration.model import Schedule
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload, Role
from sublife.lifecycle.programme import Enrol, Fulfil, Item
from sublife.lifecycle.subscription.model import Platform, Product, Purchase, Subscription
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.cluster import Databases

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
E3 = Product("E3", "Office E3", rank=3)
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(slots=True)
class Desk:
    """A store with its simulated clock, and the partner who works at it."""

    store: Store
    clock: SimulatedClock
    count: int = field(default=0)

    def event(
        self,
        name: str,
        subject: str,
        at: datetime,
        data: Payload = EMPTY,
        *,
        event_id: str | None = None,
    ) -> Event:
        """Return an event with an id of its own, unless one is given."""
        self.count += 1
        return Event(event_id or f"event-{self.count}", name, subject, at, AMY, data)

    def do(
        self,
        name: str,
        subject: str,
        at: datetime,
        data: Payload = EMPTY,
        *,
        event_id: str | None = None,
    ) -> Outcome:
        """Move the clock to *at* and submit an event of that instant."""
        self.clock.move(max(at, self.clock.now()))
        return submit(self.store, self.event(name, subject, at, data, event_id=event_id))

    def sell(self, subject: str, at: datetime = SOLD_AT, **changes: Any) -> Outcome:
        """Sell 30 seats of E3 for a year, billed monthly, unless *changes* say otherwise."""
        order = Purchase("tailspin", "contoso", E3, 30, Term.P1Y, Billing.MONTHLY)
        return self.do("purchase", subject, at, replace(order, **changes))

    def wake(self, at: datetime, *, batch: int = 1000) -> Settled:
        """Move the clock to *at* and settle what is due by then."""
        self.clock.move(at)
        return settle(self.store, at, batch=batch)

    def subscription(self, subject: str) -> Subscription:
        """Return a subscription that exists."""
        found = self.store.get(subject)
        assert isinstance(found, Subscription)
        return found

    def rows(self) -> Rows:
        """Return every row of every table, in order of its key."""
        with self.store.engine.begin() as connection:
            return {
                table.name: [
                    tuple(row)
                    for row in connection.execute(select(table).order_by(*table.primary_key))
                ]
                for table in metadata.sorted_tables
            }

    def standing(self) -> Rows:
        """Return every row but the journal's, and but where the journal of each subject ends.

        It is what a refused event may not change.
        """
        rows = self.rows()
        del rows["sublife_journal"]
        ends = {"sequence", "stamp", "head"}
        kept = [each.name not in ends for each in metadata.tables["sublife_subject"].columns]
        rows["sublife_subject"] = [tuple(compress(row, kept)) for row in rows["sublife_subject"]]
        return rows


@pytest.fixture(scope="session")
def partitioned_databases(postgresql: str) -> "Databases":
    """Databases whose subjects lie in three partitions, journal and records in two and the rest."""
    from tests.cluster import Databases  # noqa: PLC0415 – most tests need no database server

    def make(url: str) -> None:
        upgrade(url, Partitions(subjects=3, months=True, first=date(2024, 10, 1)))
        upgrade(url, months=(date(2025, 10, 1), 0))

    return Databases(postgresql, make)


@pytest.fixture
def partitioned_database(partitioned_databases: "Databases") -> Iterator[str]:
    """The address of a database whose tables are empty and cut into partitions."""
    with partitioned_databases.one() as address:
        yield address


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The kinds of database there are; a module may name more of them."""
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one of each kind."""
    if kind == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    if kind == "postgresql-partitioned":
        return str(request.getfixturevalue("partitioned_database"))
    return {
        "sqlite-memory": "sqlite://",
        "sqlite-file": f"sqlite:///{tmp_path / 'store.db'}",
    }[kind]


@pytest.fixture(params=["sqlite-file", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that several stores can open."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'shared.db'}"


@pytest.fixture
def open_desk() -> Iterator[Callable[..., Desk]]:
    """Opens a desk at an address, any number of times, and closes them all."""
    opened: list[Store] = []

    def open_(url: str = "sqlite://", **more: Any) -> Desk:
        clock = SimulatedClock(datetime(2020, 1, 1, tzinfo=UTC))
        store = Store.open(url, clock=clock, **more)
        opened.append(store)
        return Desk(store, clock)

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def desk(url: str, open_desk: Callable[..., Desk]) -> Desk:
    """A desk at an empty store."""
    return open_desk(url)


LEGACY_AT = datetime(2022, 2, 15, 8, tzinfo=UTC)


@pytest.fixture
def three_customers() -> Callable[[Desk], None]:
    """Lets three customers buy in February 2022 and plan until November.

    Tailspin migrates one subscription by day and one with its add-on at its renewal, Northwind is
    led by the distributor at its term ends, and Fabrikam has nothing to move.
    """

    def begin(desk: Desk) -> None:
        legacy: dict[str, Any] = {"platform": Platform.LEGACY}
        for customer in ("tailspin", "northwind"):
            for number in (1, 2):
                desk.sell(f"{customer}-{number}", LEGACY_AT, customer=customer, **legacy)
            legacy["add_on_to"] = f"{customer}-2"
            desk.sell(f"{customer}-3", LEGACY_AT, customer=customer, **legacy)
            del legacy["add_on_to"]
        desk.sell("fabrikam-1", LEGACY_AT, customer="fabrikam", autorenew=False)
        later = LEGACY_AT + timedelta(days=20)
        desk.sell("northwind-4", later, customer="northwind", autorenew=False)
        desk.clock.move(datetime(2022, 11, 5, 8, tzinfo=UTC))
        programme = "contoso/northwind"
        _ask(desk, "enrol", programme, Enrol("northwind", "contoso"), "programme")
        for item in Item:
            _ask(desk, "fulfil", programme, Fulfil(item, "1"), "programme", str(item))
        by_day = datetime(2022, 12, 10, tzinfo=UTC)
        targets: list[dict[str, Any]] = [{"target_at": by_day}, {"migrate_on_renewal": True}]
        for number, target in enumerate(targets, 1):
            name = f"tailspin-{number}"
            plan: Any = {"customer": "tailspin", "subscription": name, "into": f"{name}-nce"}
            _ask(desk, "schedule", f"m{number}", Schedule(**plan, **target), "migration")

    return begin


def _ask(
    desk: Desk, name: str, subject: str, data: Payload, lifecycle: str, mark: str = ""
) -> None:
    event_id, at = f"{name}-{subject}{mark}", desk.clock.now()
    mia = Actor(ActorKind.USER, "mia", Role.GLOBAL_ADMIN, "contoso")
    outcome = submit(desk.store, Event(event_id, name, subject, at, mia, data, None, lifecycle))
    assert outcome.accepted, outcome.refusal
