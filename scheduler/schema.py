"""The scenario format as a JSON Schema, with the payload of every request; `schema` prints it."""

import json
import sys
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import models_json_schema

from sublife.events.codec import adapter
from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import Payload
from sublife.scheduler.scenario import Document

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file (draft 2020-12).

    A step's `with` is checked against the payload of the request that its `do` names.
    """
    _, schema = models_json_schema([(Document, "validation")])
    definitions: dict[str, Any] = schema["$defs"]
    document: dict[str, Any] = definitions.pop("Document")
    payloads: dict[str, dict[str, Any]] = {}
    for lifecycle in LIFECYCLES.values():
        for name, shape in lifecycle.requests.items():
            found = _payload(lifecycle.name, shape, definitions)
            payloads.setdefault(name, {})[lifecycle.name] = found
    step: dict[str, Any] = definitions["Step"]
    step["properties"]["do"] = {
        **{key: value for key, value in step["properties"]["do"].items() if key != "anyOf"},
        "enum": list(payloads),
    }
    step["allOf"] = [each for name, found in payloads.items() for each in _choices(name, found)]
    return {"$schema": _DIALECT, **document, "$defs": definitions}


def _payload(lifecycle: str, shape: type[Payload], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a payload's schema; the shapes in it are named by their lifecycle as well."""
    template = f"#/$defs/{lifecycle}.{{model}}"
    schema = adapter(shape).json_schema(mode="validation", ref_template=template)
    parts: dict[str, Any] = schema.pop("$defs", {})
    definitions.update({f"{lifecycle}.{name}": part for name, part in parts.items()})
    return schema


def _choices(name: str, payloads: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the conditions that tie a request to its payload.

    Where several lifecycles have a request of that name, the step's `lifecycle` chooses; without
    one, the payload has to be that of any of them.
    """
    asked: dict[str, Any] = {"properties": {"do": {"const": name}}, "required": ["do"]}
    if len(payloads) == 1:
        (payload,) = payloads.values()
        yield {"if": asked, "then": _then(payload)}
        return
    for lifecycle, payload in payloads.items():
        named = {"do": {"const": name}, "lifecycle": {"const": lifecycle}}
        chosen = {"properties": named, "required": ["do", "lifecycle"]}
        yield {"if": chosen, "then": _then(payload)}
    unsaid = {**asked, "not": {"required": ["lifecycle"]}}
    yield {"if": unsaid, "then": {"anyOf": [_then(payload) for payload in payloads.values()]}}


def _then(payload: dict[str, Any]) -> dict[str, Any]:
    then: dict[str, Any] = {"properties": {"with": payload}}
    if payload.get("required"):
        then["required"] = ["with", "subject"]
    return then


def schema_command() -> None:
    """Print the JSON Schema of a scenario file, for editors and other tools."""
    sys.stdout.write(json.dumps(scenario_schema(), indent=2) + "\n")
