"""Checks the values of an event against the types that its classes declare, before it is decided.

Python does not check what a host hands over. A value of another type would be written down, read
back as something else or not at all, and hold up the calendar of its subject. What means the same
is brought to the plain type (a subclass of `datetime`, a whole number of numpy, a list for a
tuple); everything else is refused.
"""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from sublife.lifecycle.identifier import unfit_character
from sublife.lifecycle.model import Event, FigureError, ModelError, Payload

T = TypeVar("T")
_Conform: TypeAlias = Callable[[Any], Any]
_MAPPINGS = {dict, Mapping, MutableMapping}
LARGEST = 2**53
"""Whole numbers up to here are the same in JSON, in every database and in every language."""
DIGITS = 12
"""Digits before the decimal point: no seat costs, and no line of revenue is, as much in any
currency."""
LONGEST = 10_000
"""Characters of a text: a name, a reason, an id."""


class ValueTypeError(ModelError):
    """A value of an event is not of the type that its field declares; nothing was changed.

    Attributes:
        path: of the field, such as `data.price.unit`.
        problem: what is wrong with the value, and what to write.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        """Return the field and what is wrong with its value."""
        return f"{self.path} {self.problem}"


class _Wrong(Exception):  # noqa: N818 – never leaves this module
    """A value does not conform; each place on the way out adds its own part of the path."""

    def __init__(self, problem: str, *, is_too_large: bool = False) -> None:
        self.problem = problem
        self.is_too_large = is_too_large
        self.parts: list[str] = []
        super().__init__(problem)


def conform(event: Event) -> Event:
    """Return an event whose values all have the plain types that its fields declare.

    Args:
        event: as a host made it; its payload may be of any class of payloads.

    Returns:
        The event itself where nothing had to be changed.

    Raises:
        ValueTypeError: a value is of another type; the message names the event, the field, the
            value and the remedy.
        FigureError: a number is larger than any count or amount can be.
    """
    try:
        return cast("Event", _conforming(Event)(event))
    except _Wrong as error:
        name = getattr(event, "id", None)
        where = ".".join(reversed(error.parts)).replace(".[", "[")
        path = f"event {name[:60]!a}: {where}" if isinstance(name, str) else f"event: {where}"
        path = path.rstrip(": ")
        if error.is_too_large:
            raise FigureError(f"{path} {error.problem}") from None
        raise ValueTypeError(path, error.problem) from None


@cache
def _conforming(hint: Any) -> _Conform:
    """Return what checks a value of a type and gives it back plain."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type):
        if hint is Payload:
            return _payload
        shape = cast("type[Any]", hint)
        if issubclass(shape, Enum):
            return partial(_enum, shape)
        if is_dataclass(shape):
            return _dataclass(shape)
    return _generic(hint)


def _generic(hint: Any) -> _Conform:
    generic, parts = get_origin(hint), get_args(hint)
    if generic is Annotated:
        return _conforming(parts[0])
    if generic in {Union, UnionType}:
        others = tuple(each for each in parts if each is not NoneType)
        return partial(_union, tuple(map(_conforming, others)), len(others) < len(parts))
    if generic is tuple and parts[1:] == (...,):
        return partial(_tuple, _conforming(parts[0]))
    if generic is frozenset:
        return partial(_frozenset, _conforming(parts[0]))
    if generic is tuple and parts:
        return partial(_fixed_tuple, tuple(map(_conforming, parts)))
    if generic in _MAPPINGS:
        return partial(_mapping, *map(_conforming, parts))
    return _as_it_is  # a type of a host's own; the codec has the last word


def _payload(value: Any) -> Any:
    if not isinstance(value, Payload):
        raise _Wrong(f"is {_shown(value)}; make it the payload of the request")
    return _conforming_exactly(cast("Any", type(value)))(value)


@cache
def _conforming_exactly(shape: type[Payload]) -> _Conform:
    return _dataclass(shape)


def _dataclass(shape: type[Any]) -> _Conform:
    """Return what checks the fields of a dataclass; made when it is first needed."""
    checks: dict[str, _Conform] = {}
    defaults = {each.name: each.default for each in fields(shape) if each.default is not MISSING}

    def check(value: Any) -> Any:
        if type(value) is not shape:
            raise _Wrong(f"is {_shown(value)}; make it {_article(shape.__name__)}")
        if not checks:
            hints = get_type_hints(shape, include_extras=True)
            checks.update({each.name: _conforming(hints[each.name]) for each in fields(shape)})
        changed: dict[str, Any] = {}
        for name, conforming in checks.items():
            found = getattr(value, name)
            if found is defaults.get(name, MISSING):
                continue
            try:
                plain = conforming(found)
            except _Wrong as error:
                error.parts.append(name)
                raise
            if plain is not found:
                changed[name] = plain
        return _with(value, changed) if changed else value

    return check


def _with(value: Any, changed: dict[str, Any]) -> Any:
    """Return a copy of a dataclass with other values; it checks itself as it is made."""
    every = {each.name: getattr(value, each.name) for each in fields(value)}
    return type(value)(**every | changed)


def _union(checks: tuple[_Conform, ...], may_lack: bool, value: Any) -> Any:  # noqa: FBT001 – by position
    if value is None and may_lack:
        return None
    wrong: list[_Wrong] = []
    for check in checks:
        try:
            return check(value)
        except _Wrong as error:
            wrong.append(error)
    raise wrong[0]


def _tuple(check: _Conform, value: Any) -> Any:
    if not isinstance(value, tuple | list):
        raise _Wrong(f"is {_shown(value)}; make it a tuple")
    given = cast("tuple[Any, ...]", value)
    plain = tuple(_item(check, number, each) for number, each in enumerate(given))
    same = type(given) is tuple and all(a is b for a, b in zip(given, plain, strict=True))
    return given if same else plain


def _fixed_tuple(checks: tuple[_Conform, ...], value: Any) -> Any:
    if not isinstance(value, tuple | list) or len(cast("tuple[Any, ...]", value)) != len(checks):
        raise _Wrong(f"is {_shown(value)}; make it a tuple of {len(checks)}")
    given = cast("tuple[Any, ...]", value)
    return tuple(_item(check, number, given[number]) for number, check in enumerate(checks))


def _mapping(of_key: _Conform, of_value: _Conform, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise _Wrong(f"is {_shown(value)}; make it a mapping")
    given: Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType] – of a host
    return {of_key(name): _item(of_value, name, each) for name, each in given.items()}


def _as_it_is(value: Any) -> Any:
    return value


def _frozenset(check: _Conform, value: Any) -> Any:
    if not isinstance(value, frozenset | set):
        raise _Wrong(f"is {_shown(value)}; make it a frozenset")
    given = cast("frozenset[Any]", value)
    return frozenset(check(each) for each in given)


def _item(check: _Conform, number: object, value: Any) -> Any:
    try:
        return check(value)
    except _Wrong as error:
        error.parts.append(f"[{number}]")
        raise


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"is {_shown(value)}; make it a text")
    plain = value if type(value) is str else str.__str__(value)
    if type(plain) is not str:
        plain = "".join(plain)
    if not plain.isascii() or "\0" in plain:
        _check_characters(plain)
    if not plain or plain.isspace():
        raise _Wrong(f"is {_shown(plain)}; give it a text that is not blank")
    if len(plain) > LONGEST:
        raise _Wrong(f"has {len(plain):,} characters; use at most {LONGEST:,}")
    return plain


def _check_characters(text: str) -> None:
    if (found := unfit_character(text)) is not None:
        raise _Wrong(
            f"is {_shown(text)}, with the character {found}, which no database text can hold; "
            "remove it"
        )


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise _Wrong(f"is {_shown(value)}; make it a whole number")
    plain = value if type(value) is int else int(value.__index__())
    if abs(plain) > LARGEST:
        raise _Wrong(f"is {_shown(plain)}; use at most {LARGEST:,}", is_too_large=True)
    return plain


def _truth(value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value).__module__ == "numpy" and type(value).__name__ in {"bool", "bool_"}:
        return bool(value)
    raise _Wrong(f"is {_shown(value)}; make it True or False")


def _decimal(value: Any) -> Decimal:
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal):
        raise _Wrong(f'is {_shown(value)}; make it a Decimal of a text, such as Decimal("20.00")')
    plain = value if type(value) is Decimal else Decimal(value)
    if not plain.is_finite():
        raise _Wrong(f"is {_shown(value)}; make it a finite number")
    if plain.adjusted() >= DIGITS or len(plain.as_tuple().digits) > 3 * DIGITS:
        remedy = f"use at most {DIGITS} digits before the decimal point"
        raise _Wrong(f"is {_shown(value)}; {remedy}", is_too_large=True)
    return plain


def _date(value: Any) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Wrong(f"is {_shown(value)}; make it a date without time")
    return value if type(value) is date else date(value.year, value.month, value.day)


def _instant(value: Any) -> datetime:
    if not isinstance(value, datetime) or value != value:  # noqa: PLR0124 – pandas' NaT is a datetime
        raise _Wrong(f"is {_shown(value)}; make it a datetime with a time zone")
    if value.tzinfo is None or value.utcoffset() is None:
        raise _Wrong(f"is {_shown(value)}, without a time zone; give it one, such as UTC")
    if getattr(value, "nanosecond", 0):
        raise _Wrong(f"is {_shown(value)}; round it to microseconds")
    if type(value) is datetime and value.tzinfo is UTC:
        return value
    try:
        found = value.astimezone(UTC)
    except OverflowError:
        raise _Wrong(f"is {_shown(value)}; make it an instant of the years 1 to 9999") from None
    return datetime(  # of the plain class
        found.year,
        found.month,
        found.day,
        found.hour,
        found.minute,
        found.second,
        found.microsecond,
        tzinfo=UTC,
    )


def _enum(shape: type[Enum], value: Any) -> Any:
    if isinstance(value, shape):
        return value
    meant = next((each for each in shape if each.value == value), None) if _is_text(value) else None
    remedy = f"{shape.__name__}.{meant.name}" if meant else _article(shape.__name__)
    raise _Wrong(f"is {_shown(value)}; make it {remedy}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_PLAIN: dict[Any, _Conform] = {
    str: _text,
    int: _whole,
    bool: _truth,
    Decimal: _decimal,
    date: _date,
    datetime: _instant,
}


def _shown(value: Any) -> str:
    """Return a value and its type, short and printable whatever it is."""
    try:
        text = ascii(value)
    except Exception:  # noqa: BLE001 – a host's class may fail in many ways
        text = "?"
    short = text if len(text) <= 60 else f"{text[:57]}..."
    return short if value is None else f"{short} ({type(value).__name__})"


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
