"""Switches for what is refused, told and recorded."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, cast

from sublife.lifecycle.model import Refusal
from tests.mutation.switch.function import around, result
from tests.mutation.switch.install import Change, Changes, SwitchError


def granted(code: str, rule: str | None = None) -> Change:
    """Let nothing be refused with *code*, or only not by *rule*.

    What asks goes on; an act that has nothing left to do then accepts and does nothing.
    """

    def make(original: Any) -> Any:
        def refused(name: str, *given: Any, **named: Any) -> Refusal | None:
            refusal = cast("Refusal | None", original(name, *given, **named))
            if refusal is None or (name == code and rule in {None, refusal.rule}):
                return None
            return refusal

        return refused

    def change(changes: Changes) -> None:
        changes.swaps.append(("lifecycle.refusal.refuse", make))
        changes.granted.append((code, rule))

    return change


def _decided(of: Callable[[Any], Any]) -> Change:
    """Let `decide` return what *of* makes of a decision."""

    def changed(found: Any, *_given: Any, **_named: Any) -> Any:
        return found if isinstance(found, Refusal) else of(found)

    return result("lifecycle.machine.decide", changed)


def untold(*names: str) -> Change:
    """Let facts of these names not be told."""

    def of(decision: Any) -> Any:
        facts = tuple(fact for fact in decision.facts if fact.name not in names)
        return decision._replace(facts=facts)

    return _decided(of)


def unfollowed(*names: str) -> Change:
    """Let no event of these names follow from another."""

    def of(decision: Any) -> Any:
        left = tuple(each for each in decision.follow_ups if each.name not in names)
        return decision._replace(follow_ups=left)

    return _decided(of)


def unadvised(code: str) -> Change:
    """Let an advisory of this code not be given."""

    def of(decision: Any) -> Any:
        facts = tuple(fact for fact in decision.facts if not _advises(fact, code))
        return decision._replace(facts=facts)

    return _decided(of)


def _advises(fact: Any, code: str) -> bool:
    return bool(fact.name == "manual-purchase-advisory" and fact.data["code"] == code)


def recording(*facts: str, **values: Any) -> Change:
    """Let these facts leave other records behind."""

    def make(original: Any) -> Any:
        for fact in facts:
            if fact not in original:
                raise SwitchError(f"there is no recording of {fact}; fix the entry")
        changed = {name: replace(original[name], **values) for name in facts}
        return MappingProxyType({**original, **changed})

    return around("events.records.RECORDINGS", make)
