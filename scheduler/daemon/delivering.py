"""Posts the facts of every live tenant, each tenant in a thread beside the settling."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import SystemRandom
from threading import Event as Signal
from threading import Thread

from sublife.events.logs import log
from sublife.events.outbox import Delivered, Settings, keep_delivering
from sublife.events.store import Store
from sublife.events.webhook import ExtraMissingError, demand_extra
from sublife.scheduler.metrics import Metrics


@dataclass(slots=True)
class _Round:
    """A tenant whose facts are being posted."""

    thread: Thread
    stop: Signal


@dataclass(slots=True, kw_only=True)
class Delivering:
    """Posts what is due to the endpoints of every tenant that has some.

    Args:
        store: on the database; of any tenant.
        seconds: the longest time between two looks for what is to be posted.
        stop_seconds: how long posts under way may go on once they are to end.
        metrics: what is counted.
    """

    store: Store
    seconds: float = 1.0
    stop_seconds: float = 5.0
    metrics: Metrics = field(default_factory=Metrics)
    _rounds: dict[str, _Round] = field(default_factory=dict, init=False)
    _is_off: bool = field(default=False, init=False)
    _stops: bool = field(default=False, init=False)

    def tend(self) -> None:
        """Begin with tenants that have come to have endpoints; end with those that have none.

        Raises:
            StoreError: the database does not tell.
        """
        tenants = self.store.tenants.posted_to()
        if not tenants and not self._rounds:
            return
        if self._stops or self._is_off or not self._has_extra():
            return
        self._rounds = {name: each for name, each in self._rounds.items() if each.thread.is_alive()}
        for tenant in set(tenants) - self._rounds.keys():
            self._rounds[tenant] = self._begun(tenant)
        for tenant in self._rounds.keys() - set(tenants):
            self._rounds[tenant].stop.set()

    def stop(self) -> None:
        """Begin no post any more; those under way go on for `stop_seconds`."""
        self._stops = True
        for each in tuple(self._rounds.values()):
            each.stop.set()

    def end(self) -> None:
        """Stop, and wait until the posts under way are answered or cut off."""
        self.stop()
        for each in self._rounds.values():
            each.thread.join()

    def _has_extra(self) -> bool:
        try:
            demand_extra()
        except ExtraMissingError as error:
            self._is_off = True
            log.error("nothing_delivered", reason=str(error))
        return not self._is_off

    def _begun(self, tenant: str) -> _Round:
        stop = Signal()
        work = _guarded(tenant, lambda: self._keep(tenant, stop))
        thread = Thread(target=work, name=f"sublife-deliver-{tenant}", daemon=True)
        thread.start()
        return _Round(thread, stop)

    def _keep(self, tenant: str, stop: Signal) -> None:
        keep_delivering(
            self.store.of(tenant),
            stop,
            chance=SystemRandom().random,
            settings=Settings(stop_seconds=self.stop_seconds),
            beat_seconds=self.seconds,
            told=self._count,
        )

    def _count(self, done: Delivered) -> None:
        for outcome in ("delivered", "failed", "dead"):
            if count := getattr(done, outcome):
                self.metrics.delivered(outcome, count)


def _guarded(tenant: str, work: Callable[[], None]) -> Callable[[], None]:
    def guarded() -> None:
        try:
            work()
        except Exception:  # noqa: BLE001 – `tend` begins anew with the tenant
            log.exception("delivery_broken", tenant=tenant)

    return guarded
