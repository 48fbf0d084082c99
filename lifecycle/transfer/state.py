"""Which states of a scheduled renewal hold the place of its EA subscription (EA-26)."""

from sublife.lifecycle.transfer.model import Transfer, TransferState

LIVE = frozenset({TransferState.SCHEDULED, TransferState.PROCESSING})
"""One live schedule per EA subscription; failing or cancelling frees the place."""

HOLDING = LIVE | {TransferState.COMPLETED}
"""Completed, the place is closed for good."""


def claims(subject: Transfer) -> tuple[str, ...]:
    """Return the place that a schedule holds and only one may hold (EA-26, EA-27)."""
    if subject.state not in HOLDING:
        return ()
    return (f"ea-subscription:{subject.agreement}/{subject.ea_subscription}",)
