"""Each rule switched off in turn makes a scenario fail that lists it."""

import pytest

from sublife.scheduler.rulebook import rules
from tests.mutation.register import SWITCHES, effective
from tests.mutation.run import files, listed, until_noticed, without
from tests.mutation.switch import SwitchError, figure, granted, returning, row, switched
from tests.scale import sized


@pytest.mark.soak
@pytest.mark.parametrize("rule", SWITCHES)
def test_a_scenario_fails_without_the_rule(rule: str) -> None:
    """One of those that list it, for what it expects and not because nothing works any more.

    In full all that list it are run; else the first one that fails is enough.
    """
    paths = listed().get(rule, ())

    noticed = sized(until_noticed, without)(SWITCHES[rule].by, paths)

    assert [each.path for each in noticed if each.differences], f"{rule} is not caught"
    assert not [f"{each.path}: {each.broken}" for each in noticed if each.broken]


def test_every_rule_with_an_effect_has_a_switch() -> None:
    """A rule that is added is switched off as well; without effect there is nothing to switch."""
    assert SWITCHES.keys() == {rule.id for rule in effective()}


def test_every_scenario_lists_rules_that_there_are() -> None:
    """The count of the report would be wrong otherwise."""
    assert listed().keys() <= rules().keys()


@pytest.mark.soak
def test_a_switch_that_changes_nothing_lets_every_scenario_hold() -> None:
    """What fails without a rule fails for its absence, not for the way scenarios are run."""
    noticed = without((), files()[:: sized(6, 1)])

    assert [each for each in noticed if each.differences or each.broken] == []


def test_everything_is_put_back_after_a_rule_was_off() -> None:
    """Figures, functions, rows and refusals alike."""
    paths = listed()["SUB-12"]
    with switched((*SWITCHES["SUB-12"].by, figure("grace", 0), granted("TRIAL_LOCKED"))):
        pass

    noticed = without((), paths)

    assert [each for each in noticed if each.differences or each.broken] == []


def test_a_switch_that_is_not_there_is_told() -> None:
    """An entry cannot outlive the function that it names."""
    with (
        pytest.raises(SwitchError, match=r"lifecycle\.dates\.tomorrow"),
        switched((returning("lifecycle.dates.tomorrow", None),)),
    ):
        pass


def test_a_row_that_is_not_there_is_told() -> None:
    """Nor the row of a table."""
    with (
        pytest.raises(SwitchError, match="no row of subscription"),
        switched((row("subscription", "resurrect", to=None),)),
    ):
        pass
