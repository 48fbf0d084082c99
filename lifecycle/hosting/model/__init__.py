"""The shape of a hoster's standing, and of every request it understands."""

from sublife.lifecycle.hosting.model.request import (
    ApplyHoster,
    Evaluate,
    Register,
    Report,
    ReportLine,
)
from sublife.lifecycle.hosting.model.shape import (
    Hosting,
    ListedProvider,
    Owner,
    Platform,
    Programme,
    Qmth,
    Reporting,
    Spla,
    State,
    Use,
)

__all__ = [
    "ApplyHoster",
    "Evaluate",
    "Hosting",
    "ListedProvider",
    "Owner",
    "Platform",
    "Programme",
    "Qmth",
    "Register",
    "Report",
    "ReportLine",
    "Reporting",
    "Spla",
    "State",
    "Use",
]
