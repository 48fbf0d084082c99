"""The commands are imported when they are invoked; until then their names and first lines do."""

import pytest
from typer.testing import CliRunner

from sublife.scheduler.cli import TABLE, app


def _first_paragraph(text: str) -> str:
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


@pytest.mark.parametrize("name", TABLE)
def test_the_line_in_the_help_is_the_first_paragraph_of_the_command(name: str) -> None:
    deferred = TABLE[name]

    command = deferred.load()

    assert _first_paragraph(command.help) == deferred.help
    assert command.name == name


@pytest.mark.parametrize("name", TABLE)
def test_each_command_shows_its_own_help(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert f"Usage: root {name}" in result.output
    assert _first_paragraph(TABLE[name].load().help)[:30] in result.output


def test_the_help_of_the_group_lists_every_command_under_a_heading() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    assert [name for name in TABLE if f" {name} " not in result.output] == []
    assert [each.panel for each in TABLE.values() if each.panel not in result.output] == []


def test_an_unknown_command_is_refused_with_the_nearest_name() -> None:
    result = CliRunner().invoke(app, ["shwo"])

    assert result.exit_code == 2
    assert "No such command 'shwo'" in result.output
    assert "show" in result.output
