"""Several workers on one late calendar: none moves what another one is about to look at (GEN-08).

PostgreSQL alone has several writers; on SQLite the second one waits for the first.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import Event as Signal
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import Settled, settle, work
from sublife.events.intake.work import Intake
from sublife.events.pause import pause
from sublife.events.store import Store
from sublife.events.store.link import Link
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Event, PartnerType
from sublife.lifecycle.subscription.model import Platform
from sublife.lifecycle.transfer.model import EaSubscription, RecordAgreement, Schedule
from tests.events.broken import failing_for
from tests.events.test_together import (
    BEGIN,
    DAY,
    E3,
    ENROLLED_AT,
    MICROSOFT,
    MOVED_AT,
    RESTRICTED_AT,
    TERM_END,
    asked,
    bought,
    enrolment,
    give,
    migrating,
    moving,
    states,
)

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
Begin = Callable[[Iterable[Event]], "Desk"]
WAIT_SECONDS = 60


def told(store: Store) -> list[str]:
    """Return what happened, by subject, so that a difference can be read."""
    return [
        f"{each.event.subject} {each.event.at:%Y-%m-%d} {each.event.name} {each.state}"
        for each in store.journal()
    ]


@dataclass
class Between:
    """A second worker that settles once, after the first one has claimed and before it decides."""

    store: Store
    did: list[Settled] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    claims: int = 0
    """Of its own; with the first worker's that it came after."""

    def come(self, now: datetime) -> None:
        """Settle alone, if it has not done so; note what has happened by then."""
        if self.did:
            return
        self.claims += 1
        if self.claims == 1:
            self.did.append(settle(self.store, now, workers=1))
            self.told.extend(told(self.store))


@pytest.fixture
def begin(migrated_database: str, open_desk: OpenDesk) -> Begin:
    """Opens a desk on PostgreSQL where all of a script has been asked for."""

    def begun(script: Iterable[Event]) -> "Desk":
        desk = open_desk(migrated_database)
        for event in script:
            assert give(desk, event).accepted
        return desk

    return begun


@pytest.fixture
def between(
    migrated_database: str, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> Callable[["Desk", datetime], Between]:
    """Lets a second worker come between."""

    def coming(desk: "Desk", now: datetime) -> Between:
        desk.clock.move(now)
        second = Between(open_desk(migrated_database).store)
        prefetch = Intake.prefetch

        def prefetched(intake: Intake, due: Iterable[str]) -> None:
            second.come(now)
            prefetch(intake, due)

        monkeypatch.setattr(Intake, "prefetch", prefetched)
        return second

    return coming


def punctual(open_desk: OpenDesk, script: Iterable[Event], until: datetime) -> "Desk":
    """Return a desk where one worker alone has settled it all."""
    desk = open_desk()
    for event in script:
        give(desk, event)
    desk.clock.move(until)
    settle(desk.store, until)
    return desk


def same(desk: "Desk", other: "Desk") -> None:
    """See that two stores have the same history."""
    assert told(desk.store) == told(other.store)
    assert desk.store.all() == other.store.all()
    assert desk.store.digest() == other.store.digest()


OF_A_CUSTOMER = [
    bought("old", at=datetime(2021, 12, 12, tzinfo=UTC), platform=Platform.LEGACY, autorenew=False),
    bought("beside", "wingtip", at=datetime(2021, 12, 11, tzinfo=UTC)),
    migrating("old", MOVED_AT),
]
"""A migration that looks at a subscription, whose term ends two days later; one due between."""
LATER = MOVED_AT + 20 * DAY


def transfer(customer: str, at: datetime, over: date) -> list[Event]:
    """Return a transfer of a customer, scheduled for the day after its agreement is over."""
    agreement = RecordAgreement(customer, over, (EaSubscription(f"{customer}-ea-sub", E3, 30),))
    ask = Schedule(
        f"{customer}-ea",
        f"{customer}-ea-sub",
        customer,
        "contoso",
        f"{customer}-csp",
        Term.P1Y,
        Billing.MONTHLY,
    )
    return [
        asked(at, "record_agreement", f"{customer}-ea", agreement, "agreement", MICROSOFT),
        asked(at, "schedule", f"{customer}-move", ask, "transfer"),
    ]


OF_A_PARTNER = [
    bought("beside", "northwind", RESTRICTED_AT.replace(year=2020, day=12), autorenew=False),
    enrolment(ENROLLED_AT, PartnerType.DIRECT_BILL),
    *moving(at=RESTRICTED_AT - 14 * DAY, over=RESTRICTED_AT.date() - 5 * DAY),
]
"""A transfer that looks at a partner, which is restricted four days later."""


class TestTwoWorkers:
    def test_a_subject_is_not_moved_past_what_looks_at_it(
        self,
        begin: Begin,
        between: Callable[["Desk", datetime], Between],
        open_desk: OpenDesk,
    ) -> None:
        """The subscription stays due until the migration that looks at it has happened."""
        desk = begin(OF_A_CUSTOMER)
        second = between(desk, LATER)

        settle(desk.store, LATER, batch=1, workers=1)

        assert not [each for each in second.told if each.startswith("old 2022-12-12")]
        same(desk, punctual(open_desk, OF_A_CUSTOMER, LATER))

    def test_a_partner_is_not_moved_past_what_looks_at_it(
        self,
        begin: Begin,
        between: Callable[["Desk", datetime], Between],
        open_desk: OpenDesk,
    ) -> None:
        """AUT-06: the transfer was due before the partner was restricted, so it happens."""
        until = RESTRICTED_AT + 2 * DAY
        desk = begin(OF_A_PARTNER)
        second = between(desk, until)

        settle(desk.store, until, batch=1, workers=1)

        assert not [each for each in second.told if each.startswith("contoso 2021")]
        same(desk, punctual(open_desk, OF_A_PARTNER, until))
        assert states(desk.store)["move"] == "completed"

    def test_nor_by_the_way_where_another_customer_looks_at_it_later(
        self,
        begin: Begin,
        between: Callable[["Desk", datetime], Between],
        open_desk: OpenDesk,
    ) -> None:
        """A transfer that would bring the partner up to date waits with it, and then fails."""
        begun_at, over = RESTRICTED_AT - 14 * DAY, RESTRICTED_AT.date()
        script = [*OF_A_PARTNER, *transfer("wingtip", begun_at, over)]
        until = RESTRICTED_AT + 20 * DAY
        desk = begin(script)
        second = between(desk, until)

        settle(desk.store, until, batch=1, workers=1)

        assert [each.count for each in second.did] == [0]
        same(desk, punctual(open_desk, script, until))
        assert states(desk.store)["move"] == "completed"
        assert states(desk.store)["wingtip-move"] == "failed"

    def test_who_has_to_wait_with_all_it_claims_leaves_it_to_the_other(
        self, begin: Begin, between: Callable[["Desk", datetime], Between]
    ) -> None:
        """It claims once, and does not try again and again; nothing is stuck, nothing is lost."""
        desk = begin(OF_A_CUSTOMER)
        second = between(desk, LATER)

        settle(desk.store, LATER, batch=1, workers=1)
        meanwhile = states(desk.store)
        settle(second.store, LATER)

        assert (second.did, second.claims) == ([Settled((), 0)], 2)
        assert meanwhile["old"] == "deleted"
        assert [*second.store.due(LATER)] == []

    def test_who_is_left_to_one_of_two_threads_is_settled_in_the_end(
        self, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first one ends while the second one still has what waits for it."""
        sold = [("s1", "tailspin"), ("s2", "wingtip"), ("s3", "tailspin")]
        desk = begin(
            bought(name, customer, BEGIN + number * DAY, autorenew=False)
            for number, (name, customer) in enumerate(sold)
        )
        now = TERM_END + 10 * DAY
        desk.clock.move(now)
        waiting, ended = Signal(), Signal()
        prefetch = Intake.prefetch

        def prefetched(intake: Intake, due: tuple[str, ...]) -> None:
            if "s1" in due:
                assert waiting.wait(WAIT_SECONDS)
            if not due and not waiting.is_set():
                waiting.set()
                assert ended.wait(WAIT_SECONDS)
            prefetch(intake, due)

        def goes_on(_events: int, until: datetime) -> bool:
            if until == now:
                ended.set()
            return True

        monkeypatch.setattr(Intake, "prefetch", prefetched)

        settle(desk.store, now, batch=1, collect=False, workers=2, go_on=goes_on)

        assert (waiting.is_set(), ended.is_set()) == (True, True)
        assert [*desk.store.due(now)] == []


class TestStuck:
    def test_a_stuck_subject_holds_up_nobody_in_the_end(
        self,
        begin: Begin,
        between: Callable[["Desk", datetime], Between],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """While somebody has it, the rest of its customer waits; then that goes on without it."""
        sold = [("s1", "tailspin"), ("s2", "wingtip"), ("s3", "tailspin"), ("s4", "tailspin")]
        script = [
            bought(name, customer, BEGIN + number * DAY, autorenew=False)
            for number, (name, customer) in enumerate(sold)
        ]
        until = TERM_END + 10 * DAY
        desk = begin([*script, enrolment(BEGIN + 5 * DAY)])
        second = between(desk, until)
        monkeypatch.setattr(work, "decide", failing_for("s1"))

        done = settle(desk.store, until, batch=1, workers=1)

        assert second.did == [Settled((), 0)]
        assert [each.subject for each in done.stuck] == ["s1"]
        assert {name: states(desk.store)[name] for name, _ in sold} == {
            "s1": "active",
            "s2": "grace",
            "s3": "grace",
            "s4": "grace",
        }

    def test_one_that_nobody_has_is_found_and_passed_over(
        self, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two workers move everything else."""
        sold = [(f"s{number}", f"customer-{number % 2}") for number in range(10)]
        script = [
            bought(name, customer, BEGIN + number * DAY, autorenew=False)
            for number, (name, customer) in enumerate(sold)
        ]
        until = TERM_END + 20 * DAY
        desk = begin(script)
        desk.clock.move(until)
        monkeypatch.setattr(work, "decide", failing_for("s0"))

        done = settle(desk.store, until, batch=2, collect=False, workers=2)

        assert [each.subject for each in done.stuck] == ["s0"]
        assert {name for name, state in states(desk.store).items() if state != "grace"} == {"s0"}

    def test_what_is_paused_holds_up_no_partner(
        self, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As ever: it holds up its own customer, and nobody else."""
        until = RESTRICTED_AT + 2 * DAY
        desk = begin(OF_A_PARTNER)
        desk.clock.move(until)
        pause(desk.store, by="amy", reason="audit", lifecycle="transfer")

        done = settle(desk.store, until, batch=1, workers=1)

        assert done.stuck == ()
        assert states(desk.store)["contoso"] == "restricted"
        assert states(desk.store)["move"] == "scheduled"


class TestCost:
    def test_what_is_due_at_one_instant_asks_nothing_more(
        self, begin: Begin, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A night as usual; only where the calendar is late is there one more question a batch."""
        desk = begin([bought(f"s{number}", autorenew=False) for number in range(5)])
        desk.clock.move(TERM_END + 40 * DAY)
        asked_for: list[str] = []
        rows = Link.rows

        def listed(link: Link, text: str, values: object) -> list[object]:
            asked_for.append(text)
            return rows(link, text, values)

        monkeypatch.setattr(Link, "rows", listed)

        settle(desk.store, TERM_END, batch=2, workers=1)
        in_time = [each for each in asked_for if "NOT IN" in each]
        settle(desk.store, TERM_END + 40 * DAY, batch=10, workers=1)

        assert in_time == []
        assert len([each for each in asked_for if "NOT IN" in each]) <= 1
        assert set(states(desk.store).values()) == {"disabled"}
