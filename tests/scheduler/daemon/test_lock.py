"""One daemon on one SQLite file, by whatever path; any number on PostgreSQL."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sublife.scheduler.daemon.lock import NoFileError, SecondDaemonError, alone, file_of

HOLDING = """
import sys
from sublife.scheduler.daemon.lock import alone
with alone(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another process that holds `store.db` of the folder."""
    (tmp_path / "store.db").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, f"sqlite:///{tmp_path / 'store.db'}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_by_any_path(
    holder: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    """A link to the file is the same file."""
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")

    with (
        pytest.raises(SecondDaemonError, match=r"another daemon works on .*store\.db already"),
        alone(f"sqlite:///{tmp_path / 'link.db'}"),
    ):
        pytest.fail("it was let in")


def test_a_killed_process_holds_nothing(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """Nobody has to remove a file by hand."""
    holder.kill()
    holder.communicate()

    with alone(f"sqlite:///{tmp_path / 'store.db'}"):
        held = True

    assert held


def test_another_file_is_free(holder: "subprocess.Popen[str]", tmp_path: Path) -> None:
    """The lock is of one file, not of the folder."""
    (tmp_path / "other.db").touch()

    with alone(f"sqlite:///{tmp_path / 'other.db'}"):
        is_held = holder.poll() is None

    assert is_held


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """It would be gone with the daemon, and nobody else could write to it."""
    with pytest.raises(NoFileError, match="give the daemon a file"), alone(url):
        pytest.fail("it was let in")


def test_postgresql_needs_no_lock(tmp_path: Path) -> None:
    """Any number of daemons share it, and no file is made."""
    with alone("postgresql://user@host/base"), alone("postgresql://user@host/base"):
        assert not list(tmp_path.iterdir())


def test_the_path_of_an_address_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative, absolute, with options."""
    monkeypatch.chdir(tmp_path)
    wanted = (tmp_path / "store.db").resolve()

    found = {file_of(url) for url in ("sqlite:///store.db", f"sqlite:///{wanted}?timeout=5")}

    assert found == {wanted}
