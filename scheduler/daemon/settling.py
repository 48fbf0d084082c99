"""One look at what is due, and all of it settled: every live tenant in turn, up to now."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from threading import Event as Signal
from typing import TypeAlias

from sublife.events.intake import settle
from sublife.events.logs import log
from sublife.events.store import Store, StoreError, UnreachableError
from sublife.events.store.tenants import Outlook, Waiting
from sublife.scheduler.daemon.progress import Progress
from sublife.scheduler.daemon.turns import REST_SECONDS, SLICE_SECONDS, Ticket, Turns
from sublife.scheduler.daemon.watch import Watch
from sublife.scheduler.metrics import Metrics
from sublife.scheduler.tracing import span


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found and did.

    Args:
        at: UTC instant of the look.
        events: that were applied.
        next_due_at: UTC instant after *at* at which the next timer is due, as far as is known.
        remaining: tenants that have something due again, or still: held by another daemon, or
            left because the daemon is to stop. What is stuck does not count.
        is_held: the clock is ahead, so nothing was settled.
    """

    at: datetime
    events: int = 0
    next_due_at: datetime | None = None
    remaining: tuple[str, ...] = ()
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class _Rest:
    """A tenant that is left alone until something else falls due, or for a while."""

    until: float
    seen: Waiting


Witness: TypeAlias = Callable[[Store], datetime | None]
"""Tells what the clock of a database says in UTC; `None` where it has none."""


def database_clock(store: Store) -> datetime | None:
    """Return what the database's own clock says."""
    return store.tenants.clock()


@dataclass(slots=True, kw_only=True)
class Settling:
    """Settles what is due of every live tenant, one look after another.

    Args:
        store: on the database; of any tenant.
        watch: the clock.
        workers: tenants at the same time; one where the database takes one after another.
        batch: subjects per transaction.
        stop: set it, and the look ends with the batch under way.
        metrics: what is counted.
        progress: what is shown of a long look.
        witness: the clock that the system's is compared with.
        look_again_seconds: how often a long look looks for tenants that have come to be due.
    """

    store: Store
    watch: Watch
    workers: int = 1
    batch: int = 1000
    stop: Signal = field(default_factory=Signal)
    metrics: Metrics = field(default_factory=Metrics)
    progress: Progress = field(default_factory=Progress)
    witness: Witness = database_clock
    look_again_seconds: float = 5.0
    _resting: dict[str, _Rest] = field(default_factory=dict, init=False)
    _seen: dict[str, Waiting] = field(default_factory=dict, init=False)
    _stuck: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False)
    _aside: tuple[str, ...] = field(default=(), init=False)
    _aside_at: float | None = field(default=None, init=False)

    @property
    def stuck(self) -> tuple[str, ...]:
        """The ids of subjects that could not be moved when last tried, or are set aside."""
        return tuple(sorted({*self._aside, *chain.from_iterable(self._stuck.copy().values())}))

    def run_once(self) -> Looked:
        """Settle all that is due by now, in the order it was due; nothing that is due later.

        Raises:
            UnreachableError: the database does not answer.
            StoreError: it refuses to tell what is due.
        """
        if self.watch.compare(self.witness(self.store)):
            return Looked(self.watch.now(), is_held=True)
        at = self.watch.now()
        outlook = self.store.tenants.outlook(at)
        self._note(outlook, at)
        self._look_aside()
        ready = self._ready(outlook)
        if not ready:
            return Looked(at, 0, outlook.next_due_at)
        events = self._settle(ready)
        at = self.watch.now()
        outlook = self.store.tenants.outlook(at)
        ready = self._ready(outlook)
        self.metrics.stuck(len(self.stuck))
        return Looked(at, events, outlook.next_due_at, tuple(ready))

    def _look_aside(self) -> None:
        """Look for what is set aside, every now and then: it does not fall due by itself."""
        now = self.watch.steady()
        if self._aside_at is None or now - self._aside_at >= REST_SECONDS:
            self._aside, self._aside_at = self.store.tenants.set_aside(), now
        self.metrics.stuck(len(self.stuck))

    def _note(self, outlook: Outlook, at: datetime) -> None:
        """Note how late it is, and begin to show progress where much is due."""
        oldest = min((each.first_due_at for each in outlook.waiting), default=at)
        due = self.store.tenants.count_due(at) if outlook.waiting else 0
        self.metrics.look((at - oldest).total_seconds(), due)
        self.progress.begin(due, oldest)

    def _ready(self, outlook: Outlook) -> list[str]:
        """Return who may have a turn: not who rests with nothing new due."""
        now = self.watch.steady()
        self._seen = {each.tenant: each for each in outlook.waiting}
        self._resting = {
            tenant: rest
            for tenant, rest in self._resting.items()
            if now < rest.until and self._seen.get(tenant) == rest.seen
        }
        for tenant in self._stuck.keys() - self._seen.keys():
            self._stuck.pop(tenant, None)
        return [tenant for tenant in self._seen if tenant not in self._resting]

    def _settle(self, ready: Iterable[str]) -> int:
        turns = Turns()
        turns.offer(ready)
        try:
            number = min(self.workers, self.store.writers)
            return self._alone(turns) if number == 1 else self._together(turns, number)
        finally:
            self.progress.end()

    def _alone(self, turns: Turns) -> int:
        """Give one turn after another, in this thread."""
        events = 0
        looked = self.watch.steady()
        while (ticket := self._next(turns)) is not None:
            turn = self._turn(ticket)
            events += turn.events
            turns.end(ticket, is_done=turn.is_done)
            looked = self._look_again(turns, looked)
        return events

    def _together(self, turns: Turns, number: int) -> int:
        """Give turns to several threads; one that waits for a lock holds up its tenant alone."""
        events = 0
        looked = self.watch.steady()
        under_way: dict[Future[_Turn], Ticket] = {}
        with ThreadPoolExecutor(number, thread_name_prefix="sublife-settle") as pool:
            while True:
                while len(under_way) < number and (ticket := self._next(turns)) is not None:
                    under_way[pool.submit(self._turn, ticket)] = ticket
                if not under_way:
                    return events
                done, _ = wait(under_way, self.look_again_seconds, FIRST_COMPLETED)
                for each in done:
                    turn = each.result()
                    events += turn.events
                    turns.end(under_way.pop(each), is_done=turn.is_done)
                looked = self._look_again(turns, looked)

    def _next(self, turns: Turns) -> Ticket | None:
        return None if self.stop.is_set() else turns.take(self.watch.steady())

    def _look_again(self, turns: Turns, looked: float) -> float:
        """Bring in who has come to be due, every now and then; return when it was last done."""
        now = self.watch.steady()
        if now - looked < self.look_again_seconds or self.stop.is_set():
            return looked
        if self.watch.compare(self.witness(self.store)):
            turns.clear()
        else:
            turns.offer(self._ready(self.store.tenants.outlook(self.watch.now())))
        return now

    def _turn(self, ticket: Ticket) -> "_Turn":
        """Settle one tenant for a while; what goes wrong there is told, and holds up no other.

        Raises:
            UnreachableError: the database does not answer.
        """
        turn, tenant = _Turn(self, ticket), ticket.tenant
        until = self.watch.settles_until()
        if until is None:
            return turn
        try:
            with span("settle", {"sublife.tenant": tenant}) as traced:
                done = settle(
                    self.store.of(tenant),
                    until,
                    batch=self.batch,
                    collect=False,
                    workers=1,
                    go_on=turn.goes_on,
                )
                traced.set_attribute("sublife.events", turn.events)
        except UnreachableError:
            raise
        except StoreError as error:
            log.error("settle_failed", tenant=tenant, reason=str(error))
            self._rest(tenant)
        except Exception:  # noqa: BLE001 – what is broken in one tenant may not stop the others
            log.exception("settle_broken", tenant=tenant)
            self._rest(tenant)
        else:
            # What waits for a pause is not stuck: the pause is named instead.
            found = (each.subject for each in done.stuck if each.held_up is None)
            self._stuck[tenant] = tuple(found)
            if done.stuck and not turn.events:
                self._rest(tenant)
        return turn

    def _rest(self, tenant: str) -> None:
        if tenant in self._seen:
            until = self.watch.steady() + REST_SECONDS
            self._resting[tenant] = _Rest(until, self._seen[tenant])


class _Turn:
    """One turn of one tenant: asked after each batch whether to go on."""

    def __init__(self, settling: Settling, ticket: Ticket) -> None:
        self._settling, self._ticket = settling, ticket
        self._batch_began = settling.watch.steady()
        self.events = 0
        self.is_done = True

    def goes_on(self, events: int, until: datetime) -> bool:
        """Count a batch, and return whether the turn goes on."""
        settling = self._settling
        now = settling.watch.steady()
        if events:
            self.events += events
            settling.metrics.settled(self._ticket.tenant, events, now - self._batch_began)
            settling.progress.advance(events, until)
        self._batch_began = now
        self.is_done = not (settling.stop.is_set() or now - self._ticket.began >= SLICE_SECONDS)
        return self.is_done
