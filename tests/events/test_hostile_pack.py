"""Policy packs that make no sense: names, figures, dates; each is named with line and remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sublife.events.document import DocumentError
from sublife.events.packs import load_pack

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Returns a function that writes a pack and returns its path."""

    def write_(text: str, name: str = "own.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_


def _refused(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        load_pack(str(path))
    assert len(str(caught.value)) <= 2000
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("5", "1.5", "true", "null", "''", "' '", "' own'", '"a\\tb"', '"a\\eb"', "[own]"),
        *("{a: 1}", "2024-10-01", "a@b", "x" * 65, '"\\u202eown"'),
    ],
)
def test_a_pack_needs_a_name_that_can_stand_on_every_fact(write: Write, name: str) -> None:
    said = _refused(write(f"title: mine\npack: {name}\nextends: microsoft-csp\n"))

    assert "own.yaml:2: pack: " in said
    assert "write a" in said


@pytest.mark.parametrize("name", ["our-terms", "Our terms 2024", "Märkte", '"5"'])
def test_a_word_is_a_name(write: Write, name: str) -> None:
    assert load_pack(str(write(f"pack: {name}\nextends: microsoft-csp\n"))).id == name.strip('"')


@pytest.mark.parametrize(
    ("figure", "unit", "value", "words"),
    [
        ("grace", "days", "true", "True is not a number of days, whole, not negative"),
        ("grace", "days", "-1", "-1 is not a number of days"),
        ("grace", "days", "1.5", "is not a number of days"),
        ("grace", "days", "36526", "write 0 to 36525 days"),
        ("grace", "days", "'30'", "'30' is not a number of days"),
        ("renewal_latest_hours", "hours", "1" + "0" * 29, "write 0 to 876600 hours"),
        ("renewal_latest_hours", "hours", "1" + "0" * 30, "at most 30 digits"),
        ("waiting", "months", "1201", "write 0 to 1200 months"),
        ("trial_seats", "count", "1000000001", "write 0 to 1000000000 count"),
        ("extended_uplift", "percent", "-0.5", "is not a number of percent"),
        ("extended_uplift", "percent", "1.0e+29", "write 0 to 1000 percent"),
        ("direct_revenue", "usd", "false", "False is not a number of usd"),
        ("coterminosity", "allowed", "1", "1 is not true or false"),
        ("refresh_day", "count", "0", "write 1 to 28 count"),
        ("refresh_day", "count", "31", "write 1 to 28 count"),
        ("qmth_report_months", "months", "0", "write 1 to 12 months"),
        ("hoster_report_months", "months", "13", "write 1 to 12 months"),
        ("trailing_months", "months", "0", "write 1 to 120 months"),
    ],
)
def test_a_figure_out_of_range_is_named_with_its_line_and_range(
    write: Write, figure: str, unit: str, value: str, words: str
) -> None:
    said = _refused(
        write(
            f"pack: own\nextends: microsoft-csp\nfigures:\n  {figure}:\n    unit: {unit}\n"
            f"    rule: SUB-04\n    spans:\n      - {{value: {value}}}\n"
        )
    )

    assert "own.yaml:8: " in said
    assert words in said


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        ("{to: 0001-01-01, value: 1}, {from: 0001-01-01, value: 2}", "not from 1900 to 2199"),
        ("{to: 9999-12-31, value: 1}, {from: 9999-12-31, value: 2}", "not from 1900 to 2199"),
        ("{to: 2024-13-45, value: 1}", "is no date or instant"),
        ("{to: soon, value: 1}", "'soon' is no date or instant"),
        ("{to: true, value: 1}", "True is no date or instant"),
        ("{value: 1}, {value: 1}", "overlap"),
        ("{to: 2025-01-01, value: 1}, {to: 2025-01-01, value: 1}", "overlap"),
        ("{value: 1, note: 5}", "5 is not text; put it in quotes"),
        ("{value: 1, source: [P1]}", "is not text; put it in quotes"),
        ("{value: 1, 7: 8}", 'unknown key "7"'),
        ("1", "must be a mapping"),
    ],
)
def test_a_validity_that_makes_no_sense_is_named(write: Write, spans: str, words: str) -> None:
    said = _refused(
        write(
            "pack: own\nextends: microsoft-csp\nfigures:\n"
            f"  grace: {{unit: days, rule: SUB-04, spans: [{spans}]}}\n"
        )
    )

    assert "own.yaml:4: " in said
    assert words in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("extends: 5", "5 is not a pack"),
        ("extends: null", "None is not a pack"),
        ("extends: [microsoft-csp]", "is not a pack"),
        ("extends: ''", "'' is not a pack"),
        ("extends: nowhere", 'no shipped pack "nowhere"'),
        ("extends: own.yaml", "extends this pack again"),
        ("title: 5\nextends: microsoft-csp", "title: 5 is not text"),
        ("extends: microsoft-csp\nfigures: {1: 2}", 'unknown figure "1"'),
        ("extends: microsoft-csp\nchoose: {1: 2}", 'no switch "1"'),
        ("extends: microsoft-csp\nchoose: {end_of_term: [est]}", "is none of grace, est"),
        ("extends: microsoft-csp\nregions: {x: [{countries: 'US US'}]}", "at once"),
    ],
)
def test_what_a_pack_is_made_of_is_checked(write: Write, line: str, words: str) -> None:
    assert words in _refused(write(f"pack: own\n{line}\n"))


def test_packs_that_extend_each_other_are_refused(write: Write) -> None:
    write("pack: a\nextends: b.yaml\n", "a.yaml")
    write("pack: b\nextends: c.yaml\n", "b.yaml")

    said = _refused(write("pack: c\nextends: a.yaml\n", "c.yaml"))

    assert 'b.yaml:2: extends: "c.yaml" extends this pack again; name another' in said


def test_a_chain_of_packs_without_end_is_refused(write: Write) -> None:
    for number in range(40):
        write(f"pack: p{number}\nextends: p{number + 1}.yaml\n", f"p{number}.yaml")

    said = _refused(write("pack: top\nextends: p0.yaml\n"))

    assert "more than 16 packs extend each other; put some of them together" in said
