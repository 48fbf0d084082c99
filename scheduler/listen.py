"""The address to listen at, and whether anybody else can reach it."""

from ipaddress import ip_address

from sublife.events.content import clear
from sublife.events.store.secret import shown_address
from sublife.lifecycle.error import SublifeError

_SHOWN = 80
"""Characters of a wrong address that a message repeats."""


class ListenError(SublifeError, ValueError):
    """The interface cannot be served at that address."""


def address(listen: str) -> tuple[str, int]:
    """Return host and port of an address.

    Args:
        listen: such as `127.0.0.1:8321` or `[::1]:8321`; port 0 stands for a free one.

    Raises:
        ListenError: it is none.
    """
    host, mark, port = listen.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (mark and host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise ListenError(
            f'"{clear(shown_address(listen), _SHOWN)}" is no address; write host and port, such as '
            "127.0.0.1:8321"
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Return whether a host name is this machine's own, which nobody else can reach."""
    name = host.removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
