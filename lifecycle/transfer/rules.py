"""The state × event tables of an Enterprise Agreement and of a scheduled renewal to CSP."""

from sublife.lifecycle.model import ABSENT, Closed, Rule
from sublife.lifecycle.transfer import agreement, processing, schedule
from sublife.lifecycle.transfer.model import AgreementState, TransferState

RECORDED, EXTENDED = AgreementState.RECORDED, AgreementState.EXTENDED
EPT, RENEWED = AgreementState.EPT, AgreementState.RENEWED
KNOWN = tuple(AgreementState)

AGREEMENT_RULES: tuple[Rule, ...] = (
    Rule("record_agreement", (ABSENT,), RECORDED, agreement.record, ("EA-31",)),
    Rule("renew_agreement", KNOWN, RENEWED, agreement.renew, ("EA-08", "EA-24")),
    Rule("extend_agreement", (RECORDED, EXTENDED), EXTENDED, agreement.extend, ("EA-24",)),
    Rule("put_on_ept", KNOWN, EPT, agreement.put_on_ept, ("EA-11", "EA-24")),
    Rule("note_ea_subscription", KNOWN, None, agreement.note_subscription, ("EA-13", "EA-14")),
)

AGREEMENT_CLOSED: tuple[Closed, ...] = (
    Closed("record_agreement", KNOWN, "AGREEMENT_BAD_STATE", "EA-31"),
    Closed("extend_agreement", (EPT, RENEWED), "AGREEMENT_BAD_STATE", "EA-24"),
)

SCHEDULED, PROCESSING = TransferState.SCHEDULED, TransferState.PROCESSING
COMPLETED, FAILED = TransferState.COMPLETED, TransferState.FAILED
CANCELLED = TransferState.CANCELLED
OVER = (FAILED, CANCELLED)

TRANSFER_RULES: tuple[Rule, ...] = (
    # What the partner asks for.
    Rule("schedule", (ABSENT,), SCHEDULED, schedule.schedule, ("EA-18", "EA-25", "EA-26")),
    Rule(
        "edit_schedule",
        (SCHEDULED,),
        None,
        schedule.edit,
        ("EA-20", "EA-21"),
        unless=(schedule.edits_are_over,),
    ),
    Rule(
        "resubmit_schedule",
        (SCHEDULED,),
        None,
        schedule.resubmit,
        ("EA-20",),
        unless=(schedule.edits_are_over,),
    ),
    Rule("cancel_schedule", (SCHEDULED,), CANCELLED, schedule.cancel, ("EA-20", "EA-27")),
    # What becomes of the agreement meanwhile.
    Rule("reconsider", (SCHEDULED, PROCESSING), None, schedule.reconsider, ("EA-24",)),
    # Processing: by the calendar or as reported; then one of two things follows.
    Rule("processing_due", (SCHEDULED,), None, processing.begin, ("EA-15", "EA-17")),
    Rule(
        "begin_processing",
        (SCHEDULED,),
        None,
        processing.reported_begin,
        ("EA-15", "EA-17", "GEN-07"),
        unless=(processing.not_due,),
    ),
    Rule("start", (SCHEDULED,), PROCESSING, processing.start, ("EA-15", "EA-35")),
    Rule("abandon", (SCHEDULED,), FAILED, processing.abandon, ("AUT-07", "EA-26")),
    Rule("processing_ended", (PROCESSING,), None, processing.finish, ("EA-19", "EA-28")),
    Rule(
        "complete_processing",
        (PROCESSING,),
        None,
        processing.reported_finish,
        ("EA-19", "EA-28", "GEN-07"),
    ),
    Rule("complete", (PROCESSING,), COMPLETED, processing.complete, ("EA-28", "EA-35")),
    Rule("break_off", (PROCESSING,), FAILED, processing.break_off, ("EA-26",)),
    Rule(
        "fail_processing", (PROCESSING,), FAILED, processing.reported_failure, ("EA-26", "GEN-07")
    ),
    Rule("transfer_overdue", (SCHEDULED, PROCESSING), None, processing.tell_overdue, ("GEN-07",)),
)


def _closed(event: str, states: tuple[TransferState, ...], code: str, ref: str) -> Closed:
    return Closed(event, states, code, ref)


TRANSFER_CLOSED: tuple[Closed, ...] = (
    _closed("schedule", tuple(TransferState), "SCHEDULE_BAD_STATE", "EA-26"),
    *(
        _closed(event, (PROCESSING, COMPLETED), "SCHEDULE_LOCKED", "EA-20")
        for event in ("edit_schedule", "resubmit_schedule")
    ),
    _closed("cancel_schedule", (PROCESSING,), "SCHEDULE_LOCKED", "EA-20"),
    _closed("cancel_schedule", (COMPLETED,), "IRREVERSIBLE", "EA-29"),
    *(
        _closed(event, OVER, "SCHEDULE_BAD_STATE", "EA-20")
        for event in ("edit_schedule", "resubmit_schedule", "cancel_schedule")
    ),
    *(
        _closed(event, (PROCESSING, COMPLETED, *OVER), "SCHEDULE_BAD_STATE", "EA-20")
        for event in ("begin_processing", "start", "abandon")
    ),
    *(
        _closed(event, (SCHEDULED, COMPLETED, *OVER), "SCHEDULE_BAD_STATE", "EA-20")
        for event in ("complete_processing", "fail_processing", "complete", "break_off")
    ),
    _closed("reconsider", (COMPLETED, *OVER), "SCHEDULE_BAD_STATE", "EA-24"),
)
