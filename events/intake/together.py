"""What is due to one customer happens together: its subjects look at each other (GEN-08)."""

from collections.abc import Iterable
from datetime import datetime

from sublife.events.intake.outcome import Stuck
from sublife.events.intake.work import Intake
from sublife.events.store import Transaction


class Together(Intake):
    """Brings subjects up to date with all that is due to their customers by then.

    Were one of them moved alone, a timer of another one that was due before would find it as it
    is only afterwards. `settle` has no need of it: it takes what is due in its order.

    Args:
        tx: holds what is decided.
        now: UTC instant at which it is written down.
        until: UTC instant, inclusive; nothing is brought further than to it.
    """

    def __init__(self, tx: Transaction, now: datetime, until: datetime) -> None:
        super().__init__(tx, now)
        self.until = until
        self.is_behind = tx.is_behind(until)
        self._reached: dict[str, datetime] = {}

    def advance(
        self, subjects: Iterable[str], until: datetime, *, stuck: dict[str, Stuck] | None = None
    ) -> None:
        """Apply every timer of *subjects* and of their customers due by *until*.

        Only one of *subjects* that is stuck is an error; what else is stuck stays due, as it would
        had it been settled in time.
        """
        names = tuple(subjects)
        if self.is_behind:
            held = [self.tx.held(name) for name in names]
            self.advance_customers({each.snapshot.customer for each in held if each}, until)
        super().advance(names, until, stuck=stuck)

    def advance_customers(self, customers: Iterable[str], until: datetime) -> None:
        """Apply every timer of customers due by *until*, in due order across all their subjects.

        What another writer holds is waited for, and may have brought about more when it is done.
        """
        late = [
            customer
            for customer in sorted(customers)
            if customer and (customer not in self._reached or self._reached[customer] < until)
        ]
        self._reached |= dict.fromkeys(late, until)
        moved: set[str] = set()
        while late and (names := self._due_of(late, until) - moved):
            moved |= names
            super().advance(names, until, stuck={})

    def _due_of(self, customers: Iterable[str], until: datetime) -> set[str]:
        names = {name for each in customers for name in self.tx.due_of_customer(each, until)}
        self.tx.hold(names)
        return names
