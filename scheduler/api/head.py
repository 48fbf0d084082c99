"""HEAD wherever GET is taken: the same answer without its body (RFC 9110, 9.3.2)."""

from typing import Any

from sublife.scheduler.api.path import App


class Head:
    """Answers HEAD as it would GET, and leaves the body out.

    Args:
        app: the application behind it.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand a request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(part: Any) -> None:
            await send({**part, "body": b""} if part["type"] == "http.response.body" else part)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)
