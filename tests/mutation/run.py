"""Runs scenarios with one rule switched off and says which of them noticed."""

import signal
import threading
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import cast

from sublife.events.document import DocumentError, parse, read
from sublife.events.store import Store
from sublife.scheduler import replay
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.scenario import load
from tests.mutation.switch import Change, switched

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios"
LONGEST_SECONDS = 60
"""How long one scenario may take; without a rule the calendar may never come to an end."""
_UNTOLD = frozenset({"an event that can be taken in", "every timer is applied"})
"""What a difference expects where the engine could not go on; that alone shows nothing."""
_tenants = count(1)


class StandstillError(RuntimeError):
    """A scenario did not come to its end."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a scenario said of the engine without a rule.

    Args:
        path: below the folder of the scenarios.
        differences: what it found that it did not expect, each in a line; empty if it held.
        broken: why it could not run to its end; empty if it could.
    """

    path: str
    differences: tuple[str, ...] = ()
    broken: str = ""


@cache
def files() -> tuple[Path, ...]:
    """Return every scenario file, in order."""
    return tuple(sorted(path for path in SCENARIOS.rglob("*.yaml") if "packs" not in path.parts))


@cache
def listed() -> Mapping[str, tuple[Path, ...]]:
    """Return the scenarios that list each rule under `rules`."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files():
        said = parse(read(path), name=str(path))["rules"]
        for rule in cast("list[str]", said):
            found[rule].append(path)
    return MappingProxyType({rule: tuple(paths) for rule, paths in found.items()})


def without(by: tuple[Change, ...], paths: Sequence[Path]) -> tuple[Noticed, ...]:
    """Return what scenarios notice with the changes made, in their order.

    Files are read anew, since an export that a scenario starts from is read by rules as well.
    """
    with switched(by):
        store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
        try:
            return tuple(_noticed(path, store) for path in paths)
        finally:
            store.close()


def _noticed(path: Path, store: Store) -> Noticed:
    name = path.relative_to(SCENARIOS).as_posix()
    try:
        with _at_most(LONGEST_SECONDS):
            found = replay.run(load(path), store, tenant=f"{name} {next(_tenants)}")
    except DocumentError as error:
        return Noticed(name, broken=error.lines[0])
    except Exception as error:  # noqa: BLE001 – whatever it is, the rule was not merely off
        return Noticed(name, broken=f"{type(error).__name__}: {error}")
    told = [each for each in found.differences if each.expected not in _UNTOLD]
    lines = tuple(f"{each.where}: expected {each.expected}, found {each.found}" for each in told)
    if found.differences and not told:
        first = found.differences[0]
        return Noticed(name, broken=f"{first.where}: {first.found}")
    return Noticed(name, lines)


@contextmanager
def _at_most(seconds: int) -> Generator[None]:
    """Stop what does not end by itself, where the process can be told the time."""

    def stop(*_: object) -> None:
        raise StandstillError(f"no end after {seconds} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def first_noticed(by: tuple[Change, ...], rules: tuple[str, ...]) -> tuple[Noticed, ...]:
    """Return what scenarios say until one notices; those that list one of *rules* come first."""
    near = dict.fromkeys(path for rule in rules for path in listed().get(rule, ()))
    return until_noticed(by, tuple(dict.fromkeys((*near, *files()))))


def until_noticed(by: tuple[Change, ...], paths: Sequence[Path]) -> tuple[Noticed, ...]:
    """Return what scenarios say until one notices, in their order."""
    found: list[Noticed] = []
    with switched(by):
        store = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
        try:
            for path in paths:
                found.append(_noticed(path, store))
                if found[-1].differences:
                    break
        finally:
            store.close()
    return tuple(found)
