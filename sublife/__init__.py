"""sublife: lifecycle decides, events record, scheduler wakes.

What a program that embeds sublife needs, in one place: `from sublife import Store, submit`. A name
is imported when it is first used, so that none costs what another one needs. Everything that is not
listed here is ours to change.
"""

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sublife.events.aio import (
        AsyncStore,
    )
    from sublife.events.export import (
        ACTIVITIES,
        ORDERS,
        Format,
        write_file,
    )
    from sublife.events.forecast import (
        Foreseen,
        forecast,
    )
    from sublife.events.inbound import (
        Import,
    )
    from sublife.events.inbound.target import (
        Target,
    )
    from sublife.events.intake import (
        EventIdTakenError,
        EventInFutureError,
        IntakeError,
        Outcome,
        Settled,
        StaleVersionError,
        settle,
        submit,
    )
    from sublife.events.outbox import (
        CommittedFact,
        Delivered,
        Endpoint,
        Filters,
        Handler,
        add_endpoint,
        deliver,
        keep_delivering,
        relay,
    )
    from sublife.events.outbox.endpoint import (
        new_secret,
    )
    from sublife.events.packs import (
        load_pack,
    )
    from sublife.events.permission import (
        allowed,
        as_of,
        may,
    )
    from sublife.events.simulation import (
        advance,
        fork,
        remove,
        simulate,
    )
    from sublife.events.store import (
        Clock,
        ConflictError,
        CursorError,
        Due,
        Entry,
        FullError,
        IsolationError,
        LimitError,
        LockedError,
        Page,
        Store,
        StoreError,
        UnreachableError,
        begin_at_once,
    )
    from sublife.events.store.delivery import (
        UnknownConsumerError,
    )
    from sublife.events.store.pause import (
        PausedError,
    )
    from sublife.events.tables import (
        ActivityRow,
        ExactAmount,
        JournalRow,
        OrderRow,
        SubjectRow,
        UtcDateTime,
    )
    from sublife.events.verify import (
        Verdict,
        verify,
    )
    from sublife.events.why import (
        Explanation,
        why,
    )
    from sublife.lifecycle.catalog import (
        include,
    )
    from sublife.lifecycle.dates import (
        Billing,
        Term,
    )
    from sublife.lifecycle.error import (
        SublifeError,
    )
    from sublife.lifecycle.machine import (
        UnknownEventError,
        UnknownSubjectError,
    )
    from sublife.lifecycle.model import (
        Actor,
        ActorKind,
        Event,
        Fact,
        Lifecycle,
        ModelError,
        Payload,
        Permission,
        Refusal,
        Role,
        Rule,
        Segment,
        Snapshot,
        iso,
    )
    from sublife.lifecycle.policy import (
        Policy,
        PolicyError,
    )
    from sublife.lifecycle.subscription.model import (
        Adopt,
        BuyAgain,
        ChangeBilling,
        ChangeSeats,
        ChangeTerm,
        ChooseTermEnd,
        ConvertTrial,
        Patch,
        Platform,
        Price,
        Product,
        ProductKind,
        Promotion,
        Purchase,
        Rename,
        RequestTransfer,
        ScheduleChange,
        SetPor,
        SetPrice,
        Subscription,
        Suspend,
        Upgrade,
    )
    from sublife.scheduler.clock import (
        SimulatedClock,
        SystemClock,
    )

__all__ = [
    "ACTIVITIES",
    "ORDERS",
    "ActivityRow",
    "Actor",
    "ActorKind",
    "Adopt",
    "AsyncStore",
    "Billing",
    "BuyAgain",
    "ChangeBilling",
    "ChangeSeats",
    "ChangeTerm",
    "ChooseTermEnd",
    "Clock",
    "CommittedFact",
    "ConflictError",
    "ConvertTrial",
    "CursorError",
    "Delivered",
    "Due",
    "Endpoint",
    "Entry",
    "Event",
    "EventIdTakenError",
    "EventInFutureError",
    "ExactAmount",
    "Explanation",
    "Fact",
    "Filters",
    "Foreseen",
    "Format",
    "FullError",
    "Handler",
    "Import",
    "IntakeError",
    "IsolationError",
    "JournalRow",
    "Lifecycle",
    "LimitError",
    "LockedError",
    "ModelError",
    "OrderRow",
    "Outcome",
    "Page",
    "Patch",
    "PausedError",
    "Payload",
    "Permission",
    "Platform",
    "Policy",
    "PolicyError",
    "Price",
    "Product",
    "ProductKind",
    "Promotion",
    "Purchase",
    "Refusal",
    "Rename",
    "RequestTransfer",
    "Role",
    "Rule",
    "ScheduleChange",
    "Segment",
    "SetPor",
    "SetPrice",
    "Settled",
    "SimulatedClock",
    "Snapshot",
    "StaleVersionError",
    "Store",
    "StoreError",
    "SubjectRow",
    "SublifeError",
    "Subscription",
    "Suspend",
    "SystemClock",
    "Target",
    "Term",
    "UnknownConsumerError",
    "UnknownEventError",
    "UnknownSubjectError",
    "UnreachableError",
    "Upgrade",
    "UtcDateTime",
    "Verdict",
    "add_endpoint",
    "advance",
    "allowed",
    "as_of",
    "begin_at_once",
    "deliver",
    "forecast",
    "fork",
    "include",
    "iso",
    "keep_delivering",
    "load_pack",
    "may",
    "new_secret",
    "relay",
    "remove",
    "settle",
    "simulate",
    "submit",
    "verify",
    "why",
    "write_file",
]

_PLACES = MappingProxyType(
    {
        "events.aio": ("AsyncStore",),
        "events.export": (
            "ACTIVITIES",
            "Format",
            "ORDERS",
            "write_file",
        ),
        "events.forecast": (
            "Foreseen",
            "forecast",
        ),
        "events.inbound": ("Import",),
        "events.inbound.target": ("Target",),
        "events.intake": (
            "EventIdTakenError",
            "EventInFutureError",
            "IntakeError",
            "Outcome",
            "Settled",
            "StaleVersionError",
            "settle",
            "submit",
        ),
        "events.outbox": (
            "CommittedFact",
            "Delivered",
            "Endpoint",
            "Filters",
            "Handler",
            "add_endpoint",
            "deliver",
            "keep_delivering",
            "relay",
        ),
        "events.outbox.endpoint": ("new_secret",),
        "events.packs": ("load_pack",),
        "events.permission": (
            "allowed",
            "as_of",
            "may",
        ),
        "events.simulation": (
            "advance",
            "fork",
            "remove",
            "simulate",
        ),
        "events.store": (
            "Clock",
            "ConflictError",
            "CursorError",
            "Due",
            "Entry",
            "FullError",
            "IsolationError",
            "LimitError",
            "LockedError",
            "Page",
            "Store",
            "StoreError",
            "UnreachableError",
            "begin_at_once",
        ),
        "events.store.delivery": ("UnknownConsumerError",),
        "events.store.pause": ("PausedError",),
        "events.tables": (
            "ActivityRow",
            "ExactAmount",
            "JournalRow",
            "OrderRow",
            "SubjectRow",
            "UtcDateTime",
        ),
        "events.verify": (
            "Verdict",
            "verify",
        ),
        "events.why": (
            "Explanation",
            "why",
        ),
        "lifecycle.catalog": ("include",),
        "lifecycle.dates": (
            "Billing",
            "Term",
        ),
        "lifecycle.error": ("SublifeError",),
        "lifecycle.machine": (
            "UnknownEventError",
            "UnknownSubjectError",
        ),
        "lifecycle.model": (
            "Actor",
            "ActorKind",
            "Event",
            "Fact",
            "Lifecycle",
            "ModelError",
            "Payload",
            "Permission",
            "Refusal",
            "Role",
            "Rule",
            "Segment",
            "Snapshot",
            "iso",
        ),
        "lifecycle.policy": (
            "Policy",
            "PolicyError",
        ),
        "lifecycle.subscription.model": (
            "Adopt",
            "BuyAgain",
            "ChangeBilling",
            "ChangeSeats",
            "ChangeTerm",
            "ChooseTermEnd",
            "ConvertTrial",
            "Patch",
            "Platform",
            "Price",
            "Product",
            "ProductKind",
            "Promotion",
            "Purchase",
            "Rename",
            "RequestTransfer",
            "ScheduleChange",
            "SetPor",
            "SetPrice",
            "Subscription",
            "Suspend",
            "Upgrade",
        ),
        "scheduler.clock": (
            "SimulatedClock",
            "SystemClock",
        ),
    }
)
"""The names of each module of ours that are public."""
_MODULES = {name: f"sublife.{module}" for module, names in _PLACES.items() for name in names}


if not TYPE_CHECKING:  # else any name at all would do for a type checker

    def __getattr__(name: str) -> Any:
        """Import what is asked for (PEP 562)."""
        module = _MODULES.get(name)
        if module is None:
            raise AttributeError(f"module 'sublife' has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(module), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
