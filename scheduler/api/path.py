"""Ids in paths: a slash in an id is sent as %2F, and does not end the segment."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

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
