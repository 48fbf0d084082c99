"""Compares the answer to a step, and what is to be seen of a subject."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sublife.events import migration
from sublife.events.intake import Outcome
from sublife.events.wire import resource
from sublife.lifecycle.machine import allowed, next_timer
from sublife.lifecycle.migration.model import Migration
from sublife.lifecycle.model import ABSENT, Refusal, Snapshot
from sublife.lifecycle.subscription.model import Subscription
from sublife.lifecycle.subscription.state import meaning
from sublife.scheduler.compare import matches, plain
from sublife.scheduler.replay.going import Going
from sublife.scheduler.scenario import Act, Expect, Look


def compare_outcome(going: Going, where: str, expect: Expect, outcome: Outcome) -> None:
    """Compare the answer to a request: whether it is new, accepted, or why it is refused."""
    if outcome.repeated != expect.repeated:
        words = {True: "an event id known already", False: "a new event id"}
        going.differ(where, words[expect.repeated], words[outcome.repeated])
    refusal = outcome.refusal
    match expect.refused:
        case None if refusal is not None:
            going.differ(where, "accepted", f"refused: {refusal.code} ({refusal.rule})")
        case str() as code if refusal is None or refusal.code != code:
            going.differ(f"{where}, refused", code, refusal.code if refusal else "accepted")
        case dict() as wanted:
            _compare_refusal(going, f"{where}, refused", wanted, refusal)
        case _:
            pass


def _compare_refusal(
    going: Going, where: str, wanted: Mapping[str, Any], refusal: Refusal | None
) -> None:
    if refusal is None:
        going.differ(where, wanted, "accepted")
        return
    found = {
        "code": refusal.code,
        "rule": refusal.rule,
        "sentence": refusal.sentence,
        "details": dict(refusal.details),
    }
    for key, value in wanted.items():
        if not matches(value, found[key]):
            going.differ(f"{where}, {key}", value, found[key])


def compare_look(going: Going, where: str, subject: str, look: Look, act: Act) -> None:
    """Compare what is to be seen of a subject at the step's own instant."""
    asked = [name for name in Look.model_fields if getattr(look, name) is not None]
    if not asked:
        return
    snapshot = going.snapshots.get(subject)
    if snapshot is None:
        if look.state != ABSENT:
            going.differ(f"{where}, state", look.state or "that it exists", ABSENT)
        return
    found = _seen(snapshot, look, going, act.at)
    for name in asked:
        wanted = getattr(look, name)
        if name in {"fields", "wire"}:
            shows = found.get(name, {})
            for key, value in wanted.items():
                if not matches(value, shows.get(key)):
                    going.differ(f"{where}, {name}.{key}", value, shows.get(key))
        elif not matches(wanted, found.get(name)):
            going.differ(f"{where}, {name}", wanted, found.get(name))


def _seen(snapshot: Snapshot, look: Look, going: Going, at: datetime) -> dict[str, Any]:
    """Return what there is to see of a subject at *at*, as far as *look* asks."""
    policy, lifecycle = going.scenario.policy, going.lifecycles[snapshot.id]
    found: dict[str, Any] = {"state": str(snapshot.state), "version": snapshot.version}
    if look.due is not None:
        timer = next_timer(snapshot, lifecycle)
        found["due"] = {timer.name: timer.due_at} if timer else {}
    if look.allowed is not None:
        found["allowed"] = list(allowed(snapshot, policy=policy, at=at, lifecycle=lifecycle))
    if look.fields is not None:
        found["fields"] = {name: plain(getattr(snapshot, name)) for name in look.fields}
    if isinstance(snapshot, Migration) and look.wire is not None:
        found["wire"] = migration.resource(snapshot)
    if isinstance(snapshot, Subscription):
        means = meaning(snapshot)
        found["users"] = means.user_access
        found["admins"] = means.admin_access.value
        found["billed"] = means.partner_billed
        if look.wire is not None:
            found["wire"] = resource(snapshot, policy=policy, at=at)
    return found
