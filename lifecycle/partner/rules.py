"""The state × event table of a partner: what is accepted, what is refused."""

from sublife.lifecycle.model import ABSENT, Closed, Rule
from sublife.lifecycle.partner import enrolment, judgment, record
from sublife.lifecycle.partner import guard as g
from sublife.lifecycle.partner.model import State

AUTHORIZED = (State.AUTHORIZED,)
FALLEN = (State.TRANSITION_REQUIRED, State.RESTRICTED)
DEAUTHORIZED = (State.DEAUTHORIZED,)
EVERY = tuple(State)

RULES: tuple[Rule, ...] = (
    # How it enters, changes its model and comes back.
    Rule(
        "enrol",
        (ABSENT,),
        State.AUTHORIZED,
        enrolment.enrol,
        ("AUT-01", "AUT-10", "AUT-19", "AUT-23"),
    ),
    Rule(
        "enrol",
        AUTHORIZED,
        State.AUTHORIZED,
        enrolment.become_reseller,
        ("AUT-04",),
        when=(g.is_direct,),
    ),
    Rule(
        "enrol",
        AUTHORIZED,
        None,
        enrolment.refuse_enrolment,
        ("AUT-09",),
        unless=(g.enrolled_already,),
    ),
    Rule("enrol", FALLEN, State.AUTHORIZED, enrolment.become_reseller, ("AUT-04", "AUT-09")),
    Rule(
        "enrol",
        DEAUTHORIZED,
        State.AUTHORIZED,
        enrolment.reenrol,
        ("AUT-18", "AUT-19"),
        unless=(g.too_early,),
    ),
    # What is taken down of it.
    Rule("record_revenue", EVERY, None, record.record_revenue, ("AUT-08", "AUT-15")),
    Rule("record_payment", EVERY, None, record.record_payment, ("AUT-08",)),
    Rule("sign_mpa", EVERY, None, record.sign_mpa, ("AUT-24",)),
    Rule("take_support_plan", EVERY, None, record.take_support_plan, ("AUT-02", "AUT-03")),
    Rule(
        "end_support_plan",
        EVERY,
        None,
        record.end_support_plan,
        ("AUT-02", "AUT-03"),
        unless=(g.no_plan,),
    ),
    Rule("record_assessment", EVERY, None, record.record_assessment, ("AUT-13",)),
    Rule(
        "create_sandbox",
        EVERY,
        None,
        record.create_sandbox,
        ("AUT-06",),
        unless=(g.no_transactor, g.restricted),
    ),
    Rule("review", EVERY, None, judgment.review, ("AUT-08", "AUT-15")),
    # The calendar: the first rule whose conditions hold is the one.
    Rule(
        "authorization_year_ended",
        AUTHORIZED,
        State.TRANSITION_REQUIRED,
        judgment.require_transition,
        ("AUT-02", "AUT-03", "AUT-04"),
        when=(g.is_direct, g.falls_short),
    ),
    Rule(
        "authorization_year_ended",
        AUTHORIZED,
        State.DEAUTHORIZED,
        judgment.deauthorize,
        ("AUT-14", "AUT-17", "AUT-18"),
        when=(g.falls_short,),
    ),
    Rule(
        "authorization_year_ended",
        AUTHORIZED,
        None,
        judgment.pass_direct_check,
        ("AUT-02", "AUT-03"),
        when=(g.is_direct,),
    ),
    Rule(
        "authorization_year_ended",
        AUTHORIZED,
        None,
        judgment.pass_check,
        ("AUT-14", "AUT-17"),
    ),
    Rule(
        "transition_ended",
        (State.TRANSITION_REQUIRED,),
        State.RESTRICTED,
        judgment.restrict,
        ("AUT-04", "AUT-06"),
    ),
    Rule(
        "notice_wait_ended",
        AUTHORIZED,
        None,
        judgment.notify,
        ("AUT-16",),
        when=(g.would_fall_short,),
    ),
    Rule("notice_wait_ended", AUTHORIZED, None, judgment.keep_quiet, ("AUT-16",)),
    # A test of reseller revenue that Microsoft makes within the anniversary month.
    Rule(
        "enforce",
        AUTHORIZED,
        State.DEAUTHORIZED,
        judgment.deauthorize,
        ("AUT-14", "AUT-17", "AUT-18"),
        when=(g.falls_short,),
        unless=(g.no_reseller, g.not_yet_subject),
    ),
    Rule(
        "enforce",
        AUTHORIZED,
        None,
        judgment.pass_check,
        ("AUT-14", "AUT-17"),
        unless=(g.no_reseller, g.not_yet_subject),
    ),
    Rule(
        "enforce",
        FALLEN,
        None,
        enrolment.refuse_enrolment,
        ("AUT-14",),
        unless=(g.no_reseller,),
    ),
)

CLOSED: tuple[Closed, ...] = (Closed("enforce", DEAUTHORIZED, "PARTNER_BAD_STATE", "AUT-17"),)
