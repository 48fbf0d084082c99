"""Files: every form of JSON and CSV, row by row with lines, and where they are broken."""

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sublife.events.document import DocumentError
from sublife.events.inbound.reading import read_rows
from sublife.events.inbound.row import Row, Shape
from sublife.events.inbound.shape import rows_of
from sublife.events.inbound.sorting import in_order

NOTHING: list[tuple[int, Any]] = []


def rows(tmp_path: Path, text: str | bytes, name: str = "export.json") -> list[tuple[int, Any]]:
    """Return what is read from a file of that text."""
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read_rows(path))


class TestJson:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ('{"a": 1}', [(1, {"a": 1})]),
            ('\n\n {"a": [1, {"items": 2}]}\n', [(3, {"a": [1, {"items": 2}]})]),
            ('{"a": 1}\n{"b": "x\\ny"}\n', [(1, {"a": 1}), (2, {"b": "x\ny"})]),
            ('[{"a": 1},\n\n {"b": 2}\n]', [(1, {"a": 1}), (3, {"b": 2})]),
            ('{"totalCount": 2,\n "items": [{"a": 1},\n2], "x": {}}', [(2, {"a": 1}), (3, 2)]),
            ('{"Items": []}', NOTHING),
            ("[]", NOTHING),
            ('\ufeff{"a": 1}', [(1, {"a": 1})]),
            ("12", [(1, 12)]),
            ("[1, [2], null]", [(1, 1), (1, [2]), (1, None)]),
        ],
    )  # fmt: skip
    def test_every_row_is_read_with_its_line(
        self, tmp_path: Path, text: str, found: list[tuple[int, Any]]
    ) -> None:
        """One resource, a list, a collection with `items`, JSON Lines."""
        assert rows(tmp_path, text) == found

    def test_a_row_across_the_pieces_a_file_is_read_in_is_whole(self, tmp_path: Path) -> None:
        """Numbers too, whose end is not seen before the next character."""
        values = [{"number": 10**20 + number, "text": "é" * 997} for number in range(300)]

        found = rows(tmp_path, json.dumps(values, ensure_ascii=False))

        assert [value for _, value in found] == values

    @pytest.mark.parametrize(
        ("text", "line", "told"),
        [
            ('{"a": 1}\n{"b": }', 2, "Expecting value"),
            ('[{"a": 1}\n {"b": 2}]', 2, '"]" is missing before {'),
            ('{"a": 1,\n "items": [1', 2, '"]" is missing before the end'),
            ("{1: 2}", 1, "a name in quotes is missing"),
            ('{"a" 1}', 1, '":" is missing before 1'),
            ('{"a": NaN}', 1, "NaN is no JSON number"),
            ('{"a": ' + "[" * 100_000, 1, "is no JSON"),
            ('{"a": "never closed\n', 1, "Invalid control character"),
        ],
        ids=range(8),
    )
    def test_a_broken_file_is_told_with_line_and_remedy(
        self, tmp_path: Path, text: str, line: int, told: str
    ) -> None:
        """The rows before it have been read; an import takes none of them in."""
        with pytest.raises(DocumentError, match="export it again") as caught:
            rows(tmp_path, text)

        assert caught.value.faults[0][0] == line
        assert told in str(caught.value)

    def test_a_row_without_end_is_given_up(self, tmp_path: Path) -> None:
        """A quote is missing somewhere; the rest of the file is no row."""
        text = '{"a": "' + "x" * 40_000_000

        with pytest.raises(DocumentError, match="longer than 16 MiB; is a quote missing"):
            rows(tmp_path, text)

    @pytest.mark.parametrize(
        ("text", "told"), [(b'{"a": "\xff"}', "is no UTF-8 text"), (None, "cannot be read")]
    )
    def test_what_cannot_be_read_is_told(
        self, tmp_path: Path, text: bytes | None, told: str
    ) -> None:
        """With the name of the file."""
        path = tmp_path / "export.json"
        if text is not None:
            path.write_bytes(text)

        with pytest.raises(DocumentError, match=f"export.json: {told}"):
            list(read_rows(path))


class TestCsv:
    def test_titles_are_fields_and_dots_lead_into_them(self, tmp_path: Path) -> None:
        """Counts and truth values are no texts; an empty cell is null."""
        text = (
            "id,quantity,autoRenewEnabled,product.id,product.name,partnerId\r\nx,30,TRUE,p,,6\r\n"
        )

        assert rows(tmp_path, text, "s.csv") == [
            (
                2,
                {
                    "id": "x",
                    "quantity": 30,
                    "autoRenewEnabled": True,
                    "product": {"id": "p", "name": None},
                    "partnerId": "6",
                },
            )
        ]

    def test_lines_are_numbered_as_an_editor_does(self, tmp_path: Path) -> None:
        """A value may go over several lines, a line may be empty."""
        text = 'id;name\n1;"a\nb"\n\n2;c\n'

        assert rows(tmp_path, text, "s.CSV") == [
            (2, {"id": "1", "name": "a\nb"}),
            (5, {"id": "2", "name": "c"}),
        ]

    def test_the_apostrophe_before_a_formula_goes(self, tmp_path: Path) -> None:
        """Our own export puts it there."""
        assert rows(tmp_path, "id,name\n1,'=1+1\n2,'tis\n", "s.csv") == [
            (2, {"id": "1", "name": "=1+1"}),
            (3, {"id": "2", "name": "'tis"}),
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "s.csv: is empty"),
            (",,\n1,2,3\n", "s.csv:1: has no line of titles"),
            ("id,id\n", "s.csv:1: title id stands twice"),
            ("id\n1\n1,2\n", "s.csv:3: has 2 values for 1 titles"),
            ('id\n"1\n', "s.csv:2: is no CSV"),
        ],
    )
    def test_a_broken_file_is_told(self, tmp_path: Path, text: str, told: str) -> None:
        """With the line, where there is one."""
        with pytest.raises(DocumentError) as caught:
            rows(tmp_path, text, "s.csv")

        assert told in str(caught.value)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"offerId": 1, "commitmentEndDate": 1}, Shape.SUBSCRIPTION),
        ({"OfferId": 1, "CommitmentEndDate": 1, "Status": 1}, Shape.SUBSCRIPTION),
        ({"lineItems": []}, Shape.ORDER),
        ({"currentSubscriptionId": 1, "status": 1}, Shape.MIGRATION),
        ({"currentSubscriptionId": 1, "status": 1, "targetDate": None}, Shape.SCHEDULE),
        ({"currentSubscriptionId": 1, "migrateOnRenewal": True}, Shape.SCHEDULE),
        ({"newCommerceMigrationId": 1, "eventName": 1}, Shape.MIGRATION_EVENT),
        ({"operationType": 1, "operationDate": 1}, Shape.AUDIT),
        ({"EventName": 1, "ResourceChangeUtcDate": 1}, Shape.WEBHOOK),
        ({"id": 1}, Shape.UNKNOWN),
        ({}, Shape.UNKNOWN),
        (7, Shape.UNKNOWN),
        (None, Shape.UNKNOWN),
    ],
    ids=str,
)
def test_a_resource_is_known_by_its_fields(value: Any, shape: Shape) -> None:
    """Without regard to case."""
    assert [row.shape for row in rows_of("f", 1, value)] == [shape]


def _numbered(count: int) -> Iterator[tuple[tuple[int, str], Row]]:
    for number in range(count):
        place = number * 7919 % count
        yield (place, "x"), Row("f", place, 0, Shape.ORDER, {"text": "y" * 500, "n": place})


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 95])
def test_rows_come_in_order_whether_or_not_they_fit(count: int) -> None:
    """With 10 rows held at once."""
    found = list(in_order(_numbered(count), run=10))

    assert [key for key, _ in found] == [(number, "x") for number in range(count)]
    assert all(row.fields["n"] == key[0] == row.line for key, row in found)


def test_many_rows_take_no_more_memory_than_a_few() -> None:
    """All of them would take more than 10 MB."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in in_order(_numbered(10_000), run=500))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert count == 10_000
    assert peak < 3_000_000
