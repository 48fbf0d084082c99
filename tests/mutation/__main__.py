"""`python -m tests.mutation`: rules × caught."""

import sys
from argparse import ArgumentParser

from tests.mutation.register import SWITCHES
from tests.mutation.report import report_parts, report_rules


def main() -> int:
    """Run what the command line asks for; exit status 1 if something is not caught."""
    parser = ArgumentParser(
        prog="python -m tests.mutation",
        description="Switches each rule off in turn and says which scenarios fail without it.",
    )
    parser.add_argument("rules", nargs="*", help="rules or chapters, such as SUB-04 or SUB")
    parser.add_argument("--all", action="store_true", help="run every scenario, not the listed")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--parts",
        action="store_true",
        help="take out each row, objection, refusal, figure, date and record instead; "
        "name kinds in the place of rules",
    )
    asked = parser.parse_args()
    if asked.parts:
        return 0 if report_parts(asked.rules, jobs=asked.jobs) else 1
    chosen = [rule for rule in SWITCHES if not asked.rules or rule.startswith(tuple(asked.rules))]
    if not chosen:
        parser.error(f"no rule {' '.join(asked.rules)}; `sublife rules` lists them")
    return 0 if report_rules(chosen, everywhere=asked.all, jobs=asked.jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
