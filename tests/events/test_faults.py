"""Faults on purpose: afterwards every accepted event is there once, every other not at all."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sublife.events.intake import Outcome, settle, submit
from sublife.events.store import (
    ConflictError,
    FullError,
    LockedError,
    Store,
    Transaction,
    UnreachableError,
)
from sublife.events.store.database import open_engine
from sublife.events.store.link import Link
from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import Actor, ActorKind, Event, Refusal
from sublife.lifecycle.subscription.model import ChangeSeats, Product, Suspend, Upgrade
from tests.events import faulty
from tests.once import once

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
FAULTY = Path(__file__).with_name("faulty.py")
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
MID_TERM = datetime(2025, 3, 1, 9, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
E5 = Product("E5", "Office E5", rank=5)


def killed(address: str, work: str) -> list[dict[str, Any]]:
    """Return what is in the store after a kill at each place of *work*, then after all of it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(FAULTY), address, work],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def killed_settle(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What `killed` returns for a settle; several tests look at it."""
    kind = shared_url.partition(":")[0]
    return once(tmp_path_factory, f"killed-{kind}", lambda: killed(shared_url, "settle"))


def timed_by(name: str) -> Actor:
    """Return the actor that a timer is."""
    return Actor(ActorKind.TIMER, name)


def lock_nothing(_tx: Transaction, _event: Event) -> None:
    """Lock nothing ahead."""


class TestKills:
    """The process is killed before and after every statement, `BEGIN` and `COMMIT` included."""

    def test_a_killed_submit_has_happened_as_a_whole_or_not_at_all(self, shared_url: str) -> None:
        """The event, what follows from it and its records are one transaction."""
        before, *attempts, again = killed(shared_url, "submit")

        places = [each for each in attempts if each["killed_at"] is not None]
        states = [(each["rows"], each["digest"]) for each in attempts]
        nothing, everything = (before["rows"], before["digest"]), (again["rows"], again["digest"])
        assert len(places) >= 12
        assert set(map(json.dumps, states)) == set(map(json.dumps, (nothing, everything)))
        assert states == sorted(states, key=lambda each: each == everything)
        assert nothing != everything
        assert again["again"] == "repeated"

    def test_a_killed_settle_leaves_whole_batches(self, killed_settle: list[Any]) -> None:
        """Each batch has two subjects, with two journal rows and two records each."""
        before, *attempts, again = killed_settle

        places = [each for each in attempts if each["killed_at"] is not None]
        tables = ("sublife_journal", "sublife_activity")
        grown = [
            tuple(each["rows"][name] - before["rows"][name] for name in tables) for each in attempts
        ]
        assert len(places) >= 8
        assert set(grown) <= {(0, 0), (4, 4), (8, 8), (12, 12)}
        assert grown == sorted(grown)
        assert grown[-1] == (12, 12)
        assert again["again"] == "0 settled"

    def test_a_killed_settle_ends_as_one_that_was_not(
        self, killed_settle: list[Any], tmp_path: Path
    ) -> None:
        """Nothing lost, nothing twice: the same history, to the byte."""
        store = faulty.opened(f"sqlite:///{tmp_path / 'undisturbed.db'}")
        faulty.prepare(store)
        faulty.lapse(store)
        undisturbed = store.digest()
        store.close()

        *_, disturbed = killed_settle

        assert disturbed["digest"] == undisturbed


@contextmanager
def before_statement(number: int, act: Callable[[], None]) -> Generator[list[int]]:
    """Do something once, just before the *number*-th statement that any store sends."""
    places, hits = count(1), list[int]()
    methods = {name: getattr(Link, name) for name in ("rows", "run", "run_many")}

    def watched(name: str) -> Callable[..., Any]:
        def step(link: Link, *given: Any) -> Any:
            if next(places) == number:
                hits.append(number)
                act()
            return methods[name](link, *given)

        return step

    with pytest.MonkeyPatch.context() as patch:
        for name in methods:
            patch.setattr(Link, name, watched(name))
        yield hits


class TestLostConnections:
    """PostgreSQL ends the connection: an administrator, a failover, a network."""

    @staticmethod
    def end_connections(address: str) -> None:
        """End every connection to the database but this one."""
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    @pytest.mark.parametrize("number", range(1, 6))
    def test_a_lost_connection_is_made_again_and_the_event_taken_once(
        self, migrated_database: str, open_desk: OpenDesk, number: int
    ) -> None:
        """Between any two statements of a submit: the next attempt does all of it."""
        desk = open_desk(migrated_database)
        desk.sell("s1")
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.clock.move(MID_TERM)

        with before_statement(number, lambda: self.end_connections(migrated_database)) as hits:
            outcome = submit(desk.store, event)

        assert hits == [number]
        assert outcome.accepted
        assert desk.subscription("s1").quantity == 35
        assert [each.event.id for each in desk.store.history("s1")].count(event.id) == 1

    @pytest.mark.parametrize("number", range(1, 5))
    def test_a_lost_connection_moves_a_due_subject_once(
        self, migrated_database: str, open_desk: OpenDesk, number: int
    ) -> None:
        """Between any two statements of a batch."""
        desk = open_desk(migrated_database)
        desk.sell("s1", autorenew=False)
        desk.clock.move(TERM_END)

        with before_statement(number, lambda: self.end_connections(migrated_database)) as hits:
            settled = settle(desk.store, TERM_END)

        assert hits == [number]
        assert settled.count == 2
        assert [each.sequence for each in desk.store.history("s1")] == [1, 2, 3, 4]

    def test_a_server_that_is_gone_is_named_with_what_to_do(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """No answer at all: the caller is told that trying again is safe."""
        desk = open_desk(migrated_database)
        desk.sell("s1")
        nowhere = Store(
            open_engine("postgresql:///none?host=/nowhere"),
            clock=desk.clock,
            policy=desk.store.policy,
        )

        with pytest.raises(UnreachableError, match="does not answer"):
            submit(nowhere, desk.event("suspend", "s1", SOLD_AT, Suspend()))


class TestFullDisks:
    def test_a_full_disk_changes_nothing_and_says_what_to_do(
        self, tmp_path: Path, open_desk: OpenDesk
    ) -> None:
        """SQLite may have no more pages; with room again the same event is taken in."""
        desk = open_desk(f"sqlite:///{tmp_path / 'full.db'}")
        desk.sell("s1")
        rows, last = desk.rows(), ""
        with desk.store.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
        (pages,) = driver.execute("PRAGMA page_count").fetchone()
        driver.execute(f"PRAGMA max_page_count = {pages}")

        def sell_on() -> None:
            nonlocal rows, last
            for number in range(10_000):
                rows, last = desk.rows(), f"seat-{number}"
                desk.do("add_seats", "s1", MID_TERM, ChangeSeats(1), event_id=last)

        with pytest.raises(FullError, match="make some and submit the event again"):
            sell_on()

        assert desk.rows() == rows
        driver.execute("PRAGMA max_page_count = 1000000")
        outcome = desk.do("add_seats", "s1", MID_TERM, ChangeSeats(1), event_id=last)
        assert (outcome.accepted, outcome.repeated) == (True, False)

    def test_a_full_disk_stops_a_batch_as_a_whole(
        self, tmp_path: Path, open_desk: OpenDesk
    ) -> None:
        """What was due stays due."""
        desk = open_desk(f"sqlite:///{tmp_path / 'full.db'}")
        for number in range(50):
            desk.sell(f"s{number}", autorenew=False)
        desk.clock.move(TERM_END)
        rows = desk.rows()
        with desk.store.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
        (pages,) = driver.execute("PRAGMA page_count").fetchone()
        driver.execute(f"PRAGMA max_page_count = {pages}")

        with pytest.raises(FullError):
            settle(desk.store, TERM_END)

        assert desk.rows() == rows
        driver.execute("PRAGMA max_page_count = 1000000")
        assert settle(desk.store, TERM_END).count == 100


class TestLockedFiles:
    def test_a_file_locked_from_outside_is_named_with_what_to_do(
        self, tmp_path: Path, open_desk: OpenDesk
    ) -> None:
        """Another program holds the write lock longer than we wait."""
        path = tmp_path / "locked.db"
        desk = open_desk(f"sqlite:///{path}?timeout=0.1")
        desk.sell("s1")
        outside = sqlite3.connect(path, isolation_level=None)
        outside.execute("BEGIN IMMEDIATE")

        try:
            with pytest.raises(LockedError, match="end its transaction and submit again"):
                desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="more")
            assert desk.subscription("s1").quantity == 30
        finally:
            outside.rollback()
            outside.close()

        assert desk.do("add_seats", "s1", MID_TERM, ChangeSeats(5), event_id="more").accepted
        assert desk.subscription("s1").quantity == 35


def deliver_in_a_process(address: str) -> subprocess.Popen[str]:
    """Start a process that submits one and the same event when it is told to."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "import faulty\n"
        "store = faulty.opened(sys.argv[1])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(faulty.upgrade(store), flush=True)\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, address, str(FAULTY.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class TestTheSameEventAtOnce:
    def test_eight_threads_deliver_one_event_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """A retry storm of one client: one effect, eight answers."""
        desk = open_desk(shared_url)
        desk.sell("s1")
        event = desk.event("add_seats", "s1", MID_TERM, ChangeSeats(5))
        desk.clock.move(MID_TERM)
        barrier = threading.Barrier(8)

        def deliver(_: int) -> Outcome:
            barrier.wait()
            return submit(desk.store, event)

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(deliver, range(8)))

        assert sorted(each.repeated for each in outcomes) == [False, *[True] * 7]
        assert {each.version for each in outcomes} == {3}
        assert desk.subscription("s1").quantity == 35
        assert [each.sequence for each in desk.store.history("s1")] == [1, 2, 3]

    def test_eight_threads_create_one_subject_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """There is no row to lock yet."""
        desk = open_desk(shared_url)
        desk.sell("other")
        sale = desk.store.history("other")[0].event
        event = Event("sale", sale.name, "s1", sale.at, sale.actor, sale.data)
        barrier = threading.Barrier(8)

        def deliver(_: int) -> Outcome:
            barrier.wait()
            return submit(desk.store, event)

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(deliver, range(8)))

        assert sorted(each.repeated for each in outcomes) == [False, *[True] * 7]
        assert [each.sequence for each in desk.store.history("s1")] == [1, 2]

    def test_four_processes_deliver_one_event_once(
        self, shared_url: str, open_desk: OpenDesk
    ) -> None:
        """Four web servers behind one message queue."""
        desk = open_desk(shared_url)
        desk.sell("s5")
        processes = [deliver_in_a_process(shared_url) for _ in range(4)]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = sorted(process.communicate(timeout=120)[0].strip() for process in processes)

        assert answers == ["accepted", "repeated", "repeated", "repeated"]
        history = desk.store.history("s9")
        assert [each.event.name for each in history].count("arise") == 1


class TestDeadlocks:
    def test_two_events_that_lock_each_others_subjects_both_happen(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """TRM-34 both ways at once: each holds its own subject and wants the other's.

        What a submit can lock ahead, in order, is not locked ahead here, or nothing could go wrong.
        """
        desk = open_desk(migrated_database)
        desk.sell("s1")
        desk.sell("s2", product=E5)
        there = desk.event("upgrade", "s1", MID_TERM, Upgrade(E5, quantity=10, into="s2"))
        back = desk.event("suspend", "s2", MID_TERM, Suspend())
        desk.clock.move(MID_TERM)
        barrier = threading.Barrier(2, timeout=30)
        looked = Transaction.look
        waited = set[int]()

        def together(tx: Transaction, event: Event) -> Any:
            found = looked(tx, event)
            if threading.get_ident() not in waited:
                waited.add(threading.get_ident())
                barrier.wait()
                tx.held({"s1": "s2", "s2": "s1"}[event.subject])
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transaction, "_lock_ahead", lock_nothing)
            patch.setattr(Transaction, "look", together)
            with ThreadPoolExecutor(2) as pool:
                outcomes = list(pool.map(partial(submit, desk.store), (there, back)))

        assert len(waited) == 2
        assert [each.repeated for each in outcomes] == [False, False]
        for name in ("s1", "s2"):
            sequence = [each.sequence for each in desk.store.history(name)]
            assert sequence == list(range(1, len(sequence) + 1))
        assert there.id in {each.event.id for each in desk.store.history("s1")}
        assert back.id in {each.event.id for each in desk.store.history("s2")}

    def test_requests_that_read_a_whole_customer_do_not_starve_each_other(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """TRM-33: each of them counts the seats of all; eight at once, every one taken at once."""
        desk = open_desk(migrated_database)
        small = Product("BP", "Business Premium", smb=True)
        for number in range(4):
            desk.sell(f"s{number}", product=small, quantity=5)
        desk.clock.move(MID_TERM)
        events = [
            desk.event(
                "add_seats", f"s{number % 4}", MID_TERM, ChangeSeats(1), event_id=f"e{number}"
            )
            for number in range(40)
        ]

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(partial(submit, desk.store), events))

        assert all(each.accepted for each in outcomes)
        assert [desk.subscription(f"s{number}").quantity for number in range(4)] == [15] * 4


class TestBetweenClaimAndWrite:
    """A batch has read a subject; before it writes, somebody moves the subject."""

    @staticmethod
    def lapse(store: Store, tx: Transaction) -> None:
        """Decide and write the term end of s1 from what *tx* has read of it."""
        held = tx.held("s1")
        assert held is not None
        assert held.timer is not None
        event = Event(
            "timer:lapse", held.timer.name, "s1", held.timer.due_at, timed_by(held.timer.name)
        )
        decision = decide(held.snapshot, event, store.policy)
        assert not isinstance(decision, Refusal)
        tx.accept(event, decision, recorded_at=TERM_END)

    def test_a_write_on_what_has_changed_since_is_refused(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """Two connections, and the lock of the claim taken away: the version is checked too."""
        desk, other = open_desk(migrated_database), open_desk(migrated_database)
        desk.sell("s1", autorenew=False)

        def lapse_meanwhile() -> None:
            with desk.store.preview() as reading, desk.store.transaction() as tx:
                self.hold_without_lock(tx, reading)
                other.do("turn_autorenew_on", "s1", MID_TERM, event_id="renew")
                self.lapse(desk.store, tx)

        with pytest.raises(ConflictError, match="s1 was changed by another writer"):
            lapse_meanwhile()

        assert desk.subscription("s1").state == "active"
        assert desk.subscription("s1").autorenew

    @staticmethod
    def hold_without_lock(tx: Transaction, reading: Transaction) -> None:
        """Let *tx* hold s1 as *reading* has read it, without its lock."""
        reading.held("s1")
        for ours, theirs, name in (
            (tx, reading, "_held"),
            (getattr(tx, "_ledger"), getattr(reading, "_ledger"), "_lines"),  # noqa: B009 – private
        ):
            getattr(ours, name).update(getattr(theirs, name))

    def test_a_renewal_waits_for_the_batch_that_holds_the_subject(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """Claimed is locked: the user's event is decided on what the batch has left."""
        desk, other = open_desk(migrated_database), open_desk(migrated_database)
        desk.sell("s1", autorenew=False)
        desk.clock.move(TERM_END)
        other.clock.move(TERM_END)
        event = other.event("turn_autorenew_on", "s1", TERM_END, event_id="renew")
        begun, answers = threading.Event(), list[Outcome]()

        def renew() -> None:
            begun.set()
            answers.append(submit(other.store, event))

        thread = threading.Thread(target=renew)
        with desk.store.transaction() as tx:
            tx.claim(TERM_END, limit=10)
            thread.start()
            begun.wait()
            thread.join(timeout=0.5)
            was_waiting = thread.is_alive()
            self.lapse(desk.store, tx)
        thread.join(timeout=30)

        assert was_waiting
        assert answers[0].refusal is not None
        assert desk.subscription("s1").state == "grace"

    def test_a_batch_passes_over_what_a_renewal_holds(
        self, migrated_database: str, open_desk: OpenDesk
    ) -> None:
        """The user came first: the renewed subscription is not expired."""
        desk, other = open_desk(migrated_database), open_desk(migrated_database)
        desk.sell("s1", autorenew=False)
        desk.sell("s2", autorenew=False)
        desk.clock.move(TERM_END)
        event = other.event("turn_autorenew_on", "s1", MID_TERM, event_id="renew")
        decided = decide(desk.subscription("s1"), event, desk.store.policy)
        assert not isinstance(decided, Refusal)

        with other.store.transaction() as tx:
            tx.look(event)
            first = settle(desk.store, TERM_END)
            tx.accept(event, decided, recorded_at=TERM_END)
        second = settle(desk.store, TERM_END)

        assert {each.event.subject for each in first.outcomes} == {"s2"}
        assert desk.subscription("s1").state == "active"
        assert {each.event.name for each in second.outcomes} >= {"term_ended"}
        assert "subscription-renewed" in {f.name for each in second.outcomes for f in each.facts}


def test_the_faulty_script_is_beside_its_test() -> None:
    """A test that needs something missing fails loudly."""
    assert FAULTY.is_file()
    assert os.access(FAULTY, os.R_OK)
