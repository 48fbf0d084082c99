"""Writes the letters that an output's encoding lacks as escapes, which JSON understands as well."""

import codecs
import sys
from io import TextIOWrapper

_NAME = "sublife_escape"


def escape_what_is_missing() -> None:
    r"""Let the standard streams write a letter that their encoding lacks as `\u682a`.

    Python's own `backslashreplace` writes `\xeb` and `\U0001f600`, which are no escapes of JSON.
    """
    codecs.register_error(_NAME, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the letters at fault, beyond U+FFFF two escapes for each."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass").hex()
    escapes = (f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
    return "".join(escapes), error.end
