"""The state × event table of a migration: what is accepted, what is refused."""

from sublife.lifecycle.migration import guard as g
from sublife.lifecycle.migration import lead, process, request, schedule
from sublife.lifecycle.migration.model import State
from sublife.lifecycle.model import ABSENT, Closed, Rule

BORN = (ABSENT,)
SCHEDULED = (State.SCHEDULED,)
PROCESSING = (State.PROCESSING,)
FAILED = (State.FAILED,)
COMPLETED = (State.COMPLETED,)
OVER = (*COMPLETED, State.CANCELLED, State.REVERTED)
EVERY = tuple(State)

RULES: tuple[Rule, ...] = (
    # How it begins.
    Rule(
        "request",
        BORN,
        State.PROCESSING,
        request.request,
        ("LEG-15", "LEG-16", "LEG-18", "LEG-19", "LEG-20"),
    ),
    Rule("schedule", BORN, State.SCHEDULED, schedule.schedule, ("LEG-21",)),
    Rule("announce", BORN, State.SCHEDULED, lead.announce, ("LEG-24",)),
    Rule("lead", BORN, State.PROCESSING, lead.lead, ("LEG-04", "LEG-15"), when=(g.may_be_led,)),
    Rule("lead", BORN, State.FAILED, lead.fail_to_lead, ("LEG-04",)),
    # While it waits.
    Rule(
        "update",
        SCHEDULED,
        None,
        schedule.update,
        ("LEG-21",),
        unless=(g.led_by_microsoft,),
    ),
    Rule(
        "cancel",
        SCHEDULED,
        State.CANCELLED,
        schedule.cancel,
        ("LEG-21",),
        unless=(g.led_by_microsoft,),
    ),
    *(
        rule
        for event in ("target_reached", "begin")
        for rule in (
            Rule(
                event,
                SCHEDULED,
                State.PROCESSING,
                schedule.begin,
                ("LEG-15", "LEG-21"),
                when=(g.may_begin,),
            ),
            Rule(event, SCHEDULED, State.FAILED, schedule.fail_schedule, ("LEG-21",)),
        )
    ),
    Rule(
        "renewal_missed",
        SCHEDULED,
        None,
        schedule.aim_anew,
        ("LEG-21",),
        when=(g.renewal_is_ahead,),
    ),
    Rule("renewal_missed", SCHEDULED, State.FAILED, schedule.fail_schedule, ("LEG-21",)),
    # While it is processed, and afterwards.
    Rule(
        "processing_ended",
        PROCESSING,
        State.COMPLETED,
        process.complete,
        ("LEG-15", "LEG-16"),
    ),
    Rule("complete", PROCESSING, State.COMPLETED, process.complete, ("LEG-15", "LEG-16")),
    Rule(
        "complete",
        FAILED,
        State.COMPLETED,
        process.complete,
        ("LEG-17",),
        unless=(g.not_under_repair,),
    ),
    Rule("fail", PROCESSING, State.FAILED, process.fail, ("LEG-16", "LEG-17")),
    Rule(
        "revert",
        FAILED,
        State.REVERTED,
        process.revert,
        ("LEG-17",),
        unless=(g.not_under_repair,),
    ),
    Rule(
        "retry",
        FAILED,
        State.PROCESSING,
        process.retry,
        ("LEG-17", "LEG-26"),
        unless=(g.under_repair,),
    ),
    Rule("processing_overdue", (*PROCESSING, *FAILED), None, process.tell_overdue, ("GEN-07",)),
)


def _closed(event: str, states: tuple[State, ...], ref: str = "LEG-21") -> Closed:
    return Closed(event, states, "MIGRATION_LOCKED", ref)


CLOSED: tuple[Closed, ...] = (
    *(_closed(event, EVERY) for event in ("request", "schedule", "announce", "lead")),
    *(_closed(event, (*PROCESSING, *FAILED, *OVER)) for event in ("update", "cancel", "begin")),
    _closed("complete", (*SCHEDULED, *OVER), "LEG-17"),
    _closed("fail", (*SCHEDULED, *FAILED, *OVER), "LEG-17"),
    _closed("revert", (*SCHEDULED, *PROCESSING, State.CANCELLED, State.REVERTED), "LEG-17"),
    Closed("revert", COMPLETED, "IRREVERSIBLE", "8.5"),
    _closed("retry", (*SCHEDULED, *PROCESSING, *OVER), "LEG-17"),
)
