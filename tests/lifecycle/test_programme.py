"""The distributor's programme (LEG-04…LEG-14): enrolment, checklist, opt-out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.customer.model import Customer
from sublife.lifecycle.customer.model import State as CustomerState
from sublife.lifecycle.machine import decide, timers
from sublife.lifecycle.model import (
    ABSENT,
    EMPTY,
    Actor,
    ActorKind,
    Decision,
    Event,
    ModelError,
    Payload,
    Refusal,
    Role,
)
from sublife.lifecycle.policy import Policy
from sublife.lifecycle.programme import (
    ITEM_RULES,
    Enrol,
    Fulfil,
    Fulfilled,
    Item,
    Programme,
    State,
    checklist_objection,
    missing,
    moves,
    programme_id,
)

PROGRAMME = LIFECYCLES["programme"]
SECOND = timedelta(seconds=1)
ENROLLED_AT = datetime(2022, 5, 19, 9, tzinfo=UTC)
DEADLINE = datetime(2022, 6, 30, 23, 59, 59, tzinfo=UTC)
MIA = Actor(ActorKind.USER, "mia", Role.GLOBAL_ADMIN, "northwind")
ENROLLED = Programme(
    id="northwind/wingtip",
    state=State.ENROLLED,
    changed_at=ENROLLED_AT,
    customer="wingtip",
    partner="northwind",
    enrolled_at=ENROLLED_AT,
    reseller="adatum",
)
SUBJECTS = {
    ABSENT: None,
    "enrolled": ENROLLED,
    "opted-out": replace(ENROLLED, state=State.OPTED_OUT, opted_out_at=ENROLLED_AT),
}
PAYLOADS: dict[str, Payload] = {
    "enrol": Enrol("wingtip", "northwind", "adatum"),
    "fulfil": Fulfil(Item.PARTNER_AGREEMENT),
    "opt_out": EMPTY,
}
TABLE = {
    "enrol": {ABSENT: "enrolled", "enrolled": "REFUSED", "opted-out": "REFUSED"},
    "fulfil": {"enrolled": "enrolled", "opted-out": "opted-out"},
    "opt_out": {"enrolled": "opted-out", "opted-out": "REFUSED"},
}


def _asked(
    name: str, at: datetime = ENROLLED_AT, data: Payload | None = None, *, by: Actor = MIA
) -> Event:
    payload = PAYLOADS[name] if data is None else data
    return Event(f"{name}-1", name, "northwind/wingtip", at, by, payload, None, "programme")


def _programme(answer: Decision | Refusal) -> Programme:
    assert isinstance(answer, Decision), answer
    assert isinstance(answer.snapshot, Programme)
    return answer.snapshot


@pytest.mark.parametrize(
    ("request_", "state"),
    [
        pytest.param(name, state, id=f"{name}, {state}")
        for name, row in TABLE.items()
        for state in row
    ],
)
def test_a_request_meets_a_state_as_the_table_says(
    request_: str, state: str, policy: Policy
) -> None:
    """LEG-04, LEG-13, LEG-14."""
    answer = decide(SUBJECTS[state], _asked(request_), policy)

    if TABLE[request_][state] == "REFUSED":
        assert isinstance(answer, Refusal)
        assert answer.code == "PROGRAMME_BAD_STATE"
    else:
        assert _programme(answer).state == TABLE[request_][state]


def test_the_table_has_a_row_for_every_request() -> None:
    """Nothing is left to chance."""
    assert set(TABLE) == set(PROGRAMME.requests)


def test_its_id_names_distributor_and_customer(policy: Policy) -> None:
    """There is one programme for the two, and everybody finds it by this id."""
    assert programme_id("northwind", "wingtip") == "northwind/wingtip"
    with pytest.raises(ModelError, match="has the id northwind/tailspin"):
        decide(None, _asked("enrol", data=Enrol("tailspin", "northwind")), policy)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        pytest.param(ENROLLED_AT, None, id="in May"),
        pytest.param(DEADLINE, None, id="the last second of 30 June"),
        pytest.param(DEADLINE + SECOND, "OPT_OUT_TOO_LATE", id="a second later"),
        pytest.param(DEADLINE + timedelta(days=40), "OPT_OUT_TOO_LATE", id="in August"),
    ],
)
def test_the_form_is_due_by_30_june(at: datetime, code: str | None, policy: Policy) -> None:
    """LEG-05, GEN-04."""
    answer = decide(ENROLLED, _asked("opt_out", at), policy)

    assert (answer.code if isinstance(answer, Refusal) else None) == code


@pytest.mark.parametrize("switch", ["seed", "postponed"])
def test_the_deadline_is_the_same_in_both_readings(switch: str, policy: Policy) -> None:
    """LEG-05, LEG-23: the announcement of 28 June moved no form."""
    chosen = policy.choosing({"legacy_cutoff": switch})

    assert isinstance(decide(ENROLLED, _asked("opt_out", DEADLINE), chosen), Decision)
    assert isinstance(decide(ENROLLED, _asked("opt_out", DEADLINE + SECOND), chosen), Refusal)


@pytest.mark.parametrize(
    ("item", "needs_admin"),
    [
        pytest.param(Item.PARTNER_AGREEMENT, True, id="MPA"),
        pytest.param(Item.PROVIDER_ASSOCIATION, True, id="provider"),
        pytest.param(Item.LOCATION_MPN_ID, False, id="MPN ID"),
        pytest.param(Item.CUSTOMER_AGREEMENT, False, id="MCA"),
    ],
)
def test_two_items_take_a_global_admin(item: Item, needs_admin: bool, policy: Policy) -> None:
    """LEG-09, LEG-10, GEN-10."""
    agent = replace(MIA, role=Role.ADMIN_AGENT)

    answer = decide(ENROLLED, _asked("fulfil", data=Fulfil(item, "6012345"), by=agent), policy)

    assert isinstance(answer, Refusal) is needs_admin
    if isinstance(answer, Refusal):
        assert (answer.code, answer.rule) == ("ROLE_DENIED", ITEM_RULES[item])


def test_an_item_holds_from_the_first_time_on(policy: Policy) -> None:
    """LEG-11: the MPN ID may be corrected; the day it was done stays."""
    later = ENROLLED_AT + timedelta(days=3)
    first = Fulfil(Item.LOCATION_MPN_ID, "6012345")

    once = _programme(decide(ENROLLED, _asked("fulfil", data=first), policy))
    twice = _programme(
        decide(once, _asked("fulfil", later, Fulfil(Item.LOCATION_MPN_ID, "6054321")), policy)
    )

    assert twice.fulfilled == (Fulfilled(Item.LOCATION_MPN_ID, ENROLLED_AT, "6054321"),)


def test_the_location_item_needs_its_id() -> None:
    """LEG-11."""
    with pytest.raises(ModelError, match="without its MPN ID"):
        Fulfil(Item.LOCATION_MPN_ID)


def test_the_missing_items_come_in_the_order_of_the_checklist() -> None:
    """LEG-14: named, with their rules."""
    done = replace(ENROLLED, fulfilled=(Fulfilled(Item.PROVIDER_ASSOCIATION, ENROLLED_AT),))

    refusal = checklist_objection(done, None, ENROLLED_AT)

    assert missing(done, None, ENROLLED_AT) == (
        Item.PARTNER_AGREEMENT,
        Item.LOCATION_MPN_ID,
        Item.CUSTOMER_AGREEMENT,
    )
    assert refusal is not None
    assert refusal.details["items"] == "LEG-09, LEG-11, LEG-12"


@pytest.mark.parametrize("accepted", [True, False])
def test_the_customer_itself_may_show_its_agreement(accepted: bool) -> None:
    """LEG-12, MAN-22."""
    customer = Customer(
        id="wingtip",
        state=CustomerState.RELATED,
        changed_at=ENROLLED_AT,
        customer="wingtip",
        partner="",
        country="DE",
        mca_accepted_at=ENROLLED_AT if accepted else None,
    )

    assert (Item.CUSTOMER_AGREEMENT in missing(ENROLLED, customer, ENROLLED_AT)) is not accepted


def test_what_is_done_later_does_not_help_earlier() -> None:
    """LEG-14, GEN-09: a late process sees the checklist as it was at the term end."""
    later = ENROLLED_AT + SECOND
    done = replace(ENROLLED, fulfilled=tuple(Fulfilled(item, later) for item in Item))

    assert missing(done, None, ENROLLED_AT) == tuple(Item)
    assert missing(done, None, later) == ()


def test_it_moves_who_is_enrolled_and_nobody_else() -> None:
    """LEG-04, LEG-05: at the instant asked for."""
    opted_out = replace(ENROLLED, opted_out_at=DEADLINE)

    assert moves(ENROLLED, ENROLLED_AT)
    assert not moves(ENROLLED, ENROLLED_AT - SECOND)
    assert moves(opted_out, DEADLINE - SECOND)
    assert not moves(opted_out, DEADLINE)
    assert not moves(None, DEADLINE)


def test_nothing_of_it_is_timed() -> None:
    """LEG-07, LEG-14: no notice is sent, and 30 June is recommended only."""
    assert timers(ENROLLED, "programme") == ()
    assert PROGRAMME.ticks == ()
