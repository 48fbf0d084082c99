"""A daemon stops when its SQLite file is deleted, moved or replaced, and says so."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from sublife.events.store import ReplacedError, Store
from sublife.events.store.upgrade import upgrade
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock, SystemClock
from sublife.scheduler.daemon import process
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

SOON = 60
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with our tables, and a daemon that looks after it often."""
    monkeypatch.setattr(process, "_TICK_SECONDS", 0.05)
    upgrade(f"sqlite:///{tmp_path / 'store.db'}")
    return tmp_path / "store.db"


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("old.db"))


def replaced(path: Path) -> None:
    shutil.copyfile(path, path.with_name("backup.db"))
    path.with_name("backup.db").replace(path)


LOSSES = [deleted, moved, replaced]


def when_signed_on(url: str, act: Callable[[], None]) -> None:
    """Do something once a daemon has signed on."""
    store = Store.open(url, clock=SystemClock())
    until, tick = SystemClock().steady() + SOON, Signal()
    while not store.daemons.all():
        assert SystemClock().steady() < until, "it never signed on"
        tick.wait(0.02)
    store.close()
    act()


@pytest.mark.parametrize("lose", LOSSES)
def test_a_daemon_that_lost_its_file_stops(
    lose: Callable[[Path], None], path: Path, told: "Told"
) -> None:
    """With the path in the log, and the error raised to whom it runs for."""
    url = f"sqlite:///{path}"
    daemon = Daemon(load(flags={"store": url}))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(daemon.run)
        when_signed_on(url, lambda: lose(path))
        error = running.exception(SOON)

    assert isinstance(error, ReplacedError)
    assert str(path) in str(error)
    assert len(told("database_lost")) == 1


def test_the_command_ends_with_status_1(path: Path) -> None:
    """So that a supervisor starts it again, on the file that is there then."""
    url = f"sqlite:///{path}"
    losing = Thread(target=when_signed_on, args=(url, lambda: deleted(path)))
    losing.start()

    said = CliRunner().invoke(app, ["daemon", "--store", url])
    losing.join()

    assert said.exit_code == 1
    assert f"stopped the database file {path} was deleted or moved" in said.output
    assert not path.exists()


@pytest.mark.parametrize("lose", LOSSES)
def test_a_library_raises_too_and_makes_no_new_file(
    lose: Callable[[Path], None], path: Path
) -> None:
    """In a transaction under way, and in the next one on a connection of its own."""
    store = Store.open(f"sqlite:///{path}", clock=SimulatedClock(NOON))
    with pytest.raises(ReplacedError), store.transaction():
        lose(path)
    with pytest.raises(ReplacedError), store.transaction():
        pass
    store.engine.dispose()
    with pytest.raises(ReplacedError), store.transaction():
        pass

    store.close()
    assert path.exists() == (lose is replaced)
