"""What every route works with: the store, the limits, the metrics, and who may come in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request

from sublife.events.store import Clock, Store
from sublife.scheduler.api.limit import Buckets
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a caller may ask.

    Args:
        rate: requests per second of one token, in the long run.
        burst: requests of one token at once.
        body_bytes: of one request.
        beat: how long ago the last beat of a daemon may be, for the interface to be ready; `None`
            if it serves without one.
    """

    rate: float = 50
    burst: int = 100
    body_bytes: int = 262_144
    beat: timedelta | None = None


class Interface:
    """The HTTP interface of one database.

    Args:
        store: any store of the database; each tenant's own is made of it.
        clock: the real one, by which tokens expire; the system's if not given.
        metrics: what is counted.
        limits: how much a caller may ask.
        tenant: whose rows are shown while there are no tokens.
        doubt: why the daemon behind it is not ready, as code and sentence; `None` if it is.
        stuck: ids of subjects that the daemon behind it cannot move, or that are set aside.
        is_local: whether only this machine can reach it; else nobody comes in without a token.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        limits: Limits | None = None,
        tenant: str = "default",
        is_local: bool = False,
        doubt: Callable[[], tuple[str, str] | None] = lambda: None,
        stuck: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.store = store
        self.clock = clock or SystemClock()
        self.metrics = metrics or Metrics()
        self.limits = limits or Limits()
        self.tenant = tenant
        self.is_local = is_local
        self.doubt = doubt
        self.stuck = stuck
        self.buckets = Buckets(self.limits.rate, self.limits.burst)
        self._has_tokens = False

    def is_open(self) -> bool:
        """Return whether a request may do without a token.

        Only where nobody but this machine can send one, and no token has ever been made: one that
        was revoked or has expired leaves the door shut.
        """
        if self.is_local and not self._has_tokens:
            self._has_tokens = not self.store.tokens.is_empty()
        return self.is_local and not self._has_tokens

    def store_of(self, tenant: str) -> Store:
        """Return the store of a tenant, by that tenant's clock."""
        return self.store.of(tenant)


def interface_of(request: Request) -> Interface:
    """Return the interface that a request came to."""
    interface: Interface = request.app.state.interface
    return interface
