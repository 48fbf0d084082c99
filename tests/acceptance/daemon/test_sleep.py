"""A daemon that slept writes the history of one that did not, and both can be told offline."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sublife.events.codec import decode_actor, decode_payload, encode_actor, encode_payload
from sublife.events.intake import settle, submit
from sublife.events.packs import load_pack
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import EMPTY, Actor, ActorKind, Event, Payload, iso
from sublife.lifecycle.subscription.model import ChangeSeats, Product, Purchase, Suspend
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.acceptance.daemon.conftest import Hands, Started

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
BEGIN = datetime(2025, 9, 20, tzinfo=UTC)
"""Ten days before the terms end."""
DAYS = 45
END = BEGIN + timedelta(days=DAYS)
HALF_A_DAY = timedelta(hours=12)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)


def sales() -> Iterable[Event]:
    """Yield what is sold a year before: some renew, some lapse, some bill by the month.

    One of the two customers never asks for anything, so that only a daemon moves what it has.
    """
    for number in range(12):
        order = replace(
            ORDER,
            customer="tailspin" if 0 < number < 9 else "wingtip",
            term=Term.P1M if number % 4 == 0 else Term.P1Y,
            autorenew=number % 3 != 0 or number % 4 == 0,
        )
        at = BEGIN - timedelta(hours=1) if number % 4 == 0 else SOLD_AT
        yield Event(f"sale-{number}", "purchase", f"s{number}", at, AMY, order)


def requests() -> Iterable[Event]:
    """Yield what users ask for in the 45 days; some of it comes too late and is refused."""
    asked: tuple[tuple[str, str, float, Payload], ...] = (
        ("suspend", "s1", 1.3, Suspend()),
        ("turn_autorenew_off", "s2", 2.1, EMPTY),
        ("add_seats", "s4", 3.7, ChangeSeats(5)),
        ("reactivate", "s1", 6.2, EMPTY),
        ("cancel", "s5", 10.9, EMPTY),
        ("suspend", "s3", 13.4, Suspend()),
        ("reactivate", "s6", 20.8, EMPTY),
        ("cancel", "s7", 33.3, EMPTY),
        ("suspend", "s8", 44.1, Suspend()),
    )
    for number, (name, subject, days, data) in enumerate(asked):
        at = BEGIN + timedelta(days=days)
        yield Event(f"asked-{number}", name, subject, at, AMY, data)


def take(store: Store, clock: SimulatedClock, events: Iterable[Event]) -> None:
    """Submit events, each when it happens."""
    for event in sorted(events, key=lambda each: each.at):
        clock.move(event.at)
        submit(store, event)


def watched(
    url: str,
    hands: "Hands",
    simulated: Callable[..., "Started"],
    open_store: Callable[..., Store],
    wait_until: Callable[[Callable[[], bool]], None],
) -> Store:
    """Let a daemon live through the 45 days, half a day at a time; return its store."""
    clock = SimulatedClock(SOLD_AT)
    store = open_store(url, clock)
    take(store, clock, sales())
    hands.show(BEGIN)
    daemon = simulated(url)
    waiting = sorted(requests(), key=lambda each: each.at)
    for step in range(2 * DAYS + 1):
        now = BEGIN + step * HALF_A_DAY
        take(store, clock, [each for each in waiting if each.at <= now])
        waiting = [each for each in waiting if each.at > now]
        hands.show(now)
        wait_until(lambda now=now: not store.tenants.outlook(now).waiting)  # type: ignore[misc]
    daemon.terminate()
    assert daemon.wait(60) == 0
    return store


def test_45_days_asleep_write_the_digest_of_a_daemon_that_never_slept(
    url: str,
    tmp_path: Path,
    hands: "Hands",
    simulated: Callable[..., "Started"],
    open_store: Callable[..., Store],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """GEN-08: each event is dated when it was due; it does not matter who woke when."""
    awake = watched(f"sqlite:///{tmp_path / 'awake.db'}", hands, simulated, open_store, wait_until)
    clock = SimulatedClock(SOLD_AT)
    asleep = open_store(url, clock)
    take(asleep, clock, sales())
    take(asleep, clock, requests())
    hands.show(END)
    before = asleep.digest()

    daemon = simulated(url)
    wait_until(lambda: not asleep.tenants.outlook(END).waiting)
    daemon.terminate()

    assert daemon.wait(60) == 0
    assert asleep.digest() == awake.digest() != before


def test_recorded_inputs_replay_offline_to_the_same_digest(
    url: str,
    tmp_path: Path,
    hands: "Hands",
    simulated: Callable[..., "Started"],
    open_store: Callable[..., Store],
    wait_until: Callable[[Callable[[], bool]], None],
) -> None:
    """Requests and policy are all there is to it; everything else follows from them."""
    store = watched(url, hands, simulated, open_store, wait_until)
    recorded = tmp_path / "inputs.jsonl"
    recorded.write_text("".join(map(_line, _inputs(store))), encoding="utf-8")
    policies = {entry.policy for entry in store.journal()}

    clock = SimulatedClock(SOLD_AT)
    offline = open_store("sqlite://", clock)
    lines = recorded.read_text(encoding="utf-8").splitlines()
    take(offline, clock, map(_event, lines))
    clock.move(END)
    settle(offline, END)

    assert offline.digest() == store.digest()
    assert policies == {load_pack().version}
    assert len(lines) == len([*sales(), *requests()])


def _inputs(store: Store) -> list[Event]:
    """Return what came from outside: neither from the calendar nor from another event."""
    return [
        entry.event
        for entry in store.journal()
        if entry.event.actor.kind is not ActorKind.TIMER and entry.event.cause is None
    ]


def _line(event: Event) -> str:
    said = {
        "id": event.id,
        "name": event.name,
        "subject": event.subject,
        "at": iso(event.at),
        "lifecycle": event.lifecycle,
        "actor": json.loads(encode_actor(event.actor)),
        "data": json.loads(encode_payload(event.data)),
    }
    return json.dumps(said) + "\n"


def _event(line: str) -> Event:
    said = json.loads(line)
    return Event(
        said["id"],
        said["name"],
        said["subject"],
        datetime.fromisoformat(said["at"]),
        decode_actor(json.dumps(said["actor"])),
        decode_payload(said["lifecycle"], said["name"], json.dumps(said["data"])),
        lifecycle=said["lifecycle"],
    )
