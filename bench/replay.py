"""Measures the replay of many scenario files beside two bare loops, all in one run.

Prints CPU seconds, events per second, and ratios; asserts nothing. Run it with `make bench`.
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from transitions import Machine

from sublife.scheduler.replay import Replay

STATES = ("active", "suspended")
TABLE = {("suspend", "active"): "suspended", ("reactivate", "suspended"): "active"}
HEAD = """\
title: Ten steps of an ordinary year, number {number}
rules: [SUB-02]
by: {{user: amy, role: admin-agent, partner: contoso}}
steps:
  - at: 2024-10-01T02:35:00Z
    do: purchase
    subject: s{number}
    with:
      {{customer: tailspin, partner: contoso, product: {{sku: E3}}, quantity: 30,
        term: P1Y, billing: monthly}}
    expect: {{state: active, facts: [subscription-created, subscription-provisioned]}}
"""
STEP = """\
  - at: 2024-{month:02}-15T09:00:00Z
    do: {request}
    subject: s{number}
    expect: {{state: {state}}}
"""
TAIL = """\
  - at: 2025-10-01T00:00:00Z
    subject: s{number}
    expect: {{state: grace}}
"""
REQUESTS = (("suspend", "suspended"), ("reactivate", "active"))


def scenario(number: int) -> str:
    """Return a scenario of ten steps: a purchase, eight requests, a look at the term end."""
    steps = [STEP.format(month=10, request="turn_autorenew_off", state="active", number=number)]
    for index in range(7):
        request, state = REQUESTS[index % 2]
        at = STEP if index < 2 else STEP.replace("2024-{month:02}", "2025-{month:02}")
        month = 11 + index if index < 2 else index - 1
        steps.append(at.format(month=month, request=request, state=state, number=number))
    steps.append(TAIL.format(number=number))
    text = HEAD.format(number=number) + "".join(steps)
    return text if "suspended" not in steps[-2] else text.replace("state: grace", "state: disabled")


def replayed(files: list[Path], jobs: int = 1) -> tuple[float, int]:
    """Return the CPU seconds a replay of *files* took, and how many events it decided.

    The seconds of all processes together, their start and end included.
    """
    started = cpu_seconds()
    with Replay(files, jobs=jobs) as going:
        results = list(going.results())
    spent = cpu_seconds() - started
    failed = [result for result in results if not result.held]
    if failed:
        raise SystemExit(f"{failed[0].path}: {failed[0].differences} {failed[0].faults}")
    return spent, sum(len(result.timeline) for result in results)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those it has waited for."""
    own, children = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class Model:
    """What the bare `transitions` loop moves."""

    state = "active"


def machine_loop(count: int) -> float:
    """Return the CPU seconds of *count* triggers of one `transitions.Machine`."""
    machine = Machine(
        model=None, states=list(STATES), initial="active", auto_transitions=False, send_event=True
    )
    for (request, source), target in TABLE.items():
        machine.add_transition(request, source, target)
    model = Model()
    machine.add_model(model)
    return timed(lambda index: machine.events[REQUESTS[index % 2][0]].trigger(model), count)


def table_loop(count: int) -> float:
    """Return the CPU seconds of *count* look-ups in a plain dict."""
    state = "active"

    def move(index: int) -> None:
        nonlocal state
        state = TABLE[REQUESTS[index % 2][0], state]

    return timed(move, count)


def timed(move: Callable[[int], object], count: int) -> float:
    """Return the CPU seconds of calling *move* for each number below *count*."""
    started = time.process_time()
    for index in range(count):
        move(index)
    return time.process_time() - started


def main() -> None:
    """Measure, interleaved, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    spent: list[float] = []
    shared: list[float] = []
    cores = os.cpu_count() or 1
    machine: list[float] = []
    table: list[float] = []
    events = 0
    with tempfile.TemporaryDirectory() as folder:
        for each in range(arguments.rounds):
            inside = Path(folder, str(each))
            inside.mkdir()
            for number in range(arguments.files):
                Path(inside, f"{number:05}.yaml").write_text(scenario(number), encoding="utf-8")
            seconds, events = replayed(sorted(inside.iterdir()))
            spent.append(seconds)
            shared.append(replayed(sorted(inside.iterdir()), cores)[0] / cores)
            machine.append(machine_loop(events))
            table.append(table_loop(events))
    ours, bare, plain = map(statistics.median, (spent, machine, table))
    print(
        f"{arguments.files} files of ten steps, {events} events, "
        f"median of {arguments.rounds} rounds"
    )
    print(f"replay              {ours:8.3f} s CPU   {events / ours:12,.0f} events/s")
    each_core = statistics.median(shared)
    print(f"  on {cores} cores, each {each_core:8.3f} s CPU")
    print(f"bare transitions    {bare:8.3f} s CPU   {events / bare:12,.0f} events/s")
    print(f"plain dict table    {plain:8.3f} s CPU   {events / plain:12,.0f} events/s")
    print(f"replay / transitions {ours / bare:.1f}   replay / dict table {ours / plain:.1f}")


if __name__ == "__main__":
    main()
