"""Conditions of a request: If-Match and If-None-Match, as RFC 9110 compares entity tags."""

import re
from dataclasses import dataclass

from sublife.scheduler.api.brief import shown
from sublife.scheduler.api.problem import Problem

_TAG = re.compile(r'(W/)?("[!#-~\x80-\xff]*")')
_VERSION = re.compile(r'"(0|[1-9][0-9]{0,8})"')
_LONGEST = 1000
MATCH = r'^(\*|((W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*))$'
"""How a condition is written, for the OpenAPI document."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What one of the two headers says.

    Args:
        is_any: it is `*`.
        strong: tags as they are quoted, in order.
        weak: tags after `W/`, as they are quoted, in order.
    """

    is_any: bool
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()

    @property
    def versions(self) -> list[int]:
        """The versions of a subject that the condition names; only strong tags name one."""
        found = (_VERSION.fullmatch(each) for each in self.strong)
        return [int(each[1]) for each in found if each]

    def names_weakly(self, tag: str) -> bool:
        """Return whether a tag is named, weak or strong, or any is."""
        return self.is_any or tag in self.strong or tag in self.weak


def condition(name: str, value: str | None) -> Condition | None:
    """Return what a header says; `None` where it is not sent.

    Args:
        name: of the header.
        value: of the header: `*`, or entity tags with commas between them.

    Raises:
        Problem: 400, where it is neither.
    """
    if value is None:
        return None
    if value.strip() == "*":
        return Condition(is_any=True)
    parts = [each.strip(" \t") for each in _split(value)] if len(value) <= _LONGEST else []
    found = [_TAG.fullmatch(each) for each in parts if each]
    if not found or not all(found):
        raise _malformed(name, value)
    tags = [(each[1], each[2]) for each in found if each]
    return Condition(
        is_any=False,
        strong=tuple(tag for weak, tag in tags if not weak),
        weak=tuple(tag for weak, tag in tags if weak),
    )


def _split(value: str) -> list[str]:
    """Cut a list at the commas outside of quotes; empty parts count for nothing."""
    return re.findall(r'(?:"[^"]*"|[^",])+|"', value)


def _malformed(name: str, value: str) -> Problem:
    detail = (
        f'{shown(value)} is not an entity tag; send the ETag of GET with its quotes, such as "3", '
        "several with commas between them, or *"
    )
    fault = {"parameter": name, "detail": detail}
    return Problem(400, "BAD_CONDITION", f"{name}: {detail}", errors=[fault])
