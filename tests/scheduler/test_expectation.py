"""What a scenario may expect of the log, of webhooks and of posts: exact, and checked on load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sublife.events.document import DocumentError
from sublife.scheduler.replay import Result
from sublife.scheduler.scenario import loads
from sublife.scheduler.schema import scenario_schema

Play = Callable[[str], Result]

SALE = """\
title: A sale that is logged and posted
rules: [EVT-07]
by: {user: amy, partner: contoso}
endpoints:
  - {id: billing, answers: [500, 204]}
steps:
  - at: 2024-10-01T09:00:00Z
    do: purchase
    subject: s1
    id: order-1
    with: {customer: tailspin, partner: contoso, product: {sku: E3}, quantity: 1, term: P1Y,
           billing: monthly}
    expect: EXPECTED
  - {at: 2024-10-02T09:00:00Z, do: turn_autorenew_off, subject: s1, expect: MIDDLE}
  - at: 2024-11-02T09:00:00Z
    expect: LATER
"""


def sale(expected: str = "{}", middle: str = "{}", later: str = "{facts: []}") -> str:
    """Return the scenario with expectations of its three steps."""
    return SALE.replace("EXPECTED", expected).replace("MIDDLE", middle).replace("LATER", later)


def found(result: Result) -> list[tuple[str, str]]:
    """Return where something differed, and what was found."""
    return [(each.where, each.found) for each in result.differences]


LOG = "[2024-10-02T09:00:00Z, tailspin, update_subscription, amy]"


@pytest.mark.parametrize(
    "log",
    [
        f"{{rows: [{LOG}]}}",
        "{columns: [Date-Time, Affected customer, Action, Partner user], rows: [{kind: renewal}]}",
        "{since: 2024-10-02T09:00:01Z, rows: []}",
        "{all: true, until: 2024-10-02T09:00:00Z, rows: []}",
        "{customer: wingtip, rows: []}",
        "{kind: migration, rows: []}",
        "{orders: true, all: true, rows: [[2024-10-01T09:00:00Z, tailspin, create_order, order]]}",
    ],
)
def test_the_log_is_what_would_be_exported(play: Play, log: str) -> None:
    """EVT-07: the last month, or what is asked for."""
    assert found(play(sale(later=f"{{log: {log}}}"))) == []


@pytest.mark.parametrize(
    ("log", "where"),
    [
        ("{rows: []}", "step 3, log"),
        (f"{{rows: [{LOG}, {LOG}]}}", "step 3, log"),
        (
            "{rows: [{Partner user: ben}]}",
            "step 3, log, number 1 (2024-10-02T09:00:00Z tailspin update_subscription amy)",
        ),
        ("{columns: [Action]}", "step 3, log, columns"),
    ],
)
def test_another_log_is_a_difference(play: Play, log: str, where: str) -> None:
    """Nothing missing, nothing extra."""
    assert [each for each, _ in found(play(sale(later=f"{{log: {log}}}")))] == [where]


def test_a_second_later_the_month_is_over(play: Play) -> None:
    """EVT-07: the span is a calendar month."""
    late = sale(later="{log: {rows: []}}").replace("2024-11-02T09:00:00Z", "2024-11-02T09:00:01Z")

    assert found(play(late)) == []


def test_a_webhook_may_be_a_name_or_fields_of_its_body(play: Play) -> None:
    """EVT-10."""
    body = (
        "{EventName: subscription-updated, ResourceName: subscription, AuditUri: null, "
        'ResourceChangeUtcDate: "2024-10-01T09:00:00.0000000+00:00"}'
    )

    result = play(sale(f"{{webhooks: [{body}]}}", "{webhooks: [subscription-updated]}"))

    assert found(result) == []


@pytest.mark.parametrize(
    ("webhooks", "where"),
    [
        ("[]", "step 1, webhooks"),
        ("[{ResourceName: subscription}, subscription-updated]", "step 1, webhooks"),
        (
            "[{ResourceName: customer}]",
            "step 1, webhooks, number 1 (subscription-updated)",
        ),
    ],
)
def test_another_webhook_is_a_difference(play: Play, webhooks: str, where: str) -> None:
    """EVT-10."""
    assert [each for each, _ in found(play(sale(f"{{webhooks: {webhooks}}}")))] == [where]


def test_a_post_is_tried_again_when_it_is_due(play: Play) -> None:
    """EVT-13: each one is signed, and what comes later waits behind it."""
    first = (
        "{posts: [{endpoint: billing, attempt: 1, signed: true, answer: 500, "
        "body: {EventName: subscription-updated}}], deliveries: [pending]}"
    )
    later = (
        "{posts: [{attempt: 2, at: 2024-10-01T09:01:00Z, answer: 204}, "
        "{attempt: 1, at: 2024-10-02T09:00:00Z}], deliveries: [delivered, {attempts: 1}]}"
    )

    result = play(sale(first, later, "{posts: []}"))

    assert found(result) == []


def test_other_posts_are_a_difference(play: Play) -> None:
    """Nothing missing, nothing extra."""
    wheres = [each for each, _ in found(play(sale("{posts: [], deliveries: [dead]}")))]

    assert wheres == [
        "step 1, posts",
        "step 1, deliveries, number 1 (billing subscription-created pending)",
    ]


def test_an_endpoint_that_cannot_be_reached_is_tried_again(play: Play) -> None:
    """EVT-13: no answer is a failed attempt."""
    text = sale("{deliveries: [{status: pending, status_code: null}]}").replace("500", "null")

    assert found(play(text)) == []


def test_an_endpoint_gets_what_it_asks_for(play: Play) -> None:
    """Filters are those of the outbox."""
    text = sale("{posts: []}", "{posts: [{name: subscription-updated}]}").replace(
        "{id: billing, answers: [500, 204]}",
        "{id: billing, facts: [subscription-autorenew-changed], customers: [tailspin]}",
    )

    assert found(play(text)) == []


def test_cloudevents_are_posted_with_their_type(play: Play) -> None:
    """The other shape of a body."""
    text = sale("{posts: [sublife.subscription-created]}").replace(
        "answers: [500, 204]", "body: cloudevents, facts: [subscription-created]"
    )

    assert found(play(text)) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("LATER", "{log: {}}", 'steps.2.expect.log: expects nothing; add "columns" or "rows"'),
        ("LATER", "{log: {rows: [], day: 1}}", "steps.2.expect.log.day: unknown key"),
        ("LATER", "{log: {columns: [Actions]}}", 'no column "Actions"; did you mean Action?'),
        ("LATER", "{log: {rows: [{Acton: x}]}}", 'unknown key "Acton"; did you mean Action?'),
        ("LATER", "{log: {orders: true, kind: renewal, rows: []}}", 'does not go with "orders"'),
        (
            "LATER",
            "{log: {all: true, since: 2024-10-01T00:00:00Z, rows: []}}",
            'does not go with "all"',
        ),
        ("LATER", "{webhooks: [{EventNam: x}]}", "did you mean EventName"),
        ("LATER", "{posts: [{endpont: x}]}", "did you mean endpoint?"),
        ("LATER", "{deliveries: [{state: x}]}", 'unknown key "state"'),
        ("{id: billing, answers: [500, 204]}", "{id: billing, answers: []}", "answers"),
        ("{id: billing, answers: [500, 204]}", "{id: billing, answers: [99]}", "answers.0"),
        (
            "{id: billing, answers: [500, 204]}",
            "{id: billing, facts: [subscription-create]}",
            "did you mean subscription-created",
        ),
        (
            "{id: billing, answers: [500, 204]}",
            "{id: a}\n  - {id: a}",
            '"a" stands twice; give each an id of its own',
        ),
    ],
)
def test_what_cannot_be_right_is_a_mistake(old: str, new: str, told: str) -> None:
    """Found on load, with what to do."""
    text = SALE.replace(old, new)

    with pytest.raises(DocumentError) as caught:
        loads(_filled(text), Path("sale.yaml"))

    assert told in str(caught.value)


def _filled(text: str) -> str:
    return text.replace("EXPECTED", "{}").replace("MIDDLE", "{}").replace("LATER", "{facts: []}")


def test_posts_need_an_endpoint() -> None:
    """Nobody would ever get one."""
    text = sale("{posts: []}").replace("endpoints:\n  - {id: billing, answers: [500, 204]}\n", "")

    with pytest.raises(DocumentError, match='nobody listens; add "endpoints"'):
        loads(text, Path("sale.yaml"))


@pytest.mark.parametrize(
    ("expect", "valid"),
    [
        ({"log": {"rows": [["2024-10-01T09:00:00Z", "tailspin"]]}}, True),
        ({"log": {"all": True, "columns": ["Action"]}}, True),
        ({"log": {"everything": True, "colums": []}}, False),
        ({"webhooks": ["subscription-updated", {"EventName": "subscription-updated"}]}, True),
        ({"webhooks": [1]}, False),
        ({"posts": [{"endpoint": "billing"}], "deliveries": ["dead"]}, True),
    ],
)
def test_the_schema_knows_them(expect: dict[str, Any], valid: bool) -> None:
    """What an editor completes and marks."""
    step = {"at": "2024-10-01T09:00:00Z", "expect": expect}
    endpoint = {"id": "billing", "answers": [204, None]}
    document = {"title": "A sale", "rules": ["EVT-07"], "endpoints": [endpoint], "steps": [step]}

    schema = Draft202012Validator(scenario_schema())

    assert schema.is_valid(document) == valid  # pyright: ignore[reportUnknownMemberType]
