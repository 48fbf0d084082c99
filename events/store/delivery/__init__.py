"""What is handed on and to whom: consumers, endpoints and deliveries of one tenant."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime

from sublife.events.store.database import Source
from sublife.events.store.delivery import attempt, consumer
from sublife.events.store.delivery import following as journal
from sublife.events.store.delivery import listing as lists
from sublife.events.store.delivery.consumer import (
    ConsumerTakenError,
    RestoredError,
    UnknownConsumerError,
)
from sublife.events.store.delivery.endpoint import Endpoints
from sublife.events.store.delivery.following import Parked, Reach
from sublife.events.store.delivery.shape import (
    Body,
    Claimed,
    CommittedFact,
    Cursor,
    Delivery,
    Endpoint,
    Filters,
    Result,
    Status,
    fact_id,
)
from sublife.events.store.delivery.statement import (
    CONSUMER_FOUND,
    END_TURN,
    ENTRIES,
    HIGHEST,
    HOLD_ALL,
    MOVE,
    OF_EVENT,
    PRUNE,
    REBASE,
    RESEND,
    RESEND_DEAD,
    TAKE_TURN,
)
from sublife.events.store.delivery.work import hand_on, write
from sublife.events.store.entry import entry_of
from sublife.events.store.error import ConflictError, StoreError
from sublife.events.store.link import Link
from sublife.events.store.page import LIMIT, Page
from sublife.events.store.pause import is_halted
from sublife.events.store.simulated import refuse_simulated
from sublife.events.store.statement import restored, stored
from sublife.events.store.typed import LeftOut

__all__ = [
    "Body",
    "Claimed",
    "CommittedFact",
    "ConsumerTakenError",
    "Cursor",
    "Deliveries",
    "Delivery",
    "Endpoint",
    "Endpoints",
    "Filters",
    "Parked",
    "Reach",
    "RestoredError",
    "Result",
    "Status",
    "Turn",
    "UnknownConsumerError",
    "UnknownDeliveryError",
    "fact_id",
]


class UnknownDeliveryError(StoreError):
    """There is no such delivery."""


class Turn(tuple[int, Cursor]):
    """The right of one process to call a handler, by number, and where the handler stands."""

    __slots__ = ()


class Deliveries:
    """Deliveries of one tenant, and how far its consumers have followed the journal.

    Args:
        source: where transactions come from.
        tenant: whose these are.
    """

    def __init__(self, source: Source, tenant: str) -> None:
        self._source = source
        self.tenant = tenant

    def relay(
        self,
        name: str,
        now: datetime,
        wanted: Callable[[CommittedFact], bool],
        *,
        limit: int = LIMIT,
    ) -> tuple[int, bool]:
        """Write down as deliveries what is wanted of the next page, and move the cursor.

        In one transaction that holds the consumer: a second relay waits and then goes on behind.

        Args:
            name: of the consumer.
            now: UTC instant.
            wanted: tells which facts.
            limit: journal rows.

        Returns:
            How many deliveries; whether more of the journal follows.

        Raises:
            RestoredError: the journal carries transaction numbers of another server.
            SimulatedTenantError: the tenant is simulated; nothing of it is handed on.
            UnknownConsumerError: there is no consumer of that name.
        """

        def work(link: Link) -> tuple[int, bool]:
            refuse_simulated(link, self.tenant, f'relaying to "{name}"')
            consumer.check_numbers(link, self.tenant)
            row = consumer.locked(link, self.tenant, name)
            if row.paused_at is not None or is_halted(link, self.tenant):
                return 0, False
            begin = Cursor(row.stamp, row.position)
            reach = journal.following(link, self.tenant, begin, limit)
            parked = [Parked(fact) for fact in reach.facts if wanted(fact)]
            journal.append(link, self.tenant, name, parked, now)
            if reach.cursor != begin:
                self._move(link, name, reach.cursor)
            return len(parked), reach.more

        return hand_on(self._source, work)

    def _move(self, link: Link, name: str, cursor: Cursor) -> None:
        key = {"t": self.tenant, "c": name}
        MOVE.write(link, [{**key, "new_stamp": cursor.stamp, "new_position": cursor.position}])

    def take_turn(
        self, name: str, now: datetime, until: datetime, *, from_start: bool = True
    ) -> Turn | None:
        """Take the right to call a handler; one process at a time has it.

        Args:
            name: of the handler; the first turn makes it a consumer.
            now: UTC instant.
            until: UTC instant at which the turn ends by itself.
            from_start: whether a new handler gets all facts there are.

        Returns:
            The turn; `None` while another process has it, or the handler or the tenant is paused.

        Raises:
            ConsumerTakenError: the name is an endpoint's.
            RestoredError: the journal carries transaction numbers of another server.
            SimulatedTenantError: the tenant is simulated; nothing of it is handed on.
        """

        def work(link: Link) -> Turn | None:
            refuse_simulated(link, self.tenant, f'the handler "{name}"')
            consumer.check_numbers(link, self.tenant)
            if not CONSUMER_FOUND.rows(link, {"t": self.tenant, "c": name}):
                consumer.add_consumer(link, self.tenant, name, now, from_start=from_start)
            consumer.refuse_endpoint(link, self.tenant, name)
            row = consumer.locked(link, self.tenant, name)
            taken = row.leased_until is not None and restored(row.leased_until) > now
            if taken or row.paused_at is not None or is_halted(link, self.tenant):
                return None
            key = {"t": self.tenant, "c": name, "until": stored(until, link.dialect)}
            TAKE_TURN.write(link, [{**key, "new_turn": row.turn + 1}])
            return Turn((row.turn + 1, Cursor(row.stamp, row.position)))

        return hand_on(self._source, work)

    def page(self, name: str, cursor: Cursor, limit: int) -> tuple[Reach, frozenset[str]]:
        """Return the facts behind *cursor*, and the subjects with an earlier one still pending."""
        with self._source.reading() as link:
            reach = journal.following(link, self.tenant, cursor, limit)
            subjects = {fact.subject for fact in reach.facts}
            return reach, journal.open_subjects(link, self.tenant, name, subjects)

    def move(
        self, name: str, turn: Turn, cursor: Cursor, parked: Sequence[Parked], now: datetime
    ) -> None:
        """Move a handler's cursor, and write down the facts it has still to be called with.

        Raises:
            ConflictError: another process has taken the turn meanwhile; nothing was changed.
        """

        def work(link: Link) -> None:
            row = consumer.locked(link, self.tenant, name)
            if row.turn != turn[0]:
                raise ConflictError(
                    f'handler "{name}" was called for longer than its turn lasts, and another '
                    "process goes on; give it smaller pages or a longer turn"
                )
            journal.append(link, self.tenant, name, parked, now)
            self._move(link, name, cursor)

        hand_on(self._source, work)

    def end_turn(self, name: str, turn: Turn) -> None:
        """Give the turn back, if no other process has taken it."""
        key = {"t": self.tenant, "c": name, "own": turn[0]}
        hand_on(self._source, lambda link: END_TURN.write(link, [key]))

    def claim(
        self, name: str, now: datetime, until: datetime, *, limit: int
    ) -> tuple[Claimed, ...]:
        """Claim what is due for a consumer that is not paused, one fact of each subject.

        Nothing is, while the whole tenant is paused.

        Args:
            name: of the consumer.
            now: UTC instant.
            until: UTC instant from which the claim is void, should nothing be heard of it.
            limit: how many.

        Raises:
            SimulatedTenantError: the tenant is simulated; nothing of it is handed on.
        """

        def work(link: Link) -> tuple[Claimed, ...]:
            refuse_simulated(link, self.tenant, f'delivering to "{name}"')
            rows = CONSUMER_FOUND.rows(link, {"t": self.tenant, "c": name})
            if not rows or rows[0].paused_at is not None or is_halted(link, self.tenant):
                return ()
            return attempt.claim(link, self.tenant, name, now, until, limit=limit)

        return hand_on(self._source, work)

    def mark(self, results: Sequence[Result], now: datetime) -> None:
        """Write down what became of attempts; what ends lets the subject's next fact be due."""
        hand_on(self._source, lambda link: attempt.mark(link, self.tenant, results, now))

    def resend(self, name: str, event_id: str, number: int, now: datetime) -> Delivery:
        """Make one ended delivery due again, and return it as it was.

        Raises:
            UnknownDeliveryError: there is none.
        """

        def work(link: Link) -> Delivery:
            consumer.locked(link, self.tenant, name)
            found = self._found(link, name, event_id, number)
            key = {"s": found.subject, "q": found.sequence, "m": number}
            at = stored(now, link.dialect)
            RESEND.write(link, [{"t": self.tenant, "c": name, **key, "now": at}])
            return found

        return write(self._source, work)

    def resend_dead(self, name: str, now: datetime) -> int:
        """Make all dead deliveries of a consumer due again; return how many.

        Raises:
            UnknownConsumerError: there is no consumer of that name.
        """

        def work(link: Link) -> int:
            consumer.locked(link, self.tenant, name)
            key = {"t": self.tenant, "c": name, "now": stored(now, link.dialect)}
            return RESEND_DEAD.write(link, [key])

        return write(self._source, work)

    def find(self, name: str, event_id: str, number: int) -> Delivery:
        """Return one delivery.

        Raises:
            UnknownDeliveryError: there is none.
        """
        with self._source.reading() as link:
            return self._found(link, name, event_id, number)

    def _found(self, link: Link, name: str, event_id: str, number: int) -> Delivery:
        key = {"t": self.tenant, "c": name, "e": event_id, "m": number}
        rows = OF_EVENT.rows(link, key)
        if not rows:
            raise UnknownDeliveryError(
                f'"{name}" of {self.tenant} has no delivery of fact {fact_id(event_id, number)}; '
                "`sublife deliveries list` shows those there are"
            )
        return lists.delivery_of(rows[0])

    def fact(self, delivery: Delivery) -> CommittedFact:
        """Return the fact that a delivery is about, as it stands in the journal."""
        with self._source.reading() as link:
            rows = ENTRIES.rows(link, {"t": self.tenant, "ids": json.dumps([delivery.event_id])})
        entry, (customer, partner) = entry_of(rows[0]), (delivery.customer, delivery.partner)
        return CommittedFact(self.tenant, entry, delivery.number, customer, partner)

    def list(
        self,
        *,
        status: Status | None = None,
        consumer: str | None = None,
        subject: str | None = None,
        fact: str | None = None,
        after: str | None = None,
        limit: int = LIMIT,
        left_out: LeftOut | None = None,
    ) -> Page[Delivery]:
        """Return deliveries, the oldest first.

        Args:
            status: of these alone.
            consumer: of this handler or endpoint alone.
            subject: of this subject alone.
            fact: of this name alone.
            after: the cursor of the page before.
            limit: rows of the page.
            left_out: takes the error of each row that cannot be read; if not given, it is raised.

        Raises:
            CursorError: *after* is no cursor of this question.
            LimitError: there is no such page.
        """
        filters = {"status": status, "consumer": consumer, "subject": subject, "fact": fact}
        with self._source.reading() as link:
            return lists.listing(link, self.tenant, filters, (after, limit), left_out)

    def prune(self, before: datetime, *, limit: int = LIMIT) -> int:
        """Forget deliveries that were delivered before a UTC instant; return how many.

        Args:
            before: exclusive.
            limit: rows of one transaction; as many transactions as it takes.
        """
        count = 0
        while True:

            def work(link: Link) -> int:
                key = {"t": self.tenant, "before": stored(before, link.dialect), "n": limit}
                return PRUNE.write(link, [key])

            gone = hand_on(self._source, work)
            count += gone
            if gone < limit:
                return count

    def rebase(self) -> int:
        """Lower every transaction number of the journal, of all tenants, below those to come.

        For a database that was restored from a dump on another PostgreSQL server. The order in
        which facts are handed on stays as it is; subjects and hashes do not change.

        Returns:
            By how much; 0 on SQLite, which has no such numbers.
        """

        def work(link: Link) -> int:
            if link.is_sqlite:
                return 0
            link.run(HOLD_ALL)
            down = max(int(each.rows(link, {})[0].stamp) for each in HIGHEST)
            if down > 0:
                for statement in REBASE:
                    statement.write(link, [{"down": down}])
            return max(down, 0)

        return hand_on(self._source, work)
