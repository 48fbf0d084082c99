"""settle(): everything that is due, batch after batch, by one worker or several."""

import gc
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain

from sublife.events.intake.outcome import Outcome, Settled, Stuck
from sublife.events.intake.work import BATCH, Intake
from sublife.events.logs import log
from sublife.events.store import Store, Transaction
from sublife.lifecycle.model import iso, utc


def settle(
    store: Store,
    now: datetime,
    *,
    batch: int = BATCH,
    collect: bool = True,
    workers: int | None = None,
    limit: int | None = None,
    go_on: Callable[[int, datetime], bool] | None = None,
) -> Settled:
    """Apply every timed event of the tenant that is due by *now*, in the order it was due.

    What is paused stays due, and what comes after it to the same customer with it.

    Each is dated when it was due, so it makes no difference how late *now* is. In a host's own
    transaction (`store.within(session)`) it is all there when the host commits; with *limit* the
    host commits after each part, until a part counts nothing.

    Args:
        store: of the tenant.
        now: UTC instant, inclusive.
        batch: subjects per transaction.
        collect: whether to return every outcome; a count is all a large night needs.
        workers: threads that share the work, as any number of processes may. If not said, one
            where outcomes are collected, so that they come in order, and else as many as the
            database takes at once: while it writes one batch, the next is decided. Always one
            on SQLite and in a host's own transaction.
        limit: events after which to stop, by one worker; the batch at hand is finished first.
        go_on: told after each batch how many events it had and up to which instant; the worker
            that called it ends where it says no.

    Returns:
        What happened. A subject whose timer cannot be applied is named and stays due; it holds up
        no other.
    """
    now = utc(now, name="now")
    share = partial(
        _settle_share, store, now, batch=batch, collect=collect, limit=limit, go_on=go_on
    )
    number = workers or (1 if collect else store.writers)
    if number == 1 or store.writers == 1 or limit is not None:
        return share().settled
    with ThreadPoolExecutor(number, thread_name_prefix="settle") as pool:
        shares = [each.result() for each in [pool.submit(share) for _ in range(number)]]
    if any(each.waits for each in shares) and all(each.is_wanted for each in shares):
        shares.append(share())  # those it waited for have ended
    settled = [each.settled for each in shares]
    outcomes = chain.from_iterable(each.outcomes for each in settled)
    stuck = {each.subject: each for share in settled for each in share.stuck}
    return Settled(tuple(outcomes), sum(each.count for each in settled), tuple(stuck.values()))


@dataclass(frozen=True, slots=True)
class _Share:
    """What one worker did, whether it ended since all it found waits, and whether it may go on."""

    settled: Settled
    waits: bool
    is_wanted: bool


def _settle_share(
    store: Store,
    now: datetime,
    *,
    batch: int,
    collect: bool,
    limit: int | None,
    go_on: Callable[[int, datetime], bool] | None,
) -> _Share:
    """Settle batch after batch until nothing is due that nobody else holds, or that may go first.

    A worker all of whose batch has to wait for what others hold leaves it to them.
    """
    outcomes: list[Outcome] = []
    stuck: dict[str, Stuck] = {}
    count = 0
    more = is_wanted = True
    waits = False
    with store.copying_log() as copy_log:
        while more and (limit is None or count < limit):
            with _uncollected():
                done = store.run(partial(_settle_batch, now=now, limit=batch, but=stuck))
            happened = sum(map(Outcome.events, done.outcomes))
            count += happened
            is_wanted = go_on is None or go_on(happened, done.until)
            more, waits = done.more and is_wanted, done.waits
            stuck |= done.stuck
            if more:
                copy_log()
            if collect:
                outcomes.extend(each for outcome in done.outcomes for each in outcome.sequence())
            if happened:
                until = iso(done.until)
                log.info("batch_settled", tenant=store.tenant, events=happened, until=until)
    return _Share(Settled(tuple(outcomes), count, tuple(stuck.values())), waits, is_wanted)


@contextmanager
def _uncollected() -> Generator[None]:
    """Look for no cyclic garbage meanwhile: a batch makes none, and the search goes over it all."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True, slots=True)
class _Batch:
    """What became of one claim."""

    outcomes: list[Outcome]
    until: datetime
    more: bool
    stuck: dict[str, Stuck]
    waits: bool


def _settle_batch(
    tx: Transaction, *, now: datetime, limit: int, but: Mapping[str, Stuck]
) -> _Batch:
    """Claim what is due first and move it as far as nothing left out comes before it.

    What would overtake something that another worker has stays due, and undecided.
    """
    due, horizon, more = tx.claim(now, limit=limit, but=but)
    if tx.pauses:
        tx.hold_up(*(each.held_up for each in but.values() if each.held_up is not None))
    intake = Intake(tx, now)
    stuck: dict[str, Stuck] = {}
    ready = tx.in_turn(due)
    intake.prefetch(ready)
    intake.advance(ready, horizon, stuck=stuck)
    if tx.reach is None or not tx.reach.is_short:
        goes_on = (more and bool(due)) or tx.leaves_due(now, but={*but, *stuck})
        return _Batch(intake.outcomes, horizon, goes_on, stuck, waits=False)
    moved = bool(intake.outcomes or stuck)
    return _Batch(intake.outcomes, horizon, moved, stuck, waits=not moved)
