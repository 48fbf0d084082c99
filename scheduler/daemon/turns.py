"""Whose turn it is: tenants take turns, so that a large or slow one holds up no other."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

SLICE_SECONDS = 5.0
"""How long a turn lasts; the batch under way is finished."""
PATIENCE_SECONDS = 15.0
"""A tenant whose turn takes longer waits for somebody, and so would whoever joined it."""
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
class _Place:
    """Where a tenant stands in the line."""

    began: list[float] = field(default_factory=list)
    is_done: bool = False


class Turns:
    """The tenants with something due, in line; it is asked from one thread alone."""

    def __init__(self) -> None:
        self._line: dict[str, _Place] = {}

    def offer(self, tenants: Iterable[str]) -> None:
        """Bring in who has something due; those in line keep their place."""
        for tenant in tenants:
            self._line.setdefault(tenant, _Place()).is_done = False

    def take(self, now: float) -> Ticket | None:
        """Give the next turn: to a tenant that has none under way, else to share another's.

        Args:
            now: seconds of the steady clock.

        Returns:
            The turn; `None` if there is nobody whose turn another worker could make shorter.
        """
        waiting = [(each, place) for each, place in self._line.items() if not place.is_done]
        free = (each for each, place in waiting if not place.began)
        shared = (
            each
            for each, place in waiting
            if place.began and now - min(place.began) <= PATIENCE_SECONDS
        )
        tenant = next(chain(free, shared), None)
        if tenant is None:
            return None
        place = self._line[tenant] = self._line.pop(tenant)  # it goes to the end
        place.began.append(now)
        return Ticket(tenant, now)

    def end(self, ticket: Ticket, *, is_done: bool) -> None:
        """End a turn; who is done leaves the line as soon as no turn of it is under way."""
        place = self._line[ticket.tenant]
        place.began.remove(ticket.began)
        place.is_done |= is_done
        if place.is_done and not place.began:
            del self._line[ticket.tenant]

    def clear(self) -> None:
        """Give no more turns; those under way end by themselves."""
        self._line = {each: place for each, place in self._line.items() if place.began}
        for place in self._line.values():
            place.is_done = True
