"""A daemon whose database cannot be reached: it ends with a message, or waits for a while."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from sublife.events.store import UnreachableError
from sublife.events.store.database import open_engine
from sublife.scheduler.cli import app
from sublife.scheduler.daemon import process
from sublife.scheduler.daemon.process import Daemon
from sublife.scheduler.settings import load

WRONG = {
    "database": ("missing", "createdb"),
    "role": ("stranger", "createuser"),
    "option": ("-c no_such_setting=1", "an option is refused"),
}


@pytest.mark.parametrize("command", [["daemon"], ["show", "s1"], ["migrate"]], ids=" ".join)
@pytest.mark.parametrize("what", WRONG)
def test_each_command_ends_with_one_message_and_its_remedy(
    postgresql: str, what: str, command: list[str]
) -> None:
    value, remedy = WRONG[what]
    url = make_url(postgresql)
    changed = {
        "database": url.set(database=value),
        "role": url.set(username=value),
        "option": url.update_query_dict({"options": value}),
    }[what]

    result = CliRunner().invoke(
        app, [*command, "--store", changed.render_as_string(hide_password=False)]
    )

    assert result.exit_code == 2, result.output
    assert result.stderr.count("not done") == 1
    assert remedy in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("host", ["127.0.0.1:1", "/nowhere", "no-such-host.invalid"])
def test_a_daemon_does_not_wait_for_ever(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0.0)
    name, _, port = host.partition(":")
    url = f"postgresql://u@/db?host={name}" + (f"&port={port}" if port else "")

    with pytest.raises(UnreachableError):
        Daemon(load(flags={"store": url})).run()


@pytest.mark.parametrize(
    ("more", "seconds"), [("", "10"), ("?connect_timeout=3", "3"), ("?prepare_threshold=5", "10")]
)
def test_a_host_that_says_nothing_is_not_waited_for_long(more: str, seconds: str) -> None:
    asked: list[dict[str, object]] = []
    engine = open_engine(f"postgresql://u@192.0.2.1/db{more}")

    def connecting(_dialect: object, _record: object, _args: object, said: Any) -> None:
        asked.append(said)
        raise psycopg.OperationalError

    sa_event.listen(engine, "do_connect", connecting)
    with pytest.raises(OperationalError):
        engine.connect()

    assert str(asked[0]["connect_timeout"]) == seconds
