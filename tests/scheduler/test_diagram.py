"""State diagrams: drawn from the rules, and the page in the documents is current."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import ABSENT, Lifecycle
from sublife.scheduler.cli import app
from sublife.scheduler.diagram import diagram, document, section

PAGE = Path(__file__).parents[2] / "docs" / "lifecycles.md"
CUSTOMER = """\
stateDiagram-v2
    state "unrelated" as unrelated
    state "related" as related
    [*] --> unrelated: register
    [*] --> related: create
    unrelated --> related: accept_relationship
    related --> unrelated: end_relationship [last relationship]"""


def test_the_page_in_the_documents_is_current() -> None:
    """Else write it anew: `sublife lifecycles > docs/lifecycles.md`."""
    assert PAGE.read_text("utf-8") == document(LIFECYCLES.values())


def test_every_lifecycle_of_the_catalog_has_its_section() -> None:
    text = document(LIFECYCLES.values())

    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(LIFECYCLES)
    assert text.count("```mermaid") == len(LIFECYCLES)


def test_a_small_lifecycle_is_drawn_whole() -> None:
    assert diagram(LIFECYCLES["customer"]) == CUSTOMER


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_every_change_of_state_is_drawn(lifecycle: Lifecycle) -> None:
    drawn = diagram(lifecycle).splitlines()

    for rule in lifecycle.rules:
        for source in map(str, rule.sources):
            if rule.to is None or str(rule.to) == source:
                continue
            begin = "[*]" if source == ABSENT else source.replace("-", "_")
            arrow = f"    {begin} --> {str(rule.to).replace('-', '_')}: "
            (line,) = [each for each in drawn if each.startswith(arrow)]
            assert rule.event in line


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_every_state_is_named_and_every_final_one_ends(lifecycle: Lifecycle) -> None:
    drawn = diagram(lifecycle).splitlines()

    for state in map(str, lifecycle.states):
        name = state.replace("-", "_")
        assert f'    state "{state}" as {name}' in drawn
        assert (f"    {name} --> [*]" in drawn) == (state in set(map(str, lifecycle.final)))


def test_timed_events_have_a_clock_and_conditions_stand_in_brackets() -> None:
    drawn = diagram(LIFECYCLES["subscription"])

    assert "    grace --> disabled: ⏱ grace_ended" in drawn.splitlines()
    assert "expired --> disabled: ⏱ expiry_ended [grants no grace]" in drawn


def test_what_leaves_a_state_as_it_is_stands_in_the_list() -> None:
    text = section(LIFECYCLES["subscription"])
    rows = {line.split("`")[1]: line for line in text.splitlines() if line.startswith("| `")}

    assert "`add_seats`" in rows["active"]
    assert "*renewal_ended*" in rows["active"]
    assert "`add_seats`" not in rows["suspended"]
    assert "Begins in a state of its own: `adopt`." in text


def test_the_order_of_the_rules_alone_orders_the_arrows() -> None:
    """The same definition gives the same text, always."""
    lifecycle = LIFECYCLES["partner"]

    assert section(lifecycle) == section(replace(lifecycle))


def test_the_command_prints_all_or_those_named() -> None:
    runner = CliRunner()

    whole, part = runner.invoke(app, ["lifecycles"]), runner.invoke(app, ["lifecycles", "customer"])

    assert (whole.exit_code, part.exit_code) == (0, 0)
    assert whole.stdout == document(LIFECYCLES.values())
    assert part.stdout == document([LIFECYCLES["customer"]])


@pytest.mark.parametrize(
    ("content", "status", "says"),
    [
        ("whole", 0, ""),
        ("old", 1, "write it again: sublife lifecycles >"),
        (None, 2, "cannot be read"),
    ],
)
def test_checking_a_page_tells_whether_it_is_current(
    content: str | None, status: int, says: str, tmp_path: Path
) -> None:
    page = tmp_path / "lifecycles.md"
    if content is not None:
        page.write_text(document(LIFECYCLES.values()) if content == "whole" else content, "utf-8")

    result = CliRunner().invoke(app, ["lifecycles", "--check", str(page)])

    assert result.exit_code == status
    assert says in result.output
    assert "stateDiagram" not in result.output


def test_an_unknown_lifecycle_is_wrong_input() -> None:
    result = CliRunner().invoke(app, ["lifecycles", "garden"])

    assert result.exit_code == 2
    assert 'no lifecycle "garden"; use one of subscription' in result.output
