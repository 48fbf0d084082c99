"""Makes rounds of posts: claims what is due, posts it, and writes down what came of each."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from sublife.events.logs import log
from sublife.events.outbox.ending import Ending
from sublife.events.outbox.retry import Chance
from sublife.events.outbox.setting import Settings
from sublife.events.store import Store
from sublife.events.store.delivery import Claimed, Endpoint, Result, Status
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.body import message
from sublife.events.webhook.network import Network, Poster, real_network
from sublife.events.webhook.send import send

T = TypeVar("T")
GONE = "answered 410 Gone"
CUT_OFF = "cut off, as the process was to end; due again at once"
NOT_SENT = "not sent, as the process was to end; due again at once"


def sound(done: Sequence[T | BaseException]) -> list[T]:
    """Return what came of several works that have all ended, or raise what went wrong first."""
    found: list[T] = []
    for each in done:
        if isinstance(each, BaseException):
            raise each
        found.append(each)
    return found


class Sending:
    """Makes rounds of posts, and asks the database on one thread beside the event loop."""

    def __init__(
        self,
        store: Store,
        chance: Chance,
        settings: Settings | None,
        network: Network | None,
        *,
        ending: Ending | None = None,
        count: Callable[[Sequence[Result]], None] | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self._store = store
        self._chance = chance
        self._network = network or real_network()
        self._ending = ending or Ending()
        self._count = count
        self._database = ThreadPoolExecutor(1, thread_name_prefix="sublife-store")

    async def ask(self, work: Callable[[], T]) -> T:
        """Run *work* on the thread of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._database, work)

    def close(self) -> None:
        """End the thread of the database."""
        self._database.shutdown()

    async def round(self, endpoint: Endpoint, now: datetime) -> Sequence[Result]:
        """Claim what is due for one endpoint, post it, and write down what came of each."""
        settings = self.settings
        claimed = await self.ask(
            partial(
                self._store.deliveries.claim,
                endpoint.id,
                now,
                now + settings.lease,
                limit=settings.batch,
            )
        )
        if not claimed:
            return ()
        poster = self._network.poster(
            timeout_seconds=settings.timeout_seconds, redirects=settings.redirects
        )
        marker = _Marker(self, now)
        slots = asyncio.Semaphore(settings.concurrency)

        async def one(each: Claimed) -> Result:
            async with slots:
                if self._ending.has_begun:
                    result = _due_again(each, now, NOT_SENT)
                else:
                    result = await self._attempt(poster, endpoint, each, now)
            await marker.mark(result)
            return result

        try:
            done = await asyncio.gather(*map(one, claimed), return_exceptions=True)
        finally:
            await poster.close()
        results = sound(done)
        if self._count is not None:
            self._count(results)
        return results

    async def _attempt(
        self, poster: Poster, endpoint: Endpoint, claimed: Claimed, now: datetime
    ) -> Result:
        answer = await self._ending.within(self._answer(poster, endpoint, claimed, now))
        if answer is None:
            log.info("delivery_cut_off", endpoint=endpoint.id, fact=claimed.fact.id)
            return _due_again(claimed, now, CUT_OFF)
        retry = self.settings.retry_of(endpoint.body)
        next_at = retry.next_at(
            claimed.attempt,
            now,
            first_at=claimed.first_attempt_at,
            chance=self._chance,
            retry_after=answer.retry_after,
        )
        result = _result(claimed, answer, next_at, now)
        if not answer.is_accepted:
            tell = log.warning if result.status is Status.DEAD else log.info
            tell(
                "delivery_refused",
                endpoint=endpoint.id,
                fact=claimed.fact.id,
                attempt=claimed.attempt,
                status=result.status.value,
                reason=answer.error,
            )
        return result

    async def _answer(
        self, poster: Poster, endpoint: Endpoint, claimed: Claimed, now: datetime
    ) -> Answer:
        try:
            said = message(claimed.fact, endpoint.body, self.settings.source)
            return await send(poster, endpoint, said, now)
        except Exception as error:  # noqa: BLE001 – one fact may not hold up those behind it for ever
            log.exception("delivery_broken", endpoint=endpoint.id, fact=claimed.fact.id)
            return Answer.failed(f"cannot be sent: {type(error).__name__}: {error}")

    def write(self, results: Sequence[Result], now: datetime) -> None:
        """Write down what came of posts."""
        self._store.deliveries.mark(results, now)


def _result(claimed: Claimed, answer: Answer, next_at: datetime | None, now: datetime) -> Result:
    """Return what becomes of a delivery after an answer.

    One that is gone keeps its facts: they go out, in order, once the endpoint is resumed.
    """
    if answer.is_accepted:
        return Result(claimed=claimed, status=Status.DELIVERED, status_code=answer.status)
    is_dead = next_at is None and not answer.is_gone
    return Result(
        claimed=claimed,
        status=Status.DEAD if is_dead else Status.PENDING,
        next_attempt_at=now if answer.is_gone else next_at,
        status_code=answer.status,
        error=answer.error,
        pause=GONE if answer.is_gone else None,
    )


def _due_again(claimed: Claimed, now: datetime, why: str) -> Result:
    """Return that a delivery is due at once, even if this was its last attempt."""
    return Result(claimed=claimed, status=Status.PENDING, next_attempt_at=now, error=why)


class _Marker:
    """Writes down results in as few transactions as the database needs, none of them late."""

    def __init__(self, sending: Sending, now: datetime) -> None:
        self._sending = sending
        self._now = now
        self._waiting: list[Result] = []
        self._writing = asyncio.Lock()

    async def mark(self, result: Result) -> None:
        """Write down a result, together with all that came while another was being written."""
        self._waiting.append(result)
        async with self._writing:
            results, self._waiting = self._waiting, []
            if results:
                await self._sending.ask(partial(self._sending.write, results, self._now))
