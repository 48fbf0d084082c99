"""Which host names can exist, by the rules of DNS and IDNA; needs the extra `webhooks`."""

import idna

from sublife.events.content import clear
from sublife.events.webhook.address import AddressError

_LONGEST_LABEL, _LONGEST_NAME = 63, 253
"""Characters that DNS allows between two dots, and in a name without the dot at its end."""
_SHOWN = 80


def check_name(host: str) -> None:
    """Check that a host name in ASCII can exist.

    Raises:
        AddressError: it is too long, has an empty label, or one that is not valid IDNA.
    """
    name = host.removesuffix(".")
    labels = name.split(".")
    if not all(labels):
        raise AddressError(
            f"the host name {clear(host, _SHOWN)} has nothing between two dots or before the "
            "first one; write it as in hooks.example"
        )
    if len(name) > _LONGEST_NAME:
        raise AddressError(
            f"the host name {clear(host, _SHOWN)} has {len(name):,} characters; DNS allows "
            f"{_LONGEST_NAME}"
        )
    for label in labels:
        _check_label(label, host)


def _check_label(label: str, host: str) -> None:
    shown = clear(host, _SHOWN)
    if len(label) > _LONGEST_LABEL:
        raise AddressError(
            f"the host name {shown} has a part of {len(label)} characters between two dots; DNS "
            f"allows {_LONGEST_LABEL}"
        )
    if not label.lower().startswith("xn--"):
        return
    try:
        idna.ulabel(label)
    except (UnicodeError, ValueError) as error:
        raise AddressError(
            f"the host name {shown} is not a valid internationalized name: "
            f'{clear(str(error), _SHOWN)} in "{label}"; check how it is spelled'
        ) from error
