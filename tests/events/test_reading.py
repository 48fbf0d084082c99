"""The read API: pages and cursors, expected versions, what may be done, and tenants kept apart."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import StaleVersionError, settle, submit
from sublife.events.permission import allowed, as_of, may
from sublife.events.store import CursorError, LimitError, Page, Store
from sublife.events.store.page import cursor_of
from sublife.lifecycle import machine
from sublife.lifecycle.machine import UnknownEventError, UnknownSubjectError
from sublife.lifecycle.model import ModelError
from sublife.lifecycle.subscription.model import (
    ChangeSeats,
    Product,
    Rename,
    Suspend,
    Upgrade,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
E5 = Product("E5", "Office E5", rank=5)
Ask = Callable[..., Page[Any]]

QUESTIONS: dict[str, Callable[[Store], Ask]] = {
    "history": lambda store: partial(store.history, "s0"),
    "records": lambda store: store.records,
    "orders": lambda store: store.orders,
    "due": lambda store: store.due,
}


@pytest.fixture
def busy(desk: "Desk") -> "Desk":
    """Seven subscriptions, some of the same instant, with records, orders and timers."""
    for number in range(7):
        desk.sell(f"s{number}", SOLD_AT + (number // 3) * DAY, autorenew=False)
    for number in range(4):
        desk.do("rename", "s0", MID_TERM, Rename(f"name {number}"))
    desk.do("reactivate", "s0", MID_TERM)
    desk.wake(TERM_END + 3 * DAY)
    return desk


def key(row: Any) -> Any:
    """Return what tells a row from all others."""
    names = ("id", "subject", "sequence", "due_at")
    return tuple(getattr(row, name) for name in names if hasattr(row, name))


def walked(ask: Ask, limit: int) -> list[Sequence[Any]]:
    """Return the pages of a question, from the first to the last."""
    pages = [ask(limit=limit)]
    while (after := pages[-1].next) is not None:
        pages.append(ask(limit=limit, after=after))
    return list(pages)


class TestPages:
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_pages_of_any_length_are_the_whole(self, busy: "Desk", question: str) -> None:
        """Nothing twice, nothing missing, also where several rows share an instant."""
        ask = QUESTIONS[question](busy.store)
        whole = [key(row) for row in ask()]

        for limit in (1, 2, 3, len(whole) - 1, len(whole), len(whole) + 1):
            pages = walked(ask, limit)
            assert [key(row) for page in pages for row in page] == whole
            assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)

        assert len(whole) >= 7
        assert len(set(whole)) == len(whole)

    def test_a_full_last_page_has_no_cursor(self, busy: "Desk") -> None:
        """So nobody asks for an empty page."""
        for question in QUESTIONS.values():
            ask = question(busy.store)
            whole = ask()
            assert whole.next is None
            assert ask(limit=len(whole)).next is None

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_cursor_stands_while_rows_are_added(self, busy: "Desk", question: str) -> None:
        """Rows that were there are seen once, whatever comes before or behind them meanwhile."""
        ask = QUESTIONS[question](busy.store)
        there = [key(row) for row in ask()]

        seen: list[Any] = []
        after: str | None = None
        for number in range(100, 200):
            page = ask(limit=2, after=after)
            seen += [key(row) for row in page]
            after = page.next
            if after is None:
                break
            busy.sell(f"s{number}", busy.clock.now())
            busy.do("rename", "s0", busy.clock.now(), Rename(f"name {number}"))

        old = [each for each in seen if each in there]
        assert old == there
        assert len(set(seen)) == len(seen)

    @pytest.mark.parametrize("limit", [0, -1, 10_001])
    def test_a_page_has_1_to_10000_rows(self, desk: "Desk", limit: int) -> None:
        """Memory stays flat, and an empty page would lead nowhere."""
        for ask in QUESTIONS.values():
            with pytest.raises(
                LimitError, match=f"limit must be between 1 and 10,000, not {limit:,}"
            ):
                ask(desk.store)(limit=limit)
            assert ask(desk.store)(limit=10_000) == ask(desk.store)(limit=1) == ()


class TestCursors:
    @pytest.mark.parametrize(
        "cursor",
        ["", "nonsense", "ÿ", "bnVsbA", "e30", "W10", "W1tbW1tbW1tbW1td", "a" * 101],
        ids=["empty", "no json", "no ascii", "null", "mapping", "list", "nested", "long"],
    )
    def test_what_is_no_cursor_is_refused(self, desk: "Desk", cursor: str) -> None:
        """Cursors come back from outside, so anything may come."""
        for question in QUESTIONS.values():
            with pytest.raises(CursorError, match="or none to begin"):
                question(desk.store)(after=cursor)

    def test_a_cursor_of_another_question_is_refused(self, busy: "Desk") -> None:
        cursors = {name: ask(busy.store)(limit=1).next for name, ask in QUESTIONS.items()}

        for name, ask in QUESTIONS.items():
            assert ask(busy.store)(after=cursors[name])
            for other in cursors.keys() - {name}:
                with pytest.raises(CursorError, match="is no cursor of"):
                    ask(busy.store)(after=cursors[other])

    def test_a_cursor_of_another_tenant_is_refused(self, busy: "Desk") -> None:
        """It would tell where the other tenant's rows lie."""
        for ask in QUESTIONS.values():
            after = ask(busy.store)(limit=1).next
            with pytest.raises(CursorError, match="of tenant other"):
                ask(busy.store.of("other"))(after=after)

    def test_a_cursor_of_other_filters_is_refused(self, busy: "Desk") -> None:
        """The rows behind it are not those behind the same row elsewhere."""
        after = busy.store.records(customer="tailspin", limit=1).next

        with pytest.raises(CursorError, match="customer wingtip"):
            busy.store.records(customer="wingtip", after=after)
        with pytest.raises(CursorError, match="is no cursor of"):
            busy.store.history("s1", after=busy.store.history("s0", limit=1).next)

    def test_the_period_may_move_on_from_page_to_page(self, busy: "Desk") -> None:
        """Who asks for what is due by now asks with a later now each time."""
        first = busy.store.due(until=TERM_END + 40 * DAY, limit=3)

        rest = busy.store.due(until=TERM_END + 41 * DAY, after=first.next)

        assert len(first) + len(rest) == 7

    @pytest.mark.parametrize(
        "forged",
        [
            [5, "s0"],
            ["never", "s0"],
            ["2025-10-01", "s0"],
            ["2025-10-01T00:00:00", "s0"],
            ["2025-10-01T00:00:00+00:00", 5],
            ["2025-10-01T00:00:00+00:00", None],
            ["2025-10-01T00:00:00+00:00", "s\x000"],
            ["2025-10-01T00:00:00+00:00"],
            ["2025-10-01T00:00:00+00:00", "s0", 1],
        ],
    )
    def test_a_forged_cursor_is_refused_before_the_database_sees_it(
        self, desk: "Desk", forged: list[Any]
    ) -> None:
        with pytest.raises(CursorError):
            desk.store.due(after=cursor_of("due of tenant default", forged))

    @pytest.mark.parametrize("sequence", [-1, 2**31, 2**70, True, 1.5, "1"])
    def test_a_forged_number_is_refused_too(self, desk: "Desk", sequence: object) -> None:
        with pytest.raises(CursorError):
            desk.store.history(
                "s0", after=cursor_of("history of tenant default, subject s0", [sequence])
            )


class TestPeriods:
    def test_an_instant_of_any_zone_is_the_same_instant(self, busy: "Desk") -> None:
        """GEN-01: on every database."""
        summer = timezone(timedelta(hours=2))
        since, until = TERM_END, TERM_END + DAY

        ours = busy.store.records(since=since, until=until)
        theirs = busy.store.records(since=since.astimezone(summer), until=until.astimezone(summer))
        due = busy.store.due((TERM_END + 30 * DAY).astimezone(summer))

        assert len(ours) == len(theirs) > 0
        assert due == busy.store.due(TERM_END + 30 * DAY)

    @pytest.mark.parametrize("name", ["since", "until"])
    def test_an_instant_without_a_zone_is_refused(self, desk: "Desk", name: str) -> None:
        """GEN-01: it names no instant."""
        naive: dict[str, Any] = {name: datetime(2025, 10, 1)}  # noqa: DTZ001 – that is the point

        with pytest.raises(ModelError, match="no time zone"):
            desk.store.records(**naive)


class TestExpectedVersion:
    def test_the_version_one_has_seen_lets_the_event_in(self, desk: "Desk") -> None:
        seen = desk.sell("s1").version

        outcome = submit(
            desk.store, desk.event("suspend", "s1", SOLD_AT, Suspend()), expected_version=seen
        )

        assert outcome.version == seen + 1

    def test_a_version_that_is_gone_changes_nothing(self, desk: "Desk") -> None:
        """Of two who looked at the same version, one is told to look again."""
        seen = desk.sell("s1").version
        desk.do("add_seats", "s1", SOLD_AT, ChangeSeats(1))
        before = desk.rows()

        with pytest.raises(StaleVersionError, match="look at it again") as raised:
            submit(
                desk.store, desk.event("suspend", "s1", SOLD_AT, Suspend()), expected_version=seen
            )

        error = raised.value
        assert (error.subject, error.expected, error.found) == ("s1", seen, seen + 1)
        assert desk.rows() == before

    def test_what_was_due_counts_as_having_happened(self, desk: "Desk") -> None:
        """GEN-08: the version seen before the term end is no longer the one decided on."""
        seen = desk.sell("s1", autorenew=False).version
        desk.clock.move(TERM_END)
        before = desk.rows()

        with pytest.raises(StaleVersionError) as raised:
            submit(desk.store, desk.event("cancel", "s1", TERM_END), expected_version=seen)

        assert raised.value.found == seen + 2
        assert desk.rows() == before

    def test_zero_is_a_subject_that_is_not_there_yet(self, desk: "Desk") -> None:
        sold = desk.sell("s1")
        new = desk.event("purchase", "s2", SOLD_AT, sold.event.data)
        again = desk.event("purchase", "s1", SOLD_AT, sold.event.data)

        outcome = submit(desk.store, new, expected_version=0)
        with pytest.raises(StaleVersionError):
            submit(desk.store, again, expected_version=0)

        assert outcome.accepted

    def test_a_repeated_event_needs_no_fresh_version(self, desk: "Desk") -> None:
        """A retry carries the version that was right the first time."""
        seen = desk.sell("s1").version
        event = desk.event("suspend", "s1", SOLD_AT, Suspend())

        first = submit(desk.store, event, expected_version=seen)
        again = submit(desk.store, event, expected_version=seen)

        assert (again.repeated, again.version) == (True, first.version)


class TestPermission:
    def test_the_answer_is_that_of_the_subject_as_it_will_stand(self, desk: "Desk") -> None:
        """What is due has happened for whoever asks, though nothing is written."""
        desk.sell("s1", autorenew=False)
        before = desk.rows()

        active = allowed(desk.store, "s1")
        lapsed = allowed(desk.store, "s1", at=TERM_END)
        refused = may(desk.store, "s1", "suspend", at=TERM_END)

        assert "suspend" in active
        assert "suspend" not in lapsed
        assert refused.refusal is not None
        assert "grace" in refused.refusal.sentence
        assert desk.rows() == before

    def test_the_answer_is_what_settling_and_asking_gives(self, desk: "Desk") -> None:
        desk.sell("s1", autorenew=False)

        foreseen = [allowed(desk.store, "s1", at=TERM_END + n * DAY) for n in (-1, 0, 29, 30, 150)]
        settled: list[tuple[str, ...]] = []
        for n in (-1, 0, 29, 30, 150):
            desk.wake(TERM_END + n * DAY)
            settled.append(
                machine.allowed(
                    desk.subscription("s1"), policy=desk.store.policy, at=desk.clock.now()
                )
            )

        assert foreseen == settled

    def test_now_is_the_stores_clock(self, desk: "Desk") -> None:
        desk.sell("s1", autorenew=False)
        desk.clock.move(TERM_END)

        assert allowed(desk.store, "s1") == allowed(desk.store, "s1", at=TERM_END)
        assert not may(desk.store, "s1", "suspend")

    def test_a_subject_is_shown_with_the_version_that_will_be_expected(self, desk: "Desk") -> None:
        """Who acts on what was shown is let in, however late the calendar is settled."""
        desk.sell("s1", autorenew=False)
        desk.clock.move(TERM_END)
        before = desk.rows()

        shown = as_of(desk.store, "s1")
        unsettled = desk.rows()
        assert shown is not None
        outcome = submit(
            desk.store,
            desk.event("rename", "s1", TERM_END, Rename("late")),
            expected_version=shown.version,
        )

        assert (shown.state, outcome.version) == ("grace", shown.version + outcome.accepted)
        assert unsettled == before
        assert as_of(desk.store, "s9") is None

    def test_each_request_that_is_allowed_may_be_made(self, desk: "Desk") -> None:
        desk.sell("s1")

        found = allowed(desk.store, "s1")

        assert found
        assert all(may(desk.store, "s1", request) for request in found)

    def test_what_is_dated_before_the_latest_change_is_refused(self, desk: "Desk") -> None:
        """GEN-09: as `submit` would refuse it."""
        desk.sell("s1")
        desk.do("suspend", "s1", MID_TERM, Suspend())

        answer = may(desk.store, "s1", "reactivate", at=MID_TERM - DAY)
        refused = submit(desk.store, desk.event("reactivate", "s1", MID_TERM - DAY))

        assert answer.refusal == refused.refusal
        assert allowed(desk.store, "s1", at=MID_TERM - DAY) == ()

    def test_a_subject_that_only_falls_due_is_there_to_be_asked(self, desk: "Desk") -> None:
        """GEN-08: whatever is due is applied first, whichever subject it is due on."""
        desk.sell("s1")
        desk.do("upgrade", "s1", SOLD_AT, Upgrade(E5, quantity=10, into="s2"))

        assert "suspend" in allowed(desk.store, "s2", at=MID_TERM)

    @pytest.mark.parametrize("ask", [allowed, partial(may, request="cancel")])
    def test_an_unknown_subject_is_an_error(self, desk: "Desk", ask: Callable[..., Any]) -> None:
        desk.sell("s1")

        with pytest.raises(UnknownSubjectError, match="s9 does not exist"):
            ask(desk.store, "s9")

    def test_an_unknown_request_is_an_error(self, desk: "Desk") -> None:
        desk.sell("s1")

        with pytest.raises(UnknownEventError, match='no request "explode"'):
            may(desk.store, "s1", "explode")

    def test_asking_waits_for_no_lock(
        self, shared_url: str, open_desk: Callable[..., "Desk"]
    ) -> None:
        """Who asks what may be done does not stand in a queue behind writers."""
        desk = open_desk(shared_url)
        desk.sell("s1", autorenew=False)

        with desk.store.transaction() as tx:
            tx.held("s1")
            found = allowed(open_desk(shared_url).store, "s1", at=TERM_END)

        assert "buy_again" in found


def _tried(ask: Callable[..., Any], store: Store) -> Any:
    try:
        return ask(store, "s1")
    except UnknownSubjectError:
        return "unknown"


READ: dict[str, Callable[[Store], Any]] = {
    "get": lambda store: store.get("s1"),
    "all": lambda store: dict(store.all()),
    "next_due": Store.next_due,
    "due": Store.due,
    "due by": lambda store: store.due(TERM_END + 400 * DAY),
    "history": lambda store: store.history("s1"),
    "journal": lambda store: tuple(store.journal()),
    "records": Store.records,
    "records of": lambda store: store.records(customer="tailspin", partner="contoso"),
    "records about": lambda store: store.records(subscription="s1", kind="renewal"),
    "records in": lambda store: store.records(since=SOLD_AT, until=TERM_END + 400 * DAY),
    "orders": Store.orders,
    "orders of": lambda store: store.orders(customer="tailspin", subscription="s1"),
    "is_empty": Store.is_empty,
    "digest": Store.digest,
    "as_of": lambda store: as_of(store, "s1"),
    "allowed": lambda store: _tried(allowed, store),
    "may": lambda store: _tried(partial(may, request="cancel"), store),
}


def read(store: Store) -> dict[str, Any]:
    """Return the answer to every question there is."""
    return {name: ask(store) for name, ask in READ.items()}


class TestTenants:
    def test_a_tenant_sees_nothing_of_another(self, desk: "Desk") -> None:
        """Every answer is the same, whatever the neighbour has and does."""
        other = desk.store.of("other")
        alone = read(other)

        desk.sell("s1", autorenew=False)
        desk.sell("s2")
        desk.do("suspend", "s2", MID_TERM, Suspend())
        beside = read(other)
        desk.wake(TERM_END + DAY)
        ours, after = read(desk.store), read(other)

        assert alone == beside == after
        assert {name for name in READ if ours[name] == after[name]} == set()
        assert settle(other, TERM_END + 400 * DAY).count == 0

    def test_what_a_tenant_sees_is_its_own(self, desk: "Desk") -> None:
        """Two tenants use the same ids; no answer to one changes by what the other does."""
        other = desk.store.of("other")
        sold = desk.sell("s1", autorenew=False)
        ours = read(desk.store)

        submit(other, desk.event("purchase", "s1", SOLD_AT, sold.event.data))
        settle(other, TERM_END + 31 * DAY)

        assert read(desk.store) == ours

    def test_a_tenant_with_a_name_of_any_kind(self, desk: "Desk") -> None:
        """Names are values, never parts of statements."""
        odd = desk.store.of("o'ther; DROP TABLE sublife_subject --%s")
        sold = desk.sell("s1")

        bought = submit(odd, sold.event)

        assert (bought.repeated, len(odd.history("s1"))) == (False, 2)
