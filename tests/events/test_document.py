"""YAML documents: exact values, and a line for every mistake."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sublife.events.document import DocumentError, faulty, line_of, parse, read
from sublife.lifecycle.policy import Fault


def _faults(text: str) -> tuple[tuple[int, str], ...]:
    with pytest.raises(DocumentError) as caught:
        parse(text, name="sale.yaml")
    return caught.value.faults


class TestValues:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("0.1", "0.1"),
            ("12.50", "12.50"),
            ("-3.005", "-3.005"),
            ("1_000.25", "1000.25"),
            ("123456789012345.67", "123456789012345.67"),
        ],
    )
    def test_a_decimal_is_exact(self, text: str, value: str) -> None:
        """TRM-13: money never passes through a binary fraction."""
        found = parse(f"a: {text}", name="sale.yaml")["a"]

        assert isinstance(found, Decimal)
        assert str(found) == value

    @pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
    def test_true_and_false_are_booleans(self, text: str, value: bool) -> None:
        """Written out."""
        assert parse(f"a: {text}", name="sale.yaml")["a"] is value

    @pytest.mark.parametrize("text", ["yes", "no", "on", "off", "y", "n", "NO", "On"])
    def test_nothing_else_is_a_boolean(self, text: str) -> None:
        """Norway's code is no truth value, and `on` is a word."""
        assert parse(f"a: {text}", name="sale.yaml")["a"] == text

    def test_an_instant_with_its_zone_is_aware(self) -> None:
        """GEN-01: `Z` is UTC."""
        found = parse("a: 2026-01-31T00:00:00Z", name="sale.yaml")["a"]

        assert found == datetime(2026, 1, 31, tzinfo=UTC)

    def test_an_instant_without_a_zone_stays_without_one(self) -> None:
        """GEN-01: no zone is made up, so that whoever reads it can refuse it."""
        found = parse("a: 2026-01-31T00:00:00", name="sale.yaml")["a"]

        assert isinstance(found, datetime)
        assert found.tzinfo is None

    def test_a_date_is_a_date(self) -> None:
        """GEN-02: end dates are days, not instants."""
        assert parse("a: 2026-01-31", name="sale.yaml")["a"] == date(2026, 1, 31)

    def test_a_mapping_inside_a_list_is_read_whole(self) -> None:
        """Nested values are there when the document is returned."""
        text = "a:\n  - {b: [1, {c: 2.0}]}\n"

        assert parse(text, name="sale.yaml") == {"a": [{"b": [1, {"c": Decimal("2.0")}]}]}


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "line", "words"),
        [
            pytest.param("a: 1\nb: [1, 2\nc: 3\n", 3, "fix the YAML there", id="open bracket"),
            pytest.param("a: 1\n\tb: 2\n", 2, "fix the YAML there", id="tab"),
            pytest.param('a: 1\nb: "x\n', 3, "fix the YAML there", id="open quote"),
            pytest.param("a: 1\nb: 2\na: 3\n", 3, 'key "a" stands twice', id="key twice"),
            pytest.param("a:\n  b: 1\n  b: 2\n", 3, 'key "b" stands twice', id="nested key twice"),
            pytest.param("x:\n - {b: 1, b: 2}\n", 2, 'key "b" stands twice', id="inline key twice"),
            pytest.param("a: 1\nb: .inf\n", 2, "is no decimal number", id="infinity"),
            pytest.param("a: 1\nb: .nan\n", 2, "is no decimal number", id="not a number"),
            pytest.param("a: 1\nb: !!python/none x\n", 2, "leave it out", id="foreign tag"),
            pytest.param("a: *b\n", 1, "fix the YAML there", id="unknown alias"),
            pytest.param("- a\n- b\n", 1, "must be a mapping", id="a list"),
            pytest.param("", 1, "must be a mapping", id="nothing"),
            pytest.param("a: 1\n---\na: 2\n", 2, "fix the YAML there", id="two documents"),
            pytest.param("a: 1\nb: 2026-02-30\n", 2, "fix the date", id="no such day"),
            pytest.param("a: 1\n? [x]\n: 2\n", 2, "fix the YAML there", id="a list as a key"),
        ],
    )
    def test_a_mistake_is_told_with_its_line(self, text: str, line: int, words: str) -> None:
        """Line numbers count from 1, as editors do."""
        ((found, message),) = _faults(text)

        assert words in message
        assert found == line

    def test_a_message_starts_with_file_and_line(self) -> None:
        """As compilers write it, so that editors can jump there."""
        with pytest.raises(DocumentError) as caught:
            parse("a: 1\na: 2\n", name="scenarios/sale.yaml")

        assert str(caught.value).startswith('scenarios/sale.yaml:2: key "a" stands twice')

    def test_a_file_that_is_missing_is_a_fault(self, tmp_path: Path) -> None:
        """With its path and the reason."""
        with pytest.raises(DocumentError, match="cannot be read: No such file") as caught:
            read(tmp_path / "missing.yaml")

        assert caught.value.name.endswith("missing.yaml")

    def test_a_file_that_is_no_utf_8_is_a_fault(self, tmp_path: Path) -> None:
        """With what to do."""
        path = tmp_path / "latin.yaml"
        path.write_bytes(b"a: \xe4\n")

        with pytest.raises(DocumentError, match="save it as UTF-8"):
            read(path)


class TestLines:
    TEXT = "a: 1\nb:\n  - x: 1\n    y: 2\n  - x: 3\nc: 4\n"

    @pytest.mark.parametrize(
        ("path", "line"),
        [
            (("a",), 1),
            (("b",), 2),
            (("b", 0), 3),
            (("b", 0, "y"), 4),
            (("b", 1, "x"), 5),
            (("b", 1, "missing"), 5),
            (("b", 7), 2),
            (("c", "deeper"), 6),
            ((), 0),
            (("missing",), 0),
        ],
    )
    def test_a_path_has_the_line_of_its_value_or_of_the_nearest_above(
        self, path: tuple[str | int, ...], line: int
    ) -> None:
        """What is missing is told where it is missed."""
        assert line_of(self.TEXT, path) == line

    def test_faults_are_told_in_the_order_of_their_lines(self) -> None:
        """Whatever order they were found in."""
        faults = [Fault(("c",), "third"), Fault(("a",), "first"), Fault(("b", 0, "y"), "second")]

        error = faulty("sale.yaml", self.TEXT, faults)

        assert error.lines == (
            "sale.yaml:1: a: first",
            "sale.yaml:4: b.0.y: second",
            "sale.yaml:6: c: third",
        )
