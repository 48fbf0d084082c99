"""The command line: what it prints, and the exit status that a script goes by."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from sublife.events.document import parse
from sublife.events.store import Store
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.rulebook import rules
from tests.scale import sized

Write = Callable[..., Path]
ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(
    path for path in (ROOT / "scenarios").rglob("*.yaml") if "packs" not in path.parts
)


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, *arguments: str | Path) -> None:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = result.stderr

    @property
    def json(self) -> dict[str, Any]:
        """The JSON it printed, which is all it printed."""
        return cast("dict[str, Any]", json.loads(self.out))


@pytest.fixture
def failing(sale: str) -> str:
    """The scenario with one wrong expectation."""
    return sale.replace("state: suspended", "state: active")


@pytest.fixture
def wrong(sale: str) -> str:
    """The scenario with a mistake in it."""
    return sale.replace("do: suspend", "do: suspnd")


class TestReplay:
    def test_what_holds_is_status_0(self, write: Write, sale: str) -> None:
        """Nothing to complain about."""
        said = Said("replay", write(sale))

        assert said.status == 0
        assert "1 of 1 scenarios held, 4 events, 1 of them refused" in said.out
        assert said.complaints == ""

    def test_what_happened_is_shown_line_by_line(self, write: Write, sale: str) -> None:
        """Instant, state, who did what, and by which rule."""
        out = Said("replay", write(sale)).out

        for words in (
            "A sale, a refused reactivation and a suspension",
            "2024-10-01 02:35:00Z",
            "Amy buys 30 seats of E3 for tailspin, 1 year, billed monthly.",
            "→ active",
            "Amy wants to reactivate it. Refused:",
            "SUB-07 SUB-08",
        ):
            assert words in out

    def test_the_names_of_events_and_facts_can_be_shown(self, write: Write, sale: str) -> None:
        """For whoever writes scenarios."""
        out = Said("replay", write(sale), "--names").out

        assert "purchase (subscription-created) Amy buys" in out
        assert "reactivate (BAD_STATE) Amy wants to" in out

    def test_timelines_can_be_left_out(self, write: Write, sale: str) -> None:
        """Only the summary."""
        out = Said("replay", write(sale), "--no-timelines").out

        assert "1 of 1 scenarios held" in out
        assert "purchase by amy" not in out

    def test_what_does_not_hold_is_status_1(self, write: Write, failing: str) -> None:
        """Where, what was expected and what was found."""
        path = write(failing)

        said = Said("replay", path)

        assert said.status == 1
        out = " ".join(said.out.split())
        assert "step 3, state expected active found suspended" in out
        assert "0 of 1 scenarios held" in out

    def test_what_does_not_hold_is_shown_without_timelines_too(
        self, write: Write, failing: str, sale: str
    ) -> None:
        """A failure among many is found."""
        write(failing, "all/failing.yaml")
        folder = write(sale, "all/held.yaml").parent

        said = Said("replay", folder, "--no-timelines")

        assert said.status == 1
        assert "1 of 2 scenarios held" in said.out
        assert "step 3, state" in said.out

    def test_a_wrong_file_is_status_2(self, write: Write, wrong: str) -> None:
        """The file, the line and the remedy, on the other stream."""
        path = write(wrong)

        said = Said("replay", path)

        assert said.status == 2
        assert "0 of 1 scenarios held" in said.out
        line = wrong[: wrong.index("suspnd")].count("\n") + 1
        assert f'{path}:{line}: steps.2.do: no request "suspnd"' in said.complaints

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_a_wrong_file_stops_none_of_the_others(
        self, write: Write, sale: str, wrong: str, jobs: str
    ) -> None:
        """It is named with its line and left out; the exit status says so in the end."""
        held, bad = write(sale, "a.yaml"), write(wrong, "b.yaml")

        said = Said("replay", held, bad, "--jobs", jobs)

        assert said.status == 2
        assert "A sale, a refused reactivation and a suspension" in said.out
        assert "1 of 2 scenarios held" in said.out
        assert f"wrong input {bad}" in " ".join(said.out.split())
        assert f"{bad}:" in said.complaints

    def test_a_file_that_is_no_yaml_and_one_that_cannot_be_read_stop_no_other(
        self, write: Write, sale: str, tmp_path: Path
    ) -> None:
        held, broken = write(sale, "a.yaml"), write("steps: [", "b.yaml")
        (tmp_path / "c.yaml").write_bytes(b"title: \xff\xfe")

        said = Said("replay", tmp_path)

        assert said.status == 2
        assert "1 of 3 scenarios held" in said.out
        assert str(broken) in said.complaints
        assert "c.yaml" in said.complaints
        assert str(held) not in said.complaints

    def test_the_digest_of_all_is_left_out_where_a_file_is_wrong(
        self, write: Write, sale: str, wrong: str
    ) -> None:
        held = write(sale, "a.yaml")

        said = Said("replay", held, write(wrong, "b.yaml"), "--digest")

        assert said.status == 2
        assert said.out.split()[1:] == [str(held)]

    def test_one_story_of_many_files_is_shown_whole(self) -> None:
        """The README's first command: a story, a table of folders, what to do next."""
        story = "scenarios/customer"
        file = min(Path(story).glob("*.yaml"))

        said = Said("replay", story, "scenarios/event", "scenarios/stories", "--story", file)

        lines = said.out.splitlines()
        assert said.status == 0
        assert sum(line.startswith(f"{story}/") for line in lines) == 1
        assert f"{file}  " in said.out
        assert [line.split() for line in lines if line.startswith("scenarios/event")] == [
            ["scenarios/event", "5", "0"]
        ]
        assert "27 of 27 scenarios held" in said.out
        assert "sublife replay scenarios --timelines" in said.out

    def test_a_story_that_is_not_replayed_is_status_2(self, write: Write, sale: str) -> None:
        said = Said("replay", write(sale), "--story", "other.yaml")

        assert said.status == 2
        assert "other.yaml: not among the files to replay; name one of them" in said.complaints

    def test_a_missing_path_is_status_2(self, tmp_path: Path) -> None:
        """With its name and what to do."""
        said = Said("replay", tmp_path / "missing.yaml")

        assert said.status == 2
        assert "missing.yaml: does not exist; fix the path" in said.complaints

    def test_an_empty_folder_is_status_2(self, tmp_path: Path) -> None:
        """Nothing replayed is not everything held."""
        assert Said("replay", tmp_path).status == 2

    def test_a_bad_store_is_status_2(self, write: Write, sale: str, tmp_path: Path) -> None:
        """With an address that works."""
        said = Said("replay", write(sale), "--store", "mysql://host/base")

        assert said.status == 2
        assert "sqlite:///file.db" in said.complaints

    def test_no_job_at_all_is_status_2(self, write: Write, sale: str) -> None:
        """At least one process has to do it."""
        assert Said("replay", write(sale), "--jobs", "0").status == 2

    def test_several_jobs_print_the_same(self, write: Write, sale: str, failing: str) -> None:
        """In the order of the files."""
        folder = write(sale, "all/a.yaml").parent
        write(failing, "all/b.yaml")
        write(sale.replace("s1", "s7"), "all/c.yaml")

        one = Said("replay", folder, "--json", "--jobs", "1")
        three = _process("replay", folder, "--json", "--jobs", "3")

        assert (one.status, three.returncode) == (1, 1)
        assert three.stdout == one.out


class TestReplayForMachines:
    def test_json_has_every_result_with_its_timeline(self, write: Write, sale: str) -> None:
        """And nothing else on the stream."""
        path = write(sale)

        said = Said("replay", path, "--json")

        (scenario,) = said.json["scenarios"]
        assert said.status == 0
        assert said.json["held"] is True
        assert (scenario["path"], scenario["held"]) == (str(path), True)
        assert scenario["rules"] == ["SUB-02", "SUB-07"]
        assert [line["event"] for line in scenario["timeline"]] == [
            "purchase",
            "provisioning_ended",
            "reactivate",
            "suspend",
        ]
        assert scenario["timeline"][0]["at"] == "2024-10-01T02:35:00Z"
        assert scenario["timeline"][2]["code"] == "BAD_STATE"
        assert len(scenario["digest"]) == 64

    def test_json_has_the_differences(self, write: Write, failing: str) -> None:
        """And the status is 1."""
        said = Said("replay", write(failing), "--json")

        assert said.status == 1
        assert said.json["held"] is False
        assert said.json["scenarios"][0]["differences"] == [
            {"where": "step 3, state", "expected": "active", "found": "suspended"}
        ]

    def test_the_digest_option_prints_one_line_per_file_and_a_total(
        self, write: Write, sale: str
    ) -> None:
        """`<sha256>  <path>`, as checksum tools write it."""
        paths = [write(sale, "a.yaml"), write(sale.replace("s1", "s7"), "b.yaml")]

        said = Said("replay", *paths, "--digest")

        lines = [line.split("  ") for line in said.out.splitlines()]
        assert [name for _, name in lines] == [*map(str, paths), "total"]
        assert all(len(digest) == 64 and int(digest, 16) >= 0 for digest, _ in lines)
        assert len({digest for digest, _ in lines}) == 3

    def test_the_digests_are_those_of_the_json(self, write: Write, sale: str) -> None:
        """One run, two ways to print it."""
        path = write(sale)

        printed = Said("replay", path, "--digest").out.split()
        written = Said("replay", path, "--json").json

        assert [printed[0], printed[2]] == [written["scenarios"][0]["digest"], written["digest"]]

    def test_junit_has_one_case_per_scenario(
        self, write: Write, sale: str, failing: str, tmp_path: Path
    ) -> None:
        """The failed one says what a person would read."""
        folder = write(sale, "all/a.yaml").parent
        write(failing, "all/b.yaml")
        report = tmp_path / "report.xml"

        said = Said("replay", folder, "--junit", report)

        suites = ET.parse(report).getroot()  # noqa: S314 – we wrote it
        cases = list(suites.iter("testcase"))
        assert said.status == 1
        assert suites.tag == "testsuites"
        assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == (
            "2",
            "1",
            "0",
        )
        assert [case.get("classname") for case in cases] == [
            str(folder / "a.yaml"),
            str(folder / "b.yaml"),
        ]
        assert cases[0].find("failure") is None
        failure = cases[1].find("failure")
        assert failure is not None
        assert failure.text is not None
        assert "step 3, state" in failure.text
        assert "suspended" in failure.text

    def test_junit_is_the_same_for_the_same_input(
        self, write: Write, sale: str, tmp_path: Path
    ) -> None:
        """No times, no host: a report can be compared."""
        path = write(sale)
        reports = [tmp_path / name for name in ("one.xml", "two.xml")]

        for report in reports:
            Said("replay", path, "--junit", report)

        assert reports[0].read_bytes() == reports[1].read_bytes()

    def test_the_store_keeps_the_history(self, write: Write, sale: str, tmp_path: Path) -> None:
        """In a tenant named by the path of the scenario."""
        path, url = write(sale), f"sqlite:///{tmp_path / 'history.db'}"

        said = Said("replay", path, "--store", url)

        store = Store.open(
            url, clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)), tenant=f"scenario:{path}"
        )
        names = [entry.event.name for entry in store.history("s1")]
        store.close()
        assert said.status == 0
        assert names == ["purchase", "provisioning_ended", "reactivate", "suspend"]

    def test_colours_stay_out_of_what_is_piped(self, write: Write, sale: str) -> None:
        """Plain text wherever it goes."""
        assert "\x1b[" not in _process("replay", write(sale)).stdout


class TestRules:
    def test_every_rule_is_listed(self) -> None:
        """With what it says, its source, where it is applied and what shows it."""
        said = Said("rules", "--scenarios", ROOT / "scenarios", "--json")

        listed = {each["id"]: each for each in json.loads(said.out)}
        assert said.status == 0
        assert set(listed) == set(rules())
        assert listed["SUB-04"]["source"]
        assert "lifecycle/subscription/lapse.py" in listed["SUB-04"]["applied_in"]
        assert any("lapse" in path for path in listed["SUB-04"]["shown_by"])

    def test_the_list_can_be_read_by_people(self) -> None:
        """One rule after another."""
        said = Said("rules", "--scenarios", ROOT / "scenarios")

        assert said.status == 0
        assert "SUB-04" in said.out
        assert "source" in said.out

    def test_a_chapter_can_be_chosen(self) -> None:
        """In either case."""
        said = Said("rules", "--scenarios", ROOT / "scenarios", "--chapter", "sub", "--json")

        assert {each["chapter"] for each in json.loads(said.out)} == {"SUB"}

    def test_a_rule_that_no_scenario_shows_is_a_gap(self, write: Write, sale: str) -> None:
        """Status 1, and the rule is named."""
        folder = write(sale, "few/sale.yaml").parent

        said = Said("rules", "--check", "--scenarios", folder)

        assert said.status == 1
        assert "SUB-04 has no scenario; add one that shows it" in said.complaints
        assert "SUB-07 has no scenario" not in said.complaints

    def test_a_folder_that_shows_every_rule_with_an_effect_has_no_gap(
        self, write: Write, sale: str
    ) -> None:
        """Status 0 with a summary."""
        built = ", ".join(rule.id for rule in rules().values() if rule.has_effect)
        folder = write(sale.replace("SUB-02, SUB-07", built), "all/sale.yaml").parent

        said = Said("rules", "--check", "--scenarios", folder)

        assert said.complaints == ""
        assert said.status == 0
        assert "0 gaps" in said.out

    def test_a_scenario_that_names_an_unknown_rule_is_status_2(
        self, write: Write, sale: str
    ) -> None:
        """With file, line and what to do."""
        path = write(sale.replace("SUB-07", "SUB-77"), "odd/sale.yaml")

        said = Said("rules", "--check", "--scenarios", path.parent)

        assert said.status == 2
        assert f'{path}:2: rules.1: no rule "SUB-77"' in said.complaints

    def test_a_folder_without_scenarios_is_status_2(self, tmp_path: Path) -> None:
        """Not a list of gaps."""
        assert Said("rules", "--check", "--scenarios", tmp_path).status == 2


def _as_json(value: Any) -> Any:
    """Return YAML as JSON has it: instants and dates as text."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case dict():
            fields = cast("dict[str, Any]", value)
            return {name: _as_json(each) for name, each in fields.items()}
        case list():
            return [_as_json(each) for each in cast("tuple[Any, ...]", value)]
        case _:
            return value


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """The schema that the command prints."""
    said = Said("schema")
    assert said.status == 0
    return Draft202012Validator(said.json, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _faults(schema: Draft202012Validator, text: str) -> list[str]:
    """Return what a schema has to say about a YAML text, read as the engine reads it."""
    document = _as_json(parse(text, name="scenario.yaml"))
    errors = schema.iter_errors(document)  # pyright: ignore[reportUnknownMemberType]
    return [f"{error.json_path}: {error.message}" for error in errors]


class TestSchema:
    def test_it_is_a_valid_json_schema(self, schema: Draft202012Validator) -> None:
        """Draft 2020-12, and it says so."""
        printed = cast("dict[str, Any]", schema.schema)

        Draft202012Validator.check_schema(printed)

        assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"

    @pytest.mark.soak
    @pytest.mark.parametrize("path", SCENARIOS[:: sized(4, 1)], ids=lambda path: path.stem)
    def test_it_accepts_every_scenario(self, schema: Draft202012Validator, path: Path) -> None:
        """What the engine replays, an editor accepts."""
        assert _faults(schema, path.read_text(encoding="utf-8")) == []

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param("title:", "titel:", id="key at the top"),
            pytest.param("do: suspend", "does: suspend", id="key of a step"),
            pytest.param("{state: suspended}", "{states: suspended}", id="key of an expectation"),
            pytest.param("refusals:", "refusal:", id="key of the whole run"),
            pytest.param("customer:", "custmer:", id="key of a payload"),
            pytest.param("{sku: E3}", "{sku: E3, color: red}", id="key inside a payload"),
            pytest.param("do: suspend", "do: suspnd", id="name of a request"),
            pytest.param("P1Y", "P2Y", id="word of a payload"),
            pytest.param("      partner: contoso\n", "", id="missing value of a payload"),
            pytest.param("quantity: 30", "quantity: many", id="text for a number"),
            pytest.param("{user: amy}", "{user: amy, role: boss}", id="role"),
            pytest.param("2024-11-01T00:00:00Z", "20241101", id="number for an instant"),
        ],
    )
    def test_it_refuses_what_the_engine_refuses(
        self, schema: Draft202012Validator, sale: str, old: str, new: str
    ) -> None:
        """A misspelt key or word is underlined while it is typed."""
        before, after = _faults(schema, sale), _faults(schema, sale.replace(old, new, 1))

        assert before == []
        assert after != []


class TestProgram:
    def test_the_program_has_the_exit_status_of_its_command(
        self, write: Write, sale: str, failing: str, wrong: str
    ) -> None:
        """0 held, 1 failed, 2 wrong input: what a shell sees."""
        paths = (write(sale, "a.yaml"), write(failing, "b.yaml"), write(wrong, "c.yaml"))

        assert [_process("replay", path).returncode for path in paths] == [0, 1, 2]

    def test_the_help_names_every_command(self) -> None:
        """And says what the engine is."""
        out = Said("--help").out

        assert all(command in out for command in ("replay", "rules", "schema"))

    def test_an_unknown_command_is_status_2(self) -> None:
        """As every command line has it."""
        assert Said("reply").status == 2


def _process(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run the program as a shell would."""
    return subprocess.run(
        [sys.executable, "-m", "sublife.scheduler", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
