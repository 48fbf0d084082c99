"""A stream that cannot be written to for a while: told once, tried again ever more slowly."""

from sublife.events.logs import log
from sublife.events.store import StoreError
from sublife.events.stream.broker import BrokerAwayError, BrokerError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class Outage:
    """How often publishing has failed in a row.

    Args:
        where: the broker, as it may be shown.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._failures = 0
        self._told = ""

    def met(self, error: BrokerError | StoreError) -> float:
        """Note a failure, and tell of it unless it is the one told before.

        Returns:
            The seconds to wait before the next attempt.
        """
        self._failures += 1
        if str(error) != self._told:
            self._told = str(error)
            log.error(
                "stream_away"
                if isinstance(error, BrokerAwayError)
                else "stream_refused"
                if isinstance(error, BrokerError)
                else "stream_stopped",
                broker=self._where,
                reason=self._told,
            )
        return min(FIRST_SECONDS * 2.0 ** min(self._failures - 1, 10), LONGEST_SECONDS)

    def over(self) -> None:
        """Note that it went well, and tell of it if it had failed before."""
        if self._failures:
            log.warning("stream_back", broker=self._where, attempts=self._failures)
        self._failures, self._told = 0, ""
