"""Calls a function of the host with each committed fact, in order per subject, at least once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from sublife.events.logs import log
from sublife.events.outbox.retry import Chance, Retry
from sublife.events.store import Store
from sublife.events.store.delivery import (
    Claimed,
    CommittedFact,
    Filters,
    Parked,
    Result,
    Status,
    Turn,
)
from sublife.lifecycle.model import utc

Call: TypeAlias = Callable[[CommittedFact], object]
PAGE = 100
LEASE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Handled:
    """What one run of a handler did.

    Args:
        called: calls that returned.
        failed: calls that raised and will be made again.
        dead: calls given up.
        more: whether the journal goes on behind what was read.
        busy: whether another process has the handler's turn, or it is paused.
    """

    called: int = 0
    failed: int = 0
    dead: int = 0
    more: bool = False
    busy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A function of the host that gets every committed fact, with a durable cursor by name.

    What it raises is tried again with backoff; that subject's later facts wait behind, those of
    other subjects go on. After the last attempt the fact is dead: `sublife deliveries` lists it.

    Args:
        store: of the tenant; not one inside a host's transaction.
        name: the cursor's, unique among the tenant's handlers and endpoints; never change it.
        call: the function. It may be called twice with one fact, so let it know `fact.id` again.
        filters: which facts it wants.
        from_start: whether it begins with the first fact there is, when it runs first.
        retry: when what raised is tried again.
        page: journal rows of one run, and how many failed facts it tries again.
        lease: how long a run may take; after it another process begins where this one began.
    """

    store: Store
    name: str
    call: Call
    filters: Filters = field(default_factory=Filters)
    from_start: bool = True
    retry: Retry = field(default_factory=Retry)
    page: int = PAGE
    lease: timedelta = LEASE

    def run(self, now: datetime, *, chance: Chance) -> Handled:
        """Call the function with what has failed and is due, then with one page of new facts.

        No transaction is open meanwhile, so the function may use the store; the cursor moves after
        the calls have returned.

        Args:
            now: UTC instant.
            chance: for the jitter of retries.

        Raises:
            ConflictError: the run took longer than its lease and another process goes on.
            RestoredError: the journal comes from another PostgreSQL server.
        """
        now = utc(now, name="now")
        until = now + self.lease
        turn = self.store.deliveries.take_turn(self.name, now, until, from_start=self.from_start)
        if turn is None:
            return Handled(busy=True)
        try:
            return self._run(turn, now, chance)
        finally:
            self.store.deliveries.end_turn(self.name, turn)

    def _run(self, turn: Turn, now: datetime, chance: Chance) -> Handled:
        again = self._call_again(now, chance)
        reach, waiting = self.store.deliveries.page(self.name, turn[1], self.page)
        parked: list[Parked] = []
        behind = set(waiting)
        called = failed = dead = 0
        for fact in reach.facts:
            if not self.filters.want(fact):
                continue
            if fact.subject in behind:
                parked.append(Parked(fact))
                continue
            error = self._called(fact)
            if error is None:
                called += 1
                continue
            next_at = self.retry.next_at(1, now, first_at=now, chance=chance)
            parked.append(Parked(fact, 1, next_at, error))
            if next_at is None:
                dead += 1
            else:
                failed += 1
                behind.add(fact.subject)
        self.store.deliveries.move(self.name, turn, reach.cursor, parked, now)
        states = [each.status for each in again]
        return Handled(
            called + states.count(Status.DELIVERED),
            failed + states.count(Status.PENDING),
            dead + states.count(Status.DEAD),
            more=reach.more,
        )

    def _call_again(self, now: datetime, chance: Chance) -> list[Result]:
        """Call with the facts that have failed before and are due, each subject's in order."""
        done: list[Result] = []
        while len(done) < self.page:
            claimed = self.store.deliveries.claim(
                self.name, now, now + self.lease, limit=self.page - len(done)
            )
            if not claimed:
                break
            results = [self._result(each, now, chance) for each in claimed]
            self.store.deliveries.mark(results, now)
            done += results
            if all(each.status is Status.PENDING for each in results):
                break
        return done

    def _result(self, claimed: Claimed, now: datetime, chance: Chance) -> Result:
        error = self._called(claimed.fact)
        if error is None:
            return Result(claimed=claimed, status=Status.DELIVERED)
        next_at = self.retry.next_at(
            claimed.attempt, now, first_at=claimed.first_attempt_at, chance=chance
        )
        status = Status.DEAD if next_at is None else Status.PENDING
        return Result(claimed=claimed, status=status, next_attempt_at=next_at, error=error)

    def _called(self, fact: CommittedFact) -> str | None:
        """Call the function; return what it raised, in a line."""
        try:
            self.call(fact)
        except Exception as error:  # noqa: BLE001 – whatever the host's function raises
            kind = type(error).__name__  # what it says may quote the fact: not for the log
            log.warning("handler_failed", handler=self.name, fact=fact.id, reason=kind)
            return f"{kind}: {error}"[:300]
        return None
