"""What can go wrong with the store."""


class StoreError(RuntimeError):
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


class FullError(StoreError):
    """There is no room left; nothing was changed."""


class UnfitError(StoreError):
    """A value is beyond what a column can hold; nothing was changed."""


class UnreachableError(StoreError):
    """The database does not answer; what was not committed is not there."""
