"""Reads scenario files; every fault is found on load, with line, value and remedy."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from sublife.events.document import faulty, parse, read
from sublife.lifecycle.policy import Fault
from sublife.lifecycle.policy import Path as FaultPath
from sublife.scheduler.scenario.build import MANY, Builder
from sublife.scheduler.scenario.fault import faults_of
from sublife.scheduler.scenario.model import Scenario
from sublife.scheduler.scenario.shape import Document

_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


def load(path: Path) -> Scenario:
    """Return the scenario of a file.

    Raises:
        DocumentError: every fault of the file, with line, value and remedy.
    """
    return loads(read(path), path)


def loads(text: str, path: Path) -> Scenario:
    """Return the scenario of a text, as if it stood in *path*.

    Raises:
        DocumentError: every fault of the text, with line, value and remedy.
    """
    content = parse(text, name=str(path))
    document, faults = _document(content)
    if document is None:
        raise faulty(str(path), text, faults)
    builder = Builder(document, path)
    scenario = builder.build()
    new = [each for each in builder.faults if not _is_told(each, faults)]
    if faults or new:
        raise faulty(str(path), text, [*faults, *new])
    return scenario


def _is_told(fault: Fault, told: Iterable[Fault]) -> bool:
    """Return whether *fault* may only follow from one told already, at its place or below."""
    return any(each.path[: len(fault.path)] == fault.path for each in told)


def _document(content: Mapping[str, object]) -> tuple[Document | None, list[Fault]]:
    """Return the document and the faults of its form.

    What is wrong is left out of it, so that the rest can be checked as well; no document if too
    little is left.
    """
    try:
        return _DOCUMENT.validate_python(content), []
    except ValidationError as error:
        faults = faults_of(error)
        if len(faults) > MANY:
            return None, faults
        left = _without(content, [fault.path for fault in faults])
    try:
        return _DOCUMENT.validate_python(left), faults
    except ValidationError:
        return None, faults


_STAND_INS: Mapping[str, object] = MappingProxyType(
    {
        "at": datetime(2000, 1, 1, tzinfo=UTC),
        "title": "?",
        "rules": ["GEN-01"],
        "subject": "?",
        "customer": "?",
        "partner": "?",
    }
)
"""What takes the place of a wrong value that a document cannot do without."""


def _without(content: Mapping[str, object], wrong: Iterable[FaultPath]) -> Mapping[str, object]:
    """Return a copy of a document without the values at *wrong* paths, or with stand-ins."""
    left: Any = deepcopy(content)
    for path in wrong:
        place: Any = left
        for step in path[:-1]:
            place = place[step] if _holds(place, step) else {}
        name = path[-1] if path else ""
        if name in _STAND_INS:
            place[name] = _STAND_INS[str(name)]
        elif isinstance(place, list):
            place[int(name)] = "?"
        elif isinstance(place, dict):
            place.pop(name, None)  # pyright: ignore[reportUnknownMemberType] – YAML
    return cast("Mapping[str, object]", left)


def _holds(place: Any, step: str | int) -> bool:
    """Return whether *step* leads on from *place*."""
    try:
        place[step]
    except (KeyError, IndexError, TypeError):
        return False
    return True
