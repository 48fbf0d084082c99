"""Commands that are given the wrong file: exit status 2, one short message, nothing written."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife.events.printable import printable_lines
from sublife.events.store import Store
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock
from tests.fuzz import corpus
from tests.scale import sized

AUDIT = '{"operationType": "update_subscription", "operationDate": "soon"}\n'


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = result.stderr

    @property
    def words(self) -> str:
        """What was complained of, with every gap one space."""
        return " ".join(self.complaints.split())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a database in which nothing has happened."""
    address = f"sqlite:///{tmp_path_factory.mktemp('files') / 'store.db'}"
    Store.open(address, clock=SimulatedClock(datetime(2024, 12, 5, tzinfo=UTC))).close()
    return address


@pytest.fixture
def unchanged(url: str) -> Iterator[str]:
    """The same; afterwards nothing has happened in it either."""
    yield url
    store = Store.open(url, clock=SimulatedClock(datetime(2024, 12, 5, tzinfo=UTC)))
    assert store.is_empty()
    store.close()


def _commands(path: Path, url: str) -> dict[str, tuple[object, ...]]:
    return {
        "import": ("import", path, "--store", url),
        "replay": ("replay", path),
        "import under a policy": ("import", path, "--store", url, "--policy", path),
        "daemon": ("daemon", "--config", path),
        "rules": ("rules", "--scenarios", path),
    }


@pytest.mark.parametrize("name", ["zip", "xlsx", "gzip", "html", "utf-16 with a mark", "latin-1"])
@pytest.mark.parametrize("command", _commands(Path(), ""))
def test_a_file_that_is_something_else_is_said_to_be(
    tmp_path: Path, unchanged: str, command: str, name: str
) -> None:
    path = tmp_path / "given.yaml"
    path.write_bytes(corpus.FOREIGN[name][0])

    said = Said(*_commands(path, unchanged)[command])

    assert said.status == 2
    assert "given.yaml" in said.complaints.replace("\n", "")
    assert re.search(corpus.FOREIGN[name][1], said.words)
    assert len(said.out + said.complaints) < 2000
    assert printable_lines(said.complaints) == said.complaints


@pytest.mark.parametrize(("name", "text"), [("a.json", ""), ("a.csv", ""), ("a.jsonl", "\n \n")])
def test_an_empty_export_is_an_error(tmp_path: Path, unchanged: str, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    said = Said("import", path, "--store", unchanged)

    assert (said.status, said.out) == (2, "")
    assert f"{name}: is empty; export it again" in said.words


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "[]"), ("a.json", '{"totalCount": 0, "items": []}'), ("a.csv", "id,offerId\n")],
)
def test_an_export_without_rows_is_said_to_have_none(
    tmp_path: Path, unchanged: str, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")

    said = Said("import", path, "--store", unchanged)

    assert (said.status, said.out) == (0, "0 rows: nothing to import\n")
    assert f"{name} holds no row; if it should, export it again" in said.words


@pytest.mark.soak
@pytest.mark.parametrize("row", ["{}", "7", '{"id": "x"}'])
@pytest.mark.parametrize("option", [(), ("--all",), ("--json",)], ids=str)
def test_very_many_rows_of_no_known_shape_are_refused_at_once(
    tmp_path: Path, unchanged: str, row: str, option: tuple[str, ...]
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(f"{row}\n" * sized(20_000, 1_000_000), encoding="utf-8")
    started = time.process_time()

    said = Said("import", path, "--store", unchanged, *option)

    assert time.process_time() - started < 2
    assert (said.status, said.out) == (2, "")
    assert "rows.jsonl:1001: none of its first 1,000 rows can be imported" in said.words
    assert len(said.complaints) < 2000


def test_of_very_many_rows_to_look_at_the_first_are_shown_and_the_others_counted(
    tmp_path: Path, unchanged: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(AUDIT * 1500, encoding="utf-8")

    said = Said("import", path, "--store", unchanged)

    assert said.status == 1
    assert said.out.count("is no instant") == 200
    assert "… and 1,300 more rows to look at; --json prints every one" in said.out
    assert "1500 rows: 1500 unmapped" in said.out


@pytest.mark.parametrize(("more", "asked"), [("--all", 300), ("--json", 300)])
def test_every_row_is_printed_where_that_is_asked_for(
    tmp_path: Path, unchanged: str, more: str, asked: int
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(AUDIT * asked, encoding="utf-8")

    assert Said("import", path, "--store", unchanged, more).out.count("is no instant") == asked


@pytest.mark.parametrize("title", ['"\\e[31mred"', '"\\x9b2J"', '"\\u202etxt"'])
def test_a_title_from_a_file_does_not_act_upon_the_terminal(tmp_path: Path, title: str) -> None:
    path = tmp_path / "sale.yaml"
    path.write_text(
        f"title: {title}\nrules: [SUB-02]\nabout: {title}\nby: {title}\nsteps:\n"
        f"  - at: 2024-10-01T09:00:00Z\n    do: purchase\n    subject: {title}\n    note: {title}\n"
        f"    with: {{customer: {title}, partner: contoso, product: {{sku: E3}}, quantity: 1,\n"
        "           term: P1Y, billing: monthly}\n"
        f"  - {{at: 2024-10-02T09:00:00Z, subject: {title}, expect: {{state: deleted}}}}\n",
        encoding="utf-8",
    )

    for options in ((), ("--names",), ("--json",)):
        said = Said("replay", path, *options)

        assert said.status == 1
        assert printable_lines(said.out + said.complaints) == said.out + said.complaints
