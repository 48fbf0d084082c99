"""The shape of a partner, and of every request it understands."""

from sublife.lifecycle.partner.model.request import (
    Application,
    EndSupportPlan,
    Enrol,
    RecordAssessment,
    RecordPayment,
    RecordRevenue,
    TakeSupportPlan,
)
from sublife.lifecycle.partner.model.shape import (
    CURRENCY,
    Assessment,
    Notice,
    Partner,
    Revenue,
    RevenueKind,
    State,
    SupportPlan,
)

__all__ = [
    "CURRENCY",
    "Application",
    "Assessment",
    "EndSupportPlan",
    "Enrol",
    "Notice",
    "Partner",
    "RecordAssessment",
    "RecordPayment",
    "RecordRevenue",
    "Revenue",
    "RevenueKind",
    "State",
    "SupportPlan",
    "TakeSupportPlan",
]
