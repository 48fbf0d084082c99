"""Several workers on PostgreSQL: what one has read and locked, it settles if the others skip it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from threading import Event as Signal
from threading import get_ident
from typing import TYPE_CHECKING, Any

import pytest

from sublife.events.intake import settle
from sublife.events.pause import pause
from sublife.events.store import Transaction
from sublife.lifecycle.model import Event
from tests.events.test_overtaking import punctual, same
from tests.events.test_together import DAY, HOUR, MOVED_AT, bought, give, legacy, migrating

if TYPE_CHECKING:
    from tests.events.conftest import Desk

WAIT_SECONDS = 60
UNTIL = MOVED_AT + HOUR
TERM_BEGINS_AT = datetime(2021, 12, 10, tzinfo=UTC)
"""A year before the migration, to the instant: the term ends as the migration happens."""


def script(elsewhere: int, beside: int) -> list[Event]:
    """Return a migration that looks at all of its customer, and what is due before it.

    Args:
        elsewhere: subscriptions of another customer; they are due first.
        beside: subscriptions of the same customer, due at the very instant of the migration.
    """
    others = [
        bought(f"elsewhere-{number}", "wingtip", TERM_BEGINS_AT - DAY, autorenew=False)
        for number in range(elsewhere)
    ]
    same_customer = [
        bought(f"beside-{number}", at=TERM_BEGINS_AT, autorenew=False) for number in range(beside)
    ]
    return [*others, *same_customer, legacy("old"), migrating("old", MOVED_AT)]


class Interleaving:
    """Lets one worker read and lock a subject between two claims of another one.

    The first worker claims, and locks one subject more than it takes, to learn what comes next.
    The second one claims the rest and waits for that subject, which it has to read. It gets the
    lock as the first one commits, and keeps it until the first one has ended.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first: int | None = None
        self.first_has_claimed = Signal()
        self.second_has_claimed, self.second_has_read = Signal(), Signal()
        self.first_has_ended = Signal()
        self._claim, self._of_customer = Transaction.claim, Transaction.of_customer
        self._claims_of_first = 0

        def claim(tx: Transaction, *args: Any, **more: Any) -> tuple[Any, ...]:
            return self.claim(tx, *args, **more)

        def of_customer(tx: Transaction, customer: str) -> tuple[str, ...]:
            return self.of_customer(tx, customer)

        monkeypatch.setattr(Transaction, "claim", claim)
        monkeypatch.setattr(Transaction, "of_customer", of_customer)

    def claim(self, tx: Transaction, *args: Any, **more: Any) -> tuple[Any, ...]:
        """Claim in the order described above."""
        if self.first is None:
            self.first = get_ident()
        if get_ident() != self.first:
            assert self.first_has_claimed.wait(WAIT_SECONDS)
            found = self._claim(tx, *args, **more)
            self.second_has_claimed.set()
            return found
        self._claims_of_first += 1
        if self._claims_of_first == 2:
            assert self.second_has_read.wait(WAIT_SECONDS)
        found = self._claim(tx, *args, **more)
        self.first_has_claimed.set()
        assert self.second_has_claimed.wait(WAIT_SECONDS)
        return found

    def of_customer(self, tx: Transaction, customer: str) -> tuple[str, ...]:
        """Lock a customer's subjects; keep them until the first worker has ended."""
        found = self._of_customer(tx, customer)
        self.second_has_read.set()
        assert self.first_has_ended.wait(WAIT_SECONDS)
        return found

    def settle(self, store: Any, **more: Any) -> int:
        """Settle alone; return how many events there were."""
        count = settle(store, UNTIL, workers=1, **more).count
        if get_ident() == self.first:
            self.first_has_ended.set()
        return count


@pytest.fixture
def late(empty_database: str, open_desk: Callable[..., "Desk"]) -> Callable[..., "Desk"]:
    """Opens a desk on PostgreSQL where all of a script has been asked for and is due."""

    def opened(asked_for: Iterable[Event] = ()) -> "Desk":
        desk = open_desk(empty_database)
        for event in asked_for:
            assert give(desk, event).accepted
        desk.clock.move(UNTIL)
        return desk

    return opened


@pytest.mark.parametrize(
    ("batch", "elsewhere", "beside"), [(1, 1, 1), (2, 2, 1), (2, 1, 2), (3, 2, 2)]
)
def test_a_worker_settles_what_others_skipped_while_it_read_it(
    late: Callable[..., "Desk"],
    open_desk: Callable[..., "Desk"],
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    elsewhere: int,
    beside: int,
) -> None:
    """GEN-08: it was the last one to hold it, so nobody else would come back to it."""
    asked_for = script(elsewhere, beside)
    desk, other = late(asked_for), late()
    interleaving = Interleaving(monkeypatch)

    with ThreadPoolExecutor(2) as pool:
        workers = [
            pool.submit(partial(interleaving.settle, each.store, batch=batch))
            for each in (desk, other)
        ]
        counts = [each.result() for each in workers]

    assert min(counts) > 0
    assert [*desk.store.due(UNTIL)] == []
    monkeypatch.undo()
    same(desk, punctual(open_desk, asked_for, UNTIL))


def test_what_is_paused_keeps_no_worker_awake(late: Callable[..., "Desk"]) -> None:
    """A paused subject that was read stays due, and the worker ends all the same."""
    desk = late(script(1, 1))
    pause(desk.store, by="amy", reason="audit", lifecycle="migration")

    done = settle(desk.store, UNTIL, batch=1, workers=2, collect=False)
    again = settle(desk.store, UNTIL, batch=1, workers=2, collect=False)

    assert (done.count, again.count) == (2, 0)
    assert [each.subject for each in desk.store.due(UNTIL)] == ["beside-0", "move old"]
