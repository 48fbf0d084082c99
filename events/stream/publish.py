"""publish(): from the journal to the stream, by a cursor like a handler's.

One fact of each subject is on its way at a time: the next one goes when the broker has the one
before, so facts of a subject stand in the stream in their order whatever is lost on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event as Signal

from sublife.events.logs import log
from sublife.events.outbox.retry import Chance, Retry
from sublife.events.store import Store, StoreError
from sublife.events.store.delivery import Claimed, CommittedFact, Parked, Result, Status, Turn
from sublife.events.stream.broker import BrokerError
from sublife.events.stream.connection import Connection
from sublife.events.stream.message import message
from sublife.events.stream.outage import Outage
from sublife.lifecycle.model import utc

PAGE = 1000
"""Journal rows of one round."""
LEASE = timedelta(minutes=2)
BEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Published:
    """What one round of `publish` did.

    Args:
        published: facts that the stream has.
        refused: facts that the broker does not take as they are, to be tried again.
        dead: such facts given up.
        more: whether the journal goes on behind what was read.
        busy: whether another process publishes for the tenant, or the cursor is paused.
    """

    published: int = 0
    refused: int = 0
    dead: int = 0
    more: bool = False
    busy: bool = False


def publish(
    store: Store,
    now: datetime,
    *,
    connection: Connection,
    chance: Chance,
    from_start: bool = True,
    page: int = PAGE,
    lease: timedelta = LEASE,
    retry: Retry | None = None,
) -> Published:
    """Publish what was left over and is due, then one page of what has been committed since.

    Call it again while it says `more`, and with each beat. One process at a time publishes for a
    tenant; several tenants go through one connection. The cursor moves when the broker has
    confirmed: a process that ends in between is followed by one that publishes the page again, and
    the stream knows what it has by its id. Where the broker fails in the middle of a page, what it
    has not confirmed is written down as deliveries, and comes first next time.

    Args:
        store: of the tenant; not one inside a host's transaction.
        now: UTC instant.
        connection: to the broker; it is used only if there is something to publish.
        chance: for the jitter of retries.
        from_start: whether a stream that is new to the tenant gets all facts there are.
        page: journal rows.
        lease: how long the round may take; after it another process begins where this one began.
        retry: when a fact that the broker does not take is tried again.

    Raises:
        BrokerAwayError: the broker does not answer; nothing is lost, try again after a while.
        BrokerRefusedError: the broker says no; the message says what to change.
        ConflictError: the round took longer than its lease and another process goes on.
        RestoredError: the journal comes from another PostgreSQL server.
    """
    now = utc(now, name="now")
    name = connection.broker.consumer
    turn = store.deliveries.take_turn(name, now, now + lease, from_start=from_start)
    if turn is None:
        return Published(busy=True)
    going = _Round(store, name, now, connection, retry or Retry(), chance)
    try:
        has_more = going.publish_left_over(now + lease, page)
        done = going.publish_page(turn, page)
        return replace(done, more=done.more or has_more)
    finally:
        store.deliveries.end_turn(name, turn)


@dataclass(slots=True)
class _Round:
    """One round: what was sent in it, and what became of it."""

    store: Store
    name: str
    now: datetime
    connection: Connection
    retry: Retry
    chance: Chance
    published: int = 0
    refused: int = 0
    dead: int = 0

    def publish_left_over(self, until: datetime, limit: int) -> bool:
        """Publish what is due of what was not taken before, one fact of each subject at a time.

        Returns:
            Whether there may be more of it.
        """
        deliveries = self.store.deliveries
        tried = 0
        while tried < limit:
            claimed = deliveries.claim(self.name, self.now, until, limit=limit - tried)
            if not claimed:
                return False
            tried += len(claimed)
            answers = self._answers(claimed)
            results = [self._result(*each) for each in zip(claimed, answers, strict=True)]
            deliveries.mark(results, self.now)
            _raise_first(answers)
        return True

    def _answers(self, claimed: Sequence[Claimed]) -> Sequence[str | BrokerError | None]:
        try:
            return self._send([each.fact for each in claimed])
        except BrokerError as error:
            return [error] * len(claimed)

    def _result(self, claimed: Claimed, answer: str | BrokerError | None) -> Result:
        if answer is None:
            self.published += 1
            return Result(claimed=claimed, status=Status.DELIVERED)
        if isinstance(answer, BrokerError):  # not the fact's fault: it does not grow older by it
            return Result(
                claimed=claimed,
                status=Status.PENDING,
                next_attempt_at=self.now,
                error=str(answer),
            )
        first = claimed.first_attempt_at
        next_at = self._next_at(claimed.attempt, first, claimed.fact, answer)
        status = Status.DEAD if next_at is None else Status.PENDING
        return Result(claimed=claimed, status=status, next_attempt_at=next_at, error=answer)

    def _next_at(
        self, attempt: int, first_at: datetime, fact: CommittedFact, reason: str
    ) -> datetime | None:
        """Return when a fact that the broker does not take is tried again, and count it."""
        next_at = self.retry.next_at(attempt, self.now, first_at=first_at, chance=self.chance)
        if next_at is None:
            self.dead += 1
        else:
            self.refused += 1
        log.warning("fact_refused", consumer=self.name, fact=fact.id, reason=reason)
        return next_at

    def publish_page(self, turn: Turn, limit: int) -> Published:
        """Publish the next page of the journal in waves, and move the cursor behind it."""
        reach, waiting = self.store.deliveries.page(self.name, turn[1], limit)
        page = _Page(reach.facts, set(waiting))
        fault: BrokerError | None = None
        while fault is None and (wave := page.wave()):
            try:
                answers = self._send(wave)
            except BrokerError as error:
                fault = error
                break
            for fact, answer in zip(wave, answers, strict=True):
                if answer is None:
                    page.taken(fact)
                elif isinstance(answer, str):
                    page.refused[fact.id] = (answer, self._next_at(1, self.now, fact, answer))
                    page.let_go(fact)
                else:
                    fault = fault or answer
        self.published += page.count
        if fault is None or page.is_begun:
            parked = page.parked()
            self.store.deliveries.move(self.name, turn, reach.cursor, parked, self.now)
        if page.count:
            log.info("facts_published", tenant=self.store.tenant, facts=page.count)
        if fault is not None:
            raise fault
        return Published(self.published, self.refused, self.dead, more=reach.more)

    def _send(self, facts: Sequence[CommittedFact]) -> Sequence[str | BrokerError | None]:
        """Publish facts of different subjects; a text is why the broker does not take one."""
        messages = [message(each, self.connection.broker) for each in facts]
        answers = self.connection.send(messages)
        return [
            each if each is None or isinstance(each, BrokerError) else str(each) for each in answers
        ]


@dataclass(slots=True)
class _Page:
    """The facts of a page: which are taken, which wait for one before them."""

    facts: Sequence[CommittedFact]
    behind: set[str]
    open: dict[str, list[CommittedFact]] = field(init=False)
    done: set[str] = field(default_factory=set[str])
    refused: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.open = {}
        for fact in reversed(self.facts):
            if fact.subject not in self.behind:
                self.open.setdefault(fact.subject, []).append(fact)

    @property
    def count(self) -> int:
        """How many facts the broker has."""
        return len(self.done)

    @property
    def is_begun(self) -> bool:
        """Whether the broker has said something about any fact."""
        return bool(self.done or self.refused)

    def wave(self) -> list[CommittedFact]:
        """Return the first open fact of each subject."""
        return [facts[-1] for facts in self.open.values() if facts]

    def taken(self, fact: CommittedFact) -> None:
        """Note that the broker has a fact; the next one of its subject may go."""
        self.done.add(fact.id)
        self.open[fact.subject].pop()

    def let_go(self, fact: CommittedFact) -> None:
        """Note that a fact is not taken: what comes after it waits, unless it was given up."""
        is_dead = self.refused[fact.id][1] is None
        self.open[fact.subject].pop()
        if not is_dead:
            self.open[fact.subject].clear()

    def parked(self) -> list[Parked]:
        """Return what is left, in order, as deliveries to come."""
        left = list[Parked]()
        for fact in self.facts:
            if fact.id in self.refused:
                reason, next_at = self.refused[fact.id]
                left.append(Parked(fact, 1, next_at, reason))
            elif fact.id not in self.done:
                left.append(Parked(fact))
        return left


def _raise_first(answers: Sequence[str | BrokerError | None]) -> None:
    for each in answers:
        if isinstance(each, BrokerError):
            raise each


def keep_publishing(
    store: Store,
    stop: Signal,
    *,
    connection: Connection,
    chance: Chance,
    from_start: bool = True,
    beat_seconds: float = BEAT_SECONDS,
) -> None:
    """Publish for the tenant, by the store's clock, until *stop* is set.

    While the broker or the database is away it is tried again, at first soon, then every half
    minute; both are told of in the log, once each time they go and come back.

    Args:
        store: of the tenant; not one inside a host's transaction.
        stop: set it from another thread or a signal handler; the page under way is finished.
        connection: to the broker; it stays open.
        chance: for the jitter of retries.
        from_start: whether a stream that is new to the tenant gets all facts there are.
        beat_seconds: between two looks for what is new.
    """
    outage = Outage(connection.broker.where)
    while not stop.is_set():
        wait = beat_seconds
        try:
            done = publish(
                store,
                store.host_clock.now(),
                connection=connection,
                chance=chance,
                from_start=from_start,
            )
            outage.over()
            wait = 0 if done.more else beat_seconds
        except (BrokerError, StoreError) as error:
            wait = outage.met(error)
        if wait:
            stop.wait(wait)
