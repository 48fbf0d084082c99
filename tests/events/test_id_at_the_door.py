"""submit() refuses ids that a database cannot hold or that could be taken for another."""

from dataclasses import replace
from typing import Any

import pytest

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event, ModelError
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.events.conftest import SOLD_AT

AMY = Actor(ActorKind.USER, "amy")
SALE = Event(
    "order-1",
    "purchase",
    "sub-1",
    SOLD_AT,
    AMY,
    Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY),
)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"subject": "sub\x001"}, "subject"),
        ({"subject": "sub\ud8001"}, "subject"),
        ({"subject": "sub-1 "}, "subject"),
        ({"subject": "a/../sub-1"}, "subject"),
        ({"id": "order\x001"}, "event .*: id is"),
        ({"id": "order\udfff1"}, "event .*: id is"),
        ({"actor": Actor(ActorKind.USER, "amy\x00")}, "actor.id is"),
        ({"actor": Actor(ActorKind.USER, "\ud800amy")}, "actor.id is"),
    ],
)
def test_an_event_with_an_unfit_id_is_refused_and_changes_nothing(
    change: dict[str, Any], named: str
) -> None:
    store = Store.open("sqlite://", clock=SimulatedClock(SOLD_AT))

    with pytest.raises(ModelError, match=named):
        submit(store, replace(SALE, **change))

    assert store.all() == {}
    store.close()
