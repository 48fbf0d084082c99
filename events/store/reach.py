"""How far a claim reaches: nothing of it is moved past what other workers still have to do."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sublife.events.store.error import StoreError
from sublife.events.store.history import EARLIER, EARLIER_UNPAUSED
from sublife.events.store.link import Link
from sublife.events.store.statement import restored

LOOKS_AT = 5000
"""Subjects of others that one batch looks at; past the last of them nothing of it is moved."""


class NotYetError(StoreError):
    """What is due earlier has to happen first, and is not in this claim; nothing was changed."""


class Reach:
    """Up to which instants the subjects of one claim may be moved (GEN-08).

    Those of one customer look at each other, so none is moved past an instant at which another one
    is due that is not in the claim. Anybody looks at a subject without a customer, so that is not
    moved past anything due to the tenant. Whatever others do meanwhile is later than what they
    have to do, so these instants stay right until the end of the transaction.

    Args:
        link: to the database.
        key: of the claim: the tenant, and which lifecycles are paused if some are.
        first: UTC instant before which nothing is due to the tenant, if known.
        horizon: UTC instant to which the claim may be moved at all.
        mine: ids that hold up nobody: they are in the claim, or stuck.
    """

    def __init__(
        self,
        link: Link,
        key: Mapping[str, Any],
        *,
        first: datetime | None,
        horizon: datetime,
        mine: Collection[str],
    ) -> None:
        self._link, self._key, self._mine = link, key, mine
        self._first = first
        self._rest = horizon
        self._of_customers: dict[str, datetime] | None = None
        self._of_tenant = horizon
        self.is_short = False
        """Whether something of the claim had to be left for later."""

    def includes(self, customer: str, at: datetime) -> bool:
        """Return whether a subject of a customer, or of none, may be moved to an instant."""
        if self._first is not None and at <= self._first:
            return True
        found = self._of_customers
        if found is None:
            found = self._of_customers = self._look()
        until = found.get(customer, self._rest) if customer else self._of_tenant
        return at <= until

    def require(self, subject: str, customer: str, at: datetime) -> None:
        """Do nothing if a subject may be moved to an instant.

        Raises:
            NotYetError: it may not.
        """
        if not self.includes(customer, at):
            raise NotYetError(f"{subject} waits: something that is due earlier may concern it")

    def put_off(self, customer: str, at: datetime) -> None:
        """Leave a subject due from an instant on; what comes after it waits with it."""
        self.is_short = True
        if self._of_customers is None:
            self._of_customers = self._look()
        self._of_tenant = min(self._of_tenant, at)
        if customer:
            known = self._of_customers.get(customer, self._rest)
            self._of_customers[customer] = min(known, at)

    def _look(self) -> dict[str, datetime]:
        """Return when the first subject that is not in the claim is due, for each customer."""
        key = {
            **self._key,
            "until": self._rest,
            "n": LOOKS_AT,
            "mine": json.dumps(list(self._mine)),
        }
        rows = (EARLIER_UNPAUSED if "paused" in key else EARLIER).raw(self._link, key)
        found: dict[str, datetime] = {}
        for customer, due_at in rows:
            if customer not in found:
                found[customer] = restored(due_at)
        if rows:
            self._of_tenant = restored(rows[0][1])
        if len(rows) == LOOKS_AT:
            self._rest = restored(rows[-1][1])
        return found
