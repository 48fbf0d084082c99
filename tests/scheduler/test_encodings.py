"""The real command line where letters cannot be written: no error, and JSON that says the same."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

SOLD_AT = datetime(2024, 10, 1, 9, tzinfo=UTC)
NAMES = ("Zoë", "株式会社", "😀𠮷")
COMMANDS = {
    "show": ("show", "s0", "--names"),
    "show as JSON": ("show", "s0", "--json"),
    "why": ("why", "order-0"),
    "why as JSON": ("why", "order-0", "--json"),
    "due": ("due", "--days", "3000"),
    "due as JSON lines": ("due", "--days", "3000", "--json"),
    "log": ("log", "--all", "--orders"),
    "log as JSON lines": ("log", "--all", "--orders", "--jsonl", "-"),
    "log as CSV": ("log", "--all", "--orders", "--csv", "-"),
    "doctor": ("doctor",),
    "doctor as JSON": ("doctor", "--json"),
    "a subject that is not there": ("show", "株式会社😀"),
    "a story": ("replay", "--story", "STORY", "STORY"),
    "a replay as JSON": ("replay", "--json", "STORY"),
}
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS: Mapping[str, Mapping[str, str]] = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "the C locale": PLAIN,
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "ascii, strictly": {**PLAIN, "PYTHONIOENCODING": "ascii:strict"},
    "cp437": {"PYTHONIOENCODING": "cp437"},
    "shift_jis": {"PYTHONIOENCODING": "shift_jis"},
}
MARK = b"\n=== "
RUN = """\
import json, sys
from sublife.scheduler.cli import main

for name, arguments in json.loads(sys.argv[1]).items():
    sys.argv[1:] = arguments
    status = 0
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    sys.stdout.flush()
    sys.stdout.buffer.write(f"\\n=== {json.dumps([name, status])}\\n".encode())
    sys.stdout.buffer.flush()
"""
STORY = """\
title: Zoë of 株式会社 buys 😀
rules: [SUB-02]
by: {user: "Zoë😀"}
steps:
  - at: 2024-10-01T02:35:00Z
    do: purchase
    subject: s1
    with:
      customer: "株式会社"
      partner: "Zoë"
      product: {sku: "😀", name: "𠮷"}
      quantity: 30
      term: P1Y
      billing: monthly
    expect:
      state: active
      facts: [subscription-created, subscription-provisioned]
"""
STATUSES = {"a subject that is not there": 2, "doctor": 1, "doctor as JSON": 1}
"""Of the commands that do not end with 0; the doctor finds that no daemon is at work."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store and a scenario whose names are of every kind."""
    folder = tmp_path_factory.mktemp("encodings")
    (folder / "story.yaml").write_text(STORY, encoding="utf-8")
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(f"sqlite:///{folder / 'store.db'}", clock=clock)
    for number, name in enumerate(NAMES):
        order = Purchase(
            name, f"partner {name}", Product(name, f"Office {name}"), 30, Term.P1Y, Billing.MONTHLY
        )
        amy = Actor(ActorKind.USER, f"amy {name}")
        submit(store, Event(f"order-{number}", "purchase", f"s{number}", SOLD_AT, amy, order))
    store.close()
    return folder


def run(folder: Path, environment: Mapping[str, str]) -> dict[str, tuple[int, bytes]]:
    """Return what each command wrote to its output, and its status."""
    given = {
        name: [
            *("story.yaml" if each == "STORY" else each for each in words),
            *(() if "STORY" in words else ("--store", "sqlite:///store.db")),
        ]
        for name, words in COMMANDS.items()
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(given)],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Traceback" not in done.stderr
    found: dict[str, tuple[int, bytes]] = {}
    rest = done.stdout
    while MARK in rest:
        said, _, rest = rest.partition(MARK)
        ended, _, rest = rest.partition(b"\n")
        name, status = json.loads(ended)
        found[name] = (status, said)
    return found


@pytest.fixture(scope="module")
def in_utf8(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What the commands say where every letter can be written."""
    return run(folder, {"PYTHONIOENCODING": "utf-8"})


def test_every_letter_is_written_where_it_can_be(in_utf8: dict[str, tuple[int, bytes]]) -> None:
    assert {name: status for name, (status, _) in in_utf8.items()} == {
        name: STATUSES.get(name, 0) for name in COMMANDS
    }
    for name in ("show", "why", "log as CSV", "a story"):
        assert "Zoë" in in_utf8[name][1].decode()
    assert "😀" in in_utf8["a story"][1].decode()


@pytest.mark.soak
@pytest.mark.parametrize("name", sized(("cp1252",), tuple(ENCODINGS)))
def test_an_encoding_that_lacks_letters_changes_no_status_and_no_json(
    name: str, folder: Path, in_utf8: dict[str, tuple[int, bytes]]
) -> None:
    encoding = ENCODINGS[name].get("PYTHONIOENCODING", "ascii").partition(":")[0]

    found = run(folder, ENCODINGS[name])

    assert {each: status for each, (status, _) in found.items()} == {
        each: status for each, (status, _) in in_utf8.items()
    }
    for each, (_, said) in found.items():
        text = said.decode("utf-8" if each.startswith("log as") else encoding)
        if each.endswith("as JSON"):
            assert _read(text) == _read(in_utf8[each][1].decode())
        if each.endswith("as JSON lines"):
            lines = in_utf8[each][1].decode().splitlines()
            assert list(map(_read, text.splitlines())) == list(map(_read, lines))


def _read(text: str) -> Any:
    """Return what JSON says, without the instant at which the command was run."""
    return json.loads(text, object_hook=_without_now) if text else None


def _without_now(found: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in found.items() if name not in {"at", "notes", "now"}}
