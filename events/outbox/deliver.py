"""deliver(): posts what is due; each endpoint by itself, so that a slow one delays no other.

All waiting is in one event loop: a thousand endpoints that do not answer cost no thread each, one
limit of time covers a post with all its hops, and what has not answered by then is cut off. The
database is asked on one thread beside it, so a lock there stops no post.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event as Signal
from typing import TypeVar

from sublife.events.logs import log
from sublife.events.outbox.relay import PAGE, relay_page
from sublife.events.outbox.retry import Chance
from sublife.events.outbox.setting import Settings
from sublife.events.store import Store, StoreError
from sublife.events.store.delivery import Claimed, Endpoint, Result, Status
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.body import message
from sublife.events.webhook.network import Network, Poster, real_network
from sublife.events.webhook.send import send
from sublife.lifecycle.model import utc

T = TypeVar("T")
BEAT_SECONDS = 1.0
GONE = "answered 410 Gone"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round of `deliver` did.

    Args:
        delivered: posts that were taken.
        failed: posts to be tried again.
        dead: posts given up.
    """

    delivered: int = 0
    failed: int = 0
    dead: int = 0

    @property
    def count(self) -> int:
        """How many posts were made; none means that nothing was due."""
        return self.delivered + self.failed + self.dead


def deliver(
    store: Store,
    now: datetime,
    *,
    chance: Chance,
    settings: Settings | None = None,
    network: Network | None = None,
) -> Delivered:
    """Post what is due to the endpoints of the tenant: one round for each, all at the same time.

    A round is at most `settings.batch` facts, one of each subject. What is claimed and not marked,
    because the process ended, is due again when its lease runs out. Several processes may do it at
    the same time. Call it until nothing was due, or use `keep_delivering`.

    Args:
        store: of the tenant; not one inside a host's transaction.
        now: UTC instant.
        chance: for the jitter, such as `random.SystemRandom().random`.
        settings: limits and schedule.
        network: what posts go through; the network of this machine if not given.

    Raises:
        StoreError: the database cannot answer; what was posted by then may be posted again.
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    now = utc(now, name="now")
    return asyncio.run(_deliver(store, now, _Sending(store, chance, settings, network)))


async def _deliver(store: Store, now: datetime, sending: "_Sending") -> Delivered:
    try:
        endpoints = await sending.ask(store.endpoints.all)
        rounds = [sending.round(each, now) for each in endpoints if each.paused_at is None]
        done = await asyncio.gather(*rounds, return_exceptions=True)
    finally:
        sending.close()
    return _delivered([each for results in _sound(done) for each in results])


def _delivered(results: Sequence[Result]) -> Delivered:
    counts = [each.status for each in results]
    return Delivered(
        counts.count(Status.DELIVERED), counts.count(Status.PENDING), counts.count(Status.DEAD)
    )


def _sound(done: Sequence[T | BaseException]) -> list[T]:
    """Return what came of several works that have all ended, or raise what went wrong first."""
    sound: list[T] = []
    for each in done:
        if isinstance(each, BaseException):
            raise each
        sound.append(each)
    return sound


def keep_delivering(
    store: Store,
    stop: Signal,
    *,
    chance: Chance,
    settings: Settings | None = None,
    network: Network | None = None,
    beat_seconds: float = BEAT_SECONDS,
    told: Callable[[Delivered], None] | None = None,
) -> None:
    """Relay and deliver for the tenant, by the store's clock, until *stop* is set.

    Each endpoint goes on by itself: it makes round after round while something is due, however
    long another one takes. An error of the database ends neither; it is logged and tried again.

    Args:
        store: of the tenant; not one inside a host's transaction.
        stop: set it from another thread or a signal handler; posts under way are waited for.
        chance: for the jitter.
        settings: limits and schedule.
        network: what posts go through; the network of this machine if not given.
        beat_seconds: between two looks for what is new or due.
        told: called with what each round of an endpoint did.

    Raises:
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    sending = _Sending(store, chance, settings, network, told)
    asyncio.run(_keep(store, stop, sending, beat_seconds))


async def _keep(store: Store, stop: Signal, sending: "_Sending", beat_seconds: float) -> None:
    going: dict[str, asyncio.Task[None]] = {}
    while not stop.is_set():
        try:
            endpoints = await sending.ask(store.endpoints.all)
        except StoreError as error:
            log.error("endpoints_unknown", tenant=store.tenant, reason=str(error))
            endpoints = ()
        for each in endpoints:
            if each.paused_at is None and (each.id not in going or going[each.id].done()):
                going[each.id] = asyncio.create_task(_drain(store, stop, sending, each))
        await asyncio.to_thread(stop.wait, beat_seconds)
    await asyncio.gather(*going.values())
    sending.close()


async def _drain(store: Store, stop: Signal, sending: "_Sending", endpoint: Endpoint) -> None:
    """Relay and deliver to one endpoint until there is nothing more to do."""
    try:
        busy = True
        while busy and not stop.is_set():
            now = store.host_clock.now()
            _, more = await sending.ask(partial(relay_page, store, endpoint, now, PAGE))
            busy = bool(await sending.round(endpoint, now)) or more
    except StoreError as error:
        log.error("delivery_failed", tenant=store.tenant, endpoint=endpoint.id, reason=str(error))


class _Sending:
    """Makes rounds of posts, and asks the database on one thread beside the event loop."""

    def __init__(
        self,
        store: Store,
        chance: Chance,
        settings: Settings | None,
        network: Network | None,
        told: Callable[[Delivered], None] | None = None,
    ) -> None:
        self._store = store
        self._chance = chance
        self._settings = settings or Settings()
        self._network = network or real_network()
        self._told = told
        self._database = ThreadPoolExecutor(1, thread_name_prefix="sublife-store")

    async def ask(self, work: Callable[[], T]) -> T:
        """Run *work* on the thread of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._database, work)

    def close(self) -> None:
        """End the thread of the database."""
        self._database.shutdown()

    async def round(self, endpoint: Endpoint, now: datetime) -> Sequence[Result]:
        """Claim what is due for one endpoint, post it, and write down what came of each."""
        settings = self._settings
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
                result = await self._attempt(poster, endpoint, each, now)
            await marker.mark(result)
            return result

        try:
            done = await asyncio.gather(*map(one, claimed), return_exceptions=True)
        finally:
            await poster.close()
        results = _sound(done)
        if self._told is not None:
            self._told(_delivered(results))
        return results

    async def _attempt(
        self, poster: Poster, endpoint: Endpoint, claimed: Claimed, now: datetime
    ) -> Result:
        answer = await self._answer(poster, endpoint, claimed, now)
        retry = self._settings.retry_of(endpoint.body)
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
            said = message(claimed.fact, endpoint.body, self._settings.source)
            return await send(poster, endpoint, said, now)
        except Exception as error:  # noqa: BLE001 – one fact may not hold up those behind it for ever
            log.exception("delivery_broken", endpoint=endpoint.id, fact=claimed.fact.id)
            return Answer.failed(f"cannot be sent: {type(error).__name__}: {error}")

    def write(self, results: Sequence[Result], now: datetime) -> None:
        """Write down what came of posts."""
        self._store.deliveries.mark(results, now)


def _result(claimed: Claimed, answer: Answer, next_at: datetime | None, now: datetime) -> Result:
    """Return what becomes of a delivery after an answer.

    One that is gone keeps its facts: whoever resumes the endpoint gets them, in order.
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


class _Marker:
    """Writes down results in as few transactions as the database needs, none of them late."""

    def __init__(self, sending: _Sending, now: datetime) -> None:
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
