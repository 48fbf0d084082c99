"""A distributor's programme that moves one customer's legacy subscriptions (LEG-04…LEG-14)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from sublife.lifecycle.customer.model import Customer
from sublife.lifecycle.model import (
    ABSENT,
    Actor,
    Case,
    Closed,
    Effect,
    Event,
    Fact,
    Lifecycle,
    ModelError,
    Payload,
    Reads,
    Refusal,
    Role,
    Rule,
    Snapshot,
    Sparse,
    Standing,
    Timer,
    iso,
)
from sublife.lifecycle.policy import Unit
from sublife.lifecycle.refusal import refuse


class State(StrEnum):
    """Whether the distributor moves the customer's subscriptions."""

    ENROLLED = "enrolled"
    OPTED_OUT = "opted-out"


class Item(StrEnum):
    """What the checklist asks of a partner before anything is moved (LEG-09…LEG-12)."""

    PARTNER_AGREEMENT = "partner-agreement"
    PROVIDER_ASSOCIATION = "provider-association"
    LOCATION_MPN_ID = "location-mpn-id"
    CUSTOMER_AGREEMENT = "customer-agreement"


ITEM_RULES: Mapping[Item, str] = MappingProxyType(
    {
        Item.PARTNER_AGREEMENT: "LEG-09",
        Item.PROVIDER_ASSOCIATION: "LEG-10",
        Item.LOCATION_MPN_ID: "LEG-11",
        Item.CUSTOMER_AGREEMENT: "LEG-12",
    }
)
"""The rule behind each item, in the order of the checklist."""

_TAKES_A_GLOBAL_ADMIN = frozenset({Item.PARTNER_AGREEMENT, Item.PROVIDER_ASSOCIATION})


@dataclass(frozen=True)
class Fulfilled(Sparse):
    """An item of the checklist that is done.

    Args:
        item: which.
        at: UTC instant it was reported.
        value: the location MPN ID, for that item.
    """

    item: Item
    at: datetime
    value: str = ""


@dataclass(frozen=True, kw_only=True)
class Programme(Snapshot):
    """What a distributor knows of one customer. `partner` is the distributor itself.

    Args:
        enrolled_at: since when the customer is in the programme.
        reseller: the partner that the customer buys through.
        fulfilled: what is done of the checklist, in the order it was reported.
        opted_out_at: when the form came back by which nothing is to be moved (LEG-05).
    """

    enrolled_at: datetime
    reseller: str = ""
    fulfilled: tuple[Fulfilled, ...] = ()
    opted_out_at: datetime | None = None

    def has(self, item: Item, at: datetime) -> bool:
        """Return whether an item of the checklist had been reported as done at *at*."""
        return any(each.item is item and each.at <= at for each in self.fulfilled)


@dataclass(frozen=True, slots=True)
class Enrol(Payload):
    """Take a customer into the programme (request `enrol`).

    Args:
        customer: customer tenant id.
        partner: the distributor, which transacts the subscriptions.
        reseller: the partner that the customer buys through.
    """

    customer: str
    partner: str
    reseller: str = ""


@dataclass(frozen=True, slots=True)
class Fulfil(Payload):
    """Report an item of the checklist as done.

    Args:
        item: which.
        mpn_id: the location MPN ID as it stands in the marketplace, for that item.

    Raises:
        ModelError: the location item without its MPN ID.
    """

    item: Item
    mpn_id: str = ""

    def __post_init__(self) -> None:
        if self.item is Item.LOCATION_MPN_ID and not self.mpn_id:
            raise ModelError(f"{self.item} is told without its MPN ID; give mpn_id")


def programme_id(partner: str, customer: str) -> str:
    """Return the id of the programme that a distributor *partner* runs for *customer*."""
    return f"{partner}/{customer}"


def missing(programme: Programme, customer: Snapshot | None, at: datetime) -> tuple[Item, ...]:
    """Return the items of the checklist that were still to be done at *at*, in its order (LEG-14).

    The Microsoft Customer Agreement counts as well where the customer itself is known to have
    accepted it (LEG-12). What was done later does not help, whenever it is looked at (GEN-09).
    """
    accepted_at = customer.mca_accepted_at if isinstance(customer, Customer) else None
    accepted = accepted_at is not None and accepted_at <= at
    done = {Item.CUSTOMER_AGREEMENT} if accepted else set[Item]()
    return tuple(item for item in ITEM_RULES if item not in done and not programme.has(item, at))


def checklist_objection(
    programme: Programme, customer: Snapshot | None, at: datetime
) -> Refusal | None:
    """Refuse to move anything while an item of the checklist is missing (LEG-14)."""
    open_items = missing(programme, customer, at)
    if not open_items:
        return None
    return refuse(
        "CHECKLIST_INCOMPLETE",
        customer=programme.customer,
        missing=", ".join(open_items),
        items=", ".join(ITEM_RULES[item] for item in open_items),
    )


def moves(programme: Snapshot | None, at: datetime) -> bool:
    """Return whether the distributor moves what the customer has on legacy (LEG-04, LEG-05)."""
    if not isinstance(programme, Programme) or at < programme.enrolled_at:
        return False
    return programme.opted_out_at is None or at < programme.opted_out_at


Here = Standing[Programme]


def _enrol(case: Case[Programme, Enrol]) -> Effect[Programme]:
    """Take the customer in; from now on its legacy subscriptions are moved as they end (LEG-04)."""
    ask = case.data
    expected = programme_id(ask.partner, ask.customer)
    if case.event.subject != expected:
        raise ModelError(
            f"the programme of {ask.partner} for {ask.customer} has the id {expected}, "
            f"not {case.event.subject}; fix it"
        )
    subject = Programme(
        id=expected,
        state=State.ENROLLED,
        changed_at=case.at,
        customer=ask.customer,
        partner=ask.partner,
        enrolled_at=case.at,
        reseller=ask.reseller,
    )
    return Effect(subject, (Fact("programme-enrolled", {"reseller": ask.reseller}),))


def _fulfil(case: Case[Programme, Fulfil]) -> Effect[Programme] | Refusal:
    """Note an item as done; reported again, it holds from the first time on (LEG-09…LEG-12)."""
    old, ask = case.subject, case.data
    rule = ITEM_RULES[ask.item]
    if refusal := _takes_a_global_admin(case.event.actor, ask.item):
        return refusal
    at = next((each.at for each in old.fulfilled if each.item is ask.item), case.at)
    others = tuple(each for each in old.fulfilled if each.item is not ask.item)
    subject = replace(old, fulfilled=(*others, Fulfilled(ask.item, at, ask.mpn_id)))
    data = {"item": ask.item.value, **({"mpn_id": ask.mpn_id} if ask.mpn_id else {})}
    return Effect(subject, (Fact("programme-item-fulfilled", data, (rule,)),))


def _takes_a_global_admin(actor: Actor, item: Item) -> Refusal | None:
    """Refuse the two items that only a Global Admin can do (GEN-10, LEG-09, LEG-10)."""
    if item not in _TAKES_A_GLOBAL_ADMIN or actor.role is Role.GLOBAL_ADMIN:
        return None
    return refuse(
        "ROLE_DENIED",
        rule=ITEM_RULES[item],
        asked=f"the checklist's {item}",
        needed=Role.GLOBAL_ADMIN.value,
        actor=f"{actor.id} ({actor.role or 'no role'})",
    )


def _opt_out(case: Case[Programme, Payload]) -> Effect[Programme]:
    """Take back the form: nothing of this customer is moved when it ends (LEG-05, LEG-13)."""
    subject = replace(case.subject, opted_out_at=case.at)
    return Effect(subject, (Fact("programme-opted-out", {"at": iso(case.at)}),))


def _too_late(here: Here) -> Refusal | None:
    """Refuse the form after the last instant of its deadline (LEG-05, GEN-04)."""
    if here.policy.allows("opt_out", here.at):
        return None
    return refuse("OPT_OUT_TOO_LATE", customer=here.subject.customer, at=iso(here.at))


def timers(_subject: Programme) -> tuple[Timer, ...]:
    """Return no timer: the recommended day of the checklist refuses nothing (LEG-14)."""
    return ()


def reads(_subject: Programme | None, _event: Event) -> Reads:
    """Return that the programme decides by itself."""
    return Reads()


_ANY = tuple(State)

PROGRAMME = Lifecycle(
    name="programme",
    snapshot=Programme,
    states=_ANY,
    final=frozenset({State.OPTED_OUT}),
    requests=MappingProxyType({"enrol": Enrol, "fulfil": Fulfil, "opt_out": Payload}),
    ticks=(),
    rules=(
        Rule("enrol", (ABSENT,), State.ENROLLED, _enrol, ("LEG-04",)),
        Rule("fulfil", _ANY, None, _fulfil, ("LEG-14",)),
        Rule(
            "opt_out",
            (State.ENROLLED,),
            State.OPTED_OUT,
            _opt_out,
            ("LEG-05", "LEG-13"),
            unless=(_too_late,),
        ),
    ),
    closed=(
        Closed("enrol", _ANY, "PROGRAMME_BAD_STATE", "LEG-04"),
        Closed("opt_out", (State.OPTED_OUT,), "PROGRAMME_BAD_STATE", "LEG-13"),
    ),
    timers=timers,
    reads=reads,
    figures=MappingProxyType({"opt_out": Unit.ALLOWED}),
)
