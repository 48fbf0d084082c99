"""A database that is away for a while: told once, tried again ever more slowly, told when back."""

from sublife.events.logs import log
from sublife.events.store import StoreError

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class Trouble:
    """How often something has failed in a row."""

    def __init__(self) -> None:
        self._failures = 0
        self._told = ""

    def met(self, error: StoreError) -> float:
        """Note a failure, and tell of it unless it is the one told before.

        Returns:
            The seconds to wait before the next attempt.
        """
        self._failures += 1
        if str(error) != self._told:
            self._told = str(error)
            log.error("database_away", reason=str(error))
        return min(FIRST_SECONDS * 2.0 ** min(self._failures - 1, 10), LONGEST_SECONDS)

    def over(self) -> None:
        """Note that it went well, and tell of it if it had failed before."""
        if self._failures:
            log.warning("database_back", attempts=self._failures)
            self._failures, self._told = 0, ""
