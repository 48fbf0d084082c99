"""Calendar arithmetic: inclusive ends, anchored terms, billing cycles, alignment."""

import calendar
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sublife.lifecycle.dates import (
    Billing,
    Term,
    add_months,
    boundary,
    cycle_end,
    cycle_start,
    day_starts_at,
    days_between,
    is_month_end,
    last_month_end,
    last_second_of,
    natural_end,
    projected_ends,
    term_ends_at,
)
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import (
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    Payload,
    Refusal,
    Role,
    Snapshot,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.charge import cycle_first, cycle_last
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Product,
    ProductKind,
    Purchase,
    ScheduleChange,
    Subscription,
)
from tests.scale import sized

Settle: TypeAlias = Callable[[Subscription, datetime, Policy], Subscription]
Accept: TypeAlias = Callable[[Subscription | None, Event, Policy], Subscription]

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, partner="contoso")
ANY_DAY = st.dates(date(2000, 1, 1), date(2060, 12, 31))
TERMS = st.sampled_from(list(Term))
BILLINGS = st.sampled_from(list(Billing))
THOROUGH = settings(max_examples=sized(40, 150), deadline=None, print_blob=True)
PLANS = [(term, billing) for term in Term for billing in Billing if billing.months <= term.months]


def _month_later(day: date, months: int, *, of_month: int) -> date:
    """Count months one by one, an independent way to the same day."""
    year, month = day.year, day.month
    for _ in range(months):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return date(year, month, min(of_month, calendar.monthrange(year, month)[1]))


def _event(
    name: str, at: datetime, data: Payload = EMPTY, *, of: str = "s1", number: int = 1
) -> Event:
    return Event(f"{name}-{of}-{number}", name, of, at, AMY, data)


def _order(
    term: Term = Term.P1Y,
    *,
    billing: Billing = Billing.MONTHLY,
    custom_end_on: date | None = None,
    align_with: str | None = None,
    align_month_end: bool = False,
    trial: bool = False,
    kind: ProductKind = ProductKind.ONLINE_SERVICE,
    partner: str = "contoso",
) -> Purchase:
    return Purchase(
        "tailspin",
        partner,
        Product("E3", kind=kind),
        10,
        term,
        billing,
        custom_end_on=custom_end_on,
        align_with=align_with,
        align_month_end=align_month_end,
        trial=trial,
    )


def _bought(
    on: date, ask: Purchase, policy: Policy, *, seen: Mapping[str, Snapshot] | None = None
) -> Subscription:
    """Return what is bought at noon of a day; it has to be accepted."""
    answer = _try(on, ask, policy, seen=seen)
    assert isinstance(answer, Decision), answer
    assert isinstance(answer.snapshot, Subscription)
    return answer.snapshot


def _try(
    on: date, ask: Purchase, policy: Policy, *, seen: Mapping[str, Snapshot] | None = None
) -> Decision | Refusal:
    at = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)
    return decide(None, _event("purchase", at, ask), policy, seen=seen or {})


# End dates are inclusive (GEN-02), states half-open (GEN-03), deadlines inclusive (GEN-04).


@pytest.mark.parametrize(
    ("last_day", "te"),
    [
        pytest.param(date(2025, 9, 30), datetime(2025, 10, 1, tzinfo=UTC), id="month end"),
        pytest.param(date(2023, 3, 1), datetime(2023, 3, 2, tzinfo=UTC), id="TRM-06"),
        pytest.param(date(2023, 12, 31), datetime(2024, 1, 1, tzinfo=UTC), id="year end"),
        pytest.param(date(2024, 2, 28), datetime(2024, 2, 29, tzinfo=UTC), id="leap year"),
        pytest.param(date(2024, 2, 29), datetime(2024, 3, 1, tzinfo=UTC), id="leap day"),
        pytest.param(date(2100, 2, 28), datetime(2100, 3, 1, tzinfo=UTC), id="no leap year"),
    ],
)
def test_a_term_ends_at_midnight_after_its_last_day(last_day: date, te: datetime) -> None:
    """GEN-02: TE is (D+1)T00:00:00Z."""
    assert term_ends_at(last_day) == te
    assert last_second_of(last_day) == te - SECOND
    assert day_starts_at(last_day) == te - DAY


@given(day=ANY_DAY)
@THOROUGH
def test_a_last_day_is_paid_to_its_last_second(day: date) -> None:
    """GEN-02: from 00:00:00Z to 23:59:59Z."""
    assert day_starts_at(day).date() == last_second_of(day).date() == day
    assert term_ends_at(day) - day_starts_at(day) == DAY
    assert day_starts_at(day).tzinfo is term_ends_at(day).tzinfo is UTC


def test_the_term_end_itself_belongs_to_the_next_state(
    policy: Policy, accept: Accept, settle: Settle
) -> None:
    """GEN-03: [start, end)."""
    bought = _bought(date(2024, 10, 1), _order(), policy)
    active = settle(bought, bought.changed_at, policy)
    ending = accept(active, _event("turn_autorenew_off", active.changed_at), policy)
    te = datetime(2025, 10, 1, tzinfo=UTC)

    assert settle(ending, te - SECOND, policy).state == "active"
    assert settle(ending, te, policy).state == "grace"


@pytest.mark.parametrize(
    ("late", "accepted"),
    [
        pytest.param(timedelta(0), True, id="last instant"),
        pytest.param(timedelta(microseconds=1), False, id="a microsecond later"),
        pytest.param(SECOND, False, id="a second later"),
    ],
)
@pytest.mark.parametrize("name", ["cancel", "remove_seats"])
def test_a_deadline_includes_its_last_instant(
    name: str, late: timedelta, accepted: bool, policy: Policy, settle: Settle
) -> None:
    """GEN-04, TRM-09, TRM-15: exactly 168 h after the purchase."""
    bought = _bought(date(2024, 10, 1), _order(), policy)
    active = settle(bought, bought.changed_at, policy)
    at = datetime(2024, 10, 8, 12, tzinfo=UTC) + late
    data = ChangeSeats(1) if name == "remove_seats" else EMPTY

    answer = decide(active, _event(name, at, data), policy)

    assert isinstance(answer, Decision) is accepted


@pytest.mark.parametrize(
    ("bought_at", "until"),
    [
        pytest.param(
            datetime(2022, 3, 15, 11, tzinfo=UTC),
            datetime(2022, 3, 22, 11, tzinfo=UTC),
            id="source example",
        ),
        pytest.param(
            datetime(2022, 3, 12, tzinfo=UTC),
            datetime(2022, 3, 19, tzinfo=UTC),
            id="first of the longer window",
        ),
        pytest.param(
            datetime(2022, 3, 11, 23, 59, 59, tzinfo=UTC),
            datetime(2022, 3, 14, 23, 59, 59, tzinfo=UTC),
            id="last of the shorter window",
        ),
        pytest.param(
            datetime(2024, 2, 26, 12, tzinfo=UTC),
            datetime(2024, 3, 4, 12, tzinfo=UTC),
            id="over a leap day",
        ),
    ],
)
def test_the_window_for_cancelling_is_a_fixed_length(
    bought_at: datetime, until: datetime, policy: Policy, accept: Accept, settle: Settle
) -> None:
    """GEN-05, TRM-09, TRM-10: 168 h, and 72 h for what was bought before 2022-03-12."""
    ordered = accept(None, _event("purchase", bought_at, _order()), policy)
    active = settle(ordered, bought_at, policy)

    assert isinstance(decide(active, _event("cancel", until), policy), Decision)
    assert isinstance(decide(active, _event("cancel", until + SECOND), policy), Refusal)


# Terms are anchored (GEN-05, GEN-06).


@pytest.mark.parametrize(
    ("anchor", "months", "found"),
    [
        pytest.param(date(2023, 1, 31), 1, date(2023, 2, 28), id="clamped"),
        pytest.param(date(2023, 1, 31), 2, date(2023, 3, 31), id="not drifted"),
        pytest.param(date(2024, 1, 31), 1, date(2024, 2, 29), id="clamped in a leap year"),
        pytest.param(date(2024, 2, 29), 12, date(2025, 2, 28), id="leap day, one year"),
        pytest.param(date(2024, 2, 29), 48, date(2028, 2, 29), id="leap day, four years"),
        pytest.param(date(2024, 8, 31), 6, date(2025, 2, 28), id="six months"),
        pytest.param(date(2024, 11, 30), 3, date(2025, 2, 28), id="three months over a new year"),
        pytest.param(date(2024, 12, 1), 1, date(2025, 1, 1), id="new year"),
        pytest.param(date(2024, 3, 31), -1, date(2024, 2, 29), id="backwards"),
        pytest.param(date(2024, 1, 15), -1, date(2023, 12, 15), id="backwards over a new year"),
        pytest.param(date(2024, 5, 31), 0, date(2024, 5, 31), id="nowhere"),
    ],
)
def test_months_are_counted_on_the_calendar_and_clamped(
    anchor: date, months: int, found: date
) -> None:
    """GEN-05: to the month's last day."""
    assert add_months(anchor, months) == found


@pytest.mark.parametrize(
    ("anchor", "term", "ends"),
    [
        pytest.param(
            date(2023, 1, 31),
            Term.P1M,
            {
                1: date(2023, 2, 27),
                2: date(2023, 3, 30),
                3: date(2023, 4, 29),
                4: date(2023, 5, 30),
            },
            id="2023-01-31 + P1M",
        ),
        pytest.param(
            date(2024, 2, 29),
            Term.P1Y,
            {1: date(2025, 2, 27), 4: date(2028, 2, 28)},
            id="2024-02-29 + P1Y",
        ),
        pytest.param(date(2021, 1, 14), Term.P1Y, {1: date(2022, 1, 13)}, id="P07 sample"),
        pytest.param(date(2024, 4, 10), Term.P1Y, {1: date(2025, 4, 9)}, id="P41 sample"),
        pytest.param(date(2024, 2, 29), Term.P3Y, {1: date(2027, 2, 27)}, id="2024-02-29 + P3Y"),
    ],
)
def test_terms_end_on_the_days_of_the_rule(
    anchor: date, term: Term, ends: Mapping[int, date]
) -> None:
    """GEN-06: boundary k − 1 day, clamped from the anchor's own day."""
    assert {index: natural_end(anchor, term, index) for index in ends} == ends


@pytest.mark.parametrize(
    ("anchor", "term", "ends"),
    [
        pytest.param(
            date(2023, 1, 31),
            Term.P1M,
            [date(2023, 2, 27), date(2023, 3, 30), date(2023, 4, 29), date(2023, 5, 30)],
            id="2023-01-31 + P1M",
        ),
        pytest.param(
            date(2024, 2, 29),
            Term.P1Y,
            [date(2025, 2, 27), date(2026, 2, 27), date(2027, 2, 27), date(2028, 2, 28)],
            id="2024-02-29 + P1Y",
        ),
    ],
)
def test_a_subscription_renews_into_the_terms_of_the_rule(
    anchor: date, term: Term, ends: list[date], policy: Policy, settle: Settle
) -> None:
    """GEN-06, TRM-06: no drift over renewals."""
    subject = _bought(anchor, _order(term), policy)

    found: list[date] = []
    for end in ends:
        subject = settle(subject, last_second_of(end), policy)
        found.append(subject.ends_on)

    assert found == ends


@given(anchor=ANY_DAY, term=TERMS, index=st.integers(1, 720))
@THOROUGH
def test_terms_neither_gap_nor_overlap(anchor: date, term: Term, index: int) -> None:
    """GEN-06: each starts on the day after the one before it ends, at the same instant."""
    index = min(index, 720 // term.months)

    start, end = boundary(anchor, term, index - 1), natural_end(anchor, term, index)

    assert start <= end
    assert boundary(anchor, term, index) == end + DAY
    assert term_ends_at(end) == day_starts_at(boundary(anchor, term, index))


@given(anchor=ANY_DAY, term=TERMS, index=st.integers(0, 720))
@THOROUGH
def test_a_boundary_never_drifts_from_the_day_of_its_anchor(
    anchor: date, term: Term, index: int
) -> None:
    """GEN-06: the anchor's day, or the month's last where the month is shorter."""
    index = min(index, 720 // term.months)

    found = boundary(anchor, term, index)

    assert found == _month_later(anchor, index * term.months, of_month=anchor.day)
    assert found.day == anchor.day or (found.day < anchor.day and is_month_end(found))


@given(anchor=ANY_DAY, months=st.integers(0, 240))
@THOROUGH
def test_months_are_counted_as_on_a_calendar(anchor: date, months: int) -> None:
    """GEN-05: against counting them one by one, and back again where no day was cut."""
    later = add_months(anchor, months)

    assert later == _month_later(anchor, months, of_month=anchor.day)
    if anchor.day <= 28:
        assert add_months(later, -months) == anchor


@given(day=ANY_DAY)
@THOROUGH
def test_a_month_end_is_the_last_day_of_its_month(day: date) -> None:
    """TRM-24."""
    last = calendar.monthrange(day.year, day.month)[1]

    assert is_month_end(day) is (day.day == last)
    assert is_month_end(last_month_end(day))
    assert last_month_end(day) <= day < add_months(last_month_end(day) + DAY, 1)


# Billing cycles.


def _cycles(anchor: date, billing: Billing, ends_on: date) -> Iterator[tuple[date, date]]:
    """Yield the cycles from the anchor to the end of the term, each by its first and last day."""
    first = anchor
    while first <= ends_on:
        last = cycle_end(anchor, billing, on=first, ends_on=ends_on)
        yield first, last
        first = last + DAY


@given(anchor=ANY_DAY, plan=st.sampled_from(PLANS), index=st.integers(1, 5), data=st.data())
@THOROUGH
def test_billing_cycles_cover_a_term(
    anchor: date, plan: tuple[Term, Billing], index: int, data: st.DataObject
) -> None:
    """TRM-02, GEN-06: they begin and end with it, one after the other, and each day is in one."""
    term, billing = plan
    start, end = boundary(anchor, term, index - 1), natural_end(anchor, term, index)

    cycles = [cycle for cycle in _cycles(anchor, billing, end) if cycle[0] >= start]

    assert (cycles[0][0], cycles[-1][1]) == (start, end)
    assert len(cycles) == term.months // billing.months
    assert sum(days_between(*cycle) for cycle in cycles) == days_between(start, end)
    day = data.draw(st.dates(start, end))
    (holding,) = (cycle for cycle in cycles if cycle[0] <= day <= cycle[1])
    found = (cycle_start(anchor, billing, on=day), cycle_end(anchor, billing, on=day, ends_on=end))
    assert found == holding


@given(anchor=ANY_DAY, billing=BILLINGS, length=st.integers(0, 400))
@THOROUGH
def test_a_billing_cycle_ends_with_its_term_at_the_latest(
    anchor: date, billing: Billing, length: int
) -> None:
    """TRM-25: a first term cut short cuts its cycle short."""
    ends_on = anchor + length * DAY

    cycles = list(_cycles(anchor, billing, ends_on))

    assert (cycles[0][0], cycles[-1][1]) == (anchor, ends_on)
    assert all(first <= last for first, last in cycles)
    whole = cycles[:-1]
    assert all(last + DAY == _next_cycle(anchor, billing, first) for first, last in whole)


def _next_cycle(anchor: date, billing: Billing, first: date) -> date:
    months = (first.year - anchor.year) * 12 + first.month - anchor.month + billing.months
    return _month_later(anchor, months, of_month=anchor.day)


@given(
    on=st.dates(date(2022, 3, 10), date(2024, 12, 31)),
    plan=st.sampled_from(PLANS),
    short=st.one_of(st.none(), st.integers(0, 24)),
    renewals=st.integers(0, 3),
)
@settings(max_examples=sized(25, 80), deadline=None, print_blob=True)
def test_the_cycles_of_a_subscription_cover_each_of_its_terms(
    policy: Policy,
    settle: Settle,
    on: date,
    plan: tuple[Term, Billing],
    short: int | None,
    renewals: int,
) -> None:
    """GEN-06, TRM-25: the first term too, where a custom end date has cut it short."""
    term, billing = plan
    asked = None if short is None else _some_month_end(on, term, short)
    subject = _bought(on, _order(term, billing=billing, custom_end_on=asked), policy)
    for _ in range(renewals):
        before = subject.ends_on
        subject = settle(subject, term_ends_at(subject.ends_on), policy)
        assert subject.starts_on == before + DAY

    day, covered = subject.starts_on, 0
    while day <= subject.ends_on:
        first, last = cycle_first(subject, day), cycle_last(subject, day)
        assert first == day
        assert cycle_first(subject, last) == first
        covered, day = covered + days_between(first, last), last + DAY

    assert covered == days_between(subject.starts_on, subject.ends_on)


def _some_month_end(on: date, term: Term, months: int) -> date | None:
    """Return a month end inside the first term, or `None` where there is none."""
    first = add_months(on.replace(day=1), months % term.months + 1) - DAY
    return first if on <= first <= natural_end(on, term) else None


# Custom end dates (TRM-21…25).


@pytest.mark.parametrize(
    ("term", "found"),
    [
        pytest.param(Term.P1M, date(2022, 7, 31), id="P1M"),
        pytest.param(Term.P1Y, date(2023, 6, 30), id="P1Y"),
        pytest.param(Term.P3Y, date(2025, 6, 30), id="P3Y"),
    ],
)
def test_a_term_aligns_with_the_latest_month_end_that_fits(
    term: Term, found: date, policy: Policy
) -> None:
    """TRM-24: bought 2022-07-15."""
    bought = _bought(date(2022, 7, 15), _order(term, align_month_end=True), policy)

    assert bought.ends_on == found
    assert last_month_end(natural_end(date(2022, 7, 15), term)) == found


@given(on=st.dates(date(2022, 3, 10), date(2060, 1, 1)), term=TERMS)
@settings(max_examples=sized(30, 100), deadline=None, print_blob=True)
def test_a_month_end_inside_the_first_term_is_always_found_or_refused(
    policy: Policy, on: date, term: Term
) -> None:
    """TRM-22, TRM-24: from the start to the natural end, and not a month too short."""
    answer = _try(on, _order(term, align_month_end=True), policy)

    latest = natural_end(on, term)
    if isinstance(answer, Refusal):
        assert answer.code == "COTERM_OUT_OF_TERM"
        assert last_month_end(latest) < on
    else:
        assert isinstance(answer.snapshot, Subscription)
        found = answer.snapshot.ends_on
        assert is_month_end(found)
        assert on <= found <= latest < add_months(found + DAY, 1)


@pytest.mark.parametrize(
    ("target_term", "target_bought", "target_ends", "term", "found"),
    [
        pytest.param(
            Term.P1Y,
            date(2021, 10, 2),
            date(2022, 10, 1),
            Term.P3Y,
            date(2024, 10, 1),
            id="annual and P3Y",
        ),
        pytest.param(
            Term.P3Y,
            date(2019, 10, 2),
            date(2022, 10, 1),
            Term.P3Y,
            date(2022, 10, 1),
            id="P3Y and P3Y",
        ),
        pytest.param(
            Term.P1Y,
            date(2021, 10, 2),
            date(2022, 10, 1),
            Term.P1Y,
            date(2022, 10, 1),
            id="annual and P1Y",
        ),
        pytest.param(
            Term.P3Y,
            date(2019, 10, 2),
            date(2022, 10, 1),
            Term.P1Y,
            date(2022, 10, 1),
            id="P3Y and P1Y",
        ),
    ],
)
def test_a_term_aligns_with_the_latest_projected_end_that_fits(
    target_term: Term,
    target_bought: date,
    target_ends: date,
    term: Term,
    found: date,
    policy: Policy,
) -> None:
    """TRM-23: the new one is bought 2022-07-01."""
    target = _bought(target_bought, _order(target_term), policy)
    assert target.ends_on == target_ends

    bought = _bought(date(2022, 7, 1), _order(term, align_with="x"), policy, seen={"x": target})

    assert bought.ends_on == found


def test_the_projected_ends_are_the_running_end_and_the_full_terms_after_it() -> None:
    """TRM-23: inclusive of the limit itself."""
    anchor, ends_on = date(2021, 10, 2), date(2022, 10, 1)

    assert projected_ends(ends_on, anchor, Term.P1Y, until=date(2024, 10, 1)) == (
        date(2022, 10, 1),
        date(2023, 10, 1),
        date(2024, 10, 1),
    )
    assert projected_ends(ends_on, anchor, Term.P1Y, until=date(2022, 9, 30)) == ()


@pytest.mark.parametrize(
    ("on", "term", "asked"),
    [
        pytest.param(
            date(2023, 3, 2), Term.P1M, date(2023, 4, 2), id="a day after the natural end"
        ),
        pytest.param(date(2022, 3, 15), Term.P1Y, date(2023, 3, 31), id="month end after it"),
        pytest.param(date(2022, 7, 15), Term.P1Y, date(2022, 6, 30), id="before the start"),
        pytest.param(date(2022, 7, 15), Term.P1M, date(2022, 7, 28), id="monthly on a 28th"),
        pytest.param(date(2022, 7, 15), Term.P1M, date(2022, 7, 29), id="monthly on a 29th"),
        pytest.param(date(2022, 7, 15), Term.P1M, date(2022, 7, 30), id="monthly on a 30th"),
    ],
)
def test_a_custom_end_outside_the_first_term_is_refused(
    on: date, term: Term, asked: date, policy: Policy
) -> None:
    """TRM-22: start ≤ date ≤ natural end, and the days a monthly term may not end on."""
    answer = _try(on, _order(term, custom_end_on=asked), policy)

    assert isinstance(answer, Refusal)
    assert (answer.code, answer.rule) == ("COTERM_OUT_OF_TERM", "TRM-22")
    assert answer.details["api_error"] in {900245, 900291}


@pytest.mark.parametrize(
    ("on", "term", "asked"),
    [
        pytest.param(date(2022, 6, 15), Term.P1M, date(2022, 6, 30), id="monthly on a last 30th"),
        pytest.param(date(2023, 2, 10), Term.P1M, date(2023, 2, 28), id="monthly on a last 28th"),
        pytest.param(date(2024, 2, 10), Term.P1M, date(2024, 2, 29), id="monthly on a last 29th"),
        pytest.param(date(2022, 7, 31), Term.P1Y, date(2022, 7, 31), id="on the first day"),
        pytest.param(date(2022, 8, 1), Term.P1Y, date(2023, 7, 31), id="on the natural end"),
        pytest.param(date(2022, 7, 15), Term.P3Y, date(2023, 2, 28), id="in between"),
    ],
)
def test_a_custom_end_inside_the_first_term_is_taken(
    on: date, term: Term, asked: date, policy: Policy
) -> None:
    """TRM-22: both limits count."""
    bought = _bought(on, _order(term, custom_end_on=asked), policy)

    assert (bought.starts_on, bought.ends_on) == (on, asked)


def test_the_last_custom_end_of_the_monthly_example_is_its_natural_end(policy: Policy) -> None:
    """TRM-22: bought on 2 March, the last end allowed is 1 April, here that of a sibling.

    A year later than in the source, whose example is older than what it shows (TRM-21).
    """
    sibling = _bought(date(2022, 4, 2), _order(), policy)
    assert sibling.ends_on == date(2023, 4, 1)

    bought = _bought(
        date(2023, 3, 2),
        _order(Term.P1M, custom_end_on=date(2023, 4, 1)),
        policy,
        seen={"x": sibling},
    )

    assert bought.ends_on == date(2023, 4, 1)


@pytest.mark.parametrize(
    ("ask", "target", "reason"),
    [
        pytest.param(
            _order(custom_end_on=date(2022, 9, 15)), None, "neither a month's last day", id="no end"
        ),
        pytest.param(_order(align_with="x"), None, "no live subscription x", id="no target"),
        pytest.param(_order(align_with="x"), _order(Term.P1M), "monthly", id="annual to monthly"),
        pytest.param(
            _order(Term.P3Y, align_with="x"), _order(Term.P1M), "monthly", id="triennial to monthly"
        ),
        pytest.param(_order(align_with="x"), _order(trial=True), "is a trial", id="to a trial"),
        pytest.param(
            _order(align_with="x"), _order(partner="fabrikam"), "another", id="other partner"
        ),
        pytest.param(
            _order(align_month_end=True, trial=True), None, "trial", id="a trial aligns nothing"
        ),
        pytest.param(
            _order(align_month_end=True, kind=ProductKind.SOFTWARE), None, "software", id="software"
        ),
        pytest.param(
            _order(align_month_end=True, kind=ProductKind.RESERVATION),
            None,
            "reservation",
            id="reservation",
        ),
        pytest.param(
            _order(align_month_end=True, kind=ProductKind.THIRD_PARTY),
            None,
            "third-party",
            id="third party",
        ),
    ],
)
def test_an_end_date_without_something_to_align_with_is_refused(
    ask: Purchase, target: Purchase | None, reason: str, policy: Policy
) -> None:
    """TRM-21, TRM-22: COTERM_NO_TARGET, with the reason in the sentence."""
    seen = {"x": _bought(date(2022, 7, 1), target, policy)} if target else {}

    answer = _try(date(2022, 7, 1), ask, policy, seen=seen)

    assert isinstance(answer, Refusal)
    assert answer.code == "COTERM_NO_TARGET"
    assert answer.rule in {"TRM-21", "TRM-22"}
    assert answer.details["api_error"] in {900242, 900246, 900292}
    assert reason in answer.sentence


def test_a_monthly_term_may_align_with_any(policy: Policy) -> None:
    """TRM-22: also with an annual one."""
    target = _bought(date(2021, 7, 21), _order(), policy)

    bought = _bought(date(2022, 7, 1), _order(Term.P1M, align_with="x"), policy, seen={"x": target})

    assert bought.ends_on == target.ends_on == date(2022, 7, 20)


@pytest.mark.parametrize(
    ("on", "accepted"),
    [
        pytest.param(date(2022, 3, 9), False, id="the day before"),
        pytest.param(date(2022, 3, 10), True, id="the first day"),
    ],
)
def test_end_dates_align_from_2022_03_10_on(on: date, accepted: bool, policy: Policy) -> None:
    """TRM-21."""
    answer = _try(on, _order(align_month_end=True), policy)

    assert isinstance(answer, Decision) is accepted


def test_the_terms_after_a_short_first_one_are_full(policy: Policy, settle: Settle) -> None:
    """TRM-25, GEN-06: first end 2022-10-01, next 2022-10-02 to 2023-10-01; the anchor is reset."""
    target = _bought(date(2021, 10, 2), _order(), policy)
    bought = _bought(date(2022, 7, 1), _order(align_with="x"), policy, seen={"x": target})
    assert (bought.starts_on, bought.ends_on) == (date(2022, 7, 1), date(2022, 10, 1))

    second = settle(bought, term_ends_at(bought.ends_on), policy)
    third = settle(second, term_ends_at(second.ends_on), policy)

    assert (second.starts_on, second.ends_on) == (date(2022, 10, 2), date(2023, 10, 1))
    assert (third.starts_on, third.ends_on) == (date(2023, 10, 2), date(2024, 10, 1))


def test_an_end_date_can_be_set_for_the_next_renewal(
    policy: Policy, accept: Accept, settle: Settle
) -> None:
    """TRM-25: counted from the first day of the next term, and the terms after it are full."""
    active = settle(_bought(date(2022, 7, 15), _order(), policy), _noon(2022, 7, 15), policy)
    scheduled = accept(
        active,
        _event("schedule_change", _noon(2023, 1, 1), ScheduleChange(align_month_end=True)),
        policy,
    )

    second = settle(scheduled, term_ends_at(scheduled.ends_on), policy)
    third = settle(second, term_ends_at(second.ends_on), policy)

    assert scheduled.ends_on == date(2023, 7, 14)
    assert (second.starts_on, second.ends_on) == (date(2023, 7, 15), date(2024, 6, 30))
    assert (third.starts_on, third.ends_on) == (date(2024, 7, 1), date(2025, 6, 30))


def test_the_window_for_cancelling_is_the_same_whatever_the_end_date(
    policy: Policy, settle: Settle
) -> None:
    """TRM-26: 168 h from the purchase, or the term end, whichever a request meets first."""
    custom = _order(custom_end_on=date(2024, 10, 31))
    active = settle(_bought(date(2024, 10, 1), custom, policy), _noon(2024, 10, 1), policy)

    last = decide(active, _event("cancel", _noon(2024, 10, 8)), policy)
    late = decide(active, _event("cancel", _noon(2024, 10, 8) + SECOND), policy)

    assert isinstance(last, Decision)
    assert isinstance(late, Refusal)
    assert late.code == "CANCEL_WINDOW_CLOSED"


def _noon(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)
