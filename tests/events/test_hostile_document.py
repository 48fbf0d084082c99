"""YAML that is meant to hurt: one short message with line and remedy, quickly."""

import time
from pathlib import Path

import pytest

from sublife.events.document import LARGEST, DocumentError, line_of, parse, read

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{two}'] * 10)}]\n"
    for two, one in zip("abcdefgh", "bcdefghi", strict=True)
)


def _refused(text: str) -> str:
    started = time.process_time()
    with pytest.raises(DocumentError) as caught:
        parse(text, name="f.yaml")
    assert time.process_time() - started < 2
    assert len(str(caught.value)) <= 2000
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("!!bool maybe", '"maybe" is neither true nor false; write one of them'),
        ("!!bool 1", '"1" is neither true nor false'),
        ("!!int x", '"x" is not a whole number'),
        ("!!float x", '"x" is no decimal number; write 12.50'),
        ("!!timestamp x", '"x" is not a date or an instant; write 2024-10-01'),
        ("!!timestamp 2024-13-45", '"2024-13-45" is no date or instant'),
        ("2024-13-45", '"2024-13-45" is no date or instant'),
        ("2024-10-01T25:00:00Z", "is no date or instant"),
        ("0001-01-01T00:00:00+14:00", '"0001-01-01T00:00:00+14:00" is no date or instant'),
        ("9999-12-31T23:59:59-14:00", '"9999-12-31T23:59:59-14:00" is no date or instant'),
        ("!!binary aGk=", '"!!binary" is a tag that is not used here; leave it out'),
        ("!money 5", '"!!!money" is a tag that is not used here; leave it out'),
        ("!!set {a, b}", "is a tag that is not used here"),
        ("!!python/object/apply:os.system [ls]", "is a tag that is not used here"),
        ("!!str [a]", "expected a scalar node"),
        ("!!seq {a: 1}", "expected a list; write [a, b]"),
        ("!!map [a]", "expected a mapping of keys to values"),
        ("9" * 5000, "at most 30 digits"),
        ("9" * 31, "at most 30 digits"),
        ("0x" + "f" * 5000, "at most 30 digits"),
        ("1.0e+999999999", "is beyond every figure"),
        (".inf", "is no decimal number"),
        (".nan", "is no decimal number"),
        ("[" * 100 + "]" * 100, "nested too deeply; 64 levels are the most"),
        ('"\\0"', "has the character U+0000; take it out"),
        ("{b c, d: e: f}", "fix the YAML there"),
        ("{b: [c, d}", "fix the YAML there"),
    ],
    ids=lambda each: each[:30],
)
def test_a_value_that_nothing_can_be_made_of_is_named_with_its_line(value: str, words: str) -> None:
    said = _refused(f"title: x\na: {value}\n")

    assert said.startswith("f.yaml:2: ")
    assert words in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LAUGHS, "f.yaml:5: its aliases repeat more than 100,000 values; write fewer"),
        ("a: &a [1, *a]\n", "an alias repeats what it stands in; write it out"),
        ("a: &a {b: {c: *a}}\n", "an alias repeats what it stands in; write it out"),
        ("x: 1\na: &a\n  <<: *a\n", "an alias repeats what it stands in"),
        ("x: 1\n\ta: 2\n", "f.yaml:2: found a tab character"),
        ("x:\n  y: 1\n\tz: 2\n", "f.yaml:3: "),
        ("? {a: b}\n: c\n", "f.yaml:1: a key must be a word"),
        ("[" * 100_000, "nested too deeply"),
        ("- " * 50_000, "nested too deeply"),
        ("a: \x1b[31m\n", "f.yaml:1: "),
        ("x: 1\ny: \x00\n", "f.yaml:2: "),
        (" \n\t\n", "f.yaml:1: is empty"),
    ],
    ids=lambda each: ascii(each[:20]),
)
def test_a_document_that_is_meant_to_hurt_is_refused(text: str, words: str) -> None:
    assert words in _refused(text)


def test_aliases_and_merge_keys_that_repeat_little_are_read() -> None:
    text = "a: &a {x: 1, y: [2, 3]}\nb: {<<: *a, x: 4}\nc: [*a, *a]\n"

    assert parse(text, name="f.yaml")["b"] == {"x": 4, "y": [2, 3]}


@pytest.mark.parametrize("value", ["0001-01-01", "9999-12-31T23:59:59Z", "true", "12.50", "7"])
def test_what_is_at_the_edge_of_the_calendar_is_read(value: str) -> None:
    assert parse(f"a: {value}\n", name="f.yaml")["a"] is not None


def test_a_message_quotes_long_and_invisible_text_short_and_visible() -> None:
    said = _refused(('"' + "\\e\\u202e" * 100 + '": 1\n') * 2)

    assert "\\x1b" in said
    assert said.isprintable()


def test_many_mistakes_are_counted() -> None:
    error = DocumentError("f.yaml", [(number, "x" * 100) for number in range(1, 1001)])

    assert len(error.faults) == 1000
    assert error.lines[0] == f"f.yaml:1: {'x' * 100}"
    assert error.lines[-1] == f"f.yaml: and {1001 - len(error.lines)} more mistakes"


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * (LARGEST // 5 + 1))

    with pytest.raises(DocumentError, match="larger than 256 KiB; split it"):
        read(path)


@pytest.mark.parametrize("name", ["a\x00b.yaml", "x" * 300 + ".yaml", "missing.yaml", "."])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DocumentError, match="cannot be read") as caught:
        read(tmp_path / name)

    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["a: [1, 2\n", "a: [1}\n", "\ta: 1\n"])
def test_no_line_is_known_of_what_is_no_yaml(text: str) -> None:
    assert line_of(text, ("a", 0)) == 0


@pytest.mark.parametrize("length", [1, 80, 120, 199, 400])
@pytest.mark.parametrize("count", [3, 40, 19_995])
def test_all_messages_of_a_file_have_2000_characters_whatever_its_name(
    length: int, count: int
) -> None:
    """The count of those left out is part of them."""
    faults = [(number, "is missing; add it") for number in range(1, count + 1)]

    said = str(DocumentError("n" * length, faults))

    assert len(said) <= 2000
    shown = said.count("is missing; add it")
    left_out = f"and {count - shown} more mistakes"
    assert shown >= 3
    assert said.endswith(left_out if shown < count else "add it")
