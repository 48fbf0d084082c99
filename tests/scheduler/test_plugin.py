"""The pytest plugin: scenarios as tests of a host project."""

import pytest

SETTINGS = """\
[pytest]
sublife_scenarios = scenarios
"""


@pytest.fixture
def host(pytester: pytest.Pytester, sale: str) -> pytest.Pytester:
    """A project with a folder of scenarios, one of which holds, and YAML files of its own."""
    pytester.makeini(SETTINGS)
    _write(pytester, "scenarios/holds.yaml", sale)
    _write(pytester, "scenarios/packs/own.yaml", "pack: own\nextends: microsoft-csp\n")
    _write(pytester, "settings.yaml", "anything: at all\n")
    _write(pytester, "deploy/values.yaml", "- no scenario\n")
    return pytester


def _write(host: pytest.Pytester, name: str, text: str) -> None:
    path = host.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


WITHOUT = ("anyio", "cacheprovider", "freezegun", "hypothesispytest", "schemathesis", "xdist")
STRICT = (*(option for plugin in WITHOUT for option in ("-p", f"no:{plugin}")), "-W", "error")


def _run(host: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest as a strict host would; a process of its own for each would take seconds."""
    return host.runpytest_inprocess(*STRICT, *arguments)


class TestPlugin:
    def test_a_scenario_that_holds_passes(self, host: pytest.Pytester) -> None:
        """One file, one test, in a process in which nothing else has run."""
        host.runpytest_subprocess(*STRICT).assert_outcomes(passed=1)

    def test_only_files_of_the_named_folders_are_collected(self, host: pytest.Pytester) -> None:
        """Other YAML files are left alone, and so are packs."""
        listed = _run(host, "--collect-only", "-q")

        listed.stdout.fnmatch_lines(["scenarios/holds.yaml::scenario", "1 test collected in *"])
        listed.stdout.no_fnmatch_line("*settings.yaml*")
        listed.stdout.no_fnmatch_line("*values.yaml*")
        listed.stdout.no_fnmatch_line("*own.yaml*")

    def test_a_scenario_that_does_not_hold_fails_readably(
        self, host: pytest.Pytester, sale: str
    ) -> None:
        """The title, where, what was expected, what was found; no traceback."""
        _write(host, "scenarios/fails.yaml", sale.replace("state: suspended", "state: active"))

        ran = _run(host)

        ran.assert_outcomes(passed=1, failed=1)
        ran.stdout.fnmatch_lines(
            [
                "*scenario: fails.yaml*",
                "A sale, a refused reactivation and a suspension",
                "step 3, state",
                "*expected*active",
                "*found*suspended",
            ]
        )
        ran.stdout.no_fnmatch_line("*Traceback*")
        ran.stdout.no_fnmatch_line("*pytest_plugin.py*")

    def test_a_wrong_file_fails_with_line_and_remedy(
        self, host: pytest.Pytester, sale: str
    ) -> None:
        """And the others are replayed all the same."""
        _write(host, "scenarios/wrong.yaml", sale.replace("SUB-07", "SUB-77"))

        ran = _run(host)

        ran.assert_outcomes(passed=1, failed=1)
        ran.stdout.fnmatch_lines(['*wrong.yaml:2: rules.1: no rule "SUB-77"*'])

    def test_scenarios_in_folders_below_are_collected_too(
        self, host: pytest.Pytester, sale: str
    ) -> None:
        """As deep as they lie."""
        _write(host, "scenarios/subscription/deep/sale.yaml", sale)

        _run(host).assert_outcomes(passed=2)

    def test_a_folder_may_be_named_in_pyproject(self, pytester: pytest.Pytester, sale: str) -> None:
        """As a list, from the root of the project."""
        pytester.makepyprojecttoml('[tool.pytest.ini_options]\nsublife_scenarios = ["a", "b"]\n')
        _write(pytester, "a/one.yaml", sale)
        _write(pytester, "b/two.yaml", sale)
        _write(pytester, "c/three.yaml", sale)

        _run(pytester).assert_outcomes(passed=2)

    def test_without_the_setting_nothing_is_collected(
        self, pytester: pytest.Pytester, sale: str
    ) -> None:
        """A project that has the engine installed is not searched for scenarios."""
        _write(pytester, "scenarios/sale.yaml", sale)

        assert _run(pytester).ret == pytest.ExitCode.NO_TESTS_COLLECTED

    def test_scenarios_stand_beside_the_tests_of_the_host(self, host: pytest.Pytester) -> None:
        """One run for both."""
        host.makepyfile(test_own="def test_own():\n    assert True\n")

        _run(host).assert_outcomes(passed=2)

    def test_one_scenario_can_be_chosen_by_its_path(self, host: pytest.Pytester, sale: str) -> None:
        """As any test file can."""
        _write(host, "scenarios/other.yaml", sale)

        _run(host, "scenarios/other.yaml").assert_outcomes(passed=1)
