"""A toy lifecycle takes one file and one line, and gets all that there is with no other change."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife import events, lifecycle, scheduler
from sublife.events.intake import Outcome, settle, submit
from sublife.events.outbox.endpoint import EndpointError, add_endpoint, new_secret
from sublife.events.permission import allowed, as_of
from sublife.events.store import Store
from sublife.events.store.delivery import Endpoint, Filters
from sublife.events.verify import verify
from sublife.lifecycle import catalog
from sublife.lifecycle.machine import UnknownLifecycleError
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, ModelError, Payload, Snapshot
from sublife.lifecycle.soundness import faults
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay import run
from sublife.scheduler.scenario import loads
from sublife.scheduler.schema import scenario_schema
from tests.acceptance.toy.permit import PERMIT, Extend, Issue, Permit

TOP = Path(__file__).parents[3]
ISSUED_AT = datetime(2025, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
LAST = ISSUED_AT + 180 * DAY
AMY = Actor(ActorKind.USER, "amy")
SCENARIO = """\
title: A permit is extended, lapses and ends; what comes too late is refused
rules: [GEN-03, GEN-05]
by: {user: amy}
steps:
  - at: 2025-03-01T09:00:00Z
    do: issue
    subject: p1
    lifecycle: permit
    with: {customer: town, partner: garage, plate: M-XY 1, days: 30}
    expect:
      state: valid
      facts: [{fact: permit-issued, until: "2025-03-31T09:00:00Z"}]
      due: {validity_ended: 2025-03-31T09:00:00Z}
      allowed: [extend, give_back]
  - at: 2025-03-31T08:59:59Z
    do: extend
    subject: p1
    with: {days: 1}
    expect: {facts: [permit-extended], fields: {valid_until: 2025-04-01T09:00:00Z}}
  - at: 2025-03-31T10:00:00Z
    do: extend
    subject: p1
    with: {days: 365}
    expect: {refused: PERMIT_TOO_LONG}
  - at: 2025-04-01T09:00:00Z
    do: extend
    subject: p1
    with: {days: 1}
    expect:
      refused: {code: PERMIT_OVER, rule: GEN-03,
                sentence: The permit is lapsed; extend is not possible any more.}
      state: lapsed
      due: {grace_ended: 2025-05-01T09:00:00Z}
  - at: 2025-05-01T09:00:00Z
    subject: p1
    expect: {state: ended, facts: [permit-ended], due: {}, allowed: [], version: 4}
expect:
  facts: [permit-issued, permit-extended, permit-lapsed, permit-ended]
  records: []
  orders: []
  refusals: [PERMIT_TOO_LONG, PERMIT_OVER]
"""


@pytest.fixture(autouse=True)
def known() -> Iterator[None]:
    """The one line; taken back afterwards, since other tests live in the same process."""
    catalog.include(PERMIT)
    yield
    del catalog._INCLUDED[PERMIT.name]  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(params=["sqlite-memory", "sqlite-file", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store on each database."""
    urls = {"sqlite-memory": "sqlite://", "sqlite-file": f"sqlite:///{tmp_path / 'store.db'}"}
    url = urls.get(request.param) or str(request.getfixturevalue("migrated_database"))
    opened = Store.open(url, clock=SimulatedClock(LAST))
    yield opened
    opened.close()


def ask(
    store: Store, name: str, at: datetime, data: Payload = EMPTY, subject: str = "p1"
) -> Outcome:
    """Submit an event of an instant before the clock's."""
    event_id = f"{name}-{subject}-{at.isoformat()}"
    return submit(store, Event(event_id, name, subject, at, AMY, data, None, "permit"))


ISSUE = Issue("town", "garage", "M-XY 1", 30)


def test_without_the_line_nobody_knows_it(store: Store) -> None:
    """So it is that line which makes the difference."""
    name = PERMIT.name
    held = catalog._INCLUDED.pop(name)  # pyright: ignore[reportPrivateUsage]
    try:
        with pytest.raises(UnknownLifecycleError, match='no lifecycle "permit"'):
            ask(store, "issue", ISSUED_AT, ISSUE)
    finally:
        catalog.include(held)


def test_a_second_lifecycle_of_one_name_is_refused() -> None:
    """Including the same one again changes nothing."""
    catalog.include(PERMIT)
    with pytest.raises(ModelError, match="there is a lifecycle permit already"):
        catalog.include(replace(PERMIT))


def test_a_snapshot_with_slots_is_refused() -> None:
    """A copy of it would lose what is in them."""

    with pytest.raises(ModelError, match=r'Slotted has slots.*take "slots=True" out'):

        @dataclass(frozen=True, slots=True, kw_only=True)
        class Slotted(Snapshot):  # pyright: ignore[reportUnusedClass]
            plate: str


def test_no_other_file_of_the_packages_names_it() -> None:
    """Not its facts, codes, requests or classes."""
    words = [*PERMIT.facts, *PERMIT.codes, *PERMIT.ticks[:1], "class Permit(Snapshot)"]
    texts = {
        path: path.read_text(encoding="utf-8")
        for package in (lifecycle, events, scheduler)
        for folder in package.__path__
        for path in Path(folder).rglob("*.[py][ya]*")
        if path.suffix in {".py", ".yaml"}
    }

    assert len(texts) > 150
    assert [(path, word) for path, text in texts.items() for word in words if word in text] == []


class TestStorage:
    def test_it_is_stored_and_its_history_proves_itself(self, store: Store) -> None:
        """Submitted, refused, settled; decided again to the same state."""
        ask(store, "issue", ISSUED_AT, ISSUE)
        refused = ask(store, "extend", ISSUED_AT + DAY, Extend(400))
        ask(store, "extend", ISSUED_AT + 2 * DAY, Extend(5))
        settle(store, ISSUED_AT + 40 * DAY)

        held = store.get("p1")
        verdict = verify(store, rebuild=True)
        assert isinstance(held, Permit)
        assert (held.state, held.version, held.plate) == ("lapsed", 3, "M-XY 1")
        assert refused.refusal is not None
        assert (refused.refusal.code, refused.refusal.rule) == ("PERMIT_TOO_LONG", "GEN-05")
        assert [entry.event.name for entry in store.history("p1")] == [
            "issue",
            "extend",
            "extend",
            "validity_ended",
        ]
        assert (verdict.is_sound, verdict.decided) == (True, 3)
        assert (store.records(), store.orders()) == ((), ())

    def test_it_is_looked_at_as_of_an_instant(self, store: Store) -> None:
        """And what may be asked of it then; nothing is written by that."""
        ask(store, "issue", ISSUED_AT, ISSUE)

        later = as_of(store, "p1", at=ISSUED_AT + 31 * DAY)

        assert later is not None
        assert later.state == "lapsed"
        assert allowed(store, "p1", at=ISSUED_AT + 31 * DAY) == ("give_back",)
        assert allowed(store, "p1", at=ISSUED_AT) == ("extend", "give_back")

    def test_the_same_event_twice_has_one_effect(self, store: Store) -> None:
        """By its id."""
        ask(store, "issue", ISSUED_AT, ISSUE)
        first = ask(store, "extend", ISSUED_AT + DAY, Extend(5))
        again = ask(store, "extend", ISSUED_AT + DAY, Extend(5))

        assert (first.repeated, again.repeated) == (False, True)
        assert len(store.history("p1")) == 2

    def test_its_facts_can_be_subscribed_to(self, store: Store) -> None:
        """A name that no lifecycle has is still refused."""
        wanted = Filters(facts=("permit-lapsed",), lifecycles=("permit",))
        secret = new_secret(b"1" * 32)
        hook = Endpoint(id="town", url="https://93.184.216.34/in", secret=secret, filters=wanted)

        assert add_endpoint(store, hook, ISSUED_AT) == hook

        lost = replace(hook, id="two", filters=Filters(facts=("permit-lost",)))
        with pytest.raises(EndpointError, match='"permit-lost", which there is not'):
            add_endpoint(store, lost, ISSUED_AT)


class TestTimers:
    def test_a_late_daemon_writes_the_history_of_a_punctual_one(self, store: Store) -> None:
        """GEN-08: asleep for half a year, or awake every day."""
        late, punctual = store.of("late"), store.of("punctual")
        for each in (late, punctual):
            ask(each, "issue", ISSUED_AT, ISSUE)
            ask(each, "issue", ISSUED_AT, Issue("town", "garage", "M-XY 2", 61), subject="p2")
        for day in range(1, 180):
            settle(punctual, ISSUED_AT + day * DAY)
        settle(late, LAST)

        assert late.digest() == punctual.digest()
        assert late.all() == punctual.all()
        assert {held.state for held in late.all().values()} == {"ended"}
        assert late.next_due() is None


class TestScenario:
    def test_a_scenario_file_of_it_is_replayed(self, store: Store) -> None:
        """Every word of it is checked on load, every expectation compared."""
        result = run(loads(SCENARIO, Path("permit.yaml")), store)

        assert result.differences == ()
        assert len(result.timeline) == 6

    def test_an_expectation_that_does_not_hold_is_told(self, store: Store) -> None:
        """The replay looks at it as at any other."""
        wrong = SCENARIO.replace("version: 4", "version: 5")

        result = run(loads(wrong, Path("permit.yaml")), store)

        assert [each.where for each in result.differences] == ["step 5, version"]

    def test_the_schema_for_editors_knows_it(self) -> None:
        """Its requests stand beside all others."""
        text = str(scenario_schema())

        assert "'give_back'" in text
        assert "plate" in text


class TestDefinition:
    def test_it_is_drawn(self) -> None:
        """By the command, beside those that ship."""
        result = CliRunner().invoke(app, ["lifecycles", "permit"])

        assert result.exit_code == 0
        assert "[*] --> valid: issue" in result.stdout
        assert "valid --> lapsed: ⏱ validity_ended" in result.stdout
        assert "ended --> [*]" in result.stdout

    def test_it_is_sound(self) -> None:
        """No dead end, no state out of reach, no timer without a rule."""
        assert faults(PERMIT) == ()

    def test_the_tests_of_every_lifecycle_are_tests_of_it(self) -> None:
        """A run of tests that knows it collects and passes its properties and its soundness."""
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "tests.acceptance.toy.included",
                "-p",
                "no:cacheprovider",
                "-k",
                "permit",
                "tests/acceptance/test_properties.py",
                "tests/lifecycle/test_soundness.py",
            ],
            cwd=TOP,
            capture_output=True,
            text=True,
            check=False,
        )

        assert run.returncode == 0, run.stdout
        assert "8 passed" in run.stdout
