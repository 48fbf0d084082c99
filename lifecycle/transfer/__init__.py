"""Enterprise Agreements, and the renewal of their subscriptions to CSP: two lifecycles (EA)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.model import Event, Lifecycle, Payload, Reads
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.transfer.model import (
    Agreement,
    AgreementState,
    Complete,
    EditSchedule,
    ExtendAgreement,
    FailProcessing,
    NoteEaSubscription,
    PutOnEpt,
    Reconsider,
    RecordAgreement,
    RenewAgreement,
    ResubmitSchedule,
    Schedule,
    Stop,
    Transfer,
    TransferState,
)
from sublife.lifecycle.transfer.rules import (
    AGREEMENT_CLOSED,
    AGREEMENT_RULES,
    TRANSFER_CLOSED,
    TRANSFER_RULES,
)
from sublife.lifecycle.transfer.state import claims
from sublife.lifecycle.transfer.timer import agreement_timers, timers

AGREEMENT_REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "record_agreement": RecordAgreement,
        "renew_agreement": RenewAgreement,
        "extend_agreement": ExtendAgreement,
        "put_on_ept": PutOnEpt,
        "note_ea_subscription": NoteEaSubscription,
    }
)

TRANSFER_REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "schedule": Schedule,
        "edit_schedule": EditSchedule,
        "resubmit_schedule": ResubmitSchedule,
        "cancel_schedule": Payload,
        "begin_processing": Payload,
        "complete_processing": Payload,
        "fail_processing": FailProcessing,
        "reconsider": Reconsider,
        "start": Payload,
        "abandon": Stop,
        "complete": Complete,
        "break_off": Stop,
    }
)

FIGURES: Mapping[str, Unit] = MappingProxyType(
    {
        "agreement_listed_back": Unit.DAYS,
        "agreement_listed_ahead": Unit.MONTHS,
        "agreement_visible_hours": Unit.HOURS,
        "transfer_start_hours": Unit.HOURS,
        "transfer_run_hours": Unit.HOURS,
        "transfer_typical_hours": Unit.HOURS,
        "transfer_latest_hours": Unit.HOURS,
        "late_transfer_typical_hours": Unit.HOURS,
        "late_transfer_latest_hours": Unit.HOURS,
        "smb_seat_limit": Unit.COUNT,
        "coterminosity": Unit.ALLOWED,
    }
)

PROCESSED = frozenset(
    {"processing_due", "begin_processing", "processing_ended", "complete_processing"}
)


def agreement_reads(subject: Agreement | None, event: Event) -> Reads:
    """Return whose schedules must be told of what becomes of an agreement (EA-24)."""
    match event.data:
        case RenewAgreement() | ExtendAgreement() | PutOnEpt() if subject is not None:
            return Reads(customers=(subject.customer,))
        case _:
            return Reads()


def reads(subject: Transfer | None, event: Event) -> Reads:
    """Return which other subjects *event* must see.

    To schedule, everything of the customer: its other schedules (EA-26), its subscriptions to
    align with (TRM-21) and to count (TRM-33). To process, only what is named, and its
    subscriptions where they are counted.
    """
    match event.data:
        case Schedule() as ask:
            needed = (ask.agreement, ask.customer, ask.partner, ask.into)
            return Reads((*needed, *_named(ask.align_with)), (ask.customer,))
        case EditSchedule(align_with=target) | ResubmitSchedule(align_with=target) if subject:
            return Reads((subject.into, *_named(target)), (subject.customer,))
        case _ if subject is not None and event.name in PROCESSED:
            needed = (subject.agreement, subject.customer, subject.partner, subject.into)
            counted = (subject.customer,) if subject.product.smb else ()
            return Reads((*needed, *_named(subject.align_with)), counted)
        case _:
            return Reads()


def _named(subject: str | None) -> tuple[str, ...]:
    return () if subject is None else (subject,)


AGREEMENT = Lifecycle(
    name="agreement",
    snapshot=Agreement,
    states=tuple(AgreementState),
    final=frozenset(),
    requests=AGREEMENT_REQUESTS,
    ticks=(),
    rules=AGREEMENT_RULES,
    closed=AGREEMENT_CLOSED,
    timers=agreement_timers,
    reads=agreement_reads,
)

TRANSFER = Lifecycle(
    name="transfer",
    snapshot=Transfer,
    states=tuple(TransferState),
    final=frozenset({TransferState.COMPLETED, TransferState.FAILED, TransferState.CANCELLED}),
    requests=TRANSFER_REQUESTS,
    ticks=("processing_due", "processing_ended", "transfer_overdue"),
    rules=TRANSFER_RULES,
    closed=TRANSFER_CLOSED,
    timers=timers,
    reads=reads,
    claims=claims,
    internal=frozenset({"reconsider", "start", "abandon", "complete", "break_off"}),
    figures=FIGURES,
    switches={"processing": ("simulated", "reported")},
)
