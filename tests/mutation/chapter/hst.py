"""Chapter HST: how the rules of hosting rights are switched off."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sublife.lifecycle.hosting.model import State, Use
from sublife.lifecycle.hosting.right import Right
from sublife.lifecycle.model import Refusal
from sublife.lifecycle.refusal import refuse
from tests.mutation.switch import Change, Off, around, figure, off, result, returning

_RIGHT = "lifecycle.hosting.right"


def answering(use: Use, make: Callable[[Any], Any]) -> Change:
    """Let another function answer for a use."""
    return around(f"{_RIGHT}._RIGHTS", lambda rights: {**rights, use: make(rights[use])})


def _granted_by(rule: str) -> Callable[..., Any]:
    def of(found: Any, *_: object) -> Any:
        return Right((rule,)) if isinstance(found, Refusal) else found

    return of


def _listed_by_nobody(original: Any) -> Any:
    def byol(case: Any) -> Any:
        return original(case._replace(subject=replace(case.subject, listed=None)))

    return byol


def _to_members(rule: str) -> Callable[[Any], Any]:
    """Return what lets only a CSP-Hoster have the right."""

    def make(original: Any) -> Any:
        def answered(case: Any) -> Any:
            found = original(case)
            if isinstance(found, Refusal) or case.subject.state == State.CSP_HOSTER:
                return found
            return refuse("HOSTER_REQUIREMENT", rule=rule, missing="CSP-Hoster admission")

        return answered

    return make


OFF: Mapping[str, Off] = {
    "HST-01": off("QMTH never ends", figure("qmth", value=True)),
    "HST-02": off(
        "shared infrastructure takes no authorization and no report",
        result(f"{_RIGHT}._under_qmth", _granted_by("HST-02")),
    ),
    "HST-03": off(
        "use rights do not change: shared infrastructure goes on taking QMTH",
        figure("shared_apps", value=False),
    ),
    "HST-04": off("there has always been a CSP-Hoster programme", figure("csp_hoster", value=True)),
    "HST-05": off("customers could always bring their licences", figure("byol", value=True)),
    "HST-06": off(
        "licences are brought to listed providers too", answering(Use.BYOL, _listed_by_nobody)
    ),
    "HST-07": off(
        "a hoster uses licences of its own",
        result(f"{_RIGHT}._own_licence", _granted_by("HST-07")),
    ),
    "HST-08": off(
        "only members of the programme take in brought licences",
        answering(Use.BYOL, _to_members("HST-08")),
    ),
    "HST-09": off(
        "only members of the programme run apps for customers",
        answering(Use.APPS, _to_members("HST-09")),
    ),
    "HST-10": off(
        "nothing is asked of who applies for CSP-Hoster",
        returning("lifecycle.hosting.admission._missing", ()),
    ),
    "HST-12": off("CSP-Hosters report each month for ever", figure("hoster_report_months", 1)),
}
