"""Watching a decision: what it asks for is noted, and what it decides stays the same."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sublife.events.packs import load_pack
from sublife.lifecycle.dates import add_months
from sublife.lifecycle.model import Snapshot, evolved
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.tracing import SumAsked, Watch, unwatched

AT = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def policy() -> Policy:
    """The default pack."""
    return load_pack()


def snapshot() -> Snapshot:
    return Snapshot(id="s1", state="grace", changed_at=AT, customer="tailspin", partner="contoso")


class TestPolicy:
    def test_it_says_what_the_policy_says(self, policy: Policy) -> None:
        """Each kind of look-up, and each is noted once."""
        watch = Watch()
        watched = watch.policy(policy)

        assert watched.length("grace", AT) == policy.length("grace", AT)
        assert watched.count("update_limit", AT) == policy.count("update_limit", AT)
        assert watched.rate("extended_uplift", AT) == policy.rate("extended_uplift", AT)
        assert watched.amount("direct_revenue", AT) == policy.amount("direct_revenue", AT)
        assert watched.allows("legacy_renewal", AT) == policy.allows("legacy_renewal", AT)
        assert watched.switch("processing", AT) == policy.switch("processing", AT)
        assert watched.span("grace", AT) == policy.span("grace", AT)
        assert watched.version == policy.version
        assert [figure.name for figure in watch.figures] == [
            "grace",
            "update_limit",
            "extended_uplift",
            "direct_revenue",
            "legacy_renewal",
        ]
        assert "processing" in [switch.name for switch in watch.switches]

    def test_a_figure_is_noted_with_its_validity(self, policy: Policy) -> None:
        """GEN-09: since when and until when it holds, by which rule."""
        watch = Watch()

        watch.policy(policy).length("cancellation_window", AT, begun_at=AT)

        (asked,) = watch.figures
        span = policy.span("cancellation_window", AT)
        assert (asked.rule, asked.value) == ("TRM-09", 168)
        assert (asked.since, asked.until) == (span.start, span.end)

    def test_what_a_length_is_added_to_is_noted(self, policy: Policy) -> None:
        """To an instant, to a day, and taken from one."""
        watch = Watch()
        grace = watch.policy(policy).length("grace", AT)

        after, before, day = AT + grace, AT - grace, AT.date() + grace

        assert after == AT + 30 * DAY
        assert before == AT - 30 * DAY
        assert day == date(2025, 10, 31)
        (figure,) = watch.figures
        assert watch.sums == [
            SumAsked(figure, 1, AT, after),
            SumAsked(figure, -1, AT, before),
            SumAsked(figure, 1, AT.date(), day),
        ]

    def test_when_a_length_is_over_is_noted_as_their_sum(self, policy: Policy) -> None:
        """Also where somebody has asked for the same without watching."""
        watch = Watch()

        over_at = policy.over_at("grace", AT)

        assert over_at == AT + policy.length("grace", AT) == AT + 30 * DAY
        assert watch.policy(policy).over_at("grace", AT) == over_at
        (figure,) = watch.figures
        assert watch.sums == [SumAsked(figure, 1, AT, over_at)]

    def test_a_length_is_like_any_other(self, policy: Policy) -> None:
        """It is compared, counted and added as one that nobody watches."""
        grace = Watch().policy(policy).length("grace", AT)

        assert (grace == 30 * DAY, grace != DAY, bool(grace)) == (True, True, True)
        assert (grace > DAY, grace >= DAY, grace < DAY, grace <= DAY) == (True, True, False, False)
        assert (grace.days, -grace, grace + DAY, grace - DAY) == (30, -30 * DAY, 31 * DAY, 29 * DAY)
        assert (grace * 2, hash(grace)) == (60 * DAY, hash(30 * DAY))

    def test_the_month_that_months_are_added_to_is_noted(self, policy: Policy) -> None:
        """GEN-05: calendar arithmetic takes numbers; the month can be told from them."""
        watch = Watch()
        months = watch.policy(policy).count("first_notice", AT)

        later, earlier = add_months(date(2025, 10, 31), months), add_months(AT.date(), -months)

        assert (later, earlier) == (date(2026, 1, 31), date(2025, 7, 1))
        assert [(each.sign, each.base) for each in watch.sums] == [
            (1, date(2025, 10, 1)),
            (-1, date(2025, 10, 1)),
        ]


class TestSubject:
    def test_what_is_read_is_noted_with_its_value(self) -> None:
        """Within the block alone."""
        watch = Watch()
        watched = watch.subject(snapshot())

        with watch.watching():
            assert watched.state == "grace"
        assert watched.customer == "tailspin"

        assert watch.values == {"s1": {"state": "grace"}}

    def test_copying_is_no_reading_but_reading_a_copy_is(self) -> None:
        """As far as the copy still says what the subject said."""
        watch = Watch()
        watched = watch.subject(snapshot())

        with watch.watching():
            copy = evolved(replace(watched, partner="fabrikam"), state="disabled")
            assert (copy.partner, copy.state) == ("fabrikam", "disabled")
            assert copy.customer == "tailspin"

        assert watch.values == {"s1": {"customer": "tailspin"}}

    def test_it_is_of_the_same_kind_and_becomes_itself_again(self) -> None:
        """A decision sees no difference."""
        plain = snapshot()
        watched = Watch().subject(plain)

        assert isinstance(watched, Snapshot)
        assert type(unwatched(watched)) is Snapshot
        assert unwatched(watched) == plain

    def test_two_watches_do_not_see_each_other(self) -> None:
        """What is read in one is noted there."""
        one, two = Watch(), Watch()
        first, second = one.subject(snapshot()), two.subject(snapshot())

        with one.watching(), two.watching():
            assert second.state == first.state

        assert one.values == {}
        assert two.values == {"s1": {"state": "grace"}}
