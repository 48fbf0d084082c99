"""Every definition is sound, and what a broken one has wrong with it is told."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from sublife.lifecycle.catalog import LIFECYCLES
from sublife.lifecycle.model import (
    ABSENT,
    Case,
    Effect,
    Lifecycle,
    Payload,
    Rule,
    Snapshot,
    Standing,
    Timer,
)
from sublife.lifecycle.soundness import faults


def _act(case: Case[Snapshot, Payload]) -> Effect[Snapshot]:
    return Effect(case.subject)


def _is_green(_here: Standing[Any]) -> bool:
    return True


def _no_timers(_subject: Snapshot) -> tuple[Timer, ...]:
    return ()


REQUESTS: Mapping[str, type[Payload]] = MappingProxyType({"sow": Payload, "water": Payload})
SOW = Rule("sow", (ABSENT,), "seed", _act, ("GEN-01",))
WATER = Rule("water", ("seed",), "plant", _act, ("GEN-01",))
WITHER = Rule("summer_ended", ("plant",), "dead", _act, ("GEN-01",))
TOY = Lifecycle(
    name="toy",
    snapshot=Snapshot,
    states=("seed", "plant", "dead"),
    final=frozenset({"dead"}),
    requests=REQUESTS,
    ticks=("summer_ended",),
    rules=(SOW, WATER, WITHER),
    closed=(),
    timers=_no_timers,
)


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_every_lifecycle_of_the_catalog_is_sound(lifecycle: Lifecycle) -> None:
    assert faults(lifecycle) == ()


def test_a_sound_toy_has_no_faults() -> None:
    assert faults(TOY) == ()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        pytest.param(
            replace(TOY, rules=(SOW, replace(WATER, to=None), WITHER)),
            [
                "nothing leads to plant; add a rule, or take the state out",
                "nothing leads to dead; add a rule, or take the state out",
                "nothing leaves seed, and it is not final; add a rule, or make it final",
            ],
            id="a state that nothing leads to",
        ),
        pytest.param(
            replace(TOY, final=frozenset[str]()),
            ["nothing leaves dead, and it is not final; add a rule, or make it final"],
            id="a dead end",
        ),
        pytest.param(
            replace(
                TOY,
                rules=(SOW, WATER, replace(WITHER, to="plant"), replace(WATER, to="dead")),
            ),
            [
                "nothing leaves plant, and it is not final; add a rule, or make it final",
                (
                    "water in seed has 2 rules without a condition; "
                    "give all but the last one a condition"
                ),
            ],
            id="a rule that leads back to where it is does not leave it",
        ),
        pytest.param(
            replace(TOY, rules=(SOW, WATER, WITHER, replace(WATER, sources=("dead",), to="seed"))),
            ["water leaves dead, which is final; remove one of the two"],
            id="a final state that is left",
        ),
        pytest.param(
            replace(TOY, rules=(SOW, WATER, WATER, WITHER)),
            [
                (
                    "water in seed has 2 rules without a condition; "
                    "give all but the last one a condition"
                )
            ],
            id="two rules for one cell",
        ),
        pytest.param(
            replace(TOY, ticks=("summer_ended", "winter_ended")),
            ["no rule takes the timer winter_ended; add one, or take it out of the timers"],
            id="a timer without a rule",
        ),
        pytest.param(
            replace(TOY, ticks=()),
            ["a rule takes summer_ended, which is neither a request nor a timer; list it"],
            id="a rule for a timer that nobody lists",
        ),
        pytest.param(
            replace(TOY, rules=(SOW, WATER, WITHER, replace(WATER, sources=("stone",), to="moss"))),
            [
                "water names the unknown state stone; fix the name",
                "water names the unknown state moss; fix the name",
            ],
            id="states that there are not",
        ),
        pytest.param(
            replace(TOY, final=frozenset({"dead", "burnt"})),
            ["the final state burnt is unknown; fix the name"],
            id="a final state that there is not",
        ),
    ],
)
def test_what_is_wrong_is_told_with_place_and_remedy(broken: Lifecycle, told: list[str]) -> None:
    assert list(faults(broken)) == [f"toy: {each}" for each in told]


@pytest.mark.parametrize(
    "rules",
    [
        (SOW, replace(WATER, when=(_is_green,)), WATER, WITHER),
        (SOW, WATER, replace(WATER, sources=("plant",), to=None), WITHER),
    ],
    ids=["a condition on all but the last", "the same event in another state"],
)
def test_several_rules_of_one_event_are_sound_if_one_can_be_chosen(rules: tuple[Rule, ...]) -> None:
    assert faults(replace(TOY, rules=rules)) == ()


def test_a_loop_without_an_end_is_sound() -> None:
    """What only goes round is no dead end: a customer may come and go for ever."""
    back = Rule("summer_ended", ("plant",), "seed", _act, ("GEN-01",))

    loop = replace(TOY, states=("seed", "plant"), final=frozenset(), rules=(SOW, WATER, back))

    assert faults(loop) == ()
