"""The scenario format as a JSON Schema, with the payload of every request."""

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
    choices: list[dict[str, Any]] = []
    names: list[str] = []
    for lifecycle in LIFECYCLES.values():
        for name, shape in lifecycle.requests.items():
            names.append(name)
            choices.append(_when(name, _payload(shape, definitions)))
    step: dict[str, Any] = definitions["Step"]
    step["properties"]["do"] = {
        **{key: value for key, value in step["properties"]["do"].items() if key != "anyOf"},
        "enum": names,
    }
    step["allOf"] = choices
    return {"$schema": _DIALECT, **document, "$defs": definitions}


def _payload(shape: type[Payload], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = adapter(shape).json_schema(mode="validation", ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    return schema


def _when(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the condition that ties a request to its payload."""
    then: dict[str, Any] = {"properties": {"with": payload}}
    if payload.get("required"):
        then["required"] = ["with", "subject"]
    return {
        "if": {"properties": {"do": {"const": name}}, "required": ["do"]},
        "then": then,
    }
