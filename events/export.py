"""Records out: CSV as Partner Center's activity log has it, JSON Lines, Parquet; row by row."""

import csv
import json
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import IO, Any, TextIO, get_args

from sublife.events.layout import ACTIVITY, ORDER, types_of
from sublife.events.printable import printable_json
from sublife.events.spreadsheet import neutralized
from sublife.lifecycle.dates import add_months
from sublife.lifecycle.error import SublifeError
from sublife.lifecycle.model import ActorKind, iso

Record = Mapping[str, Any]
"""One record: values by the names of their columns; instants aware, amounts as `Decimal`."""


class ExportError(SublifeError, RuntimeError):
    """Records cannot be written out; no file was changed."""


class Format(StrEnum):
    """What records can be written as."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


_UPDATE = ("update_subscription", "subscription")
_MIGRATE = ("create_new_commerce_migration", "new_commerce_migration")
OPERATIONS: Mapping[str, tuple[str, str]] = {
    "subscription-created": ("create_order", "order"),
    "transfer-completed": ("update_transfer", "transfer"),
}
"""Audit words for a fact: operation and resource type; others update a subscription (EVT-08).

The audit vocabulary has no word for a renewal. Partner Center logs it as the update that it is.
"""
_MOVES = ("ea-renewal-", "new-commerce-migration-")
"""Beginnings of the facts of a move to new commerce; it is a migration, never a renewal (EVT-01).

The vocabulary has one operation for all of its stages.
"""
_PLACING = frozenset({"new", "renew"})
"""Order lines that place an order; the others change one."""


def operation_of(record: Record) -> tuple[str, str]:
    """Return the audit operation and resource type of an activity or order record (EVT-08)."""
    if "transaction" in record:
        placed = record["transaction"] in _PLACING
        return ("create_order" if placed else "update_order"), "order"
    if record["fact"].startswith(_MOVES):
        return _MIGRATE
    return OPERATIONS.get(record["fact"], _UPDATE)


def _partner_user(record: Record) -> str:
    return record["actor_id"] if record["actor_kind"] == ActorKind.USER else ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file of records has in it.

    Args:
        fields: types of the fields by their names, in order.
        first: the columns of the CSV that Partner Center has too (EVT-07), then the resource type.
    """

    fields: Mapping[str, Any]
    first: Mapping[str, Callable[[Record], Any]]

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the CSV: those of Partner Center, then every field by its name."""
        return (*self.first, *self.fields)


_FIRST: Mapping[str, Callable[[Record], Any]] = {
    "Date-Time": lambda record: record["effective_at"],
    "Affected customer": lambda record: record["customer"],
    "Action": lambda record: operation_of(record)[0],
}
_RESOURCE: Mapping[str, Callable[[Record], Any]] = {
    "Resource type": lambda record: operation_of(record)[1]
}
ACTIVITIES = Sheet(types_of(ACTIVITY), {**_FIRST, "Partner user": _partner_user, **_RESOURCE})
ORDERS = Sheet(types_of(ORDER), {**_FIRST, **_RESOURCE})
"""An order record names no user, so its file has no such column."""


def month_before(at: datetime) -> datetime:
    """Return the instant one calendar month before *at*, the default span of the log (EVT-07)."""
    return datetime.combine(add_months(at.date(), -1), at.timetz())


def write_csv(records: Iterable[Record], sheet: Sheet, out: TextIO) -> int:
    """Write records as CSV (RFC 4180) with a line of titles; return how many.

    Instants are UTC in ISO 8601. A text that a spreadsheet would take for a formula gets an
    apostrophe before it, which a spreadsheet does not show; JSON Lines leaves it as it is.

    Args:
        records: as `Store.stream_records` or `stream_orders` yields them.
        sheet: `ACTIVITIES` or `ORDERS`.
        out: opened with `newline=""`.
    """
    writer = csv.writer(out)
    writer.writerow(sheet.titles)
    count = 0
    for record in records:
        count += 1
        first = [_cell(value(record)) for value in sheet.first.values()]
        writer.writerow([*first, *(_cell(record[name]) for name in sheet.fields)])
    return count


def _cell(value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case str():
            return neutralized(value)
        case _:
            return value


def write_jsonl(records: Iterable[Record], out: TextIO) -> int:
    """Write records as JSON Lines, every field as it is; return how many.

    Instants are UTC in ISO 8601; amounts are texts, so that they stay exact. Letters stay as they
    are; control characters and what is invisible are JSON escapes, so that a line is one line.
    """
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_said).encode
    count = 0
    for record in records:
        count += 1
        out.write(printable_json(encode(dict(record))) + "\n")
    return count


def _said(value: Any) -> str:
    return iso(value) if isinstance(value, datetime) else str(value)


_BATCH = 1000
"""Records turned into columns at once."""
_GROUP = 64
"""Batches in one row group of a Parquet file."""


def write_parquet(records: Iterable[Record], sheet: Sheet, out: IO[bytes]) -> int:
    """Write records as Parquet with typed columns; return how many.

    Instants are timestamps in UTC to the microsecond, counts are 64-bit integers, amounts are
    decimals with two places.

    Raises:
        ExportError: pyarrow is not installed.
    """
    arrow, parquet = _arrow()
    schema = arrow.schema([_column(arrow, *each) for each in sheet.fields.items()])
    count = 0
    with parquet.ParquetWriter(out, schema) as writer:
        batches = _batches(records, lambda rows: arrow.RecordBatch.from_pylist(rows, schema=schema))
        while group := list(islice(batches, _GROUP)):
            table = arrow.Table.from_batches(group)
            writer.write_table(table)
            count += table.num_rows
    return count


def _batches(records: Iterable[Record], made: Callable[[list[Any]], Any]) -> Iterator[Any]:
    going = iter(records)
    while rows := list(islice(going, _BATCH)):
        yield made(rows)


def _arrow() -> tuple[Any, Any]:
    """Return pyarrow and its Parquet module; it takes a while, and few need it."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise ExportError("Parquet needs pyarrow; install sublife[parquet]") from error


def _column(arrow: Any, name: str, annotation: Any) -> Any:
    given = get_args(annotation) or (annotation,)
    kinds = {
        str: arrow.string(),
        int: arrow.int64(),
        datetime: arrow.timestamp("us", tz="UTC"),
        Decimal: arrow.decimal128(18, 2),
    }
    kind = next(each for each in given if each is not type(None))
    return arrow.field(name, kinds[kind], nullable=type(None) in given)


def write_file(records: Iterable[Record], sheet: Sheet, form: Format, path: Path) -> int:
    """Write records to a file, all of them or nothing; return how many.

    What stands there stays until the new file is whole and on the disk. Something that is no file,
    such as a pipe, is written to as it is.

    Raises:
        ExportError: the file cannot be written, or pyarrow is not installed.
    """
    try:
        with _replacing(path) as out:
            if form is Format.PARQUET:
                return write_parquet(records, sheet, out)
            with open(out.fileno(), "w", encoding="utf-8", newline="", closefd=False) as text:
                if form is Format.CSV:
                    return write_csv(records, sheet, text)
                return write_jsonl(records, text)
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written: {error}; what stood there is as it was"
        ) from error


@contextmanager
def _replacing(path: Path) -> Generator[IO[bytes]]:
    """Open a file beside *path* that takes its place when the block ends well, else is removed."""
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as out:
            yield out
        return
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        if path.exists():
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
