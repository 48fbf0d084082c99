"""What came back from a post."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from a post.

    Args:
        status: of the HTTP answer; `None` if there was none.
        error: why it counts as failed; `None` if it does not.
        retry_after: the header `Retry-After` as it was sent.
    """

    status: int | None
    error: str | None = None
    retry_after: str | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more, ever."""
        return self.status == 410
