"""Functions of the host: each committed fact at least once, each subject in order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.outbox import (
    CommittedFact,
    Endpoint,
    Filters,
    Handled,
    Handler,
    Retry,
    Status,
)
from sublife.events.store import ConflictError
from sublife.events.store.delivery import ConsumerTakenError
from sublife.lifecycle.subscription.model import ChangeSeats, Suspend

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def longest() -> float:
    """Wait as long as the jitter may."""
    return 1.0


class Recorder:
    """A host's function that keeps what it was called with, and raises where it is told."""

    def __init__(self) -> None:
        self.facts: list[CommittedFact] = []
        self.fails: Callable[[CommittedFact], bool] = lambda _fact: False

    def __call__(self, fact: CommittedFact) -> None:
        self.facts.append(fact)
        if self.fails(fact):
            raise RuntimeError("the mail server is away")

    @property
    def names(self) -> list[tuple[str, str]]:
        """Subjects and names of the facts, in the order of the calls."""
        return [(each.subject, each.name) for each in self.facts]


def handler(desk: "Desk", call: Any, **more: Any) -> Handler:
    return Handler(store=desk.store, name="mails", call=call, **more)


class TestAHandler:
    def test_it_is_called_with_every_committed_fact_in_order(self, desk: "Desk") -> None:
        recorder = Recorder()
        desk.sell("s1")
        desk.do("add_seats", "s1", SOLD_AT + HOUR, ChangeSeats(5), event_id="more")

        done = handler(desk, recorder).run(SOLD_AT, chance=longest)

        assert done == Handled(called=3)
        assert recorder.names == [
            ("s1", "subscription-created"),
            ("s1", "subscription-provisioned"),
            ("s1", "subscription-quantity-changed"),
        ]
        last = recorder.facts[-1]
        assert (last.id, last.sequence, last.customer, last.partner) == (
            "more#0",
            3,
            "tailspin",
            "contoso",
        )
        assert last.fact.data["transaction"] == "addQuantity"

    def test_it_goes_on_where_it_has_been(self, desk: "Desk") -> None:
        recorder = Recorder()
        desk.sell("s1")
        handler(desk, recorder).run(SOLD_AT, chance=longest)
        desk.sell("s2")

        again = Recorder()
        done = handler(desk, again).run(SOLD_AT, chance=longest)

        assert done == Handled(called=2)
        assert {subject for subject, _ in again.names} == {"s2"}

    def test_a_page_at_a_time(self, desk: "Desk") -> None:
        recorder = Recorder()
        desk.sell("s1")
        desk.sell("s2")
        small = handler(desk, recorder, page=3)

        runs = [small.run(SOLD_AT, chance=longest) for _ in range(3)]

        assert runs == [Handled(called=3, more=True), Handled(called=1), Handled()]

    def test_it_may_begin_with_what_comes_now(self, desk: "Desk") -> None:
        recorder = Recorder()
        desk.sell("s1")
        new = handler(desk, recorder, from_start=False)
        new.run(SOLD_AT, chance=longest)
        desk.sell("s2")

        new.run(SOLD_AT, chance=longest)

        assert {subject for subject, _ in recorder.names} == {"s2"}

    def test_it_gets_only_the_facts_it_wants(self, desk: "Desk") -> None:
        recorder = Recorder()
        desk.sell("s1")
        wanted = Filters(facts=("subscription-provisioned",))

        handler(desk, recorder, filters=wanted).run(SOLD_AT, chance=longest)

        assert recorder.names == [("s1", "subscription-provisioned")]

    def test_it_may_use_the_store(self, desk: "Desk") -> None:
        """No transaction of ours is open during the call."""

        def follow(fact: CommittedFact) -> None:
            if fact.name == "subscription-created":
                desk.do("add_seats", fact.subject, SOLD_AT + HOUR, ChangeSeats(5))

        desk.sell("s1")

        done = handler(desk, follow).run(SOLD_AT, chance=longest)

        assert done.called == 2
        assert desk.subscription("s1").quantity == 35

    def test_its_name_may_not_be_an_endpoints(
        self, desk: "Desk", connect: Callable[..., Endpoint]
    ) -> None:
        connect(desk, name="mails")

        with pytest.raises(ConsumerTakenError, match='"mails" is an endpoint of default already'):
            handler(desk, Recorder()).run(SOLD_AT, chance=longest)

    def test_an_endpoint_may_not_have_its_name(
        self, desk: "Desk", connect: Callable[..., Endpoint]
    ) -> None:
        handler(desk, Recorder()).run(SOLD_AT, chance=longest)

        with pytest.raises(ConsumerTakenError, match='"mails" is an endpoint or handler'):
            connect(desk, name="mails")


class TestAHandlerThatRaises:
    def test_the_subjects_later_facts_wait_and_other_subjects_go_on(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda fact: fact.subject == "s1"
        desk.sell("s1")
        desk.sell("s2")

        done = handler(desk, recorder).run(SOLD_AT, chance=longest)

        assert done == Handled(called=2, failed=1)
        assert recorder.names == [
            ("s1", "subscription-created"),
            ("s2", "subscription-created"),
            ("s2", "subscription-provisioned"),
        ]

    def test_it_is_called_again_with_what_failed_then_with_what_waits(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda _fact: True
        desk.sell("s1")
        mails = handler(desk, recorder)
        mails.run(SOLD_AT, chance=longest)
        recorder.fails = lambda _fact: False
        recorder.facts.clear()
        desk.do("add_seats", "s1", SOLD_AT + timedelta(seconds=1), ChangeSeats(5))

        early = mails.run(SOLD_AT + timedelta(seconds=1), chance=longest)
        late = mails.run(SOLD_AT + MINUTE, chance=longest)

        assert (early, late) == (Handled(), Handled(called=3))
        assert [name for _, name in recorder.names] == [
            "subscription-created",
            "subscription-provisioned",
            "subscription-quantity-changed",
        ]

    def test_it_waits_longer_each_time(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda _fact: True
        desk.sell("s1")
        mails = handler(desk, recorder)
        now, waits = SOLD_AT, list[float]()
        for _ in range(4):
            mails.run(now, chance=longest)
            due_at = desk.store.deliveries.list()[0].next_attempt_at
            assert due_at is not None
            waits.append((due_at - now).total_seconds())
            now = due_at

        assert waits == [5, 10, 20, 40]

    def test_what_it_never_takes_is_a_dead_letter(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda fact: fact.name == "subscription-created"
        desk.sell("s1")
        mails = handler(desk, recorder, retry=Retry(attempts=2))
        mails.run(SOLD_AT, chance=longest)

        done = mails.run(SOLD_AT + MINUTE, chance=longest)

        (dead,) = desk.store.deliveries.list(status=Status.DEAD)
        assert done == Handled(called=1, dead=1)
        assert dead.error == "RuntimeError: the mail server is away"
        assert recorder.names[-1] == ("s1", "subscription-provisioned")

    def test_what_may_be_tried_once_is_dead_at_once(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda fact: fact.name == "subscription-created"
        desk.sell("s1")

        done = handler(desk, recorder, retry=Retry(attempts=1)).run(SOLD_AT, chance=longest)

        assert done == Handled(called=1, dead=1)

    def test_a_dead_letter_can_be_called_with_again(self, desk: "Desk") -> None:
        recorder = Recorder()
        recorder.fails = lambda fact: fact.name == "subscription-created"
        desk.sell("s1")
        mails = handler(desk, recorder, retry=Retry(attempts=1))
        mails.run(SOLD_AT, chance=longest)
        recorder.fails = lambda _fact: False
        recorder.facts.clear()

        desk.store.deliveries.resend_dead("mails", SOLD_AT + DAY)
        mails.run(SOLD_AT + DAY, chance=longest)

        assert recorder.names == [("s1", "subscription-created")]

    def test_no_chance_at_all_ends_the_run_too(self, desk: "Desk") -> None:
        """A jitter of zero makes it due at once, yet not within the same run."""
        recorder = Recorder()
        recorder.fails = lambda _fact: True
        desk.sell("s1")
        mails = handler(desk, recorder)

        mails.run(SOLD_AT, chance=lambda: 0.0)
        mails.run(SOLD_AT, chance=lambda: 0.0)

        assert len(recorder.facts) == 2


class TestACrash:
    def test_a_process_that_ends_within_a_page_is_followed_by_one_that_begins_it_again(
        self, desk: "Desk"
    ) -> None:
        """At least once: the cursor moves only after the calls have returned."""
        seen: list[str] = []

        def end(fact: CommittedFact) -> None:
            seen.append(fact.id)
            if len(seen) == 2:
                raise SystemExit

        desk.sell("s1")
        desk.sell("s2")
        with pytest.raises(SystemExit):
            handler(desk, end).run(SOLD_AT, chance=longest)

        recorder = Recorder()
        handler(desk, recorder).run(SOLD_AT, chance=longest)

        ids = [each.id for each in recorder.facts]
        assert ids[:2] == seen
        assert len(set(ids)) == 4

    def test_while_one_process_calls_no_other_does(self, desk: "Desk") -> None:
        inner: list[Handled] = []
        desk.sell("s1")

        def call(_fact: CommittedFact) -> None:
            inner.append(handler(desk, Recorder()).run(SOLD_AT, chance=longest))

        handler(desk, call).run(SOLD_AT, chance=longest)

        assert inner == [Handled(busy=True)] * 2

    def test_after_the_lease_another_process_goes_on_and_the_first_one_is_told(
        self, desk: "Desk"
    ) -> None:
        recorder = Recorder()
        desk.sell("s1")

        def slow(fact: CommittedFact) -> None:
            if fact.name == "subscription-created":
                handler(desk, recorder).run(SOLD_AT + HOUR, chance=longest)

        with pytest.raises(ConflictError, match='handler "mails" was called for longer'):
            handler(desk, slow).run(SOLD_AT, chance=longest)

        assert len(recorder.facts) == 2
        assert handler(desk, recorder).run(SOLD_AT + HOUR, chance=longest) == Handled()

    def test_a_paused_handler_is_not_called(self, desk: "Desk") -> None:
        recorder = Recorder()
        mails = handler(desk, recorder)
        mails.run(SOLD_AT, chance=longest)
        desk.sell("s1")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend())

        desk.store.endpoints.pause("mails", SOLD_AT, "asked")
        paused = mails.run(SOLD_AT, chance=longest)
        desk.store.endpoints.pause("mails", None)
        resumed = mails.run(SOLD_AT, chance=longest)

        assert (paused.busy, resumed.called) == (True, 4)
