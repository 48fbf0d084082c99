"""Makes visible what a terminal, a log or a pager would act upon instead of showing it."""

import json
import unicodedata

_SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}


def printable(text: str) -> str:
    r"""Return *text* with every character that is not shown as itself written as an escape.

    Control characters (C0 and C1), line and paragraph separators, bidirectional and other
    invisible marks, halves of surrogate pairs and unassigned characters come out as `\x1b`,
    `\u202e` or `\n`. Blanks of every width, letters and signs stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(each if _is_shown(each) else _escaped(each) for each in text)


def printable_lines(text: str) -> str:
    """Return `printable` of every line of *text*; the line breaks (LF) stay."""
    return "\n".join(map(printable, text.split("\n")))


def printable_json(text: str) -> str:
    """Return JSON *text* that says the same and shows every character, by escapes in its strings.

    Only line breaks between its parts stay as they are.
    """
    if text.isascii():
        return text
    return "".join(
        each if each == "\n" or _is_shown(each) else json.dumps(each)[1:-1] for each in text
    )


def shortened(text: str, limit: int) -> str:
    """Return *text* with at most *limit* characters; what is left out is marked by an ellipsis."""
    if len(text) <= limit:
        return text
    head = (limit - 3) * 2 // 3
    return f"{text[:head]} … {text[len(text) - (limit - 3 - head) :]}"


def _is_shown(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
