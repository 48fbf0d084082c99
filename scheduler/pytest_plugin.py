"""Collects scenario files as tests of a host project.

Name the folders in the host's pytest settings: `sublife_scenarios = ["scenarios"]`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sublife.scheduler.replay import Result


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names folders of scenarios, from the project's root."""
    parser.addini(
        "sublife_scenarios",
        "folders whose *.yaml and *.yml files are scenarios",
        type="paths",
        default=[],
    )


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> "ScenarioFile | None":
    """Collect a YAML file that lies in one of the named folders."""
    folders: list[Path] = parent.config.getini("sublife_scenarios")
    if file_path.suffix not in {".yaml", ".yml"} or not folders:
        return None
    from sublife.scheduler.scenario import may_be_scenario  # noqa: PLC0415 – as below

    if not any(may_be_scenario(file_path, folder) for folder in folders):
        return None
    file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)  # pyright: ignore[reportUnknownMemberType] – pytest
    return file


class ScenarioFile(pytest.File):
    """One scenario file."""

    def collect(self) -> Iterator["ScenarioItem"]:
        """Yield the one test it holds."""
        item: ScenarioItem = ScenarioItem.from_parent(self, name="scenario")  # pyright: ignore[reportUnknownMemberType] – pytest
        yield item


class ScenarioFailed(Exception):  # noqa: N818 – pytest shows it as a failure, not an error
    """The scenario did not hold, or its file is wrong."""

    def __init__(self, result: "Result") -> None:
        self.result = result
        super().__init__(result.path)


class ScenarioItem(pytest.Item):
    """The test that replays one scenario."""

    def runtest(self) -> None:
        """Replay the file on the simulated clock, in memory."""
        from sublife.scheduler.replay import replay_file  # noqa: PLC0415 – only hosts that use it

        result = replay_file(self.path)
        if not result.held:
            raise ScenarioFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Return the differences or faults as a person reads them."""
        from sublife.scheduler.report import describe  # noqa: PLC0415 – as above

        if isinstance(excinfo.value, ScenarioFailed):
            result = excinfo.value.result
            return f"{result.title}\n" + ("\n".join(result.faults) or describe(result))
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the test stands."""
        return self.path, 0, f"scenario: {self.path.name}"
