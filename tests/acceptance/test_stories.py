"""The stories cross several lifecycles and can be read aloud by people who know the trade."""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from sublife.events.records import RECORDINGS
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.scheduler.replay import Happening, Result, replay_file
from sublife.scheduler.scenario import find, load
from sublife.scheduler.show import show_timeline
from sublife.scheduler.telling.fact import FACTS, SAID
from sublife.scheduler.telling.request import REQUESTS
from tests.once import once

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STORIES = sorted((SCENARIOS / "stories").glob("*.yaml"))
SOURCES = {
    "the end of QMTH": ("the-end-of-qmth", "hosting", "2023-02-01"),
    "the distributor's legacy programme": (
        "the-distributors-legacy-programme",
        "programme",
        "2022-07-11",
    ),
    "the direct-bill requirement": ("the-direct-bill-requirement", "partner", "2022-06-01"),
    "the reseller threshold": ("the-reseller-threshold", "partner", "2024-05-20"),
    "the move of an EA customer": ("the-move-of-an-ea-customer", "transfer", "2024-09-15"),
    "the mission's own": (
        "two-partners-one-agreement-and-thirty-days",
        "transfer",
        "2024-10-01",
    ),
}
UNSAID = frozenset(
    {
        # What one event leads to on another subject: nobody asks for it.
        *("arise", "receive_seats", "note_successor", "await_migration", "enter_migration"),
        *("revert_migration", "complete_migration", "release_migration"),
        *("announce", "lead", "begin", "reconsider", "start", "abandon", "complete", "break_off"),
    }
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Path, Result]:
    """Every shipped scenario with its timeline."""
    return once(
        tmp_path_factory,
        "stories",
        lambda: {path: replay_file(path) for path in find([SCENARIOS])},
    )


def test_there_are_eight_stories() -> None:
    """At least; one for each source, and the one that began it all."""
    assert len(STORIES) >= 8


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_crosses_three_lifecycles(path: Path) -> None:
    """A business case is never about one subject alone."""
    crossed = {act.event.lifecycle for act in load(path).acts if act.event is not None}

    assert len(crossed) >= 3


@pytest.mark.parametrize("name", SOURCES)
def test_each_source_has_a_story_that_reaches_its_day(
    results: Mapping[Path, Result], name: str
) -> None:
    """Each of them happens in its own lifecycle, on the day that matters."""
    stem, lifecycle, day = SOURCES[name]
    path = SCENARIOS / "stories" / f"{stem}.yaml"

    asked = {act.event.lifecycle for act in load(path).acts if act.event is not None}
    days = {f"{line.at:%Y-%m-%d}" for line in results[path].timeline}

    assert lifecycle in asked
    assert day in days


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_is_told_without_a_word_of_the_code(
    results: Mapping[Path, Result], path: Path
) -> None:
    """No name of a fact or a request, no field of a payload; only refusal codes are named."""
    console = Console(width=150, record=True, file=StringIO())

    show_timeline(console, results[path])
    said = " ".join(console.export_text().split())

    assert re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", said.replace("csp_hoster", "")) == []
    for fact in RECORDINGS:
        assert f" {fact} " not in said


def told(results: Mapping[Path, Result]) -> list[tuple[Path, Happening, str]]:
    """Return every sentence of every scenario."""
    return [
        (path, line, said)
        for path, result in results.items()
        for line in result.timeline
        for said in line.tells
    ]


def test_no_sentence_has_a_gap(results: Mapping[Path, Result]) -> None:
    """What is not known is left out together with the words around it."""
    odd = [
        (path.name, line.event, said)
        for path, line, said in told(results)
        if re.search(r"  | [,.;:]|[,;:]\.|\(\)|[{}\[\]|]|\bNone\b|“”", said)
    ]

    assert odd == []


def test_a_sentence_begins_and_ends_as_one(results: Mapping[Path, Result]) -> None:
    """A name may stand first as it is written; the rest begins with a capital."""
    odd = [
        (path.name, line.event, said)
        for path, line, said in told(results)
        if not said[0].isupper() or said[-1] not in ".?"
    ]

    assert odd == []


def test_whatever_is_refused_is_told_with_its_reason(results: Mapping[Path, Result]) -> None:
    """8.6: the sentence that a support agent reads out."""
    refused = [line for each in results.values() for line in each.timeline if line.code]

    assert refused
    assert all(any(said.startswith("Refused: ") for said in line.tells) for line in refused)


def test_every_fact_has_a_sentence() -> None:
    """8.2: none is shown by its name for want of words."""
    assert {name for name in RECORDINGS if name not in FACTS} == set()
    assert set(SAID) <= set(FACTS)
    assert {key.partition("/")[0] for key in FACTS} <= set(RECORDINGS)


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_every_request_that_somebody_makes_has_words(lifecycle: str) -> None:
    """Those that events make of each other are told by what they lead to."""
    requests = LIFECYCLES[lifecycle].requests
    silent = {name for name in requests if f"{lifecycle}/{name}" not in REQUESTS}

    assert silent <= UNSAID
