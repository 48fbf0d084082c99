"""What is shown: subjects, outcomes, journal entries, records, deliveries, as JSON has them."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sublife.events.codec import adapter, every_field
from sublife.events.intake import Outcome
from sublife.events.outbox import Delivery, Status
from sublife.events.store import Due, Entry, Held
from sublife.events.store.delivery import fact_id
from sublife.lifecycle.machine import timers
from sublife.lifecycle.model import Actor, ActorKind, Event, Fact, PartnerType, Refusal, Role, Value


class View(BaseModel):
    """Something that is shown."""

    model_config = ConfigDict(from_attributes=True)


class TimerView(View):
    """Something the calendar will do."""

    timer: str
    due_at: datetime


class SubjectView(View):
    """A subject as it stands once everything due by now has happened."""

    id: str
    lifecycle: str
    state: str
    version: int = Field(description="number of accepted events; also the ETag")
    changed_at: datetime
    customer: str
    partner: str
    due: list[TimerView] = Field(description="its timers, the earliest first")
    snapshot: dict[str, Any] = Field(description="every field; /v1/lifecycles has its JSON Schema")

    @classmethod
    def of(cls, held: Held) -> "SubjectView":
        """Return a subject as it is shown."""
        found = held.snapshot
        coming = sorted(timers(found, held.lifecycle), key=lambda each: each.due_at)
        return cls(
            id=found.id,
            lifecycle=held.lifecycle,
            state=found.state,
            version=found.version,
            changed_at=found.changed_at,
            customer=found.customer,
            partner=found.partner,
            due=[TimerView(timer=each.name, due_at=each.due_at) for each in coming],
            snapshot=every_field(found),
        )


class ActorView(View):
    """Who caused an event (EVT-06)."""

    kind: ActorKind
    id: str
    role: Role | None
    partner: str | None
    partner_type: PartnerType | None

    @classmethod
    def of(cls, actor: Actor) -> "ActorView":
        """Return an actor as it is shown."""
        return cls.model_validate(actor)


class FactView(View):
    """Something that has happened."""

    id: str
    name: str
    data: dict[str, Value]
    rules: list[str]

    @classmethod
    def of(cls, event: str, number: int, fact: Fact) -> "FactView":
        """Return a fact as it is shown."""
        return cls(
            id=fact_id(event, number),
            name=fact.name,
            data=dict(fact.data),
            rules=list(fact.rules),
        )


class RefusalView(View):
    """A rule said no."""

    code: str
    rule: str
    sentence: str
    details: dict[str, Value]

    @classmethod
    def of(cls, refusal: Refusal) -> "RefusalView":
        """Return a refusal as it is shown."""
        return cls(
            code=refusal.code,
            rule=refusal.rule,
            sentence=refusal.sentence,
            details=dict(refusal.details),
        )


class HappenedView(View):
    """One event that took effect."""

    event: str = Field(description="id of the event")
    name: str
    subject: str
    lifecycle: str
    at: datetime
    state_before: str
    state: str
    rules: list[str]
    facts: list[FactView]

    @classmethod
    def of(cls, outcome: Outcome) -> "HappenedView":
        """Return an event that took effect as it is shown."""
        event = outcome.event
        return cls(
            event=event.id,
            name=event.name,
            subject=event.subject,
            lifecycle=event.lifecycle,
            at=event.at,
            state_before=outcome.state_before,
            state=outcome.own_state,
            rules=list(outcome.rules),
            facts=[FactView.of(event.id, *each) for each in enumerate(outcome.facts)],
        )


class OutcomeView(View):
    """What became of a request that was accepted."""

    event: str = Field(description="id of the event: the Idempotency-Key")
    subject: str
    state: str = Field(description="with all that fell due at the same instant")
    version: int = Field(description="also the ETag")
    repeated: bool = Field(description="whether this is the outcome of the first time")
    happened: list[HappenedView] = Field(
        description="in order: what was due first, the request, what followed elsewhere or at once"
    )

    @classmethod
    def of(cls, outcome: Outcome) -> "OutcomeView":
        """Return an outcome as it is shown."""
        return cls(
            event=outcome.event.id,
            subject=outcome.event.subject,
            state=outcome.state,
            version=outcome.version,
            repeated=outcome.repeated,
            happened=[HappenedView.of(each) for each in outcome.sequence()],
        )


class EntryView(View):
    """One line of a subject's journal."""

    sequence: int
    version: int
    event: str
    name: str
    at: datetime
    recorded_at: datetime
    actor: ActorView
    cause: str | None
    data: dict[str, Any]
    state_before: str
    state: str
    rules: list[str]
    policy: str
    facts: list[FactView]
    refusal: RefusalView | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """Return a journal entry as it is shown."""
        event: Event = entry.event
        said = entry.outcome
        facts = () if isinstance(said, Refusal) else said
        return cls(
            sequence=entry.sequence,
            version=entry.version,
            event=event.id,
            name=event.name,
            at=event.at,
            recorded_at=entry.recorded_at,
            actor=ActorView.of(event.actor),
            cause=event.cause,
            data=adapter(type(event.data)).dump_python(
                event.data, mode="json", exclude_defaults=True
            ),
            state_before=entry.state_before,
            state=entry.state,
            rules=list(entry.rules),
            policy=entry.policy,
            facts=[FactView.of(event.id, *each) for each in enumerate(facts)],
            refusal=RefusalView.of(said) if isinstance(said, Refusal) else None,
        )


class DueView(View):
    """A subject and what the calendar will do to it next."""

    subject: str
    lifecycle: str
    state: str
    timer: str
    due_at: datetime

    @classmethod
    def of(cls, due: Due) -> "DueView":
        """Return what is due as it is shown."""
        return cls.model_validate(due)


class StuckView(View):
    """A subject that stays due because its timer could not be applied."""

    subject: str
    reason: str


class RecordView(View):
    """An activity record (EVT-04, EVT-06)."""

    id: str
    kind: Literal["migration", "renewal"]
    stage: str
    outcome: str | None
    fact: str
    effective_at: datetime
    recorded_at: datetime
    partner: str
    customer: str
    subscription: str
    source_subscription: str | None
    new_subscription: str | None
    actor_kind: str
    actor_id: str
    path: str | None
    channel: str | None
    order_id: str | None
    event_id: str
    version: int
    number: int
    rules: str
    code: str | None
    policy: str


class OrderView(View):
    """An order record (EVT-02, EVT-09)."""

    id: str
    transaction: str
    status: str
    effective_at: datetime
    recorded_at: datetime
    partner: str
    customer: str
    subscription: str
    sku: str
    quantity: int
    term: str
    billing: str
    amount: Decimal | None
    currency: str | None
    event_id: str
    version: int
    number: int
    policy: str


class DeliveryView(View):
    """A fact on its way to an endpoint or handler."""

    consumer: str
    fact_id: str
    fact: str
    subject: str
    sequence: int
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

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        """Return a delivery as it is shown."""
        return cls.model_validate(delivery)
