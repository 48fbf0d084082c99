"""`migrate` in an installation that has only byte code, and in one that lacks a revision."""

import compileall
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sublife.events import migrations
from sublife.events.migrations.partition import PLAIN
from sublife.events.store.schema import SchemaError
from sublife.events.store.upgrade import offline_sql, standing, upgrade

Installed = Callable[..., Path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Returns a function that installs the revisions as byte code, without some source files."""

    def install(*, without_source: tuple[str, ...]) -> Path:
        scripts = tmp_path / "migrations"
        shutil.copytree(
            migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
        assert compileall.compile_dir(scripts, quiet=2, legacy=True)
        for pattern in without_source:
            for path in scripts.rglob(pattern):
                path.unlink()
        monkeypatch.setattr(migrations, "SCRIPTS", scripts)
        return scripts

    return install


@pytest.mark.parametrize(
    "without_source",
    [("*.py",), ("v*.py",), ("env.py", "v0_1_0.py"), ("v0_3_0.py",), ()],
    ids=["all", "revisions", "first", "last", "none"],
)
def test_byte_code_is_enough_to_make_the_tables(
    installed: Installed, tmp_path: Path, without_source: tuple[str, ...]
) -> None:
    installed(without_source=without_source)
    url = f"sqlite:///{tmp_path / 'made.db'}"

    done = upgrade(url)

    assert (done.steps, standing(url).is_current) == (migrations.REVISIONS, True)


def test_byte_code_is_enough_to_print_the_sql(installed: Installed) -> None:
    url = "sqlite:///any.db"
    printed = offline_sql(url, PLAIN, since="base")

    installed(without_source=("*.py",))

    assert offline_sql(url, PLAIN, since="base") == printed


@pytest.mark.parametrize("name", ["v0_1_0.py*", "v0_2_0.py*", "v*.py*"])
def test_a_missing_revision_is_an_error_that_changes_nothing(
    installed: Installed, tmp_path: Path, name: str
) -> None:
    installed(without_source=(name,))
    url = f"sqlite:///{tmp_path / 'made.db'}"

    with pytest.raises(SchemaError, match=r"lacks .*v0_._0\.py.*Install sublife again"):
        upgrade(url)

    assert standing(url).is_empty
