"""Keeps house: forgets what arrived long ago, makes the partitions of months to come."""

from datetime import datetime, timedelta

from sublife.events.logs import log
from sublife.events.store import Store, StoreError
from sublife.scheduler.settings import Settings

KEEP_DAEMONS = timedelta(days=7)
"""How long it is remembered that a daemon ran."""


def keep_house(store: Store, settings: Settings, now: datetime) -> None:
    """Do what is to be done every now and then; any number of daemons may do it at once.

    Args:
        store: on the database; of any tenant.
        settings: how long to keep what, and how far ahead.
        now: UTC instant.

    Raises:
        UnreachableError: the database does not answer.
    """
    before = now - timedelta(days=settings.keep_delivered_days)
    forgotten = sum(
        store.of(tenant).deliveries.prune(before) for tenant in store.tenants.posted_to()
    )
    store.daemons.forget(now - KEEP_DAEMONS)
    months = _make_months(settings, now)
    log.info("house_kept", forgotten=forgotten, partitions=list(months))


def _make_months(settings: Settings, now: datetime) -> tuple[str, ...]:
    from sublife.events.store.upgrade import make_months  # noqa: PLC0415 – Alembic takes its time

    try:
        return make_months(settings.store, now.date(), settings.months_ahead)
    except StoreError as error:
        log.warning(
            "months_not_made",
            reason=str(error),
            remedy="let the owner of the tables run sublife migrate --months-ahead; until then "
            "rows go to the default partition",
        )
        return ()
