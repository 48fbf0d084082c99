"""What can go wrong with the store."""


class StoreError(RuntimeError):
    """The store cannot do what was asked; nothing was changed."""


class ConflictError(StoreError):
    """Another writer changed a subject in between; nothing was changed, so try again."""


class LockedError(StoreError):
    """Another process holds the database; nothing was changed."""


class FullError(StoreError):
    """There is no room left; nothing was changed."""


class UnreachableError(StoreError):
    """The database does not answer; what was not committed is not there."""
