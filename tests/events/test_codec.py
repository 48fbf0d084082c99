"""Snapshots, payloads, actors and outcomes to JSON and back."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events import codec
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Fact, PartnerType, Refusal, Role, evolved
from sublife.lifecycle.subscription.model import (
    Batch,
    Channel,
    Extension,
    Move,
    NextCharge,
    Platform,
    Price,
    Product,
    ProductKind,
    Promotion,
    Purchase,
    Renewal,
    ScheduledChange,
    Segment,
    Source,
    Subscription,
    TermEndChoice,
    TransferRequest,
)
from sublife.lifecycle.subscription.state import State

TEXTS = st.text(max_size=12)
INSTANTS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 – the zone is given beside it
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1))
SEATS = st.integers(min_value=1, max_value=10**6)
AMOUNTS = st.decimals(min_value=0, max_value=10**9, places=4)
TERMS, BILLINGS = st.sampled_from(Term), st.sampled_from(Billing)
PRODUCTS = st.builds(
    Product,
    sku=TEXTS,
    name=TEXTS,
    kind=st.sampled_from(ProductKind),
    rank=st.integers(0, 9),
    smb=st.booleans(),
    plans=st.lists(TEXTS, max_size=2).map(tuple),
    provisioning_id=TEXTS,
    markets=st.lists(TEXTS, max_size=2).map(tuple),
    sold_until=st.none() | DAYS,
)
PROMOTIONS = st.builds(Promotion, id=TEXTS, unit=AMOUNTS, from_on=DAYS, until_on=DAYS)
PRICES = st.builds(
    Price,
    unit=AMOUNTS,
    currency=st.sampled_from(["EUR", "USD"]),
    monthly_unit=st.none() | AMOUNTS,
    promotion=st.none() | PROMOTIONS,
)
BATCHES = st.builds(Batch, quantity=SEATS, added_at=INSTANTS, charged_from=DAYS)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXTS,
    "state": st.sampled_from([state.value for state in State]),
    "version": st.integers(0, 10**6),
    "changed_at": INSTANTS,
    "customer": TEXTS,
    "partner": TEXTS,
    "product": PRODUCTS,
    "platform": st.sampled_from(Platform),
    "segment": st.sampled_from(Segment),
    "quantity": SEATS,
    "term": TERMS,
    "billing": BILLINGS,
    "created_at": INSTANTS,
    "anchor_on": DAYS,
    "cycles_on": st.none() | DAYS,
    "promotion_id": TEXTS,
    "terms": st.integers(0, 100),
    "starts_on": DAYS,
    "ends_on": DAYS,
    "autorenew": st.booleans(),
    "batches": st.lists(BATCHES, max_size=3).map(tuple),
    "window_opened_at": st.none() | INSTANTS,
    "renewed_at": st.none() | INSTANTS,
    "scheduled": st.none()
    | st.builds(
        ScheduledChange,
        product=st.none() | PRODUCTS,
        term=st.none() | TERMS,
        billing=st.none() | BILLINGS,
        quantity=st.none() | SEATS,
        ends_on=st.none() | DAYS,
    ),
    "next_charge": st.none() | st.builds(NextCharge, billing=BILLINGS, at=INSTANTS),
    "renewal": st.none()
    | st.builds(
        Renewal,
        started_at=INSTANTS,
        completes_at=st.none() | INSTANTS,
        overdue_at=INSTANTS,
        alerted=st.booleans(),
    ),
    "price": st.none() | PRICES,
    "next_price": st.none() | PRICES,
    "trial": st.booleans(),
    "converts_to": st.none() | PRODUCTS,
    "extension": st.none()
    | st.builds(Extension, term=TERMS, billing=BILLINGS, price=st.none() | PRICES),
    "term_end_choice": st.none() | st.sampled_from(TermEndChoice),
    "suspended_at": st.none() | INSTANTS,
    "suspension_ends_at": st.none() | INSTANTS,
    "suspension_reasons": st.lists(TEXTS, max_size=2).map(tuple),
    "barred": st.booleans(),
    "lapse_ends_at": st.none() | INSTANTS,
    "deleted_at": st.none() | INSTANTS,
    "transfer": st.none()
    | st.builds(TransferRequest, target_partner=TEXTS, requested_at=INSTANTS, por=TEXTS),
    "move": st.none()
    | st.builds(
        Move,
        migration=TEXTS,
        at=INSTANTS,
        on_renewal=st.booleans(),
        is_add_on=st.booleans(),
        started_at=st.none() | INSTANTS,
    ),
    "unmoved_on": st.none() | DAYS,
    "microsoft_leads": st.booleans(),
    "por": TEXTS,
    "updates": st.integers(0, 1200),
    "source": st.none()
    | st.builds(
        Source,
        subscription=TEXTS,
        channel=st.sampled_from(Channel),
        customer=TEXTS,
        sku=TEXTS,
        provisioning_id=TEXTS,
        quantity=st.none() | st.integers(1, 900),
        ends_on=st.none() | st.dates(),
        autorenew=st.none() | st.booleans(),
        discontinued=st.booleans(),
        equivalent=st.booleans(),
        active_subscriptions=st.none() | st.integers(0, 900),
    ),
    "successor": TEXTS,
    "migrated_from": st.none() | TEXTS,
    "parent": st.none() | TEXTS,
    "friendly_name": TEXTS,
    "order_id": TEXTS,
    "provisioning_ends_at": st.none() | INSTANTS,
}
SUBSCRIPTIONS = st.fixed_dictionaries(FIELDS).map(lambda each: Subscription(**each))
VALUES = st.none() | st.booleans() | st.integers() | TEXTS
FACTS = st.builds(
    Fact,
    name=TEXTS,
    data=st.dictionaries(TEXTS, VALUES, max_size=3),
    rules=st.lists(TEXTS, max_size=2).map(tuple),
)


@given(SUBSCRIPTIONS)
def test_every_snapshot_comes_back_as_it_was(subscription: Subscription) -> None:
    """A row is the whole truth: nothing is lost between two transactions."""
    text = codec.encode_snapshot(subscription)

    assert codec.decode_snapshot("subscription", text) == subscription


@given(SUBSCRIPTIONS)
def test_a_snapshot_is_written_the_same_way_again(subscription: Subscription) -> None:
    """Read and written again, a row does not change."""
    text = codec.encode_snapshot(subscription)

    assert codec.encode_snapshot(codec.decode_snapshot("subscription", text)) == text


class _Frozen(datetime):
    """An instant of a class of its own, as clocks that stand still give it."""


@given(SUBSCRIPTIONS)
def test_an_instant_of_another_class_is_written_as_any(subscription: Subscription) -> None:
    """What a frozen clock gives is an instant too."""
    at = subscription.changed_at
    frozen = _Frozen.combine(at.date(), at.timetz())

    text = codec.encode_snapshot(replace(subscription, changed_at=frozen, window_opened_at=frozen))

    assert text == codec.encode_snapshot(replace(subscription, changed_at=at, window_opened_at=at))


@pytest.mark.parametrize("name", LIFECYCLES)
def test_a_snapshot_is_closed(name: str) -> None:
    """What it does not name is refused, not passed over."""
    with pytest.raises(ValueError, match=r"unheard_of\n +Extra inputs are not permitted"):
        codec.decode_snapshot(name, '{"unheard_of": 1}')


def test_the_strategy_covers_every_field_of_a_subscription() -> None:
    """A field added to the model has to be added here."""
    assert {field.name for field in fields(Subscription)} == set(FIELDS)


@given(st.lists(FACTS, max_size=3).map(tuple))
def test_the_facts_of_an_event_come_back_as_they_were(facts: tuple[Fact, ...]) -> None:
    """EVT-05: facts are never edited, not even by the way to the disk."""
    assert codec.decode_outcome(codec.encode_outcome(facts)) == facts


@given(
    st.builds(
        Refusal,
        code=TEXTS,
        rule=TEXTS,
        sentence=TEXTS,
        details=st.dictionaries(TEXTS, VALUES, max_size=3),
    )
)
def test_a_refusal_comes_back_as_it_was(refusal: Refusal) -> None:
    """The first answer is the one a repeated event gets."""
    found = codec.decode_outcome(codec.encode_outcome(refusal))

    assert isinstance(found, Refusal)
    assert (found.code, found.rule, found.sentence, dict(found.details)) == (
        refusal.code,
        refusal.rule,
        refusal.sentence,
        dict(refusal.details),
    )


@given(
    st.builds(
        Actor,
        kind=st.sampled_from(ActorKind),
        id=TEXTS,
        role=st.none() | st.sampled_from(Role),
        partner=st.none() | TEXTS,
        partner_type=st.none() | st.sampled_from(PartnerType),
    )
)
def test_an_actor_comes_back_as_it_was(actor: Actor) -> None:
    """EVT-06: who did it."""
    assert codec.decode_actor(codec.encode(actor)) == actor


@given(
    st.builds(
        Purchase,
        customer=TEXTS,
        partner=TEXTS,
        product=PRODUCTS,
        quantity=SEATS,
        term=TERMS,
        billing=BILLINGS,
        custom_end_on=st.none() | DAYS,
        price=st.none() | PRICES,
    )
)
def test_a_payload_comes_back_as_it_was(purchase: Purchase) -> None:
    """EVT-06: what was asked."""
    found = codec.decode_payload("subscription", "purchase", codec.encode(purchase))

    assert found == purchase


def test_what_equals_its_default_is_left_out() -> None:
    """Millions of rows: a plain subscription is a short text."""
    price = Price(Decimal("1.50"), "EUR")

    assert json.loads(codec.encode(Actor(ActorKind.USER, "amy"))) == {"kind": "user", "id": "amy"}
    assert (
        "promotion"
        not in json.loads(
            codec.encode(
                Purchase("t", "c", Product("E3"), 1, Term.P1M, Billing.MONTHLY, price=price)
            )
        )["price"]
    )


@given(SUBSCRIPTIONS)
def test_a_whole_number_of_any_size_comes_back(subscription: Subscription) -> None:
    """Also one that the quick writer refuses."""
    many = evolved(subscription, quantity=10**30)

    assert codec.decode_snapshot("subscription", codec.encode_snapshot(many)) == many


@given(SUBSCRIPTIONS)
def test_a_snapshot_holds_only_what_differs_from_its_defaults(subscription: Subscription) -> None:
    """However it came about, so that one snapshot is one text."""
    off = evolved(subscription, autorenew=False, order_id="o1")
    back = evolved(off, autorenew=True, order_id="")
    again = replace(off, autorenew=True, order_id="")
    read = codec.decode_snapshot("subscription", codec.encode_snapshot(back))

    assert vars(back) == vars(again) == vars(read)
    assert not {"autorenew", "order_id"} & vars(back).keys()
    assert (back.autorenew, back.order_id) == (True, "")


MANY_AT_ONCE = """
import sys, threading
from contextlib import suppress
from sublife.events.codec import decode_snapshot
from sublife.lifecycle.catalog import LIFECYCLES
sys.setswitchinterval(1e-6)
ready = threading.Barrier(8)
def work():
    ready.wait()
    for lifecycle in LIFECYCLES:
        with suppress(ValueError):
            decode_snapshot(lifecycle, '{"id": "s1"}')
threads = [threading.Thread(target=work) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
"""


def test_several_threads_may_read_their_first_snapshots_at_once() -> None:
    """What reads them is built once, by one of them; else the process could crash."""
    command = [sys.executable, "-c", MANY_AT_ONCE]
    codes = [subprocess.run(command, check=False).returncode for _ in range(5)]

    assert codes == [0] * 5


@given(SUBSCRIPTIONS)
def test_what_a_snapshot_is_made_of_is_as_sparse(subscription: Subscription) -> None:
    """Its instants are in the one zone too: two of one zone compare at once."""
    batch = Batch(1, datetime(2025, 1, 1, tzinfo=UTC), date(2025, 1, 1))
    whole = evolved(subscription, product=Product("E3", rank=0, smb=True), batches=(batch,))
    read = codec.decode_snapshot("subscription", codec.encode_snapshot(whole))

    assert isinstance(read, Subscription)
    assert vars(read.product) == vars(whole.product) == {"sku": "E3", "smb": True}
    assert read.batches[0].added_at.tzinfo is UTC
    assert codec.encode_snapshot(read) == codec.encode_snapshot(whole)
