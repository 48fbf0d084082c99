"""What a migration tells: in its facts, and to the subscriptions it holds (LEG-15, LEG-21)."""

from collections.abc import Mapping

from sublife.lifecycle.migration.model import Migration, State
from sublife.lifecycle.migration.plan import seats_of
from sublife.lifecycle.model import FollowUp, Snapshot, Value, iso
from sublife.lifecycle.subscription.model import AwaitMigration, ReleaseMigration, Subscription

PATH = "new-commerce-migration"
"""How its facts begin, and the path its twins come by."""


def about(subject: Migration, seen: Mapping[str, Snapshot]) -> dict[str, Value]:
    """Return what every fact of a migration says: which subscription, into which, by whom."""
    base = subject.base
    legacy = seen.get(base.subscription)
    quantity = seats_of(legacy, base) if isinstance(legacy, Subscription) else base.quantity
    add_ons = ", ".join(part.subscription for part in subject.parts[1:])
    aimed = subject.state == State.SCHEDULED and subject.target_at is not None
    return {
        "subscription": base.subscription,
        "source": base.subscription,
        "into": base.into,
        "path": subject.mover.value,
        "quantity": quantity,
        **({"add_ons": add_ons} if add_ons else {}),
        **({"target_at": iso(subject.target_at)} if aimed and subject.target_at else {}),
        **({"on_renewal": True} if subject.on_renewal else {}),
    }


def awaiting(subject: Migration) -> tuple[FollowUp, ...]:
    """Return what tells the subscriptions that a migration waits for them (LEG-21)."""
    assert subject.target_at is not None  # noqa: S101 – it waits for it
    return tuple(
        FollowUp(
            "await_migration",
            part.subscription,
            AwaitMigration(
                subject.id, subject.target_at, subject.on_renewal, part is not subject.base
            ),
        )
        for part in subject.parts
    )


def released(subject: Migration, *, failed: bool) -> tuple[FollowUp, ...]:
    """Return what tells them that it waits no longer, cancelled or failed (LEG-21)."""
    return tuple(
        FollowUp("release_migration", part.subscription, ReleaseMigration(failed))
        for part in subject.parts
    )


def reverted(subject: Migration) -> tuple[FollowUp, ...]:
    """Return what makes them active again (LEG-17)."""
    return tuple(FollowUp("revert_migration", part.subscription) for part in subject.parts)
