"""A newcomer follows the README from nothing to a webhook that arrives, in five commands."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

TOP = Path(__file__).parents[2]
PATIENCE_SECONDS = 240


def block() -> str:
    """Return the commands of the README's section."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Run the daemon")[1].split("\n## ")[0]
    return str(re.findall(r"```console\n(.*?)```", section, re.DOTALL)[0])


def promised(name: str) -> list[str]:
    """Return what the README says is printed, about the subscription of this name."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Run the daemon")[1].split("\n## ")[0]
    text = str(re.findall(r"```text\n(.*?)```", section, re.DOTALL)[0])
    return re.sub(r"sub-[0-9a-f]{8}", name, text).splitlines()


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the commands use, in which `make` finds everything installed already."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "examples", "sublife"):
        (tmp_path / name).symlink_to(TOP / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    stamps = tmp_path / ".make"
    stamps.mkdir()
    for name in ("run", "daemon"):
        (stamps / name).touch()
    return tmp_path


@pytest.fixture
def arrived(checkout: Path) -> Iterator[list[str]]:
    """What the commands print, run as they stand but at free ports, until a post has arrived."""
    commands = block().replace("8321", str(free_port())).replace("8400", str(free_port()))
    environment = {name: value for name, value in os.environ.items() if "SUBLIFE" not in name}
    with (
        (checkout / "errors").open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            ["/bin/sh", "-e", "-c", commands],
            cwd=checkout,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        ) as shell,
    ):
        too_late = Timer(PATIENCE_SECONDS, os.killpg, (shell.pid, signal.SIGKILL))
        too_late.start()
        assert shell.stdout is not None
        said: list[str] = []
        try:
            for line in shell.stdout:
                said.append(line)
                if {"sold:", "verified:"} <= {each.split(" ")[0] for each in said}:
                    break
            yield said
        finally:
            too_late.cancel()
            os.killpg(shell.pid, signal.SIGTERM)


def test_there_are_five_commands() -> None:
    """From nothing, so the first one installs."""
    commands = block().strip().splitlines()

    assert len(commands) == 5
    assert commands[0].startswith("make ")


def test_they_lead_to_a_running_daemon_and_a_webhook_that_arrives(
    checkout: Path, arrived: list[str]
) -> None:
    """What was sold is what the receiver tells of, signed as it should be."""
    errors = (checkout / "errors").read_text(encoding="utf-8")
    sold = [line for line in arrived if line.startswith("sold: ")]
    verified = [line for line in arrived if line.startswith("verified: ")]

    assert sold, errors
    assert verified, errors
    name = sold[0].removeprefix("sold: ").split(",")[0]
    assert sorted([sold[0].rstrip(), verified[0].rstrip()]) == sorted(promised(name))
    assert "not signed" not in "".join(arrived)
