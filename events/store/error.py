"""What can go wrong with the store."""

from sublife.lifecycle.error import SublifeError


class StoreError(SublifeError, RuntimeError):
    """The store cannot do what was asked; nothing was changed."""


class ConflictError(StoreError):
    """Another writer changed a subject in between; nothing was changed, so try again.

    Attributes:
        whole: whether only the transaction as a whole can be tried again; a host's own is for the
            host to roll back.
    """

    def __init__(self, *said: object, whole: bool = False) -> None:
        self.whole = whole
        super().__init__(*said)


class IsolationError(StoreError):
    """The transaction cannot see what others have just added, but the event must."""


class LockedError(StoreError):
    """Another process holds the database; nothing was changed."""


class MissingError(StoreError):
    """There is no database file at the path; nothing was made."""


class ReplacedError(StoreError):
    """The database file was deleted, moved or replaced while it was open."""


class DamagedError(StoreError):
    """The database file is damaged, and cannot be read as it stands."""


class ReadOnlyError(StoreError):
    """The database can only be read; nothing was changed."""


class AutocommitError(StoreError):
    """A connection commits each statement by itself; nothing was changed."""


class PoolFullError(StoreError):
    """All connections of the engine are in use; nothing was changed."""


class FullError(StoreError):
    """There is no room left; nothing was changed."""


class UnfitError(StoreError):
    """A value is beyond what a column can hold; nothing was changed."""


class UnfitTextError(UnfitError):
    """A text has a character that no database text can hold; nothing was changed."""


class UnreadableError(StoreError):
    """A row cannot be read; nothing was changed.

    Attributes:
        subject: id of the subject whose row it is.
        problem: the column, and what is wrong with it.
    """

    def __init__(self, subject: str, problem: str) -> None:
        self.subject = subject
        self.problem = problem
        super().__init__(subject, problem)

    def __str__(self) -> str:
        """Return which row it is, what is wrong with it and what to do."""
        return (
            f"the row of {self.subject} in sublife_subject cannot be read: {self.problem}; "
            f"sublife verify says whether its history is sound"
        )


class UnreachableError(StoreError):
    """The database does not answer; what was not committed is not there."""


class StandbyError(UnreachableError):
    """The server takes no writes, as after a failover; nothing was changed."""


def damaged(says: str) -> DamagedError:
    """Return that a file is damaged, and where to start."""
    return DamagedError(
        f"{says}; stop what writes to it, keep a copy, and restore the latest backup. "
        "`PRAGMA integrity_check` in the sqlite3 shell lists what is broken"
    )
