"""The command `repair`: as doctor prints it, it brings a damaged row back, or sets it aside."""

import json
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from sublife.events.store import Store
from sublife.scheduler.clock import SystemClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]


def change(url: str, statement: str) -> None:
    store = Store.open(url, clock=SystemClock())
    with store.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount == 1
    store.close()


def row(url: str) -> tuple[object, ...]:
    store = Store.open(url, clock=SystemClock())
    with store.engine.begin() as connection:
        (found,) = connection.execute(text("SELECT * FROM sublife_subject WHERE id = 's1'")).all()
    store.close()
    return tuple(found)


@pytest.fixture
def sound_row(lapsing: str) -> tuple[object, ...]:
    """The row of `s1` before it is damaged."""
    return row(lapsing)


@pytest.fixture
def damaged(lapsing: str, sound_row: tuple[object, ...]) -> str:
    """A database in which the row of `s1` cannot be read."""
    assert sound_row
    change(lapsing, "UPDATE sublife_subject SET lifecycle = 'warranty' WHERE id = 's1'")
    return lapsing


@pytest.fixture
def beyond(damaged: str) -> str:
    """The same, and the journal of `s1` is not as it was written either."""
    change(damaged, "UPDATE sublife_journal SET hash = 'x' WHERE subject = 's1' AND sequence = 1")
    return damaged


def test_the_command_that_doctor_prints_repairs_the_row(
    damaged: str, sound_row: tuple[object, ...], sublife: Sublife
) -> None:
    found = json.loads(sublife("doctor", "--json", "--store", damaged).out)["findings"]
    (remedy,) = [each["remedy"] for each in found if each["check"] == "unreadable"]
    _, *command = shlex.split(remedy.partition(";")[0])

    said = sublife(*command, "--yes", "--store", damaged)

    assert command == ["repair", "s1", "--tenant", "default"]
    assert said.status == 0
    assert "lifecycle: warranty → subscription" in said.words
    assert row(damaged) == sound_row
    after = json.loads(sublife("doctor", "--json", "--store", damaged).out)["findings"]
    assert "unreadable" not in [each["check"] for each in after]


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_nothing_is_written_before_it_is_asked_for(
    more: list[str], damaged: str, sublife: Sublife
) -> None:
    before = row(damaged)

    said = sublife("repair", "s1", *more, "--store", damaged)

    assert "lifecycle: warranty → subscription" in said.words
    assert said.status == (0 if more else 1)
    assert row(damaged) == before


def test_a_sound_row_needs_nothing(lapsing: str, sublife: Sublife) -> None:
    said = sublife("repair", "s1", "--store", lapsing)

    assert (said.status, "there is nothing to do" in said.words) == (0, True)


def test_what_cannot_be_rebuilt_is_set_aside_and_can_be_taken_back(
    beyond: str, sublife: Sublife
) -> None:
    before = row(beyond)

    said = sublife("repair", "s1", "--yes", "--by", "amy", "--store", beyond)
    shown = sublife("show", "s1", "--store", beyond)
    examined = sublife("doctor", "--store", beyond)
    again = sublife("repair", "s1", "--yes", "--store", beyond)
    released = sublife("repair", "s1", "--release", "--store", beyond)

    assert said.status == 1
    assert "row 1 of the journal of s1 is not as it was written" in said.words
    assert "the subject is set aside" in shown.words
    assert "--release" in shown.words
    assert "the subject is set aside" in examined.words
    assert (again.status, released.status) == (1, 0)
    assert row(beyond) == before


def test_json_has_what_was_done(damaged: str, sublife: Sublife) -> None:
    said = sublife("repair", "s1", "--json", "--yes", "--store", damaged)

    done = json.loads(said.out)
    assert (done["outcome"], done["written"]) == ("rebuilt", True)
    assert [each["column"] for each in done["differences"]] == ["lifecycle"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["s1", "--json"], "give --yes or --dry-run too"),
        (["s1", "--release", "--dry-run"], "do not go together"),
        (["s1", "--release"], "s1 of tenant default is not set aside"),
        (["nobody"], "tenant default has no subject nobody"),
    ],
)
def test_what_cannot_be_done_is_named(
    options: list[str], says: str, lapsing: str, sublife: Sublife
) -> None:
    said = sublife("repair", *options, "--store", lapsing)

    assert said.status == 2
    assert says in said.complaints.replace("│ ", "").replace(" │", "")


def test_a_row_that_fits_no_sound_journal_but_can_be_read_is_left_alone(
    lapsing: str, sublife: Sublife
) -> None:
    change(lapsing, "UPDATE sublife_journal SET hash = 'x' WHERE subject = 's1' AND sequence = 1")
    before = row(lapsing)

    said = sublife("repair", "s1", "--yes", "--store", lapsing)

    assert said.status == 2
    assert "has a row that can be read" in said.complaints
    assert "sublife verify --tenant default" in said.complaints
    assert row(lapsing) == before
