"""Conditions that choose a rule and objections that refuse; both see no payload."""

from sublife.lifecycle.hosting.model import Hosting
from sublife.lifecycle.hosting.right import qmth_over
from sublife.lifecycle.model import Refusal, Standing
from sublife.lifecycle.refusal import refuse

Here = Standing[Hosting]


def holds_qmth(here: Here) -> bool:
    """The partner is authorized under QMTH."""
    return here.subject.qmth_reporting is not None


def qmth_is_over(here: Here) -> Refusal | None:
    """Refuse an authorization once the programme has ended (HST-01)."""
    return qmth_over(here.policy, here.at)


def qmth_held(here: Here) -> Refusal | None:
    """Refuse a second authorization (HST-02)."""
    if not holds_qmth(here):
        return None
    return _refused(here, "HST-02", "authorize_qmth", "authorized under QMTH")


def qmth_not_held(here: Here) -> Refusal | None:
    """Refuse to withdraw an authorization that there is none of (HST-02)."""
    if holds_qmth(here):
        return None
    return _refused(here, "HST-02", "withdraw_qmth", "not authorized under QMTH")


def _refused(here: Here, rule: str, event: str, state: str) -> Refusal:
    partner = here.subject.partner
    return refuse("HOSTING_BAD_STATE", rule=rule, event=event, state=state, partner=partner)
