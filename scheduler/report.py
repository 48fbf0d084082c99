"""Results for machines: JSON and JUnit XML."""

import json
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

from sublife.events.printable import printable_json
from sublife.lifecycle.model import iso
from sublife.scheduler.replay import Result, total_digest


def as_json(results: Sequence[Result]) -> str:
    """Return every result with its timeline as one JSON document; same input, same bytes."""
    body = {
        "held": all(result.held for result in results),
        "digest": total_digest(results),
        "scenarios": [_scenario(result) for result in results],
    }
    return printable_json(json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True))


def _scenario(result: Result) -> dict[str, Any]:
    return {
        "path": result.path,
        "title": result.title,
        "rules": list(result.rules),
        "held": result.held,
        "digest": result.digest,
        "faults": list(result.faults),
        "differences": [
            {"where": each.where, "expected": each.expected, "found": each.found}
            for each in result.differences
        ],
        "timeline": [
            {
                "at": iso(line.at),
                "subject": line.subject,
                "event": line.event,
                "actor": line.actor,
                "state_before": line.state_before,
                "state": line.state,
                "facts": list(line.facts),
                "rules": list(line.rules),
                "code": line.code,
                "sentence": line.sentence,
                "tells": list(line.tells),
            }
            for line in result.timeline
        ],
    }


def as_junit(results: Sequence[Result]) -> bytes:
    """Return the results as JUnit XML: one test case per scenario; times are left out."""
    failed = sum(1 for result in results if result.differences)
    wrong = sum(1 for result in results if result.faults)
    counts = {"tests": str(len(results)), "failures": str(failed), "errors": str(wrong)}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": "scenarios", **counts})
    for result in results:
        case = ET.SubElement(
            suite, "testcase", {"classname": result.path, "name": result.title or result.path}
        )
        if result.faults:
            ET.SubElement(case, "error", {"message": "wrong input"}).text = "\n".join(result.faults)
        elif result.differences:
            failure = ET.SubElement(case, "failure", {"message": "an expectation did not hold"})
            failure.text = describe(result)
    ET.indent(suites)
    body: bytes = ET.tostring(suites, "utf-8", xml_declaration=True)
    return body + b"\n"


def describe(result: Result) -> str:
    """Return the differences of a result as plain text."""
    return "\n".join(
        f"{each.where}\n  expected  {each.expected}\n  found     {each.found}"
        for each in result.differences
    )
