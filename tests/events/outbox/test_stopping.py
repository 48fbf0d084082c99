"""Posting ends within its grace, however silent the receivers are, and loses nothing."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.outbox import Body, Delivery, Endpoint, Settings, Status, deliver, relay
from sublife.events.outbox.deliver import keep_delivering
from sublife.events.outbox.retry import Retry
from sublife.events.store.delivery import Deliveries
from sublife.events.webhook.answer import Answer

if TYPE_CHECKING:
    from tests.events.conftest import Desk

Connect = Callable[..., Endpoint]
Reply = Callable[[Endpoint], Any]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
SOON = 30
"""Seconds after which a test gives up; none comes near."""


async def never(_endpoint: Endpoint) -> Answer:
    """Accept the connection and say nothing."""
    await asyncio.Event().wait()
    raise AssertionError


class Silent:
    """A network whose receivers reply as a test says; it notes whom each post was for."""

    def __init__(self, reply: Reply = never, *, wanted: int = 1) -> None:
        self.posts: list[str] = []
        self.are_under_way = Signal()
        self._reply, self._wanted = reply, wanted

    def check(self, endpoint: Endpoint) -> None:
        """Take every endpoint."""

    def poster(self, *, timeout_seconds: float, redirects: int) -> "Silent":
        del timeout_seconds, redirects
        return self

    async def post(self, endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> Answer:
        del body, headers
        self.posts.append(endpoint.id)
        if len(self.posts) == self._wanted:
            self.are_under_way.set()
        answer: Answer = await self._reply(endpoint)
        return answer

    async def close(self) -> None:
        """Close nothing."""


@contextmanager
def posting(desk: "Desk", network: Silent, **more: Any) -> Generator[Signal]:
    """Post in a thread until the block sets the signal; it must end soon after."""
    stop = Signal()
    given: dict[str, Any] = {"stop_seconds": 0.02, "timeout_seconds": 600, **more}
    settings = Settings(**given)
    thread = Thread(
        target=keep_delivering,
        args=(desk.store, stop),
        kwargs={
            "chance": lambda: 1.0,
            "settings": settings,
            "network": network,
            "beat_seconds": 0.01,
        },
        daemon=True,
    )
    thread.start()
    try:
        assert network.are_under_way.wait(SOON)
        yield stop
    finally:
        stop.set()
        thread.join(SOON)
        assert not thread.is_alive()


def deliveries(desk: "Desk") -> list[Delivery]:
    return list(desk.store.deliveries.list())


def attempted(desk: "Desk") -> list[Delivery]:
    """Return the deliveries that were claimed."""
    return [each for each in deliveries(desk) if each.attempts]


def deliver_all(desk: "Desk") -> Silent:
    """Post what is due at the same instant to receivers that take everything."""

    async def take(_endpoint: Endpoint) -> Answer:
        return Answer(204)

    network = Silent(take)
    while deliver(desk.store, desk.clock.now(), chance=lambda: 1.0, network=network).count:
        pass
    return network


def test_forty_nine_silent_receivers_do_not_hold_up_the_end(
    open_desk: Callable[..., "Desk"], connect: Connect
) -> None:
    """No post begins after the signal, and all that was claimed is due again at once."""
    desk = open_desk()
    for number in range(6):
        desk.sell(f"s{number}")
    for number in range(49):
        connect(desk, None, f"hook-{number:02}")
    network = Silent(wanted=49 * 4)

    with posting(desk, network) as stop:
        stop.set()

    assert len(network.posts) == 49 * 4
    assert len(attempted(desk)) == 49 * 6
    assert {each.status for each in deliveries(desk)} == {Status.PENDING}
    assert {each.next_attempt_at for each in attempted(desk)} == {desk.clock.now()}


def test_what_was_cut_off_arrives_once_it_is_posted_again(desk: "Desk", connect: Connect) -> None:
    """Nothing is lost, and the reason of the failed attempt says what happened."""
    desk.sell("s1")
    desk.sell("s2")
    connect(desk)
    network = Silent(wanted=1)
    with posting(desk, network, concurrency=1) as stop:
        stop.set()
    reasons = {each.error for each in attempted(desk)}

    again = deliver_all(desk)

    assert reasons == {
        "cut off, as the process was to end; due again at once",
        "not sent, as the process was to end; due again at once",
    }
    assert len(again.posts) == len(deliveries(desk)) == 4
    assert {each.status for each in deliveries(desk)} == {Status.DELIVERED}


def test_an_answer_within_the_grace_counts(
    open_desk: Callable[..., "Desk"], connect: Connect
) -> None:
    desk = open_desk()
    desk.sell("s1")
    connect(desk)
    answers = Signal()

    async def when_told(_endpoint: Endpoint) -> Answer:
        await asyncio.to_thread(answers.wait, SOON)
        return Answer(204)

    with posting(desk, Silent(when_told), stop_seconds=SOON) as stop:
        stop.set()
        answers.set()

    assert [each.status for each in attempted(desk)] == [Status.DELIVERED]


@pytest.mark.parametrize(
    ("body", "retry"),
    [
        (Body.CLOUDEVENTS, {"retry": Retry(attempts=1)}),
        (Body.PARTNER_CENTER, {"partner_center_retry": Retry(attempts=1)}),
    ],
)
def test_a_last_attempt_that_is_cut_off_is_not_given_up(
    body: Body, retry: dict[str, Retry], open_desk: Callable[..., "Desk"], connect: Connect
) -> None:
    desk = open_desk()
    desk.sell("s1")
    connect(desk, body=body)

    with posting(desk, Silent(), **retry) as stop:
        stop.set()

    assert [each.status for each in attempted(desk)] == [Status.PENDING]
    assert len(deliver_all(desk).posts) == len(deliveries(desk))


def test_a_receiver_that_times_out_by_itself_is_not_cut_off(
    open_desk: Callable[..., "Desk"], connect: Connect
) -> None:
    desk = open_desk()
    desk.sell("s1")
    connect(desk)

    async def time_out(_endpoint: Endpoint) -> Answer:
        raise TimeoutError("slow")

    with posting(desk, Silent(time_out)):
        pass

    (tried,) = attempted(desk)
    assert tried.error == "cannot be sent: TimeoutError: slow"
    assert tried.next_attempt_at is not None
    assert tried.next_attempt_at > desk.clock.now()


def test_a_fault_at_one_endpoint_stops_neither_the_others_nor_the_end(
    open_desk: Callable[..., "Desk"], connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk()
    desk.sell("s1")
    connect(desk, None, "bad")
    connect(desk, None, "good")
    claim = Deliveries.claim

    def claim_or_break(deliveries: Deliveries, name: str, *given: Any, **more: Any) -> Any:
        if name == "bad":
            raise RuntimeError("out of order")
        return claim(deliveries, name, *given, **more)

    monkeypatch.setattr(Deliveries, "claim", claim_or_break)

    with posting(desk, Silent()) as stop:
        stop.set()

    assert [each.consumer for each in attempted(desk)] == ["good"]


def test_a_process_that_is_to_end_before_it_begins_posts_nothing(
    open_desk: Callable[..., "Desk"], connect: Connect
) -> None:
    desk = open_desk()
    desk.sell("s1")
    connect(desk)
    relay(desk.store, desk.clock.now())
    stop, network = Signal(), Silent()
    stop.set()

    keep_delivering(desk.store, stop, chance=lambda: 1.0, network=network)

    assert network.posts == []
    assert attempted(desk) == []
