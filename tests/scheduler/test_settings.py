"""Settings: flags over environment over file over defaults; what is wrong is named."""

import re
from pathlib import Path

import pytest

from sublife.scheduler.settings import PREFIX, Settings, SettingsError, load

DOCUMENT = Path(__file__).parents[2] / "docs" / "daemon.md"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A file of settings."""
    path = tmp_path / "sublife.toml"
    path.write_text('store = "sqlite:///file.db"\nbatch = 10\nworkers = 3\n', encoding="utf-8")
    return path


def test_a_flag_wins_over_environment_file_and_default(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place fills in what those before it leave open."""
    monkeypatch.setenv("SUBLIFE_WORKERS", "5")
    monkeypatch.setenv("SUBLIFE_STORE", "sqlite:///environment.db")

    found = load(config, {"store": "sqlite:///flag.db", "workers": None})

    assert (found.store, found.workers, found.batch, found.beat_seconds) == (
        "sqlite:///flag.db",
        5,
        10,
        5,
    )


def test_a_store_that_is_nowhere_is_asked_for() -> None:
    """With all the ways to give it."""
    with pytest.raises(SettingsError, match="store is missing; give --store, SUBLIFE_STORE or"):
        load()


def test_every_fault_is_told_at_once(config: Path) -> None:
    """With the value and what could stand there."""
    config.write_text("batch = 0\nwrokers = 2\n", encoding="utf-8")

    with pytest.raises(SettingsError) as caught:
        load(config)

    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "store is missing" in lines[0] + lines[1] + lines[2]
    assert "batch cannot be 0: input should be greater than or equal to 1" in str(caught.value)
    assert f'there is no setting "wrokers"; take it out of {config}' in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It is not passed over."""
    with pytest.raises(SettingsError, match=r"there is no file .*none\.toml"):
        load(tmp_path / "none.toml")


def test_a_file_that_is_no_toml_is_named(config: Path) -> None:
    """With the line."""
    config.write_text("store sqlite", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"sublife\.toml is no TOML: .*line 1"):
        load(config)


def test_the_store_is_not_shown() -> None:
    """Its address may hold a password."""
    assert "secret" not in repr(load(flags={"store": "postgresql://amy:secret@host/base"}))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    """In docs/daemon.md, with its variable and the description of its flag."""
    text = re.sub(r"\s+", " ", DOCUMENT.read_text(encoding="utf-8"))

    assert f"| `{name}` |" in text
    assert Settings.model_fields[name].description
    assert f"`{PREFIX}{name.upper()}`" in text
