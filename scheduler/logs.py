"""How the daemon writes its log: one line per event, as JSON or for a terminal, and no secrets.

The library logs to the host's own logging (`sublife.events.logs`). Here the daemon is the host:
everything that any library logs goes through one handler and one chain. What an error of another
library says is left out, since it may quote the data it failed at; its type and place are kept.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from pathlib import Path
from traceback import TracebackException
from types import TracebackType
from typing import Any, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from sublife.events.logs import log
from sublife.events.printable import printable
from sublife.events.token import without_tokens
from sublife.lifecycle.model import iso

OWN = "sublife"
_FRAMES = 12
_HIDDEN = "***"
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=://)[^/\s@]+(?=@)"), _HIDDEN),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), _HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]+"), rf"\1 {_HIDDEN}"),
    (re.compile(r"(?i)\b(password|passwd|secret|token|api_?key)=[^\s&;,]+"), rf"\1={_HIDDEN}"),
    (re.compile(r"[^\s@<>()\"',;:/]+@[^\s@<>()\"',;:/]+\.[A-Za-z]{2,}"), _HIDDEN),
)
"""What is never written, wherever it stands: passwords in addresses, signing secrets, e-mail."""


class LogFormat(StrEnum):
    """How a line is written."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """From which level on lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure(
    level: LogLevel = LogLevel.INFO,
    form: LogFormat = LogFormat.AUTO,
    *,
    stream: TextIO | None = None,
) -> None:
    """Write the log of this process to one place; a second call replaces the first.

    Args:
        level: of our own lines; of other libraries only warnings and errors are written, whatever
            it is, since below that they show requests and parameters.
        form: JSON, or for people; `auto` looks whether *stream* is a terminal.
        stream: standard error if not given.
    """
    where = stream or sys.stderr
    handler = _Line(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.add_log_level,
                structlog.stdlib.ExtraAdder(),
                _logger_of_others,
                _exception,
                _without_secrets,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _in_order,
                *_renderers(form, where),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [*(each for each in root.handlers if not isinstance(each, _Line)), handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OWN).setLevel(level.value.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "apscheduler", "alembic"):
        other = logging.getLogger(name)
        other.handlers.clear()
        other.propagate = True
        other.setLevel(logging.NOTSET)
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = _thread_crashed


class _Line(logging.Handler):
    """Writes one line to a stream; to what is standard error by then, if none is given."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; a log that cannot be written stops nobody's work."""
        stream = self._stream or sys.stderr
        with suppress(OSError, ValueError):
            stream.write(self._line(record) + "\n")
            stream.flush()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # noqa: BLE001 – such as a library's own mistake in its message
            at = datetime.fromtimestamp(record.created, UTC)
            return json.dumps(
                {
                    "timestamp": at.isoformat().replace("+00:00", "Z"),
                    "level": record.levelname.lower(),
                    "event": "unreadable_line",
                    "logger": record.name,
                    "error": type(error).__name__,
                }
            )


def _renderers(form: LogFormat, stream: TextIO) -> list[Processor]:
    """Return what makes one physical line of an event, of whatever texts it has."""
    is_console = form is LogFormat.CONSOLE or (form is LogFormat.AUTO and stream.isatty())
    if is_console:
        return [_for_people, structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    # In ASCII no character ends a line for one reader only, and every encoding can write it.
    return [structlog.processors.JSONRenderer(default=_plain, ensure_ascii=True)]


def _for_people(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Write as escapes what a terminal would act upon; an exception stays on its line."""
    if "exception" in event:
        event["raised"] = event.pop("exception")
    return {
        printable(name): printable(value if isinstance(value, str) else repr(value))
        for name, value in event.items()
    }


def _plain(value: object) -> object:
    """Return what JSON has no form for; of anything unknown only its type is told."""
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, Path) else f"<{type(value).__name__}>"


def _logger_of_others(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Name the library that speaks, where it is not ours."""
    event.pop("message", None)  # left on the record by another handler
    record: logging.LogRecord = event["_record"]
    if record.name.partition(".")[0] != OWN:
        event["logger"] = record.name
    return event


def _exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Tell an exception by the types and places of its chain."""
    event.pop("exc_info", None)
    record: logging.LogRecord = event["_record"]
    if record.exc_info and record.exc_info[1] is not None:
        event["exception"] = exception_of(record.exc_info[1])
    return event


def exception_of(error: BaseException) -> list[Mapping[str, Any]]:
    """Return an exception and its causes: types, where they were raised, and what ours say."""
    told: list[Mapping[str, Any]] = []
    found: BaseException | None = error
    while found is not None and len(told) < _FRAMES:
        stack = TracebackException.from_exception(found, lookup_lines=False).stack
        frames = [f"{_place(each.filename)}:{each.lineno} {each.name}" for each in stack]
        kind = type(found)
        one: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}"}
        if kind.__module__.partition(".")[0] == OWN:
            one["says"] = str(found)
        told.append({**one, "at": frames[-_FRAMES:]})
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return told


def _place(filename: str) -> str:
    return "/".join(Path(filename).parts[-3:])


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put first what every line has."""
    return {**{name: event[name] for name in ("timestamp", "level", "event")}, **event}


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what looks like a secret or an e-mail address, wherever it stands."""
    return {name: value if name == "_record" else hidden(value) for name, value in event.items()}


def hidden(value: object) -> object:
    """Return a value with everything hidden that looks like a secret or an e-mail address."""
    if isinstance(value, str):
        value = without_tokens(value)
        for pattern, instead in _SECRETS:
            value = pattern.sub(instead, value)
        return value
    if isinstance(value, Mapping):
        inside = cast("Mapping[object, object]", value)
        return {str(hidden(str(name))): hidden(each) for name, each in inside.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [hidden(each) for each in cast("Iterable[object]", value)]
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # JSON has no form for it
    return value


def _crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    log.critical("process_broken", exc_info=error)


def _thread_crashed(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and told.exc_type is not SystemExit:
        name = told.thread.name if told.thread else None
        log.critical("thread_broken", thread_name=name, exc_info=told.exc_value)
