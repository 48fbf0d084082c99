"""Compares the activity log, or the order history, as it is exported at one instant."""

import csv
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from io import StringIO
from typing import Any

from sublife.events.export import ACTIVITIES, ORDERS, month_before, write_csv
from sublife.events.store import Store
from sublife.scheduler.replay.going import Going
from sublife.scheduler.replay.listing import compare_mappings
from sublife.scheduler.scenario import Log


def compare_log(going: Going, where: str, log: Log, at: datetime) -> None:
    """Compare the titles and the lines of the file that would be written at *at*."""
    titles, *lines = _exported(going.store, log, at)
    if log.columns is not None and log.columns != titles[: len(log.columns)]:
        going.differ(f"{where}, log, columns", log.columns, titles[: len(log.columns)])
    if log.rows is not None:
        wanted = [_by_title(row, titles) for row in log.rows]
        found = [dict(zip(titles, line, strict=True)) for line in lines]
        compare_mappings(going, f"{where}, log", wanted, found, title=tuple(titles[:4]))


def _by_title(row: list[Any] | dict[str, Any], titles: list[str]) -> Mapping[str, Any]:
    """Return a line as cells by the titles of their columns; an empty cell has no text."""
    cells = row if isinstance(row, dict) else dict(zip(titles, row, strict=False))
    return {title: "" if cell is None else cell for title, cell in cells.items()}


def _exported(store: Store, log: Log, at: datetime) -> list[list[str]]:
    """Return the lines of the CSV, the titles first."""
    filters: dict[str, Any] = {
        "customer": log.customer,
        "partner": log.partner,
        "subscription": log.subscription,
        "since": log.since or (None if log.everything else month_before(log.until or at)),
        "until": log.until,
        **({"kind": log.kind.value} if log.kind else {}),
    }
    ask, sheet = (store.stream_orders, ORDERS) if log.orders else (store.stream_records, ACTIVITIES)
    out = StringIO(newline="")
    with closing(ask(**filters)) as records:
        write_csv(records, sheet, out)
    out.seek(0)
    return list(csv.reader(out))
