"""Whose turn it is: tenants take turns, so that a large or slow one holds up no other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

SLICE_SECONDS = 5.0
"""How long a turn lasts; the batch under way is finished."""
REST_SECONDS = 60.0
"""How long a tenant is left alone where nothing could be moved, unless something else falls due."""


class Ticket(NamedTuple):
    """One turn.

    Args:
        tenant: whose it is.
        began: seconds of the steady clock.
    """

    tenant: str
    began: float


@dataclass(slots=True)
class Turns:
    """The tenants with something due, in line; it is asked from one thread alone.

    A tenant has one turn at a time: a second thread would only wait for the interpreter, or for
    the lock that the first one waits for. Another daemon, a process of its own, shares the tenant.
    """

    _line: dict[str, None] = field(default_factory=dict)
    _under_way: dict[str, bool] = field(default_factory=dict)
    """Whether the tenant may go to the end of the line afterwards."""

    def offer(self, tenants: Iterable[str]) -> None:
        """Bring in who has something due; those in line keep their place."""
        for tenant in tenants:
            self._line.setdefault(tenant)

    def take(self, now: float) -> Ticket | None:
        """Give the next turn, to a tenant that has none under way.

        Args:
            now: seconds of the steady clock.

        Returns:
            The turn; `None` if nobody waits for one.
        """
        tenant = next((each for each in self._line if each not in self._under_way), None)
        if tenant is None:
            return None
        del self._line[tenant]
        self._under_way[tenant] = True
        return Ticket(tenant, now)

    def end(self, ticket: Ticket, *, is_done: bool) -> None:
        """End a turn; who has more to do goes to the end of the line."""
        goes_on = self._under_way.pop(ticket.tenant)
        if goes_on and not is_done:
            self._line.setdefault(ticket.tenant)

    def clear(self) -> None:
        """Give no more turns, not even to those under way, which end by themselves."""
        self._line.clear()
        self._under_way = dict.fromkeys(self._under_way, False)
