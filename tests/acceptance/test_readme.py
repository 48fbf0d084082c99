"""The README's example runs as printed."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_prints_what_the_readme_says() -> None:
    """The first Python block, run by itself, prints the first text block."""
    (example,) = blocks("python")

    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, check=False
    )

    assert run.stderr == ""
    assert run.stdout == blocks("text")[0]


def test_the_example_is_short() -> None:
    """What it takes to sell, lapse and refuse fits in fifteen lines beside the imports."""
    (example,) = blocks("python")

    lines = [line for line in example.splitlines() if line and "import " not in line]

    assert len(lines) <= 15
