"""How posts are sent and tried again."""

from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil

from sublife.events.outbox.retry import Retry
from sublife.events.store.delivery import Body
from sublife.events.webhook.body import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How posts are sent and tried again.

    Args:
        concurrency: posts to one endpoint at the same time.
        batch: posts to one endpoint claimed together.
        timeout_seconds: for one post, redirects included.
        redirects: hops that are followed.
        stop_seconds: how long posts under way may go on once `keep_delivering` is to end.
        retry: for CloudEvents.
        partner_center_retry: for the Partner Center shape: ten attempts (EVT-13).
        source: where posts say they come from.
    """

    concurrency: int = 4
    batch: int = 16
    timeout_seconds: float = 15
    redirects: int = 3
    stop_seconds: float = 5
    retry: Retry = field(default_factory=Retry)
    partner_center_retry: Retry = field(
        default_factory=lambda: Retry(first_seconds=60, attempts=10)
    )
    source: Source = field(default_factory=Source)

    def retry_of(self, body: Body) -> Retry:
        """Return how posts of a shape are tried again."""
        return self.partner_center_retry if body is Body.PARTNER_CENTER else self.retry

    @property
    def lease(self) -> timedelta:
        """How long a claim holds: twice what the slowest batch can take, and a minute."""
        longest = self.timeout_seconds * ceil(self.batch / self.concurrency)
        return timedelta(seconds=2 * longest + 60)
