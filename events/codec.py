"""Events, snapshots and facts to JSON and back; what equals its default is left out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from types import MappingProxyType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Required,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson
from pydantic import AfterValidator, TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypedDict

from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import (
    Actor,
    Fact,
    Payload,
    Refusal,
    Snapshot,
    Sparse,
    Value,
    made,
    utc,
)

VERSION = 1
"""Raised when a default changes its meaning, so that older rows can still be read."""

T = TypeVar("T")


_adapters: dict[type[Any], TypeAdapter[Any]] = {}


def adapter(shape: type[T]) -> TypeAdapter[T]:
    """Return the checker and codec of one frozen shape, built once."""
    if shape not in _adapters:
        _adapters[shape] = TypeAdapter(shape)
    return _adapters[shape]


@lru_cache(maxsize=1024)
def encode_actor(actor: Actor) -> str:
    """Return an actor as canonical JSON; the same few act again and again."""
    return canonical(json.loads(encode(actor)))


_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def canonical(value: object) -> str:
    """Return JSON with sorted keys and no spaces: one text for one value, on every database."""
    return _encoder.encode(value)


def compact(value: object) -> str:
    """Return JSON without spaces; the order of the keys is as given."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # a whole number of more than 64 bits
        return to_json(value).decode()


def encode(value: Payload | Actor) -> str:
    """Return a shape as compact JSON without the fields that equal their default."""
    found: TypeAdapter[Any] = adapter(type(value))
    return found.dump_json(value, exclude_defaults=True).decode()


def encode_snapshot(snapshot: Snapshot) -> str:
    """Return a snapshot as compact JSON without the fields that equal their default."""
    try:
        return orjson.dumps(vars(snapshot), default=_plain, option=_COMPACT).decode()
    except orjson.JSONEncodeError:  # such as a whole number of more than 64 bits
        found: TypeAdapter[Any] = adapter(type(snapshot))
        return found.dump_json(snapshot, exclude_defaults=True).decode()


def every_field(snapshot: Snapshot) -> dict[str, Any]:
    """Return all fields of a snapshot as JSON values, also those that equal their default."""
    found: dict[str, Any] = adapter(type(snapshot)).dump_python(snapshot, mode="json")
    return found


_COMPACT = orjson.OPT_UTC_Z | orjson.OPT_SORT_KEYS
"""The dictionary of a sparse shape is written as it stands: in the order of its class."""


def _plain(value: object) -> object:
    """Return what stands in JSON for a value that has no JSON of its own."""
    if isinstance(value, datetime):  # of a subclass
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON")


def encode_payload(data: Payload) -> str:
    """Return a payload as canonical JSON, as the journal keeps it."""
    return _NOTHING if type(data) is Payload else canonical(json.loads(encode(data)))


_NOTHING = "{}"


def decode_snapshot(lifecycle: str, text: str) -> Snapshot:
    """Return the snapshot that `encode_snapshot` wrote.

    Raises:
        ValueError: it is no such snapshot.
    """
    shape = lifecycle_named(lifecycle).snapshot
    return made(shape, _reader(shape)(text))


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    """Return an instant in the zone that all others are in: two in one zone compare at once."""
    return utc(datetime.fromisoformat(text))


_INSTANT: Any = Annotated[str, AfterValidator(_instant)]


_readers: dict[type[Snapshot], Callable[[str], dict[str, Any]]] = {}


def _reader(shape: type[Snapshot]) -> Callable[[str], dict[str, Any]]:
    """Return what checks and reads the fields of a snapshot that are there, and no others.

    A checker of the shape itself would fill in some fifty defaults, at the cost of all the rest.
    """
    if shape not in _readers:
        _readers[shape] = TypeAdapter(_dictionary(shape)).validator.validate_json
    return _readers[shape]


def _dictionary(shape: type[Sparse]) -> Any:
    """Return a closed dictionary of a shape: a field without a default has to be there."""
    said = get_type_hints(shape, include_extras=True)
    hints = {each.name: _readable(said[each.name]) for each in fields(shape)}
    named = {
        each.name: Required[hints[each.name]] if each.default is MISSING else hints[each.name]
        for each in fields(shape)
    }
    dictionary: Any = TypedDict
    given = dictionary(shape.__name__, named, total=False)
    given.__pydantic_config__ = shape.__pydantic_config__
    return given


def _readable(hint: Any) -> Any:
    """Return as what a field is read: instants in one zone, and sparse shapes sparsely."""
    if hint is datetime:
        return _INSTANT
    if _is_sparse(hint):
        return _generic(Annotated, _dictionary(hint), AfterValidator(partial(made, hint)))
    generic, parts = get_origin(hint), get_args(hint)
    if generic is None or generic is Literal:
        return hint
    if generic is Annotated:
        return _generic(Annotated, _readable(parts[0]), *parts[1:])
    return _generic(Union if generic is UnionType else generic, *map(_readable, parts))


def _is_sparse(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Sparse)


def _generic(form: Any, *parts: Any) -> Any:
    return form[parts]


def decode_payload(lifecycle: str, event: str, text: str) -> Payload:
    """Return the payload that `encode` wrote; timed events carry none."""
    shape = lifecycle_named(lifecycle).requests.get(event, Payload)
    return adapter(shape).validate_json(text)


def decode_actor(text: str) -> Actor:
    """Return the actor that `encode` wrote."""
    return adapter(Actor).validate_json(text)


def encode_outcome(outcome: tuple[Fact, ...] | Refusal) -> str:
    """Return what an event led to: its facts, or the refusal."""
    if isinstance(outcome, Refusal):
        body: object = {
            "code": outcome.code,
            "details": _sorted(outcome.details),
            "rule": outcome.rule,
            "sentence": outcome.sentence,
        }
    else:
        body = [[fact.name, _sorted(fact.data), fact.rules] for fact in outcome]
    return compact({"of": body, "v": VERSION})


def _sorted(data: Mapping[str, Value]) -> dict[str, Value]:
    """Return flat values in the order of their names, as canonical JSON has them."""
    return {name: data[name] for name in sorted(data)} if len(data) > 1 else dict(data)


def decode_outcome(text: str) -> tuple[Fact, ...] | Refusal:
    """Return what `encode_outcome` wrote."""
    body: object = json.loads(text)["of"]
    if isinstance(body, dict):
        said = cast("dict[str, Any]", body)
        details: Mapping[str, Value] = MappingProxyType(said["details"])
        return Refusal(said["code"], said["rule"], said["sentence"], details)
    facts = cast("list[tuple[str, dict[str, Value], list[str]]]", body)
    return tuple(Fact(name, MappingProxyType(data), tuple(rules)) for name, data, rules in facts)
