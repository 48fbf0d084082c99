"""CSV exports: a line of titles says which resource the lines are, and each becomes its fields."""

import csv
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, TextIO, cast

from sublife.events.document import DocumentError
from sublife.events.inbound.row import named
from sublife.events.spreadsheet import restored

_LONGEST = 1 << 20
"""Characters that the line of titles may have."""
_TITLES = 1000
_STEPS = 9
"""Names that a title may have, one within the other."""
_COUNTS = frozenset({"quantity", "totalquantity"})
_ACTIVITY = frozenset({"date-time", "affected customer", "action"})
"""The columns of Partner Center's activity log that tell it from others (EVT-07)."""


def read_sheet(text: TextIO, name: str) -> Iterator[tuple[int, Any]]:
    """Yield every line as the fields it stands for, with its number.

    Titles are names of fields, `product.id` for a field within one. Those of an activity log are
    taken for audit records, or orders where the lines say a transaction.

    Raises:
        DocumentError: there is no line of titles, or a title stands twice.
    """
    first = text.readline(_LONGEST)
    if len(first) == _LONGEST:
        raise DocumentError(name, [(1, "has a line of titles that does not end; export it again")])
    delimiter = ";" if first.count(";") > first.count(",") else ","
    heads = csv.reader([first], delimiter=delimiter, strict=True)
    titles = [title.strip() for cells in heads for title in cells]
    if not any(titles):
        raise DocumentError(name, [(1, "has no line of titles; export it with them")])
    _check_titles(titles, name)
    is_activity = frozenset(title.lower() for title in titles) >= _ACTIVITY
    line = 2
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    while (cells := _next(reader, name, line)) is not None:
        if len(cells) > len(titles):
            raise DocumentError(
                name, [(line, f"has {len(cells)} values for {len(titles)} titles; export it again")]
            )
        if cells:
            fields = _fields(dict(zip_longest(titles, cells, fillvalue="")))
            yield line, _logged(fields) if is_activity else fields
        line = reader.line_num + 2


def _next(reader: Any, name: str, line: int) -> list[str] | None:
    """Return the cells of the next line, `None` after the last one."""
    try:
        return cast("list[str] | None", next(reader, None))
    except csv.Error as error:
        raise DocumentError(name, [(line, f"is no CSV: {error}; export it again")]) from error


def _check_titles(titles: list[str], name: str) -> None:
    """See that every title is the name of one field, and that fields do not lie within values."""
    if len(titles) > _TITLES:
        raise DocumentError(name, [(1, f"has more than {_TITLES:,} titles; export it again")])
    seen: set[str] = set()
    for title in titles:
        if title in seen:
            raise DocumentError(name, [(1, f"title {title} stands twice; remove one")])
        seen.add(title)
    for title in titles:
        outer = title.split(".")
        if len(outer) > _STEPS:
            raise DocumentError(
                name, [(1, f"title {title} has too many dots; {_STEPS - 1} at most")]
            )
        for count in range(1, len(outer)):
            if (place := ".".join(outer[:count])) in seen:
                said = f"titles {place} and {title} do not go together; remove one"
                raise DocumentError(name, [(1, said)])


def _fields(cells: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a line by their names, those of nested fields within them."""
    fields: dict[str, Any] = {}
    for title, cell in cells.items():
        *outer, last = title.split(".")
        place: dict[str, Any] = fields
        for step in outer:
            inner: object = place.get(step)
            if not isinstance(inner, dict):
                inner = place[step] = {}
            place = cast("dict[str, Any]", inner)
        place[last] = _value(last, cell)
    return fields


def _value(title: str, cell: str) -> Any:
    """Return a cell as JSON has it; the apostrophe before what looks like a formula goes."""
    cell = restored(cell)
    if cell == "":
        return None
    if cell.lower() in {"true", "false"}:
        return cell.lower() == "true"
    if title.lower() in _COUNTS and cell.isdecimal() and len(cell) < 10:
        return int(cell)
    return cell


def _logged(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of an activity log as an audit record, or as an order line (EVT-07, EVT-09)."""
    has = named(fields)
    if has.get("transaction"):
        return {
            "id": has.get("id"),
            "referenceCustomerId": has["affected customer"],
            "creationDate": has["date-time"],
            "billingCycle": has.get("billing"),
            "status": "completed",
            "eventId": has.get("event_id"),
            "lineItems": [
                {
                    "subscriptionId": has.get("subscription"),
                    "offerId": has.get("sku"),
                    "quantity": has.get("quantity"),
                    "termDuration": has.get("term"),
                    "transactionType": has["transaction"],
                }
            ],
        }
    return {
        "operationDate": has["date-time"],
        "customerId": has["affected customer"],
        "operationType": has["action"],
        "userPrincipalName": has.get("partner user"),
        "resourceType": has.get("resource type"),
        "subscriptionId": has.get("subscription"),
        "eventId": has.get("event_id"),
        "fact": has.get("fact"),
    }
