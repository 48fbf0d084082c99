"""Paths: a slash in an id is sent as %2F and ends no segment; where the application is mounted."""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, unquote

_KEPT = re.compile(r"%(2F|25)", re.IGNORECASE)
App = Callable[[Any, Any, Any], Awaitable[None]]


class Segments:
    """Leaves an escaped slash escaped while a route is looked for; `segment` takes it back.

    Args:
        app: the application behind it.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Hand a request on with its path cut at the slashes that were sent as such."""
        raw: bytes | None = scope.get("raw_path")
        if scope["type"] == "http" and raw:
            sent = raw.partition(b"?")[0].decode("ascii", "replace")
            scope = {**scope, "path": unquote(_KEPT.sub(r"%25\1", sent))}
        await self._app(scope, receive, send)


def segment(text: str) -> str:
    """Return a part of the path as it was meant."""
    return _KEPT.sub(lambda found: "/" if found[1].upper() == "2F" else "%", text)


def beside(scope: Mapping[str, Any]) -> str:
    """Return the path of a request without the prefix under which the application is mounted.

    Mounted in another application, the prefix is part of the path; behind a proxy that takes it
    away, it is known from `root_path` alone.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def address(scope: Mapping[str, Any]) -> str:
    """Return the path at which a client has found what it asked for, with its escapes."""
    path: str = scope["path"]
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    sent = quote(raw.partition(b"?")[0], safe="/%:@!$&'()*+,;=~-._")
    is_whole = beside(scope) != path
    return sent if is_whole else quote(scope.get("root_path", "")) + sent
