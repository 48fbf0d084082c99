"""Forks of what every shipped scenario leaves behind: sound, and with the same future."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

import pytest

from sublife.events.intake import settle
from sublife.events.simulation import advance, fork
from sublife.events.store import Entry, Store
from sublife.events.verify import verify
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay import run
from sublife.scheduler.scenario import find, load
from tests.scale import sized

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FILES = find([SCENARIOS])
FOLDERS = sorted({path.relative_to(SCENARIOS).parts[0] for path in FILES})
AHEAD = timedelta(days=3 * 365)


def happened(store: Store, subjects: frozenset[str]) -> list[Entry]:
    """Return what happened to subjects; when it was written down may differ."""
    return [
        Entry(
            each.event,
            each.state_before,
            each.state,
            each.version,
            each.sequence,
            each.rules,
            each.policy,
            each.event.at,
            each.outcome,
        )
        for each in store.journal()
        if each.event.subject in subjects
    ]


def check(path: Path, share: float) -> int:
    """Fork every subject that a scenario leaves, and compare; return how many forks it took.

    Args:
        path: of the scenario.
        share: of its steps that have happened by then.
    """
    scenario = load(path)
    scenario = replace(scenario, acts=scenario.acts[: ceil(len(scenario.acts) * share)])
    store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
    end = max(line.at for line in run(scenario, store, tenant="live").timeline)
    live = store.of("live", policy=scenario.policy, clock=SimulatedClock(end))
    covered: set[str] = set()
    forks: list[str] = []
    for subject in live.all():
        if subject not in covered:
            forks.append(f"fork-{len(forks)}")
            covered |= {*fork(live, subject, forks[-1]).subjects}

    settle(live, end + AHEAD)
    for name in forks:
        forked = live.of(name)
        advance(forked, end + AHEAD)
        subjects = frozenset(forked.all())
        assert happened(forked, subjects) == happened(live, subjects), path

    verdict = verify(store, rebuild=True, policies=[live.policy])
    assert verdict.is_sound, (path, verdict.findings)
    assert not verdict.missing
    store.close()
    return len(forks)


@pytest.mark.soak
@pytest.mark.parametrize("share", [0.6])
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_fork_is_sound_and_has_the_future_of_the_live_subject(folder: str, share: float) -> None:
    """GEN-08: whatever has happened by then; every decision finds what it reads."""
    files = [path for path in FILES if path.relative_to(SCENARIOS).parts[0] == folder]
    files = files[:: sized(3, 1)]

    forks = sum(check(path, share) for path in files)

    assert forks >= len(files)
