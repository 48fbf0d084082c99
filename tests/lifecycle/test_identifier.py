"""Which ids a subject may have, and which characters a database can hold."""

import pytest

from sublife.lifecycle.identifier import (
    LONGEST_ID,
    check_id,
    check_text,
    objection_to_id,
    unfit_character,
)
from sublife.lifecycle.model import ModelError


@pytest.mark.parametrize(
    "text",
    [
        "s1",
        "sub-5f0c2a9e",
        "5B2C8E0A-3A0B-4D5B-9B0E-2F1D3C4B5A69",
        "northwind/tailspin",
        "a/b%/history",
        "s 1.é",
        "100% seats",
        "mailto:amy@example.com",
        ".hidden",
        "東京",
        "x" * LONGEST_ID,
    ],
)
def test_ids_in_use_are_allowed(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  ", "begins or ends with a blank"),
        ("sub-1 ", "begins or ends with a blank"),
        ("\tsub-1", "begins or ends with a blank"),
        ("sub-1\n", "begins or ends with a blank"),
        ("a\x00b", "U+0000"),
        ("a\x85b", "U+0085"),
        ("a\u2028b", "U+2028"),
        ("a\u202eb", "U+202E"),
        ("a\u200bb", "U+200B"),
        ("a\ud800b", "U+D800"),
        ("a\ufffdb", "U+FFFD"),
        ("a\ue000b", "U+E000"),
        ("a\u00a0b", "the blank U+00A0"),
        ("e\u0301", "normalization form C"),
        ("\u212b", "normalization form C"),
        ("a\\b", "meaning of its own"),
        ("a;b", "meaning of its own"),
        ("a?b", "meaning of its own"),
        ("a#1", "meaning of its own"),
        ("a%2Fb", 'has "%2F"'),
        ("%41", 'has "%41"'),
        ("a%00", 'has "%00"'),
        (".", "between slashes"),
        ("..", "between slashes"),
        ("a/../b", "between slashes"),
        ("a//b", "between slashes"),
        ("/a", "between slashes"),
        ("a/", "between slashes"),
        ("x" * (LONGEST_ID + 1), "has 501 characters"),
    ],
)
def test_an_id_that_could_be_taken_for_another_is_refused(text: str, why: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_id(text)

    assert why in str(caught.value)
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("code", [0x85, 0x2028, 0x2029, 0x7F, 0x9B, 0x202A, 0x2066, 0xFEFF, 0xAD])
def test_no_id_has_a_character_that_does_not_show(code: int) -> None:
    assert objection_to_id(f"sub{chr(code)}1") is not None


@pytest.mark.parametrize(("text", "found"), [("a\x00", "U+0000"), ("\udfff", "U+DFFF")])
def test_a_character_that_no_database_holds_is_named(text: str, found: str) -> None:
    assert unfit_character(text) == found
    with pytest.raises(ModelError, match="no database text can hold") as caught:
        check_text(text, name="the label")
    assert found in str(caught.value)


def test_a_text_that_every_database_holds_is_returned() -> None:
    assert unfit_character("Zoë 😀\n\x85") is None
    assert check_text("Zoë", name="the label") == "Zoë"
