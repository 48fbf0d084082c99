"""One user event: what has to happen before it, its decision, and what falls due with it."""

from collections.abc import Iterable
from datetime import datetime

from sublife.events.intake.error import StaleVersionError
from sublife.events.intake.outcome import Outcome, Stuck
from sublife.events.intake.together import Together
from sublife.events.intake.work import Intake
from sublife.events.store import Transaction
from sublife.lifecycle.machine import decide, may_begin
from sublife.lifecycle.model import Event, Refusal, Snapshot


class TenantBehindError(Exception):
    """All that is due to the tenant has to happen first; nothing was changed."""


class Command(Together):
    """The work of one transaction that takes in one user event, due before command (GEN-08).

    What is due to its customer happens first. Where it moves what anybody may read, a subject
    without a customer such as a partner, that is whatever is due to the tenant.

    Args:
        tx: holds what is decided, and has looked the event up.
        now: UTC instant at which it is written down.
        event: a user event.
        is_whole: settle the whole tenant first, instead of raising `TenantBehindError`.
    """

    def __init__(
        self, tx: Transaction, now: datetime, event: Event, *, is_whole: bool = False
    ) -> None:
        super().__init__(tx, now, event.at)
        self.event = event
        self._is_whole = is_whole

    def take(self, expected_version: int | None = None) -> Outcome:
        """Decide the event after what is due by its instant, and take it down.

        Raises:
            TenantBehindError: the whole tenant has to be settled to its instant first.
        """
        event = self.event
        if self.is_behind:
            self._catch_up()
        if expected_version is not None:
            self._expect(expected_version)
        decided: dict[str, Snapshot] = {}
        planned = self._plan(event, decided)
        before = tuple(self.outcomes)
        if isinstance(planned, Refusal):
            return self._refused(event, planned)._replace(before=before)
        outcome = self._accepted(planned)
        self.advance(sorted(decided), event.at)
        held = self.tx.held(event.subject)
        assert held is not None  # noqa: S101 – it has just been accepted
        return outcome._replace(
            state=held.snapshot.state,
            version=held.snapshot.version,
            before=before,
            after=tuple(self.outcomes[len(before) :]),
        )

    def _expect(self, expected: int) -> None:
        self.advance((self.event.subject,), self.event.at)
        held = self.tx.held(self.event.subject)
        found = held.snapshot.version if held else 0
        if found != expected:
            raise StaleVersionError(self.event.subject, expected, found)

    def _catch_up(self) -> None:
        """Let happen what was due by the event's instant to whom it may concern."""
        if self._is_whole:
            self.settle_due(self.until, stuck={})
            self.is_behind = False
        customer = self._customer()
        if not customer:
            self._require_tenant({self.event.subject})
        elif self.is_behind:
            self.advance_customers((customer,), self.until)

    def _customer(self) -> str:
        """Return the event's customer; nothing where it has none, or it is not known whose it is.

        An event that creates its subject names the customer, or what is decided on it so far does.
        """
        event, held = self.event, self.tx.held(self.event.subject)
        if held is not None:
            return held.snapshot.customer
        named: object = getattr(event.data, "customer", None)
        if isinstance(named, str) or not may_begin(event):
            return named if isinstance(named, str) else ""
        decision = decide(None, event, self.policy, seen=self._seen(event))
        return "" if isinstance(decision, Refusal) else decision.snapshot.customer

    def _seen(self, event: Event) -> dict[str, Snapshot]:
        """Return what the event reads, as it stands before anything is settled."""
        names = self._named(self._asked(event, {}))
        return {name: held.snapshot for name in sorted(names) if (held := self.tx.held(name))}

    def advance(
        self, subjects: Iterable[str], until: datetime, *, stuck: dict[str, Stuck] | None = None
    ) -> None:
        """Apply every timer of *subjects* and of their customers due by *until*.

        Raises:
            TenantBehindError: something is due to one without a customer, whom anybody may read.
        """
        if not self.is_behind:
            Intake.advance(self, subjects, until, stuck=stuck)  # the usual case, as fast as ever
            return
        names = tuple(subjects)
        moving = {name for name in names if self._is_shared(name) and self._due(name, until)}
        if moving and self.tx.is_due_beside({self.event.subject, *moving}, self.until):
            raise TenantBehindError
        super().advance(names, until, stuck=stuck)

    def _is_shared(self, subject: str) -> bool:
        held = self.tx.held(subject)
        return held is not None and not held.snapshot.customer

    def settle_all(self, until: datetime) -> None:
        """See that nothing is due that may be about to create the missing subject."""
        if self.tx.is_behind(until):
            self._require_tenant(set())

    def _require_tenant(self, but: set[str]) -> None:
        """Go on if nothing of the tenant is due by the event's instant, but to *but*.

        Raises:
            PausedError: what is due may not happen for now.
            TenantBehindError: something is, and this transaction has not settled it.
        """
        if not self.tx.is_due_beside(but, self.until):
            return
        if self.tx.pauses:
            self.tx.refuse_paused_due(self.until)
        if self.is_behind:
            raise TenantBehindError
