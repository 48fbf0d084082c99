"""The shipped scenarios show tables 8.2, 8.4, 8.5 and 8.6 whole; the data stand beside."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from sublife.events.store import Entry, Store
from sublife.events.store.delivery import Body, CommittedFact
from sublife.events.webhook.body import Source, is_written, partner_center
from sublife.lifecycle.model import Fact, Refusal, Value
from sublife.lifecycle.refusal import CODES
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay import Happening, run
from sublife.scheduler.scenario import find, load
from tests.once import once

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
FACTS = yaml.safe_load((HERE / "facts.yaml").read_text(encoding="utf-8"))
REFUSALS = yaml.safe_load((HERE / "refusals.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Left:
    """A fact of a scenario with what it has left behind, as it lies in the store."""

    entry: Entry
    fact: Fact
    activity: str
    order: str
    webhook: str

    def fits(self, name: str, wanted: Mapping[str, Any]) -> bool:
        """Return whether it is what a row of table 8.2 says; an activity by its first words."""
        data: Mapping[str, Value] = wanted.get("data", {})
        activity = str(wanted.get("activity", ""))
        return (
            self.fact.name == name
            and all(self.fact.data.get(key) == value for key, value in data.items())
            and self.activity.split()[: len(activity.split())] == activity.split()
            and bool(self.activity) == bool(activity)
            and self.order == wanted.get("order", "")
            and self.webhook == wanted.get("webhook", "")
        )


@dataclass(frozen=True)
class History:
    """What one scenario has left in the store: the journal by subject, and every fact.

    The timeline has the same facts in the order in which they happened.
    """

    path: str
    timeline: tuple[Happening, ...]
    entries: tuple[Entry, ...]
    facts: tuple[Left, ...]


def history(store: Store, path: Path) -> History:
    """Replay a file and return all that it left behind."""
    scenario = load(path)
    tenant = f"tables:{path}"
    result = run(scenario, store, tenant=tenant)
    assert result.held
    own = store.of(tenant)
    entries = tuple(own.journal())
    activities = {(each.event_id, each.number): each for each in own.records(limit=10_000)}
    orders = {(each.event_id, each.number): each for each in own.orders(limit=10_000)}
    subjects = own.all()

    def left(entry: Entry) -> Iterator[Left]:
        outcome = entry.outcome
        for number, fact in enumerate(() if isinstance(outcome, Refusal) else outcome):
            activity = activities.get((entry.event.id, number))
            order = orders.get((entry.event.id, number))
            of = subjects[entry.event.subject]
            told = CommittedFact(tenant, entry, number, of.customer, of.partner)
            webhook = ""
            if is_written(told, Body.PARTNER_CENTER):
                webhook = str(partner_center(told, Source())["EventName"])
            words = (activity.kind, activity.stage, activity.outcome or "") if activity else ()
            placed = order.transaction if order else ""
            yield Left(entry, fact, " ".join(words).strip(), placed, webhook)

    facts = tuple(each for entry in entries for each in left(entry))
    return History(str(path.relative_to(SCENARIOS)), result.timeline, entries, facts)


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> tuple[History, ...]:
    """Every shipped scenario, replayed in memory."""
    return once(tmp_path_factory, "histories", all_histories)


def all_histories() -> tuple[History, ...]:
    store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
    found = tuple(history(store, path) for path in find([SCENARIOS]))
    store.close()
    return found


@pytest.mark.parametrize("row", FACTS["rows"], ids=lambda row: cast("str", row["row"]))
def test_a_row_of_the_table_of_facts_occurs(
    histories: tuple[History, ...], row: Mapping[str, Any]
) -> None:
    """8.2: in one scenario, with its activity record, its order record and its webhook."""
    shown = [
        each.path
        for each in histories
        if all(any(left.fits(*fact) for left in each.facts) for fact in row["facts"].items())
    ]

    assert shown != []


def test_no_fact_of_the_table_leaves_anything_else(histories: tuple[History, ...]) -> None:
    """8.2: wherever one occurs, it leaves what one of its rows says."""
    rows: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in FACTS["rows"]:
        for name, wanted in row["facts"].items():
            rows[name].append(wanted)
    told_otherwise = {
        # An upgrade moves paid licences: its order is the conversion (TRM-34).
        ("subscription-created", "path", "upgrade"),
        # Licences that an upgrade moves into another subscription are part of its conversion.
        ("subscription-quantity-changed", "transaction", "convert"),
        # What was cancelled has not lapsed (SUB-09).
        ("subscription-deleted", "from", "canceled"),
        # A reseller of a provider has an event name of its own (EVT-11).
        ("relationship-accepted", "kind", "indirect-reseller"),
        # An agreement that is renewed, or put on an extended period, is advised of likewise.
        ("ea-renewal-advisory", "change", "renewed"),
        ("ea-renewal-advisory", "change", "put-on-ept"),
    }

    odd = {
        (each.path, left.fact.name, left.activity, left.order, left.webhook)
        for each in histories
        for left in each.facts
        if left.fact.name in rows
        and not any(left.fits(left.fact.name, wanted) for wanted in rows[left.fact.name])
        and not any(
            (left.fact.name, key, value) in told_otherwise for key, value in left.fact.data.items()
        )
    }
    assert odd == set()


def test_every_webhook_name_occurs_and_no_other(histories: tuple[History, ...]) -> None:
    """EVT-11."""
    names = {left.webhook for each in histories for left in each.facts if left.webhook}

    assert names == set(FACTS["webhooks"])


def test_there_are_two_kinds_of_activity_record(histories: tuple[History, ...]) -> None:
    """EVT-04."""
    kinds = {left.activity.split()[0] for each in histories for left in each.facts if left.activity}

    assert kinds == {"migration", "renewal"}


def refusals(histories: Iterable[History]) -> Iterator[Refusal]:
    """Yield every refusal of every scenario."""
    for each in histories:
        for entry in each.entries:
            if isinstance(entry.outcome, Refusal):
                yield entry.outcome


@pytest.mark.parametrize(("code", "rules"), REFUSALS["refusals"].items())
def test_a_refusal_code_is_reached(
    histories: tuple[History, ...], code: str, rules: list[str]
) -> None:
    """8.6: by one of the rules that the table names."""
    found = {each.rule for each in refusals(histories) if each.code == code}

    assert found & set(rules)


@pytest.mark.parametrize("rule", ["EA-07", "EA-10"])
def test_an_agreement_is_not_listed_for_either_reason(
    histories: tuple[History, ...], rule: str
) -> None:
    """EA-07, EA-10: its end has long passed, or lies far ahead."""
    found = {each.rule for each in refusals(histories) if each.code == "AGREEMENT_NOT_LISTED"}

    assert rule in found


@pytest.mark.parametrize(("code", "rule"), REFUSALS["refused_at_the_term_end"].items())
def test_what_is_refused_at_the_term_end_is_a_fact(
    histories: tuple[History, ...], code: str, rule: str
) -> None:
    """8.6: nobody asks for a renewal, so the refusal is on record."""
    found = [
        left
        for each in histories
        for left in each.facts
        if left.fact.data.get("code") == code and rule in left.fact.rules
    ]

    assert {(left.fact.name, left.activity) for left in found} == {
        ("renewal-refused", "renewal failed refused")
    }


@pytest.mark.parametrize(("code", "rule"), REFUSALS["advisories"].items())
def test_an_advisory_is_given(histories: tuple[History, ...], code: str, rule: str) -> None:
    """8.6: it refuses nothing; the fact carries the code."""
    found = {
        rule in left.fact.rules
        for each in histories
        for left in each.facts
        if left.fact.name == "manual-purchase-advisory" and left.fact.data["code"] == code
    }

    assert found == {True}


@pytest.mark.parametrize(("eligibility", "api_error"), REFUSALS["ineligible"].items())
def test_each_reason_not_to_migrate_is_reached(
    histories: tuple[History, ...], eligibility: int, api_error: int | None
) -> None:
    """LEG-18: with the code of the eligibility enum and the number of the API."""
    found = {
        (each.details.get("eligibility"), each.details.get("api_error"))
        for each in refusals(histories)
        if each.code == "MIGRATION_INELIGIBLE"
    }

    assert (eligibility, api_error) in found


def test_every_code_of_the_engine_but_one_is_reached(histories: tuple[History, ...]) -> None:
    """8.6 and beyond: a scenario's own clock never runs backwards, so one cannot be shown."""
    shown = {each.code for each in refusals(histories)} | set(REFUSALS["refused_at_the_term_end"])

    assert set(CODES) - shown == {"OUT_OF_ORDER"}


# 8.4: the order of facts at one instant.

TRANSITIONS = {
    "subscription-renewal-started",
    "subscription-renewed",
    "subscription-expired",
    "subscription-disabled",
}


def facts_of(entry: Entry) -> tuple[Fact, ...]:
    """Return the facts of a journal entry; none if it was refused."""
    return () if isinstance(entry.outcome, Refusal) else entry.outcome


def test_at_the_term_end_the_transition_comes_before_its_webhook_and_record(
    histories: tuple[History, ...],
) -> None:
    """8.4: the transition is the first fact, behind a renewal that is refused; the rest follows."""
    found: set[str] = set()
    for each in histories:
        for left in each.facts:
            if left.entry.event.name == "term_ended" and left.fact.name in TRANSITIONS:
                found.add(left.fact.name)
                told = [one.name for one in facts_of(left.entry) if one.name != "renewal-refused"]
                assert told[0] == left.fact.name, each.path
                assert left.activity.startswith("renewal"), each.path

    assert found >= {
        "subscription-renewal-started",
        "subscription-expired",
        "subscription-disabled",
    }


def places(history: History, subject: str, fact: str) -> list[int]:
    """Return where a subject's fact stands among all facts of the run."""
    told = [(line.subject, name) for line in history.timeline for name in line.facts]
    return [place for place, each in enumerate(told) if each == (subject, fact)]


def test_processing_goes_from_start_over_the_order_to_completion(
    histories: tuple[History, ...],
) -> None:
    """8.4: ea-renewal-started, subscription-created and its order, -completed, por-required."""
    required = 0
    moves = [
        (each, left)
        for each in histories
        for left in each.facts
        if left.fact.name == "ea-renewal-completed"
    ]
    for each, completed in moves:
        subject, into = completed.entry.event.subject, str(completed.fact.data["into"])
        (started,) = places(each, subject, "ea-renewal-started")
        (created,) = places(each, into, "subscription-created")
        (done,) = places(each, subject, "ea-renewal-completed")
        assert started < created < done, each.path
        (order,) = [
            left.order
            for left in each.facts
            if left.entry.event.subject == into and left.fact.name == "subscription-created"
        ]
        assert order == "new", each.path
        for due in places(each, subject, "por-required"):
            assert due == done + 1, each.path
            required += 1

    assert moves
    assert required


# 8.5: what is never taken back.


def later(history: History, left: Left) -> list[Entry]:
    """Return what was asked of the subject afterwards, in order."""
    return [
        entry
        for entry in history.entries
        if entry.event.subject == left.entry.event.subject and entry.sequence > left.entry.sequence
    ]


@pytest.mark.parametrize(
    ("fact", "states"),
    [
        ("ea-renewal-completed", {"completed"}),
        ("new-commerce-migration-completed", {"completed"}),
        ("subscription-canceled", {"canceled", "deleted"}),
        ("subscription-deleted", {"deleted"}),
    ],
)
def test_what_is_not_reversible_is_never_reversed(
    histories: tuple[History, ...], fact: str, states: set[str]
) -> None:
    """8.5: whatever is asked afterwards, and at least one scenario asks."""
    found = [
        entry
        for each in histories
        for left in each.facts
        if left.fact.name == fact
        for entry in later(each, left)
    ]

    assert {entry.state for entry in found} <= states
    assert any(isinstance(entry.outcome, Refusal) for entry in found)


@pytest.mark.parametrize(
    ("fact", "request_", "code"),
    [
        ("ea-renewal-completed", "cancel_schedule", "IRREVERSIBLE"),
        ("new-commerce-migration-completed", "revert", "IRREVERSIBLE"),
        ("subscription-canceled", "reactivate", "NO_REACTIVATION"),
        ("subscription-deleted", "reactivate", "NO_REACTIVATION"),
    ],
)
def test_whoever_wants_it_back_is_told_why_not(
    histories: tuple[History, ...], fact: str, request_: str, code: str
) -> None:
    """8.5, EA-29, SUB-12: corrections are new facts."""
    codes = {
        entry.outcome.code
        for each in histories
        for left in each.facts
        if left.fact.name == fact
        for entry in later(each, left)
        if entry.event.name == request_ and isinstance(entry.outcome, Refusal)
    }

    assert codes == {code}
