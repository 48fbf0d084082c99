"""One transaction for the backend's rows and the lifecycle's: this is all there is to embedding."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, SQLModel

from examples.backend.settings import Settings
from sublife import Clock, ConflictError, Store

T = TypeVar("T")
ATTEMPTS = 5
"""How often a transaction is run when others come between."""
_SERIALIZATION_FAILURES = {"40001", "40P01"}
"""PostgreSQL: could not serialize, deadlock; a host's own statements and commit meet them too."""


class Backend:
    """The backend's engine, and the lifecycle's store on the same database.

    Args:
        settings: name the database.
        clock: tells what time it is; tests bring a simulated one.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        # Makes the lifecycle's tables in an empty database; later `sublife migrate` changes them.
        self.store = Store.open(settings.database, clock=clock, tenant=settings.tenant)
        self.engine: Engine = create_engine(settings.database)
        SQLModel.metadata.create_all(self.engine)  # a real backend has Alembic for this

    def run(self, work: Callable[[Session, Store], T]) -> T:
        """Do *work* in one transaction, again from the start where another writer comes between.

        Whatever it raises rolls back its rows and the lifecycle's together.

        Args:
            work: with the session, and the store that is part of its transaction. It may run more
                than once, so it changes nothing but the database.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with Session(self.engine) as session, session.begin():
                    return work(session, self.store.within(session))
            except (ConflictError, DBAPIError) as error:
                if attempt == ATTEMPTS or not _may_run_again(error):
                    raise
        raise AssertionError

    def close(self) -> None:
        """Close every connection."""
        self.store.close()
        self.engine.dispose()


def _may_run_again(error: ConflictError | DBAPIError) -> bool:
    if isinstance(error, ConflictError):
        return True
    return getattr(error.orig, "sqlstate", None) in _SERIALIZATION_FAILURES
