"""sublife why: an explanation that can be read, as JSON, and what is said where there is none."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import settle, submit
from sublife.events.packs import load_pack
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
GRACE = "timer:s1/expiry_ended/2025-10-01T00:00:00Z/3"
NO_GRACE = Path(__file__).parents[2] / "scenarios" / "subscription" / "packs" / "no-grace.yaml"


@pytest.fixture
def settled(lapsing: str) -> str:
    """The same store, settled to 2 October; somebody wanted to cancel before that."""
    clock = SimulatedClock(datetime(2025, 9, 1, tzinfo=UTC))
    store = Store.open(lapsing, clock=clock)
    amy = Actor(ActorKind.USER, "amy")
    submit(store, Event("too-late", "cancel", "s1", clock.now(), amy))
    clock.move(datetime(2025, 10, 2, tzinfo=UTC))
    settle(store, clock.now())
    store.close()
    return lapsing


def test_a_fact_is_explained_line_by_line(settled: str, sublife: Sublife) -> None:
    """SUB-04: rule, pack, figure, values, dates, and what led to it."""
    said = sublife("why", f"{GRACE}#0", "--store", settled)

    assert said.status == 0
    for words in (
        'fact subscription-grace-started {"ends_at": "2025-10-31T00:00:00Z"}',
        "by timer expiry_ended",
        "happened 2025-10-01T00:00:00Z written 2025-10-02T00:00:00Z state expired → grace",
        "rule SUB-04 Grace, shown as expired on the wire",
        "policy microsoft-csp@",
        "figure grace: 30 days (SUB-04; valid always; asked at 2025-10-01T00:00:00Z)",
        'read state = "expired" → "grace"',
        "expiry_ended 2025-10-01T00:00:00Z + 30 d grace (SUB-04) = 2025-10-31T00:00:00Z",
        "because of purchase order-s1 on s1 by user amy",
        "it set ends_on 2025-09-30, and term_ended is due then",
    ):
        assert words in said.words
    assert "doubt" not in said.words


def test_a_refusal_is_explained_with_what_was_allowed(settled: str, sublife: Sublife) -> None:
    """TRM-12."""
    said = sublife("why", "too-late", "--store", settled)

    assert "refused CANCEL_WINDOW_CLOSED (TRM-12): The cancellation window closed" in said.words
    assert "taken in active, suspended" in said.words
    assert "allowed then suspend, turn_autorenew_off" in said.words


def test_json_has_every_value(settled: str, sublife: Sublife) -> None:
    """Instants as the project writes them."""
    found = json.loads(sublife("why", f"{GRACE}#0", "--store", settled, "--json").out)

    assert found["happened"]["effective_at"] == "2025-10-01T00:00:00Z"
    assert found["figures"][0]["name"] == "grace"
    assert found["chain"][-1]["happened"]["event"] == "purchase"


def test_a_pack_of_ones_own_is_given_as_a_file(database: str, sublife: Sublife) -> None:
    """Without it what the journal says is told, and which pack is missing."""
    own = load_pack(str(NO_GRACE))
    clock = SimulatedClock(datetime(2024, 10, 1, tzinfo=UTC))
    store = Store.open(database, clock=clock, policy=own)
    order = Purchase("tailspin", "contoso", Product("E3"), 5, Term.P1Y, Billing.MONTHLY)
    submit(store, Event("e1", "purchase", "s1", clock.now(), Actor(ActorKind.USER, "amy"), order))
    store.close()

    without = sublife("why", "e1", "--store", database)
    with_pack = sublife("why", "e1", "--store", database, "--policy", NO_GRACE)

    assert without.status == with_pack.status == 0
    assert f"decided by the pack {own.version}, which is not at hand" in without.words
    assert "doubt" not in with_pack.words
    assert "figure provisioning_hours: 0 hours" in with_pack.words


@pytest.mark.parametrize("id_", ["nothing", f"{GRACE}#3"])
def test_what_is_not_there_is_status_2(settled: str, sublife: Sublife, id_: str) -> None:
    """With what would help."""
    said = sublife("why", id_, "--store", settled)

    assert said.status == 2
    assert "`sublife show SUBJECT --ids` lists" in said.complaints
