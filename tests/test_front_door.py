"""The public face: what it has, what it costs, and that nothing of ours looks past it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sublife

TOP = Path(__file__).parents[1]
PAGES = [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]
EXAMPLES = sorted((TOP / "examples").rglob("*.py"))
APART = {
    "docs/api.md": {"sublife.scheduler.api"},
    "docs/daemon.md": {"sublife.scheduler.daemon.process", "sublife.scheduler.settings"},
    "docs/stream.md": {"sublife.events.stream"},
}
"""Pages about running servers of one's own, whose names are not public yet."""
MODULES: dict[str, str] = vars(sublife)["_MODULES"]
IMPORT = re.compile(r"^\s*(?:from|import) (sublife[\w.]*)", re.MULTILINE)


@pytest.mark.parametrize("name", sublife.__all__)
def test_a_public_name_is_there_and_described(name: str) -> None:
    found = getattr(sublife, name)

    assert found.__doc__


def test_type_checkers_see_the_names_that_are_there() -> None:
    """They read the imports that never run; the program reads a table."""
    tree = ast.parse(Path(sublife.__file__).read_text(encoding="utf-8"))
    seen = {
        f"{node.module}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sublife.")
        for alias in node.names
    }

    there = {f"{MODULES[name]}:{name}" for name in sublife.__all__}

    assert seen == there
    assert len(there) == len(sublife.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'sublife' has no attribute 'submitt'"):
        _ = sublife.submitt  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_it_imports_nothing_else() -> None:
    """A program pays for the names that it uses."""
    code = "import sublife, sys; print([name for name in sys.modules if 'sublife.' in name])"

    done = subprocess.run((sys.executable, "-c", code), check=True, capture_output=True, text=True)

    assert done.stdout == "[]\n"


def test_dir_lists_every_public_name() -> None:
    assert set(sublife.__all__) <= set(dir(sublife))


@pytest.mark.parametrize("path", [*PAGES, *EXAMPLES], ids=lambda path: path.name)
def test_documents_and_examples_import_from_it_alone(path: Path) -> None:
    name = path.relative_to(TOP).as_posix()

    found = set(IMPORT.findall(path.read_text(encoding="utf-8")))

    assert found <= {"sublife"} | APART.get(name, set())
