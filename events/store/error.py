"""What can go wrong with the store."""


class StoreError(RuntimeError):
    """The store cannot do what was asked; nothing was changed."""


class ConflictError(StoreError):
    """Another writer changed a subject in between; nothing was changed, so try again."""
