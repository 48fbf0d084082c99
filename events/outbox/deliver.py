"""deliver(): posts what is due; each endpoint by itself, so that a slow one delays no other.

All waiting is in one event loop: a thousand endpoints that do not answer cost no thread each, one
limit of time covers a post with all its hops, and what has not answered by then is cut off. The
database is asked on one thread beside it, so a lock there stops no post.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from threading import Event as Signal

from sublife.events.logs import log
from sublife.events.outbox.ending import Ending
from sublife.events.outbox.endpoint import known_endpoints
from sublife.events.outbox.relay import PAGE, relay_page
from sublife.events.outbox.retry import Chance
from sublife.events.outbox.sending import Sending, sound
from sublife.events.outbox.setting import Settings
from sublife.events.store import Store, StoreError
from sublife.events.store.delivery import Endpoint, Result, Status
from sublife.events.webhook.network import Network
from sublife.lifecycle.model import utc

BEAT_SECONDS = 1.0


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
    return asyncio.run(_deliver(store, now, Sending(store, chance, settings, network)))


async def _deliver(store: Store, now: datetime, sending: Sending) -> Delivered:
    try:
        endpoints = await sending.ask(partial(known_endpoints, store))
        rounds = [sending.round(each, now) for each in endpoints if each.paused_at is None]
        done = await asyncio.gather(*rounds, return_exceptions=True)
    finally:
        sending.close()
    return _delivered([each for results in sound(done) for each in results])


def _delivered(results: Sequence[Result]) -> Delivered:
    counts = [each.status for each in results]
    return Delivered(
        counts.count(Status.DELIVERED), counts.count(Status.PENDING), counts.count(Status.DEAD)
    )


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
        stop: set it from another thread or a signal handler. No post begins after that; those
            under way have `settings.stop_seconds`, then they are cut off and due again at once.
        chance: for the jitter.
        settings: limits and schedule.
        network: what posts go through; the network of this machine if not given.
        beat_seconds: between two looks for what is new or due.
        told: called with what each round of an endpoint did.

    Raises:
        ExtraMissingError: the extra `webhooks` is not installed.
    """
    ending = Ending(stop)

    def count(results: Sequence[Result]) -> None:
        if told is not None:
            told(_delivered(results))

    sending = Sending(store, chance, settings, network, ending=ending, count=count)
    asyncio.run(_keep(store, sending, ending, beat_seconds))


async def _keep(store: Store, sending: Sending, ending: Ending, beat_seconds: float) -> None:
    going: dict[str, asyncio.Task[None]] = {}
    while not ending.has_begun:
        try:
            endpoints = await sending.ask(partial(known_endpoints, store))
        except StoreError as error:
            log.error("endpoints_unknown", tenant=store.tenant, reason=str(error))
            endpoints = ()
        for each in endpoints:
            if each.paused_at is None and (each.id not in going or going[each.id].done()):
                going[each.id] = asyncio.create_task(_drain(store, sending, ending, each))
        await asyncio.to_thread(ending.wait, beat_seconds)
    ending.cut_off_after(sending.settings.stop_seconds)
    await asyncio.gather(*going.values())
    sending.close()


async def _drain(store: Store, sending: Sending, ending: Ending, endpoint: Endpoint) -> None:
    """Relay and deliver to one endpoint until there is nothing more to do."""
    try:
        busy = True
        while busy and not ending.has_begun:
            now = store.host_clock.now()
            _, more = await sending.ask(partial(relay_page, store, endpoint, now, PAGE))
            busy = bool(await sending.round(endpoint, now)) or more
    except StoreError as error:
        log.error("delivery_failed", tenant=store.tenant, endpoint=endpoint.id, reason=str(error))
    except Exception:  # noqa: BLE001 – the next beat tries this endpoint again, the others go on
        log.exception("delivery_broken", tenant=store.tenant, endpoint=endpoint.id)
