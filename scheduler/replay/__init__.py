"""Runs scenarios on the simulated clock and compares what happened with what is expected."""

from sublife.scheduler.replay.many import Replay, replay_file
from sublife.scheduler.replay.result import (
    Difference,
    Happening,
    Remark,
    ReplayError,
    Result,
    total_digest,
)
from sublife.scheduler.replay.run import run

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
