"""`decide`, broken for one subject."""

from collections.abc import Callable

from sublife.lifecycle.machine import decide
from sublife.lifecycle.model import Decision, Event, ModelError, Refusal, Snapshot
from sublife.lifecycle.policy import Policy


def failing_for(subject: str) -> Callable[..., Decision | Refusal]:
    """Return what raises for *subject*, and for others decides."""

    def broken(
        snapshot: Snapshot | None, event: Event, policy: Policy, **more: dict[str, Snapshot]
    ) -> Decision | Refusal:
        if event.subject == subject:
            raise ModelError(f"{subject} breaks")
        return decide(snapshot, event, policy, **more)

    return broken
