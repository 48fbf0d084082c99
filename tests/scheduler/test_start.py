"""What starts fast stays fast: the packages that each start may not import, by name."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVERS = {"fastapi", "uvicorn", "httpx", "apscheduler", "pyarrow", "opentelemetry", "nats"}
NOT_READING = {*SERVERS, "alembic", "structlog", "psycopg", "pydantic_settings", "icalendar"}
NO_ROWS = {"sqlmodel", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}
"""What a host needs for our tables as rows of its own, and what another database needs."""
NO_DATABASE = {*NOT_READING, "sqlalchemy", "sqlmodel", "pydantic", "yaml", "transitions"}
PURE = {*(NO_DATABASE - {"transitions"}), "rich", "typer", "asyncio"}

RUN = """\
import sys
from sublife.scheduler.cli import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
finally:
    print("IMPORTED", *sys.modules, *{name.partition(".")[0] for name in sys.modules})
"""


def imported(code: str, *arguments: str) -> set[str]:
    """The packages that a process of its own has imported at its end."""
    done = subprocess.run(
        (sys.executable, "-c", code, *arguments), check=True, capture_output=True, text=True
    )
    return set(done.stdout.rpartition("IMPORTED ")[2].split())


@pytest.fixture
def database(tmp_path: Path) -> str:
    """SQLite alone: what a command imports for it is the least there is."""
    return f"sqlite:///{tmp_path / 'small.db'}"


def test_the_machine_imports_no_lifecycle_and_nothing_that_reads_or_draws() -> None:
    code = """import sys, sublife.lifecycle.machine
print("IMPORTED", *(name for name in sys.modules))"""

    found = imported(code)

    assert {name.partition(".")[0] for name in found} & PURE == set()
    assert "sublife.lifecycle.subscription" not in found


def test_the_help_imports_no_database() -> None:
    assert imported(RUN, "--help") & NO_DATABASE == set()


@pytest.mark.parametrize("command", [("due",), ("show", "s1")], ids=lambda each: each[0])
def test_what_only_reads_imports_no_server_no_migrations_and_no_log(
    command: tuple[str, ...], lapsing: str
) -> None:
    assert imported(RUN, *command, "--store", lapsing) & (NOT_READING | NO_ROWS) == set()
