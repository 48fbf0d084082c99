"""Reads exports a row at a time: JSON, JSON Lines, collections with `items`, and CSV."""

import csv
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from sublife.events.content import HEAD, not_text
from sublife.events.document import DocumentError
from sublife.events.inbound.sheet import read_sheet
from sublife.events.jsontext import DEPTH, JsonError, check_depth, decoder

_CHUNK = 1 << 16
_LONGEST = 1 << 24
"""Characters of the longest row; what is longer lacks a quote or a bracket."""
_SPACE = " \t\r\n"


def read_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield every row of a file with the line it begins on; only one of them is held.

    A file whose name ends in `.csv` is CSV with a line of titles. Any other is JSON: one resource,
    a list of them, a collection with `items`, or one of these after the other (JSON Lines).

    Raises:
        DocumentError: it cannot be read, is no UTF-8, or is broken somewhere; with the line.
    """
    name = str(path)
    try:
        with path.open("rb") as file, TextIOWrapper(file, "utf-8-sig", newline="") as text:
            _see_that_it_is_text(file.peek(HEAD)[:HEAD], name)
            if path.suffix.lower() == ".csv":
                yield from read_sheet(text, name)
            else:
                yield from _Json(text, name).rows()
    except UnicodeDecodeError as error:
        raise DocumentError(name, [(0, "is no UTF-8 text; save it as UTF-8")]) from error
    except csv.Error as error:
        raise DocumentError(name, [(0, f"is no CSV: {error}; export it again")]) from error
    except OSError as error:
        said = f"cannot be read: {error.strerror or error}"
        raise DocumentError(name, [(0, said)]) from error


def _see_that_it_is_text(head: bytes, name: str) -> None:
    if said := not_text(head):
        raise DocumentError(name, [(0, said)])
    if not head.removeprefix(b"\xef\xbb\xbf").strip() and len(head) < HEAD:
        raise DocumentError(name, [(0, "is empty; export it again")])


class _Json:
    """Walks through a JSON text of any length and holds one value of it at a time."""

    def __init__(self, text: TextIO, name: str) -> None:
        self._text = text
        self._name = name
        self._buffer = ""
        self._at = 0
        self._is_over = False
        self._line = 1
        self._decoder = decoder()

    def rows(self) -> Iterator[tuple[int, Any]]:
        """Yield the rows of every value of the text."""
        while self._peek():
            if self._peek() == "[":
                yield from self._items()
            elif self._peek() == "{":
                yield from self._object()
            else:
                yield self._line, self._value()

    def _items(self) -> Iterator[tuple[int, Any]]:
        """Yield the values of a list."""
        self._take("[")
        if self._peek() != "]":
            yield self._line, self._value()
            while self._peek() == ",":
                self._take(",")
                self._peek()
                yield self._line, self._value()
        self._take("]")

    def _object(self) -> Iterator[tuple[int, Any]]:
        """Yield the items of a collection, or the object itself where it has none."""
        line, held, has_items = self._line, dict[str, Any](), False
        self._take("{")
        while self._peek() != "}":
            if held or has_items:
                self._take(",")
            key = self._key()
            if key in held:
                raise self._broken(f'"{key[:80]}" stands twice in one object')
            if key.lower() == "items" and self._peek() == "[":
                has_items = True
                yield from self._items()
            else:
                held[key] = self._value()
        self._take("}")
        if not has_items:
            yield line, held

    def _key(self) -> str:
        self._peek()
        key = self._value() if self._peek() == '"' else None
        if not isinstance(key, str):
            raise self._broken("a name in quotes is missing")
        self._take(":")
        return key

    def _take(self, mark: str) -> None:
        if self._peek() != mark:
            found = self._peek() or "the end"
            raise self._broken(f'"{mark}" is missing before {found}')
        self._at += 1

    def _peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._buffer):
                found = self._buffer[self._at]
                if found not in _SPACE:
                    return found
                self._line += found == "\n"
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on; what has been taken is let go."""
        chunk = "" if self._is_over else self._text.read(max(_CHUNK, len(self._buffer)))
        self._is_over = not chunk
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0
        return bool(chunk)

    def _value(self) -> Any:
        """Return the next value, read as far as it goes."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError as error:
                raise self._broken(f"is nested too deeply; {DEPTH} levels are the most") from error
            except JsonError as error:
                raise self._broken(str(error)) from error
            except ValueError as error:
                if len(self._buffer) - self._at > _LONGEST:
                    raise self._broken(
                        "a row is longer than 16 MiB; is a quote missing?"
                    ) from error
                if not self._more():
                    raise self._broken(str(getattr(error, "msg", error))) from error
                continue
            if end == len(self._buffer) and self._more():
                continue
            try:
                check_depth(value, self._buffer, self._at, end)
            except JsonError as error:
                raise self._broken(str(error)) from error
            self._line += self._buffer.count("\n", self._at, end)
            self._at = end
            return value

    def _broken(self, what: str) -> DocumentError:
        return DocumentError(self._name, [(self._line, f"is no JSON: {what}; export it again")])
