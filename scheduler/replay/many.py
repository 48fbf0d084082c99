"""Replays many files, in one process or several, in memory or into a database."""

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Self, TypeVar

from sublife.events.document import DocumentError
from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.replay.result import ReplayError, Result
from sublife.scheduler.replay.runner import run
from sublife.scheduler.scenario import Scenario, load

T = TypeVar("T")


@cache
def _memory() -> Store:
    """Return this process's store in memory; every scenario has a tenant of its own in it."""
    return Store.open("sqlite://", clock=SimulatedClock(datetime.fromisoformat("2000-01-01T00Z")))


def _load(path: Path) -> None:
    """Load a file and keep it for its run, or why it cannot run."""
    try:
        _loaded[path] = load(path)
    except DocumentError as error:
        _loaded[path] = Result(str(path), faults=error.lines)


_loaded: dict[Path, Scenario | Result] = {}
_runs = count(1)
"""Numbers the runs in memory, so that a file may be replayed again by the same process."""


def replay_file(path: Path, *, url: str | None = None) -> Result:
    """Load and run one file; a file that is wrong gives a result with its faults."""
    if path not in _loaded:
        _load(path)
    scenario = _loaded.pop(path)
    if isinstance(scenario, Result):
        return scenario
    try:
        if url is None:
            return run(scenario, _memory(), tenant=f"scenario:{scenario.path} {next(_runs)}")
        return run(scenario, _file_store(url))
    except ReplayError as error:
        return Result(str(path), scenario.title, scenario.rules, faults=(str(error),))


@cache
def _file_store(url: str) -> Store:
    return Store.open(url, clock=SimulatedClock(datetime.fromisoformat("2000-01-01T00Z")))


class Replay:
    """A replay of many files; a file that is wrong stops none of the others.

    Args:
        paths: scenario files; results come in their order, whatever the number of jobs.
        url: the store; in memory if not given.
        jobs: processes to share the files between, this one among them.

    Use it as a context manager, so that the processes end with it.
    """

    def __init__(self, paths: Sequence[Path], *, url: str | None = None, jobs: int = 1) -> None:
        self._paths = tuple(paths)
        self._url = url
        context = get_context("spawn")
        others = min(jobs, len(self._paths)) - 1
        self._hands = [ProcessPoolExecutor(1, context) for _ in range(others)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()
        for hand in self._hands:
            hand.shutdown()

    def results(self) -> Iterator[Result]:
        """Run the files and yield their results in order; a wrong file yields its faults."""
        if self._hands and self._url is not None:
            _file_store(self._url).close()
            _file_store.cache_clear()
        for _ in self._map(_load):
            pass
        self._keep_loaded()
        yield from self._map(partial(replay_file, url=self._url))

    def _keep_loaded(self) -> None:
        """Tell the collector that what is loaded stays, or it looks at it again and again."""
        gc.freeze()
        for hand in self._hands:
            hand.submit(gc.freeze)

    def _map(self, work: Callable[[Path], T]) -> Iterator[T]:
        """Yield what *work* makes of each file, in order.

        A file always goes to the same process, which keeps it loaded from its check to its run.
        This process does its own part between what the others have done.
        """
        count = len(self._hands) + 1
        done = [
            hand.map(work, self._paths[number::count], chunksize=16)
            for number, hand in enumerate(self._hands, start=1)
        ]
        done.insert(0, map(work, self._paths[::count]))
        for number in range(len(self._paths)):
            yield next(done[number % count])
