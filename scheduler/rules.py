"""The command `rules`: lists what the engine knows, and checks that each rule is applied."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from sublife.events.document import DocumentError
from sublife.scheduler.rulebook import RuleUse, gaps, uses
from sublife.scheduler.scenario import find, load
from sublife.scheduler.screen import Screen, complain
from sublife.scheduler.show import show_rules

HELD, FAILED, WRONG_INPUT = 0, 1, 2


def rules_command(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Fail where a rule is not applied or not shown.")
    ] = False,
    chapter: Annotated[
        list[str] | None, typer.Option(help="Only these chapters, such as SUB.")
    ] = None,
    scenarios: Annotated[
        Path, typer.Option(help="The folder whose scenarios show the rules.")
    ] = Path("scenarios"),
    as_json_: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List every rule: what it says, its source, where it is applied, which scenarios show it.

    With --check, exit status 1 if a rule with an effect is applied nowhere or has no scenario,
    2 if a scenario is wrong or names a rule that does not exist.
    """
    try:
        shown = [(str(path), load(path).rules) for path in find([scenarios])]
    except DocumentError as error:
        complain("wrong input", error)
        raise typer.Exit(WRONG_INPUT) from error
    wanted = {name.upper() for name in chapter or ()}
    found = [use for use in uses(shown) if not wanted or use.rule.chapter in wanted]
    if check:
        raise typer.Exit(_check(found))
    if as_json_:
        sys.stdout.write(json.dumps([_as_mapping(use) for use in found], indent=2) + "\n")
    else:
        show_rules(Screen(highlight=False), found)


def _check(found: Sequence[RuleUse]) -> int:
    missing = gaps(found)
    for line in missing:
        complain("gap", line)
    built = [use for use in found if use.rule.has_effect]
    without = [use for use in found if use.rule.informational]
    sys.stdout.write(
        f"{len(built) + len(without)} rules: {len(built)} have an effect, "
        f"{len(without)} are informational; {len(missing)} gaps\n"
    )
    return FAILED if missing else HELD


def _as_mapping(use: RuleUse) -> dict[str, Any]:
    rule = use.rule
    return {
        "id": rule.id,
        "chapter": rule.chapter,
        "says": rule.says,
        "decision": rule.decision,
        "source": rule.source,
        "origin": rule.origin,
        "effective": rule.effective,
        "informational": rule.informational,
        "applied_in": list(use.applied_in),
        "shown_by": list(use.shown_by),
    }
