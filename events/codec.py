"""Events, snapshots and facts to JSON and back; what equals its default is left out."""

import json
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import to_json

from sublife.lifecycle.machine import lifecycle_named
from sublife.lifecycle.model import Actor, Fact, Payload, Refusal, Snapshot, Value

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


def encode(value: Snapshot | Payload | Actor) -> str:
    """Return a shape as compact JSON without the fields that equal their default."""
    found: TypeAdapter[Any] = adapter(type(value))
    return found.dump_json(value, exclude_defaults=True).decode()


def encode_payload(data: Payload) -> str:
    """Return a payload as canonical JSON, as the journal keeps it."""
    return _NOTHING if type(data) is Payload else canonical(json.loads(encode(data)))


_NOTHING = "{}"


def decode_snapshot(lifecycle: str, text: str) -> Snapshot:
    """Return the snapshot that `encode` wrote.

    Raises:
        ValueError: it is no such snapshot.
    """
    return adapter(lifecycle_named(lifecycle).snapshot).validate_json(text)


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
    return to_json({"of": body, "v": VERSION}).decode()


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
