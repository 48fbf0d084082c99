"""What a hoster may do at an instant: the rule that answers, since when and until when (HST)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sublife.lifecycle.hosting.model import (
    Evaluate,
    Hosting,
    ListedProvider,
    Owner,
    Platform,
    State,
    Use,
)
from sublife.lifecycle.model import Case, Effect, Fact, Refusal, Value, iso
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.refusal import refuse

_ONE_SECOND = timedelta(seconds=1)
Asked = Case[Hosting, Evaluate]


@dataclass(frozen=True, slots=True)
class Right:
    """A yes.

    Args:
        rules: the rule that grants it comes first.
        figure: the dated figure of the policy that says since when and until when; empty where
            it has always been so.
        condition: what it is tied to.
    """

    rules: tuple[str, ...]
    figure: str = ""
    condition: str = ""


def evaluate(case: Asked) -> Effect[Hosting] | Refusal:
    """Answer whether a use is allowed at this instant, with the rule and its dates."""
    ask, policy, at = case.data, case.policy, case.at
    right = _RIGHTS[ask.use](case)
    if isinstance(right, Refusal):
        return right
    data: dict[str, Value] = {
        "use": ask.use.value,
        "platform": ask.platform.value,
        "owner": ask.owner.value,
        "rule": right.rules[0],
        **_dates(right, policy, at),
        **({"condition": right.condition} if right.condition else {}),
    }
    return Effect(case.subject, (Fact("hosting-right-evaluated", data),), rules=right.rules)


def _dates(right: Right, policy: Policy, at: datetime) -> dict[str, Value]:
    if not right.figure:
        return {}
    span = policy.span(right.figure, at)
    found: dict[str, Value] = {}
    if span.start is not None:
        found["since_on"] = span.start.date().isoformat()
    if span.end is not None:
        found["until_on"] = (span.end - _ONE_SECOND).date().isoformat()
    return found


def _apps(case: Asked) -> Right | Refusal:
    """Microsoft 365 Apps run for customers (HST-01, HST-02, HST-03, HST-09).

    On shared infrastructure it took the QMTH programme until changed use rights opened it to
    every CSP partner; on dedicated infrastructure it never did.
    """
    ask, policy, at = case.data, case.policy, case.at
    if ask.owner is Owner.OWN:
        return _own_licence(case)
    if ask.under_qmth:
        return _under_qmth(case)
    if ask.platform is Platform.DEDICATED:
        return Right(("HST-09",))
    if policy.allows("shared_apps", at):
        return Right(("HST-03", "HST-09"), "shared_apps")
    return _under_qmth(case)


def _under_qmth(case: Asked) -> Right | Refusal:
    """Return the right of the QMTH programme, for those it authorizes and that report."""
    subject, policy, at = case.subject, case.policy, case.at
    if refusal := qmth_over(policy, at):
        return refusal
    reporting = subject.qmth_reporting
    if reporting is None:
        return refuse("QMTH_REQUIRED", reason="the partner is not authorized")
    if reporting.missed:
        month = f"{reporting.missed[0]:%Y-%m}"
        return refuse("QMTH_REQUIRED", reason=f"the report of {month} has not been handed in")
    return Right(("HST-02",), "qmth", "monthly report of the licences needed, and a fee")


def qmth_over(policy: Policy, at: datetime) -> Refusal | None:
    """Refuse what rests on QMTH once the programme has ended; its last day counts (HST-01)."""
    if policy.allows("qmth", at):
        return None
    start = policy.span("qmth", at).start
    return refuse("QMTH_ENDED", ended_at=iso(start) if start else "an earlier date")


def _byol(case: Asked) -> Right | Refusal:
    """Customers bring their subscription licences to a hoster (HST-05, HST-06, HST-08)."""
    ask, policy, at = case.data, case.policy, case.at
    if ask.owner is Owner.OWN:
        return _own_licence(case)
    if not policy.allows("byol", at):
        end = policy.span("byol", at).end
        return refuse("BYOL_NOT_YET", from_at=iso(end) if end else "a later date")
    if case.subject.listed is not None:
        listed = ", ".join(each.value.capitalize() for each in ListedProvider)
        return refuse("LISTED_PROVIDER", provider=case.subject.listed.value, listed=listed)
    return Right(("HST-05", "HST-08", "HST-09"), "byol")


def _prebuilt(case: Asked) -> Right | Refusal:
    """Applications and desktops built beforehand with own keys and media (HST-04, HST-08)."""
    if refusal := hoster_not_yet(case.policy, case.at):
        return refusal
    if case.subject.state != State.CSP_HOSTER:
        return refuse("HOSTER_REQUIREMENT", rule="HST-04", missing="CSP-Hoster admission")
    if case.data.owner is Owner.OWN:
        return _own_licence(case)
    return Right(("HST-04", "HST-08"), "csp_hoster")


def hoster_not_yet(policy: Policy, at: datetime) -> Refusal | None:
    """Refuse what rests on CSP-Hoster before the programme exists (HST-04)."""
    if policy.allows("csp_hoster", at):
        return None
    end = policy.span("csp_hoster", at).end
    return refuse("HOSTER_NOT_YET", from_at=iso(end) if end else "a later date")


def _own_licence(case: Asked) -> Right | Refusal:
    """Refuse the hoster's own licences, but for an application of its own house (HST-07)."""
    in_house = case.data.in_house and case.policy.allows("hoster_in_house", case.at)
    if in_house and case.subject.state == State.CSP_HOSTER:
        return Right(("HST-07",), "hoster_in_house")
    return refuse("HOSTER_OWN_LICENSE", partner=case.subject.partner)


_RIGHTS: Mapping[Use, Callable[[Asked], Right | Refusal]] = {
    Use.APPS: _apps,
    Use.BYOL: _byol,
    Use.PREBUILT: _prebuilt,
}
