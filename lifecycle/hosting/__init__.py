"""The hosting lifecycle: QMTH, CSP-Hoster, and licences that customers bring (HST)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.hosting.model import (
    ApplyHoster,
    Evaluate,
    Hosting,
    Register,
    Report,
    State,
)
from sublife.lifecycle.hosting.rules import CLOSED, RULES
from sublife.lifecycle.hosting.timer import timers
from sublife.lifecycle.model import NO_READS, Event, Lifecycle, Payload, Reads
from sublife.lifecycle.policy import Unit

REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "register": Register,
        "authorize_qmth": Payload,
        "withdraw_qmth": Payload,
        "apply_hoster": ApplyHoster,
        "leave_hoster": Payload,
        "report": Report,
        "evaluate": Evaluate,
    }
)

TICKS = ("qmth_ended", "qmth_period_ended", "hoster_period_ended")

LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"qmth_report_months": (1, 12), "hoster_report_months": (1, 12)}
)

FIGURES: Mapping[str, Unit] = MappingProxyType(
    {
        "qmth": Unit.ALLOWED,
        "shared_apps": Unit.ALLOWED,
        "byol": Unit.ALLOWED,
        "csp_hoster": Unit.ALLOWED,
        "hoster_in_house": Unit.ALLOWED,
        "hoster_qmth_months": Unit.MONTHS,
        "qmth_report_months": Unit.MONTHS,
        "hoster_report_months": Unit.MONTHS,
        "hoster_report_products": Unit.COUNT,
        "hoster_report_tenants": Unit.ALLOWED,
    }
)


def reads(subject: Hosting | None, event: Event) -> Reads:
    """Return which other subject *event* must see: the partner that applies (HST-10)."""
    match event.data:
        case ApplyHoster() if subject is not None:
            return Reads((subject.partner,))
        case _:
            return NO_READS


HOSTING = Lifecycle(
    name="hosting",
    snapshot=Hosting,
    states=tuple(State),
    final=frozenset(),
    requests=REQUESTS,
    ticks=TICKS,
    rules=RULES,
    closed=CLOSED,
    timers=timers,
    reads=reads,
    figures=FIGURES,
    limits=LIMITS,
)
