"""Everything shown on a terminal goes through one place that makes control characters visible."""

import io
import json
import unicodedata

import pytest
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sublife.events.printable import printable, shortened
from sublife.scheduler.screen import Screen, say_json

HOSTILE = {
    "\x1b[31m": r"\x1b[31m",
    "\x9b2J": r"\x9b2J",
    "\x07": r"\x07",
    "\x7f": r"\x7f",
    "\u202etxt": r"\u202etxt",
    "\u2066": r"\u2066",
    "\u2028": r"\u2028",
    "\u2029": r"\u2029",
    "\x85": r"\x85",
    "\r": r"\r",
    "\ud800": r"\ud800",
    "\ufeff": r"\ufeff",
    "\U000e0041": r"\U000e0041",
}


@pytest.mark.parametrize(("text", "shown"), HOSTILE.items(), ids=ascii)
def test_what_a_terminal_would_act_upon_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(f"a{text}b") == f"a{shown}b"


@pytest.mark.parametrize(
    "text", ["Müller & Söhne", "北京\u3000分公司", "naïve\xa0", "שלום", "🙂 →"]
)
def test_letters_of_every_script_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_no_control_character_is_left_of_any_text() -> None:
    every = "".join(map(chr, range(0x11000)))

    categories = {unicodedata.category(each) for each in printable(every)}

    assert categories.isdisjoint({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_screen_shows_it_in_strings_texts_tables_and_titles(text: str) -> None:
    out = io.StringIO()
    screen = Screen(file=out, width=100, highlight=False)
    table = Table(title=f"x{text}")
    table.add_column(f"x{text}")
    table.add_row(Text(f"x{text}"))

    for each in (f"x{text}", Text(f"x{text}"), Padding(Text(f"x{text}"), 1), table):
        screen.print(each, soft_wrap=False)

    shown = out.getvalue().replace("\n", "")
    assert printable(shown) == shown


def test_a_screen_keeps_its_own_styles() -> None:
    out = io.StringIO()

    Screen(file=out, force_terminal=True, color_system="standard", highlight=False).print(
        "[red]x\x1b[0m[/]"
    )

    assert out.getvalue() == "\x1b[31mx\\x1b[0m\x1b[0m\n"


@pytest.mark.parametrize("text", ["\x9b2J", "\u202e", "\U000e0041", "\x1b", "Söhne\u2028"])
def test_json_for_people_escapes_it_and_says_the_same(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say_json({"name": text})

    said = capsys.readouterr().out

    assert json.loads(said) == {"name": text}
    assert printable(said.replace("\n", "")) == said.replace("\n", "")


def test_a_long_text_is_shortened_in_the_middle() -> None:
    assert shortened("a" * 50 + "b" * 50, 20) == "aaaaaaaaaaa … bbbbbb"
