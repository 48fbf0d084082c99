"""The base of every exception that sublife raises."""

from typing import Any


class SublifeError(Exception):
    """Something that sublife was asked for cannot be done; the message says what to do.

    It can be pickled and copied, whatever its own arguments: a pool of processes hands it on as it
    was raised.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is made again: of its message and its attributes, not by its arguments."""
        return _restored, (type(self), self.args, dict(vars(self)))


def _restored(
    kind: type[SublifeError], args: tuple[Any, ...], attributes: dict[str, Any]
) -> SublifeError:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error
