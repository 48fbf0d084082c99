"""One row of an export: where it stands, what it is, and what became of it."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, cast

from sublife.events.codec import canonical
from sublife.events.jsontext import JsonError, decode


class Shape(StrEnum):
    """The resources that can be taken in; each has a module of its own."""

    SUBSCRIPTION = "subscription"
    ORDER = "order"
    MIGRATION = "migration"
    SCHEDULE = "migration-schedule"
    MIGRATION_EVENT = "migration-event"
    AUDIT = "audit-record"
    WEBHOOK = "webhook"
    UNKNOWN = "unknown"


class Fate(StrEnum):
    """What became of a row.

    `imported`: it is a subject or an event now. `unchanged`: there is nothing to do, and why.
    `differs`: what is stored says something else, and stays. `refused`: a rule says no.
    `unmapped`: nothing can be made of it, and why.
    """

    IMPORTED = "imported"
    UNCHANGED = "unchanged"
    DIFFERS = "differs"
    REFUSED = "refused"
    UNMAPPED = "unmapped"

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look at the row."""
        return self in {Fate.IMPORTED, Fate.UNCHANGED}


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was read.

    Args:
        file: as the user named it.
        line: on which it begins, from 1.
        item: its number within that resource, from 1; 0 where it is the whole of it.
        shape: what it is.
        fields: what it says, from JSON or a line of CSV.
    """

    file: str
    line: int
    item: int
    shape: Shape
    fields: Mapping[str, Any]

    @property
    def mark(self) -> str:
        """The id of the event it becomes; the same content has the same one, wherever it stands."""
        text = canonical([self.shape.value, self.fields])
        return f"import:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a row, and why.

    Args:
        fate: in a word.
        said: in a sentence.
        subject: id of the subject it is about, if one is known.
        events: names of the requests that were taken in.
    """

    fate: Fate
    said: str
    subject: str | None = None
    events: tuple[str, ...] = ()


def unmapped(said: str, subject: str | None = None) -> Verdict:
    """Return that nothing can be made of a row, and why."""
    return Verdict(Fate.UNMAPPED, said, subject)


def unchanged(said: str, subject: str | None = None) -> Verdict:
    """Return that there is nothing to do, and why."""
    return Verdict(Fate.UNCHANGED, said, subject)


def differs(said: str, subject: str | None = None) -> Verdict:
    """Return in what a row and what is stored differ."""
    return Verdict(Fate.DIFFERS, f"differs from what is stored: {said}", subject)


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def identifier(text: str) -> str:
    """Return a tenant's id; GUIDs come in either case and are compared without it."""
    return text.lower() if _GUID.fullmatch(text) else text


def named(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields by their names in lower case: older exports write PascalCase."""
    return {name.lower(): value for name, value in fields.items()}


def shown(value: object) -> str:
    """Return a value as JSON writes it."""
    return json.dumps(value, ensure_ascii=False, default=str)


def parsed(text: object) -> Mapping[str, Any] | None:
    """Return the object in a text that holds JSON, as audit records carry it, or `None`."""
    if isinstance(text, Mapping):
        return cast("Mapping[str, Any]", text)
    if not isinstance(text, str):
        return None
    try:
        found: object = decode(text)
    except JsonError:
        return None
    if not is_storable(found) or not isinstance(found, dict):
        return None
    return cast("Mapping[str, Any]", found)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(value: object) -> bool:
    """Return whether a database can keep every text in a value: no U+0000, no half characters."""
    match value:
        case str():
            return _UNSTORABLE.search(value) is None
        case Mapping():
            fields = cast("Mapping[str, object]", value)
            return all(is_storable(name) and is_storable(each) for name, each in fields.items())
        case list():
            return all(map(is_storable, cast("Iterable[object]", value)))
        case _:
            return True
