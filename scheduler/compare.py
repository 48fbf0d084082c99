"""Compares what a scenario file says with what was found, and shows both to people."""
# Values of any type meet here, so their types stay unknown in this one file.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from sublife.lifecycle.model import iso


def plain(value: Any) -> Any:
    """Return a value as a scenario file writes it: enums by value, shapes as mappings."""
    match value:
        case Enum():
            return value.value
        case tuple() | list():
            return [plain(each) for each in value]
        case Mapping():
            return {key: plain(each) for key, each in value.items()}
        case _ if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        case _:
            return value


def matches(wanted: Any, found: Any) -> bool:
    """Return whether *found* is what a file says: mappings in the keys they name, lists whole."""
    found = plain(found)
    match wanted:
        case Mapping() if isinstance(found, Mapping):
            if not wanted:
                return not found
            return all(matches(value, found.get(key)) for key, value in wanted.items())
        case list() if isinstance(found, list):
            pairs = zip(wanted, found, strict=False)
            return len(wanted) == len(found) and all(matches(a, b) for a, b in pairs)
        case datetime() | date() if isinstance(found, str):
            return shown(wanted) == found
        case bool() | None:
            return wanted is found
        case Decimal() | int() if isinstance(found, Decimal | int | str):
            return not isinstance(found, bool) and str(wanted) == str(found)
        case _:
            return bool(wanted == found)


def shown(value: Any) -> str:
    """Return a value as a person reads it in a difference."""
    value = plain(value)
    match value:
        case datetime():
            return iso(value)
        case Mapping():
            return ", ".join(f"{key}: {shown(each)}" for key, each in value.items()) or "none"
        case list():
            return "; ".join(shown(each) for each in value) or "none"
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
