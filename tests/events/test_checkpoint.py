"""SQLite's write-ahead log is copied into the file beside the batches of a night."""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from sublife.events.intake import settle
from sublife.events.store.checkpoint import copying
from sublife.events.store.database import Own, open_engine

if TYPE_CHECKING:
    from tests.events.conftest import Desk

OpenDesk = Callable[..., "Desk"]
NIGHT = datetime(2025, 10, 1, tzinfo=UTC)


def _copied_by_no_commit(engine: Engine) -> None:
    """Let commits leave the log alone, so that what is in the file was copied beside."""

    event.listen(engine, "connect", _leave_the_log)
    engine.dispose()


def _leave_the_log(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA wal_autocheckpoint=0")


def _in_the_file(path: Path, query: str) -> list[Any]:
    """Return what a query finds in the file alone, without its log."""
    alone = path.with_suffix(".alone")
    shutil.copyfile(path, alone)
    connection = sqlite3.connect(alone)
    try:
        return [value for (value,) in connection.execute(query)]
    finally:
        connection.close()
        alone.unlink()


@pytest.mark.parametrize("is_begun", [True, False])
def test_what_is_committed_is_in_the_file_as_the_block_ends(
    tmp_path: Path, *, is_begun: bool
) -> None:
    """The log alone has it otherwise."""
    path = tmp_path / "store.db"
    own = Own(open_engine(f"sqlite:///{path}"))
    with own.writing() as link:
        link.run("CREATE TABLE word (said TEXT)")
    own.close()
    _copied_by_no_commit(own.engine)

    with copying(own.engine) as begin:
        with own.writing() as link:
            link.run("INSERT INTO word VALUES ('here')")
        if is_begun:
            begin()
    found = _in_the_file(path, "SELECT said FROM word")
    own.close()

    assert found == (["here"] if is_begun else [])


def test_a_night_is_copied_while_it_goes_on(tmp_path: Path, open_desk: OpenDesk) -> None:
    path = tmp_path / "night.db"
    desk = open_desk(f"sqlite:///{path}")
    for number in range(6):
        desk.sell(f"s{number}", autorenew=False)
    desk.store.close()
    _copied_by_no_commit(desk.store.engine)
    desk.clock.move(NIGHT)
    lapsed = "SELECT count(*) FROM sublife_journal WHERE name = 'term_ended'"

    assert _in_the_file(path, lapsed) == [0]
    settle(desk.store, NIGHT, batch=1)

    assert _in_the_file(path, lapsed)[0] >= 1


def test_what_cannot_be_copied_stays_in_the_log(tmp_path: Path) -> None:
    """A copy that fails ends nothing: the next one tries again, or a commit."""
    engine = open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'store.db'}")

    with copying(engine) as begin:
        begin()


def test_a_driver_of_asyncio_is_asked_by_no_thread(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}").sync_engine

    with copying(None) as of_host, copying(engine) as own:
        assert own is of_host


def test_where_there_is_no_log_of_ours_nothing_is_copied(url: str) -> None:
    """Nor in a host's transaction, whatever its database."""
    engine = open_engine(url)

    with copying(None) as of_host, copying(engine) as own:
        assert (own is of_host) is not url.startswith("sqlite:///")
