"""The manual path: what a purchase says of the subscription it takes over from (MAN)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.lifecycle.customer.model import Customer, Relationship
from sublife.lifecycle.customer.model import State as Relation
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.machine import decide, reads, timed_event, timers
from sublife.lifecycle.model import (
    Actor,
    ActorKind,
    Decision,
    Event,
    Fact,
    PartnerType,
    Refusal,
    Role,
    Snapshot,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.manual import Advisory, advise
from sublife.lifecycle.subscription.model import (
    BuyAgain,
    Channel,
    Product,
    Purchase,
    Source,
    Subscription,
)
from sublife.lifecycle.subscription.state import State

AMY = Actor(ActorKind.USER, "amy", Role.ADMIN_AGENT, "contoso", PartnerType.DIRECT_BILL)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ENDED_AT = datetime(2024, 10, 1, tzinfo=UTC)
"""TE of an old subscription whose last day is 2024-09-30 (GEN-02)."""
LAST_DAY = date(2024, 9, 30)
OLD = Source("old", Channel.EA, ends_on=LAST_DAY)
NOBODY: Mapping[str, Snapshot] = MappingProxyType({})
E3 = Product("E3")

HELD = Subscription(
    id="old",
    state=State.ACTIVE,
    version=2,
    changed_at=ENDED_AT - 365 * DAY,
    customer="tailspin",
    partner="northwind",
    product=E3,
    quantity=10,
    term=Term.P1Y,
    billing=Billing.MONTHLY,
    created_at=ENDED_AT - 365 * DAY,
    anchor_on=date(2023, 10, 1),
    starts_on=date(2023, 10, 1),
    ends_on=LAST_DAY,
)
FROM_HELD = Source("old", Channel.CSP_PARTNER)
TAILSPIN = Customer(
    id="tailspin",
    state=Relation.RELATED,
    version=3,
    changed_at=ENDED_AT - 365 * DAY,
    customer="tailspin",
    partner="",
    country="DE",
    relationships=(Relationship("contoso", accepted_at=ENDED_AT - 365 * DAY),),
    mca_accepted_at=ENDED_AT - 365 * DAY,
)


def _order(source: Source | None, product: Product = E3, **more: Any) -> Purchase:
    plain = Purchase("tailspin", "contoso", product, 10, Term.P1Y, Billing.MONTHLY, source=source)
    return replace(plain, **more)


def _event(ask: Purchase, at: datetime) -> Event:
    return Event("e-1", "purchase", "s1", at, AMY, ask)


def _bought(
    policy: Policy, ask: Purchase, at: datetime, seen: Mapping[str, Snapshot] = NOBODY
) -> Decision:
    decision = decide(None, _event(ask, at), policy, seen=seen)
    assert isinstance(decision, Decision), decision
    return decision


def _codes(facts: tuple[Fact, ...]) -> set[object]:
    return {fact.data["code"] for fact in facts if fact.name == "manual-purchase-advisory"}


@pytest.mark.parametrize(
    ("at", "autorenew", "continuity", "codes"),
    [
        (ENDED_AT - DAY, None, "new", {"DOUBLE_BILLING_RISK"}),
        (ENDED_AT - SECOND, False, "new", {"DOUBLE_BILLING_RISK"}),
        (ENDED_AT - SECOND, True, "new", {"DOUBLE_BILLING_RISK", "SOURCE_AUTORENEW_ON"}),
        (ENDED_AT, False, "uninterrupted", set[str]()),
        (ENDED_AT, None, "uninterrupted", set[str]()),
        (ENDED_AT, True, "new", {"DOUBLE_BILLING_RISK", "SOURCE_AUTORENEW_ON"}),
        (ENDED_AT + 30 * DAY - SECOND, False, "uninterrupted", set[str]()),
        (ENDED_AT + 30 * DAY, False, "interrupted", {"CONTINUITY_LOST"}),
        (ENDED_AT + 300 * DAY, None, "interrupted", {"CONTINUITY_LOST"}),
    ],
)
def test_a_description_says_what_the_calendar_makes_of_it(
    at: datetime, autorenew: bool | None, continuity: str, codes: set[str], policy: Policy
) -> None:
    """MAN-06, MAN-14, MAN-16: on both sides of TE and of TE + 30 d."""
    bought = _bought(policy, _order(replace(OLD, autorenew=autorenew)), at)

    assert bought.facts[0].data["continuity"] == continuity
    assert _codes(bought.facts) == codes


@pytest.mark.parametrize(
    ("state", "changes", "continuity", "codes"),
    [
        (State.PENDING, {}, "new", set[str]()),
        (State.ACTIVE, {"autorenew": False}, "new", {"DOUBLE_BILLING_RISK"}),
        (State.ACTIVE, {}, "new", {"DOUBLE_BILLING_RISK", "SOURCE_AUTORENEW_ON"}),
        (State.SUSPENDED, {"autorenew": False}, "new", {"DOUBLE_BILLING_RISK"}),
        (State.GRACE, {"autorenew": False}, "uninterrupted", set[str]()),
        (State.EXPIRED, {"autorenew": True}, "uninterrupted", set[str]()),
        (State.DISABLED, {"autorenew": True}, "interrupted", {"CONTINUITY_LOST"}),
        (State.CANCELED, {}, "interrupted", {"CONTINUITY_LOST"}),
        (State.DELETED, {}, "interrupted", {"CONTINUITY_LOST"}),
    ],
)
def test_a_subject_says_by_its_state(
    state: State,
    changes: Mapping[str, Any],
    continuity: str,
    codes: set[str],
    policy: Policy,
) -> None:
    """MAN-06, MAN-13, MAN-14, MAN-16: what is known counts, not what the order describes."""
    seen = {"old": replace(HELD, state=state, **changes)}
    described = replace(FROM_HELD, ends_on=date(2020, 1, 1), autorenew=True, quantity=999, sku="X")

    bought = _bought(policy, _order(described), ENDED_AT - DAY, seen)

    assert bought.facts[0].data["continuity"] == continuity
    assert bought.facts[0].data["same_quantity"] is True
    assert bought.facts[0].data["same_offer"] is True
    assert _codes(bought.facts) == codes


@pytest.mark.parametrize(
    ("state", "source", "partner", "is_linked"),
    [
        (State.ACTIVE, FROM_HELD, "northwind", True),
        (State.SUSPENDED, FROM_HELD, "northwind", True),
        (State.ACTIVE, replace(FROM_HELD, channel=Channel.WEB_DIRECT), "northwind", True),
        (State.ACTIVE, replace(FROM_HELD, channel=Channel.EA), "northwind", False),
        (State.ACTIVE, FROM_HELD, "contoso", False),
        (State.GRACE, FROM_HELD, "northwind", False),
        (State.DELETED, FROM_HELD, "northwind", False),
    ],
)
def test_only_a_live_one_of_another_channel_learns_of_its_successor(
    state: State, source: Source, partner: str, *, is_linked: bool, policy: Policy
) -> None:
    """MAN-14, EA-31."""
    seen = {"old": replace(HELD, state=state, partner=partner)}

    bought = _bought(policy, _order(source), ENDED_AT - DAY, seen)

    named = [(each.name, each.subject) for each in bought.follow_ups]
    assert named == ([("note_successor", "old")] if is_linked else [])


@pytest.mark.parametrize(
    ("autorenew", "successor", "codes"),
    [(True, "s1", {"SOURCE_AUTORENEW_ON"}), (True, "", set[str]()), (False, "s1", set[str]())],
)
def test_a_replaced_subscription_that_renews_says_so(
    autorenew: bool, successor: str, codes: set[str], policy: Policy
) -> None:
    """MAN-14: still on at TE."""
    old = replace(HELD, autorenew=autorenew, successor=successor)
    (timer,) = timers(old, "subscription")

    ended = decide(old, timed_event(old, timer, "subscription"), policy)

    assert isinstance(ended, Decision)
    assert timer.due_at == ENDED_AT
    assert _codes(ended.facts) == codes


PART = Product("CFQ7", provisioning_id="E3_(no Teams)")


@pytest.mark.parametrize(
    ("source", "product", "expected"),
    [
        (replace(OLD, sku="E3", quantity=10), E3, (True, True, True, False, True)),
        (replace(OLD, sku="E3", quantity=9), E3, (True, False, True, False, False)),
        (replace(OLD, sku="E3"), E3, (True, None, True, False, False)),
        (replace(OLD, sku="E1", quantity=10), E3, (False, True, False, True, False)),
        (
            replace(OLD, sku="E1", quantity=10, equivalent=True),
            E3,
            (False, True, True, True, False),
        ),
        (
            replace(OLD, sku="other", provisioning_id="E3_(no Teams)", quantity=10),
            PART,
            (True, True, True, False, True),
        ),
        (
            replace(OLD, sku="CFQ7", provisioning_id="E3_(No teams)", quantity=10),
            PART,
            (False, True, False, True, False),
        ),
        (replace(OLD, sku="CFQ7", quantity=10), PART, (True, True, True, False, True)),
        (replace(OLD, provisioning_id="E3", quantity=10), E3, None),
    ],
)
def test_offer_number_and_equivalence_decide_what_is_lost(
    source: Source, product: Product, expected: tuple[bool | None, ...] | None, policy: Policy
) -> None:
    """MAN-07, MAN-08, MAN-10, MAN-11: bought within the grace."""
    said = _bought(policy, _order(source, product), ENDED_AT + DAY).facts[0].data
    names = ("same_offer", "same_quantity", "equivalent_offer", "reassign_licences", "seamless")

    found = tuple(said[name] for name in names) if "same_offer" in said else None

    assert found == expected


@pytest.mark.parametrize(
    ("source", "warns"),
    [
        (replace(OLD, sku="K1", discontinued=True), True),
        (replace(OLD, discontinued=True), True),
        (replace(OLD, sku="K1", discontinued=True, equivalent=True), False),
        (replace(OLD, sku="E3", discontinued=True), False),
        (replace(OLD, sku="K1"), False),
    ],
)
def test_a_discontinued_offer_needs_an_equivalent(
    source: Source, *, warns: bool, policy: Policy
) -> None:
    """MAN-12."""
    codes = _codes(_bought(policy, _order(source), ENDED_AT).facts)

    assert codes == ({"DATA_LOSS_RISK"} if warns else set())


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("dap", [False, True])
def test_a_credit_is_for_what_was_bought_from_microsoft(
    channel: Channel, *, dap: bool, policy: Policy
) -> None:
    """MAN-18, MAN-19."""
    related = replace(TAILSPIN.relationships[0], dap_since=ENDED_AT if dap else None)
    seen = {"tailspin": replace(TAILSPIN, relationships=(related,))}

    bought = _bought(policy, _order(replace(OLD, channel=channel)), ENDED_AT, seen)

    credits_ = [dict(fact.data) for fact in bought.facts if fact.name == "credit-referred"]
    expected = {
        "handled_by": "microsoft-365-billing-support",
        "asked_by": "partner" if dap else "customer",
    }
    assert credits_ == ([expected] if channel is Channel.WEB_DIRECT else [])


@pytest.mark.parametrize(
    ("active", "at", "warns"),
    [
        (150, ENDED_AT - DAY, False),
        (151, ENDED_AT - DAY, True),
        (151, ENDED_AT - SECOND, True),
        (151, ENDED_AT, False),
        (900, ENDED_AT + 40 * DAY, False),
    ],
)
def test_more_than_150_are_warned_of_while_the_old_one_runs(
    active: int, at: datetime, *, warns: bool, policy: Policy
) -> None:
    """MAN-21."""
    codes = _codes(_bought(policy, _order(replace(OLD, active_subscriptions=active)), at).facts)

    assert ("SUBSCRIPTION_MAXIMUM_RISK" in codes) == warns


@pytest.mark.parametrize(("count", "warns"), [(150, False), (151, True)])
def test_known_subscriptions_of_others_are_counted(
    count: int, *, warns: bool, policy: Policy
) -> None:
    """MAN-21: what does not run, is Contoso's own or belongs to somebody else does not count."""
    counted = {f"c{number}": replace(HELD, id=f"c{number}") for number in range(count - 1)}
    seen: Mapping[str, Snapshot] = {
        **counted,
        "old": HELD,
        "own": replace(HELD, id="own", partner="contoso"),
        "off": replace(HELD, id="off", state=State.SUSPENDED),
        "else": replace(HELD, id="else", customer="wingtip"),
        "tailspin": TAILSPIN,
    }

    codes = _codes(_bought(policy, _order(FROM_HELD), ENDED_AT - DAY, seen).facts)

    assert ("SUBSCRIPTION_MAXIMUM_RISK" in codes) == warns


@pytest.mark.parametrize(
    ("product", "at", "code"),
    [
        (replace(E3, sold_until=LAST_DAY), ENDED_AT - SECOND, None),
        (replace(E3, sold_until=LAST_DAY), ENDED_AT, "SKU_END_OF_SALE"),
        (replace(E3, markets=("DE", "FR")), ENDED_AT, None),
        (replace(E3, markets=("FR",)), ENDED_AT, "SKU_UNAVAILABLE"),
        (replace(E3, markets=("FR",), sold_until=LAST_DAY), ENDED_AT, "SKU_END_OF_SALE"),
    ],
)
@pytest.mark.parametrize("source", [None, OLD], ids=["plain", "takes over"])
def test_the_catalog_decides_what_can_be_bought(
    product: Product, at: datetime, code: str | None, source: Source | None, policy: Policy
) -> None:
    """MAN-01, MAN-02, MAN-20: the price list of the market, up to the last day of sale."""
    decision = decide(
        None, _event(_order(source, product), at), policy, seen={"tailspin": TAILSPIN}
    )

    assert (decision.code if isinstance(decision, Refusal) else None) == code


@pytest.mark.parametrize(
    ("customer", "code"),
    [
        (replace(TAILSPIN, relationships=()), "RELATIONSHIP_MISSING"),
        (replace(TAILSPIN, mca_accepted_at=None), "MCA_NOT_ACCEPTED"),
    ],
)
@pytest.mark.parametrize("again", [False, True], ids=["purchase", "buy again"])
def test_no_order_without_relationship_and_agreement(
    customer: Customer, code: str, *, again: bool, policy: Policy
) -> None:
    """MAN-04, MAN-22."""
    own = replace(HELD, partner="contoso")
    event = _event(_order(None), ENDED_AT - DAY)
    if again:
        event = Event("e-1", "buy_again", "old", ENDED_AT - DAY, AMY, BuyAgain("s2"))

    refusal = decide(own if again else None, event, policy, seen={"tailspin": customer})

    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_a_purchase_reads_customer_partner_and_source(policy: Policy) -> None:
    """MAN-04, MAN-21."""
    plain = reads(None, _event(_order(None), ENDED_AT))
    moved = reads(None, _event(_order(FROM_HELD), ENDED_AT))

    assert {"tailspin", "contoso"} <= set(plain.subjects)
    assert plain.customers == ()
    assert {"tailspin", "contoso", "old"} <= set(moved.subjects)
    assert moved.customers == ("tailspin",)


def test_every_advisory_has_a_sentence_and_its_rule() -> None:
    """8.6: MAN-06, MAN-12, MAN-14, MAN-16, MAN-21."""
    facts = [advise(each, source="old", active=151, limit=150) for each in Advisory]

    assert [fact.rules for fact in facts] == [
        ("MAN-06",),
        ("MAN-14",),
        ("MAN-16",),
        ("MAN-12",),
        ("MAN-21",),
    ]
    assert all("{" not in str(fact.data["sentence"]) for fact in facts)


SOURCES = st.builds(
    Source,
    subscription=st.just("old"),
    channel=st.sampled_from(Channel),
    sku=st.sampled_from(["", "E3", "E1"]),
    quantity=st.none() | st.integers(1, 20),
    ends_on=st.none() | st.dates(date(2024, 8, 1), date(2024, 12, 1)),
    autorenew=st.sampled_from([None, False, True]),
    discontinued=st.booleans(),
    equivalent=st.booleans(),
    active_subscriptions=st.none() | st.integers(0, 300),
)


@given(source=SOURCES, hours=st.integers(-1000, 2000))
def test_no_advisory_ever_refuses_and_all_of_them_agree(
    source: Source, hours: int, policy: Policy
) -> None:
    """MAN-06, MAN-10, MAN-16: whatever is described, it is bought, and nothing contradicts."""
    bought = _bought(policy, _order(source), ENDED_AT + timedelta(hours=hours))
    created, codes = bought.facts[0].data, _codes(bought.facts)

    assert created["path"] == "manual"
    assert ("DOUBLE_BILLING_RISK" in codes) == (created.get("continuity") == "new")
    assert ("CONTINUITY_LOST" in codes) == (created.get("continuity") == "interrupted")
    assert ("SOURCE_AUTORENEW_ON" in codes) == (source.autorenew is True)
    assert ("continuity_until" in created) == (created.get("continuity") == "uninterrupted")
    if created.get("seamless"):
        assert codes.isdisjoint({"CONTINUITY_LOST", "DATA_LOSS_RISK"})
        assert created["reassign_licences"] is False


@given(source=SOURCES, hours=st.lists(st.integers(-1000, 2000), min_size=2, max_size=6))
def test_continuity_only_gets_worse(source: Source, hours: list[int], policy: Policy) -> None:
    """MAN-16: waiting never helps, unless the old one renews by itself."""
    order = ["new", "uninterrupted", "interrupted"]
    found = [
        _bought(policy, _order(source), ENDED_AT + timedelta(hours=each)).facts[0].data
        for each in sorted(hours)
    ]
    places = [order.index(str(said["continuity"])) for said in found if "continuity" in said]

    assert places == sorted(places)
