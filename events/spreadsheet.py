"""Keeps text from running as a formula when a CSV file is opened in a spreadsheet."""

import unicodedata

_FORMULA = frozenset("=+-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20")
"""What a formula begins with: also the minus sign, the small forms and the full-width forms."""
_LEADING = frozenset("\t\r\n")
"""Some spreadsheets split or trim a cell that begins with one of these."""
_BLANK_CATEGORIES = frozenset({"Cc", "Cf"})
_BLANK_LETTERS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Fillers, joiners and variation selectors, which show nothing either."""


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet may run *text*.

    Blanks and invisible characters in front are passed over, as spreadsheets do, and so are
    apostrophes, so that one that is put in front can be taken away again.
    """
    if not text or (text[0].isascii() and text[0].isalnum()):
        return False
    rest = text.lstrip("'")
    return rest[:1] in _LEADING or next((c for c in rest if not _is_blank(c)), "") in _FORMULA


def neutralized(text: str) -> str:
    """Return *text* with an apostrophe before it if a spreadsheet may run it."""
    return f"'{text}" if is_formula(text) else text


def restored(cell: str) -> str:
    """Return the text that `neutralized` made *cell* of."""
    return cell[1:] if cell[:1] == "'" and is_formula(cell[1:]) else cell


def _is_blank(character: str) -> bool:
    return (
        character.isspace()
        or unicodedata.category(character) in _BLANK_CATEGORIES
        or character in _BLANK_LETTERS
    )
