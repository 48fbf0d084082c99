"""Tells what happened in plain sentences, for people who know the trade and not the code."""

from sublife.scheduler.telling.tell import tell

__all__ = ["tell"]
