"""Every event is one physical line of the log, whatever texts it has, and no token is in it."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TextIO
from urllib.parse import quote

import pytest

from sublife.events.logs import log
from sublife.events.token import MARK
from sublife.scheduler.logs import LogFormat, LogLevel, configure

SECRET = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYm"  # noqa: S105 – of no token
TOKEN = f"{MARK}_0123456789abcdef_{SECRET}"
ODD = [
    "\n",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\x1b[31m",
    "\x9b31m",
    "\x7f",
    "\u202e",
    "\u2066",
    "\u200b",
    "\ufeff",
    "\ud800",
    "\udfff\ud800",
    "\U0001f600",
    "\U000e0041",
    "\xe9",
]


class Written(io.StringIO):
    """What has been written to the log, in one of its forms."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self.form = form


@contextmanager
def logging_to(stream: TextIO, form: LogFormat = LogFormat.JSON) -> Generator[None]:
    """Write the log to a stream; the logging of before comes back."""
    root, own = logging.getLogger(), logging.getLogger("sublife")
    handlers, levels = root.handlers[:], (root.level, own.level)
    hooks = sys.excepthook, threading.excepthook
    configure(LogLevel.INFO, form, stream=stream)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook = hooks
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        own.setLevel(levels[1])


@pytest.fixture(params=[LogFormat.JSON, LogFormat.CONSOLE])
def stream(request: pytest.FixtureRequest) -> Iterator[Written]:
    """What the log is written to, in either form."""
    found = Written(request.param)
    with logging_to(found, found.form):
        yield found


def only_line(stream: Written) -> str:
    """Return the only line, and fail if it is more or less than one for any reader."""
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1, text
    line = text[:-1]
    assert line.isprintable()
    if stream.form is LogFormat.JSON:
        assert line.isascii()
        assert json.loads(line, parse_constant=pytest.fail)["event"]
    return line


def raise_odd(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("odd", ODD, ids=ascii)
def test_an_odd_character_does_not_split_a_line(stream: Written, odd: str) -> None:
    log.warning("paused", reason=f"a{odd}b", scope=[f"a{odd}b"], by={f"a{odd}b": f"a{odd}b"})

    assert "paused" in only_line(stream)


@pytest.mark.parametrize("odd", ["\n", "\x85", "\u2028", "\ud800", "\x1b[31m"], ids=ascii)
def test_neither_does_one_in_a_message_of_another_library(stream: Written, odd: str) -> None:
    logging.getLogger("uvicorn.access").warning('%s - "GET %s" %d', "127.0.0.1", f"/a{odd}b", 200)

    assert "GET" in only_line(stream)


@pytest.mark.parametrize("odd", ["\n", "\x85", "\u2028", "\ud800"], ids=ascii)
def test_neither_does_one_in_a_warning(stream: Written, odd: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"a{odd}b", stacklevel=1)

    assert "UserWarning" in only_line(stream)


@pytest.mark.parametrize("odd", ["\n", "\x85", "\u2028", "\ud800"], ids=ascii)
def test_neither_does_one_in_an_exception(stream: Written, odd: str) -> None:
    try:
        raise_odd(f"a{odd}b")
    except ValueError:
        log.exception("settle_broken", tenant=f"a{odd}b")

    assert "builtins.ValueError" in only_line(stream)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_figure_that_json_does_not_have_is_written_as_text(stream: Written, value: float) -> None:
    log.warning("paused", reason={"seconds": value}, by=value)

    assert str(value) in only_line(stream)


def circular() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["itself"] = found
    return found


@pytest.mark.parametrize("values", [{"reason": circular()}, {"by": [circular()]}])
def test_a_value_without_an_end_costs_only_its_own_line(
    stream: Written, values: dict[str, Any]
) -> None:
    log.warning("paused", **values)

    assert "unreadable_line" in only_line(stream)


@pytest.mark.parametrize("arguments", [("x",), (1, 2)])
def test_a_mistaken_message_of_another_library_costs_only_its_own_line(
    stream: Written, arguments: tuple[Any, ...]
) -> None:
    record = logging.LogRecord("other", logging.WARNING, "", 1, "%d", arguments, None)
    handlers = logging.getLogger().handlers  # that of pytest raises at such a message
    next(each for each in handlers if "sublife" in type(each).__module__).handle(record)

    line = only_line(stream)
    assert "unreadable_line" in line
    assert "other" in line


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"/v1/due?access_token={TOKEN}",
        f"/v1/subjects/{TOKEN}/history",
        f"http://amy:{TOKEN}@localhost/",
        f"http://{TOKEN}@localhost/",
        f"Token {TOKEN}",
        f"Bearer {TOKEN}",
        f"X-Token: {TOKEN}",
        f'{{"token": "{TOKEN}"}}',
        f"a{TOKEN}b",
        quote(TOKEN, safe="").replace("_", "%5F"),
        TOKEN.replace("_", "%5f"),
        TOKEN.upper(),
        TOKEN[:40],
        f"{TOKEN} {TOKEN}",
        f"{TOKEN}\n{TOKEN}",
    ],
)
def test_a_token_is_written_nowhere(stream: Written, text: str) -> None:
    log.warning("paused", reason=text, scope=(text, [text]), by={text: {"x": text}})

    line = only_line(stream)
    assert SECRET[:12].lower() not in line.lower()
    assert "***" in line


@pytest.mark.parametrize("name", ["uvicorn.access", "uvicorn.error", "httpx"])
def test_a_token_in_the_line_of_another_library_is_hidden(stream: Written, name: str) -> None:
    logging.getLogger(name).warning('%s - "GET %s"', "127.0.0.1", f"/v1/due?token={TOKEN}")

    assert SECRET not in only_line(stream)


def test_a_stream_that_cannot_write_stops_nothing() -> None:
    closed = io.StringIO()

    with logging_to(closed):
        closed.close()
        log.warning("paused", reason="x")
        assert closed.closed


def test_a_stream_of_few_characters_is_written_in_them() -> None:
    raw = io.BytesIO()

    with logging_to(io.TextIOWrapper(raw, "cp1252")):
        log.warning("paused", reason="\u6771\ud800\u2028")
        line = raw.getvalue()

    assert json.loads(line)["reason"] == "\u6771\ud800\u2028"
