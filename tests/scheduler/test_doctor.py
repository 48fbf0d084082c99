"""sublife doctor: each thing that can be wrong is found, with a remedy; and a sound one is fine."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.migrations.partition import Partitions
from sublife.events.outbox import Handler, Retry, relay
from sublife.events.store import Store
from sublife.events.store.daemon import Daemon
from sublife.events.store.delivery import CommittedFact, Endpoint
from sublife.events.store.upgrade import upgrade
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock, SystemClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
DAY = timedelta(days=1)
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
GAP = """\
pack: with-gap
title: The grace ends in 2030 with nothing after it
extends: microsoft-csp
figures:
  grace:
    unit: days
    rule: SUB-04
    spans:
      - {to: 2030-01-01, value: 30}
"""
AHEAD = """\
pack: changes-soon
title: The grace is shorter from a day ahead on
extends: microsoft-csp
figures:
  grace:
    unit: days
    rule: SUB-04
    spans:
      - {to: 2024-11-01, value: 30}
      - {from: 2024-11-01, value: 10}
"""


@pytest.fixture
def store(database: str) -> Store:
    """A store with its tables, and nothing in it."""
    return Store.open(database, clock=SystemClock())


def findings(said: "Said") -> list[tuple[str, str, str]]:
    """Return each finding of JSON as check, what it says, and the remedy."""
    return [
        (each["check"], each["says"], each["remedy"]) for each in json.loads(said.out)["findings"]
    ]


def test_a_sound_database_is_fine(store: Store, database: str, sublife: Sublife) -> None:
    """Every check is named, and the exit status is 0."""
    store.close()

    said = sublife("doctor", "--store", database)

    assert said.status == 0, said.out
    assert said.out.endswith("fine\n")
    for check in ("schema", "clock", "lag", "daemons", "deliveries", "policy", "partitions"):
        assert f"✓ {check}" in said.out


def test_nothing_is_changed(lapsing: str, sublife: Sublife) -> None:
    """To look is not to fix."""
    store = Store.open(lapsing, clock=SystemClock())
    before = store.digest()

    sublife("doctor", "--store", lapsing)

    assert store.digest() == before
    assert store.daemons.all() == ()
    store.close()


def test_what_has_been_due_for_long_is_found(lapsing: str, sublife: Sublife) -> None:
    """Nobody settles: the tenant, the subject, since when, and what to start."""
    said = sublife("doctor", "--store", lapsing, "--json")

    assert said.status == 1
    (lag,) = [each for each in findings(said) if each[0] == "lag"]
    assert "since 2025-10-01T00:00:00Z: term_ended of s1" in lag[1]
    assert lag[2] == "start one: sublife daemon; what is due happens with its true instants"


def test_how_long_something_may_be_due_can_be_said(lapsing: str, sublife: Sublife) -> None:
    """In minutes; a hundred years are enough for this one."""
    said = sublife("doctor", "--store", lapsing, "--lag", 100 * 366 * 24 * 60)

    assert said.status == 0


def test_a_clock_that_is_behind_is_found(
    lapsing: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """Something was written later than now."""
    set_now(SOLD_AT - DAY)

    said = sublife("doctor", "--store", lapsing, "--json")

    found = [each[1] for each in findings(said) if each[0] == "clock"]
    assert found[-1] == (
        "something was written at 2024-10-01T02:35:00Z, and this machine's clock shows only "
        "2024-09-30T02:35:00Z"
    )


def test_a_clock_that_differs_from_the_databases_is_found(
    postgresql: str, migrated_database: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """PostgreSQL has a clock of its own."""
    Store.open(migrated_database, clock=SystemClock()).close()
    set_now(datetime.now(UTC) + DAY)  # noqa: TID251 – the database's clock goes by the real one

    said = sublife("doctor", "--store", migrated_database)

    assert said.status == 1
    assert "ahead of the database's" in said.out


def test_a_daemon_that_has_gone_silent_is_found(
    store: Store, database: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """One that beats is told, one that has left is not."""
    set_now(SOLD_AT)
    ages = {"alive": timedelta(seconds=10), "silent": DAY, "left": DAY}
    for name, age in ages.items():
        left = SOLD_AT - DAY if name == "left" else None
        at = SOLD_AT - age
        store.daemons.beat(Daemon(name, "host-1", 42, "0.2.0", at, at, left))
    store.close()

    said = sublife("doctor", "--store", database, "--json")

    (daemon,) = [each[1] for each in findings(said) if each[0] == "daemons"]
    assert daemon == (
        "daemon silent on host-1 (pid 42, sublife 0.2.0) has not beaten for 1 d, since "
        "2024-09-30T02:35:00Z"
    )
    notes = json.loads(said.out)["notes"]
    assert any(note.startswith("daemon alive on host-1") for note in notes)
    assert not any("daemon left" in note for note in notes)


def test_deliveries_that_stand_are_found(
    lapsing: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """Those nobody attempts, those given up, and consumers that are paused."""
    store = Store.open(lapsing, clock=SimulatedClock(SOLD_AT))
    for name in ("crm", "erp"):
        endpoint = Endpoint(id=name, url=f"https://{name}.example/", secret="whsec_c2VjcmV0")  # noqa: S106
        store.endpoints.add(endpoint, SOLD_AT, from_start=True)
    relay(store, SOLD_AT)
    store.endpoints.pause("erp", SOLD_AT, "answered 410 Gone")
    books = Handler(store=store, name="books", call=_broken, retry=Retry(attempts=1))
    assert books.run(SOLD_AT, chance=lambda: 0.5).dead == 4
    store.close()
    set_now(SOLD_AT + DAY)

    said = sublife("doctor", "--store", lapsing, "--json")

    found = {(check, says): remedy for check, says, remedy in findings(said)}
    since = "2024-10-01T02:35:00Z"
    waiting = f"2 deliveries of tenant default to crm have been due since {since}, and nobody "
    dead = f"4 deliveries of tenant default to books were given up, the first at {since}"
    paused = f"erp of tenant default has been paused since {since} (answered 410 Gone); its facts "
    assert found["deliveries", f"{waiting}attempts them"].endswith(
        "sublife deliveries send --tenant default"
    )
    assert found["deliveries", dead].endswith(
        "sublife deliveries resend books --dead --tenant default"
    )
    assert found["consumers", f"{paused}wait"] == "sublife endpoints resume erp --tenant default"


def _broken(fact: CommittedFact) -> None:
    raise ValueError(fact.id)


def test_a_pause_is_found(lapsing: str, sublife: Sublife) -> None:
    """So that it is not forgotten; what is paused is not said to lag."""
    sublife("pause", "--store", lapsing, "--reason", "audit", "--by", "amy")

    found = findings(sublife("doctor", "--store", lapsing, "--json"))

    assert [each[0] for each in found] == ["paused"]
    assert "everything was paused by amy at" in found[0][1]
    assert found[0][2].endswith("sublife resume")


def test_a_pack_that_ends_with_nothing_after_it_is_found(
    store: Store, database: str, sublife: Sublife, tmp_path: Path
) -> None:
    """GEN-09: with file, line and remedy, before a daemon cannot load it."""
    store.close()
    path = tmp_path / "gap.yaml"
    path.write_text(GAP, encoding="utf-8")

    said = sublife("doctor", "--store", database, "--policy", path, "--json")

    ((check, says, remedy),) = findings(said)
    assert check == "policy"
    assert "gap: nothing holds after it" in says
    assert "gap.yaml" in says
    assert remedy == "fix the file before a daemon or host loads it again"


@pytest.mark.parametrize(("days", "is_told"), [(30, False), (32, True)])
def test_a_figure_that_changes_ahead_is_told(
    store: Store,
    database: str,
    sublife: Sublife,
    set_now: Callable[[datetime], None],
    tmp_path: Path,
    days: int,
    is_told: bool,
) -> None:
    """Within the horizon: it is worth knowing and nothing wrong."""
    store.close()
    set_now(SOLD_AT)
    path = tmp_path / "ahead.yaml"
    path.write_text(AHEAD, encoding="utf-8")

    said = sublife("doctor", "--store", database, "--policy", path, "--days", days, "--json")

    note = "changes-soon: grace (SUB-04) becomes 10 days at 2024-11-01T00:00:00Z"
    assert [each for each in findings(said) if each[0] == "policy"] == []
    assert (note in json.loads(said.out)["notes"]) is is_told


def test_a_simulated_tenant_that_was_left_behind_is_found(
    store: Store, database: str, sublife: Sublife, set_now: Callable[[datetime], None]
) -> None:
    """One that is new is told only."""
    set_now(SOLD_AT)
    store.simulations.create("what-if", SOLD_AT, SOLD_AT - 40 * DAY)
    store.simulations.create("today", SOLD_AT, SOLD_AT - DAY)
    store.close()

    said = sublife("doctor", "--store", database, "--json")

    found = [each for each in findings(said) if each[0] == "simulations"]
    assert [each[2] for each in found] == [
        "if nobody needs it any more: sublife clock remove what-if"
    ]
    assert any("simulated tenant today" in note for note in json.loads(said.out)["notes"])


def test_months_without_partitions_are_found(
    postgresql: str, empty_database: str, sublife: Sublife
) -> None:
    """Nobody makes them, and the default partition fills."""
    upgrade(empty_database, Partitions(0, True, date(2020, 1, 1), 0))
    store = Store.open(empty_database, clock=SystemClock())
    order = Purchase("tailspin", "contoso", Product("E3"), 5, Term.P1Y, Billing.MONTHLY)
    submit(store, Event("e1", "purchase", "s1", SOLD_AT, Actor(ActorKind.USER, "amy"), order))
    store.close()

    said = sublife("doctor", "--store", empty_database, "--json")

    found = [each for each in findings(said) if each[0] == "partitions"]
    assert [each[1].partition(",")[0] for each in found] == [
        f"the partitions sublife_journal_{datetime.now(UTC):%Y_%m}",  # noqa: TID251 – as the command
        "rows of sublife_journal lie in sublife_journal_default",
        "rows of sublife_order lie in sublife_order_default",
    ]
    assert {each[2] for each in found} == {
        "make them: sublife migrate --months-ahead 6, every week from cron"
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_tables_that_are_not_there_are_found(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, sublife: Sublife
) -> None:
    """With what to run; nothing else can be looked at."""
    if kind == "postgresql":
        database = str(request.getfixturevalue("empty_database"))
    else:
        database = f"sqlite:///{tmp_path / 'empty.db'}"
        (tmp_path / "empty.db").touch()

    said = sublife("doctor", "--store", database, "--json")

    assert said.status == 1
    ((check, says, remedy),) = findings(said)
    assert (check, remedy.startswith("run sublife migrate --store")) == ("schema", True)
    assert "has no tables of ours" in says


def test_many_findings_of_one_sort_are_counted(database: str, sublife: Sublife) -> None:
    """Ten are told one by one."""
    store = Store.open(database, clock=SystemClock())
    at = SOLD_AT
    for number in range(13):
        store.daemons.beat(Daemon(f"d{number:02}", "host-1", 42, "0.2.0", at, at))
    store.close()

    found = findings(sublife("doctor", "--store", database, "--json"))

    assert len(found) == 11
    assert found[-1][1] == "and 3 more like these"


@pytest.mark.parametrize("url", ["sqlite:////nowhere/store.db", "mysql://host/base"])
def test_what_cannot_be_looked_at_is_status_2(sublife: Sublife, url: str) -> None:
    """No address, or nothing there."""
    said = sublife("doctor", "--store", url)

    assert said.status == 2
    assert said.complaints.startswith("not done")


def test_it_can_be_read(lapsing: str, sublife: Sublife) -> None:
    """Each finding with what to do under it, and how many there are."""
    said = sublife("doctor", "--store", lapsing)

    assert "✗ lag: tenant default has had something due for" in said.out
    assert "    what to do: start one: sublife daemon" in said.out
    assert said.out.endswith("1 finding\n")
