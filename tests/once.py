"""What several tests need and what takes long, computed once for all processes of a run."""

import os
import pickle
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from typing import TypeVar

import pytest

T = TypeVar("T")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[], T]) -> T:
    """Return what *make* returns; the first test process that needs it computes it for all.

    Args:
        factory: whose base folder, or the one above it in a parallel run, keeps the value.
        name: of the value; one that nothing else has.
        make: computes a value that can be pickled. The others wait meanwhile.
    """
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    kept = folder / f"{name}.pickle"
    with kept.with_suffix(".lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not kept.exists():
            value = make()
            kept.write_bytes(pickle.dumps(value))
            return value
    found: T = pickle.loads(kept.read_bytes())  # noqa: S301 – our own, of this run
    return found
