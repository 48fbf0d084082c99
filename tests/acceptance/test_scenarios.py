"""Every scenario holds, and its history is the one that was agreed on."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sublife.scheduler.replay import replay_file
from sublife.scheduler.report import describe
from tests.once import once
from tests.scale import sized

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
FILES = sorted(path for path in SCENARIOS.rglob("*.yaml") if "packs" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SCENARIOS)))
def test_a_scenario_holds(path: Path) -> None:
    """Everything expected happened, and nothing else."""
    result = replay_file(path)

    assert result.held, "\n".join(result.faults) or describe(result)


def test_there_are_scenarios_enough_for_the_subscription_lifecycle() -> None:
    """One for every rule and every corner of the tables takes at least this many."""
    subscription = [path for path in FILES if path.is_relative_to(SCENARIOS / "subscription")]

    assert len(subscription) >= 45


def test_no_two_scenarios_have_the_same_title() -> None:
    """A title tells a person which one failed."""
    titles = [path.read_text(encoding="utf-8").split("\n", 1)[0] for path in FILES]

    assert len(set(titles)) == len(titles)


def digests(*more: str, of: Sequence[str] = ("scenarios",)) -> dict[str, str]:
    """Return the digests as the command prints them at the root of the repository, by path."""
    done = subprocess.run(
        [sys.executable, "-m", "sublife.scheduler", "replay", *of, "--digest", *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr or done.stdout
    return _by_path(done.stdout)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of a replay in memory."""
    return once(tmp_path_factory, "digests", digests)


def _by_path(text: str) -> dict[str, str]:
    """Return `<sha256>  <path>` lines as a mapping."""
    return {name: digest for digest, name in (line.split("  ", 1) for line in text.splitlines())}


def test_every_history_has_the_digest_that_was_agreed_on(computed: dict[str, str]) -> None:
    """A change of any history is a change of `scenarios/DIGESTS`, made on purpose."""
    agreed = _by_path((SCENARIOS / "DIGESTS").read_text(encoding="utf-8"))

    changed = {
        name: (agreed.get(name), computed.get(name))
        for name in sorted(agreed.keys() | computed.keys())
        if agreed.get(name) != computed.get(name)
    }
    assert changed == {}


def test_the_digests_cover_every_scenario_and_the_total(computed: dict[str, str]) -> None:
    """No scenario without a digest, no digest without a scenario."""
    names = {path.relative_to(ROOT).as_posix() for path in FILES}

    assert computed.keys() == names | {"total"}


def test_the_digests_on_a_sqlite_file_are_the_same(
    computed: dict[str, str], tmp_path: Path
) -> None:
    """Durable or not, one history."""
    assert digests("--store", f"sqlite:///{tmp_path / 'replay.db'}") == computed


def test_the_digests_on_postgresql_are_the_same(
    computed: dict[str, str], migrated_database: str
) -> None:
    """JSON comes back in another order there, and text may sort in another one."""
    assert digests("--store", migrated_database, "--jobs", "1") == computed


@pytest.mark.soak
def test_four_processes_write_the_same_digests_on_postgresql(
    computed: dict[str, str], migrated_database: str
) -> None:
    of = [path.relative_to(ROOT).as_posix() for path in FILES[:: sized(8, 1)]]

    found = digests("--store", migrated_database, "--jobs", "4", of=of)

    assert found.keys() == {*of, "total"}
    assert {name: computed[name] for name in of} == {name: found[name] for name in of}
