"""The daemon inside one process: what starts it, wakes it, keeps it waiting, and ends it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sublife.events.store import Store, StoreError, UnreachableError
from sublife.events.store import upgrade as upgrading
from sublife.events.store.daemon import Daemon as Sign
from sublife.events.store.upgrade import upgrade
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon.process import GAP_SECONDS, Daemon, Looks
from sublife.scheduler.daemon.settling import Looked
from sublife.scheduler.daemon.trouble import LONGEST_SECONDS, Trouble
from sublife.scheduler.daemon.watch import Watch
from sublife.scheduler.settings import Settings, load

if TYPE_CHECKING:
    from tests.scheduler.daemon.conftest import Told

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEAT = 5.0
SOON = 60


class Noon:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOON

    def steady(self) -> float:
        return 0.0


class Looking:
    """Stands for the settling: gives one result after the other."""

    def __init__(self, *results: Looked | StoreError) -> None:
        self.watch = Watch(Noon(), 60)
        self._results = list(results)

    def run_once(self) -> Looked:
        result = self._results.pop(0)
        if isinstance(result, StoreError):
            raise result
        return result


def waits(*results: Looked | StoreError) -> list[float]:
    """Return how long the duty waits after each look."""
    looking: Any = Looking(*results)
    duty = Looks(looking, BEAT)
    return [duty() for _ in results]


class TestTheNextLook:
    def test_comes_with_the_beat_where_nothing_is_near(self) -> None:
        """Nothing due, or far away."""
        far = Looked(NOON, next_due_at=NOON + timedelta(days=1))

        assert waits(Looked(NOON), far) == [BEAT, BEAT]

    def test_comes_at_the_next_due_instant_where_that_is_near(self) -> None:
        """To the second, not with the beat."""
        near = Looked(NOON, next_due_at=NOON + timedelta(seconds=1.5))

        assert waits(near) == [1.5]

    def test_never_follows_without_a_gap(self) -> None:
        """What falls due one by one is settled together."""
        now = Looked(NOON, next_due_at=NOON + timedelta(milliseconds=1))

        assert waits(now) == [GAP_SECONDS]

    def test_comes_at_once_while_it_moves_something(self) -> None:
        """More was left because time was up."""
        more = Looked(NOON, events=10, remaining=("a",))

        assert waits(more, more) == [0, 0]

    def test_comes_ever_more_slowly_where_nothing_can_be_moved(self) -> None:
        """Another daemon holds it, or its lifecycle is paused; at last it is the beat."""
        held = Looked(NOON, remaining=("a",))

        found = waits(*[held] * 12)

        assert found[0] == GAP_SECONDS
        assert found == sorted(found)
        assert found[-1] == BEAT

    def test_comes_with_the_beat_while_the_clock_is_ahead(self) -> None:
        """It looks whether it agrees by now."""
        assert waits(Looked(NOON, is_held=True, remaining=("a",))) == [BEAT]

    def test_is_tried_again_while_the_database_is_away(self, told: "Told") -> None:
        """Told once, and once when it is back."""
        away = UnreachableError("gone")

        found = waits(away, away, away, Looked(NOON))

        assert found == [0.5, 1.0, 2.0, BEAT]
        assert [each["reason"] for each in told("database_away")] == ["gone"]
        assert [each["attempts"] for each in told("database_back")] == [3]

    def test_is_never_further_away_than_half_a_minute(self) -> None:
        """However long the database is away."""
        trouble = Trouble()

        found = [trouble.met(UnreachableError("gone")) for _ in range(50)]

        assert found[-1] == LONGEST_SECONDS


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file with our tables."""
    upgrade(f"sqlite:///{tmp_path / 'store.db'}")
    return f"sqlite:///{tmp_path / 'store.db'}"


def started(daemon: Daemon) -> Thread:
    """Run a daemon in a thread."""
    thread = Thread(target=daemon.run)
    thread.start()
    return thread


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a thread until something holds."""
    until, tick = SystemClock().steady() + SOON, Signal()
    while not holds():
        assert SystemClock().steady() < until, "it never came to hold"
        tick.wait(0.02)


class TestDaemon:
    def test_signs_on_and_off(self, url: str, told: "Told") -> None:
        """In the table and in the log."""
        daemon = Daemon(load(flags={"store": url}))
        store = Store.open(url, clock=SystemClock())

        thread = started(daemon)
        wait_until(lambda: bool(store.daemons.all()))
        daemon.stop()
        thread.join(SOON)

        (sign,) = store.daemons.all()
        store.close()
        assert sign.stopped_at is not None
        assert [len(told(each)) for each in ("daemon_started", "daemon_stopped")] == [1, 1]

    def test_waits_for_a_database_that_does_not_answer_yet(
        self, url: str, told: "Told", monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Machines start in any order."""
        answers = [UnreachableError("not yet"), UnreachableError("not yet")]
        standing = upgrading.standing

        def look(address: str) -> object:
            if answers:
                raise answers.pop()
            return standing(address)

        monkeypatch.setattr(upgrading, "standing", look)
        daemon = Daemon(load(flags={"store": url}))

        thread = started(daemon)
        wait_until(lambda: bool(told("daemon_started")))
        daemon.stop()
        thread.join(SOON)

        assert (len(told("database_away")), len(told("database_back"))) == (1, 1)

    def test_can_be_stopped_while_it_waits(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody has to kill it because the database is away."""

        def look(_address: str) -> object:
            raise UnreachableError("not yet")

        monkeypatch.setattr(upgrading, "standing", look)
        daemon = Daemon(load(flags={"store": url}))

        thread = started(daemon)
        daemon.stop()
        thread.join(SOON)

        assert not thread.is_alive()

    def test_tells_of_a_history_that_is_later_than_its_clock(self, url: str, told: "Told") -> None:
        """Another daemon beat tomorrow, so one of the two clocks is wrong."""
        store = Store.open(url, clock=SystemClock())
        daemon = Daemon(load(flags={"store": url}))
        tomorrow = SystemClock().now() + timedelta(days=1)
        store.daemons.beat(Sign("other", "host", 1, "0.2.0", tomorrow, tomorrow))
        store.close()

        thread = started(daemon)
        wait_until(lambda: bool(told("daemon_started")))
        daemon.stop()
        thread.join(SOON)

        assert len(told("clock_behind_history")) == 1


class TestCommand:
    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_has_a_flag(self, name: str) -> None:
        """A new setting needs no second definition."""
        found = CliRunner().invoke(app, ["daemon", "--help"], env={"COLUMNS": "300"})

        assert f"--{name.replace('_', '-')}" in found.output

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ([], "store is missing; give --store, SUBLIFE_STORE"),
            (["--store", "sqlite:///a.db", "--batch", "0"], "batch cannot be 0"),
            (["--store", "sqlite://"], "is in memory; give the daemon a file"),
            (["--store", "oracle://a"], "is no address of SQLite or PostgreSQL"),
            (["--config", "none.toml"], "there is no file none.toml"),
            (["--store", "sqlite:///none.db"], "run sublife migrate --store sqlite:///none.db"),
            (["--store", "sqlite:///a.db", "--policy", "none.yaml"], "none.yaml"),
        ],
        ids=["no-store", "batch", "memory", "address", "config", "no-tables", "policy"],
    )
    def test_what_keeps_it_from_starting_is_told(
        self,
        arguments: list[str],
        said: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """With the remedy, and exit status 2."""
        monkeypatch.chdir(tmp_path)

        found = CliRunner().invoke(app, ["daemon", *arguments])

        assert found.exit_code == 2
        assert said in found.output
        assert not list(tmp_path.glob("*.db"))
