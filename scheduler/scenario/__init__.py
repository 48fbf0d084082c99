"""Scenario files: their shape, and every fault of one found on load."""

from sublife.scheduler.scenario.fault import instead
from sublife.scheduler.scenario.load import load, loads
from sublife.scheduler.scenario.model import Act, Scenario
from sublife.scheduler.scenario.place import find, may_be_scenario
from sublife.scheduler.scenario.shape import (
    Document,
    Endpoint,
    Expect,
    Given,
    Listed,
    Log,
    Look,
    Overall,
    Step,
)

__all__ = [
    "Act",
    "Document",
    "Endpoint",
    "Expect",
    "Given",
    "Listed",
    "Log",
    "Look",
    "Overall",
    "Scenario",
    "Step",
    "find",
    "instead",
    "load",
    "loads",
    "may_be_scenario",
]
