"""The history of every shipped scenario proves itself: chains, facts, records and subjects."""

from pathlib import Path

import pytest

from sublife.events.packs import load_pack
from sublife.events.store import Store
from sublife.events.verify import verify
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.replay import Replay
from sublife.scheduler.scenario import find
from tests.scale import sized

SCENARIOS = Path(__file__).parents[2] / "scenarios"
PACKS = sorted(path for path in SCENARIOS.rglob("*.yaml") if "packs" in path.parts)


@pytest.fixture(params=["sqlite-file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that outlives a store."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.mark.soak
def test_every_scenario_leaves_a_history_that_proves_itself(url: str) -> None:
    """Written by one process and decided again by another, each in a tenant of its own."""
    files = find([SCENARIOS])[:: sized(5, 1)]
    with Replay(files, url=url) as going:
        results = list(going.results())

    store = Store.open(url, clock=SystemClock())
    verdict = verify(store, rebuild=True, policies=[load_pack(str(path)) for path in PACKS])
    store.close()

    assert all(result.held for result in results)
    assert [str(finding) for finding in verdict.findings] == []
    assert (verdict.missing, verdict.tenants) == ((), len(files))
    assert verdict.rows > verdict.decided > sized(200, 1000)
