"""The states of a subscription and what each one means: table 1.1 as data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from sublife.lifecycle.subscription.model import Platform, Subscription


class State(StrEnum):
    """The eight states, in the order a lapse passes them (SUB-01)."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    GRACE = "grace"
    DISABLED = "disabled"
    CANCELED = "canceled"
    DELETED = "deleted"


class Admin(StrEnum):
    """How far administrators reach."""

    FULL = "full"
    DATA = "data"
    BACKUP = "backup"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a state means for those who use, run and pay for the subscription.

    Args:
        user_access: users may work.
        admin_access: what administrators still reach.
        partner_billed: the transacting partner is charged.
        wire_status: `status` of the Partner Center resource.
        duration: how long it lasts, in words.
        rule: the rule it comes from.
    """

    user_access: bool
    admin_access: Admin
    partner_billed: bool
    wire_status: str
    duration: str
    rule: str


MEANINGS: Mapping[State, Meaning] = MappingProxyType(
    {
        State.PENDING: Meaning(
            user_access=False,
            admin_access=Admin.NONE,
            partner_billed=False,
            wire_status="pending",
            duration="until provisioned",
            rule="SUB-01",
        ),
        State.ACTIVE: Meaning(
            user_access=True,
            admin_access=Admin.FULL,
            partner_billed=True,
            wire_status="active",
            duration="until the term end",
            rule="SUB-02",
        ),
        State.SUSPENDED: Meaning(
            user_access=False,
            admin_access=Admin.FULL,
            partner_billed=True,
            wire_status="suspended",
            duration="until reactivated or the term end",
            rule="SUB-07",
        ),
        State.EXPIRED: Meaning(
            user_access=True,
            admin_access=Admin.DATA,
            partner_billed=False,
            wire_status="expired",
            duration="none: grace or disabled follows at the same instant",
            rule="SUB-03",
        ),
        State.GRACE: Meaning(
            user_access=True,
            admin_access=Admin.DATA,
            partner_billed=False,
            wire_status="expired",
            duration="30 days",
            rule="SUB-04",
        ),
        State.DISABLED: Meaning(
            user_access=False,
            admin_access=Admin.DATA,
            partner_billed=False,
            wire_status="disabled",
            duration="90 days; after a suspended term end 30 + 90 days",
            rule="SUB-05",
        ),
        State.CANCELED: Meaning(
            user_access=False,
            admin_access=Admin.BACKUP,
            partner_billed=False,
            wire_status="deleted",
            duration="7 days for data backup",
            rule="SUB-09",
        ),
        State.DELETED: Meaning(
            user_access=False,
            admin_access=Admin.NONE,
            partner_billed=False,
            wire_status="deleted",
            duration="final",
            rule="SUB-06",
        ),
    }
)


def meaning(subscription: Subscription) -> Meaning:
    """Return what the subscription's state means for it (table 1.1).

    Three things beside the state count: a legacy subscription is not billed while suspended
    (SUB-15); one suspended by its own migration goes on serving its users (LEG-15); users of one
    that was suspended when its term ended stay out (SUB-10).
    """
    found = MEANINGS[State(subscription.state)]
    if subscription.move is not None and subscription.move.started_at is not None:
        return replace(found, user_access=True, partner_billed=False, rule="LEG-15")
    if found.partner_billed and found is not MEANINGS[State.ACTIVE] and _is_legacy(subscription):
        return replace(found, partner_billed=False, rule="SUB-15")
    if found.user_access and subscription.barred:
        return replace(found, user_access=False, rule="SUB-10")
    return found


def _is_legacy(subscription: Subscription) -> bool:
    return subscription.platform is Platform.LEGACY
