"""When a failed attempt is made again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.outbox import Body, Retry, Settings
from sublife.events.outbox.retry import asked_seconds

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_the_longest_wait_doubles_up_to_the_ceiling() -> None:
    retry = Retry(first_seconds=5, ceiling_seconds=60, give_up_after=DAY)

    waits = [
        _at(retry.next_at(attempt, NOW, first_at=NOW, chance=lambda: 1.0)) - NOW
        for attempt in range(1, 7)
    ]

    assert [each.total_seconds() for each in waits] == [5, 10, 20, 40, 60, 60]


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_the_jitter_is_full(attempt: int, chance: float) -> None:
    """From no wait at all to the longest one, so that many who fail at once come back apart."""
    retry = Retry()
    longest = _at(retry.next_at(attempt, NOW, first_at=NOW, chance=lambda: 1.0)) - NOW

    wait = _at(retry.next_at(attempt, NOW, first_at=NOW, chance=lambda: chance)) - NOW

    assert abs(wait - longest * chance) <= timedelta(microseconds=1)
    assert wait <= timedelta(hours=12)


def test_the_last_attempt_is_made_when_the_time_is_over() -> None:
    retry = Retry(give_up_after=3 * DAY)
    just_before = NOW + 3 * DAY - HOUR

    last = retry.next_at(30, just_before, first_at=NOW, chance=lambda: 1.0)

    assert last == NOW + 3 * DAY
    assert retry.next_at(31, _at(last), first_at=NOW, chance=lambda: 1.0) is None


def test_the_number_of_attempts_can_be_bounded() -> None:
    retry = Retry(attempts=2)

    found = [retry.next_at(each, NOW, first_at=NOW, chance=lambda: 1.0) for each in (1, 2)]

    assert found == [NOW + timedelta(seconds=5), None]


def test_partner_center_has_ten_attempts() -> None:
    """EVT-13."""
    settings = Settings()

    assert settings.retry_of(Body.PARTNER_CENTER).attempts == 10
    assert settings.retry_of(Body.CLOUDEVENTS).attempts is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        ("Tue, 01 Oct 2024 02:37:00 GMT", 120),
        ("Tue, 01 Oct 2024 02:30:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("", 0),
        ("١٢", 0),
        (None, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float) -> None:
    assert asked_seconds(header, NOW) == seconds


@pytest.mark.parametrize(
    ("header", "wait"),
    [("600", 600), ("1", 5), ("9" * 30, 12 * 60 * 60), ("9" * 400, 12 * 60 * 60)],
)
def test_retry_after_counts_within_bounds(header: str, wait: float) -> None:
    """It makes a wait longer, never shorter, and never longer than the ceiling."""
    retry = Retry()

    found = retry.next_at(1, NOW, first_at=NOW, chance=lambda: 1.0, retry_after=header)

    assert _at(found) - NOW == timedelta(seconds=wait)


def test_a_claim_holds_longer_than_the_slowest_batch_takes() -> None:
    settings = Settings(concurrency=3, batch=10, timeout_seconds=20)

    assert settings.lease > timedelta(seconds=20 * 4)


def _at(found: datetime | None) -> datetime:
    assert found is not None
    return found
