"""A scenario with subjects of several lifecycles: each is looked at by its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sublife.events.document import DocumentError
from sublife.scheduler.replay import Result
from sublife.scheduler.scenario import loads
from sublife.scheduler.schema import scenario_schema

MOVE = """\
title: A renewal to CSP, seen from the agreement, the schedule and the subscription
rules: [EA-15]
by: {user: amy, role: admin-agent, partner: contoso, partner_type: direct-bill}
steps:
  - at: 2024-09-02T08:00:00Z
    do: record_agreement
    subject: ea-1
    lifecycle: agreement
    by: {microsoft: volume-licensing}
    with:
      customer: tailspin
      ends_on: 2024-09-30
      subscriptions: [{id: mail, product: {sku: E3}, quantity: 30}]
  - at: 2024-09-03T09:00:00Z
    do: schedule
    subject: move-1
    lifecycle: transfer
    with:
      agreement: ea-1
      ea_subscription: mail
      customer: tailspin
      partner: contoso
      into: s1
      term: P1Y
      billing: monthly
  - at: 2024-09-04T09:00:00Z
    do: edit_schedule
    subject: move-1
    with: {quantity: 31}
    expect:
      state: scheduled
      due: {processing_due: 2024-10-01T00:00:00Z}
  - at: 2024-10-01T00:00:00Z
    subject: move-1
    expect:
      state: completed
      subjects:
        ea-1: {state: recorded, due: {}, fields: {ends_on: 2024-09-30}, allowed: AGREEMENT}
        s1:
          {state: active, users: true, due: {term_ended: 2025-10-01T00:00:00Z},
           fields: {quantity: 31}}
"""
ALLOWED = "[renew_agreement, extend_agreement, put_on_ept, note_ea_subscription]"
HELD = MOVE.replace("AGREEMENT}", f"{ALLOWED}}}")


def test_each_subject_is_looked_at_by_its_own_lifecycle(play: Callable[[str], Result]) -> None:
    """A later step names no lifecycle, and `subjects` names subjects of any."""
    result = play(HELD)

    assert result.differences == ()


def test_what_a_subject_of_that_lifecycle_cannot_show_is_a_difference(
    play: Callable[[str], Result],
) -> None:
    """A schedule has no users; asking for them is no crash."""
    result = play(HELD.replace("state: scheduled", "users: true\n      wire: {id: move-1}"))

    assert [each.where for each in result.differences] == ["step 3, users", "step 3, wire.id"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("state: recorded", "state: active", 'no state "active"'),
        ("fields: {quantity: 31}", "fields: {ea_ends_on: 2024-09-30}", 'unknown key "ea_ends_on"'),
        ("{term_ended: 2025", "{processing_due: 2025", "no such timer"),
        ("do: edit_schedule", "do: add_seats", 'no request "add_seats"'),
    ],
)
def test_a_word_of_another_lifecycle_is_a_mistake(old: str, new: str, told: str) -> None:
    """Found on load, by the lifecycle of the subject that is looked at."""
    assert old in HELD

    with pytest.raises(DocumentError, match=told):
        loads(HELD.replace(old, new), Path("move.yaml"))


PAYLOAD = {
    "agreement": "ea-1",
    "ea_subscription": "mail",
    "customer": "tailspin",
    "partner": "contoso",
    "into": "s1",
    "term": "P1Y",
    "billing": "monthly",
}


@pytest.mark.parametrize(
    ("more", "payload", "accepted"),
    [
        ({"lifecycle": "transfer"}, PAYLOAD, True),
        ({"lifecycle": "transfer"}, {**PAYLOAD, "agreement": 1}, False),
        ({"lifecycle": "migration"}, PAYLOAD, False),
        ({}, PAYLOAD, True),
        ({}, {"agreement": "ea-1"}, False),
    ],
)
def test_the_schema_tells_two_requests_of_one_name_apart(
    more: dict[str, str], payload: dict[str, Any], accepted: bool
) -> None:
    """By the step's lifecycle; where it names none, any of them will do."""
    step = {"at": "2024-09-03T09:00:00Z", "do": "schedule", "subject": "m", **more, "with": payload}
    document = {"title": "A schedule", "rules": ["EA-18"], "steps": [step]}

    schema = Draft202012Validator(scenario_schema())

    assert schema.is_valid(document) == accepted  # pyright: ignore[reportUnknownMemberType]
