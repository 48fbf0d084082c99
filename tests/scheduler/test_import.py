"""sublife import: what it prints, its exit status, and that the guide's commands do as printed."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sublife.events.store import Store
from sublife.events.store.upgrade import upgrade
from sublife.events.verify import verify
from sublife.lifecycle.subscription.model import Subscription
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock

TOP = Path(__file__).parents[2]
GUIDE = (TOP / "docs" / "import.md").read_text(encoding="utf-8")
EXAMPLES = TOP / "examples" / "exports"
MAIL = "1f0c2a77-6b1e-4c33-9a0d-2d1c0b7e5a10"
AS_OF = ("--as-of", "2024-12-05T08:00:00Z")


class Said:
    """What a run of the command printed, and its exit status."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, ["import", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = " ".join(result.stderr.split())
        self.lines = [line.rstrip() for line in (result.stdout + result.stderr).splitlines()]

    @property
    def fates(self) -> list[str]:
        """The fates of a report in JSON."""
        return [row["fate"] for row in self.json["rows"]]

    @property
    def json(self) -> dict[str, Any]:
        """A report in JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with our tables and nothing in them."""
    address = f"sqlite:///{tmp_path / 'subscriptions.db'}"
    if request.param == "postgresql":
        address = str(request.getfixturevalue("migrated_database"))
    upgrade(address)
    return address


def read(url: str) -> Subscription | None:
    """Return the subscription of the samples as it is stored."""
    store = Store.open(url, clock=SimulatedClock(datetime(2025, 1, 1, tzinfo=UTC)))
    found = store.get(MAIL)
    assert found is None or isinstance(found, Subscription)
    assert verify(store, rebuild=True).is_sound
    store.close()
    return found


def test_the_commands_of_the_guide_print_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, from an empty database, with the samples that ship."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    upgrade("sqlite:///subscriptions.db")
    blocks = re.findall(r"```console\n\$ sublife import (.*?)\n(.*?)```", GUIDE, re.DOTALL)

    said = [Said(*shlex.split(command)) for command, _ in blocks]

    assert len(blocks) == 4
    assert [each.lines for each in said] == [printed.splitlines() for _, printed in blocks]
    assert [each.status for each in said] == [1, 1, 1, 1]


def test_the_program_of_the_guide_runs(tmp_path: Path) -> None:
    """In an empty folder with the samples."""
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)

    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr == ""
    assert [line.split()[1] for line in run.stdout.splitlines()] == [
        "imported",
        "imported",
        "unmapped",
    ]


class TestStatus:
    def test_all_rows_in_the_store_is_0(self, url: str, tmp_path: Path) -> None:
        """Also where there is nothing left to do."""
        one = tmp_path / "one.json"
        one.write_text(
            json.dumps(json.loads((EXAMPLES / "subscriptions.json").read_text())["items"][0])
        )
        command = (one, "--store", url, "--partner", "contoso", *AS_OF)

        first, again = Said(*command), Said(*command)

        assert (first.status, again.status) == (0, 0)
        assert first.out.strip() == "1 row: 1 imported"
        assert again.out.strip() == "1 row: 1 unchanged"
        assert read(url) is not None

    def test_strict_imports_nothing_and_is_1(self, url: str) -> None:
        """One of three rows cannot be."""
        command = (EXAMPLES / "subscriptions.json", "--store", url, "--partner", "contoso", *AS_OF)

        said = Said(*command, "--strict", "--json")

        assert (said.status, said.json["kept"]) == (1, False)
        assert said.fates == ["imported", "imported", "unmapped"]
        assert (
            "nothing was imported: not every row can be, and --strict asks for all"
            in said.complaints
        )
        assert read(url) is None

    def test_a_report_in_json_names_row_subject_and_reason(self, url: str) -> None:
        """And how many there were of each fate."""
        said = Said(EXAMPLES / "activity.jsonl", "--store", url, "--json")

        assert said.status == 1
        assert said.json["counts"] == {
            "imported": 0,
            "unchanged": 0,
            "differs": 0,
            "refused": 0,
            "unmapped": 3,
        }
        assert said.json["rows"][0] == {
            "file": str(EXAMPLES / "activity.jsonl"),
            "line": 1,
            "item": None,
            "shape": "audit-record",
            "subject": MAIL,
            "fate": "unmapped",
            "events": [],
            "said": "changes a subscription that is not stored; import its resource",
        }

    def test_an_empty_file_is_a_report_without_rows(self, url: str, tmp_path: Path) -> None:
        """In JSON too."""
        empty = tmp_path / "empty.json"
        empty.write_text("[]")

        assert Said(empty, "--store", url).out.strip() == "0 rows: nothing to import"
        assert Said(empty, "--store", url, "--json").json["rows"] == []

    @pytest.mark.parametrize(
        ("text", "options", "told"),
        [
            ('[{"a": 1}\n', (), 'broken.json:2: is no JSON: "]" is missing before the end'),
            ("[]", ("--as-of", "2999-01-01"), "--as-of 2999-01-01T00:00:00Z is to come"),
            ("[]", ("--as-of", "soon"), '"soon" is no instant'),
            ("[]", ("--policy", "no-such-pack"), "no-such-pack"),
            (None, (), "broken.json: cannot be read"),
        ],
    )
    def test_wrong_input_is_2_and_prints_no_report(
        self, url: str, tmp_path: Path, text: str | None, options: tuple[str, ...], told: str
    ) -> None:
        """And nothing is imported, not even from the files before."""
        broken = tmp_path / "broken.json"
        if text is not None:
            broken.write_text(text)
        files = (EXAMPLES / "subscriptions.json", broken)

        said = Said(*files, "--store", url, "--partner", "contoso", "--json", *options)

        assert (said.status, said.out) == (2, "")
        assert told in said.complaints
        assert read(url) is None

    def test_a_database_that_is_not_there_is_2(self, tmp_path: Path) -> None:
        """None is made."""
        path = tmp_path / "none.db"

        assert Said(EXAMPLES / "activity.jsonl", "--store", f"sqlite:///{path}").status == 2
        assert not path.exists()


def test_what_a_terminal_would_act_upon_is_not_printed(url: str, tmp_path: Path) -> None:
    """A row may come from anywhere."""
    row = {"operationType": "\x1b[31mred", "operationDate": "2024-01-01T00:00:00Z"}
    (tmp_path / "x.json").write_text(json.dumps(row))

    said = Said(tmp_path / "x.json", "--store", url)

    assert "\x1b" not in said.out
    assert r"\x1b[31mred" in said.out
