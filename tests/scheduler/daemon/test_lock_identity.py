"""One daemon on one SQLite file, however it is named, linked, moved or unlocked by hand."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sublife.events.store import MissingError, ReplacedError, StoreError
from sublife.events.store.database import open_engine
from sublife.events.store.file import path_of
from sublife.scheduler.daemon import inode, lock
from sublife.scheduler.daemon.lock import (
    SUFFIX,
    NoFileError,
    SecondDaemonError,
    UnwritableError,
    alone,
    file_of,
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database file in the current folder, with a blank in its name."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my store.db"
    sqlite3.connect(path).close()
    path.touch()
    return path


WRITES = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
"""
SPELLINGS = {
    "relative": "sqlite:///my store.db",
    "absolute": "sqlite:///{0}",
    "a step up": "sqlite:///sub/../my store.db",
    "trailing parameter": "sqlite:///{0}?timeout=5",
    "driver named": "sqlite+pysqlite:///{0}",
    "address of SQLite": "sqlite:///file:{0}?uri=true",
    "address of SQLite, percent-encoded": "sqlite:///file:my%20store.db?uri=true",
    "address of SQLite, relative": "sqlite:///file:my store.db?uri=true",
    "address of SQLite with slashes": "sqlite:///file://{0}?uri=true",
    "address of SQLite with a host": "sqlite:///file://localhost{0}?uri=true",
    "address of SQLite with a mode": "sqlite:///file:{0}?mode=rw&uri=true",
    "address of SQLite with a cache": "sqlite:///file:{0}?cache=private&uri=1&timeout=3",
    "address of SQLite with a driver of files": "sqlite:///file:{0}?vfs=unix&uri=true",
    "address of SQLite, no scheme": "sqlite:///my store.db?uri=true",
}


def at(address: str, file: Path) -> str:
    """Return an address with the path of the file in it."""
    return address.format(file)


@pytest.mark.parametrize("address", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_names_the_file_that_sqlite_opens(address: str, file: Path) -> None:
    """The lock and the tables are of one file."""
    (file.parent / "sub").mkdir()
    engine = open_engine(at(address, file))
    with engine.connect() as connection:
        opened = connection.exec_driver_sql("PRAGMA database_list").fetchone()
    engine.dispose()

    assert opened is not None
    assert file_of(at(address, file)) == Path(opened[2]).resolve() == file.resolve()


@pytest.mark.parametrize("address", SPELLINGS.values(), ids=SPELLINGS)
def test_a_second_daemon_of_the_same_process_is_refused_by_every_spelling(
    address: str, file: Path
) -> None:
    """A lock of fcntl(2) would let the same process in again, and would be gone with it."""
    (file.parent / "sub").mkdir()
    with alone(f"sqlite:///{file}"), pytest.raises(SecondDaemonError), alone(at(address, file)):
        pytest.fail("it was let in")


def hard_link(file: Path) -> str:
    (file.parent / "deep").mkdir()
    os.link(file, file.parent / "deep" / "other.db")
    return f"sqlite:///{file.parent / 'deep' / 'other.db'}"


def symbolic_link(file: Path) -> str:
    (file.parent / "link.db").symlink_to(file)
    return f"sqlite:///{file.parent / 'link.db'}"


def linked_folder(file: Path) -> str:
    (file.parent / "folder").symlink_to(file.parent)
    return f"sqlite:///{file.parent / 'folder' / file.name}"


@pytest.mark.parametrize("link", [hard_link, symbolic_link, linked_folder])
def test_a_link_is_the_same_file(link: Callable[[Path], str], file: Path) -> None:
    """A hard link has a path and a lock file of its own."""
    url = link(file)

    with alone(f"sqlite:///{file}"), pytest.raises(SecondDaemonError), alone(url):
        pytest.fail("it was let in")


@pytest.fixture
def become_another_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Forgets what this process holds, as another one would not know of it."""

    def become() -> None:
        holds_nothing: set[object] = set()
        monkeypatch.setattr(lock, "_ours", holds_nothing)
        monkeypatch.setattr(inode, "_descriptors", dict[object, int]())

    return become


def test_a_daemon_of_another_process_is_refused_at_a_hard_link(
    file: Path, become_another_process: Callable[[], None]
) -> None:
    """The first one holds the file itself."""
    url = hard_link(file)

    with alone(f"sqlite:///{file}"):
        become_another_process()
        with pytest.raises(SecondDaemonError), alone(url):
            pytest.fail("it was let in")


@pytest.mark.parametrize("gone", ["deleted", "moved", "replaced"])
def test_a_lock_file_that_is_gone_lets_no_second_daemon_in(
    gone: str, file: Path, become_another_process: Callable[[], None]
) -> None:
    """People tidy up; the file itself is locked as well."""
    companion = file.with_name(file.name + SUFFIX)

    with alone(f"sqlite:///{file}") as held:
        companion.rename(companion.with_suffix(".old")) if gone == "moved" else companion.unlink()
        if gone == "replaced":
            companion.touch()
        assert held is not None
        held.demand()
        become_another_process()
        with pytest.raises(SecondDaemonError), alone(f"sqlite:///{file}"):
            pytest.fail("it was let in")


def test_where_the_lock_file_is_all_there_is_losing_it_is_noticed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network file system or another operating system."""

    def never(_device: int) -> bool:
        return False

    monkeypatch.setattr(inode, "_is_local", never)

    with alone(f"sqlite:///{file}") as held:
        assert held is not None
        held.demand()
        file.with_name(file.name + SUFFIX).unlink()
        with pytest.raises(ReplacedError, match=r"lock file .*\.daemon was deleted"):
            held.demand()


def test_the_lock_is_free_again_and_may_be_taken_by_the_same_process(file: Path) -> None:
    """Also at the hard link."""
    url = hard_link(file)

    for address in (f"sqlite:///{file}", url, f"sqlite:///{file}"):
        with alone(address) as held:
            assert held is not None


def test_neither_lock_nor_refusal_ends_a_transaction_of_the_same_process(file: Path) -> None:
    """Closing any descriptor of the file would drop the locks that SQLite holds on it."""
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("CREATE TABLE t (x)")
    writer.execute("BEGIN EXCLUSIVE")

    with alone(f"sqlite:///{file}"), pytest.raises(SecondDaemonError), alone(f"sqlite:///{file}"):
        pytest.fail("it was let in")
    other = subprocess.run([sys.executable, "-c", WRITES, file], check=False, capture_output=True)
    writer.execute("ROLLBACK")
    writer.close()

    assert b"database is locked" in other.stderr


@pytest.mark.parametrize("name", ["store.db", "./store.db", "file:store.db?uri=true"])
def test_a_file_that_is_missing_is_named_and_nothing_is_made(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the database nor the lock file."""
    monkeypatch.chdir(tmp_path)

    with (
        pytest.raises(MissingError, match=f"no database file {tmp_path}/"),
        alone(f"sqlite:///{name}"),
    ):
        pytest.fail("it was let in")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///",
        "sqlite:///file::memory:?uri=true",
        "sqlite:///file:shop?mode=memory&cache=shared&uri=true",
        "sqlite:///file:/shop?vfs=memdb&uri=true",
    ],
)
def test_memory_by_any_name_is_no_file(url: str) -> None:
    """It would be gone with the daemon."""
    with pytest.raises(NoFileError, match="give the daemon a file"), alone(url):
        pytest.fail("it was let in")


@pytest.mark.parametrize("url", ["sqlite:store.db", "sqlite://store.db", "sqlite://C:/a/store.db"])
def test_an_address_with_too_few_slashes_is_refused(url: str) -> None:
    """It names a host, and SQLite has none."""
    with pytest.raises(StoreError, match="write sqlite:///"):
        file_of(url)


def test_a_path_of_windows_is_the_file_that_is_opened(file: Path) -> None:
    """Elsewhere it is a strange name, and still one file."""
    assert path_of("sqlite:///C:\\data\\store.db") == file.parent / "C:\\data\\store.db"


def test_a_folder_that_cannot_be_written_to_is_named(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount that only reads, or rights that are missing."""

    def is_no_folder(path: Path) -> bool:
        return path != file.parent

    monkeypatch.setattr(lock, "may_write", is_no_folder)

    with (
        pytest.raises(UnwritableError, match="Commands that only read work"),
        alone(f"sqlite:///{file}"),
    ):
        pytest.fail("it was let in")

    assert not file.with_name(file.name + SUFFIX).exists()
