"""The hash chain of a subject's journal rows; pure."""

from collections.abc import Sequence
from hashlib import sha256

START = ""
"""What the first row of a subject follows on."""
_BETWEEN = "\x1f"
"""Between two parts, and inside none, so that nothing can move from one to the next unseen."""


def chained(previous: str, parts: Sequence[str]) -> str:
    """Return the hash of a journal row: SHA-256 over the one before and all that the row says.

    Args:
        previous: hash of the subject's row before; `START` for the first.
        parts: the row's columns as text, in the order of `CHAINED`; empty where there is none.

    Raises:
        ValueError: a part holds a character that no database keeps, or that stands between parts.
    """
    text = _BETWEEN.join(parts)
    if _BETWEEN in "".join(parts) or "\x00" in text or ("\\" in text and "\\u0000" in text):
        raise ValueError("a text holds a control character (NUL or US); take it out")
    return sha256(f"{previous}{_BETWEEN}{text}".encode()).hexdigest()


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
