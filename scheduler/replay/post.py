"""Hands facts on while a scenario runs: to endpoints that answer as its file says."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sublife.events.intake import Outcome
from sublife.events.outbox import Endpoint, Filters, Status, add_endpoint, deliver, relay
from sublife.events.outbox.endpoint import new_secret
from sublife.events.store.delivery import Cursor
from sublife.events.store.delivery.statement import BEGINNING
from sublife.scheduler.replay.going import Going
from sublife.scheduler.replay.listener import Listeners, url_of
from sublife.scheduler.replay.listing import compare_mappings
from sublife.scheduler.replay.result import ReplayError
from sublife.scheduler.scenario import Expect

_SECRET = bytes(range(32))
"""Signs the posts of scenarios, which nobody gets."""
_START = Cursor(BEGINNING, 0)
_ALL = 100_000
_LOOKS = 10_000
"""How often a look at the journal is worth it while other processes have open transactions."""


class Posting:
    """The endpoints of a running scenario, and what has been posted to them.

    Every wait before another attempt is as long as the schedule allows, so that a scenario can
    name the instants.

    Args:
        going: the scenario while it runs.
    """

    def __init__(self, going: Going) -> None:
        self._going = going
        self._store = going.store
        self._facts = 0
        self._told = 0
        self._seen = 0
        if not going.scenario.endpoints:
            return
        self._add(going)

    def _add(self, going: Going) -> None:
        secret = new_secret(_SECRET)
        self._listeners = Listeners(going.scenario.endpoints, going.clock, secret)
        for number, each in enumerate(going.scenario.endpoints):
            endpoint = Endpoint(
                id=each.id,
                url=url_of(number),
                body=each.body,
                filters=Filters(
                    facts=tuple(each.facts),
                    customers=tuple(each.customers),
                    partners=tuple(each.partners),
                ),
                secret=secret,
                allow_private=True,
            )
            add_endpoint(
                going.store,
                endpoint,
                going.clock.now(),
                from_start=True,
                network=self._listeners,
            )

    @property
    def is_on(self) -> bool:
        """Whether anybody listens."""
        return bool(self._going.scenario.endpoints)

    def hand_on(self) -> None:
        """Post what has happened since, and what is to be tried again by now."""
        if not self.is_on:
            return
        happened = self._going.happened
        self._facts += sum(map(_count, happened[self._told :]))
        self._told = len(happened)
        now = self._going.clock.now()
        self._await_journal()
        relay(self._store, now)
        while deliver(self._store, now, chance=lambda: 1.0, network=self._listeners).count:
            pass

    def _await_journal(self) -> None:
        """Look until every fact can be followed; on PostgreSQL an older transaction hides some."""
        name = self._going.scenario.endpoints[0].id
        for _ in range(_LOOKS):
            reach, _ = self._store.deliveries.page(name, _START, _ALL)
            if len(reach.facts) >= self._facts:
                return
        raise ReplayError(
            f"{self._going.scenario.path}: another transaction stays open and hides facts from "
            "its endpoints; end it, or replay into a database of its own"
        )

    def instants(self) -> Iterator[datetime]:
        """Yield when something is to be tried again."""
        if not self.is_on:
            return
        paused = {each.id for each in self._store.endpoints.all() if each.paused_at is not None}
        for each in self._store.deliveries.list(status=Status.PENDING):
            if each.consumer not in paused and each.next_attempt_at is not None:
                yield each.next_attempt_at

    def compare(self, where: str, expect: Expect) -> None:
        """Compare the posts since the last comparison, and the deliveries there are."""
        if not self.is_on:
            return
        posts = self._listeners.posts[self._seen :]
        self._seen = len(self._listeners.posts)
        if expect.posts is not None:
            _compare(self._going, f"{where}, posts", expect.posts, "name", posts)
        if expect.deliveries is not None:
            found = [asdict(each) for each in self._store.deliveries.list()]
            _compare(self._going, f"{where}, deliveries", expect.deliveries, "status", found)


def _count(outcome: Outcome) -> int:
    return 0 if outcome.repeated else len(outcome.facts)


def _compare(
    going: Going,
    where: str,
    wanted: Sequence[str | dict[str, Any]],
    key: str,
    found: Sequence[dict[str, Any]],
) -> None:
    named = [{key: each} if isinstance(each, str) else each for each in wanted]
    title = ("consumer", "fact", "status") if key == "status" else ("endpoint", "name", "attempt")
    compare_mappings(going, where, named, found, title=title)
