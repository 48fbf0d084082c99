"""Measures how soon a command starts: CPU seconds of a process, beside what others take.

Prints the median of several runs, taken in turn so that a busy machine slows all of them alike, and
each as a multiple of `python -c pass`. Asserts nothing. Run it with `python -m bench.start`.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

RUNS = 7
SCENARIO = Path("scenarios/subscription/lapse-through-every-state.yaml")


def cpu_seconds(command: Sequence[str]) -> float:
    """Return the CPU seconds, user and system, of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(store: str) -> Mapping[str, Sequence[str]]:
    """Return what is measured, by the name it is printed with."""
    python = sys.executable
    sublife = (python, "-m", "sublife.scheduler")
    told = ("--store", store, "--tenant", f"scenario:{SCENARIO}")
    return {
        "python -c pass": (python, "-c", "pass"),
        "alembic --help": (python, "-m", "alembic", "--help"),
        "import sublife.lifecycle.machine": (python, "-c", "import sublife.lifecycle.machine"),
        "sublife --help": (*sublife, "--help"),
        "sublife show": (*sublife, "show", "s1", *told),
        "sublife due": (*sublife, "due", *told),
    }


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/small.db"
        replay = (sys.executable, "-m", "sublife.scheduler", "replay", str(SCENARIO))
        subprocess.run((*replay, "--store", store), check=True, stdout=subprocess.DEVNULL)
        measured = commands(store)
        taken: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(RUNS):
            for name, command in measured.items():
                taken[name].append(cpu_seconds(command))
    least = statistics.median(taken["python -c pass"])
    for name, each in taken.items():
        median = statistics.median(each)
        print(f"{name:34}{median:7.3f} s{median / least:8.1f} times")


if __name__ == "__main__":
    main()
