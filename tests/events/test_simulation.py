"""Simulated tenants: made empty, moved by their own clock alone, taken away whole."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import EventInFutureError, settle, submit
from sublife.events.pause import pause
from sublife.events.permission import allowed, as_of
from sublife.events.simulation import (
    Advanced,
    OccupiedTenantError,
    SimulationError,
    advance,
    remove,
    simulate,
)
from sublife.events.store import LiveTenantError, SimulatedTenantError, Store
from sublife.events.store.database import Own
from sublife.events.store.link import Link
from sublife.events.token import Role, new_token
from sublife.events.verify import verify
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from tests.events.broken import failing_for

if TYPE_CHECKING:
    from tests.events.conftest import Desk, Rows

OpenDesk = Callable[..., "Desk"]
DAY = timedelta(days=1)
STARTS = datetime(2026, 1, 1, tzinfo=UTC)
TERM_END = datetime(2027, 1, 1, tzinfo=UTC)
LIVE_AT = datetime(2030, 6, 1, tzinfo=UTC)
"""The live clock is ahead of the simulated one, so that it could do harm."""
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase(
    "tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
)
LAPSE = ["term_ended", "expiry_ended", "grace_ended", "retention_ended"]


@pytest.fixture
def live(desk: "Desk") -> "Desk":
    """A desk at the live tenant `default`, with one subscription that is due."""
    desk.clock.move(LIVE_AT)
    submit(desk.store, Event("live-1", "purchase", "l1", STARTS, AMY, ORDER))
    return desk


@pytest.fixture
def whatif(live: "Desk") -> Store:
    """A simulated tenant of the same database, with one subscription sold as its clock starts."""
    simulate(live.store, "whatif", STARTS)
    store = live.store.of("whatif")
    sell(store, "s1")
    return store


def sell(store: Store, subject: str, at: datetime = STARTS) -> None:
    """Sell a subscription that will lapse."""
    assert submit(store, Event(f"sell-{subject}", "purchase", subject, at, AMY, ORDER)).accepted


def of_tenant(rows: "Rows", tenant: str, *, but: bool = False) -> "Rows":
    """Return the rows that name a tenant, or all *but* those."""
    return {
        table: [row for row in found if (tenant in row) is not but] for table, found in rows.items()
    }


class TestItsOwnClock:
    def test_a_store_on_it_goes_by_its_clock(self, live: "Desk", whatif: Store) -> None:
        assert whatif.clock.now() == STARTS
        assert live.store.clock.now() == LIVE_AT

    def test_what_is_asked_without_an_instant_is_asked_of_its_present(self, whatif: Store) -> None:
        """By the live clock the subscription would long be deleted."""
        found = as_of(whatif, "s1")

        assert found is not None
        assert found.state == "active"
        assert "suspend" in allowed(whatif, "s1")

    def test_what_happens_is_written_down_at_its_present(self, whatif: Store) -> None:
        assert {entry.recorded_at for entry in whatif.journal()} == {STARTS}

    def test_a_request_of_its_future_is_refused(self, live: "Desk", whatif: Store) -> None:
        """An instant that is past by the live clock."""
        before = live.rows()

        with pytest.raises(EventInFutureError, match=r"2026-01-02.*it is 2026-01-01"):
            submit(whatif, Event("off", "turn_autorenew_off", "s1", STARTS + DAY, AMY))

        assert live.rows() == before

    def test_it_is_seen_by_a_store_that_was_opened_on_it(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """Whatever clock is given."""
        live = open_desk(shared_url)
        simulate(live.store, "whatif", STARTS)

        other = open_desk(shared_url, tenant="whatif")

        assert other.store.clock.now() == STARTS

    def test_a_tenant_becomes_simulated_for_processes_that_looked_before(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """Nobody takes an empty tenant for live for good."""
        other = open_desk(shared_url, tenant="whatif")
        other.clock.move(LIVE_AT)
        assert other.store.clock.now() == LIVE_AT

        simulate(open_desk(shared_url).store, "whatif", STARTS)

        with pytest.raises(EventInFutureError):
            sell(other.store, "s1", LIVE_AT)
        assert other.store.is_empty()


class TestLiveTimeStaysOut:
    """Every door that a live instant could come in by."""

    def test_settling_by_the_live_clock_is_refused(self, live: "Desk", whatif: Store) -> None:
        before = live.rows()

        with pytest.raises(
            SimulatedTenantError, match=r"2030-06-01.*shows 2026-01-01.*clock advance whatif"
        ):
            settle(whatif, LIVE_AT)

        assert live.rows() == before

    def test_settling_by_two_workers_is_refused_too(self, live: "Desk", whatif: Store) -> None:
        before = live.rows()

        with pytest.raises(SimulatedTenantError):
            settle(whatif, TERM_END, collect=False)

        assert live.rows() == before

    def test_settling_by_its_own_clock_is_settling_what_is_due(self, whatif: Store) -> None:
        assert settle(whatif, STARTS).count == 0

    def test_a_transaction_of_ones_own_is_held_to_its_clock(
        self, live: "Desk", whatif: Store
    ) -> None:
        """Below `submit`: the store itself refuses what is dated later."""
        before = live.rows()

        with pytest.raises(SimulatedTenantError), whatif.transaction() as tx:
            tx.claim(STARTS + DAY, limit=1)

        assert live.rows() == before

    def test_a_clock_of_ones_own_does_not_move_it(self, live: "Desk", whatif: Store) -> None:
        before = live.rows()
        own = whatif.of("whatif", clock=live.clock)

        with pytest.raises(EventInFutureError):
            sell(own, "s2", STARTS + DAY)

        assert live.rows() == before

    def test_a_simulated_clock_does_not_tell_the_time_of_a_live_tenant(
        self, live: "Desk", whatif: Store
    ) -> None:
        """Handed over by mistake, it stands for the clock that it stands beside."""
        advance(whatif, LIVE_AT + 365 * DAY)
        before = live.rows()

        for store in (
            whatif.of("default"),
            whatif.of("default", clock=whatif.clock),
            Store(whatif.engine, clock=whatif.clock),
        ):
            assert store.clock.now() == LIVE_AT
            with pytest.raises(EventInFutureError):
                sell(store, "l2", LIVE_AT + DAY)

        assert live.rows() == before

    def test_a_pause_of_everything_is_for_live_tenants(self, live: "Desk", whatif: Store) -> None:
        pause(live.store, by="ops", reason="audit")

        assert advance(whatif, TERM_END).count > 0


class TestAdvancing:
    def test_all_that_is_due_on_the_way_happens_in_order(self, whatif: Store) -> None:
        done = advance(whatif, STARTS.replace(year=2028))

        assert [outcome.event.name for outcome in done.outcomes] == LAPSE
        assert (done.since, done.now) == (STARTS, STARTS.replace(year=2028))
        assert done.count == len(LAPSE)
        assert whatif.clock.now() == done.now

    def test_its_own_instant_is_included(self, whatif: Store) -> None:
        advance(whatif, TERM_END - timedelta.resolution)
        assert next(iter(whatif.all().values())).state == "active"

        advance(whatif, TERM_END)

        assert next(iter(whatif.all().values())).state == "grace"

    def test_live_rows_are_untouched(self, live: "Desk", whatif: Store) -> None:
        """To the last byte, and the live clock as well."""
        before = of_tenant(live.rows(), "whatif", but=True)

        advance(whatif, STARTS.replace(year=2029))

        assert of_tenant(live.rows(), "whatif", but=True) == before
        assert live.store.clock.now() == LIVE_AT

    def test_a_live_tenant_is_not_advanced(self, live: "Desk", whatif: Store) -> None:
        """Nor by the door beneath."""
        before = live.rows()

        with pytest.raises(LiveTenantError, match="default is not simulated"):
            advance(live.store, LIVE_AT + DAY)
        with pytest.raises(LiveTenantError):
            settle(live.store.moving(LIVE_AT), LIVE_AT)

        assert live.rows() == before

    def test_it_never_goes_back(self, live: "Desk", whatif: Store) -> None:
        before = live.rows()

        with pytest.raises(SimulationError, match=r"shows 2026-01-01.*cannot go back"):
            advance(whatif, STARTS - DAY)

        assert live.rows() == before

    def test_to_where_it_stands_is_nothing(self, whatif: Store) -> None:
        assert advance(whatif, STARTS).count == 0

    def test_an_instant_without_a_zone_is_refused(self, whatif: Store) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            advance(whatif, datetime(2027, 1, 1))  # noqa: DTZ001

    @pytest.mark.parametrize("batch", [1, 3, 1000])
    def test_the_way_it_is_cut_makes_no_difference(
        self, live: "Desk", whatif: Store, batch: int
    ) -> None:
        """In one go, week by week, in small batches: one history (GEN-08)."""
        simulate(live.store, "weekly", STARTS)
        weekly = live.store.of("weekly")
        sell(weekly, "s1")
        for store in (whatif, weekly):
            for number in range(2, 8):
                sell(store, f"s{number}")
        for number in range(72):
            advance(weekly, STARTS + 7 * number * DAY)

        advance(whatif, STARTS + 7 * 71 * DAY, batch=batch)

        assert whatif.digest() == weekly.digest()
        assert {each.state for each in whatif.all().values()} == {"deleted"}

    def test_it_goes_over_decades_in_small_parts(self, live: "Desk") -> None:
        """A subscription renews every month for sixty years, and no part is long."""
        simulate(live.store, "long", STARTS)
        store = live.store.of("long")
        order = Purchase("tailspin", "contoso", Product("E3"), 1, Term.P1M, Billing.MONTHLY)
        submit(store, Event("sell", "purchase", "s1", STARTS, AMY, order))
        parts: list[Advanced] = []

        done = advance(store, STARTS.replace(year=2086), batch=50, collect=False, told=parts.append)

        assert done.count >= 60 * 12
        assert sum(part.count for part in parts) == done.count
        assert max(part.count for part in parts) <= 2 * 50
        assert [part.since for part in parts[1:]] == [part.now for part in parts[:-1]]

    def test_what_it_writes_is_never_later_than_its_clock(self, whatif: Store) -> None:
        """Nor recorded before it happened."""
        seen: list[bool] = []

        def look(part: Advanced) -> None:
            now = whatif.clock.now()
            seen.extend(
                each.event.at <= each.recorded_at <= now == part.now for each in whatif.journal()
            )

        advance(whatif, STARTS.replace(year=2029), batch=1, told=look)

        assert seen
        assert all(seen)

    def test_a_subject_that_is_stuck_is_named_and_holds_up_no_other(
        self, whatif: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sell(whatif, "s2")
        monkeypatch.setattr("sublife.events.intake.work.decide", failing_for("s1"))

        done = advance(whatif, TERM_END + 365 * DAY)

        assert [each.subject for each in done.stuck] == ["s1"]
        assert [each.event.subject for each in done.outcomes] == ["s2"] * len(LAPSE)
        assert done.now == TERM_END + 365 * DAY

    def test_its_history_is_sound(self, live: "Desk", whatif: Store) -> None:
        advance(whatif, STARTS.replace(year=2029))

        verdict = verify(live.store, rebuild=True)

        assert verdict.is_sound
        assert not verdict.missing


class TestSeveralAtOnce:
    """On a database that several can open."""

    def test_two_that_advance_at_once_do_everything_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """They take turns, batch by batch; the later instant stands."""
        first = open_desk(shared_url)
        simulate(first.store, "whatif", STARTS)
        for number in range(20):
            sell(first.store.of("whatif"), f"s{number}")
        desks = [open_desk(shared_url, tenant="whatif") for _ in range(2)]
        ends = [STARTS.replace(year=2028), STARTS.replace(year=2029)]
        counts: list[int] = []
        gate = Barrier(2)

        def go(desk: "Desk", to: datetime) -> None:
            gate.wait()
            counts.append(advance(desk.store, to, batch=3).count)

        threads = [Thread(target=go, args=each) for each in zip(desks, ends, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(counts) == 20 * len(LAPSE)
        assert desks[0].store.clock.now() == ends[1]
        assert verify(first.store, rebuild=True).is_sound

    def test_one_that_breaks_off_loses_nothing(
        self, shared_url: str, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At each part: the clock shows how far it came, and the next advance goes on."""
        desk = open_desk(shared_url)
        simulate(desk.store, "whatif", STARTS)
        simulate(desk.store, "whole", STARTS)
        whatif, whole = desk.store.of("whatif"), desk.store.of("whole")
        for number in range(4):
            sell(whatif, f"s{number}")
            sell(whole, f"s{number}")
        advance(whole, STARTS.replace(year=2029))

        def break_off(part: Advanced) -> None:
            raise KeyboardInterrupt

        count = 0
        while whatif.clock.now() < STARTS.replace(year=2029):
            before = whatif.clock.now()
            with pytest.raises(KeyboardInterrupt):
                advance(whatif, STARTS.replace(year=2029), batch=1, told=break_off)
            count += 1
            assert whatif.clock.now() >= before
        advance(whatif, STARTS.replace(year=2029))

        assert count > 4
        assert whatif.digest() == whole.digest()

    def test_one_that_ends_at_any_statement_loses_nothing(
        self, shared_url: str, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before each statement in turn, `COMMIT` included: history and clock move together."""
        end = STARTS.replace(year=2029)
        desk = open_desk(shared_url)
        for name in ("whatif", "whole"):
            simulate(desk.store, name, STARTS)
            for number in range(3):
                sell(desk.store.of(name), f"s{number}")
        whatif, whole = desk.store.of("whatif"), desk.store.of("whole")
        advance(whole, end)
        places = left = 0

        def deadly(run: Callable[..., Any]) -> Callable[..., Any]:
            def step(*given: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    raise KeyboardInterrupt
                return run(*given)

            return step

        while whatif.clock.now() < end:
            places += 1
            left = places
            with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
                for owner, name in (
                    (Link, "rows"),
                    (Link, "run"),
                    (Link, "run_many"),
                    (Own, "_commit"),
                ):
                    patch.setattr(owner, name, deadly(getattr(owner, name)))
                advance(whatif, end, batch=1)
            now = whatif.clock.now()
            assert all(each.recorded_at <= now for each in whatif.journal())
            assert all(due.due_at >= now for due in whatif.due(now))

        assert places > 12
        assert whatif.digest() == whole.digest()


class TestMakingAndRemoving:
    def test_only_a_tenant_with_nothing_in_it_becomes_simulated(self, live: "Desk") -> None:
        before = live.rows()

        with pytest.raises(OccupiedTenantError, match="default has rows in sublife_subject"):
            simulate(live.store, "default", STARTS)

        assert live.rows() == before

    def test_a_refused_order_is_something_already(self, live: "Desk") -> None:
        """A journal without a subject."""
        other = live.store.of("other")
        wrong = Purchase("tailspin", "contoso", Product("E3"), 1, Term.P1M, Billing.ANNUAL)
        assert submit(other, Event("o1", "purchase", "s1", STARTS, AMY, wrong)).refusal

        with pytest.raises(OccupiedTenantError, match="sublife_journal"):
            simulate(live.store, "other", STARTS)

    def test_a_simulated_tenant_is_not_made_twice(self, live: "Desk", whatif: Store) -> None:
        with pytest.raises(SimulatedTenantError, match="already, and its clock shows 2026-01-01"):
            simulate(live.store, "whatif", STARTS + DAY)

        assert whatif.clock.now() == STARTS

    def test_it_needs_a_name(self, live: "Desk") -> None:
        with pytest.raises(SimulationError, match="needs a name"):
            simulate(live.store, "", STARTS)

    def test_without_an_instant_it_begins_now(self, live: "Desk") -> None:
        assert simulate(live.store, "whatif").now == LIVE_AT

    def test_removing_takes_exactly_its_rows(self, live: "Desk") -> None:
        """Another simulated tenant and the live one stay as they are."""
        simulate(live.store, "other", STARTS)
        sell(live.store.of("other"), "s1")
        before = live.rows()
        simulate(live.store, "whatif", STARTS)
        sell(live.store.of("whatif"), "s1")
        advance(live.store.of("whatif"), STARTS.replace(year=2028))

        assert remove(live.store, "whatif") == 1

        assert live.rows() == before

    def test_a_live_tenant_is_never_removed(self, live: "Desk") -> None:
        before = live.rows()

        with pytest.raises(LiveTenantError, match="never removed"):
            remove(live.store, "default")

        assert live.rows() == before

    def test_its_tokens_are_revoked_but_known(self, live: "Desk", whatif: Store) -> None:
        """Where there were any, nobody gets in without one."""
        made, _ = new_token(
            bytes(40), tenant="whatif", role=Role.READ, label="amy", now=LIVE_AT, created_by="ben"
        )
        live.store.tokens.add(made)

        remove(live.store, "whatif")

        (found,) = live.store.tokens.all()
        assert (found.id, found.revoked_at) == (made.id, LIVE_AT)

    def test_the_name_is_free_again(self, live: "Desk", whatif: Store) -> None:
        remove(live.store, "whatif")

        sell(live.store.of("whatif"), "s1", LIVE_AT)

        assert live.store.of("whatif").clock.now() == LIVE_AT
        assert live.store.simulations.all() == ()

    def test_they_are_listed_by_name(self, live: "Desk", whatif: Store) -> None:
        simulate(live.store, "early", STARTS - DAY)

        found = live.store.simulations.all()

        assert [(each.tenant, each.now, each.subjects) for each in found] == [
            ("early", STARTS - DAY, 0),
            ("whatif", STARTS, 1),
        ]
        assert found[1].created_at == LIVE_AT
        assert found[1].next_due_at == TERM_END
