"""What makes an event impossible to take in."""

from sublife.lifecycle.error import SublifeError


class IntakeError(SublifeError, RuntimeError):
    """An event cannot be taken in; nothing was changed."""


class EventInFutureError(IntakeError):
    """The event is dated later than the store's clock; what has not happened cannot be decided."""


class StaleVersionError(IntakeError):
    """The subject has moved on since the caller looked at it.

    Attributes:
        subject: id.
        expected: the version the caller has seen.
        found: the version the subject has when the event is to be decided.
    """

    def __init__(self, subject: str, expected: int, found: int) -> None:
        self.subject, self.expected, self.found = subject, expected, found
        super().__init__(
            f"{subject} is at version {found}, not {expected}; look at it again, then decide"
        )


class EventIdTakenError(IntakeError):
    """The event id belongs to another event, or to the calendar."""
