"""The commands of the guide to the HTTP interface run as printed, and print what it shows."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

GUIDE = Path(__file__).parents[2] / "docs" / "api.md"
END = "--- end of command ---"


def commands(guide: str) -> Iterator[tuple[str, str]]:
    """Yield each command of the console blocks with what it is to print."""
    for block in re.findall(r"^```console\n(.*?)^```", guide, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            length = 1 + next(n for n, line in enumerate([*lines[1:], ""]) if line[:1] != ">")
            command = "\n".join([lines[0], *(line[1:] for line in lines[1:length])])
            yield command, "\n".join(lines[length:])


def wait_for(url: str) -> None:
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport) as client:
        while client.get(f"{url}/readyz").status_code != 200:
            pass


def test_the_guide_runs_as_it_is_printed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    guide = GUIDE.read_text(encoding="utf-8").replace("127.0.0.1:8321", address)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told: list[str] = []

    with subprocess.Popen(
        ["bash"],  # noqa: S607 – as whoever reads the guide has it
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("trap 'kill %1 2> /dev/null' EXIT\n")
        for command, expected in commands(guide):
            is_daemon = command.endswith("&")
            asked = f"{command[:-1]} > daemon.log 2>&1 &" if is_daemon else command
            shell.stdin.write(f"{asked}\necho; echo '{END}'\n")
            shell.stdin.flush()
            printed = "".join(iter(shell.stdout.readline, f"{END}\n")).strip()
            if is_daemon:
                wait_for(f"http://{address}")
            pattern = ".*".join(map(re.escape, expected.split("…")))
            told.append(command)
            assert re.fullmatch(pattern, printed, re.DOTALL), (command, expected, printed)
        shell.stdin.write("wait\n")

    assert len(told) == 13
