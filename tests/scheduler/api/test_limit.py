"""Rate limits: a token bucket for each caller, and 429 with the time to wait."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from sublife.events.token import Role
from sublife.scheduler.api.limit import MOST_CALLERS, Buckets

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door


class Tick:
    """Seconds that go forward when they are told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_full_bucket_holds_a_burst_and_fills_at_its_rate() -> None:
    tick = Tick()
    buckets = Buckets(2, 3, tick=tick)

    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    tick.seconds += 0.25
    assert buckets.take("a") == 0.25
    tick.seconds += 0.25
    assert buckets.take("a") == 0
    tick.seconds += 1000
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_each_caller_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(1, 1, tick=Tick())

    assert [buckets.take("a"), buckets.take("b"), buckets.take("a")] == [0, 0, 1]


def test_callers_that_were_not_heard_of_for_longest_are_forgotten() -> None:
    buckets = Buckets(1, 1, tick=Tick())

    buckets.take("first")
    for number in range(MOST_CALLERS):
        buckets.take(str(number))

    assert buckets.take("first") == 0
    assert buckets.take(str(MOST_CALLERS - 1)) == 1


def test_too_many_requests_of_one_token_hold_up_no_other(open_door: Callable[..., "Door"]) -> None:
    door = open_door(rate=0.5, burst=2)
    client, other = door.client(Role.READ), door.client(Role.READ)

    answers = [client.get("/v1/lifecycles") for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "TOO_MANY_REQUESTS"
    assert answers[2].headers["Content-Type"] == "application/problem+json"
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 3
    assert other.get("/v1/lifecycles").status_code == 200


def test_guesses_at_tokens_are_limited_too(open_door: Callable[..., "Door"]) -> None:
    door = open_door(rate=0.01, burst=2)
    token, text = door.token(expires_at=door.clock.now() + timedelta(days=1))
    wrong = {"Authorization": f"Bearer {text[:-43]}{'A' * 43}"}

    statuses = [door.anybody().get("/v1/lifecycles", headers=wrong).status_code for _ in range(3)]

    assert statuses == [401, 401, 429]
    right = {"Authorization": f"Bearer {text}"}
    assert door.anybody().get("/v1/lifecycles", headers=right).status_code == 200
    assert token.is_valid(door.clock.now())


def test_health_is_told_however_often_it_is_asked(open_door: Callable[..., "Door"]) -> None:
    door = open_door(rate=0.01, burst=1)

    assert {door.anybody().get("/healthz").status_code for _ in range(5)} == {200}
