"""Which addresses a post may go to: public ones, not those that only look like it. Pure."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from sublife.events.content import clear
from sublife.lifecycle.error import SublifeError

Address = IPv4Address | IPv6Address

_CLOSED = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("100::/64"),
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
)
"""Carrier-grade NAT, protocol assignments, benchmarks, local translation: closed on every version
of Python, which differ in what they call global."""
_MAPPED = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("2002::/16"), 80),
)
"""IPv6 networks that carry an IPv4 address, and how many bits stand behind it."""
_SHOWN = 100
"""Characters of a wrong address that a message repeats."""
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)")


class AddressError(SublifeError, ValueError):
    """A post may not go there."""


def is_public(address: Address) -> bool:
    """Return whether anybody on the internet could be meant by an address."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or address.is_site_local:
            return False
        if (carried := _carried(address)) is not None:
            return is_public(carried)
    is_closed = any(address in network for network in _CLOSED if network.version == address.version)
    return (
        address.is_global
        and not is_closed
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
    )


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside an IPv6 one, where a translator would send it on to that."""
    for network, behind in _MAPPED:
        if address in network:
            return IPv4Address((int(address) >> behind) & 0xFFFFFFFF)
    return None


def address_of(found: object, host: str) -> Address:
    """Return an address as a value.

    Args:
        found: the address, as a resolver gives it.
        host: the name it was found for.

    Raises:
        AddressError: it is not the text of an address.
    """
    try:
        if isinstance(found, str):
            return ip_address(found)
    except ValueError:
        pass
    raise AddressError(
        f"{host} was resolved to {clear(repr(found), _SHOWN)}, which is not an IP address; check "
        "the resolver"
    )


def check_address(text: str, host: str) -> Address:
    """Return an address as a value, if posts may go there.

    Args:
        text: the address, as a resolver gives it.
        host: the name it was found for.

    Raises:
        AddressError: it is not an address, or is private, loopback, link-local, multicast or the
            like.
    """
    address = address_of(text, host)
    if not is_public(address):
        raise AddressError(
            f"{host} lies at {text}, which is no public address; allow private addresses for the "
            "endpoint if it is meant to be reached there"
        )
    return address


def literal(host: str) -> Address | None:
    """Return the address that a host is written as, or `None` if it is a name.

    Raises:
        AddressError: it is a number that only looks like a name; `0x7f.1` is `127.0.0.1`.
    """
    try:
        return ip_address(host)
    except ValueError:
        pass
    if ":" in host or "%" in host:
        raise AddressError(f"{host} is no address and no name; write one of them")
    if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        raise AddressError(
            f"{host} is an address in a form that hides which; write it as four decimal numbers, "
            "such as 203.0.113.5"
        )
    return None


def is_local_name(host: str) -> bool:
    """Return whether a name means the machine itself."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")
