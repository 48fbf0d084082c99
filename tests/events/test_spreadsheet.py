"""CSV cells: what a spreadsheet could run as a formula is neutralized, and reads back exactly."""

import csv
import io
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sublife.events.export import ACTIVITIES, write_csv
from sublife.events.inbound.reading import read_rows
from sublife.events.spreadsheet import is_formula, neutralized, restored

LEADING = [
    *("\t", "\r", "\n", "\r\n\t", " ", "\xa0", "\u200b", "\ufeff", "\u2060", "\u202e", "\x00"),
    *("\x1b", "\u3000", "\u3164", "\u00ad", "\u2028", "\ufe0f", "  \u200b \t"),
]
SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "\u2212", "\ufe66"]


def _exported(text: str) -> str:
    """Return the cell that an activity export has for a customer of that name."""
    record = dict.fromkeys(ACTIVITIES.fields, "x") | {
        "effective_at": datetime(2024, 10, 1, tzinfo=UTC),
        "customer": text,
    }
    out = io.StringIO(newline="")
    write_csv([record], ACTIVITIES, out)
    out.seek(0)
    (row,) = csv.DictReader(out)
    return row["customer"]


@pytest.mark.parametrize("leading", LEADING, ids=ascii)
@pytest.mark.parametrize("sign", SIGNS, ids=ascii)
def test_a_formula_behind_what_does_not_show_is_neutralized(leading: str, sign: str) -> None:
    text = f"{leading}{sign}cmd|' /C calc'!A0"

    assert _exported(text) == f"'{text}"


def test_no_character_that_shows_nothing_hides_a_formula() -> None:
    blank = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Zs", "Zl", "Zp"}
    ]

    assert [ascii(each) for each in blank if not is_formula(f"{each}=1+1")] == []


@pytest.mark.parametrize(
    "text", ["tailspin", "", "'tis", "a=b", "O'Neill -1", "12-3", " x", "\u2019=1"]
)
def test_a_text_that_is_no_formula_stays_as_it_is(text: str) -> None:
    assert _exported(text) == text


@given(st.text(alphabet=st.sampled_from("'=+-@ \t\r\n\u200b\xa0\uff1dab1"), max_size=8))
def test_every_text_reads_back_as_it_was(text: str) -> None:
    assert restored(neutralized(text)) == text


@given(st.text(max_size=20))
def test_every_text_of_any_letters_reads_back_as_it_was(text: str) -> None:
    assert restored(neutralized(text)) == text


@pytest.mark.parametrize("name", [" =1+1", "'=1+1", "\u200b@SUM(A1)", "\uff1d1"], ids=ascii)
def test_an_import_reads_the_text_that_was_exported(tmp_path: Path, name: str) -> None:
    path = tmp_path / "exported.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "name"], ["1", neutralized(name)]])

    assert list(read_rows(path)) == [(2, {"id": "1", "name": name})]
