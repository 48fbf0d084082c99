"""sublife clock and sublife fork: simulated tenants from the command line."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.simulation import later

GUIDE = Path(__file__).parents[2] / "docs" / "simulation.md"
SOLD_AT = datetime(2025, 3, 1, 9, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, *arguments: object, answer: str | None = None) -> None:
        result = CliRunner().invoke(app, [str(each) for each in arguments], input=answer)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a store with three live subscriptions of two customers."""
    if request.param == "postgresql":
        address = str(request.getfixturevalue("migrated_database"))
    else:
        address = f"sqlite:///{tmp_path / 'store.db'}"
    store = Store.open(address, clock=SimulatedClock(SOLD_AT), tenant="live")
    for name, customer in (("s1", "tailspin"), ("s2", "tailspin"), ("s3", "fabrikam")):
        order = Purchase(
            customer, "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
        )
        assert submit(store, Event(name, "purchase", name, SOLD_AT, AMY, order)).accepted
    store.close()
    return address


@pytest.fixture
def forked(url: str) -> str:
    """Its address, with the first customer forked into `whatif`."""
    create = ("clock", "create", "whatif", "--at", "2025-06-01", "--store", url)
    fork = ("fork", "s1", "--tenant", "live", "--into", "whatif", "--store", url)
    for command in (create, fork):
        assert Said(*command).status == 0
    return url


def test_a_fork_says_what_it_has_copied(url: str) -> None:
    """A new tenant is made, and shows now."""
    before = datetime.now(UTC)  # noqa: TID251 – the command reads the clock itself

    said = Said("fork", "s1", "--tenant", "live", "--into", "whatif", "--store", url, "--json")

    found = json.loads(said.out)
    assert said.status == 0
    assert (found["subjects"], found["is_new"]) == (["s1", "s2"], True)
    assert datetime.fromisoformat(found["now"]) >= before


def test_advancing_shows_what_happens_to_whom(forked: str) -> None:
    said = Said("clock", "advance", "whatif", "--to", "2026-04-01", "--store", forked)

    assert said.status == 0
    first, second, third = (line.split() for line in said.out.splitlines()[:3])
    assert first[:4] == ["2026-03-01T00:00:00Z", "→", "expired", "s1:"]
    assert second[:3] == ["→", "grace", "s1:"]
    assert third[:3] == ["→", "expired", "s2:"]
    assert said.out.splitlines()[-1] == (
        "whatif went from 2025-06-01T00:00:00Z to 2026-04-01T00:00:00Z: 6 events"
    )


def test_advancing_goes_on_from_where_it_stands(forked: str) -> None:
    Said("clock", "advance", "whatif", "--by", "45d", "--store", forked)

    said = Said("clock", "advance", "whatif", "--by", "2w", "--store", forked, "--json")

    assert json.loads(said.out) == {
        "tenant": "whatif",
        "since": "2025-07-16T00:00:00Z",
        "now": "2025-07-30T00:00:00Z",
        "events": 0,
        "stuck": [],
    }


def test_a_timeline_may_be_left_away(forked: str) -> None:
    command = ("clock", "advance", "whatif", "--by", "2y", "--no-timeline", "--store", forked)

    assert len(Said(*command).out.splitlines()) == 1


def test_simulated_tenants_are_listed(forked: str) -> None:
    Said("clock", "create", "early", "--at", "2020-01-01T12:00:00+01:00", "--store", forked)

    said = Said("clock", "show", "--store", forked, "--json")

    found = [(each["tenant"], each["now"], each["subjects"]) for each in json.loads(said.out)]
    assert found == [("early", "2020-01-01T11:00:00Z", 0), ("whatif", "2025-06-01T00:00:00Z", 2)]


def test_no_simulated_tenant_is_said_so(url: str) -> None:
    assert Said("clock", "show", "--store", url).out == "no simulated tenants\n"


def test_removing_asks_first(forked: str) -> None:
    said = Said("clock", "remove", "whatif", "--store", forked, answer="n\n")

    assert said.status == 1
    assert Said("clock", "show", "whatif", "--store", forked).status == 0


def test_a_removed_tenant_is_gone(forked: str) -> None:
    assert Said("clock", "remove", "whatif", "--yes", "--store", forked).status == 0

    assert Said("clock", "show", "--store", forked).out == "no simulated tenants\n"
    assert Said("verify", "--rebuild", "--store", forked).status == 0


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        pytest.param(
            ("clock", "advance", "live", "--by", "1d"), "live is not simulated", id="live clock"
        ),
        pytest.param(
            ("clock", "remove", "live", "--yes"), "live is not simulated", id="live tenant removed"
        ),
        pytest.param(
            ("clock", "create", "live"), "has rows in sublife_subject", id="live tenant made"
        ),
        pytest.param(("clock", "create", "whatif"), "simulated already", id="made twice"),
        pytest.param(("clock", "show", "none"), "none is not simulated", id="unknown"),
        pytest.param(
            ("clock", "advance", "whatif", "--to", "2025-05-31"), "cannot go back", id="backwards"
        ),
        pytest.param(
            ("fork", "s1", "--tenant", "live", "--into", "whatif"), "has s1, s2 already", id="again"
        ),
        pytest.param(
            ("fork", "s9", "--tenant", "live", "--into", "new"), "no subject s9", id="no subject"
        ),
        pytest.param(
            ("fork", "s1", "--tenant", "life", "--into", "new"),
            'nothing of tenant "life"',
            id="no tenant",
        ),
        pytest.param(
            ("fork", "s1", "--tenant", "live", "--into", "live"), "name another", id="into itself"
        ),
        pytest.param(
            ("endpoints", "add", "x", "https://x.example/", "--tenant", "whatif"),
            "nothing of it is handed on",
            id="endpoint",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    forked: str, command: tuple[str, ...], complaint: str
) -> None:
    before = digests(forked)

    said = Said(*command, "--store", forked)

    assert said.status == 2
    assert complaint in said.complaints
    assert digests(forked) == before


def digests(url: str) -> tuple[object, ...]:
    """Return what there is of either tenant, and the simulated clocks."""
    store = Store.open(url, clock=SimulatedClock(SOLD_AT), tenant="live")
    found = (store.digest(), store.of("whatif").digest(), store.simulations.all())
    store.close()
    return found


@pytest.mark.parametrize(
    ("how_far", "complaint"),
    [
        pytest.param((), "--by or with --to", id="neither"),
        pytest.param(("--by", "1d", "--to", "2026-01-01"), "--by or with --to", id="both"),
        pytest.param(("--by", "tomorrow"), "no length", id="no length"),
        pytest.param(("--by", "8000y"), "beyond the year 9999", id="too far"),
        pytest.param(("--to", "2026-01-01T00:00:00"), "no time zone", id="no zone"),
    ],
)
def test_how_far_must_be_said_clearly(
    forked: str, how_far: tuple[str, ...], complaint: str
) -> None:
    said = Said("clock", "advance", "whatif", *how_far, "--store", forked)

    assert said.status == 2
    assert complaint in said.complaints


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        ("36h", datetime(2024, 2, 1, 21, 30, tzinfo=UTC)),
        ("45d", datetime(2024, 3, 16, 9, 30, tzinfo=UTC)),
        ("2w", datetime(2024, 2, 14, 9, 30, tzinfo=UTC)),
        ("1mo", datetime(2024, 2, 29, 9, 30, tzinfo=UTC)),
        ("1y", datetime(2025, 1, 31, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_length_leads_to_its_instant(length: str, expected: datetime) -> None:
    """Hours, days and weeks are exact; months keep the day, or take the last there is."""
    assert later(datetime(2024, 1, 31, 9, 30, tzinfo=UTC), length) == expected


def test_a_length_of_nothing_leads_nowhere() -> None:
    assert later(SOLD_AT, "0d") == SOLD_AT
    with pytest.raises(typer.BadParameter):
        later(SOLD_AT, "-1d")


def test_the_guide_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first program, then each command with what it prints."""
    guide = GUIDE.read_text(encoding="utf-8")
    program = re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)[0]
    console = re.findall(r"^```console\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)[0]
    monkeypatch.chdir(tmp_path)
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)

    for told in console.split("$ sublife ")[1:]:
        command, *expected = told.splitlines()
        said = Said(*command.split())
        assert [line.rstrip() for line in said.out.splitlines()] == expected
        assert said.status == 0
