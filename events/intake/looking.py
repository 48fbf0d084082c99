"""What would be: a subject as of an instant, and what the calendar brings. Nothing is written."""

from collections.abc import Iterable
from datetime import datetime

from sublife.events.intake.outcome import Outcome, Stuck
from sublife.events.intake.together import Together
from sublife.events.intake.work import Intake
from sublife.events.store import Held, Transaction


def held_at(tx: Transaction, subject: str, at: datetime) -> Held | None:
    """Return a subject as it stands when everything due by *at* has happened, to look at it.

    Args:
        tx: of `Store.preview`, so that none of it is written.
        subject: id.
        at: UTC instant, inclusive.
    """
    intake = Together(tx, at, at)
    intake.advance((subject,), at)
    if tx.held(subject) is None:
        intake.settle_all(at)
    return tx.held(subject)


def foreseen(
    tx: Transaction, subjects: Iterable[str], until: datetime
) -> tuple[tuple[Outcome, ...], tuple[Stuck, ...]]:
    """Return what the calendar brings to subjects by *until*, and to others through them.

    Args:
        tx: of `Store.preview`, so that none of it is written.
        subjects: ids.
        until: UTC instant, inclusive.

    Returns:
        The outcomes in due order, each with what followed from it; and the subjects whose timer
        cannot be applied.
    """
    names = tuple(subjects)
    intake = Intake(tx, until)
    stuck: dict[str, Stuck] = {}
    tx.hold(names)
    intake.prefetch(names)
    intake.advance(names, until, stuck=stuck)
    outcomes = tuple(each for outcome in intake.outcomes for each in outcome.sequence())
    return outcomes, tuple(stuck.values())
