"""Chapter GEN: how the rules of time, parties and scope are switched off."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from sublife.lifecycle.customer.model import RelationshipKind
from sublife.lifecycle.dates import add_months, day_starts_at, natural_end
from sublife.lifecycle.model import Segment, iso
from sublife.lifecycle.refusal import refuse
from sublife.lifecycle.subscription.model import Platform, Subscription
from sublife.lifecycle.subscription.window import cancelable_until
from tests.mutation.switch import (
    Change,
    Changes,
    Off,
    around,
    granted,
    instead,
    off,
    result,
    returning,
    sets,
    undue,
)

_ONE_DAY = timedelta(days=1)
_MONTH_DAYS = 30
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)$")


def _at_face_value(at: datetime, **_: object) -> datetime:
    return at.replace(tzinfo=UTC)


def _clock_face(original: Any) -> Any:
    def instant(self: Any, name: str) -> datetime | None:
        at = cast("datetime | None", original(self, name))
        offset = _OFFSET.search(self.text(name))
        if at is None or offset is None:
            return at
        sign, hours, minutes = offset.groups()
        return at + int(f"{sign}1") * timedelta(hours=int(hours), minutes=int(minutes))

    return instant


def _a_moment_later(timers: Any, *_: object) -> Any:
    return tuple(timer._replace(due_at=timer.due_at + timedelta.resolution) for timer in timers)


def _closed_at_its_last_instant(refusal: Any, here: Any) -> Any:
    until = cancelable_until(here.subject, here.policy, here.at)
    if refusal is None and until == here.at and until is not None:
        return refuse("CANCEL_WINDOW_CLOSED", closed_at=iso(until))
    return refusal


def _in_months(length: timedelta, _policy: object, _name: str, at: datetime, **_: object) -> Any:
    months, rest = divmod(length, timedelta(days=_MONTH_DAYS))
    if rest or not months:
        return length
    return day_starts_at(add_months(at.date(), months)) - day_starts_at(at.date())


def _drifting(subject: Subscription) -> Subscription:
    first = subject.ends_on + _ONE_DAY
    return replace(
        subject,
        cycles_on=None,
        anchor_on=first,
        terms=1,
        starts_on=first,
        ends_on=natural_end(first, subject.term),
    )


def _early(original: Any) -> Any:
    """Leave what falls due at the instant of a request until after it."""

    def catching_up(self: Any) -> None:
        self.early = True
        try:
            original(self)
        finally:
            self.early = False

    return catching_up


def _commands_first() -> tuple[Change, ...]:
    """Decide what is asked at an instant before what falls due at it."""
    asked = {"event": False}

    def perform(original: Any) -> Any:
        def performed(*given: Any) -> None:
            asked["event"] = given[-1].event is not None
            original(*given)
            asked["event"] = False

        return performed

    def advance(original: Any) -> Any:
        def advanced(going: Any, *given: Any) -> None:
            *others, to = given
            before = max(to - timedelta.resolution, going.clock.now())
            original(going, *others, before if asked["event"] else to)
            going.clock.move(to)

        return advanced

    def current(original: Any) -> Any:
        def currently(self: Any, event: Any, decided: Any) -> Any:
            self.early = event.actor.kind != "timer"
            try:
                return original(self, event, decided)
            finally:
                self.early = False

        return currently

    def settle(original: Any) -> Any:
        def settled(self: Any, subjects: Any, until: datetime, **named: Any) -> None:
            early = getattr(self, "early", False)
            original(self, subjects, until - timedelta.resolution if early else until, **named)

        return settled

    return (
        around("scheduler.replay.runner._perform", perform),
        around("scheduler.replay.runner._advance", advance),
        around("events.intake.command.Command._catch_up", _early),
        around("events.intake.work.Intake._current", current),
        around("events.intake.work.Intake.advance", settle),
    )


def _newest(_original: object) -> Any:
    def span(self: Any, figure: Any, at: datetime) -> Any:
        return figure.spans[self.switch(figure.by, at) if figure.by else ""][-1]

    return span


def _no_alert(changes: Changes) -> None:
    """Let no lateness be told by any lifecycle."""
    undue("lifecycle.subscription.timer.timers", "renewal_overdue")(changes)
    undue("lifecycle.transfer.timer.timers", "transfer_overdue")(changes)
    undue("lifecycle.migration.timer.timers", "processing_overdue")(changes)


def _exclusive(last_day: date) -> datetime:
    return day_starts_at(last_day)


OFF: Mapping[str, Off] = {
    "GEN-01": off(
        "a time with an offset is read as if it were UTC",
        instead("lifecycle.model.utc", _at_face_value),
        around("events.wire.Reader.instant", _clock_face),
    ),
    "GEN-02": off(
        "an end date is not covered itself: what ends on it ends as the day begins",
        instead("lifecycle.dates.term_ends_at", _exclusive),
    ),
    "GEN-03": off(
        "a state still holds at the instant it ends",
        result("lifecycle.subscription.timer.timers", _a_moment_later),
        broad="most scenarios look at the very instant at which a state ends",
    ),
    "GEN-04": off(
        "the last instant of the cancellation window is too late",
        result("lifecycle.subscription.guard.window_closed", _closed_at_its_last_instant),
    ),
    "GEN-05": off(
        "30 and 90 days are one and three months of the calendar",
        result("lifecycle.policy.Policy.length", _in_months),
    ),
    "GEN-06": off(
        "each term is counted from the one before it, so that month ends drift",
        instead("lifecycle.subscription.term.following", _drifting),
    ),
    "GEN-07": off("nobody is told that processing is late", _no_alert),
    "GEN-08": off("a request comes before what is due at its instant", *_commands_first()),
    "GEN-09": off(
        "the figures in force today apply to what happened before",
        around("lifecycle.policy.Policy._span", _newest),
    ),
    "GEN-10": off("the role of who asks does not matter", granted("ROLE_DENIED")),
    "GEN-11": off(
        "resellers transact like anybody else",
        returning("lifecycle.subscription.birth.reseller_cannot_transact", None),
        returning("lifecycle.partner.standing.transact_objection", None),
        returning("lifecycle.customer.act._kind", RelationshipKind.RESELLER),
    ),
    "GEN-13": off(
        "what comes from another channel is a purchase like any other",
        returning("lifecycle.subscription.manual.is_elsewhere", False),
    ),
    "GEN-14": off(
        "every customer counts as commercial",
        sets("lifecycle.subscription.birth.purchase", segment=Segment.COMMERCIAL),
        granted("SEGMENT_UNSUPPORTED"),
    ),
    "GEN-15": off(
        "there is one platform: legacy is sold as new commerce",
        sets("lifecycle.subscription.birth.purchase", platform=Platform.NCE),
    ),
    "GEN-16": off("nothing is out of scope", granted("OUT_OF_SCOPE", "GEN-16")),
}
