"""The shapes of handing on: consumers, endpoints and their filters, committed facts, deliveries."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from sublife.events.store.entry import Entry
from sublife.lifecycle.model import Fact, Refusal


class Body(StrEnum):
    """How a fact is written into a post."""

    CLOUDEVENTS = "cloudevents"
    PARTNER_CENTER = "partner-center"


class Status(StrEnum):
    """What has become of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class Cursor(NamedTuple):
    """A place in the journal of a tenant: everything up to it, inclusive, has been read."""

    stamp: int
    position: int


_PARTNERS = ("partner", "source_partner")
"""Where the data of a fact names a partner besides the subject's own."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which facts a consumer wants; what names nothing wants all.

    Args:
        facts: names, such as `subscription-renewed`.
        lifecycles: names, such as `subscription`.
        customers: customer tenant ids.
        partners: partner tenant ids; a fact by which a subscription leaves a partner is for both,
            and one that names a partner, as those of a customer do, is for that one too.
    """

    facts: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    partners: tuple[str, ...] = ()

    def want(self, fact: "CommittedFact") -> bool:
        """Return whether a fact is wanted."""
        return (
            _is_one_of(self.facts, {fact.name})
            and _is_one_of(self.lifecycles, {fact.entry.event.lifecycle})
            and _is_one_of(self.customers, {fact.customer})
            and _is_one_of(self.partners, {fact.partner, *map(fact.fact.data.get, _PARTNERS)})
        )


def _is_one_of(wanted: tuple[str, ...], found: Collection[object]) -> bool:
    return not wanted or any(each in wanted for each in found)


@dataclass(frozen=True, slots=True)
class CommittedFact:
    """A fact that has been committed, with the journal entry it stands in.

    Args:
        tenant: whose it is.
        entry: the journal entry: the event, the states, the rules, both instants.
        number: of the fact among those of its event, from 0.
        customer: customer tenant of the subject.
        partner: partner tenant that transacted for the subject just after the event.
    """

    tenant: str
    entry: Entry
    number: int
    customer: str
    partner: str

    @property
    def id(self) -> str:
        """The fact's own id, the same however often it is handed on."""
        return fact_id(self.entry.event.id, self.number)

    @property
    def fact(self) -> Fact:
        """What has happened: name, data, rules."""
        return self.facts[self.number]

    @property
    def facts(self) -> tuple[Fact, ...]:
        """All that the event led to, in order."""
        outcome = self.entry.outcome
        return () if isinstance(outcome, Refusal) else outcome

    @property
    def name(self) -> str:
        """What has happened, such as `subscription-renewed`."""
        return self.fact.name

    @property
    def subject(self) -> str:
        """The id of the subject it happened to."""
        return self.entry.event.subject

    @property
    def sequence(self) -> int:
        """The place of its entry in the subject's journal, from 1."""
        return self.entry.sequence


def fact_id(event_id: str, number: int) -> str:
    """Return the id of the *number*-th fact, from 0, of an event."""
    return f"{event_id}#{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where facts of a tenant are posted to.

    Args:
        id: chosen by the host, unique among the tenant's consumers.
        url: absolute; `https` unless *allow_http*.
        body: how a fact is written.
        filters: which facts it wants.
        secret: signs; `whsec_` and Base64.
        previous_secret: signs beside it until *previous_until*.
        previous_until: UTC instant, exclusive.
        allow_private: whether it may lie at a private, loopback or link-local address.
        allow_http: whether it may do without TLS.
        paused_at: UTC instant since which nothing is sent to it.
        paused_because: who or what paused it.
    """

    id: str
    url: str
    body: Body = Body.CLOUDEVENTS
    filters: Filters = field(default_factory=Filters)
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    previous_until: datetime | None = None
    allow_private: bool = False
    allow_http: bool = False
    paused_at: datetime | None = None
    paused_because: str | None = None

    def secrets(self, at: datetime) -> tuple[str, ...]:
        """Return the secrets that are valid at a UTC instant, the current one first."""
        if self.previous_secret and self.previous_until and at < self.previous_until:
            return (self.secret, self.previous_secret)
        return (self.secret,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One fact on its way to one consumer.

    Args:
        consumer: name of the handler or id of the endpoint.
        subject: id.
        sequence: of the fact's journal entry among those of the subject.
        number: of the fact among those of its event, from 0.
        event_id: of the event that led to it.
        fact: its name.
        customer: customer tenant of the subject.
        partner: partner tenant that transacted for the subject just after the event.
        status: pending, delivered or dead.
        attempts: begun so far.
        created_at: UTC instant it was found in the journal.
        first_attempt_at: UTC instant of the first attempt.
        next_attempt_at: UTC instant of the next one, or at which the attempt under way counts as
            lost; `None` while an earlier fact of the subject is pending, and at the end.
        ended_at: UTC instant it was delivered or given up.
        status_code: of the last answer.
        error: why the last attempt failed.
    """

    consumer: str
    subject: str
    sequence: int
    number: int
    event_id: str
    fact: str
    customer: str
    partner: str
    status: Status
    attempts: int
    created_at: datetime
    first_attempt_at: datetime | None
    next_attempt_at: datetime | None
    ended_at: datetime | None
    status_code: int | None
    error: str | None

    @property
    def fact_id(self) -> str:
        """The id of the fact."""
        return fact_id(self.event_id, self.number)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process alone may attempt until its lease runs out.

    Args:
        consumer: whom it is for.
        fact: to be handed on.
        attempt: the number of this attempt, from 1.
        first_attempt_at: UTC instant of the first one.
    """

    consumer: str
    fact: CommittedFact
    attempt: int
    first_attempt_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one attempt.

    Args:
        claimed: the delivery.
        status: delivered or dead, or still pending.
        next_attempt_at: UTC instant, where it is pending.
        status_code: of the answer, if there was one.
        error: why it failed.
        pause: why nothing more is to be sent to the consumer.
    """

    claimed: Claimed
    status: Status
    next_attempt_at: datetime | None = None
    status_code: int | None = None
    error: str | None = None
    pause: str | None = None
