"""relay(): from the journal to deliveries, one per endpoint and wanted fact."""

from datetime import datetime

from sublife.events.logs import log
from sublife.events.outbox.endpoint import known_endpoints
from sublife.events.store import Store
from sublife.events.store.delivery import CommittedFact, Endpoint, UnknownConsumerError
from sublife.events.webhook.body import is_written
from sublife.lifecycle.model import utc

PAGE = 1000
"""Journal rows read in one transaction."""


def relay(store: Store, now: datetime, *, page: int = PAGE) -> int:
    """Write down what each endpoint of the tenant is to get of what has been committed.

    Each page is one transaction: the deliveries and the cursor behind them. Several processes may
    do it at the same time; none writes a fact down twice, and none passes over one whose
    transaction is still open.

    Args:
        store: of the tenant; not one inside a host's transaction.
        now: UTC instant from which the deliveries are due.
        page: journal rows per transaction.

    Returns:
        How many deliveries were written down.

    Raises:
        RestoredError: the journal comes from another PostgreSQL server; the message says what to
            run.
    """
    now = utc(now, name="now")
    count = 0
    for endpoint in known_endpoints(store):
        if endpoint.paused_at is None:
            count += _relay_to(store, endpoint, now, page)
    if count:
        log.info("facts_relayed", tenant=store.tenant, deliveries=count)
    return count


def _relay_to(store: Store, endpoint: Endpoint, now: datetime, page: int) -> int:
    count, more = 0, True
    while more:
        found, more = relay_page(store, endpoint, now, page)
        count += found
    return count


def relay_page(store: Store, endpoint: Endpoint, now: datetime, page: int) -> tuple[int, bool]:
    """Write down what one endpoint is to get of the next page of the journal.

    Returns:
        How many deliveries; whether the journal goes on behind the page.
    """

    def wanted(fact: CommittedFact) -> bool:
        return is_written(fact, endpoint.body) and endpoint.filters.want(fact)

    try:
        return store.deliveries.relay(endpoint.id, now, wanted, limit=page)
    except UnknownConsumerError:
        return 0, False  # removed meanwhile
