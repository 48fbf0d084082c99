"""The shapes of an Enterprise Agreement and of a scheduled renewal to CSP, and their requests."""

from sublife.lifecycle.transfer.model.request import (
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
)
from sublife.lifecycle.transfer.model.shape import (
    Agreement,
    AgreementState,
    Availability,
    Change,
    EaSubscription,
    Transfer,
    TransferState,
    Window,
)

__all__ = [
    "Agreement",
    "AgreementState",
    "Availability",
    "Change",
    "Complete",
    "EaSubscription",
    "EditSchedule",
    "ExtendAgreement",
    "FailProcessing",
    "NoteEaSubscription",
    "PutOnEpt",
    "Reconsider",
    "RecordAgreement",
    "RenewAgreement",
    "ResubmitSchedule",
    "Schedule",
    "Stop",
    "Transfer",
    "TransferState",
    "Window",
]
