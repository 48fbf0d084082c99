"""A scenario that has been checked, ready to run."""

from dataclasses import dataclass
from datetime import datetime

from sublife.lifecycle.model import Event
from sublife.lifecycle.policy import Policy
from sublife.scheduler.scenario.shape import Endpoint, Expect, Overall


@dataclass(frozen=True, slots=True)
class Act:
    """One step, ready to run: the event if there is one, and what is expected after it."""

    number: int
    at: datetime
    event: Event | None
    subject: str | None
    note: str
    expect: Expect


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that has been checked.

    Args:
        path: the file as the user named it.
        policy: with the switches as the scenario chooses them.
        given: events that take over what exists already.
        acts: the steps in order.
        endpoints: where facts are posted to.
    """

    path: str
    title: str
    rules: tuple[str, ...]
    about: str
    policy: Policy
    given: tuple[Event, ...]
    acts: tuple[Act, ...]
    expect: Overall
    endpoints: tuple[Endpoint, ...] = ()
