"""Timelines: told in sentences, what belongs together in one, notes where they belong."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from rich.console import Console

from sublife.events.intake import Outcome
from sublife.lifecycle.model import ABSENT, Actor, ActorKind, Event, Fact, Payload
from sublife.scheduler.replay import Result
from sublife.scheduler.show import show_timeline
from sublife.scheduler.telling import tell
from sublife.scheduler.telling.template import filled

Play = Callable[[str], Result]

LAPSE = """\
title: A subscription lapses
rules: [SUB-03]
about: Nobody renews it.
by: {user: amy, partner: contoso}
steps:
  - at: 2024-10-01T09:00:00Z
    do: purchase
    subject: s1
    note: The last one she sells.
    with: {customer: tailspin, partner: contoso, product: {sku: E3}, quantity: 1,
           term: P1M, billing: monthly, autorenew: false}
  - {at: 2024-10-15T09:00:00Z, do: add_seats, subject: s1, with: {quantity: 2}}
  - {at: 2024-10-20T09:00:00Z, do: reactivate, subject: s1, expect: {refused: BAD_STATE}}
  - {at: 2024-11-01T00:00:00Z, subject: s1, note: The month is over., expect: {state: grace}}
  - {at: 2024-11-15T00:00:00Z, subject: s1, note: Nothing has happened., expect: {state: grace}}
"""

TOLD = """\
A subscription lapses held
scenario.yaml SUB-03
Nobody renews it.
The last one she sells.
2024-10-01 09:00:00Z → active Amy of contoso buys 1 seat of E3 for tailspin, 1 month, billed \
monthly. It runs until 2024-10-31. Users can work with it. SUB-01 TRM-01 TRM-11 SUB-02
2024-10-15 09:00:00Z active Amy of contoso adds 2 seats. From 1 seat it goes to 3. TRM-14 TRM-16
2024-10-20 09:00:00Z refused Amy of contoso wants to reactivate it. Refused: The subscription is \
active; reactivate is not possible in that state. 1.2
The month is over.
2024-11-01 00:00:00Z → grace The term ended on 2024-10-31 and is not renewed: it has expired. \
Users work on, unbilled, until 2024-12-01 00:00Z; whoever buys anew by SUB-03 TRM-04 SUB-01 SUB-04
then loses nothing.
Nothing has happened.
"""


def lines(result: Result, *, names: bool = False) -> list[str]:
    """Return what a terminal 200 columns wide shows, without the spaces between columns."""
    console = Console(width=200, record=True)
    show_timeline(console, result, names=names)
    return [" ".join(line.split()) for line in console.export_text().splitlines() if line.strip()]


def test_a_timeline_is_told_in_sentences(play: Play) -> None:
    """Who asked for what, what came of it, and why not."""
    told = lines(play(LAPSE))

    assert told == TOLD.splitlines()


def test_with_names_every_event_is_a_line(play: Play) -> None:
    """As scenario files write them."""
    told = "\n".join(lines(play(LAPSE), names=True))

    assert "→ pending purchase (subscription-created) Amy" in told
    assert "→ active provisioning_ended (subscription-provisioned) Users" in told
    assert "refused reactivate (BAD_STATE) Amy" in told
    assert "→ expired term_ended (subscription-expired) The term" in told


def test_what_did_not_hold_is_shown_with_its_names(play: Play) -> None:
    """Whoever fixes a scenario needs them."""
    told = "\n".join(lines(play(LAPSE.replace("BAD_STATE", "TERM_ENDED"))))

    assert "FAILED" in told
    assert "reactivate (BAD_STATE)" in told


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("It ends[ on {ends_on}].", "It ends on 2024-10-31."),
        ("It ends[ on {nothing}].", "It ends."),
        ("It is[!ready| not] ready.", "It is not ready."),
        ("It is[?ready| quite] ready.", "It is ready."),
        ("It has {one} seats.", "It has 1 seat."),
        ("It has {many} seats.", "It has 21 seats."),
        ("It costs {amount}.", "It costs 1,234.50."),
        ("By {at}.", "By 2024-10-31 00:00Z."),
        ("By {late_at}.", "By 2024-10-31 23:59:59Z."),
        ("For {term}, {billing}.", "For 3 years, billed annually."),
    ],
)
def test_a_sentence_leaves_out_what_is_not_known(template: str, said: str) -> None:
    """Together with the words around it."""
    values = {
        "ends_on": "2024-10-31",
        "nothing": "",
        "ready": False,
        "one": 1,
        "many": 21,
        "amount": "1234.50",
        "at": "2024-10-31T00:00:00Z",
        "late_at": "2024-10-31T23:59:59Z",
        "term": "P3Y",
        "billing": "annual",
    }

    assert filled(template, values) == said


def test_a_lifecycle_without_words_of_its_own_is_told_by_its_names() -> None:
    """A new one needs no sentences to be replayed."""
    event = Event(
        "e1",
        "open_door",
        "d1",
        datetime(2024, 10, 1, tzinfo=UTC),
        Actor(ActorKind.USER, "amy"),
        Payload(),
        None,
        "door",
    )
    outcome = Outcome(event, (Fact("door-opened", {}),), None, ABSENT, 1, ())

    assert tell(outcome, None) == ("Amy asks for open door.", "Door opened.")
