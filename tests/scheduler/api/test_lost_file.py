"""A SQLite file that was deleted, moved or replaced takes no request any more."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scheduler.api.conftest import Door


def deleted(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("old.db"))


def folder_moved(path: Path) -> None:
    path.parent.rename(path.parent.with_name("old"))


def replaced(path: Path) -> None:
    shutil.copyfile(path, path.with_name("backup.db"))
    path.with_name("backup.db").replace(path)


def link_turned(path: Path) -> None:
    shutil.copyfile(path.resolve(), path.with_name("backup.db"))
    path.unlink()
    path.symlink_to(path.with_name("backup.db"))


LOSSES = [deleted, moved, folder_moved, replaced, link_turned]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is: a link, so that it may be turned as well."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "store.db"


@pytest.mark.parametrize("lose", LOSSES)
def test_a_request_is_never_answered_as_done_where_no_file_keeps_it(
    lose: Callable[[Path], None], path: Path, open_door: Callable[..., "Door"]
) -> None:
    """503, and nothing is made in its place."""
    if lose is link_turned:
        path.with_name("real.db").touch()
        path.symlink_to(path.with_name("real.db"))
    door = open_door(f"sqlite:///{path}")
    client = door.client()
    assert client.sell("s1").status_code == 201
    lose(path)
    before = path.exists() and path.stat().st_size

    answers = [client.sell(f"s{number}") for number in range(2, 5)]

    assert [each.status_code for each in answers] == [503] * 3
    assert {each.json()["code"] for each in answers} == {"DATABASE"}
    assert before == (path.exists() and path.stat().st_size)


def test_a_daemon_in_doubt_is_not_ready(open_door: Callable[..., "Door"]) -> None:
    """The code and the sentence say why."""
    door = open_door()
    door.interface.doubt = lambda: ("CLOCK", "the system clock is ahead")

    answer = door.anybody().get("/readyz")

    assert (answer.status_code, answer.json()["code"]) == (503, "CLOCK")
    assert answer.json()["detail"] == "the system clock is ahead"
