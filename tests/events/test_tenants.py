"""What is due in a whole database, who works on it, and how they hear of what is near."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from sublife.events.intake import settle, submit
from sublife.events.migrations.partition import Partitions
from sublife.events.outbox import Endpoint, add_endpoint
from sublife.events.outbox.endpoint import new_secret
from sublife.events.pause import pause, resume
from sublife.events.simulation import simulate
from sublife.events.store import Store, UnreachableError
from sublife.events.store.daemon import Daemon
from sublife.events.store.notice import NEAR
from sublife.events.store.tenants import Outlook, Waiting
from sublife.events.store.upgrade import make_months, upgrade
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.subscription.model import Product, Purchase

if TYPE_CHECKING:
    from tests.events.conftest import Desk

TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
GRACE_END = TERM_END + timedelta(days=30)
SECOND = timedelta(seconds=1)
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
QUIET = 0.0
SOON = 60.0


def of(desk: "Desk", tenant: str) -> "Desk":
    """Return a desk at another tenant of the same database, by the same clock."""
    return type(desk)(desk.store.of(tenant), desk.clock)


class TestOutlook:
    def test_an_empty_database_has_none(self, desk: "Desk") -> None:
        """Nobody waits, and nothing comes."""
        assert desk.store.tenants.outlook(TERM_END) == Outlook((), None)

    def test_tells_of_each_tenant_what_is_due_first_and_last(self, desk: "Desk") -> None:
        """Up to and with now; what comes after it is the next instant."""
        of(desk, "a").sell("s1", autorenew=False)
        other = of(desk, "b")
        other.sell("s1", autorenew=False)
        other.sell("s2", TERM_END - 40 * timedelta(days=1), autorenew=False)
        other.wake(TERM_END)
        later = other.subscription("s2").ends_on + timedelta(days=1)

        before = desk.store.tenants.outlook(TERM_END - SECOND)
        after = desk.store.tenants.outlook(GRACE_END)

        assert before == Outlook((), TERM_END)
        assert after.waiting == (
            Waiting("a", TERM_END, TERM_END),
            Waiting("b", GRACE_END, GRACE_END),
        )
        assert after.next_due_at == datetime(later.year, later.month, later.day, tzinfo=UTC)

    def test_what_is_due_is_counted_over_all_tenants(self, desk: "Desk") -> None:
        """Subjects, not events."""
        for each in (of(desk, "a"), of(desk, "b")):
            each.sell("s1", autorenew=False)
            each.sell("s2")

        counts = [desk.store.tenants.count_due(at) for at in (TERM_END - SECOND, TERM_END)]

        assert counts == [0, 4]

    def test_simulated_tenants_are_left_out(self, desk: "Desk") -> None:
        """They go by a clock of their own."""
        desk.clock.move(SOLD_AT)
        simulate(desk.store, "future", SOLD_AT)
        future = desk.store.of("future")
        submit(future, desk.event("purchase", "s1", SOLD_AT, ORDER))

        assert desk.store.tenants.outlook(TERM_END) == Outlook((), None)
        assert desk.store.tenants.count_due(TERM_END) == 0
        assert desk.store.tenants.live() == ()

    @pytest.mark.parametrize("tenant", ["a", None])
    def test_paused_tenants_are_left_out_until_resumed(
        self, desk: "Desk", tenant: str | None
    ) -> None:
        """One of them, or all."""
        of(desk, "a").sell("s1", autorenew=False)

        pause(desk.store, by="amy", reason="audit", tenant=tenant)
        paused = desk.store.tenants.outlook(TERM_END)
        resume(desk.store, by="amy", tenant=tenant)
        resumed = desk.store.tenants.outlook(TERM_END)

        assert paused == Outlook((), None)
        assert [each.tenant for each in resumed.waiting] == ["a"]

    def test_tenants_with_endpoints_are_named(self, desk: "Desk") -> None:
        """Each once, whatever it has sold."""
        for number, tenant in enumerate(("b", "a", "a")):
            endpoint = Endpoint(
                id=f"billing-{number}",
                url="https://example.com/hook",
                secret=new_secret(bytes(range(32))),
            )
            add_endpoint(desk.store.of(tenant), endpoint, SOLD_AT)

        assert desk.store.tenants.posted_to() == ("a", "b")

    def test_a_probe_per_tenant_reads_no_more_of_it(self, desk: "Desk") -> None:
        """However many subjects a tenant has: the plan walks the index of what is due."""
        for number in range(30):
            desk.sell(f"s{number}", autorenew=False)
        asked = (
            "SELECT due_at FROM sublife_subject WHERE tenant = 'default' AND due_at IS NOT NULL "
            "ORDER BY due_at LIMIT 1"
        )
        with desk.store.engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL enable_seqscan = off"))
                plan = connection.execute(text(f"EXPLAIN {asked}")).fetchall()
            else:
                plan = connection.execute(text(f"EXPLAIN QUERY PLAN {asked}")).fetchall()

        assert "sublife_subject_due" in str(plan)


class TestClocks:
    def test_postgresql_tells_its_own_time_and_sqlite_has_none(self, desk: "Desk") -> None:
        """The witness of a daemon."""
        told = desk.store.tenants.clock()

        assert (told is not None) == (desk.store.engine.dialect.name == "postgresql")
        assert told is None or told.tzinfo is UTC

    def test_the_latest_instant_is_a_journal_rows_or_a_beats(self, desk: "Desk") -> None:
        """Whoever wrote it down."""
        empty = desk.store.tenants.latest_at()
        desk.sell("s1")
        sold = desk.store.tenants.latest_at()
        desk.store.daemons.beat(_sign(TERM_END))

        assert (empty, sold, desk.store.tenants.latest_at()) == (None, SOLD_AT, TERM_END)


def _sign(at: datetime, name: str = "host-1") -> Daemon:
    return Daemon(name, "host", 1, "0.2.0", SOLD_AT, at)


class TestDaemons:
    def test_a_beat_brings_a_daemon_in_and_then_moves(self, desk: "Desk") -> None:
        """One row for each run."""
        desk.store.daemons.beat(_sign(SOLD_AT))
        desk.store.daemons.beat(_sign(TERM_END))

        assert desk.store.daemons.all() == (_sign(TERM_END),)

    def test_a_daemon_that_leaves_says_so(self, desk: "Desk") -> None:
        """One that was killed has no instant there."""
        desk.store.daemons.beat(_sign(SOLD_AT, "leaves"))
        desk.store.daemons.beat(_sign(SOLD_AT, "killed"))

        desk.store.daemons.stop(_sign(SOLD_AT, "leaves"), TERM_END)

        assert {each.id: each.stopped_at for each in desk.store.daemons.all()} == {
            "leaves": TERM_END,
            "killed": None,
        }

    def test_those_of_long_ago_are_forgotten(self, desk: "Desk") -> None:
        """Before the instant, exclusive."""
        desk.store.daemons.beat(_sign(SOLD_AT, "old"))
        desk.store.daemons.beat(_sign(TERM_END, "new"))

        assert desk.store.daemons.forget(TERM_END) == 1
        assert [each.id for each in desk.store.daemons.all()] == ["new"]


class TestNotices:
    def test_a_near_timer_of_another_connection_is_heard(
        self, shared_url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """The sale is dated a year ago, so its term has ended already."""
        here, there = open_desk(shared_url), open_desk(shared_url)
        there.clock.move(TERM_END - NEAR)

        with here.store.notices() as notices:
            before = notices.wait(QUIET)
            submit(there.store, there.event("purchase", "s1", SOLD_AT, ORDER))

            assert (before, notices.wait(SOON)) == (False, True)

    def test_nobody_is_told_of_a_far_one_on_postgresql(
        self, migrated_database: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """The beat comes early enough for it."""
        here, there = open_desk(migrated_database), open_desk(migrated_database)

        with here.store.notices() as notices:
            there.sell("s1")

            assert not notices.wait(0.5)

    def test_nobody_is_told_by_who_settles_on_postgresql(
        self, migrated_database: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """It goes on until nothing is due, and looks for itself what comes next."""
        here, there = open_desk(migrated_database), open_desk(migrated_database)
        there.sell("s1", autorenew=False)
        there.sell("s2", autorenew=False)

        with here.store.notices() as notices:
            there.wake(GRACE_END, batch=1)

            assert not notices.wait(0.5)

    def test_a_lost_connection_is_told(
        self, migrated_database: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """Whoever hears begins anew."""
        here, there = open_desk(migrated_database), open_desk(migrated_database)
        end_others = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )

        with here.store.notices() as notices:
            with there.store.engine.begin() as connection:
                connection.execute(end_others)

            with pytest.raises(UnreachableError):
                notices.wait(SOON)


class TestGoOn:
    def test_who_settles_is_asked_after_each_batch(self, desk: "Desk") -> None:
        """With the events of the batch and the instant up to which it went."""
        for subject in ("s1", "s2", "s3"):
            desk.sell(subject, autorenew=False)
        desk.clock.move(TERM_END)
        asked: list[tuple[int, datetime]] = []

        def once(events: int, until: datetime) -> bool:
            asked.append((events, until))
            return len(asked) < 2

        done = settle(desk.store, TERM_END, batch=1, go_on=once)

        assert asked == [(2, TERM_END), (2, TERM_END)]
        assert done.count == 4
        assert [desk.subscription(each).state for each in ("s1", "s2", "s3")] == [
            "grace",
            "grace",
            "active",
        ]


class TestMonths:
    def test_of_tables_that_are_not_cut_none_are_made(self, url: str, desk: "Desk") -> None:
        """Nor is anything looked at on SQLite."""
        assert make_months(url, date(2026, 1, 1), 3) == ()

    def test_of_tables_that_are_cut_those_that_miss_are_made(self, empty_database: str) -> None:
        """Once; the second time all are there."""
        upgrade(empty_database, Partitions(months=True, first=date(2026, 1, 1)))

        made = make_months(empty_database, date(2026, 1, 15), 1)

        assert made == (
            "sublife_journal_2026_02",
            "sublife_activity_2026_02",
            "sublife_order_2026_02",
        )
        assert make_months(empty_database, date(2026, 1, 15), 1) == ()


def test_a_store_of_any_tenant_sees_them_all(desk: "Desk") -> None:
    """The daemon needs one store for the whole database."""
    of(desk, "a").sell("s1", autorenew=False)

    found: Store = desk.store.of("b")

    assert [each.tenant for each in found.tenants.outlook(TERM_END).waiting] == ["a"]
