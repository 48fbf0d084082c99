"""Databases, clocks in files, and daemons as processes of their own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock

HERE = Path(__file__).parent
PATIENCE_SECONDS = 900


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that several processes can open."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def open_store() -> Iterator[Callable[..., Store]]:
    """Opens stores on a simulated clock, and closes them all."""
    opened: list[Store] = []

    def open_(url: str, clock: SimulatedClock) -> Store:
        opened.append(Store.open(url, clock=clock))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


class Hands:
    """A clock in a file, for daemons that go by it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def show(self, at: datetime) -> None:
        """Show an instant; whoever reads meanwhile reads the one before or this one."""
        new = self.path.with_suffix(".new")
        new.write_text(at.isoformat(), encoding="utf-8")
        new.replace(self.path)


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    """A clock in a file, not set yet."""
    return Hands(tmp_path / "clock")


Started = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Starts Python with arguments; whatever still runs at the end is killed."""
    started: list[Started] = []

    def start_(*arguments: str, **more: Any) -> Started:
        process = subprocess.Popen([sys.executable, *arguments], text=True, cwd=tmp_path, **more)
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def simulated(start: Callable[..., Started], hands: Hands) -> Callable[..., Started]:
    """Starts a daemon that goes by `hands`; it takes flags of `sublife daemon`."""

    def simulated_(url: str, *flags: str) -> Started:
        beat = ("--beat-seconds", "0.1")
        return start(str(HERE / "simulated.py"), str(hands.path), "--store", url, *beat, *flags)

    return simulated_


class Nursery:
    """Daemons that are started and killed faster than Python starts."""

    def __init__(self, process: Started) -> None:
        self._process = process

    def start(self, *arguments: str) -> int:
        """Start a daemon; return its process id."""
        return self._ask("start", *arguments)

    def kill(self, pid: int) -> None:
        """Kill a daemon by SIGKILL, and wait until it is dead."""
        assert self._ask("kill", str(pid)) == -9

    def stop(self, pid: int) -> int:
        """End a daemon by SIGTERM; return its exit status."""
        return self._ask("stop", str(pid))

    def _ask(self, *words: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def nursery(start: Callable[..., Started]) -> Iterator[Nursery]:
    """A nursery of daemons; those that still run at the end are killed."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = start(str(HERE / "nursery.py"), **pipes)
    yield Nursery(process)
    process.communicate(timeout=60)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits for other processes until something holds; it fails if it never does."""

    def wait_until_(holds: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> None:
        until = monotonic() + patience_seconds
        while not holds():
            assert monotonic() < until, "it never came to hold"
            sleep(0.05)

    return wait_until_
