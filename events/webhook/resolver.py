"""Resolves names by the operating system, on threads that hold up neither posts nor the end."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from threading import Thread

_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class Resolver:
    """Resolves names by the operating system, each on a thread of its own while it is asked for.

    The threads that all share would be used up by a few names whose servers do not answer, and the
    process would wait for them when it ends; nothing waits for these.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, int], Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host, in the order in which to try them."""
        key = (host, port)
        if key not in self._asked or self._asked[key].done():
            self._asked[key] = _ask(host, port)
        return await asyncio.wrap_future(self._asked[key])


def _ask(host: str, port: int) -> Future[list[str]]:
    """Begin to resolve a name."""
    answer: Future[list[str]] = Future()
    answer.set_running_or_notify_cancel()  # a post that waits no longer cancels it for no other
    name = f"sublife-resolve-{host}"
    Thread(target=_resolve, args=(answer, host, port), name=name, daemon=True).start()
    return answer


def _resolve(answer: Future[list[str]], host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result(list(dict.fromkeys(_addresses_of(found))))
    except Exception as error:  # noqa: BLE001 – raised where it is waited for
        answer.set_exception(error)


def _addresses_of(found: Sequence[tuple[object, ...]]) -> Iterator[str]:
    """Yield the IP addresses among what the operating system found."""
    for family, *_, place in found:
        if family in _FAMILIES and isinstance(place, tuple) and isinstance(place[0], str):
            yield place[0]  # a number where Python was built without the family
