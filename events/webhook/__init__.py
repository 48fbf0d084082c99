"""Facts as signed HTTP posts: the body, the signature, the address, the post itself."""

from importlib.util import find_spec

from sublife.lifecycle.error import SublifeError


class ExtraMissingError(SublifeError, ImportError):
    """What posting needs is not installed."""


def demand_extra() -> None:
    """Check that what posting over a network needs is installed.

    Raises:
        ExtraMissingError: httpx is not; the message names the extra.
    """
    if find_spec("httpx") is None:
        raise ExtraMissingError("webhooks need httpx; install sublife[webhooks]")
