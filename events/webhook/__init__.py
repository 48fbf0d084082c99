"""Facts as signed HTTP posts: the body, the signature, the address, the post itself."""

from importlib.util import find_spec


class ExtraMissingError(ImportError):
    """What posting needs is not installed."""


def demand_extra() -> None:
    """Do nothing if all that posting needs is installed.

    Raises:
        ExtraMissingError: httpx or standardwebhooks is not; the message names the extra.
    """
    missing = [name for name in ("httpx", "standardwebhooks") if find_spec(name) is None]
    if missing:
        raise ExtraMissingError(f"webhooks need {' and '.join(missing)}; install sublife[webhooks]")
