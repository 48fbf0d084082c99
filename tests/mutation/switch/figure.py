"""Switches for the figures and readings of the policy packs."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from sublife.events.packs import load_pack
from sublife.lifecycle.policy import Policy
from tests.mutation.switch.function import result
from tests.mutation.switch.install import Change, Changes, SwitchError


def figure(name: str, value: object) -> Change:
    """Let a figure of every pack have one value at all times."""

    def changed(policy: Policy) -> Policy:
        return _figured(policy, name, lambda span: replace(span, value=value, earlier=None))

    return policies(changed)


def reading(switch: str, option: str) -> Change:
    """Let one reading of a documented conflict hold, whatever is chosen."""

    def of(found: str, _policy: Policy, name: str, _at: object) -> str:
        return option if name == switch else found

    return result("lifecycle.policy.Policy.switch", of)


def _figured(policy: Policy, name: str, of: Callable[[Any], Any]) -> Policy:
    old = policy.figures[name]
    spans = {option: tuple(map(of, each)) for option, each in old.spans.items()}
    return replace(
        policy, figures=MappingProxyType({**policy.figures, name: replace(old, spans=spans)})
    )


def policies(changed: Callable[[Policy], Policy]) -> Change:
    """Change every policy pack as it is read."""

    def change(changes: Changes) -> None:
        if changed(load_pack()) == load_pack():
            raise SwitchError("the policy pack is not changed; fix the entry")
        changes.policies.append(changed)

    return change
