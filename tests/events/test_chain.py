"""The hash of a journal row: over what, and which texts it does not take."""

from hashlib import sha256

import pytest

from sublife.events.store.chain import START, chained

PARTS = ("default", "s1", "1", "", '{"of":[],"v":1}')


def test_a_row_is_hashed_with_the_one_before() -> None:
    """SHA-256 over the hash before and the parts, a unit separator between each two."""
    text = "\x1f".join(PARTS)

    first = chained(START, PARTS)

    assert first == sha256(f"\x1f{text}".encode()).hexdigest()
    assert chained(first, PARTS) == sha256(f"{first}\x1f{text}".encode()).hexdigest()


@pytest.mark.parametrize("part", ["a\x1fb", "a\x00b", '{"name":"\\u0000"}'])
def test_what_no_database_keeps_or_stands_between_parts_is_refused(part: str) -> None:
    """NUL, also as JSON writes it, and the separator itself."""
    with pytest.raises(ValueError, match="control character"):
        chained(START, (*PARTS, part))


@pytest.mark.parametrize("parts", [("a\\b",), ("\\u00", "00"), ("\\u001f",), ("\n\t",)])
def test_any_other_text_is_taken(parts: tuple[str, ...]) -> None:
    """A backslash alone says nothing, nor what two parts say only together."""
    assert chained(START, parts) == sha256(("\x1f" + "\x1f".join(parts)).encode()).hexdigest()
