"""Everything its OpenAPI document allows is asked of a running daemon, on both databases.

No answer may be an error of the server, and none may be one that the document does not have.
"""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from sublife.events.store.upgrade import upgrade
from sublife.scheduler.cli import app
from tests.scale import IS_FULL, sized

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)
"""All but the one that takes a 422 for a fault: what a rule or a date makes of a request is no
matter of its form."""
EXAMPLES = sized(1, 4)
PHASES = sized("examples,fuzzing", "examples,coverage,fuzzing")
"""The coverage phase takes each bound of each value of each operation: minutes of it."""
STATUSES = {"200", "401", "403", "404", "422", *sized((), ("201", "400", "405", "409"))}
WAIT_SECONDS = 60
PURCHASE = {
    "request": "purchase",
    "data": {
        "customer": "tailspin",
        "partner": "contoso",
        "product": {"sku": "E3", "name": "Office E3"},
        "quantity": 30,
        "term": "P1Y",
        "billing": "monthly",
    },
}


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that serves, with a token for every tenant's matters and one for a tenant's."""

    url: str
    tenant: str
    installation: str


def sublife(*words: str) -> str:
    """Run a command and return what it prints."""
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with our tables."""
    address = (
        str(request.getfixturevalue("migrated_database"))
        if request.param == "postgresql"
        else f"sqlite:///{tmp_path / 'store.db'}"
    )
    upgrade(address)
    return address


@pytest.fixture
def running(database: str) -> Iterator[Running]:
    """A daemon as it is started by its users."""
    make = ("tokens", "create", "--store", database, "--role", "admin", "--label", "test")
    tenant, installation = sublife(*make), sublife(*make, "--installation")
    listen = f"127.0.0.1:{free_port()}"
    limits = ("--rate-per-second", "100000", "--rate-burst", "1000000")
    daemon = subprocess.Popen(
        [
            *(sys.executable, "-m", "sublife.scheduler", "daemon"),
            *("--store", database, "--listen", listen, *limits),
        ],
    )
    try:
        found = Running(f"http://{listen}", tenant, installation)
        wait_until_ready(found, daemon)
        yield found
    finally:
        daemon.terminate()
        assert daemon.wait(WAIT_SECONDS) == 0


def wait_until_ready(running: Running, daemon: "subprocess.Popen[bytes]") -> None:
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, base_url=running.url) as client:
        for _ in range(1000):
            assert daemon.poll() is None
            if client.get("/readyz").status_code == 200:
                return
    pytest.fail("the daemon is not ready")


def ask_everything(url: str, token: str, report: Path, paths: str) -> dict[str, int]:
    """Ask all that the document allows under *paths*; return how many operations were tested."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)),
            *("--max-examples", str(EXAMPLES), "--seed", "1", "--generation-deterministic"),
            *("--phases", PHASES, "--suppress-health-check", "all"),
            *("--include-path-regex", paths, "--no-color", "--workers", "1"),
            *("--report", "har", "--report-har-path", str(report)),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=report.parent,
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    entries = json.loads(report.read_text())["log"]["entries"]
    counts: dict[str, int] = {}
    for each in entries:
        status = str(each["response"]["status"])
        counts[status] = counts.get(status, 0) + 1
    return counts


@pytest.mark.soak
def test_everything_the_document_allows_has_a_documented_answer(
    running: Running, tmp_path: Path
) -> None:
    headers = {"Authorization": f"Bearer {running.tenant}", "Idempotency-Key": "order-1"}
    with httpx.Client(base_url=running.url, headers=headers) as client:
        sold = client.post("/v1/subjects/sub-1/events", json=PURCHASE)
        hook = {"id": "billing", "url": "https://hooks.example/sublife"}
        made = client.post("/v1/endpoints", json=hook)
    assert (sold.status_code, made.status_code) == (201, 201)

    tenant = ask_everything(running.url, running.tenant, tmp_path / "tenant.har", ".*")

    assert tenant.keys() >= STATUSES
    assert not [status for status in tenant if status.startswith("5")]
    if IS_FULL:
        of_all = ask_everything(
            running.url, running.installation, tmp_path / "all.har", "^/(metrics|v1/installation)"
        )
        assert {"200", "201", "401", "404", "405", "422"} <= of_all.keys()
        assert not [status for status in of_all if status.startswith("5")]
