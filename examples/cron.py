"""The nightly run of the backend: settles what is due, books it, and says what happened.

    15 0 * * *  cd /srv/backend && .venv/bin/python -m examples.cron >> settle.log 2>&1

It knows no "last run": what was due is dated when it was due, so a night missed is made up for by
the next one, and running it twice does nothing twice.

Exit status: 0 all that was due has happened; 1 some subscriptions are stuck, each named; 2 the
database cannot be used, so nothing more happened.
"""

import logging
import sys

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from examples.backend.billing import book
from examples.backend.settings import Settings
from examples.backend.transaction import Backend
from sublife import Settled, Store, StoreError, SystemClock, iso, settle

PART = 1000
"""Events of one transaction: enough to be fast, few enough to hold no lock for long."""
DONE, STUCK, FAILED = 0, 1, 2
log = logging.getLogger("cron")


def main() -> int:
    """Settle and book part after part until nothing is due; return the exit status."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    try:
        backend = Backend(Settings(), SystemClock())
        try:
            return settle_all(backend)
        finally:
            backend.close()
    except (StoreError, SQLAlchemyError) as error:
        log.error("nothing more was settled: %s", error)  # noqa: TRY400 – the sentence is enough
        return FAILED


def settle_all(backend: Backend) -> int:
    """Settle everything due by now, each part with its invoice lines in one transaction."""
    now = backend.clock.now()

    def work(session: Session, store: Store) -> Settled:
        settled = settle(store, now, batch=PART, limit=PART)
        book(session, settled.outcomes)
        return settled

    count = 0
    while (part := backend.run(work)).count:
        count += part.count
        for each in part.outcomes:
            event, rules = each.event, " ".join(each.rules)
            log.info(
                "%s %s %s -> %s %s", iso(event.at), event.subject, event.name, each.state, rules
            )
    for stuck in part.stuck:
        log.error("%s is stuck and stays due: %s", stuck.subject, stuck.reason)
    log.info("%d events until %s, %d stuck", count, iso(now), len(part.stuck))
    return STUCK if part.stuck else DONE


if __name__ == "__main__":
    sys.exit(main())
