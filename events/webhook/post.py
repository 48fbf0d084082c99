"""Posts to an address that was checked, and to no other; needs the extra `webhooks`.

A name is resolved once for each hop, every address found is checked, and the connection goes to
one of those, so that a name that means something else a moment later changes nothing. TLS and the
header `Host` still carry the name. No proxy of the environment is used: it would resolve again.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import httpx

from sublife.events.content import clear
from sublife.events.store.secret import shown_address
from sublife.events.webhook.address import (
    AddressError,
    address_of,
    check_address,
    is_local_name,
    literal,
)
from sublife.events.webhook.answer import Answer
from sublife.events.webhook.name import check_name
from sublife.events.webhook.resolver import Resolver

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host and port, as text."""

_PORTS = {"http": 80, "https": 443}
_AGAIN = {307, 308}
"""Redirects that keep method and body; others would turn a post into something else."""
_SHOWN = 200
"""Characters of a wrong URL that a message repeats."""
_READ = 65536
"""Bytes of an answer read to keep the connection; what a receiver says is not kept."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be posted to, as far as its text tells.

    Args:
        url: as httpx reads it.
        host: in ASCII, without brackets.
        port: of the connection.
        is_address: whether the host is written as an address.
        allow_private: whether it may lie at an address that is not public.
        allow_http: whether it, or where it redirects to, may do without TLS.
    """

    url: httpx.URL
    host: str
    port: int
    is_address: bool
    allow_private: bool
    allow_http: bool

    @classmethod
    def of(cls, text: str, *, allow_private: bool, allow_http: bool) -> "Target":
        """Return the target that a URL means.

        Raises:
            AddressError: it is no URL, not `https` where it must be, carries a password, names a
                host that cannot exist, or an address that is not public.
        """
        url = _url_of(text)
        schemes = ("https", "http") if allow_http else ("https",)
        host = url.raw_host.decode("ascii")
        if url.scheme not in schemes or not host:
            raise AddressError(
                f'"{_shown(text)}" is no URL of {" or ".join(schemes)}; write https://name/path'
                + ("" if allow_http else ", or allow http for the endpoint")
            )
        if url.userinfo or url.fragment:
            raise AddressError(
                f"a URL of {clear(host, _SHOWN)} carries a password or a fragment; take it out: "
                "posts are signed, and a URL is shown in lists"
            )
        address = literal(host)
        if address is None:
            check_name(host)
        if not allow_private:
            if address is not None:
                check_address(host, host)
            elif is_local_name(host):
                raise AddressError(
                    f"{host} is this machine; allow private addresses for the endpoint if it is "
                    "meant to be reached there"
                )
        port = _PORTS[url.scheme] if url.port is None else url.port
        if not 0 < port < 65536:
            raise AddressError(f"{host} has no port {port}; give one between 1 and 65535")
        return cls(url, host, port, address is not None, allow_private, allow_http)

    def redirected(self, location: str) -> "Target":
        """Return the target that an answer of this one points to.

        Raises:
            AddressError: it may not be posted to.
        """
        try:
            text = str(self.url.join(location))
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressError(f"{self.host} redirects to what is no URL") from error
        try:
            return Target.of(text, allow_private=self.allow_private, allow_http=self.allow_http)
        except AddressError as error:
            raise AddressError(f"{self.host} redirects to where no post may go: {error}") from error


def _url_of(text: str) -> httpx.URL:
    """Return a URL as httpx reads it, whatever host it names.

    Raises:
        AddressError: it cannot be read.
    """
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, UnicodeError, TypeError) as error:
        said = (
            "" if "@" in str(text) else f" ({clear(str(error), _SHOWN)})"
        )  # may repeat a password
        raise AddressError(f'"{_shown(text)}" is no URL{said}; write https://name/path') from error


def _shown(text: object) -> str:
    """Return a URL for a message, without a password and not much of it."""
    return clear(shown_address(str(text)), _SHOWN)


class Poster:
    """Posts messages, each within one limit of time for all its hops.

    Args:
        timeout_seconds: for one message, from the name to the answer.
        redirects: hops that are followed.
        resolve: finds addresses; the operating system if not given.
        tls: settings of TLS; those of httpx if not given.
        transport: makes what connects; httpx's own if not given.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float,
        redirects: int,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self.redirects = redirects
        self._resolve: Resolve = resolve or Resolver()
        self._tls = tls
        self._make = transport or self._transport
        self._transports: dict[tuple[str, str, int], httpx.AsyncBaseTransport] = {}

    async def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post one message and return what came back; what goes wrong is an answer too."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._post(target, body, headers)
        except TimeoutError:
            return Answer.failed(f"no answer within {self.timeout_seconds:g} s")
        except AddressError as error:
            return Answer.failed(str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Answer.failed(f"{type(error).__name__}: {error}")

    async def _post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        for _ in range(self.redirects + 1):
            response = await self._reach(target, body, headers)
            location = response.headers.get("location")
            if response.status_code not in _AGAIN or location is None:
                return _answer(response, location)
            target = target.redirected(location)
        return Answer.failed(
            f"more than {self.redirects} redirects; give the endpoint its last URL"
        )

    async def _reach(
        self, target: Target, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Send to the first address that takes a connection, all of them checked before."""
        addresses = await self._addresses(target)
        for address in addresses[:-1]:
            try:
                return await self._send(target, address, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._send(target, addresses[-1], body, headers)

    async def _addresses(self, target: Target) -> Sequence[str]:
        """Return where a target lies.

        Raises:
            AddressError: one of its addresses is not public, or it has none.
        """
        if target.is_address:
            return (target.host,)
        found = [str(address_of(each, target.host)) for each in await self._resolved(target)]
        if not found:
            raise AddressError(f"{target.host} has no address; see that the name is right")
        if not target.allow_private:
            for address in found:
                check_address(address, target.host)
        return found

    async def _resolved(self, target: Target) -> Sequence[object]:
        """Return what the resolver finds, which need not be addresses.

        Raises:
            AddressError: it does not answer with a list, or breaks.
            OSError: it does not know the name.
        """
        try:
            return tuple(await self._resolve(target.host, target.port) or ())
        except OSError:
            raise
        except Exception as error:  # a host's resolver may raise anything
            raise AddressError(
                f"{target.host} was not resolved ({type(error).__name__}: {error}); check the name "
                "and the resolver"
            ) from error

    async def _send(
        self, target: Target, address: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        limits = dict.fromkeys(("connect", "read", "write", "pool"), self.timeout_seconds)
        limits["connect"] = self.timeout_seconds / 2
        extensions: dict[str, object] = {"timeout": limits}
        if not target.is_address:
            extensions["sni_hostname"] = target.host.rstrip(".")
        request = httpx.Request(
            "POST",
            target.url.copy_with(host=address),
            headers={**headers, "host": target.url.netloc.decode("ascii")},
            content=body,
            extensions=extensions,
        )
        response = await self._to(target).handle_async_request(request)
        try:
            await _read(response)
        finally:
            await response.aclose()
        return response

    def _to(self, target: Target) -> httpx.AsyncBaseTransport:
        """Return the connections to one name; another name at the same address has its own."""
        key = (target.url.scheme, target.host, target.port)
        if key not in self._transports:
            self._transports[key] = self._make()
        return self._transports[key]

    def _transport(self) -> httpx.AsyncBaseTransport:
        return httpx.AsyncHTTPTransport(verify=self._tls or _usual_tls(), trust_env=False)

    async def close(self) -> None:
        """Close every connection."""
        for transport in self._transports.values():
            await transport.aclose()
        self._transports.clear()


@cache
def _usual_tls() -> ssl.SSLContext:
    """Return the settings of TLS that all share; reading the certificates takes a while."""
    return httpx.create_ssl_context(trust_env=False)


async def _read(response: httpx.Response) -> None:
    """Read the answer's end, so that the connection can be used again, but never much of it."""
    count = 0
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 – of an async transport
    async for part in response.stream:
        count += len(part)
        if count > _READ:
            return


def _answer(response: httpx.Response, location: str | None) -> Answer:
    return Answer.of(
        response.status_code,
        response.reason_phrase,
        location=location,
        retry_after=response.headers.get("retry-after"),
    )
