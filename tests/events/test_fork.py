"""Forks of live subjects: whole histories, sound, with the future that the live ones will have."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sublife.events.intake import settle, submit
from sublife.events.simulation import (
    ForkError,
    OccupiedTenantError,
    SimulationError,
    advance,
    fork,
    simulate,
)
from sublife.events.store import Store
from sublife.events.store.link import Link
from sublife.events.verify import verify
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import UnknownSubjectError
from sublife.lifecycle.model import Actor, ActorKind, Event, PartnerType
from sublife.lifecycle.partner.model import Enrol
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Price,
    Product,
    Purchase,
    ScheduleChange,
    Suspend,
    Upgrade,
)
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

if TYPE_CHECKING:
    from tests.events.conftest import Desk, Rows

DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
NOW = datetime(2025, 3, 1, 9, tzinfo=UTC)
LATER = datetime(2028, 3, 1, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
E3, E5 = Product("E3", "Office E3", rank=3), Product("E5", "Office E5", rank=5)
ORDER = Purchase("tailspin", "contoso", E3, 30, Term.P1Y, Billing.MONTHLY)


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql", "postgresql-partitioned"])
def kind(request: pytest.FixtureRequest) -> str:
    """Partitioned tables too: rows of the future have no month of their own yet."""
    return str(request.param)


@pytest.fixture
def live(desk: "Desk") -> "Desk":
    """Two subscriptions of one customer, one of another, and their partner, as of now."""
    enrol = Event(
        "enrol",
        "enrol",
        "contoso",
        SOLD_AT - DAY,
        AMY,
        Enrol(PartnerType.INDIRECT_PROVIDER, "DE"),
        lifecycle="partner",
    )
    desk.clock.move(SOLD_AT)
    assert submit(desk.store, enrol).accepted
    desk.sell("s1")
    desk.sell("s2", autorenew=False)
    desk.sell("other", customer="fabrikam")
    desk.do("suspend", "s2", SOLD_AT + DAY, Suspend(("unpaid",)))
    desk.do("cancel", "s2", NOW)
    return desk


def happened(store: Store) -> list[tuple[object, ...]]:
    """Return what happened, to whom, when, by whom and why, and what each record says of it."""
    return [
        (each.event, each.state_before, each.state, each.version, each.rules, each.policy)
        for each in store.journal()
    ]


def of_tenant(rows: "Rows", tenant: str, *, but: bool = False) -> "Rows":
    """Return the rows that name a tenant, or all *but* those."""
    return {
        table: [row for row in found if (tenant in row) is not but] for table, found in rows.items()
    }


class TestWhatIsCopied:
    def test_the_whole_customer_comes_along_and_nobody_else(self, live: "Desk") -> None:
        """With the partner that they name; the clock shows now."""
        done = fork(live.store, "s1", "whatif")

        assert done.subjects == ("contoso", "s1", "s2")
        assert (done.now, done.is_new) == (NOW, True)
        assert live.store.of("whatif").all() == {
            name: live.store.get(name) for name in done.subjects
        }

    def test_history_comes_along_refusals_included(self, live: "Desk") -> None:
        live.do("reactivate", "s1", NOW)

        done = fork(live.store, "s1", "whatif")

        whatif = live.store.of("whatif")
        assert whatif.history("s1") == live.store.history("s1")
        assert whatif.history("s1")[-1].outcome == live.store.history("s1")[-1].outcome
        assert done.events == sum(len(live.store.history(name)) for name in done.subjects)

    def test_records_come_along(self, live: "Desk") -> None:
        """Amounts to the cent."""
        live.sell("s3", NOW, price=Price(Decimal("19.99"), "EUR"))
        live.do("turn_autorenew_off", "s1", NOW)
        fork(live.store, "s1", "whatif")

        whatif = live.store.of("whatif")
        for found, there in (
            (whatif.records(), live.store.records(customer="tailspin")),
            (whatif.orders(), live.store.orders(customer="tailspin")),
        ):
            mine = [each.model_dump(exclude={"tenant"}) for each in found]
            theirs = [each.model_dump(exclude={"tenant"}) for each in there]
            assert mine == theirs
            assert mine

    def test_live_rows_are_untouched(self, live: "Desk") -> None:
        before = live.rows()

        fork(live.store, "s1", "whatif")

        assert of_tenant(live.rows(), "whatif", but=True) == before

    def test_several_subjects_are_forked_as_of_one_instant(self, live: "Desk") -> None:
        done = fork(live.store, ["s1", "other"], "whatif")

        assert done.subjects == ("contoso", "other", "s1", "s2")

    def test_a_fork_is_sound_and_can_be_rebuilt(self, live: "Desk") -> None:
        """The hash chain is that of the copy; every decision finds what it read."""
        fork(live.store, "s1", "whatif")
        advance(live.store.of("whatif"), LATER)

        verdict = verify(live.store, tenant="whatif", rebuild=True)

        assert verdict.is_sound
        assert verdict.decided > 10
        assert not verdict.missing

    def test_more_rows_than_one_batch_come_in_order(
        self, live: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A simulated tenant may be forked too: a history of years into another future."""
        monkeypatch.setattr("sublife.events.store.fork.BATCH", 100)
        simulate(live.store, "long", SOLD_AT)
        store = live.store.of("long")
        order = Purchase("tailspin", "contoso", E3, 1, Term.P1M, Billing.MONTHLY)
        assert submit(store, Event("sell", "purchase", "s1", SOLD_AT, AMY, order)).accepted
        end = SOLD_AT.replace(year=2044)
        advance(store, end, collect=False)

        done = fork(store, "s1", "longer")

        assert done.events > 200
        assert (done.now, live.store.of("longer").digest()) == (end, store.digest())
        assert verify(live.store, tenant="longer").is_sound


def test_a_fork_reads_by_index_alone(
    desk: "Desk", kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many subjects the live tenant has; told by the plans of SQLite."""
    desk.sell("s1")
    desk.sell("other", customer="fabrikam")
    plans: list[str] = []
    asked = {name: getattr(Link, name) for name in ("rows", "batches")}

    def explaining(name: str) -> Callable[..., Any]:
        def ask(link: Link, text: str, values: Any, *more: Any) -> Any:
            if link.is_sqlite and text.startswith("SELECT"):
                found = asked["rows"](link, f"EXPLAIN QUERY PLAN {text}", values)
                plans.extend(row[-1] for row in found if "sublife_" in row[-1])
            return asked[name](link, text, values, *more)

        return ask

    for name in asked:
        monkeypatch.setattr(Link, name, explaining(name))
    fork(desk.store, "s1", "whatif")

    read = [plan for plan in plans if "COVERING" not in plan]
    assert [plan for plan in read if "=? AND" not in plan and "simulation" not in plan] == []
    assert len(read) > 8 or "sqlite" not in kind


class TestItsFuture:
    def test_it_gets_what_the_live_one_will_get(self, live: "Desk") -> None:
        """The same digest when its time has come (GEN-08)."""
        fork(live.store, ["s1", "other"], "whatif")
        advance(live.store.of("whatif"), LATER)

        live.wake(LATER)

        assert live.store.of("whatif").digest() == live.store.digest()

    def test_what_was_due_and_not_yet_done_happens_when_it_was_due(self, live: "Desk") -> None:
        """A daemon that sleeps is forked asleep."""
        live.clock.move(LATER)
        fork(live.store, ["s1", "other"], "whatif")
        assert live.store.of("whatif").all() == live.store.all()

        advance(live.store.of("whatif"), LATER)
        live.wake(LATER)

        assert happened(live.store.of("whatif")) == happened(live.store)

    def test_a_request_in_the_fork_leaves_the_live_one_alone(self, live: "Desk") -> None:
        fork(live.store, "s1", "whatif")
        before = live.store.digest()
        whatif = live.store.of("whatif")
        event = Event("up", "upgrade", "s1", NOW, AMY, Upgrade(E5, into="s1-e5", quantity=10))

        assert submit(whatif, event).accepted
        advance(whatif, LATER)

        assert "s1-e5" in whatif.all()
        assert live.store.digest() == before
        assert verify(live.store, tenant="whatif", rebuild=True).is_sound


@settings(
    max_examples=sized(5, 15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(1, 200),
            st.sampled_from(["suspend", "reactivate", "off", "on", "cancel", "seats", "change"]),
        ),
        max_size=8,
    ),
    stops=st.lists(st.integers(1, 900), max_size=4),
    batch=st.sampled_from([1, 2, 1000]),
)
def test_whatever_was_asked_the_fork_has_the_future_of_the_live_one(
    steps: list[tuple[int, str]], stops: list[int], batch: int
) -> None:
    """Forked at any moment, advanced in any steps (GEN-08)."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open("sqlite://", clock=clock)
    for number in range(2):
        name = f"s{number}"
        submit(store, Event(f"sell-{name}", "purchase", name, clock.now(), AMY, ORDER))
    for number, (days, what) in enumerate(steps):
        clock.move(clock.now() + days * DAY)
        submit(store, replace(ASKED[what], id=f"ask-{number}", at=clock.now()))

    fork(store, "s0", "whatif")
    whatif = store.of("whatif")
    end = clock.now() + 1000 * DAY
    for days in sorted(stops):
        advance(whatif, clock.now() + days * DAY, batch=batch)
    advance(whatif, end, batch=batch)
    settle(store, end)

    assert whatif.digest() == store.digest()
    assert whatif.all() == store.all()
    assert verify(store, rebuild=True).is_sound
    store.close()


def asked(name: str, *data: object) -> Event:
    """Return a request on the first subscription."""
    return Event("?", name, "s0", SOLD_AT, AMY, *data)  # type: ignore[arg-type]


ASKED = {
    "suspend": asked("suspend", Suspend(("unpaid",))),
    "reactivate": asked("reactivate"),
    "off": asked("turn_autorenew_off"),
    "on": asked("turn_autorenew_on"),
    "cancel": asked("cancel"),
    "seats": asked("add_seats", ChangeSeats(5)),
    "change": asked("schedule_change", ScheduleChange(quantity=7)),
}


class TestRefused:
    """Nothing is changed, and no tenant is left behind."""

    def test_a_second_fork_into_the_same_tenant_names_what_is_there(self, live: "Desk") -> None:
        fork(live.store, "s1", "whatif")
        before = live.rows()

        with pytest.raises(ForkError, match=r"whatif has contoso already.*clock remove whatif"):
            fork(live.store, "other", "whatif")

        assert live.rows() == before

    def test_a_subject_that_is_not_there(self, live: "Desk") -> None:
        before = live.rows()

        with pytest.raises(UnknownSubjectError, match="tenant default has no subject s9"):
            fork(live.store, ["s1", "s9"], "whatif")

        assert live.rows() == before

    def test_no_subject_at_all(self, live: "Desk") -> None:
        with pytest.raises(SimulationError, match="no subject is named"):
            fork(live.store, [], "whatif")

    def test_into_a_live_tenant(self, live: "Desk") -> None:
        submit(live.store.of("berlin"), Event("b1", "purchase", "b1", SOLD_AT, AMY, ORDER))
        before = live.rows()

        with pytest.raises(OccupiedTenantError, match="berlin has rows in"):
            fork(live.store, "s1", "berlin")

        assert live.rows() == before

    def test_into_a_tenant_whose_clock_is_behind(self, live: "Desk") -> None:
        """The remedy that the message names works."""
        simulate(live.store, "whatif", SOLD_AT)
        before = live.rows()
        with pytest.raises(ForkError, match=r"clock advance whatif --to 2025-03-01T09:00:00Z"):
            fork(live.store, "s1", "whatif")
        assert live.rows() == before

        advance(live.store.of("whatif"), NOW)

        assert not fork(live.store, "s1", "whatif").is_new

    def test_an_event_id_that_is_taken_there(self, live: "Desk") -> None:
        simulate(live.store, "whatif", NOW)
        first = live.store.history("s1")[0].event
        submit(live.store.of("whatif"), replace(first, subject="x1"))
        before = live.rows()

        with pytest.raises(ForkError, match=f"events with the ids {first.id} already"):
            fork(live.store, "s1", "whatif")

        assert live.rows() == before

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param("UPDATE sublife_journal SET cause = 'x' WHERE subject = 's2'", id="row"),
            pytest.param("UPDATE sublife_subject SET sequence = 9 WHERE id = 's2'", id="subject"),
        ],
    )
    def test_a_history_that_is_not_sound(self, live: "Desk", change: str) -> None:
        """A fork would give a changed row a new, valid hash."""
        with live.store.engine.begin() as connection:
            connection.exec_driver_sql(change)
        before = live.rows()

        with pytest.raises(ForkError, match=r"history of s2 is not as it was written.*verify"):
            fork(live.store, "s1", "whatif")

        assert live.rows() == before

    def test_a_clock_that_is_behind_its_own_history_is_no_hindrance(self, live: "Desk") -> None:
        """A new tenant begins with the latest event, if the system clock was set back."""
        behind = live.store.of("default", clock=SimulatedClock(SOLD_AT))

        assert fork(behind, "s1", "whatif").now == NOW
