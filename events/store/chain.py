"""The hash chain of a subject's journal rows; pure."""

from collections.abc import Sequence
from hashlib import sha256

START = ""
"""What the first row of a subject follows on."""


def chained(previous: str, parts: Sequence[str | None]) -> str:
    """Return the hash of a journal row: SHA-256 over the one before and all that the row says.

    The lengths stand in front, so that nothing can move from one part to the next unseen.

    Args:
        previous: hash of the subject's row before; `START` for the first.
        parts: the row's columns as text, in the order of `CHAINED`.
    """
    texts = [part or "" for part in parts]
    lengths = ",".join(map(str, map(len, texts)))
    return sha256(f"{previous};{lengths};{''.join(texts)}".encode()).hexdigest()


CHAINED = (
    "tenant",
    "subject",
    "sequence",
    "event_id",
    "lifecycle",
    "version",
    "name",
    "effective_at",
    "recorded_at",
    "actor",
    "cause",
    "state_before",
    "state",
    "rules",
    "policy",
    "code",
    "data",
    "outcome",
)
"""What a row's hash covers; `stamp` and `position` are where a row lies, not what it says."""
