"""`Retry-After` with a value out of range is ignored or bounded; it never raises."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sublife.events.outbox import Retry

NOW = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
USUAL = timedelta(seconds=5)
LONGEST = timedelta(hours=12)
"""What docs/webhooks.md promises: `Retry-After` makes a wait longer, up to 12 h."""

IGNORED = {
    "a part of the year 10^20": "Tue, 01 Oct 100000000000000000000 02:37:00 GMT",
    "an hour of 24 digits": "Tue, 01 Oct 2024 999999999999999999999999:37:00 GMT",
    "a second of 21 digits": "Tue, 01 Oct 2024 02:37:055555555555555555555 GMT",
    "an offset of 17 digits": "Tue, 01 Oct 2024 02:37:00 -99999999999999999",
    "an offset of a day": "Tue, 01 Oct 2024 02:37:00 -2400",
    "a day that does not exist": "Tue, 99 Oct 2024 02:37:00 GMT",
    "the year 0": "Mon, 01 Jan 0000 00:00:00 GMT",
    "the first instant there is, east of Greenwich": "Mon, 01 Jan 0001 00:00:00 +1400",
    "a negative number": "-1",
    "a number that is very negative": "-1" + "0" * 30,
    "not a number": "NaN",
    "infinity": "inf",
    "minus infinity": "-inf",
    "an exponent": "1e30",
    "a fraction": "1.5",
    "an Arabic digit": "\N{ARABIC-INDIC DIGIT THREE}",
    "a superscript": "\N{SUPERSCRIPT TWO}",
    "a date with an Arabic year": "Tue, 01 Oct ٢٠٢٥ 02:37:00 GMT",
    "a date in a long comment": "Tue, 01 Oct 2025 02:37:00 GMT" + " (x)" * 20_000,
    "a long word": "a" * 100_000,
    "many brackets": "(" * 30_000,
    "half a surrogate pair": "\ud800",
    "NUL": "\0",
    "a comma": ",",
    "a colon": ":",
}
BOUNDED = {
    "10^30": "1" + "0" * 30,
    "10^400": "1" + "0" * 400,
    "100,000 digits": "9" * 100_000,
    "the last instant there is, west of Greenwich": "Fri, 31 Dec 9999 23:59:59 -1200",
    "the end of time far west of Greenwich": "Fri, 31 Dec 9999 23:59:59 -2359",
    "a date without a zone": "Fri, 31 Dec 9999 23:59:59",
}


def wait(header: str) -> timedelta:
    """Return how long a first attempt waits when the receiver answers with this header."""
    found = Retry().next_at(1, NOW, first_at=NOW, chance=lambda: 1.0, retry_after=header)
    assert found is not None
    return found - NOW


@pytest.mark.parametrize("header", IGNORED.values(), ids=IGNORED.keys())
def test_a_value_that_means_no_wait_is_ignored(header: str) -> None:
    assert wait(header) == USUAL


@pytest.mark.parametrize("header", BOUNDED.values(), ids=BOUNDED.keys())
def test_a_wait_that_is_too_long_is_bounded(header: str) -> None:
    assert wait(header) == LONGEST


@given(
    st.one_of(
        st.text(),
        st.integers().map(str),
        st.floats().map(str),
        st.text('0123456789:, +-GMTOctue()".٣', max_size=60),
        st.tuples(st.integers(), st.integers(), st.integers()).map(
            lambda parts: "Tue, {} Oct {} 02:37:00 {:+}".format(*parts)
        ),
    )
)
@example("Tue, 01 Oct 20277 02:37:055555555555555555555 +0000")
@example("Gu11111111111111111111, 01 Oct 2024 02:37:00 +44444444444444444444000")
def test_no_header_stops_the_next_attempt(header: str) -> None:
    """The wait is never below the usual one and never above the documented most."""
    assert USUAL <= wait(header) <= LONGEST
