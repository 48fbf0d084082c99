"""submit() and settle(): the one door. One transaction per event, due before command (GEN-08)."""

from sublife.events.intake.error import (
    EventIdTakenError,
    EventInFutureError,
    IntakeError,
    StaleVersionError,
)
from sublife.events.intake.looking import foreseen, held_at
from sublife.events.intake.outcome import Outcome, Settled, Stuck
from sublife.events.intake.settling import settle
from sublife.events.intake.submission import submit
from sublife.events.intake.work import BATCH

__all__ = [
    "BATCH",
    "EventIdTakenError",
    "EventInFutureError",
    "IntakeError",
    "Outcome",
    "Settled",
    "StaleVersionError",
    "Stuck",
    "foreseen",
    "held_at",
    "settle",
    "submit",
]
