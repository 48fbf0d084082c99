"""Spoils good input files: byte by byte, and by exchanging whole values of their structure."""

import random
from collections.abc import Callable, Sequence

NASTY_SCALARS = (
    "!!bool maybe",
    "!!int x",
    "!!float x",
    "!!timestamp x",
    "!!null x",
    "!!binary aGk=",
    "!!set {a}",
    "!!omap [a: 1]",
    "!!pairs [a: 1]",
    "!!python/object:os.system x",
    "!x y",
    "!!str [a]",
    "!!map [a]",
    "!!seq {a: 1}",
    "2024-13-45",
    "2024-02-30T25:61:61Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59.999999Z",
    ".inf",
    "-.inf",
    ".nan",
    "1e999999999",
    "1e-999999999",
    "9" * 5000,
    "-" + "9" * 29,
    "0x" + "f" * 500,
    "0b12",
    "190:20:30",
    "1_000",
    "true",
    "null",
    "~",
    "''",
    "' '",
    '"\\0"',
    '"\\e[31mred"',
    '"\\x9b2J"',
    '"\\u202etxt"',
    '"\\u2028"',
    '"\\ud800"',
    "[]",
    "{}",
    "[a, b]",
    "{a: 1}",
    "[[[]]]",
    "-1",
    "0",
    "1e30",
    "1000000000000000000000000000000",
    "*a",
    "&a [*a]",
    "<<: 1",
    "? [a]\n: b",
    "? {a: b}\n: c",
    "%YAML 9.9",
    "@",
    "`",
    "|",
    ">",
    "é" * 300,
    "\u202e",
    "\ufeff",
    "=1+1",
    "../../../etc/passwd",
    "/dev/null",
    "\t",
)
"""What may stand where a YAML value stood."""

NASTY_JSON = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "9" * 39,
    "-0",
    "1.5",
    "true",
    "null",
    '""',
    '"\\u0000"',
    '"\\ud800"',
    '"\\u001b[31m"',
    '"\\u202e"',
    "[]",
    "{}",
    "[[]]",
    '{"a": 1, "a": 2}',
    '"x" "y"',
    "[" * 3000 + "]" * 3000,
    "[" * 100000,
    '{"a":' * 500 + "1" + "}" * 500,
    '"9999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59-14:00"',
    '"2024-13-45T00:00:00Z"',
    '"0001-01-01T00:00:00Z"',
    "01",
    "+1",
    "'x'",
    "undefined",
    '{"items": []}',
    '{"items": [1]}',
    '"\x1b"',
    "1e-999",
    '"' + "x" * 5000 + '"',
)
"""What may stand where a JSON value stood."""

NASTY_CELLS = (
    "",
    '"',
    '""',
    '"a',
    "=1+1",
    "'=1",
    "\x00",
    "\ufeff",
    "\x1b[31m",
    "a\nb",
    '"a\nb"',
    ",",
    ";",
    ",,,,,,,,,",
    "9" * 400,
    "-1",
    "1e999",
    "2024-13-45",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "true",
    "id",
    "id.id",
    "id.id.id",
    "." * 3000,
    "x" * 200000,
    "\u2028",
    "\r",
    "Date-Time",
    "Affected customer",
    "Action",
    "transaction",
    "\ud7ff",
)
"""What may stand where a cell of a CSV file stood."""

NASTY_TOML = (
    "nan",
    "inf",
    "-inf",
    "9" * 5000,
    "1e999",
    "true",
    '""',
    '"\\u0000"',
    '"\\u001b[31m"',
    "[]",
    "[[[]]]",
    "{}",
    "{a = 1}",
    "1979-05-27T07:32:00Z",
    "1979-13-27",
    "'x'",
    "x",
    "-1",
    "0",
    "1.5",
    "[" * 3000 + "]" * 3000,
    '"""a',
    "\x1b",
    "9" * 30,
    '"\\u202e"',
    '"postgresql://u:pw@h/x"',
)
"""What may stand where a value of a settings file stood."""

SIGNATURES = (
    b"PK\x03\x04\x14\x00[Content_Types].xml",
    b"PK\x03\x04",
    b"\x1f\x8b\x08",
    b"%PDF-1.7",
    b"\x89PNG\r\n",
    b"\xff\xd8\xff",
    b"\xff\xfea\x00",
    b"\xfe\xff\x00a",
    b"<!DOCTYPE html><html>",
    b"SQLite format 3\x00",
    b"\xef\xbb\xbf",
    b"",
    b"\x00",
    b"\xd0\xcf\x11\xe0",
    b"PAR1",
    b"\xc3\x28",
    b"\xed\xa0\x80",
)
"""Beginnings of files that are something else."""


_PIECES = (
    *(
        b"\t",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"- ",
        b'"',
        b"'",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"\x00",
        b"#",
    ),
    *(b"\x1b[2J", b"\xe2\x80\xae", b"\xff", b"\r", b"\n", b"? ", b"| ", b"---\n", b"...\n", b"!!"),
    *(b",", b";"),
)
"""What may get in between."""


def spoiled(good: bytes, random_: random.Random, nasty: Sequence[str], marks: str) -> bytes:
    """Return *good* with one to four changes.

    Args:
        good: a file that can be read.
        random_: what decides.
        nasty: what may take the place of a value.
        marks: characters between which values stand.
    """
    content = good
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        change = random_.choice(_CHANGES)
        content = change(content, random_)
        if random_.random() < 0.6:
            content = _exchange(content, random_, nasty, marks)
    return content


def _exchange(content: bytes, random_: random.Random, nasty: Sequence[str], marks: str) -> bytes:
    """Put something nasty in place of one value."""
    text = content.decode("utf-8", "replace")
    places = [at for at, each in enumerate(text) if each in marks]
    if not places:
        return random_.choice(nasty).encode("utf-8", "replace")
    start = random_.choice(places) + 1
    end = next((at for at in range(start, len(text)) if text[at] in ",\n}];"), len(text))
    return (text[:start] + " " + random_.choice(nasty) + text[end:]).encode("utf-8", "replace")


def _keep(content: bytes, _: random.Random) -> bytes:
    return content


def _cut(content: bytes, random_: random.Random) -> bytes:
    return content[: random_.randrange(len(content) + 1)]


def _flip(content: bytes, random_: random.Random) -> bytes:
    spoiled_ = bytearray(content or b" ")
    for _ in range(random_.choice((1, 3, 20))):
        spoiled_[random_.randrange(len(spoiled_))] = random_.randrange(256)
    return bytes(spoiled_)


def _insert(content: bytes, random_: random.Random) -> bytes:
    at = random_.randrange(len(content) + 1)
    piece = random_.choice(_PIECES)
    return content[:at] + piece + content[at:]


def _lines(content: bytes, random_: random.Random) -> bytes:
    """Double, drop or exchange lines."""
    lines = content.splitlines(keepends=True) or [b""]
    one, two = random_.randrange(len(lines)), random_.randrange(len(lines))
    match random_.randrange(4):
        case 0:
            lines.insert(one, lines[two])
        case 1:
            del lines[one]
        case 2:
            lines[one], lines[two] = lines[two], lines[one]
        case _:
            lines[one] = b"  " + lines[one]
    return b"".join(lines)


def _begin(content: bytes, random_: random.Random) -> bytes:
    return random_.choice(SIGNATURES) + content[random_.choice((0, 0, 40)) :]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_keep, _keep, _keep, _keep, _keep),
    *(_cut, _flip, _insert, _insert, _lines, _lines, _begin),
)
