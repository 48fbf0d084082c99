"""Which tenants' facts are posted, and how long; the housekeeping beside it."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from threading import Event as Signal
from typing import TYPE_CHECKING

import pytest

from sublife.events.migrations.partition import Partitions
from sublife.events.outbox import Delivered, Endpoint, add_endpoint
from sublife.events.outbox.endpoint import new_secret
from sublife.events.pause import pause
from sublife.events.store import Store, StoreError
from sublife.events.store.daemon import Daemon
from sublife.events.store.upgrade import upgrade
from sublife.scheduler.daemon import delivering as module
from sublife.scheduler.daemon import house
from sublife.scheduler.daemon.delivering import Delivering
from sublife.scheduler.daemon.house import keep_house
from sublife.scheduler.metrics import Metrics
from sublife.scheduler.settings import load

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Shop, Told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = 60


class Posting:
    """Stands for `keep_delivering`: notes for whom it was called, and posts until told to stop."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.has_begun = Signal()

    def __call__(
        self,
        store: Store,
        stop: Signal,
        *,
        told: Callable[[Delivered], None],
        **_more: object,
    ) -> None:
        self.begun.append(store.tenant)
        told(Delivered(delivered=2, dead=1))
        self.has_begun.set()
        stop.wait(SOON)
        self.ended.append(store.tenant)


@pytest.fixture
def posting(monkeypatch: pytest.MonkeyPatch) -> Posting:
    """What is called in place of `keep_delivering`."""
    posting = Posting()
    monkeypatch.setattr(module, "keep_delivering", posting)
    return posting


def connect(shop: "Shop", tenant: str) -> None:
    """Give a tenant an endpoint."""
    secret = new_secret(bytes(range(32)))
    endpoint = Endpoint(id="billing", url="https://example.com/hook", secret=secret)
    add_endpoint(shop.store.of(tenant), endpoint, NOON)


def join(tenant: str) -> None:
    """Wait for the thread that posts for a tenant."""
    for thread in threading.enumerate():
        if thread.name == f"sublife-deliver-{tenant}":
            thread.join(SOON)


class TestDelivering:
    def test_each_tenant_with_endpoints_is_posted_for_once(
        self, shop: "Shop", posting: Posting
    ) -> None:
        """However often it is looked after."""
        connect(shop, "a")
        delivering = Delivering(store=shop.store)

        for _ in range(3):
            delivering.tend()
        delivering.end()

        assert (posting.begun, posting.ended) == (["a"], ["a"])

    def test_a_tenant_that_comes_to_have_endpoints_is_posted_for(
        self, shop: "Shop", posting: Posting
    ) -> None:
        """Without a restart."""
        delivering = Delivering(store=shop.store)
        delivering.tend()
        before = list(posting.begun)

        connect(shop, "a")
        delivering.tend()
        delivering.end()

        assert (before, posting.begun) == ([], ["a"])

    def test_a_tenant_that_is_paused_is_posted_for_no_longer(
        self, shop: "Shop", posting: Posting
    ) -> None:
        """What is committed meanwhile waits in the journal."""
        connect(shop, "a")
        delivering = Delivering(store=shop.store)
        delivering.tend()
        assert posting.has_begun.wait(SOON)

        pause(shop.store, by="amy", reason="audit", tenant="a")
        delivering.tend()
        join("a")

        assert posting.ended == ["a"]
        delivering.end()

    def test_a_round_that_breaks_is_told_and_begun_anew(
        self, shop: "Shop", told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One fault does not end the posts of a tenant for ever."""
        begun: list[str] = []

        def break_(store: Store, *_more: object, **_named: object) -> None:
            begun.append(store.tenant)
            raise RuntimeError("out of order")

        monkeypatch.setattr(module, "keep_delivering", break_)
        connect(shop, "a")
        delivering = Delivering(store=shop.store)

        for _ in range(2):
            delivering.tend()
            join("a")

        assert begun == ["a", "a"]
        assert [each["tenant"] for each in told("delivery_broken")] == ["a", "a"]

    def test_what_came_of_the_posts_is_counted(self, shop: "Shop", posting: Posting) -> None:
        """By outcome."""
        metrics = Metrics()
        connect(shop, "a")
        delivering = Delivering(store=shop.store, metrics=metrics)

        delivering.tend()
        delivering.end()

        counted = {
            labels["outcome"]: value
            for name, labels, value in metrics.values()
            if name == "sublife_deliveries_total"
        }
        assert counted == {"delivered": 2, "dead": 1}


class TestHouse:
    def test_daemons_of_last_month_are_forgotten(self, shop: "Shop", url: str) -> None:
        """Those of this week stay, for whoever looks for a fault."""
        for name, days in (("old", 8), ("new", 6)):
            at = NOON - timedelta(days=days)
            shop.store.daemons.beat(Daemon(name, "host", 1, "0.2.0", at, at))

        keep_house(shop.store, load(flags={"store": url}), NOON)

        assert [each.id for each in shop.store.daemons.all()] == ["new"]

    def test_the_partitions_of_coming_months_are_made(
        self, empty_database: str, open_shop: Callable[[str], "Shop"], told: "Told"
    ) -> None:
        """Where the tables are cut by month."""
        upgrade(empty_database, Partitions(months=True, first=date(2026, 3, 1)))
        shop = open_shop(empty_database)

        keep_house(shop.store, load(flags={"store": empty_database, "months_ahead": 1}), NOON)

        (kept,) = told("house_kept")
        assert "sublife_journal_2026_04" in kept["partitions"]

    def test_a_role_that_may_not_make_them_is_told_what_to_do(
        self, shop: "Shop", url: str, told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rest of the house is kept."""

        def refuse(*_more: object) -> tuple[str, ...]:
            raise StoreError("our role may not")

        monkeypatch.setattr("sublife.events.store.upgrade.make_months", refuse)

        house.keep_house(shop.store, load(flags={"store": url}), NOON)

        (warned,) = told("months_not_made")
        assert "sublife migrate --months-ahead" in warned["remedy"]
        assert len(told("house_kept")) == 1
