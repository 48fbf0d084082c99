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


class ForkedError(StoreError):
    """The database cannot be used in a process that was forked off; nothing was changed."""


class FullError(StoreError):
    """There is no room left; nothing was changed."""


class UnfitError(StoreError):
    """A value is beyond what a column can hold; nothing was changed."""


class UnfitTextError(UnfitError):
    """A text has a character that no database text can hold; nothing was changed."""


class UnreadableError(StoreError):
    """A row cannot be read; nothing was changed.

    Attributes:
        row: which one, in words, such as `the row of sub-1`.
        table: it is in.
        column: that is wrong.
        problem: the column, and what is wrong with it.
        remedy: what to do.
        subject: id, where it is the row of a subject; else empty.
    """

    def __init__(
        self, row: str, table: str, column: str, problem: str, remedy: str, subject: str = ""
    ) -> None:
        self.row, self.table, self.column = row, table, column
        self.problem, self.remedy, self.subject = problem, remedy, subject
        super().__init__(row, table, column, problem, remedy, subject)

    @property
    def where(self) -> str:
        """Which row and which column, without anything that stands in them."""
        return f"{self.row} in {self.table} cannot be read (column {self.column})"

    def __str__(self) -> str:
        """Return which row it is, what is wrong with it and what to do."""
        return f"{self.row} in {self.table} cannot be read: {self.problem}; {self.remedy}"


class UnreachableError(StoreError):
    """The database does not answer; what was not committed is not there."""


class RefusedError(UnreachableError):
    """The server refuses what the address says; waiting does not help."""


class StandbyError(UnreachableError):
    """The server takes no writes, as after a failover; nothing was changed."""


def damaged(says: str) -> DamagedError:
    """Return that a file is damaged, and where to start."""
    return DamagedError(
        f"{says}; stop what writes to it, keep a copy, and restore the latest backup. "
        "`PRAGMA integrity_check` in the sqlite3 shell lists what is broken"
    )
