"""Events, snapshots and facts to JSON and back; what equals its default is left out."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Required, TypeVar, cast, get_type_hints

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
    except orjson.JSONEncodeError:  # a whole number of more than 64 bits
        found: TypeAdapter[Any] = adapter(type(snapshot))
        return found.dump_json(snapshot, exclude_defaults=True).decode()


def every_field(snapshot: Snapshot) -> dict[str, Any]:
    """Return all fields of a snapshot as JSON values, also those that equal their default."""
    shape = type(snapshot)
    whole = made(shape, {each.name: getattr(snapshot, each.name) for each in fields(shape)})
    found: dict[str, Any] = adapter(shape).dump_python(whole, mode="json")
    return found


_COMPACT = orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_SORT_KEYS


def _plain(value: object) -> object:
    """Return what stands in JSON for a value that has no JSON of its own."""
    if isinstance(value, datetime):  # of a subclass
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return str(value)
    return {
        name: found
        for name, default in _defaults(type(value))
        if (found := getattr(value, name)) is not default and found != default
    }


_known_defaults: dict[type[Any], tuple[tuple[str, Any], ...]] = {}


def _defaults(shape: type[Any]) -> tuple[tuple[str, Any], ...]:
    if shape not in _known_defaults:
        _known_defaults[shape] = tuple((each.name, each.default) for each in fields(shape))
    return _known_defaults[shape]


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
    return made(shape, _reader(shape).validate_json(text))


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    """Return an instant in the zone that all others are in: two in one zone compare at once."""
    return utc(datetime.fromisoformat(text))


_INSTANT: Any = Annotated[str, AfterValidator(_instant)]
_INSTANTS: dict[object, Any] = {datetime: _INSTANT, datetime | None: _INSTANT | None}


_readers: dict[type[Snapshot], TypeAdapter[dict[str, Any]]] = {}


def _reader(shape: type[Snapshot]) -> TypeAdapter[dict[str, Any]]:
    """Return what checks and reads the fields of a snapshot that are there, and no others.

    A checker of the shape itself would fill in some fifty defaults, at the cost of all the rest.
    """
    if shape not in _readers:
        _readers[shape] = _made_reader(shape)
    return _readers[shape]


def _made_reader(shape: type[Snapshot]) -> TypeAdapter[dict[str, Any]]:
    """Return the reader of a closed dictionary: a field without a default has to be there."""
    said = get_type_hints(shape, include_extras=True)
    hints = {name: _INSTANTS.get(hint, hint) for name, hint in said.items()}
    named = {
        each.name: Required[hints[each.name]] if each.default is MISSING else hints[each.name]
        for each in fields(shape)
    }
    dictionary: Any = TypedDict
    given = dictionary(shape.__name__, named, total=False)
    given.__pydantic_config__ = shape.__pydantic_config__
    return TypeAdapter(given)


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
