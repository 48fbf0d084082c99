"""The windows for cancelling and for giving seats back (TRM-09…11, TRM-15, TRM-16)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sublife.lifecycle.policy import Policy
from sublife.lifecycle.subscription.model import Batch, Subscription


def cancelable_until(subscription: Subscription, policy: Policy, at: datetime) -> datetime | None:
    """Return the last instant for cancelling, inclusive, as the policy in force at *at* has it.

    The window was 72 h and became 168 h on 2022-03-19 for what began from 2022-03-12 on
    (TRM-09, TRM-10). A custom end date leaves it alone (TRM-26). `None`: there is no window.
    """
    opened_at = subscription.window_opened_at
    if opened_at is None:
        return None
    return opened_at + policy.length("cancellation_window", at, begun_at=opened_at)


def open_batches(
    subscription: Subscription, policy: Policy, at: datetime
) -> tuple[tuple[Batch, datetime], ...]:
    """Return the batches still inside their window, each with its last instant (TRM-16).

    The one that closes first comes first; that is the order they are consumed in.
    """
    ends = [(batch, batch_open_until(batch, policy, at)) for batch in subscription.batches]
    return tuple(sorted((pair for pair in ends if at <= pair[1]), key=lambda pair: pair[1]))


def batch_open_until(batch: Batch, policy: Policy, at: datetime) -> datetime:
    """Return the last instant, inclusive, for giving seats of *batch* back (TRM-15, GEN-04)."""
    return batch.added_at + policy.length("seat_window", at)


def take(batches: Iterable[Batch], quantity: int) -> tuple[tuple[Batch, ...], tuple[Batch, ...]]:
    """Return the batches that make up *quantity* seats, taken in order, and those left over."""
    taken: list[Batch] = []
    left: list[Batch] = []
    for batch in batches:
        part = min(batch.quantity, quantity)
        quantity -= part
        if part:
            taken.append(replace(batch, quantity=part))
        if part < batch.quantity:
            left.append(replace(batch, quantity=batch.quantity - part))
    return tuple(taken), tuple(left)
