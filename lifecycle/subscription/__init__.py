"""The subscription lifecycle: states, requests, timers and rules, put together (SUB, TRM)."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.lifecycle.model import Event, Lifecycle, Payload, Reads
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.subscription.change import split_patch
from sublife.lifecycle.subscription.model import (
    Adopt,
    Arise,
    BuyAgain,
    ChangeBilling,
    ChangeSeats,
    ChangeTerm,
    ChooseTermEnd,
    ConvertTrial,
    Migrate,
    Patch,
    Purchase,
    ReceiveSeats,
    Rename,
    RequestTransfer,
    ScheduleChange,
    SetPor,
    SetPrice,
    Subscription,
    Suspend,
    Upgrade,
)
from sublife.lifecycle.subscription.rules import CLOSED, RULES
from sublife.lifecycle.subscription.state import State
from sublife.lifecycle.subscription.timer import timers

REQUESTS: Mapping[str, type[Payload]] = MappingProxyType(
    {
        "purchase": Purchase,
        "adopt": Adopt,
        "arise": Arise,
        "provision": Payload,
        "suspend": Suspend,
        "reactivate": Payload,
        "cancel": Payload,
        "turn_autorenew_off": Payload,
        "turn_autorenew_on": Payload,
        "schedule_change": ScheduleChange,
        "unschedule_change": Payload,
        "choose_term_end": ChooseTermEnd,
        "add_seats": ChangeSeats,
        "remove_seats": ChangeSeats,
        "receive_seats": ReceiveSeats,
        "change_term": ChangeTerm,
        "change_billing": ChangeBilling,
        "upgrade": Upgrade,
        "convert_trial": ConvertTrial,
        "rename": Rename,
        "set_por": SetPor,
        "set_price": SetPrice,
        "patch": Patch,
        "complete_renewal": Payload,
        "request_transfer": RequestTransfer,
        "accept_transfer": Payload,
        "withdraw_transfer": Payload,
        "migrate": Migrate,
        "buy_again": BuyAgain,
    }
)

TICKS = (
    "provisioning_ended",
    "term_ended",
    "renewal_ended",
    "renewal_overdue",
    "billing_cycle_ended",
    "expiry_ended",
    "grace_ended",
    "retention_ended",
    "suspension_ended",
    "migration_ended",
)

FIGURES: Mapping[str, Unit] = MappingProxyType(
    {
        "grace": Unit.DAYS,
        "disabled": Unit.DAYS,
        "suspended_disabled": Unit.DAYS,
        "canceled_retention": Unit.DAYS,
        "legacy_suspension": Unit.DAYS,
        "trial_length": Unit.DAYS,
        "trial_seats": Unit.COUNT,
        "provisioning_hours": Unit.HOURS,
        "renewal_earliest_hours": Unit.HOURS,
        "renewal_latest_hours": Unit.HOURS,
        "migration_earliest_hours": Unit.HOURS,
        "retry_after_minutes": Unit.COUNT,
        "cancellation_window": Unit.HOURS,
        "seat_window": Unit.HOURS,
        "smb_seat_limit": Unit.COUNT,
        "update_limit": Unit.COUNT,
        "coterminosity": Unit.ALLOWED,
        "three_year_billing_change": Unit.ALLOWED,
        "partner_transfer": Unit.ALLOWED,
        "legacy_sale": Unit.ALLOWED,
        "legacy_renewal": Unit.ALLOWED,
        "end_date_times": Unit.ALLOWED,
        "extended_service_term": Unit.ALLOWED,
        "extended_uplift": Unit.PERCENT,
        "extended_uplift_without_monthly": Unit.PERCENT,
    }
)

SWITCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "end_of_term": ("grace", "est"),
        "suspended_at_term_end": ("disabled", "expired"),
        "cancelled_data_retention": ("seven_days", "ninety_days"),
        "legacy_cutoff": ("seed", "postponed"),
        "processing": ("simulated", "reported"),
    }
)


def _limited(subject: Subscription) -> bool:
    """Whether a customer may hold only so many seats of what this is, or becomes (TRM-33)."""
    return subject.product.smb or bool(subject.converts_to and subject.converts_to.smb)


def reads(subject: Subscription | None, event: Event) -> Reads:
    """Return which other subscriptions *event* must see (TRM-21, TRM-33, TRM-34)."""
    match event.data:
        case Purchase(align_with=target, custom_end_on=end_on, product=product) as ask:
            customers = (ask.customer,) if product.smb or (end_on and not target) else ()
            return Reads((target,) if target else (), customers)
        case ScheduleChange(align_with=target, custom_end_on=end_on, product=product):
            smb = bool(subject and (product or subject.product).smb)
            whole = subject is not None and (smb or bool(end_on and not target))
            return Reads(
                (target,) if target else (), (subject.customer,) if subject and whole else ()
            )
        case Migrate(into=into):
            return Reads((into,))
        case Upgrade(into=into, product=product):
            customers = (subject.customer,) if subject and product.smb else ()
            return Reads((into,) if into else (), customers)
        case BuyAgain() | ChangeSeats() | ConvertTrial() | Patch() if subject and _limited(subject):
            return Reads(customers=(subject.customer,))
        case Patch(scheduled=ScheduleChange() as scheduled) if subject:
            target = scheduled.align_with
            return Reads((target,) if target else (), (subject.customer,))
        case _:
            return Reads()


SUBSCRIPTION = Lifecycle(
    name="subscription",
    snapshot=Subscription,
    states=tuple(State),
    final=frozenset({State.DELETED}),
    requests=REQUESTS,
    ticks=TICKS,
    rules=RULES,
    closed=CLOSED,
    timers=timers,
    reads=reads,
    compounds={"patch": split_patch},
    internal=frozenset({"arise", "receive_seats"}),
    figures=FIGURES,
    switches=SWITCHES,
)
