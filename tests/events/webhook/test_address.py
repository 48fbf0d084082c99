"""Which addresses are public, in every form they can be written in."""

from ipaddress import ip_address

import pytest

from sublife.events.webhook.address import (
    AddressError,
    check_address,
    is_local_name,
    is_public,
    literal,
)

CLOSED = {
    "loopback": "127.0.0.1",
    "all of loopback": "127.255.255.254",
    "unspecified": "0.0.0.0",  # noqa: S104
    "this network": "0.1.2.3",
    "private 10": "10.1.2.3",
    "private 172": "172.31.255.255",
    "private 192": "192.168.1.1",
    "link-local, and the metadata of clouds": "169.254.169.254",
    "carrier-grade NAT, lowest": "100.64.0.0",
    "carrier-grade NAT, highest": "100.127.255.255",
    "protocol assignments": "192.0.0.9",
    "6to4 relays": "192.88.99.1",
    "benchmarks": "198.19.255.255",
    "documentation": "203.0.113.5",
    "multicast": "224.0.0.1",
    "more multicast": "239.255.255.255",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 unique local": "fd12:3456::1",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "IPv6 documentation": "2001:db8::1",
    "IPv6 discard": "100::1",
    "IPv4-mapped loopback": "::ffff:127.0.0.1",
    "IPv4-mapped private": "::ffff:a01:203",
    "IPv4-translated private": "::ffff:0:10.1.2.3",
    "IPv4-compatible private": "::10.1.2.3",
    "NAT64 to private": "64:ff9b::10.1.2.3",
    "NAT64 of one's own": "64:ff9b:1::1",
    "6to4 to private": "2002:a01:203::1",
    "6to4 to loopback": "2002:7f00:1::",
    "Teredo": "2001:0:53aa:64c:0:fffe:f5fe:fdfc",
}
OPEN = ["8.8.8.8", "1.1.1.1", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2606:4700::1111"]
OPEN_IN_IPV6 = ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]


@pytest.mark.parametrize("text", CLOSED.values(), ids=CLOSED.keys())
def test_what_is_not_public_is_closed(text: str) -> None:
    assert not is_public(ip_address(text))
    with pytest.raises(
        AddressError, match=r"hooks\.example lies at .*, which is no public address"
    ):
        check_address(text, "hooks.example")


@pytest.mark.parametrize("text", [*OPEN, *OPEN_IN_IPV6])
def test_what_is_public_is_open(text: str) -> None:
    assert str(check_address(text, "hooks.example")) == str(ip_address(text))


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "0177.0.0.1", "1.2.3.0x4", "127.1."],
)
def test_a_number_that_hides_its_address_is_refused(host: str) -> None:
    with pytest.raises(AddressError, match="in a form that hides which"):
        literal(host)


@pytest.mark.parametrize("host", ["::1::2", "fe80::1%%", "1:2"])
def test_what_is_no_address_and_no_name_is_refused(host: str) -> None:
    with pytest.raises(AddressError, match="no address and no name"):
        literal(host)


@pytest.mark.parametrize("host", ["hooks.example", "a1", "1a", "0xg.example", "3com.com", "x.1a"])
def test_a_name_is_a_name(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LocalHost.", True),
        ("db.localhost", True),
        ("localhost.example", False),
        ("mylocalhost", False),
    ],
)
def test_names_of_the_machine_itself_are_known(host: str, *, local: bool) -> None:
    assert is_local_name(host) is local
