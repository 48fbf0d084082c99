"""Proration exact to the day (TRM-13): what is charged, what comes back, and how it is rounded."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sublife.lifecycle.dates import Billing, Term, add_months, natural_end
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Decision, Event, Payload, Role
from sublife.lifecycle.money import Money, days_charged, rounded
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.charge import charge
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Price,
    Product,
    Purchase,
    RequestTransfer,
    Subscription,
)
from tests.scale import sized

Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]
Accept: TypeAlias = Callable[[Subscription | None, Event, Policy], Subscription]

DAY = timedelta(days=1)
CENT = Decimal("0.01")
WINDOW_SECONDS = 168 * 3600
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso")
BOB = Actor(ActorKind.USER, "bob", Role.ADMIN_AGENT, partner="fabrikam")
PLANS = st.sampled_from(
    [(term, billing) for term in Term for billing in Billing if billing.months <= term.months]
)
PRICES = st.decimals(Decimal("0.00"), Decimal("9999.99"), places=2)
SEATS = st.integers(1, 500)
FIRST = datetime(2022, 4, 1, tzinfo=UTC)
INSTANTS = st.integers(0, 33 * 365 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))
OFFSETS = st.integers(0, WINDOW_SECONDS).map(lambda seconds: timedelta(seconds=seconds))
THOROUGH = settings(max_examples=sized(30, 100), deadline=None, print_blob=True)


def _event(name: str, at: datetime, data: Payload = EMPTY, *, actor: Actor = AMY) -> Event:
    return Event(f"{name} {at}", name, "s1", at, actor, data)


def _order(
    unit: str | Decimal,
    *,
    quantity: int = 1,
    term: Term = Term.P1Y,
    billing: Billing = Billing.MONTHLY,
    align_month_end: bool = False,
) -> Purchase:
    return Purchase(
        "tailspin",
        "contoso",
        Product("E3"),
        quantity,
        term,
        billing,
        price=Price(Decimal(unit), "EUR"),
        align_month_end=align_month_end,
    )


def _decided(subject: Subscription | None, event: Event, policy: Policy) -> Decision:
    answer = decide(subject, event, policy)
    assert isinstance(answer, Decision), answer
    return answer


def _amount(decision: Decision, name: str) -> Decimal:
    """Return the amount of a fact; a credit is negative."""
    (fact,) = (fact for fact in decision.facts if fact.name == name)
    assert fact.data["currency"] == "EUR"
    amount = Decimal(str(fact.data["amount"]))
    assert amount.as_tuple().exponent == -2
    return amount


def _bought(at: datetime, ask: Purchase, policy: Policy) -> tuple[Subscription, Decimal]:
    """Return the subscription as ordered, and what its first cycle costs."""
    decision = _decided(None, _event("purchase", at, ask), policy)
    assert isinstance(decision.snapshot, Subscription)
    return decision.snapshot, _amount(decision, "subscription-created")


def _half_up(exact: Fraction) -> Decimal:
    """Round to the cent, half up, in whole numbers alone."""
    return Decimal((exact * 200 + 1) // 2) / 100


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _days_used(first: date, at: datetime) -> int:
    """Count the days from 00:00:00Z of *first* that *at* has touched; at least one (TRM-13)."""
    seconds = int((at - _midnight(first)) / timedelta(microseconds=1))
    return max(1, -(-seconds // (86_400 * 1_000_000)))


def _cycle_days(first: date, billing: Billing) -> int:
    return (add_months(first, billing.months) - first).days


# Days and cents.


@pytest.mark.parametrize(
    ("amount", "found"),
    [
        pytest.param("0.004", "0.00", id="down"),
        pytest.param("0.005", "0.01", id="half of an even cent"),
        pytest.param("0.015", "0.02", id="half of an odd cent"),
        pytest.param("2.675", "2.68", id="half that binary floats lose"),
        pytest.param("1.0049999", "1.00", id="just below half"),
        pytest.param("12", "12.00", id="whole"),
        pytest.param("0.995", "1.00", id="carry"),
    ],
)
def test_money_is_rounded_half_up_to_two_decimals(amount: str, found: str) -> None:
    """TRM-13."""
    assert str(rounded(Decimal(amount))) == found


def test_an_amount_is_shown_with_its_currency() -> None:
    assert str(Money(Decimal("12.50"), "EUR")) == "12.50 EUR"


@pytest.mark.parametrize(
    ("used", "days"),
    [
        pytest.param(timedelta(0), 1, id="at once"),
        pytest.param(timedelta(seconds=1), 1, id="a second"),
        pytest.param(DAY, 1, id="a day to the second"),
        pytest.param(DAY + timedelta(microseconds=1), 2, id="a day and the least more"),
        pytest.param(2 * DAY + timedelta(hours=9), 3, id="on the third day"),
        pytest.param(5 * DAY, 5, id="five days in"),
        pytest.param(7 * DAY, 7, id="a whole window"),
        pytest.param(-3 * DAY, 1, id="before it starts"),
    ],
)
def test_a_day_that_has_begun_is_charged_and_one_at_least(used: timedelta, days: int) -> None:
    """TRM-13: N = max(1, ceil of the time in days)."""
    start = datetime(2024, 10, 1, tzinfo=UTC)

    assert days_charged(start, start + used) == days


# The examples, through purchase and cancellation.


@pytest.mark.parametrize(
    ("canceled_at", "refund"),
    [
        pytest.param(datetime(2024, 10, 1, 10, tzinfo=UTC), "364.00", id="at once"),
        pytest.param(datetime(2024, 10, 2, tzinfo=UTC), "364.00", id="first day over"),
        pytest.param(datetime(2024, 10, 2, 0, 0, 1, tzinfo=UTC), "363.00", id="second day"),
        pytest.param(datetime(2024, 10, 3, 9, tzinfo=UTC), "362.00", id="on the 3rd day"),
        pytest.param(datetime(2024, 10, 6, tzinfo=UTC), "360.00", id="five days into it"),
        pytest.param(datetime(2024, 10, 8, 10, tzinfo=UTC), "357.00", id="last instant"),
    ],
)
def test_a_cancelled_annual_term_is_charged_by_the_day(
    canceled_at: datetime, refund: str, policy: Policy, settle: Settle
) -> None:
    """TRM-13: bought 2024-10-01T10:00:00Z for 365.00, a euro a day."""
    ordered, paid = _bought(
        datetime(2024, 10, 1, 10, tzinfo=UTC), _order("365.00", billing=Billing.ANNUAL), policy
    )
    active = settle(ordered, ordered.changed_at, policy)

    canceled = _decided(active, _event("cancel", canceled_at), policy)

    assert paid == Decimal("365.00")
    assert _amount(canceled, "subscription-canceled") == -Decimal(refund)


@pytest.mark.parametrize(
    ("term", "billing", "unit", "refund"),
    [
        pytest.param(Term.P1M, Billing.MONTHLY, "31.00", "28.00", id="month"),
        pytest.param(Term.P1Y, Billing.MONTHLY, "31.00", "28.00", id="year by the month"),
        pytest.param(Term.P3Y, Billing.MONTHLY, "31.00", "28.00", id="three years by the month"),
        pytest.param(Term.P1Y, Billing.ANNUAL, "365.00", "362.00", id="year"),
        pytest.param(Term.P3Y, Billing.ANNUAL, "365.00", "362.00", id="three years by the year"),
        pytest.param(Term.P3Y, Billing.TRIENNIAL, "1095.00", "1092.00", id="three years"),
    ],
)
def test_the_refund_is_of_the_charge_period(
    term: Term, billing: Billing, unit: str, refund: str, policy: Policy, settle: Settle
) -> None:
    """TRM-13: bought 2024-10-01, cancelled on the third day."""
    ordered, paid = _bought(
        datetime(2024, 10, 1, tzinfo=UTC), _order(unit, term=term, billing=billing), policy
    )
    active = settle(ordered, ordered.changed_at, policy)

    canceled = _decided(active, _event("cancel", datetime(2024, 10, 3, 9, tzinfo=UTC)), policy)

    assert paid == Decimal(unit)
    assert _amount(canceled, "subscription-canceled") == -Decimal(refund)


@pytest.mark.parametrize(
    ("unit", "quantity", "refund"),
    [
        pytest.param("0.15", 1, "0.15", id="half a cent goes up"),
        pytest.param("0.05", 10, "0.48", id="rounded on the total, not seat by seat"),
        pytest.param("10.01", 3, "29.03", id="three seats"),
    ],
)
def test_a_refund_is_rounded_half_up_and_once(
    unit: str, quantity: int, refund: str, policy: Policy, settle: Settle
) -> None:
    """TRM-13: November has 30 days, 29 come back."""
    ordered, _ = _bought(
        datetime(2024, 11, 1, 8, tzinfo=UTC), _order(unit, quantity=quantity), policy
    )
    active = settle(ordered, ordered.changed_at, policy)

    canceled = _decided(active, _event("cancel", datetime(2024, 11, 1, 9, tzinfo=UTC)), policy)

    assert _amount(canceled, "subscription-canceled") == -Decimal(refund)


def test_seats_that_are_returned_are_charged_by_the_day(policy: Policy, settle: Settle) -> None:
    """TRM-13, TRM-15: four of ten on the third day of October, a euro a day each."""
    ordered, paid = _bought(
        datetime(2024, 10, 1, 10, tzinfo=UTC), _order("31.00", quantity=10), policy
    )
    active = settle(ordered, ordered.changed_at, policy)
    at = datetime(2024, 10, 3, 12, tzinfo=UTC)

    fewer = _decided(active, _event("remove_seats", at, ChangeSeats(4)), policy)

    assert paid == Decimal("310.00")
    assert _amount(fewer, "subscription-quantity-changed") == Decimal("-112.00")


def test_seats_added_within_a_cycle_are_charged_and_refunded_from_their_own_day(
    policy: Policy, settle: Settle
) -> None:
    """TRM-13, TRM-16: five from 10 October, returned on their third day; 22 days were paid."""
    ordered, _ = _bought(
        datetime(2024, 10, 1, 10, tzinfo=UTC), _order("31.00", quantity=10), policy
    )
    active = settle(ordered, ordered.changed_at, policy)

    more = _decided(
        active,
        _event("add_seats", datetime(2024, 10, 10, 18, tzinfo=UTC), ChangeSeats(5)),
        policy,
    )
    fewer = _decided(
        _subject(more),
        _event("remove_seats", datetime(2024, 10, 12, 6, tzinfo=UTC), ChangeSeats(5)),
        policy,
    )

    assert _amount(more, "subscription-quantity-changed") == Decimal("110.00")
    assert _amount(fewer, "subscription-quantity-changed") == Decimal("-95.00")


def _subject(decision: Decision) -> Subscription:
    assert isinstance(decision.snapshot, Subscription)
    return decision.snapshot


def test_a_first_term_cut_short_is_charged_by_the_day(policy: Policy) -> None:
    """TRM-25: 16 of the 31 days from 16 October to 15 November."""
    ordered, paid = _bought(
        datetime(2024, 10, 16, 10, tzinfo=UTC),
        _order("31.00", term=Term.P1M, align_month_end=True),
        policy,
    )

    assert ordered.ends_on == date(2024, 10, 31)
    assert paid == Decimal("16.00")


def test_the_refund_after_a_renewal_is_of_the_new_term(policy: Policy, settle: Settle) -> None:
    """TRM-09, TRM-13: the new term counts from its own first day."""
    ordered, _ = _bought(
        datetime(2024, 10, 1, 10, tzinfo=UTC), _order("365.00", billing=Billing.ANNUAL), policy
    )
    renewed = settle(ordered, datetime(2025, 10, 1, tzinfo=UTC), policy)

    canceled = _decided(renewed, _event("cancel", datetime(2025, 10, 3, 9, tzinfo=UTC)), policy)

    assert _amount(canceled, "subscription-canceled") == Decimal("-362.00")


def test_a_transferred_subscription_is_refunded_from_the_day_of_the_transfer(
    policy: Policy, accept: Accept, settle: Settle
) -> None:
    """TRM-30: the source pays 2024-04-10 to 2024-06-14, the target the 299 days that are left."""
    ordered, paid = _bought(
        datetime(2024, 4, 10, 8, tzinfo=UTC), _order("365.00", billing=Billing.ANNUAL), policy
    )
    active = settle(ordered, ordered.changed_at, policy)
    ask = RequestTransfer("fabrikam", relationship_accepted=True)
    at = datetime(2024, 6, 15, 14, tzinfo=UTC)
    waiting = accept(active, _event("request_transfer", at, ask, actor=BOB), policy)

    done = _decided(waiting, _event("accept_transfer", at), policy)

    (fact,) = (fact for fact in done.facts if fact.name == "transfer-completed")
    assert paid == Decimal("365.00")
    assert _amount(done, "transfer-completed") == Decimal("-299.00")
    assert fact.data["source_billed_until"] == "2024-06-14"
    assert fact.data["target_billed_from"] == "2024-06-15"
    assert fact.data["ends_on"] == "2025-04-09"


def test_what_has_no_price_has_no_amount(policy: Policy, settle: Settle) -> None:
    """A price may be unknown; nothing is made up."""
    ask = Purchase("tailspin", "contoso", Product("E3"), 10, Term.P1Y, Billing.MONTHLY)
    at = datetime(2024, 10, 1, 10, tzinfo=UTC)
    ordered = _decided(None, _event("purchase", at, ask), policy)
    active = settle(_subject(ordered), at, policy)

    canceled = _decided(active, _event("cancel", at), policy)

    assert all("amount" not in fact.data for fact in (*ordered.facts, *canceled.facts))


# What holds for every plan, price and day.


@given(plan=PLANS, unit=PRICES, quantity=SEATS, at=INSTANTS)
@THOROUGH
def test_the_charge_of_all_days_of_a_cycle_is_the_full_price(
    policy: Policy, plan: tuple[Term, Billing], unit: Decimal, quantity: int, at: datetime
) -> None:
    """TRM-13: whatever the length of its months."""
    term, billing = plan

    ordered, paid = _bought(at, _order(unit, quantity=quantity, term=term, billing=billing), policy)

    assert paid == unit * quantity
    assert ordered.ends_on == natural_end(at.date(), term)


@given(plan=PLANS, unit=PRICES, quantity=SEATS, at=INSTANTS, data=st.data())
@THOROUGH
def test_seats_cost_what_their_share_of_the_cycle_costs(
    policy: Policy,
    plan: tuple[Term, Billing],
    unit: Decimal,
    quantity: int,
    at: datetime,
    data: st.DataObject,
) -> None:
    """TRM-14: from the day they are added, half a cent up; never more than a whole cycle."""
    term, billing = plan
    ordered, paid = _bought(at, _order(unit, quantity=quantity, term=term, billing=billing), policy)
    days = _cycle_days(at.date(), billing)
    begun = data.draw(st.integers(0, days - 1))

    money = charge(ordered, quantity, from_on=at.date() + begun * DAY)

    assert money is not None
    exact = Fraction(unit) * quantity * (days - begun) / days
    assert money.amount == _half_up(exact)
    assert 0 <= money.amount <= paid


@given(plan=PLANS, unit=PRICES, quantity=SEATS, at=INSTANTS, offset=OFFSETS)
@THOROUGH
def test_a_refund_and_what_is_kept_make_up_what_was_paid(
    policy: Policy,
    settle: Settle,
    plan: tuple[Term, Billing],
    unit: Decimal,
    quantity: int,
    at: datetime,
    offset: timedelta,
) -> None:
    """TRM-13: paid × (days − N) / days, within a cent, never negative, never more than paid."""
    term, billing = plan
    ordered, paid = _bought(at, _order(unit, quantity=quantity, term=term, billing=billing), policy)
    active = settle(ordered, at, policy)

    canceled = _decided(active, _event("cancel", at + offset), policy)

    refund = -_amount(canceled, "subscription-canceled")
    days, used = _cycle_days(at.date(), billing), _days_used(at.date(), at + offset)
    assert refund == _half_up(Fraction(paid) * (days - used) / days)
    assert 0 <= refund <= paid
    kept = _half_up(Fraction(paid) * used / days)
    assert abs(refund + kept - paid) <= CENT


@given(
    unit=PRICES,
    plan=PLANS,
    quantity=st.integers(2, 100),
    more=st.integers(1, 100),
    at=INSTANTS,
    added_after=OFFSETS,
    removed_after=OFFSETS,
    data=st.data(),
)
@THOROUGH
def test_seats_of_several_batches_come_back_day_by_day_and_rounded_once(
    policy: Policy,
    settle: Settle,
    unit: Decimal,
    plan: tuple[Term, Billing],
    quantity: int,
    more: int,
    at: datetime,
    added_after: timedelta,
    removed_after: timedelta,
    data: st.DataObject,
) -> None:
    """TRM-13, TRM-16: those that were bought first close first and so are taken first."""
    assume(added_after <= removed_after)
    term, billing = plan
    ordered, paid = _bought(at, _order(unit, quantity=quantity, term=term, billing=billing), policy)
    added_at, removed_at = at + added_after, at + removed_after
    grown = _decided(
        settle(ordered, at, policy), _event("add_seats", added_at, ChangeSeats(more)), policy
    )
    paid += _amount(grown, "subscription-quantity-changed")
    removed = data.draw(st.integers(1, quantity + more - 1))

    shrunk = _decided(
        _subject(grown), _event("remove_seats", removed_at, ChangeSeats(removed)), policy
    )

    refund = -_amount(shrunk, "subscription-quantity-changed")
    days = _cycle_days(at.date(), billing)
    first = min(removed, quantity)
    left_of_first = days - _days_used(at.date(), removed_at)
    gone_by = (added_at.date() - at.date()).days
    left_of_more = days - gone_by - _days_used(added_at.date(), removed_at)
    seat_days = first * left_of_first + (removed - first) * left_of_more
    assert refund == _half_up(Fraction(unit) * seat_days / days)
    assert 0 <= refund <= paid + CENT
    assert _subject(shrunk).quantity == quantity + more - removed


@given(unit=PRICES, quantity=st.integers(2, 500), at=INSTANTS, offset=OFFSETS, data=st.data())
@THOROUGH
def test_returning_seats_and_then_cancelling_never_gives_back_more_than_was_paid(
    policy: Policy,
    settle: Settle,
    unit: Decimal,
    quantity: int,
    at: datetime,
    offset: timedelta,
    data: st.DataObject,
) -> None:
    """TRM-13: two refunds, each within half a cent of its share."""
    ordered, paid = _bought(at, _order(unit, quantity=quantity), policy)
    active = settle(ordered, at, policy)
    removed = data.draw(st.integers(1, quantity - 1))

    fewer = _decided(active, _event("remove_seats", at, ChangeSeats(removed)), policy)
    canceled = _decided(_subject(fewer), _event("cancel", at + offset), policy)

    back = -_amount(fewer, "subscription-quantity-changed")
    back -= _amount(canceled, "subscription-canceled")
    assert 0 <= back <= paid + CENT
