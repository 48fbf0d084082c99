"""Which texts may be the id of a subject, and which characters no database text can hold."""

import re
from unicodedata import category, is_normalized

from sublife.lifecycle.model import ModelError

LONGEST_ID = 500
"""Characters of an id: it has to fit into an index."""
_PLAIN = re.compile(r"[A-Za-z0-9_:@-][A-Za-z0-9._:@-]*")
"""Ids such as nearly all are, which need no closer look."""
_RESERVED = re.compile(r"[\\;?#]")
"""What proxies and browsers take for the end of a path, or for another slash."""
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories: controls, formats such as bidi marks, separators of lines, no characters."""
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def unfit_character(text: str) -> str | None:
    """Return the first character that no database text can hold, as `U+0000`; `None` if all can.

    These are NUL, which PostgreSQL refuses, and surrogates, which UTF-8 cannot write.
    """
    found = _UNFIT.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def objection_to_id(text: str) -> str | None:
    """Return why a text may not be the id of a subject; `None` if it may.

    An id is part of an address. It must reach a subject in one way only, through every proxy, and
    two ids that look alike must be alike.
    """
    if len(text) > LONGEST_ID:
        return f"has {len(text)} characters; use at most {LONGEST_ID}"
    if _PLAIN.fullmatch(text):
        return None
    if not text or text != text.strip():
        return "is empty or begins or ends with a blank; trim it"
    return _objection_to_characters(text) or _objection_to_address(text)


def _objection_to_characters(text: str) -> str | None:
    for each in text:
        if category(each) in _UNPRINTABLE or each == "\ufffd":
            return f"has the character U+{ord(each):04X}, which is not printable; remove it"
        if category(each) == "Zs" and each != " ":
            return f"has the blank U+{ord(each):04X}; write an ordinary one"
    if not is_normalized("NFC", text):
        return "is not in Unicode normalization form C; normalize it"
    return None


def _objection_to_address(text: str) -> str | None:
    if found := _RESERVED.search(text):
        return f'has "{found[0]}", which has a meaning of its own in an address; replace it'
    if found := _ESCAPE.search(text):
        return f'has "{found[0]}", which looks like an encoded character; decode it'
    if {"", ".", ".."} & set(text.split("/")):
        return 'has an empty part, "." or ".." between slashes; remove it'
    return None


def check_id(text: str, *, name: str = "subject") -> str:
    """Return an id that may be one.

    Args:
        text: the id.
        name: what it is the id of, for the message.

    Raises:
        ModelError: it may not; why, and what to do.
    """
    if (objection := objection_to_id(text)) is not None:
        raise ModelError(f"the {name} id {text[:60]!a} {objection}")
    return text


def check_text(text: str, *, name: str) -> str:
    """Return a text that every database can hold.

    Raises:
        ModelError: it has a character that none can.
    """
    if (found := unfit_character(text)) is not None:
        raise ModelError(
            f"{name} {text[:60]!a} has the character {found}, which no database text can "
            "hold; remove it"
        )
    return text
