"""What became of scenarios: differences, timelines, digests."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sublife.lifecycle.error import SublifeError


class ReplayError(SublifeError, ValueError):
    """A scenario cannot be run on this store; nothing of it was written."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that did not hold: where, what was expected, what was found."""

    where: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a timeline.

    Args:
        note: of the step that asked for it.
        asked: whether somebody asked for it; else the calendar or another event led to it.
        tells: what happened, in plain sentences.
    """

    at: datetime
    subject: str
    event: str
    actor: str
    state_before: str
    state: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]
    code: str | None
    sentence: str | None
    note: str
    asked: bool = False
    tells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """What a step that only looks is for.

    Args:
        place: of the line of the timeline that it stands before; past the last one at the end.
        at: UTC instant of the step.
        text: as the file has it.
    """

    place: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one scenario.

    Args:
        digest: SHA-256 of the journal, in hexadecimal.
        faults: why the file could not be run; then nothing else is there.
        remarks: of steps that only look.
        about: the story, as its file tells it.
    """

    path: str
    title: str = ""
    rules: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    timeline: tuple[Happening, ...] = ()
    digest: str = ""
    faults: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    about: str = ""

    @property
    def held(self) -> bool:
        """Whether everything expected happened, and nothing else."""
        return not self.differences and not self.faults


def total_digest(results: Iterable[Result]) -> str:
    """Return one SHA-256 over the digests of many scenarios, in the order of their paths."""
    sha = hashlib.sha256()
    for result in sorted(results, key=lambda each: each.path):
        sha.update(f"{result.digest}  {result.path}\n".encode())
    return sha.hexdigest()
