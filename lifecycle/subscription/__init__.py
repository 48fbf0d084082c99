"""The subscription lifecycle: states, requests, timers and rules, put together (SUB, TRM)."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sublife.lifecycle.model import NO_READS, ActorKind, Event, Lifecycle, Payload, Reads
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.programme import programme_id
from sublife.lifecycle.subscription.change import split_patch
from sublife.lifecycle.subscription.model import (
    Adopt,
    Arise,
    AwaitMigration,
    BuyAgain,
    ChangeBilling,
    ChangeSeats,
    ChangeTerm,
    ChooseTermEnd,
    ConvertTrial,
    EnterMigration,
    NoteSuccessor,
    Patch,
    Platform,
    Purchase,
    ReceiveSeats,
    ReleaseMigration,
    Rename,
    RequestTransfer,
    ScheduleChange,
    SetPor,
    SetPrice,
    Subscription,
    Suspend,
    Upgrade,
)
from sublife.lifecycle.subscription.por import partners_named
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
        "note_successor": NoteSuccessor,
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
        "await_migration": AwaitMigration,
        "enter_migration": EnterMigration,
        "revert_migration": Payload,
        "complete_migration": Payload,
        "release_migration": ReleaseMigration,
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
    "last_day_began",
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
        "retry_after_minutes": Unit.COUNT,
        "cancellation_window": Unit.HOURS,
        "seat_window": Unit.HOURS,
        "smb_seat_limit": Unit.COUNT,
        "update_limit": Unit.COUNT,
        "coterminosity": Unit.ALLOWED,
        "three_year_billing_change": Unit.ALLOWED,
        "partner_transfer": Unit.ALLOWED,
        "continuity": Unit.DAYS,
        "doubled_subscriptions": Unit.COUNT,
        "legacy_sale": Unit.ALLOWED,
        "legacy_sale_brazil": Unit.ALLOWED,
        "legacy_renewal": Unit.ALLOWED,
        "microsoft_led_commercial": Unit.ALLOWED,
        "microsoft_led_public_sector": Unit.ALLOWED,
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
    """Return which other subjects *event* must see, the partners that it names among them."""
    is_legacy = subject is not None and subject.platform is Platform.LEGACY
    if not is_legacy and event.name in TICKS:
        return NO_READS
    found = _reads(subject, event)
    named = (*partners_named(subject, event), *_named_by_legacy(subject, event))
    customers = _customer_of_legacy(subject, event)
    if not (named or customers):
        return found
    return Reads((*found.subjects, *named), (*found.customers, *customers))


def _customer_of_legacy(subject: Subscription | None, event: Event) -> tuple[str, ...]:
    """Return the customer where a legacy subscription must see all of its subjects.

    Before a request they are settled together, since base and add-ons end together; an add-on that
    ends looks for its base (LEG-19).
    """
    if subject is None or subject.platform is not Platform.LEGACY:
        return ()
    asked = event.cause is None and event.actor.kind is not ActorKind.TIMER
    ends = event.name in {"term_ended", "last_day_began"} and subject.parent is not None
    return (subject.customer,) if asked or ends else ()


def _named_by_legacy(subject: Subscription | None, event: Event) -> Iterator[str]:
    """Yield whom a legacy subscription must see beside: at its term end the programme (LEG-04).

    As its migration begins, it is the partner of record that stays (LEG-18).
    """
    if subject is None or subject.platform is not Platform.LEGACY:
        return
    if event.name == "term_ended":
        yield programme_id(subject.partner, subject.customer)
    if isinstance(event.data, EnterMigration) and event.data.keeps_por and subject.por:
        yield subject.por


def _reads(subject: Subscription | None, event: Event) -> Reads:
    """Return which other subscriptions *event* must see (TRM-21, TRM-33, TRM-34)."""
    match event.data:
        case Purchase(align_with=target, custom_end_on=end_on, product=product) as ask:
            whole = product.smb or ask.source or ask.add_on_to or (end_on and not target)
            others = (target, ask.add_on_to, ask.source.subscription if ask.source else None)
            names = (ask.customer, ask.partner, *(each for each in others if each))
            return Reads(names, (ask.customer,) if whole else ())
        case ScheduleChange(align_with=target, custom_end_on=end_on, product=product):
            smb = bool(subject and (product or subject.product).smb)
            whole = subject is not None and (smb or bool(end_on and not target))
            return Reads(
                (target,) if target else (), (subject.customer,) if subject and whole else ()
            )
        case RequestTransfer() if subject:
            return Reads((subject.customer,))
        case _ if subject and subject.transfer and event.name == "accept_transfer":
            return Reads((subject.customer,))
        case Upgrade(into=into, product=product):
            customers = (subject.customer,) if subject and product.smb else ()
            return Reads((into,) if into else (), customers)
        case BuyAgain() if subject:
            whole = _limited(subject)
            names = (subject.customer, subject.partner)
            return Reads(names, (subject.customer,) if whole else ())
        case ChangeSeats() | ConvertTrial() | Patch() if subject and _limited(subject):
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
    internal=frozenset(
        {
            "arise",
            "receive_seats",
            "note_successor",
            "await_migration",
            "enter_migration",
            "revert_migration",
            "complete_migration",
            "release_migration",
        }
    ),
    figures=FIGURES,
    switches=SWITCHES,
)
