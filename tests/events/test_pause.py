"""pause() and resume(): what stands still, who is told, and that nothing is lost by it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import settle, submit
from sublife.events.outbox import Handler, relay
from sublife.events.pause import Pause, PausedError, PauseError, pause, paused, resume
from sublife.events.permission import allowed, as_of
from sublife.events.store import Transaction
from sublife.events.store.delivery import CommittedFact, Endpoint
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import ChangeSeats

if TYPE_CHECKING:
    from tests.events.conftest import Desk

DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
LATER = TERM_END + 45 * DAY
AMY = Actor(ActorKind.USER, "amy")
Customers = Callable[["Desk"], None]


def halt(desk: "Desk", *, tenant: str | None = None, lifecycle: str | None = None) -> Pause:
    return pause(desk.store, by="amy", reason="audit", tenant=tenant, lifecycle=lifecycle)


class TestCalendar:
    @pytest.mark.parametrize(
        ("tenant", "lifecycle"),
        [(None, None), ("default", None), (None, "subscription"), ("default", "subscription")],
    )
    def test_what_is_paused_stays_due_until_it_is_resumed(
        self, desk: "Desk", tenant: str | None, lifecycle: str | None
    ) -> None:
        """Nothing is written meanwhile; afterwards all of it happens."""
        desk.sell("s1", autorenew=False)
        halt(desk, tenant=tenant, lifecycle=lifecycle)

        while_paused = desk.wake(LATER)
        version = desk.subscription("s1").version
        resume(desk.store, by="amy", tenant=tenant, lifecycle=lifecycle)
        afterwards = desk.wake(LATER)

        assert (while_paused.count, while_paused.stuck, version) == (0, (), 2)
        assert [each.event.name for each in afterwards.outcomes] == [
            "term_ended",
            "expiry_ended",
            "grace_ended",
        ]
        assert afterwards.outcomes[0].event.at == TERM_END

    def test_another_tenant_goes_on(self, desk: "Desk") -> None:
        """A pause of one tenant is no pause of all."""
        desk.sell("s1", autorenew=False)
        halt(desk, tenant="other")

        assert desk.wake(LATER).count == 3

    def test_what_is_paused_is_not_what_is_due_next(self, desk: "Desk") -> None:
        """A daemon would else wake for it again and again."""
        desk.sell("s1")

        due_at = desk.store.next_due()
        halt(desk, lifecycle="subscription")
        without_subscriptions = desk.store.next_due()
        halt(desk, tenant="default")

        assert due_at == TERM_END
        assert without_subscriptions is None
        assert desk.store.next_due() is None

    def test_every_store_on_the_database_sees_it(
        self, shared_url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """Other processes pass it over with their next batch, without being told."""
        one, two = open_desk(shared_url), open_desk(shared_url)
        one.sell("s1", autorenew=False)
        two.clock.move(LATER)

        halt(one)

        assert settle(two.store, LATER).count == 0

    def test_the_check_costs_one_read_for_a_batch(
        self, desk: "Desk", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However many subjects are in it."""
        for number in range(20):
            desk.sell(f"s{number}", autorenew=False)
        asked: list[str] = []
        real = Transaction.claim.__globals__["pauses_of"]

        def counting(link: object, tenant: str) -> object:
            asked.append(tenant)
            return real(link, tenant)

        monkeypatch.setitem(Transaction.claim.__globals__, "pauses_of", counting)
        desk.clock.move(LATER)
        done = settle(desk.store, LATER, batch=1000)

        assert done.count == 60
        assert asked == ["default"]


class TestUserEvents:
    @pytest.mark.parametrize(
        ("tenant", "lifecycle", "scope", "remedy"),
        [
            (None, None, "everything", "sublife resume`"),
            ("default", None, "tenant default", "sublife resume --tenant default`"),
            (
                None,
                "subscription",
                "lifecycle subscription of every tenant",
                "sublife resume --lifecycle subscription`",
            ),
            (
                "default",
                "subscription",
                "lifecycle subscription of tenant default",
                "sublife resume --tenant default --lifecycle subscription`",
            ),
        ],
    )
    def test_a_request_is_refused_with_who_when_why_and_how_to_go_on(
        self, desk: "Desk", tenant: str | None, lifecycle: str | None, scope: str, remedy: str
    ) -> None:
        """GEN-08: due before command cannot hold; nothing changes, not even the journal."""
        desk.sell("s1")
        halt(desk, tenant=tenant, lifecycle=lifecycle)
        before = desk.rows()

        with pytest.raises(PausedError) as raised:
            desk.do("add_seats", "s1", SOLD_AT + DAY, ChangeSeats(5))

        said = str(raised.value)
        assert said.startswith(
            f"s1 cannot change: {scope} was paused by amy at 2024-10-01T02:35:00Z"
        )
        assert "audit" in said
        assert remedy in said
        assert raised.value.subject == "s1"
        assert desk.rows() == before

    def test_a_purchase_is_refused_too(self, desk: "Desk") -> None:
        """What would be born into a paused lifecycle is not born."""
        halt(desk, lifecycle="subscription")

        with pytest.raises(PausedError):
            desk.sell("s1")

        assert desk.store.get("s1") is None

    def test_a_known_event_gets_its_first_outcome(self, desk: "Desk") -> None:
        """A retry changes nothing, so nothing keeps it from its answer."""
        first = desk.sell("s1")
        halt(desk)

        again = submit(desk.store, first.event)

        assert again.repeated
        assert again.facts == first.facts

    def test_the_same_request_goes_through_after_resuming(self, desk: "Desk") -> None:
        """The event id was never used."""
        desk.sell("s1")
        halt(desk)
        event = desk.event("add_seats", "s1", SOLD_AT, ChangeSeats(5), event_id="more")
        with pytest.raises(PausedError):
            submit(desk.store, event)

        resume(desk.store, by="amy")

        assert submit(desk.store, event).accepted

    def test_an_unknown_subject_is_not_said_to_be_unknown(self, desk: "Desk") -> None:
        """GEN-08: what is due and paused may be about to create it."""
        desk.sell("s1")
        desk.clock.move(LATER)
        halt(desk, lifecycle="subscription")
        event = Event("go", "begin", "m1", LATER, AMY, lifecycle="migration", cause="x")

        with pytest.raises(PausedError) as raised:
            submit(desk.store, event)

        assert raised.value.subject == "s1"


PLANNED_AT = datetime(2022, 11, 5, 8, tzinfo=UTC)
PAUSED_AT = datetime(2022, 12, 1, tzinfo=UTC)
RESUMED_AT = datetime(2023, 4, 1, tzinfo=UTC)
WEEK = timedelta(days=7)
SCOPES = [
    pytest.param(None, None, id="everything"),
    pytest.param("default", None, id="tenant"),
    pytest.param(None, "subscription", id="subscriptions"),
    pytest.param("default", "migration", id="migrations"),
    pytest.param("default", "partner", id="partners"),
]


def live_on(desk: "Desk", until: datetime) -> None:
    """Settle every week, in small batches."""
    while desk.clock.now() < until:
        desk.wake(min(until, desk.clock.now() + WEEK), batch=2)


class TestAfterwards:
    @pytest.mark.parametrize(("tenant", "lifecycle"), SCOPES)
    def test_the_history_is_that_of_one_that_was_never_paused(
        self,
        desk: "Desk",
        open_desk: Callable[..., "Desk"],
        three_customers: Customers,
        tenant: str | None,
        lifecycle: str | None,
    ) -> None:
        """Subscriptions, migrations and what one does to the other, with their true instants."""
        never = open_desk()
        for each in (desk, never):
            three_customers(each)
            live_on(each, PAUSED_AT)

        halt(desk, tenant=tenant, lifecycle=lifecycle)
        for each in (desk, never):
            live_on(each, RESUMED_AT)
        resume(desk.store, by="amy", tenant=tenant, lifecycle=lifecycle)
        at = RESUMED_AT + 400 * DAY
        settled = [each.wake(at, batch=2).stuck for each in (desk, never)]

        assert settled == [(), ()]
        assert {each.lifecycle for each in _lives(desk)} >= {"subscription", "migration"}
        assert desk.store.digest() == never.store.digest()

    def test_a_paused_lifecycle_holds_up_no_customer_that_has_none_of_it_due(
        self, desk: "Desk", three_customers: Customers
    ) -> None:
        """And those that have wait as a whole, from the instant on that is passed over."""
        three_customers(desk)
        live_on(desk, PAUSED_AT)
        versions = {name: held.version for name, held in desk.store.all().items()}

        halt(desk, lifecycle="migration")
        live_on(desk, RESUMED_AT)
        moved = {
            name for name, held in desk.store.all().items() if held.version > versions.get(name, 0)
        }

        assert moved == {"fabrikam-1"}

    def test_what_would_change_a_paused_subject_waits_and_says_so(
        self, desk: "Desk", three_customers: Customers
    ) -> None:
        """LEG-04: a term end that makes a migration is not passed over for it, but waits."""
        three_customers(desk)
        live_on(desk, PAUSED_AT)
        halt(desk, lifecycle="migration")

        done = desk.wake(RESUMED_AT)

        waiting = {each.subject: each for each in done.stuck}
        assert "northwind-1" in waiting
        assert "lifecycle migration of every tenant was paused by amy" in (
            waiting["northwind-1"].reason
        )
        assert desk.subscription("northwind-1").state == "active"


def _lives(desk: "Desk") -> list[Event]:
    return [entry.event for entry in desk.store.journal()]


class TestOthers:
    def test_a_request_that_must_see_a_paused_subject_brought_up_to_date_is_refused(
        self, desk: "Desk", three_customers: Customers
    ) -> None:
        """GEN-08: a legacy subscription sees its customer's migrations, and one is due."""
        three_customers(desk)
        halt(desk, lifecycle="migration")
        desk.clock.move(PAUSED_AT + 30 * DAY)
        before = desk.rows()

        with pytest.raises(PausedError) as raised:
            desk.do("suspend", "tailspin-1", PAUSED_AT + 30 * DAY)

        assert "before m1 of the same customer has" in str(raised.value)
        assert desk.rows() == before

    def test_a_request_before_that_goes_through(
        self, desk: "Desk", three_customers: Customers
    ) -> None:
        """Nothing is due yet: what the paused subject says is still true."""
        three_customers(desk)
        halt(desk, lifecycle="migration")

        outcome = desk.do("turn_autorenew_off", "northwind-1", PLANNED_AT + DAY)

        assert outcome.accepted

    def test_a_look_tells_what_will_have_happened(self, desk: "Desk") -> None:
        """A pause delays writing, not what happens: nothing looked at depends on it."""
        desk.sell("s1", autorenew=False)
        halt(desk)

        found = as_of(desk.store, "s1", at=LATER)

        assert found is not None
        assert found.state == "disabled"
        assert allowed(desk.store, "s1", at=LATER) == allowed(desk.store, "s1", at=LATER + DAY)
        assert desk.subscription("s1").state == "active"


class TestHandingOn:
    def _handler(self, desk: "Desk", seen: list[str]) -> Handler:
        def call(fact: CommittedFact) -> None:
            seen.append(fact.name)

        return Handler(store=desk.store, name="books", call=call)

    @pytest.mark.parametrize("tenant", [None, "default"])
    def test_nothing_of_a_paused_tenant_is_handed_on(
        self, desk: "Desk", tenant: str | None
    ) -> None:
        """Neither to handlers nor to endpoints; afterwards all of it is."""
        endpoint = Endpoint(id="crm", url="https://crm.example/", secret="whsec_c2VjcmV0")  # noqa: S106
        desk.store.endpoints.add(endpoint, SOLD_AT - DAY, from_start=True)
        desk.sell("s1")
        relay(desk.store, SOLD_AT)
        desk.sell("s2")
        seen: list[str] = []
        handler = self._handler(desk, seen)
        halt(desk, tenant=tenant)

        busy = handler.run(SOLD_AT, chance=lambda: 0.5).busy
        relayed = relay(desk.store, SOLD_AT)
        claimed = desk.store.deliveries.claim("crm", SOLD_AT, SOLD_AT + DAY, limit=10)
        resume(desk.store, by="amy", tenant=tenant)
        called = handler.run(SOLD_AT, chance=lambda: 0.5).called

        assert (busy, relayed, claimed, called) == (True, 0, (), 4)
        assert relay(desk.store, SOLD_AT) > 0
        assert len(desk.store.deliveries.claim("crm", SOLD_AT, SOLD_AT + DAY, limit=10)) == 2

    def test_a_paused_lifecycle_does_not_keep_facts_back(self, desk: "Desk") -> None:
        """What has happened is told; only the calendar stands still."""
        desk.sell("s1")
        seen: list[str] = []
        halt(desk, lifecycle="subscription")

        self._handler(desk, seen).run(SOLD_AT, chance=lambda: 0.5)

        assert seen == ["subscription-created", "subscription-provisioned"]


class TestPauses:
    def test_a_second_pause_of_the_same_leaves_the_first_as_it_is(self, desk: "Desk") -> None:
        """Who paused it, when and why is not overwritten."""
        first = halt(desk, lifecycle="migration")

        second = pause(desk.store, by="bob", reason="other", lifecycle="migration")

        assert second == first
        assert paused(desk.store, "migration") == first

    def test_pauses_overlap_and_end_each_by_itself(self, desk: "Desk") -> None:
        """Resuming all leaves the lifecycle's own pause standing."""
        desk.sell("s1", autorenew=False)
        halt(desk)
        halt(desk, lifecycle="subscription")

        resume(desk.store, by="amy")

        assert paused(desk.store) is None
        assert desk.wake(LATER).count == 0

    def test_what_is_not_paused_cannot_be_resumed(self, desk: "Desk") -> None:
        """The message names what is paused, and how that would end."""
        halt(desk, lifecycle="migration")

        with pytest.raises(PauseError) as raised:
            resume(desk.store, by="amy", tenant="default")

        assert str(raised.value) == (
            "tenant default is not paused; paused are: lifecycle migration of every tenant "
            "(`sublife resume --lifecycle migration`)"
        )

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ({"by": " ", "reason": "audit"}, '"by" of a pause is empty; say who pauses'),
            ({"by": "amy", "reason": ""}, '"reason" of a pause is empty; say why'),
            (
                {"by": "amy", "reason": "audit", "tenant": ""},
                '"tenant" of a pause is empty; say which one, or leave it away for all',
            ),
        ],
    )
    def test_a_pause_says_who_why_and_what(
        self, desk: "Desk", given: dict[str, str], says: str
    ) -> None:
        """Whoever meets it must know whom to ask."""
        with pytest.raises(PauseError) as raised:
            pause(desk.store, **given)

        assert str(raised.value) == says
        assert desk.store.pauses.all() == ()

    def test_a_lifecycle_that_does_not_exist_is_not_paused(self, desk: "Desk") -> None:
        """A misspelt word would else pause nothing, unseen."""
        with pytest.raises(UnknownLifecycleError, match='no lifecycle "subscriptions"'):
            halt(desk, lifecycle="subscriptions")
