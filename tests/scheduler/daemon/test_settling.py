"""One look of the daemon with no process: what is due happens, what is not does not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from typing import TYPE_CHECKING

import pytest

from sublife.events import intake
from sublife.events.intake import work
from sublife.events.pause import pause, resume
from sublife.events.store import Store, StoreError, UnreachableError
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import Decision, Event, ModelError, Refusal
from sublife.scheduler.daemon import settling as module
from sublife.scheduler.daemon.settling import Settling
from sublife.scheduler.daemon.watch import Watch

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Shop, Told

TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
GRACE_END = TERM_END + timedelta(days=30)
SECOND = timedelta(seconds=1)


def failing_for(subject: str) -> Callable[..., Decision | Refusal]:
    """Return a decision that breaks for one subject."""

    def decide_(snapshot: object, event: Event, *more: object, **named: object) -> object:
        if event.subject == subject:
            raise ModelError(f"{subject} breaks")
        return decide(snapshot, event, *more, **named)  # type: ignore[arg-type]

    return decide_  # type: ignore[return-value]


class TestALook:
    def test_settles_what_is_due_and_tells_when_the_next_is(self, shop: "Shop") -> None:
        """GEN-08: up to and with the instant of the look."""
        shop.sell("s1")
        shop.clock.move(TERM_END)

        looked = shop.settling().run_once()

        assert (looked.events, looked.next_due_at, looked.remaining) == (2, GRACE_END, ())
        assert shop.state("s1") == "grace"

    def test_settles_nothing_a_second_early(self, shop: "Shop") -> None:
        """GEN-08: what is due in a second waits for it."""
        shop.sell("s1")
        shop.clock.move(TERM_END - SECOND)

        looked = shop.settling().run_once()

        assert (looked.events, looked.next_due_at) == (0, TERM_END)
        assert shop.state("s1") == "active"

    def test_of_a_daemon_that_slept_gives_the_true_instants(self, shop: "Shop") -> None:
        """GEN-08: a year late, each event is dated when it was due."""
        shop.sell("s1")
        shop.clock.move(TERM_END + timedelta(days=365))

        shop.settling().run_once()

        dated = [(each.event.name, each.event.at) for each in shop.store.history("s1")[-4:]]
        assert dated == [
            ("term_ended", TERM_END),
            ("expiry_ended", TERM_END),
            ("grace_ended", GRACE_END),
            ("retention_ended", GRACE_END + timedelta(days=90)),
        ]

    @pytest.mark.parametrize("workers", [1, 2])
    def test_serves_every_tenant(self, shop: "Shop", workers: int) -> None:
        """One daemon works for the whole database."""
        for tenant in ("a", "b", "c"):
            shop.sell("s1", tenant)
        shop.clock.move(TERM_END)

        looked = shop.settling(workers=workers, batch=1).run_once()

        assert looked.events == 6
        assert {shop.state("s1", tenant) for tenant in ("a", "b", "c")} == {"grace"}

    def test_with_nothing_at_all_tells_of_nothing(self, shop: "Shop") -> None:
        """An empty database has no next instant."""
        looked = shop.settling().run_once()

        assert (looked.events, looked.next_due_at, looked.remaining) == (0, None, ())

    def test_ends_with_the_batch_under_way_when_told_to_stop(
        self, shop: "Shop", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SIGTERM: the batch is whole, the next one is not begun."""
        for subject in ("s1", "s2", "s3"):
            shop.sell(subject)
        shop.clock.move(TERM_END)
        stop = Signal()

        def stopping(*args: object, **named: object) -> object:
            stop.set()
            return decide(*args, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(work, "decide", stopping)

        looked = shop.settling(stop=stop, batch=1).run_once()

        assert (looked.events, looked.remaining) == (2, ("default",))
        assert [shop.state(each) for each in ("s1", "s2", "s3")] == ["grace", "active", "active"]

    def test_shows_progress_where_much_is_due(self, shop: "Shop", told: "Told") -> None:
        """Beginning and end are told with how much there is."""
        for number in range(3):
            shop.sell(f"s{number}")
        shop.clock.move(TERM_END)
        looking = shop.settling()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sublife.scheduler.daemon.progress.MANY", 3)
            looking.run_once()

        (begun,), (ended,) = told("catching_up"), told("caught_up")
        assert (begun["due"], ended["events"]) == (3, 6)
        assert begun["oldest"] == "2025-10-01T00:00:00Z"


class TestStuck:
    def test_a_stuck_subject_is_told_once_and_then_left_alone(
        self, shop: "Shop", told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Looks follow each other every few seconds; the log would be full of it."""
        shop.sell("s1")
        shop.clock.move(TERM_END)
        monkeypatch.setattr(work, "decide", failing_for("s1"))
        looking = shop.settling()

        looks = [looking.run_once() for _ in range(3)]

        assert len(told("subject_stuck")) == 1
        assert [each.remaining for each in looks] == [(), (), ()]

    def test_a_stuck_subject_holds_up_none_that_falls_due_after_it(
        self, shop: "Shop", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The rest of a tenant ends as soon as something else of it is due."""
        shop.sell("s1")
        shop.sell("s2")
        shop.clock.move(TERM_END)
        monkeypatch.setattr(work, "decide", failing_for("s1"))
        looking = shop.settling()
        first = looking.run_once()
        looking.run_once()
        shop.clock.move(GRACE_END)

        second = looking.run_once()

        assert first.next_due_at == GRACE_END
        assert (second.events, shop.state("s2")) == (1, "disabled")

    def test_a_stuck_subject_is_tried_again_after_a_minute(
        self, shop: "Shop", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once fixed, it needs nobody to say so."""
        shop.sell("s1")
        shop.clock.move(TERM_END)
        looking = shop.settling()
        with monkeypatch.context() as broken:
            broken.setattr(work, "decide", failing_for("s1"))
            looking.run_once()

        soon = looking.run_once()
        shop.clock.move(TERM_END + timedelta(seconds=61))
        later = looking.run_once()

        assert (soon.events, later.events) == (0, 2)

    def test_a_tenant_that_cannot_be_settled_holds_up_no_other(
        self, shop: "Shop", told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever breaks, it is told with the tenant's name."""
        shop.sell("s1", "broken")
        shop.sell("s1", "sound")
        shop.clock.move(TERM_END)

        def settle(store: Store, *args: object, **named: object) -> object:
            if store.tenant == "broken":
                raise RuntimeError("out of order")
            return intake.settle(store, *args, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(module, "settle", settle)

        shop.settling().run_once()

        assert (shop.state("s1", "sound"), shop.state("s1", "broken")) == ("grace", "active")
        assert [each["tenant"] for each in told("settle_broken")] == ["broken"]

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_database_that_does_not_answer_is_told_to_the_caller(
        self, shop: "Shop", workers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It concerns every tenant, so the look as a whole is tried again."""
        shop.sell("s1")
        shop.clock.move(TERM_END)

        def settle(*_args: object, **_named: object) -> object:
            raise UnreachableError("gone")

        monkeypatch.setattr(module, "settle", settle)

        with pytest.raises(UnreachableError, match="gone"):
            shop.settling(workers=workers).run_once()

    def test_a_tenant_whose_settling_is_refused_is_told(
        self, shop: "Shop", told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The reason is in the log, and the next look tries nothing until it has rested."""
        shop.sell("s1")
        shop.clock.move(TERM_END)

        def settle(*_args: object, **_named: object) -> object:
            raise StoreError("no room")

        monkeypatch.setattr(module, "settle", settle)
        looking = shop.settling()

        looking.run_once()
        looking.run_once()

        assert [each["reason"] for each in told("settle_failed")] == ["no room"]


class TestSlowTenants:
    def test_a_tenant_that_waits_for_somebody_holds_up_no_other(
        self,
        migrated_database: str,
        open_shop: "Callable[[str], Shop]",
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It keeps one worker busy; it can only end here when the other tenant is served."""
        shop = open_shop(migrated_database)
        shop.sell("s1", "a-slow")
        shop.sell("s1", "quick")
        shop.clock.move(TERM_END)
        served = Signal()

        def settle(store: Store, *args: object, **named: object) -> object:
            if store.tenant == "a-slow":
                assert served.wait(60)
            done = intake.settle(store, *args, **named)  # type: ignore[arg-type]
            if store.tenant == "quick":
                served.set()
            return done

        monkeypatch.setattr(module, "settle", settle)

        looked = shop.settling(workers=2).run_once()

        assert looked.events == 4
        assert {shop.state("s1", tenant) for tenant in ("a-slow", "quick")} == {"grace"}


class TestLeftOut:
    def test_a_paused_tenant_is_left_out_until_it_is_resumed(self, shop: "Shop") -> None:
        """Afterwards all of it happens, with its true instants."""
        shop.sell("s1", "paused")
        shop.sell("s1", "other")
        pause(shop.store, by="amy", reason="audit", tenant="paused")
        shop.clock.move(TERM_END)
        looking = shop.settling()

        looking.run_once()
        meanwhile = shop.state("s1", "paused")
        resume(shop.store, by="amy", tenant="paused")
        looking.run_once()

        assert (meanwhile, shop.state("s1", "other")) == ("active", "grace")
        assert shop.state("s1", "paused") == "grace"

    def test_a_paused_lifecycle_is_left_out(self, shop: "Shop") -> None:
        """The tenant has something due, and nothing of it is moved."""
        shop.sell("s1")
        pause(shop.store, by="amy", reason="audit", lifecycle="subscription")
        shop.clock.move(TERM_END)

        looked = shop.settling().run_once()

        assert (looked.events, shop.state("s1")) == (0, "active")


class TestClock:
    def test_nothing_is_settled_by_a_clock_that_is_ahead(self, shop: "Shop", told: "Told") -> None:
        """Never early: it is told loudly, and goes on as soon as the clock agrees."""
        shop.sell("s1")
        shop.clock.move(TERM_END)
        database = [TERM_END - timedelta(days=1)]
        looking = Settling(
            store=shop.store, watch=Watch(shop.clock, 60), witness=lambda _store: database[0]
        )

        ahead = looking.run_once()
        held = shop.state("s1")
        database[0] = TERM_END
        agreed = looking.run_once()

        assert (ahead.is_held, held) == (True, "active")
        assert [each["seconds"] for each in told("clock_ahead")] == [86400.0]
        assert (agreed.events, shop.state("s1")) == (2, "grace")

    def test_the_clock_of_postgresql_is_the_witness(self, shop: "Shop") -> None:
        """SQLite has no clock of its own, so nothing is compared there."""
        shop.clock.move(datetime(9000, 1, 1, tzinfo=UTC))
        looking = Settling(store=shop.store, watch=Watch(shop.clock, 60))

        looked = looking.run_once()

        assert looked.is_held == (shop.store.engine.dialect.name == "postgresql")
