"""The commands `tokens`: a token is shown once, listed without its secret, and revoked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sublife.events.store import Store
from sublife.events.token import is_text_of
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SystemClock

Run = Callable[..., Any]


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with our tables."""
    address = f"sqlite:///{tmp_path / 'store.db'}"
    Store.open(address, clock=SystemClock()).close()
    return address


@pytest.fixture
def run(url: str) -> Run:
    """Runs a command on the store, and says what came of it."""

    def run_(*words: str) -> Any:
        return CliRunner().invoke(app, ["tokens", *words, "--store", url])

    return run_


def test_a_token_is_printed_once_and_listed_without_its_secret(run: Run, url: str) -> None:
    made = run("create", "--label", "billing", "--role", "operate", "--tenant", "acme")

    text = made.stdout.strip()
    assert made.exit_code == 0
    assert "not shown again" in made.stderr
    listed = run("list", "--json").stdout
    (entry,) = json.loads(listed)
    assert (entry["tenant"], entry["role"], entry["label"]) == ("acme", "operate", "billing")
    assert (entry["expires_at"], entry["revoked_at"]) == (None, None)
    assert text[-43:] not in listed
    assert text[-43:] not in run("list").stdout
    store = Store.open(url, clock=SystemClock())
    assert is_text_of(store.tokens.find(entry["id"]), text)
    store.close()


def test_a_token_is_of_the_tenant_default_and_may_read_unless_said_otherwise(run: Run) -> None:
    made = json.loads(run("create", "--label", "x", "--json").stdout)

    assert (made["tenant"], made["role"]) == ("default", "read")
    assert made["token"].startswith(f"sublife_{made['id']}_")


def test_a_token_of_the_installation_has_no_tenant(run: Run) -> None:
    made = json.loads(run("create", "--label", "x", "--installation", "--json").stdout)
    both = run("create", "--label", "x", "--installation", "--tenant", "acme")

    assert made["tenant"] is None
    assert both.exit_code == 2


def test_a_token_ends_when_it_was_said(run: Run) -> None:
    made = json.loads(run("create", "--label", "x", "--days", "2", "--json").stdout)

    assert made["created_at"] < made["expires_at"]
    assert "until" in run("list").stdout


def test_a_revoked_token_is_shown_as_such(run: Run) -> None:
    made = json.loads(run("create", "--label", "x", "--json").stdout)

    revoked = run("revoke", made["id"])
    unknown = run("revoke", "0123")

    assert (revoked.exit_code, revoked.stdout) == (0, f"{made['id']} is revoked\n")
    assert "revoked" in run("list").stdout
    assert unknown.exit_code == 2
    assert 'there is no token "0123"' in unknown.stderr


def test_only_the_tokens_of_one_tenant_are_listed_if_asked_for(run: Run) -> None:
    run("create", "--label", "a", "--tenant", "acme")
    run("create", "--label", "b", "--tenant", "bellows")

    found = json.loads(run("list", "--tenant", "bellows", "--json").stdout)

    assert [each["label"] for each in found] == ["b"]


def test_a_label_that_cannot_be_is_told(run: Run) -> None:
    made = run("create", "--label", " ")

    assert made.exit_code == 2
    assert "the label ' ' cannot be" in made.stderr
    assert "no tokens" in run("list").stdout
