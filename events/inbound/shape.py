"""Tells the shapes apart by the fields they have, and takes apart what holds several rows."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from sublife.events.inbound.row import Row, Shape, is_storable, named, parsed
from sublife.events.wire import listed

_TELLING: tuple[tuple[Shape, frozenset[str]], ...] = (
    (Shape.WEBHOOK, frozenset({"eventname", "resourcechangeutcdate"})),
    (Shape.MIGRATION_EVENT, frozenset({"eventname", "newcommercemigrationid"})),
    (Shape.AUDIT, frozenset({"operationtype", "operationdate"})),
    (Shape.SCHEDULE, frozenset({"currentsubscriptionid", "targetdate"})),
    (Shape.SCHEDULE, frozenset({"currentsubscriptionid", "migrateonrenewal"})),
    (Shape.MIGRATION, frozenset({"currentsubscriptionid", "status"})),
    (Shape.ORDER, frozenset({"lineitems"})),
    (Shape.SUBSCRIPTION, frozenset({"offerid", "commitmentenddate"})),
)
"""The fields by which each shape is known, the more particular ones first."""


def shape_of(fields: Mapping[str, Any]) -> Shape:
    """Return what a resource is; names are compared without case."""
    has = named(fields).keys()
    return next((shape for shape, telling in _TELLING if telling <= has), Shape.UNKNOWN)


def rows_of(file: str, line: int, value: Any) -> Iterator[Row]:
    """Yield the rows that one value of a file holds: the lines of an order one by one."""
    if not is_storable(value) or not isinstance(value, Mapping):
        yield Row(file, line, 0, Shape.UNKNOWN, {"value": value})
        return
    fields = cast("Mapping[str, Any]", value)
    shape = shape_of(fields)
    order = fields if shape is Shape.ORDER else _ordered(shape, fields)
    lines = list(order_lines(order)) if order is not None else []
    if not lines:
        yield Row(file, line, 0, shape, fields)
    for number, each in enumerate(lines, start=1):
        item = number if len(lines) > 1 else 0
        yield Row(file, line, item, Shape.ORDER, each)


def _ordered(shape: Shape, fields: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the order that an audit record of one carries, if it has gone well."""
    has = named(fields)
    if shape is not Shape.AUDIT or str(has.get("operationstatus", "succeeded")) != "succeeded":
        return None
    found = parsed(has.get("resourcenewvalue"))
    return found if found is not None and shape_of(found) is Shape.ORDER else None


def order_lines(order: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each line of an order with what the order says of all of them."""
    rest = {name: value for name, value in order.items() if name.lower() != "lineitems"}
    for each in listed(named(order).get("lineitems")):
        yield {**rest, "lineItem": each}


def unknown(row: Row) -> str:
    """Return why a row of no known shape is none."""
    if not is_storable(row.fields):
        return "has a text with U+0000 or half a character, which no database keeps; fix it"
    known = ", ".join(shape.value for shape in Shape if shape is not Shape.UNKNOWN)
    if set(row.fields) == {"value"}:
        return f"is no resource but a plain value; expected is one of {known}"
    names = ", ".join(sorted(row.fields)[:8]) or "none"
    return f"is none of {known}; it has the fields {names}"
