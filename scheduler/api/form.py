"""The form of a request, looked at before any route: one address, each header once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from sublife.events.token import has_token
from sublife.scheduler.api.document import misplaced
from sublife.scheduler.api.path import App
from sublife.scheduler.api.problem import Problem, answer_of

_ONCE = {
    name.lower().encode(): name
    for name in (
        "Authorization",
        "Content-Length",
        "Content-Type",
        "Host",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Origin",
        "Transfer-Encoding",
    )
}
"""Headers that say one thing; of two, this side could heed the one and a proxy the other."""
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_LINE_END = re.compile(rb"[\r\n\x00]")


class Form:
    """Answers what is malformed with 400, and hands everything else on.

    Args:
        app: the application behind it.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Look at a request."""
        if scope["type"] == "http":
            try:
                check(scope)
            except Problem as found:
                answer = answer_of(found)
                assert answer is not None  # noqa: S101 – every problem has one
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


def check(scope: Mapping[str, Any]) -> None:
    """Look at the address and the headers of a request.

    Raises:
        Problem: 400, where they are malformed, ambiguous, or carry a token in the wrong place.
    """
    _check_path(scope)
    _check_query(scope.get("query_string", b""))
    _check_headers(scope["headers"])


def _check_path(scope: Mapping[str, Any]) -> None:
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    if has_token(_text(raw.partition(b"?")[0], "the path")):
        raise misplaced("the path")


def _check_query(raw: bytes) -> None:
    if has_token(_text(raw, "the query")):
        raise misplaced("the query")
    counts = Counter(name for name, _ in parse_qsl(raw.decode(), keep_blank_values=True))
    for name in _twice(counts):
        raise _ambiguous(name, "stands more than once in the query")


def _check_headers(headers: list[tuple[bytes, bytes]]) -> None:
    counts = Counter(name.lower() for name, _ in headers)
    for name in _twice(counts):
        if name in _ONCE:
            raise _ambiguous(_ONCE[name], "is sent more than once")
    if b"transfer-encoding" in counts and b"content-length" in counts:
        raise _ambiguous("Content-Length", "is sent beside Transfer-Encoding")
    for raw, value in headers:
        name = raw.decode("latin-1")
        if _LINE_END.search(value):
            raise _ambiguous(name, "is folded over several lines")
        if raw.lower() != b"authorization" and has_token(value.decode("latin-1")):
            raise misplaced(f"the header {name}")


def _twice(counts: Counter[Any]) -> Iterator[Any]:
    return (name for name, count in counts.items() if count > 1)


def _text(raw: bytes, where: str) -> str:
    """Return what an address says; bytes that are no text would all read as the same character."""
    if _BAD_ESCAPE.search(raw):
        raise _bad(f'{where} has a "%" that begins no escape; send it as %25')
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise _bad(f"{where} is not UTF-8 once it is decoded; encode it as UTF-8") from error


def _bad(sentence: str) -> Problem:
    return Problem(400, "BAD_URL", sentence)


def _ambiguous(name: str, why: str) -> Problem:
    fault = {"parameter": name, "detail": f"{why}; send it once, on one line"}
    sentence = f"{name}: {fault['detail']}"
    return Problem(400, "AMBIGUOUS_REQUEST", sentence, errors=[fault])
