"""What the documents point to exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
DOCUMENTS = sorted([*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(TOP)))
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))

    missing = [link for link in links if not (document.parent / link).exists()]

    assert missing == []


def test_the_code_of_the_embedding_guide_runs(tmp_path: Path) -> None:
    """Its blocks in order, as one program in an empty folder."""
    guide = (TOP / "docs" / "embedding.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", guide, re.DOTALL | re.MULTILINE))

    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.stderr == ""
    assert [line.split()[0] for line in run.stdout.splitlines()] == ["active", "active"]


def test_the_tree_in_the_readme_is_the_tree_there_is() -> None:
    """Every file and folder that the README's tree names is there."""
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    tree = readme.split("## Where things are")[1].split("```")[1]
    folder, missing = TOP, list[str]()
    for line in tree.splitlines()[1:]:
        indent, names = re.match(r"( *)((?:[a-z_]+(?:\.py|/) ?)+)", line + " ").groups()  # type: ignore[union-attr]
        for name in names.split():
            place = TOP / name if not indent else folder / name
            missing.extend([] if place.exists() else [str(place)])
            folder = place if not indent else folder

    assert missing == []
