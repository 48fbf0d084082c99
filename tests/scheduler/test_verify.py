"""sublife verify: what it says of a sound history and of one that is not, and the exit status."""

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife.scheduler.cli import app

ROOT = Path(__file__).parents[2]
SCENARIOS = ROOT / "scenarios" / "subscription"
OWN_PACK = SCENARIOS / "packs" / "no-grace.yaml"


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = " ".join(result.stderr.split())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a store that holds two scenarios, one of them under a pack of its own."""
    path = tmp_path / "store.db"
    said = Said(
        "replay",
        SCENARIOS / "lapse-through-every-state.yaml",
        SCENARIOS / "upgrade-of-a-part-shares-the-parents-window.yaml",
        "--store",
        f"sqlite:///{path}",
    )
    assert said.status == 0
    return path


@pytest.fixture
def url(path: Path) -> str:
    """Its address."""
    return f"sqlite:///{path}"


def write(path: Path, statement: str) -> None:
    """Change the file past the engine."""
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_a_sound_history_is_status_0(url: str) -> None:
    """It says how much it has read."""
    said = Said("verify", "--store", url)

    assert said.status == 0
    assert said.out.startswith("sound ")
    assert "subjects of 2 tenants" in said.out
    assert "decided again" not in said.out


def test_a_rebuild_says_how_much_it_has_decided_again(url: str) -> None:
    """And how many records it has compared."""
    said = Said("verify", "--store", url, "--rebuild")

    assert said.status == 0
    assert "events decided again" in said.out
    assert "records compared" in said.out


def test_the_first_row_that_was_changed_is_named_with_status_1(path: Path, url: str) -> None:
    """Tenant, subject, sequence, event, column, what is wrong, what to do."""
    write(path, "UPDATE sublife_journal SET state = 'active' WHERE name = 'term_ended'")

    said = Said("verify", "--store", url)

    assert said.status == 1
    assert "✗ tenant scenario:" in said.out
    assert "journal of s1, row " in said.out
    assert 'changed (column state): its state says "active" and said "expired"' in said.out
    assert "what to do: keep a copy of the database" in said.out
    assert "NOT SOUND" in said.out


def test_one_tenant_can_be_asked_for(path: Path, url: str) -> None:
    """What is wrong elsewhere is not looked at; a tenant that is not there is told."""
    scenario = "scenario:" + str(SCENARIOS / "{}.yaml")
    lapse = scenario.format("lapse-through-every-state")
    upgrade = scenario.format("upgrade-of-a-part-shares-the-parents-window")
    write(path, f"UPDATE sublife_journal SET rules = 'SUB-99' WHERE tenant = '{lapse}'")  # noqa: S608

    status = {
        name: Said("verify", "--store", url, "--tenant", name).status for name in (lapse, upgrade)
    }
    unknown = Said("verify", "--store", url, "--tenant", "nobody")

    assert status == {lapse: 1, upgrade: 0}
    assert unknown.status == 2
    assert 'nothing of tenant "nobody"; its tenants are scenario:' in unknown.complaints


def test_what_was_not_rebuilt_is_said(path: Path, url: str) -> None:
    """Rows that were changed prove nothing."""
    write(path, "UPDATE sublife_journal SET rules = 'SUB-99' WHERE sequence = 2")

    said = Said("verify", "--store", url, "--rebuild")

    assert said.status == 1
    assert "nothing was rebuilt" in said.out


def test_a_stored_subject_that_is_not_the_rebuilt_one_is_status_1(path: Path, url: str) -> None:
    """Only a rebuild finds it."""
    write(path, "UPDATE sublife_subject SET customer = 'northwind' WHERE id = 's1'")

    without, with_ = Said("verify", "--store", url), Said("verify", "--store", url, "--rebuild")

    assert (without.status, with_.status) == (0, 1)
    assert 'its customer is "northwind"; rebuilt it is "tailspin"' in with_.out


def test_a_pack_that_is_not_at_hand_is_status_2(url: str) -> None:
    """Unless it is given."""
    replayed = Said("replay", SCENARIOS / "a-copied-policy-shortens-the-grace.yaml", "--store", url)
    packs = [part for each in OWN_PACK.parent.glob("*.yaml") for part in ("--policy", each)]

    without = Said("verify", "--store", url, "--rebuild")
    with_ = Said("verify", "--store", url, "--rebuild", *packs)

    assert (replayed.status, without.status, with_.status) == (0, 2, 0)
    assert "not rebuilt rows were decided by the pack grace-of-ten-days@" in without.out
    assert "give its file with --policy" in without.out


def test_packs_belong_to_a_rebuild(url: str) -> None:
    """An option that has no effect is refused."""
    said = Said("verify", "--store", url, "--policy", OWN_PACK)

    assert said.status == 2
    assert "--policy belongs to --rebuild" in said.complaints


def test_a_pack_that_is_broken_is_told(url: str, tmp_path: Path) -> None:
    """With file and remedy."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("pack: [", encoding="utf-8")

    said = Said("verify", "--store", url, "--rebuild", "--policy", broken)

    assert said.status == 2
    assert "broken.yaml" in said.complaints


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("sqlite:///{}/nothing-here.db", "there is no database file /"),
        ("mysql://host/base", "is no address of SQLite or PostgreSQL"),
    ],
)
def test_what_cannot_be_opened_is_status_2(tmp_path: Path, address: str, words: str) -> None:
    """And no file is made."""
    said = Said("verify", "--store", address.format(tmp_path))

    assert said.status == 2
    assert words in said.complaints
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_told(path: Path, url: str) -> None:
    """A table that is gone is no row that was dropped."""
    write(path, "DROP TABLE sublife_claim")

    said = Said("verify", "--store", url, "--rebuild")

    assert said.status == 2
    assert "sublife_claim" in said.complaints
