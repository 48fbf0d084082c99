"""Rules × caught: which scenarios fail without each rule, as a table for people."""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any

from tests.mutation.part import UNSHOWN, parts
from tests.mutation.register import SWITCHES, numbered
from tests.mutation.run import files, first_noticed, listed, without

BROAD = 0.5
"""The share of all scenarios from which on a switch-off needs a reason."""


@dataclass(frozen=True, slots=True)
class Caught:
    """What became of one rule switched off.

    Args:
        rule: its id.
        as_if: what the engine does without it.
        listed: how many scenarios list the rule.
        failed: how many of them fail without it.
        broken: scenarios that could not run to their end, and why; there should be none.
        everywhere: how many of all scenarios fail; `None` if only those that list it were asked.
        broad: why that may be more than half.
    """

    rule: str
    as_if: str
    listed: int
    failed: int
    broken: tuple[str, ...] = ()
    everywhere: int | None = None
    broad: str = ""

    @property
    def held(self) -> bool:
        """Whether a scenario notices, for the rule's own sake."""
        return self.failed > 0 and not self.broken and (bool(self.broad) or not self.is_broad)

    @property
    def is_broad(self) -> bool:
        """Whether so many fail that it may be no matter of this rule."""
        return self.everywhere is not None and self.everywhere > BROAD * len(files())


def caught(rule: str, *, everywhere: bool = False) -> Caught:
    """Switch one rule off and run the scenarios that list it, or all there are."""
    switch = SWITCHES[rule]
    own = listed().get(rule, ())
    asked = files() if everywhere else own
    noticed = dict(zip(asked, without(switch.by, asked), strict=True))
    broken = tuple(f"{each.path}: {each.broken}" for each in noticed.values() if each.broken)
    return Caught(
        rule,
        switch.as_if,
        len(own),
        sum(bool(noticed[path].differences) for path in own),
        broken,
        sum(bool(each.differences) for each in noticed.values()) if everywhere else None,
        switch.broad,
    )


@contextmanager
def _hands(jobs: int) -> Generator[Any]:
    if jobs == 1:
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield pool.map


def report_rules(rules: Sequence[str], *, everywhere: bool, jobs: int) -> bool:
    """Print a line for each rule and the totals; return whether all is caught."""
    found: list[Caught] = []
    print(f"{'rule':8}{'listed':>8}{'failed':>8}{'of all':>8}  without it")
    with _hands(jobs) as hand:
        for each in hand(partial(caught, everywhere=everywhere), rules):
            found.append(each)
            print("\n".join(_lines(each)), flush=True)
    told = [rule for rule in numbered() if rule.informational and len(rules) == len(SWITCHES)]
    for rule in told:
        print(f"{rule.id:8}{'informational':>24}  {rule.informational}")
    held = sum(each.held for each in found)
    print(
        f"{len(found) + len(told)} rules: {len(found)} switched off, {held} caught, "
        f"{len(told)} informational"
    )
    return held == len(found)


def _lines(each: Caught) -> Iterator[str]:
    everywhere = "" if each.everywhere is None else str(each.everywhere)
    yield f"{each.rule:8}{each.listed:>8}{each.failed:>8}{everywhere:>8}  {each.as_if}"
    if not each.failed:
        yield f"{'':34}NOT CAUGHT: no scenario that lists it fails"
    for broken in each.broken:
        yield f"{'':34}BROKEN: {broken}"
    if each.is_broad:
        yield f"{'':34}more than half of all: {each.broad or 'WITHOUT A REASON'}"


def report_parts(kinds: Iterable[str], *, jobs: int) -> bool:
    """Print the parts that no scenario notices, and the totals; return whether there are none.

    Args:
        kinds: of parts; all of them if none is named.
        jobs: processes.
    """
    wanted = frozenset(kinds)
    numbers = [number for number, part in enumerate(parts()) if not wanted or part.kind in wanted]
    changed, missed, unshown = Counter[str](), Counter[str](), Counter[str]()
    with _hands(jobs) as hand:
        for kind, name, path in hand(part_at, numbers):
            changed[kind] += 1
            if not path and name in UNSHOWN:
                unshown[kind] += 1
                print(f"{kind:10}{name}: not shown, since {UNSHOWN[name]}", flush=True)
            elif not path:
                missed[kind] += 1
                print(f"{kind:10}{name}: NOT CAUGHT", flush=True)
    for kind, number in changed.items():
        caught_ones = number - missed[kind] - unshown[kind]
        print(f"{kind:10}{number} changed, {caught_ones} caught, {unshown[kind]} not shown")
    return not missed


def part_at(number: int) -> tuple[str, str, str]:
    """Return kind and name of the *number*-th part, and the scenario that notices its absence."""
    part = next(islice(parts(), number, None))
    noticed = () if part.name in UNSHOWN else first_noticed(part.by, part.rules)
    return part.kind, part.name, next((each.path for each in noticed if each.differences), "")
