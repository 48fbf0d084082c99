"""The command `sublife daemon` as a process: it starts, is woken, ends in order, is refused."""

import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import NullPool, create_engine, func, select, text
from sqlmodel import col

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.events.store.upgrade import upgrade
from sublife.events.tables import JournalRow, SubjectRow
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock, SystemClock

if TYPE_CHECKING:
    from tests.acceptance.daemon.conftest import Started

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase(
    "tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
)
DUE = 20_000
BATCH = 250
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
WaitUntil = Callable[[Callable[[], bool]], None]


@pytest.fixture
def command(start: Callable[..., "Started"]) -> Callable[..., "Started"]:
    """Starts `sublife daemon` with flags, and waits for what it says on stderr."""

    def command_(*flags: str) -> "Started":
        return start("-m", "sublife.scheduler", "daemon", *flags, stderr=subprocess.PIPE)

    return command_


def test_a_second_daemon_on_one_sqlite_file_is_refused(
    tmp_path: Path, command: Callable[..., "Started"], wait_until: WaitUntil
) -> None:
    """By any path to the file; the first one goes on."""
    path = tmp_path / "store.db"
    upgrade(f"sqlite:///{path}")
    (tmp_path / "link.db").symlink_to(path)
    store = Store.open(f"sqlite:///{path}", clock=SystemClock())
    first = command("--store", f"sqlite:///{path}")
    wait_until(lambda: bool(store.daemons.all()))

    second = command("--store", "sqlite:///link.db")
    _, said = second.communicate(timeout=120)

    assert second.returncode == 2
    assert f"another daemon works on {path.resolve()} already" in said
    assert first.poll() is None
    store.close()


def test_a_database_without_tables_is_refused_with_what_to_run(
    tmp_path: Path, command: Callable[..., "Started"]
) -> None:
    """The daemon makes no file and no table."""
    daemon = command("--store", "sqlite:///none.db")

    _, said = daemon.communicate(timeout=120)

    assert daemon.returncode == 2
    assert "run sublife migrate --store sqlite:///none.db" in said
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_lets_it_finish_the_batch_and_leave(
    url: str,
    number: signal.Signals,
    command: Callable[..., "Started"],
    wait_until: WaitUntil,
) -> None:
    """Exit status 0, only whole batches, and it signs off."""
    store = _sown(url)
    daemon = command("--store", url, "--batch", str(BATCH), "--workers", "1")
    wait_until(lambda: _moved(store) > 0)

    daemon.send_signal(number)
    daemon.communicate(timeout=300)

    moved = _moved(store)
    (sign,) = store.daemons.all()
    store.close()
    assert daemon.returncode == 0
    assert 0 < moved < DUE
    assert moved % BATCH == 0
    assert (sign.pid, sign.stopped_at is not None) == (daemon.pid, True)


def test_a_second_signal_ends_it_at_once(url: str, command: Callable[..., "Started"]) -> None:
    """As a kill does: here it waits for a lock before it can leave, and the signal does not."""
    store = _sown(url)
    with _locked(store):
        daemon = command("--store", url)
        _read_until(daemon, "catching_up")
        daemon.send_signal(signal.SIGTERM)
        _read_until(daemon, "daemon_stopping")

        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=300)

    moved = _moved(store)
    store.close()
    assert (daemon.returncode, moved) == (-signal.SIGTERM, 0)


@contextmanager
def _locked(store: Store) -> Generator[None]:
    """Let nobody write a batch or sign off meanwhile; whoever wants to waits."""
    with store.engine.begin() as connection:  # on SQLite that takes the write lock already
        if connection.dialect.name == "postgresql":
            connection.execute(text("LOCK TABLE sublife_journal, sublife_daemon IN EXCLUSIVE MODE"))
        yield


def _read_until(daemon: "Started", event: str) -> None:
    """Read what a daemon logs up to an event."""
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if event in line:
            return
    pytest.fail(f"it ended without {event}")


def test_what_is_written_meanwhile_wakes_it_before_its_beat(
    url: str, command: Callable[..., "Started"], wait_until: WaitUntil
) -> None:
    """A beat of a minute, three times in a row: only the word of it can have come sooner."""
    store = Store.open(url, clock=SystemClock())
    daemon = command("--store", url, "--beat-seconds", "60")
    wait_until(lambda: bool(store.daemons.all()))

    for number in range(3):
        name = f"s{number}"
        submit(store, Event(f"sale-{name}", "purchase", name, SOLD_AT, AMY, ORDER))
        patient: Any = wait_until
        patient(lambda name=name: _state(store, name) == "deleted", 50)

    assert daemon.poll() is None
    store.close()


def test_a_database_that_was_away_is_worked_on_again(
    migrated_database: str,
    postgresql: str,
    command: Callable[..., "Started"],
    wait_until: WaitUntil,
) -> None:
    """It is told once, and nobody has to start the daemon anew."""
    store = Store.open(migrated_database, clock=SystemClock())
    name = sql.Identifier(str(store.engine.url.database))
    daemon = command("--store", migrated_database, "--log-format", "json")
    wait_until(lambda: bool(store.daemons.all()))
    store.close()

    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        server.execute(END_ALL, (store.engine.url.database,))
        _read_until(daemon, "database_away")
        server.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    _read_until(daemon, "database_back")
    submit(store, Event("sale", "purchase", "s0", SOLD_AT, AMY, ORDER))

    wait_until(lambda: _state(store, "s0") == "deleted")
    store.close()


def _state(store: Store, subject: str) -> str:
    found = store.get(subject)
    assert found is not None
    return str(found.state)


def _sown(url: str) -> Store:
    """Return a store with many subscriptions that came to the end of their retention long ago."""
    clock = SimulatedClock(SOLD_AT)
    early = Store.open(url, clock=clock)
    submit(early, Event("sale", "purchase", "s0", SOLD_AT, AMY, replace(ORDER, autorenew=True)))
    submit(early, Event("end", "cancel", "s0", SOLD_AT, AMY))
    with early.engine.begin() as connection:
        seed = dict(connection.execute(select(SubjectRow)).mappings().one())
        snapshot = str(seed["snapshot"])
        copies = (
            {**seed, "id": f"s{n}", "snapshot": snapshot.replace('"s0"', f'"s{n}"')}
            for n in range(1, DUE)
        )
        while part := list(islice(copies, 5000)):
            connection.execute(SubjectRow.__table__.insert(), part)
    early.close()
    return Store.open(url, clock=SystemClock())


def _moved(store: Store) -> int:
    """Count without the write lock, which a transaction of the store's engine takes on SQLite.

    The daemon lets go of that lock for an instant only: who waits for it may come last.
    """
    reading = create_engine(store.engine.url, poolclass=NullPool)
    with reading.connect() as connection:
        asked = select(func.count()).where(col(JournalRow.name) == "retention_ended")
        return int(connection.execute(asked).scalar_one())
