"""Only folders named `packs` below the one that is searched are passed over; `.yml` counts too."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sublife.scheduler.scenario import find

SETTINGS = "[pytest]\nsublife_scenarios = scenarios\n"


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., dict[str, Path]]:
    """Returns a function that writes files into a project of which a parent is named `packs`."""

    def write(*names: str) -> dict[str, Path]:
        paths = {name: tmp_path / "packs" / "host" / "scenarios" / name for name in names}
        for path in paths.values():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x: 1\n", encoding="utf-8")
        return paths

    return write


@pytest.mark.parametrize("name", ["sale.yaml", "sale.yml", "deep/er/sale.yaml", "packs.yaml"])
def test_a_project_below_a_folder_named_packs_finds_its_scenarios(
    project: Callable[..., dict[str, Path]], name: str
) -> None:
    paths = project(name, "packs/own.yaml", "deep/packs/own.yml", "export.json")

    assert find([paths["export.json"].parent]) == [paths[name]]


def test_a_folder_named_packs_can_be_searched_itself(
    project: Callable[..., dict[str, Path]],
) -> None:
    paths = project("packs/sale.yaml")

    assert find([paths["packs/sale.yaml"].parent]) == [paths["packs/sale.yaml"]]


def test_a_folder_whose_name_ends_in_yaml_is_not_a_scenario(
    project: Callable[..., dict[str, Path]],
) -> None:
    paths = project("old.yaml/sale.yaml")

    assert find([paths["old.yaml/sale.yaml"].parents[1]]) == [paths["old.yaml/sale.yaml"]]


def test_pytest_collects_the_scenarios_of_a_project_below_a_folder_named_packs(
    pytester: pytest.Pytester,
) -> None:
    root = pytester.mkdir("packs")
    (root / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    for name in ("sale.yaml", "renewal.yml", "packs/own.yaml", "packs/own.yml"):
        path = root / "scenarios" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x: 1\n", encoding="utf-8")

    listed = pytester.runpytest_inprocess("--collect-only", "-q", "-c", str(root / "pytest.ini"))

    listed.stdout.fnmatch_lines(["*renewal.yml::scenario", "*sale.yaml::scenario"])
    listed.stdout.no_fnmatch_line("*own.y*")
