"""What is in deploy/ follows from the daemon's settings, and from what its signals mean."""

import re
from collections import defaultdict
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from sublife.scheduler.cli import TABLE
from sublife.scheduler.settings import PREFIX, Settings, load

TOP = Path(__file__).parents[1]
DEPLOY = TOP / "deploy"
FILES = sorted(
    path
    for path in (*DEPLOY.iterdir(), *TOP.glob("docs/**/*.md"), TOP / "README.md")
    if path.is_file()
)
OTHER = {"SUBLIFE_CONFIG", "SUBLIFE_TOKEN"}
"""Variables that are no setting: where the settings' file is, and the token of a client."""
LINE = re.compile(rf"^(#?)({PREFIX}[A-Z_]+)=(.*)$", re.MULTILINE)


def variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def environment() -> dict[str, tuple[bool, str]]:
    """Return each variable of the environment file: whether it is given, and its value."""
    text = (DEPLOY / "sublife.env").read_text(encoding="utf-8")
    return {name: (not off, value) for off, name, value in LINE.findall(text)}


def unit() -> dict[str, list[str]]:
    """Return the keys of the unit with all their values."""
    found = defaultdict[str, list[str]](list)
    for line in (DEPLOY / "sublife.service").read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return dict(found)


def image() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, each with its words."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines())]


class TestSettings:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
    def test_every_variable_that_is_named_exists(self, path: Path) -> None:
        named = set(re.findall(rf"\b{PREFIX}[A-Z]+(?:_[A-Z]+)*\b", path.read_text("utf-8")))

        assert named - {variable(name) for name in Settings.model_fields} - OTHER == set()

    def test_every_setting_stands_in_the_environment_file(self) -> None:
        assert set(environment()) == {variable(name) for name in Settings.model_fields}

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_what_is_commented_out_has_its_default(self, name: str) -> None:
        is_given, value = environment()[variable(name)]
        default: Any = Settings.model_fields[name].default
        if default is None or default is PydanticUndefined or is_given:
            assert value
            return
        said = default.value if isinstance(default, Enum) else str(default)

        assert value == (said.lower() if isinstance(default, bool) else said)

    def test_the_environment_file_can_be_loaded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As it is, and with every line that is commented out."""
        lines = environment()
        for name, (is_given, value) in lines.items():
            if is_given:
                monkeypatch.setenv(name, value)
        assert load().listen == "127.0.0.1:8321"
        for name, (_, value) in lines.items():
            monkeypatch.setenv(name, value)

        assert load().nats_url == "nats://broker.internal:4222"


class TestUnit:
    def test_it_runs_the_daemon_by_the_environment_file(self) -> None:
        (start,) = unit()["ExecStart"]

        program, *words = start.split()
        assert (Path(program).name, words) == ("sublife", ["daemon"])
        assert words[0] in TABLE
        assert unit()["EnvironmentFile"] == ["/etc/sublife/sublife.env"]

    def test_it_is_ended_as_the_daemon_wants_to_be(self) -> None:
        """By SIGTERM, and with time for the slowest batch of posts: 60 s by default."""
        from sublife.events.outbox import Settings as Posts  # noqa: PLC0415 – beside the daemon's

        (patience,) = unit()["TimeoutStopSec"]

        assert unit()["KillSignal"] == ["SIGTERM"]
        assert int(patience) > Posts().timeout_seconds * Posts().batch / Posts().concurrency
        assert unit()["Restart"] == ["on-failure"]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("DynamicUser", "yes"),
            ("NoNewPrivileges", "yes"),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("ProtectClock", "yes"),
            ("CapabilityBoundingSet", ""),
            ("RestrictNamespaces", "yes"),
            ("UMask", "0077"),
        ],
    )
    def test_it_may_do_little(self, key: str, value: str) -> None:
        assert unit()[key] == [value]

    def test_what_it_may_write_is_where_it_works(self) -> None:
        """An SQLite file and its lock lie there."""
        (folder,) = unit()["StateDirectory"]

        assert unit()["WorkingDirectory"] == [f"/var/lib/{folder}"]


class TestImage:
    def test_it_is_built_in_one_stage_and_runs_in_another(self) -> None:
        first, second = [words for name, words in image() if name == "FROM"]

        assert first.startswith("python:3.")
        assert first == f"{second} AS build"
        installing = next(words for name, words in image() if name == "RUN")
        assert "-c constraints.txt '.[daemon" in installing

    def test_it_runs_the_daemon_as_nobody_in_particular(self) -> None:
        found = dict(image())

        assert found["USER"] == "sublife"
        assert found["ENTRYPOINT"] == '["sublife"]'
        assert found["CMD"] == '["daemon"]'
        assert found["STOPSIGNAL"] == "SIGTERM"

    def test_it_is_healthy_when_the_daemon_says_it_is_ready(self) -> None:
        """At the port at which it listens unless told otherwise."""
        found = dict(image())
        port = re.findall(r"SUBLIFE_LISTEN=127\.0\.0\.1:(\d+)", found["ENV"])[0]

        assert f"http://127.0.0.1:{port}/readyz" in found["HEALTHCHECK"]
        assert found["EXPOSE"] == port

    def test_all_that_a_wheel_needs_is_sent_to_the_builder(self) -> None:
        kept = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        names = [line.removeprefix("!") for line in kept if line.startswith("!")]

        assert {"lifecycle", "events", "scheduler", "sublife", "pyproject.toml"} <= set(names)
        assert [name for name in names if not (TOP / name).exists()] == []
