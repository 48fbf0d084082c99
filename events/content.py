"""Reads the text of an input file, and says what a file is that holds none."""

from pathlib import Path

from sublife.events.printable import printable, shortened
from sublife.lifecycle.error import SublifeError

_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is compressed with gzip; unpack it and name the file inside"),
    (b"BZh", "is compressed with bzip2; unpack it and name the file inside"),
    (b"\xfd7zXZ\x00", "is compressed with xz; unpack it and name the file inside"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it and name the file inside"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive; unpack it and name the file inside"),
    (b"Rar!\x1a\x07", "is a RAR archive; unpack it and name the file inside"),
    (b"%PDF-", "is a PDF document; export the data as JSON or CSV instead"),
    (b"\xd0\xcf\x11\xe0", "is an old Office document; save the sheet as CSV (UTF-8)"),
    (b"\x89PNG", "is an image (PNG); export the data as JSON or CSV instead"),
    (b"\xff\xd8\xff", "is an image (JPEG); export the data as JSON or CSV instead"),
    (b"GIF8", "is an image (GIF); export the data as JSON or CSV instead"),
    (b"SQLite format 3\x00", "is an SQLite database; give its address to --store instead"),
    (b"PAR1", "is a Parquet file; export the data as JSON or CSV instead"),
    (b"\x7fELF", "is a program; name a text file"),
)
"""How files begin that are taken for exports by mistake, and what to do about each."""
_WIDE = ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_PAGES = (b"<!doctype html", b"<html", b"<?xml", b"<script", b"<head")
HEAD = 4096
"""Bytes from the beginning of a file that tell what it is."""


class ContentError(SublifeError, ValueError):
    """A file cannot be read as text.

    Args:
        line: of the first byte that is wrong, from 1; 0 if there is none to name.
        message: what is wrong and what to do.
    """

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


def not_text(head: bytes) -> str | None:
    """Return what a file is by its first bytes and what to do, or `None` if it may be text.

    Args:
        head: the first `HEAD` bytes, or all of them if there are fewer.
    """
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        if b"[Content_Types].xml" in head or b"xl/" in head:
            return "is an Excel workbook or another Office document; save the sheet as CSV (UTF-8)"
        return "is a ZIP archive; unpack it and name the file inside"
    for beginning, said in _KINDS:
        if head.startswith(beginning):
            return said
    for mark, name in _WIDE:
        if head.startswith(mark):
            return f"is {name} text; save it as UTF-8"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower().startswith(_PAGES):
        return "is a web page or XML, perhaps of a sign-in; export the data as JSON or CSV again"
    return _by_zeros(head)


def _by_zeros(head: bytes) -> str | None:
    """Return what a file is that has zero bytes: every second one is zero in UTF-16."""
    if b"\x00" not in head:
        return None
    pair = head[: len(head) // 2 * 2]
    for part in (pair[::2], pair[1::2]):
        if len(part) >= 2 and part.count(0) > len(part) * 0.6:
            return "is UTF-16 text without a byte order mark; save it as UTF-8"
    return None


def read_text(path: Path, *, limit: int) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark.

    Args:
        path: of the file.
        limit: bytes that it may have.

    Raises:
        ContentError: it cannot be read, is too large, or is not UTF-8 text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ContentError(0, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ContentError(0, f"cannot be read: {error}; check the name") from error
    if said := not_text(content[:HEAD]):
        raise ContentError(0, said)
    if len(content) > limit:
        raise ContentError(0, f"is larger than {limit // 1024:,} KiB; split it into several files")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ContentError(line, "is no UTF-8 text; save it as UTF-8") from error


def clear(text: str, limit: int) -> str:
    """Return *text* as a message can quote it: on one line, visible, not longer than *limit*."""
    return shortened(printable(shortened(text, limit)), limit)
