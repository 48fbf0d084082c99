"""What came back from a post."""

from dataclasses import dataclass

from sublife.events.content import clear

LONGEST_ERROR = 300
"""Characters of an error that are kept."""


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

    @classmethod
    def failed(cls, reason: str) -> "Answer":
        """Return that there was no answer; the reason is made fit to be stored and shown."""
        return cls(None, clear(reason, LONGEST_ERROR))

    @classmethod
    def of(
        cls,
        status: int,
        phrase: str,
        *,
        location: str | None = None,
        retry_after: str | None = None,
    ) -> "Answer":
        """Return what an HTTP answer means: everything but 200 to 299 counts as failed.

        Args:
            status: of the HTTP answer.
            phrase: its reason phrase.
            location: the header `Location` as it was sent.
            retry_after: the header `Retry-After` as it was sent.
        """
        if 200 <= status < 300:
            return cls(status)
        error = f"answered {status} {phrase}".rstrip()
        if 300 <= status < 400 and location is not None:
            error += f", which moves it to {location}; give the endpoint that URL"
        return cls(status, clear(error, LONGEST_ERROR), retry_after)

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Whether the receiver wants nothing more, ever."""
        return self.status == 410
