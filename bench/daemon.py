"""Measures the daemon as a process of its own: how late, how idle, how fast through a midnight.

On each database:

- lateness: subscriptions whose grace ends one after another, so many a second; how long after its
  instant each is seen disabled by somebody else;
- idle: CPU and memory of a daemon over many subscriptions of which none is due;
- drain: many due at one midnight, by one daemon and, on PostgreSQL, by two, beside the set-based
  SQL of `bench/durable.py` in the same run.

Prints figures and ratios; asserts nothing about time. Run it with `python -m bench.daemon`.
"""

import argparse
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine, select, text

from bench.durable import NIGHT, SEED, SOLD_AT, by_sql, databases, sown
from sublife.events.layout import SUBJECT
from sublife.events.store import Store
from sublife.events.store.database import open_engine
from sublife.events.store.upgrade import upgrade
from sublife.events.tables import SubjectRow
from sublife.lifecycle.model import iso
from sublife.scheduler.clock import SimulatedClock, SystemClock

_LOOK_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_KIB = resource.getpagesize() // 1024
DISABLED = "SELECT count(*) FROM sublife_subject WHERE state = 'disabled'"


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has used so far.

    Args:
        cpu_seconds: by all its threads.
        memory_mib: resident.
        peak_mib: resident at the most.
    """

    cpu_seconds: float
    memory_mib: float
    peak_mib: float


def used(pid: int) -> Used:
    """Return what a process has used so far, as Linux tells it."""
    process = Path("/proc") / str(pid)
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    pages = int((process / "statm").read_text().split()[1])
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    peak = int(status["VmHWM"].split()[0])
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Used(cpu, pages * _PAGE_KIB / 1024, peak / 1024)


@contextmanager
def daemon(url: str, log: Path) -> Generator[int]:
    """Run a daemon on a database; yield its process id, and end it by SIGTERM."""
    command = [sys.executable, "-m", "sublife.scheduler", "daemon", "--store", url]
    with log.open("ab") as told, subprocess.Popen(command, stderr=told) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            if process.wait(timeout=60) != 0:
                raise SystemExit(f"the daemon ended with {process.returncode}; see {log}")


def put_off(url: str, count: int, due_at: Callable[[int], datetime]) -> None:
    """Put *count* subscriptions into their grace, each of which ends when *due_at* says."""
    upgrade(url)
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(url, clock=clock)
    sown(store, clock, 2)
    with store.engine.begin() as connection:
        seed = select(SubjectRow).where(SUBJECT.c.id == SEED)
        row: dict[Any, Any] = dict(connection.execute(seed).mappings().one())
        connection.execute(SUBJECT.delete())
        for start in range(0, count, 10_000):
            rows: list[dict[Any, Any]] = []
            for number in range(start, min(start + 10_000, count)):
                name, at = f"s{number:07}", due_at(number)
                said = str(row["snapshot"]).replace(f'"{SEED}"', f'"{name}"')
                said = said.replace(f'"{iso(NIGHT)}"', f'"{iso(at)}"')
                rows.append({**row, "id": name, "due_at": at, "snapshot": said})
            connection.execute(SUBJECT.insert(), rows)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        analyze = "ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE"
        connection.exec_driver_sql(analyze)
    store.close()


def onlooker(url: str) -> Engine:
    """Return an engine that looks at a database and takes no lock there."""
    return create_engine(open_engine(url).url, poolclass=NullPool)


def moved(engine: Engine) -> int:
    """Return how many are disabled, as another process sees it."""
    with engine.connect() as connection:
        return int(connection.execute(text(DISABLED)).scalar_one())


def lateness(url: str, log: Path, rate: int, seconds: int) -> list[float]:
    """Return how late each timer was, in seconds, when *rate* of them are due each second."""
    count = rate * seconds
    first = SystemClock().now() + timedelta(seconds=20 + count / 5_000)
    step = timedelta(seconds=1) / rate
    put_off(url, count, lambda number: first + number * step)
    late: list[float] = []
    engine = onlooker(url)
    with daemon(url, log):
        while len(late) < count:
            seen, now = moved(engine), SystemClock().now()
            late.extend(
                (now - (first + number * step)).total_seconds() for number in range(len(late), seen)
            )
            time.sleep(_LOOK_SECONDS)
    engine.dispose()
    return late


def idle(url: str, log: Path, count: int, seconds: int) -> tuple[float, Used]:
    """Return the share of a core, and the memory, of a daemon with nothing due."""
    later = SystemClock().now().replace(microsecond=0) + timedelta(days=90)
    put_off(url, count, lambda _number: later)
    with daemon(url, log) as pid:
        time.sleep(10)
        before, began = used(pid), time.perf_counter()
        time.sleep(seconds)
        after = used(pid)
        share = (after.cpu_seconds - before.cpu_seconds) / (time.perf_counter() - began)
    return share, after


def drain(url: str, log: Path, count: int, daemons: int) -> tuple[float, float]:
    """Return the seconds until all of the last midnight are moved, and a daemon's most memory."""
    midnight = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
    put_off(url, count, lambda _number: midnight)
    engine = onlooker(url)
    began = time.perf_counter()
    peak = 0.0
    with daemon(url, log) as one:
        if daemons == 1:
            _wait(engine, midnight)
            peak = used(one).peak_mib
        else:
            with daemon(url, log) as other:
                _wait(engine, midnight)
                peak = max(used(one).peak_mib, used(other).peak_mib)
        spent = time.perf_counter() - began
    if moved(engine) != count:
        raise SystemExit("the daemons have not moved all")
    return spent, peak


def _wait(engine: Engine, midnight: datetime) -> None:
    """Wait until nothing is due; to count all of it over and over would take a core by itself."""
    waiting = select(SUBJECT.c.id).where(SUBJECT.c.tenant == "default").limit(1)
    while True:
        with engine.connect() as connection:
            if connection.execute(waiting.where(SUBJECT.c.due_at <= midnight)).first() is None:
                return
        time.sleep(0.2)


def set_based(url: str, count: int) -> float:
    """Return the seconds that the set-based SQL takes for the same midnight."""
    put_off(url, count, lambda _number: NIGHT)
    clock = SimulatedClock(NIGHT)
    store = Store.open(url, clock=clock)
    began = time.perf_counter()
    if by_sql(store, count) != count:
        raise SystemExit("the set-based SQL has not moved all")
    spent = time.perf_counter() - began
    store.close()
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=1_000_000, help="idle and drain")
    parser.add_argument("--rate", type=int, default=1_000, help="due per second")
    parser.add_argument("--seconds", type=int, default=20, help="of lateness, and of idling")
    parser.add_argument("--only", nargs="*", default=["lateness", "idle", "drain"])
    parser.add_argument("--on", nargs="*", default=["sqlite", "postgresql"])
    arguments = parser.parse_args()
    with databases(arguments.on) as makers, tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "daemon.log"
        for name in arguments.on:
            print(f"{name}:", flush=True)
            _report(name, makers[name], log, arguments)


def _report(name: str, make: Callable[[], str], log: Path, arguments: argparse.Namespace) -> None:
    count = arguments.subjects
    if "lateness" in arguments.only:
        late = sorted(lateness(make(), log, arguments.rate, arguments.seconds))
        p50, p99 = statistics.median(late), late[int(len(late) * 0.99)]
        print(f"  lateness at {arguments.rate:,}/s: p50 {p50:.3f} s, p99 {p99:.3f} s", flush=True)
    if "idle" in arguments.only:
        share, memory = idle(make(), log, count, arguments.seconds)
        print(
            f"  idle over {count:,}: {share:.2%} of a core, {memory.memory_mib:.0f} MiB", flush=True
        )
    if "drain" in arguments.only:
        limit = set_based(make(), count)
        one, peak = drain(make(), log, count, 1)
        print(
            f"  drain of {count:,}: set-based {limit:.1f} s, one daemon {one:.1f} s "
            f"({one / limit:.1f} times), at most {peak:.0f} MiB",
            flush=True,
        )
        if name == "postgresql":
            two, peak = drain(make(), log, count, 2)
            print(
                f"  two daemons {two:.1f} s: {one / two:.2f} times as fast, at most {peak:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
