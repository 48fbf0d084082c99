"""Posting what is due: at least once, in order per subject, each endpoint by itself."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from sublife.events.outbox import (
    Body,
    Delivered,
    Delivery,
    Endpoint,
    Retry,
    Settings,
    Status,
    deliver,
    keep_delivering,
    relay,
    sending,
)
from sublife.events.store import ConflictError, StoreError
from sublife.events.store.delivery import Result
from sublife.events.webhook.body import message
from sublife.lifecycle.subscription.model import ChangeSeats, Suspend

if TYPE_CHECKING:
    from tests.events.conftest import Desk
    from tests.events.outbox.conftest import Receiver

Connect = Callable[..., Endpoint]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def longest() -> float:
    """Wait as long as the jitter may."""
    return 1.0


def hand_on(desk: "Desk", at: datetime | None = None, **more: Any) -> list[Delivered]:
    """Relay, then deliver until nothing is due at this instant."""
    now = at or desk.clock.now()
    relay(desk.store, now)
    rounds: list[Delivered] = []
    while (done := deliver(desk.store, now, chance=longest, **more)).count:
        rounds.append(done)
    return rounds


def listed(desk: "Desk", **filters: Any) -> list[Delivery]:
    return list(desk.store.deliveries.list(**filters))


def only(desk: "Desk") -> Delivery:
    """Return the first delivery that has ended or been tried."""
    return next(each for each in listed(desk) if each.attempts or each.ended_at)


class TestADelivery:
    def test_every_fact_of_a_subject_arrives_in_order(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        desk.do("add_seats", "s1", SOLD_AT + HOUR, ChangeSeats(5), event_id="more")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend(), event_id="stop")
        connect(desk, receiver)

        hand_on(desk)

        names = [json.loads(each.body)["data"]["fact"] for each in receiver.received]
        assert names == [
            "subscription-created",
            "subscription-provisioned",
            "subscription-quantity-changed",
            "subscription-suspended",
            "subscription-autorenew-changed",
        ]
        assert receiver.ids[2:] == ["more#0", "stop#0", "stop#1"]
        assert {each.status for each in listed(desk)} == {Status.DELIVERED}

    def test_a_delivered_fact_is_not_sent_again(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        hand_on(desk)

        hand_on(desk, SOLD_AT + 10 * DAY)

        assert len(receiver.ids) == len(set(receiver.ids)) == 2

    def test_a_later_fact_waits_until_the_earlier_one_is_delivered(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        desk.sell("s2", SOLD_AT)
        connect(desk, receiver)
        bad = f"{desk.store.history('s1')[0].event.id}#0"
        accept = receiver.answer
        receiver.answer = lambda got: type(accept(got))(500 if got.id == bad else 204)
        hand_on(desk)
        before = listed(desk, subject="s1")
        receiver.answer = accept

        hand_on(desk, SOLD_AT + MINUTE)

        assert [each.status for each in before] == [Status.PENDING, Status.PENDING]
        assert [each.attempts for each in before] == [1, 0]
        assert before[1].next_attempt_at is None
        assert len(receiver.ids) == 5
        assert receiver.ids[3] == bad
        assert {each.status for each in listed(desk)} == {Status.DELIVERED}

    def test_a_later_fact_goes_on_when_the_earlier_one_is_dead(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        bad = f"{desk.store.history('s1')[0].event.id}#0"
        accept = receiver.answer
        receiver.answer = lambda got: type(accept(got))(500 if got.id == bad else 204)

        hand_on(desk, settings=Settings(retry=Retry(attempts=1)))

        assert [each.status for each in listed(desk)] == [Status.DEAD, Status.DELIVERED]

    def test_it_is_never_made_inside_a_hosts_transaction(
        self, desk: "Desk", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk)

        with desk.store.engine.begin() as connection:
            inside = desk.store.within(connection)
            with pytest.raises(StoreError, match="handed on after the commit"):
                relay(inside, SOLD_AT)
            with pytest.raises(StoreError, match="handed on after the commit"):
                deliver(inside, SOLD_AT, chance=longest)

    def test_what_was_delivered_long_ago_can_be_forgotten(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        hand_on(desk)
        desk.sell("s2", SOLD_AT + 40 * DAY)
        receiver.refuse(500)
        hand_on(desk)

        gone = desk.store.deliveries.prune(desk.clock.now() - 30 * DAY, limit=1)

        assert gone == 2
        assert {each.subject for each in listed(desk)} == {"s2"}
        assert len(listed(desk)) == 2


class TestAFailedDelivery:
    def test_it_is_tried_again_later_and_later(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        receiver.refuse(503)
        waits: list[float] = []
        now = SOLD_AT

        for _ in range(5):
            hand_on(desk, now)
            due_at = listed(desk)[0].next_attempt_at
            assert due_at is not None
            waits.append((due_at - now).total_seconds())
            now = due_at

        assert waits == [5, 10, 20, 40, 80]
        assert (only(desk).status_code, only(desk).error) == (
            503,
            "answered 503 Service Unavailable",
        )

    def test_every_attempt_carries_the_same_id_and_body(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        receiver.refuse(500)
        hand_on(desk, SOLD_AT)
        hand_on(desk, SOLD_AT + MINUTE)

        first, second = receiver.received

        assert (first.id, first.body) == (second.id, second.body)
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]

    def test_nobody_listening_is_a_failed_attempt(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        receiver.close()

        hand_on(desk)

        assert only(desk).status is Status.PENDING
        assert str(only(desk).error).startswith("ConnectError")

    def test_it_is_given_up_after_three_days(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        receiver.refuse(500)
        now = SOLD_AT
        while (row := (hand_on(desk, now), listed(desk)[0])[1]).status is Status.PENDING:
            assert row.next_attempt_at is not None
            now = row.next_attempt_at

        assert now == SOLD_AT + 3 * DAY
        assert row.attempts == 20
        assert row.ended_at == now

    def test_the_partner_center_shape_is_tried_ten_times(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        """EVT-13."""
        desk.sell("s1")
        connect(desk, receiver, body=Body.PARTNER_CENTER)
        receiver.refuse(500)
        now = SOLD_AT
        while (row := (hand_on(desk, now), listed(desk)[0])[1]).status is Status.PENDING:
            assert row.next_attempt_at is not None
            now = row.next_attempt_at

        assert (row.status, row.attempts, len(receiver.received)) == (Status.DEAD, 10, 10)

    def test_retry_after_is_honoured(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        receiver.refuse(429, retry_after="600")

        hand_on(desk)

        assert only(desk).next_attempt_at == SOLD_AT + 10 * MINUTE

    def test_who_is_gone_is_paused_and_gets_everything_when_resumed(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        accept = receiver.answer
        receiver.refuse(410)
        hand_on(desk)
        paused = desk.store.endpoints.get("hook")
        desk.do("suspend", "s1", SOLD_AT + DAY, Suspend())
        hand_on(desk)
        count = len(receiver.received)
        receiver.answer = accept

        desk.store.endpoints.pause("hook", None)
        hand_on(desk)

        assert (paused.paused_at, paused.paused_because) == (SOLD_AT, "answered 410 Gone")
        assert count == 1
        assert len(receiver.received) == 5
        assert {each.status for each in listed(desk)} == {Status.DELIVERED}

    def test_a_fact_that_cannot_be_written_holds_up_no_other(
        self,
        desk: "Desk",
        receiver: "Receiver",
        connect: Connect,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        desk.sell("s1")
        desk.sell("s2")
        connect(desk, receiver)

        def broken(fact: Any, *rest: Any) -> Any:
            if fact.subject == "s1":
                raise ValueError("no such name")
            return message(fact, *rest)

        monkeypatch.setattr(sending, "message", broken)

        hand_on(desk)

        assert [each.status for each in listed(desk, subject="s2")] == [Status.DELIVERED] * 2
        assert only(desk).error == "cannot be sent: ValueError: no such name"


class TestDeadLetters:
    def dead(self, desk: "Desk", receiver: "Receiver", connect: Connect) -> None:
        desk.sell("s1")
        desk.sell("s2")
        connect(desk, receiver)
        receiver.refuse(500)
        hand_on(desk, settings=Settings(retry=Retry(attempts=1)))
        receiver.refuse(204)
        receiver.received.clear()

    def test_they_are_listed_with_what_went_wrong(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        self.dead(desk, receiver, connect)

        found = listed(desk, status=Status.DEAD, consumer="hook", subject="s1")

        assert [each.fact for each in found] == ["subscription-created", "subscription-provisioned"]
        assert {each.error for each in found} == {"answered 500 Internal Server Error"}
        assert {each.ended_at for each in found} == {SOLD_AT}

    def test_the_list_comes_in_pages(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        self.dead(desk, receiver, connect)
        whole = listed(desk)

        pages: list[Delivery] = []
        after = None
        while True:
            page = desk.store.deliveries.list(after=after, limit=3)
            pages += page
            if (after := page.next) is None:
                break

        assert pages == whole
        assert len(whole) == 4

    def test_one_can_be_sent_again(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        self.dead(desk, receiver, connect)
        event_id = desk.store.history("s1")[1].event.id

        was = desk.store.deliveries.resend("hook", event_id, 0, SOLD_AT + DAY)
        hand_on(desk, SOLD_AT + DAY)

        assert was.status is Status.DEAD
        assert [each.status for each in listed(desk, subject="s1")] == [
            Status.DEAD,
            Status.DELIVERED,
        ]
        assert len(receiver.received) == 1

    def test_all_of_an_endpoint_can_be_sent_again_in_order(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        self.dead(desk, receiver, connect)

        count = desk.store.deliveries.resend_dead("hook", SOLD_AT + DAY)
        hand_on(desk, SOLD_AT + DAY)

        bodies = [json.loads(each.body) for each in receiver.received]
        assert count == 4
        for subject in ("s1", "s2"):
            sequences = [each["data"]["sequence"] for each in bodies if each["subject"] == subject]
            assert sequences == [1, 2]

    def test_one_fact_of_a_subject_is_under_way_though_several_are_due(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        self.dead(desk, receiver, connect)
        desk.store.deliveries.resend_dead("hook", SOLD_AT + DAY)

        claimed = desk.store.deliveries.claim("hook", SOLD_AT + DAY, SOLD_AT + 2 * DAY, limit=10)

        assert [(each.fact.subject, each.fact.sequence) for each in claimed] == [
            ("s1", 1),
            ("s2", 1),
        ]

    def test_what_is_not_there_cannot_be_sent_again(self, desk: "Desk", connect: Connect) -> None:
        connect(desk)

        with pytest.raises(StoreError, match='"hook" of default has no delivery of fact nothing#0'):
            desk.store.deliveries.resend("hook", "nothing", 0, SOLD_AT)


class TestACrash:
    def test_a_claim_whose_process_ended_is_due_again_when_the_lease_runs_out(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk, receiver)
        relay(desk.store, SOLD_AT)
        lease = Settings().lease
        (lost,) = desk.store.deliveries.claim("hook", SOLD_AT, SOLD_AT + lease, limit=10)

        early = deliver(desk.store, SOLD_AT + lease - MINUTE, chance=longest)
        late = deliver(desk.store, SOLD_AT + lease, chance=longest)

        assert lost.attempt == 1
        assert (early.count, late.delivered) == (0, 1)
        assert listed(desk)[0].attempts == 2

    def test_what_a_lost_process_says_too_late_does_not_count(
        self, desk: "Desk", connect: Connect
    ) -> None:
        desk.sell("s1")
        connect(desk)
        relay(desk.store, SOLD_AT)
        claim = desk.store.deliveries.claim
        (lost,) = claim("hook", SOLD_AT, SOLD_AT + MINUTE, limit=10)
        (again,) = claim("hook", SOLD_AT + MINUTE, SOLD_AT + HOUR, limit=10)

        desk.store.deliveries.mark([Result(claimed=lost, status=Status.DEAD)], SOLD_AT + MINUTE)
        before = listed(desk)[0].status
        desk.store.deliveries.mark(
            [Result(claimed=again, status=Status.DELIVERED)], SOLD_AT + MINUTE
        )

        assert (before, listed(desk)[0].status) == (Status.PENDING, Status.DELIVERED)

    def test_a_process_killed_between_post_and_mark_loses_nothing(
        self,
        shared_url: str,
        open_desk: Callable[..., "Desk"],
        receiver: "Receiver",
        connect: Connect,
    ) -> None:
        """The receiver has it twice, with one id: at least once."""
        desk = open_desk(shared_url)
        desk.sell("s1")
        connect(desk, receiver)
        relay(desk.store, SOLD_AT)
        accept = receiver.answer
        process = subprocess.Popen([sys.executable, "-c", _DELIVERS, shared_url])

        def kill(got: Any) -> Any:
            os.kill(process.pid, signal.SIGKILL)
            return accept(got)

        receiver.answer = kill
        process.wait(60)
        killed = listed(desk)[0]
        receiver.answer = accept

        hand_on(desk, SOLD_AT + Settings().lease)

        assert (process.returncode, killed.status, killed.attempts) == (-9, Status.PENDING, 1)
        assert receiver.ids[0] == receiver.ids[1]
        assert len(set(receiver.ids)) == 2
        assert {each.status for each in listed(desk)} == {Status.DELIVERED}

    def test_two_processes_do_not_claim_the_same(
        self, shared_url: str, open_desk: Callable[..., "Desk"], connect: Connect
    ) -> None:
        one, other = open_desk(shared_url), open_desk(shared_url)
        for number in range(10):
            one.sell(f"s{number}")
        connect(one)
        relay(one.store, SOLD_AT)

        first = one.store.deliveries.claim("hook", SOLD_AT, SOLD_AT + HOUR, limit=6)
        second = other.store.deliveries.claim("hook", SOLD_AT, SOLD_AT + HOUR, limit=6)

        subjects = [each.fact.subject for each in (*first, *second)]
        assert sorted(subjects) == sorted(f"s{number}" for number in range(10))

    def test_what_another_process_is_claiming_is_left_to_it(
        self, migrated_database: str, open_desk: Callable[..., "Desk"], connect: Connect
    ) -> None:
        """PostgreSQL: its transaction is still open, and nobody waits for it."""
        _be_impatient(migrated_database)
        desk = open_desk(migrated_database)
        for number in range(3):
            desk.sell(f"s{number}")
        connect(desk)
        relay(desk.store, SOLD_AT)
        lock = text("SELECT 1 FROM sublife_delivery WHERE subject = 's1' FOR UPDATE")

        with desk.store.engine.connect() as other, other.begin():
            other.execute(lock)
            claimed = desk.store.deliveries.claim("hook", SOLD_AT, SOLD_AT + HOUR, limit=10)

        assert [each.fact.subject for each in claimed] == ["s0", "s2"]

    def test_a_relay_and_a_mark_wait_for_each_other(
        self, migrated_database: str, open_desk: Callable[..., "Desk"], connect: Connect
    ) -> None:
        """PostgreSQL: else a fact could be put behind one that ends at this moment, for ever."""
        _be_impatient(migrated_database, "100ms")
        desk = open_desk(migrated_database)
        desk.sell("s1")
        connect(desk)
        relay(desk.store, SOLD_AT)
        (claimed,) = desk.store.deliveries.claim("hook", SOLD_AT, SOLD_AT + HOUR, limit=1)
        lock = text("SELECT 1 FROM sublife_consumer WHERE name = 'hook' FOR UPDATE")

        with desk.store.engine.connect() as other, other.begin():
            other.execute(lock)
            with pytest.raises(ConflictError):
                desk.store.deliveries.mark(
                    [Result(claimed=claimed, status=Status.DELIVERED)], SOLD_AT
                )
            with pytest.raises(ConflictError):
                relay(desk.store, SOLD_AT)

        assert only(desk).status is Status.PENDING


def _be_impatient(url: str, timeout: str = "5s") -> None:
    """Let whoever waits for a lock give up soon, so that a test that waits fails."""
    with psycopg.connect(url, autocommit=True) as connection:
        base = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("ALTER DATABASE {} SET lock_timeout = {}").format(base, timeout))


_DELIVERS = """
import sys
from datetime import UTC, datetime
from sublife.events.outbox import deliver
from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock

at = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
deliver(Store.open(sys.argv[1], clock=SimulatedClock(at)), at, chance=lambda: 1.0)
"""


class TestASlowEndpoint:
    def test_it_does_not_delay_a_quick_one_beside_it(
        self, desk: "Desk", open_receiver: Callable[[], "Receiver"], connect: Connect
    ) -> None:
        """While the slow one still thinks, the quick one has its fact and it is marked."""
        slow, quick = open_receiver(), open_receiver()
        think = Event()
        slow.answer = lambda got: type(quick.answer(got))(after=think)
        desk.sell("s1")
        connect(desk, slow, "slow")
        connect(desk, quick, "quick")
        relay(desk.store, SOLD_AT)
        stop = Event()
        going = Thread(
            target=keep_delivering,
            args=(desk.store, stop),
            kwargs={"chance": longest, "beat_seconds": 0.01, "settings": PATIENT},
        )
        going.start()

        try:
            assert slow.arrived.wait(30)
            for _ in range(3000):
                if len(quick.received) == 2:
                    break
                think.wait(0.01)
        finally:
            stop.set()
            think.set()
            going.join(60)

        assert len(slow.received) == 1
        assert len(quick.received) == 2
        assert {each.status for each in listed(desk, consumer="quick")} == {Status.DELIVERED}

    def test_an_answer_that_takes_too_long_is_a_failed_attempt(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        think = Event()
        accept = receiver.answer
        receiver.answer = lambda got: type(accept(got))(after=think)
        desk.sell("s1")
        connect(desk, receiver)

        hand_on(desk, settings=Settings(timeout_seconds=0.2))
        think.set()

        assert only(desk).error == "no answer within 0.2 s"
        assert only(desk).status is Status.PENDING

    def test_what_is_sold_meanwhile_is_taken_in_at_once(
        self, desk: "Desk", receiver: "Receiver", connect: Connect
    ) -> None:
        """The lifecycle writes on while a post waits: no transaction is open."""
        store = desk.store
        sold: list[str] = []
        accept = receiver.answer

        def sell(got: Any) -> Any:
            if not sold:
                sold.append("s2")
                desk.sell("s2")
            return accept(got)

        receiver.answer = sell
        desk.sell("s1")
        connect(desk, receiver)

        hand_on(desk)

        assert store.get("s2") is not None


PATIENT = Settings(timeout_seconds=60)


class TestKeepDelivering:
    def test_it_hands_on_what_is_committed_while_it_runs(
        self,
        shared_url: str,
        open_desk: Callable[..., "Desk"],
        receiver: "Receiver",
        connect: Connect,
    ) -> None:
        desk, other = open_desk(shared_url), open_desk(shared_url)
        connect(desk, receiver)
        stop = Event()
        other.clock.move(SOLD_AT + DAY)
        going = Thread(
            target=keep_delivering,
            args=(other.store, stop),
            kwargs={"chance": longest, "beat_seconds": 0.01},
        )
        going.start()

        try:
            desk.sell("s1")
            for _ in range(3000):
                if len(receiver.received) == 2:
                    break
                stop.wait(0.01)
        finally:
            stop.set()
            going.join(60)

        assert len(receiver.received) == 2
        assert {each.status for each in listed(desk)} == {Status.DELIVERED}
