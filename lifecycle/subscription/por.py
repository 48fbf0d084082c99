"""The partners that a request names: who would take it over, who would be partner of record."""

from collections.abc import Mapping
from datetime import datetime

from sublife.lifecycle.model import Event, Payload, Refusal, Snapshot
from sublife.lifecycle.partner.standing import por_objection
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import (
    BuyAgain,
    Patch,
    Purchase,
    RequestTransfer,
    SetPor,
    Subscription,
)


def partners_named(subject: Subscription | None, event: Event) -> tuple[str, ...]:
    """Return the ids of the partners whose standing decides on *event* (AUT-06, AUT-20)."""
    names = _named(subject, event.name, event.data)
    return tuple(name for name in names if name)


def _named(subject: Subscription | None, name: str, data: Payload) -> tuple[str | None, ...]:
    match data:
        case Purchase(por=por) | SetPor(por=por):
            return (por,)
        case Patch(partner_id=por):
            return (por,)
        case RequestTransfer(target_partner=target, por=por):
            return target, por
        case BuyAgain() if subject is not None:
            return (subject.por,)
        case _ if name == "accept_transfer" and subject is not None and subject.transfer:
            return subject.transfer.target_partner, subject.transfer.por
        case _:
            return ()


def may_not_name(
    por: str, seen: Mapping[str, Snapshot], at: datetime, policy: Policy
) -> Refusal | None:
    """Refuse a partner of record that is not authorized or has not signed (AUT-20, AUT-24).

    One that is no subject is not known, and then nothing is refused for it.
    """
    return por_objection(seen.get(por), at, policy) if por else None
