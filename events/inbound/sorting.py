"""Puts any number of rows in order with little memory: sorted runs in files, merged."""

import heapq
import json
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Any

from sublife.events.inbound.row import Row, Shape

RUN = 10_000
"""Rows that are held at once."""

Key = tuple[Any, ...]
"""What rows are put in order by; texts and numbers, all keys of one form."""


def in_order(rows: Iterable[tuple[Key, Row]], *, run: int = RUN) -> Generator[tuple[Key, Row]]:
    """Yield keys and rows in the order of their keys, which are different for each.

    All of *rows* is read before the first is yielded. No more than *run* rows are held at once;
    the others wait in temporary files.
    """
    coming = iter(rows)
    with ExitStack() as stack:
        runs: list[Iterator[tuple[Key, Row]]] = []
        while held := sorted(islice(coming, run), key=_key):
            if len(held) < run and not runs:
                yield from held
                return
            file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
            _write(held, file)
            runs.append(_read(file))
        yield from heapq.merge(*runs, key=_key)


def _key(pair: tuple[Key, Row]) -> Key:
    return pair[0]


def _write(held: Iterable[tuple[Key, Row]], file: IO[str]) -> None:
    for key, row in held:
        parts = [list(key), row.file, row.line, row.item, row.shape.value, row.fields]
        file.write(json.dumps(parts) + "\n")


def _read(file: IO[str]) -> Iterator[tuple[Key, Row]]:
    file.seek(0)
    for line in file:
        key, name, number, item, shape, fields = json.loads(line)
        yield tuple(key), Row(name, number, item, Shape(shape), fields)
