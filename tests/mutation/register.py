"""Every rule that is switched off, by chapter; and the rules that have nothing to switch off."""

from collections.abc import Mapping
from types import MappingProxyType

from sublife.scheduler.rulebook import RuleText, rules
from tests.mutation.chapter import aut, ea, evt, gen, hst, leg, man, sub, trm
from tests.mutation.switch import Off

CHAPTERS = (gen, sub, trm, ea, man, leg, aut, hst, evt)

SWITCHES: Mapping[str, Off] = MappingProxyType(
    {rule: switch for chapter in CHAPTERS for rule, switch in chapter.OFF.items()}
)
"""How each rule is switched off."""


def numbered() -> tuple[RuleText, ...]:
    """Return the rules of the chapters; the tables that they cite are no rules of their own."""
    return tuple(rule for rule in rules().values() if rule.chapter != "TABLES")


def effective() -> tuple[RuleText, ...]:
    """Return the rules that have an effect, so that they can be switched off."""
    return tuple(rule for rule in numbered() if not rule.informational)
