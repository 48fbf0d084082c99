"""Runs scenarios on the simulated clock and compares what happened with what is expected.

What runs them is imported when it is asked for: `show` needs the shape of a timeline alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sublife.scheduler.replay.result import (
    Difference,
    Happening,
    Remark,
    ReplayError,
    Result,
    total_digest,
)

if TYPE_CHECKING:
    from sublife.scheduler.replay.many import Replay, replay_file
    from sublife.scheduler.replay.runner import run

__all__ = [
    "Difference",
    "Happening",
    "Remark",
    "Replay",
    "ReplayError",
    "Result",
    "replay_file",
    "run",
    "total_digest",
]

_WHERE = {"Replay": "many", "replay_file": "many", "run": "runner"}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
