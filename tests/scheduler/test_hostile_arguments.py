"""Every option of every command, with values that nobody means: one clear refusal, nothing raw."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sublife.scheduler.cli import TABLE, app
from sublife.scheduler.settings import SettingsError, load

NUMBERS = ("nan", "inf", "-inf", "-1", "1" + 20 * "0", "x")
TEXTS = ("a\x1b[31mred", "half\udc80", "bell\x07", "\x9b2J")
DATES = ("0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "soon")


def _leaves(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner: dict[str, Any] | None = getattr(command, "commands", None)
    if inner is None:
        yield words, command
        return
    for name, each in inner.items():
        yield from _leaves((*words, name), each)


COMMANDS = [each for name, one in TABLE.items() for each in _leaves((name,), one.load())]
FLAGS = [
    (words, each.opts[0])
    for words, command in COMMANDS
    for each in command.params
    if each.opts[0].startswith("--") and not each.is_flag
]
NUMERIC = [
    (words, option)
    for words, option in FLAGS
    if option.rpartition("-")[2] in {"days", "limit", "hours", "lag", "silence", "lines", "jobs"}
    or option.rpartition("-")[2] in {"every", "workers", "batch", "seconds", "burst", "bytes"}
    or option in {"--partition-subjects", "--months-ahead"}
]


def _named(pair: tuple[tuple[str, ...], str]) -> str:
    return " ".join((*pair[0], pair[1]))


def refused(words: tuple[str, ...], option: str, value: str, store: str) -> str:
    """What a command says that refuses a value of an option."""
    command = next(each for known, each in COMMANDS if known == words)
    places = ["s1" for each in command.params if not each.opts[0].startswith("-")]
    needed = [] if option == "--store" else ["--store", store]
    result = CliRunner().invoke(app, [*words, *places, *needed, option, value])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, (result.exit_code, result.output)
    said = result.output
    assert "Traceback" not in said
    assert len(said) < 4000
    assert all(each.isprintable() or each == "\n" for each in said), said
    return said


@pytest.mark.parametrize("pair", FLAGS, ids=_named)
def test_text_that_a_terminal_would_act_upon_is_refused_by_name(
    pair: tuple[tuple[str, ...], str], tmp_path: Path
) -> None:
    words, option = pair
    for value in TEXTS:
        assert option in refused(words, option, value, f"sqlite:///{tmp_path / 'none.db'}")


@pytest.mark.parametrize("pair", NUMERIC, ids=_named)
@pytest.mark.parametrize("value", NUMBERS)
def test_a_number_out_of_all_bounds_is_refused(
    pair: tuple[tuple[str, ...], str], value: str, tmp_path: Path
) -> None:
    words, option = pair

    said = refused(words, option, value, f"sqlite:///{tmp_path / 'none.db'}")

    assert option in said or option.lstrip("-").replace("-", "_") in said


@pytest.mark.parametrize("value", DATES)
@pytest.mark.parametrize(
    "pair",
    [(("log",), "--until"), (("log",), "--since"), (("import",), "--as-of")],
    ids=_named,
)
def test_a_date_at_the_edge_of_the_calendar_is_refused(
    pair: tuple[tuple[str, ...], str], value: str, tmp_path: Path
) -> None:
    assert pair[1] in refused(*pair, value, f"sqlite:///{tmp_path / 'none.db'}")


@pytest.mark.parametrize(
    "command",
    [("replay",), ("lifecycles", "--check"), ("rules", "--scenarios"), ("daemon", "--config")],
    ids=lambda each: each[0],
)
@pytest.mark.parametrize("length", [300, 5000])
def test_a_file_name_that_is_too_long_is_explained(
    command: tuple[str, ...], length: int, sublife: Callable[..., Any]
) -> None:
    said = sublife(*command, "a" * length)

    assert said.status == 2
    assert 0 < len(said.complaints) < 1000 + length


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKERS", "-1"), ("BEAT_SECONDS", "nan"), ("RATE_PER_SECOND", "inf"), ("BATCH", "1e20")],
)
def test_a_setting_of_the_environment_out_of_bounds_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBLIFE_STORE", "sqlite://")
    monkeypatch.setenv(f"SUBLIFE_{name}", value)

    with pytest.raises(SettingsError, match=name.lower()):
        load()


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_output_that_the_encoding_lacks_is_escaped(encoding: str) -> None:
    code = (
        "import sys; from sublife.scheduler import cli; "
        "cli.app = lambda: (sys.stdout.write('→ \u2603'), sys.stderr.write('→')); cli.main()"
    )

    done = subprocess.run(
        (sys.executable, "-c", code),
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": encoding},
    )

    assert done.stdout == rb"\u2192 \u2603"
    assert done.stderr == rb"\u2192"
