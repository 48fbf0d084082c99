"""Signals: the first one ends a daemon in order, the second one at once, signed off."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sublife.events.store import Store
from sublife.events.store.upgrade import upgrade
from sublife.scheduler.clock import SystemClock
from sublife.scheduler.daemon import process
from sublife.scheduler.daemon.command import ENDING, run_until_signalled
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    """Put back what signals do."""
    before = {each: signal.getsignal(each) for each in ENDING}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


class Signalled:
    """Stands for a daemon that is sent signals while it runs."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers
        self.seen: list[str] = []

    def run(self) -> None:
        for each in self._numbers:
            signal.raise_signal(each)

    def stop(self) -> None:
        self.seen.append("stop")

    def sign_off(self) -> None:
        self.seen.append("sign off")


@pytest.mark.parametrize("number", ENDING, ids=str)
def test_the_first_signal_ends_it_in_order(number: signal.Signals) -> None:
    """SIGHUP comes from a terminal that was closed."""
    daemon: Any = Signalled(number)

    run_until_signalled(daemon)

    assert daemon.seen == ["stop"]


@pytest.mark.parametrize("second", ENDING, ids=str)
def test_the_second_signal_signs_it_off_and_ends_the_process(
    second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the signal itself, so that the exit status says which."""
    ended: list[int] = []
    sent = signal.raise_signal
    daemon: Any = Signalled(signal.SIGTERM)

    def run() -> None:
        sent(signal.SIGTERM)
        monkeypatch.setattr(signal, "raise_signal", ended.append)
        sent(second)

    daemon.run = run
    run_until_signalled(daemon)

    assert daemon.seen == ["stop", "sign off"]
    assert ended == [second]
    assert signal.getsignal(second) is signal.SIG_DFL


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """As `nohup` wants it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    daemon: Any = Signalled(signal.SIGHUP)

    run_until_signalled(daemon)

    assert daemon.seen == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_shell_has_the_background_ignore_ends_it_all_the_same(
    number: signal.Signals,
) -> None:
    """`sublife daemon &` in a script begins with SIGINT ignored."""
    signal.signal(number, signal.SIG_IGN)
    daemon: Any = Signalled(number)

    run_until_signalled(daemon)

    assert daemon.seen == ["stop"]


@pytest.mark.parametrize("is_locked", [False, True])
def test_signing_off_at_once_waits_only_for_a_moment(
    is_locked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written where the database takes it; where it is locked, the end comes all the same."""
    monkeypatch.setattr(process, "SIGN_OFF_SECONDS", 0.1 if is_locked else 60)
    url = f"sqlite:///{tmp_path / 'store.db'}?timeout=1"
    upgrade(url)
    daemon = Daemon(load(flags={"store": url}))
    store = Store.open(url, clock=SystemClock())
    sign = daemon._sign()  # pyright: ignore[reportPrivateUsage] – as `run` does
    store.daemons.beat(sign)
    daemon._signed = store, sign  # pyright: ignore[reportPrivateUsage] – the same

    if is_locked:
        with store.transaction():
            daemon.sign_off()
            (found,) = store.daemons.all()
    else:
        daemon.sign_off()
        (found,) = store.daemons.all()

    assert (found.stopped_at is None) == is_locked
    store.close()


def test_a_daemon_that_has_not_started_has_nothing_to_sign() -> None:
    """It waits for its database."""
    daemon = Daemon(load(flags={"store": "sqlite:///none.db"}))

    daemon.sign_off()

    assert daemon._signed is None  # pyright: ignore[reportPrivateUsage] – its state
