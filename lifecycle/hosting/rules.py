"""The state × event table of a hoster's standing: what is accepted, what is refused."""

from sublife.lifecycle.hosting import admission
from sublife.lifecycle.hosting import guard as g
from sublife.lifecycle.hosting.model import State
from sublife.lifecycle.hosting.right import evaluate
from sublife.lifecycle.model import ABSENT, Closed, Rule

OUTSIDE = (State.OUTSIDE,)
QMTH = (State.QMTH,)
HOSTER = (State.CSP_HOSTER,)
EVERY = tuple(State)

RULES: tuple[Rule, ...] = (
    Rule("register", (ABSENT,), State.OUTSIDE, admission.register, ("HST-09",)),
    # The QMTH programme, which a CSP-Hoster may belong to as well.
    Rule(
        "authorize_qmth",
        (*OUTSIDE, *QMTH),
        State.QMTH,
        admission.authorize_qmth,
        ("HST-02",),
        unless=(g.qmth_is_over, g.qmth_held),
    ),
    Rule(
        "authorize_qmth",
        HOSTER,
        None,
        admission.authorize_qmth,
        ("HST-02",),
        unless=(g.qmth_is_over, g.qmth_held),
    ),
    Rule("withdraw_qmth", QMTH, State.OUTSIDE, admission.withdraw_qmth, ("HST-02",)),
    Rule(
        "withdraw_qmth",
        (*OUTSIDE, *HOSTER),
        None,
        admission.withdraw_qmth,
        ("HST-02",),
        unless=(g.qmth_not_held,),
    ),
    Rule("qmth_ended", QMTH, State.OUTSIDE, admission.end_qmth, ("HST-01", "HST-03")),
    Rule("qmth_ended", HOSTER, None, admission.end_qmth, ("HST-01", "HST-03")),
    Rule("qmth_period_ended", (*QMTH, *HOSTER), None, admission.close_qmth_period, ("HST-02",)),
    # The CSP-Hoster programme.
    Rule(
        "apply_hoster",
        (*OUTSIDE, *QMTH),
        State.CSP_HOSTER,
        admission.admit,
        ("HST-04", "HST-10"),
    ),
    Rule("leave_hoster", HOSTER, State.QMTH, admission.leave, ("HST-08",), when=(g.holds_qmth,)),
    Rule("leave_hoster", HOSTER, State.OUTSIDE, admission.leave, ("HST-08",)),
    Rule("hoster_period_ended", HOSTER, None, admission.close_hoster_period, ("HST-12",)),
    # Reports and questions.
    Rule("report", EVERY, None, admission.report, ("HST-02", "HST-12")),
    Rule("evaluate", EVERY, None, evaluate, ("HST-09",)),
)

CLOSED: tuple[Closed, ...] = (
    Closed("register", EVERY, "HOSTING_BAD_STATE", "HST-09"),
    Closed("apply_hoster", HOSTER, "HOSTING_BAD_STATE", "HST-10"),
    Closed("leave_hoster", (*OUTSIDE, *QMTH), "HOSTING_BAD_STATE", "HST-08"),
)
