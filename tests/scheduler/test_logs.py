"""The daemon's log: one renderer for everybody, documented keys, and nothing about people."""

import ast
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sublife.events.intake import settle, submit
from sublife.events.logs import log
from sublife.events.outbox import (
    CommittedFact,
    Endpoint,
    Handler,
    add_endpoint,
    deliver,
    relay,
)
from sublife.events.outbox.endpoint import new_secret
from sublife.events.store import Store
from sublife.events.stream import Broker, BrokerError, Connection, Outage, publish
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase, Rename, Suspend
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.logs import LogFormat, LogLevel, configure

TOP = Path(__file__).parents[2]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
JANE = Actor(ActorKind.USER, "jane.roe@tailspin.example")
PERSONAL = (
    "Jane Roe",
    "jane.roe",
    "tailspin.example",
    "Tailspin Toys Ltd",
    "contoso-reseller",
    "Jane's own laptop",
    "late with invoice 4711",
    "pa55word",
    "t0ken-of-the-hook",
)


class Log:
    """What has been written to the log."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        """All of it."""
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line, from JSON."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def events(self) -> list[str]:
        """The name of each line."""
        return [line["event"] for line in self.lines]


@pytest.fixture
def written() -> Iterator[Log]:
    """The log, configured by each test; what was there before comes back."""
    names = ("", "sublife", "uvicorn", "uvicorn.error", "uvicorn.access", "apscheduler", "alembic")
    loggers = [logging.getLogger(name) for name in names]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    hooks = sys.excepthook, threading.excepthook
    yield Log()
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, one of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'store.db'}"


def failing(fact: CommittedFact) -> None:
    """Quote in an error what a fact is about, as a careless host does."""
    raise KeyError(f"Jane Roe has no mailbox for {fact.subject}")


def cut_off() -> None:
    """Raise an error of ours because of one of others."""
    try:
        int("Jane Roe")
    except ValueError as error:
        raise BrokerError("the broker is away") from error


def work_a_night(url: str, written: Log, level: LogLevel) -> str:
    """Sell, refuse, rename, suspend, lapse, post and publish; return the secret that signs."""
    configure(level, LogFormat.JSON, stream=written.stream)
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(url, clock=clock)
    order = Purchase(
        "Tailspin Toys Ltd",
        "contoso-reseller",
        Product("E3", "Office E3 for Jane Roe"),
        30,
        Term.P1Y,
        Billing.MONTHLY,
        friendly_name="Jane's own laptop",
        autorenew=False,
    )
    endpoint = Endpoint(
        id="hook",
        url="http://127.0.0.1:1/in?token=t0ken-of-the-hook",
        secret=new_secret(bytes(range(32))),
        allow_private=True,
        allow_http=True,
    )
    add_endpoint(store, endpoint, SOLD_AT)
    for number in range(5):
        name, at = f"s{number}", clock.now()
        submit(store, Event(f"order-{number}", "purchase", name, at, JANE, order))
        submit(store, Event(f"twice-{number}", "purchase", name, at, JANE, order))
        submit(store, Event(f"name-{number}", "rename", name, at, JANE, Rename("Jane Roe")))
        said = Suspend(("late with invoice 4711",))
        submit(store, Event(f"stop-{number}", "suspend", name, at, JANE, said))
        submit(store, Event(f"back-{number}", "reactivate", name, at, JANE))
    clock.move(SOLD_AT + timedelta(days=500))
    settle(store, clock.now())
    relay(store, clock.now())
    deliver(store, clock.now(), chance=lambda: 0.5)
    Handler(store=store, name="mails", call=failing).run(clock.now(), chance=lambda: 0.5)
    broker = Broker(url="nats://jane.roe:pa55word@127.0.0.1:1", timeout_seconds=1)
    with Connection(broker) as connection:
        try:
            publish(store, clock.now(), connection=connection, chance=lambda: 0.5)
        except BrokerError as error:
            Outage(broker.where).met(error)
    store.close()
    return endpoint.secret


class TestNothingPersonal:
    @pytest.mark.parametrize("level", LogLevel)
    def test_a_whole_night_names_nobody_and_tells_no_secret(
        self, url: str, written: Log, level: LogLevel
    ) -> None:
        """Names, tokens, secrets, passwords, addresses of payloads: none, at any level."""
        secret = work_a_night(url, written, level)

        assert [each for each in (*PERSONAL, secret) if each in written.text] == []
        assert "stream_away" in written.events
        if level is LogLevel.DEBUG:
            assert {"event_applied", "event_refused", "batch_settled"} <= set(written.events)
            assert {"delivery_refused", "handler_failed", "facts_relayed"} <= set(written.events)

    @pytest.mark.parametrize(
        ("said", "shown"),
        [
            ("postgresql://amy:pa55@host/base", "postgresql://***@host/base"),
            ("signed with whsec_AAECAwQF+/=", "signed with ***"),
            ("Authorization: Bearer abc.DEF-123", "Authorization: Bearer ***"),
            ("write to <jane.roe@tailspin.example> now", "write to <***> now"),
            ("/in?token=abc123&page=2", "/in?token=***&page=2"),
            ("password=abc123; host=here", "password=***; host=here"),
        ],
    )
    def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(
        self, written: Log, said: str, shown: str
    ) -> None:
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)

        log.info("told", one=said, several=(said, {"inside": said}))

        (line,) = written.lines
        assert line["one"] == shown
        assert line["several"] == [shown, {"inside": shown}]

    def test_an_error_of_others_is_told_by_type_and_place_not_by_its_words(
        self, written: Log
    ) -> None:
        """A database quotes the row it failed at."""
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)
        try:
            cut_off()
        except BrokerError:
            log.exception("broken", subject="s1")

        (line,) = written.lines
        ours, theirs = line["exception"]
        assert (ours["type"], ours["says"]) == (
            "sublife.events.stream.broker.BrokerError",
            "the broker is away",
        )
        assert theirs["type"] == "builtins.ValueError"
        assert "says" not in theirs
        assert "tests/scheduler/test_logs.py" in theirs["at"][-1]
        assert "Jane Roe" not in written.text

    def test_what_ends_a_thread_or_the_process_is_a_line_too(self, written: Log) -> None:
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)

        def fail() -> None:
            raise ValueError("Jane Roe")

        thread = threading.Thread(target=fail, name="posts")
        thread.start()
        thread.join()
        try:
            fail()
        except ValueError as error:
            sys.excepthook(ValueError, error, error.__traceback__)

        assert written.events == ["thread_broken", "process_broken"]
        assert written.lines[0]["thread_name"] == "posts"
        assert "Jane Roe" not in written.text


class TestLines:
    def test_an_event_is_bound_to_its_subject_rules_and_policy(
        self, written: Log, url: str
    ) -> None:
        work_a_night(url, written, LogLevel.DEBUG)

        applied = [line for line in written.lines if line["event"] == "event_applied"]
        ended = next(line for line in applied if line["event_name"] == "term_ended")
        refused = next(line for line in written.lines if line["event"] == "event_refused")
        assert ended["subject"] == "s0"
        assert ended["event_id"].startswith("timer:s0/term_ended/")
        assert "SUB-03" in ended["rules"]
        assert ended["policy"].startswith("microsoft-csp@")
        assert ended["state"] == "expired"
        assert refused["policy"] == ended["policy"]
        assert {"subject", "event_id", "event_name", "rules", "code"} <= refused.keys()

    def test_a_batch_is_one_line_and_its_events_are_none_but_at_debug(
        self, written: Log, url: str
    ) -> None:
        work_a_night(url, written, LogLevel.INFO)

        assert written.events.count("batch_settled") == 1
        assert not {"event_applied", "event_refused"} & set(written.events)

    def test_each_line_begins_with_when_how_grave_and_what(self, written: Log) -> None:
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)

        log.warning("clock_behind", seconds=3.5)

        assert list(written.lines[0]) == ["timestamp", "level", "event", "seconds"]
        assert datetime.fromisoformat(written.lines[0]["timestamp"]).tzinfo == UTC
        assert written.lines[0]["level"] == "warning"

    @pytest.mark.parametrize(
        ("library", "name"),
        [
            ("uvicorn.error", "uvicorn.error"),
            ("apscheduler", "apscheduler.scheduler"),
            ("alembic", "alembic.runtime"),
        ],
    )
    def test_other_libraries_go_through_the_same_renderer(
        self, written: Log, library: str, name: str
    ) -> None:
        """Whatever they have set up for themselves by then."""
        logging.getLogger(library).setLevel(logging.CRITICAL)
        logging.getLogger(name).addHandler(logging.StreamHandler())
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)
        logging.getLogger(name).handlers.clear()

        logging.getLogger(name).warning("port %d is taken", 80)
        logging.getLogger(name).info("GET /subscriptions?customer=Jane")

        (line,) = written.lines
        assert (line["event"], line["logger"], line["level"]) == (
            "port 80 is taken",
            name,
            "warning",
        )

    def test_a_library_says_no_more_at_debug(self, written: Log) -> None:
        """Below a warning, HTTP clients show headers and SQLAlchemy shows parameters."""
        configure(LogLevel.DEBUG, LogFormat.JSON, stream=written.stream)

        logging.getLogger("httpcore.http11").debug("authorization: Bearer abc")
        logging.getLogger("sqlalchemy.engine").info("INSERT …", extra={"parameters": "Jane"})

        assert written.text == ""

    def test_warnings_of_python_are_lines_too(self, written: Log) -> None:
        configure(LogLevel.INFO, LogFormat.JSON, stream=written.stream)

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("soon gone", DeprecationWarning, stacklevel=1)

        assert [line["logger"] for line in written.lines] == ["py.warnings"]

    def test_a_second_configuration_replaces_the_first(self, written: Log) -> None:
        other = Log()
        configure(LogLevel.INFO, LogFormat.JSON, stream=other.stream)
        configure(LogLevel.ERROR, LogFormat.JSON, stream=written.stream)

        log.warning("caught_up")
        log.error("database_away")

        assert (other.text, written.events) == ("", ["database_away"])

    def test_for_people_it_is_no_json(self, written: Log) -> None:
        configure(LogLevel.INFO, LogFormat.CONSOLE, stream=written.stream)

        log.info("caught_up", events=3)

        assert "caught_up" in written.text
        assert "events=3" in written.text
        assert "{" not in written.text

    def test_where_nobody_looks_it_is_json(self, written: Log) -> None:
        configure(LogLevel.INFO, LogFormat.AUTO, stream=written.stream)

        log.info("caught_up")

        assert written.events == ["caught_up"]


def told() -> dict[str, set[str]]:
    """Return every name and its keys that the code logs, read from the code."""
    found: dict[str, set[str]] = {}
    for path in [*TOP.glob("events/**/*.py"), *TOP.glob("scheduler/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_log(node.func) and node.args:
                keys = {each.arg for each in node.keywords if each.arg} - {"exc_info"}
                for name in _names(node.args[0]):
                    found.setdefault(name, set()).update(keys)
    return found


def _is_log(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "tell"
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "log"
    )


def _names(first: ast.expr) -> list[str]:
    return [
        each.value
        for each in ast.walk(first)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def documented() -> dict[str, set[str]]:
    """Return every name and its keys that docs/logs.md lists."""
    text = (TOP / "docs" / "logs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| [a-z, ]+ \| ([^|]*) \|", text, re.MULTILINE)
    return {name: set(re.findall(r"`([a-z_]+)`", keys)) for name, keys in rows}


def test_every_line_and_its_keys_are_documented() -> None:
    """In docs/logs.md, no more and no fewer."""
    assert documented() == told()
