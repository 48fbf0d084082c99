"""What is shown of a database whose texts would act upon a terminal."""

import io
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.printable import printable_lines
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from sublife.scheduler.log import Shown

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
HOSTILE = "\x9b2J\u202etxt\u2028b\x7f\x85\u2066"
SOLD_AT = datetime(2024, 10, 1, 9, tzinfo=UTC)
COMMANDS = [
    ("show", "s1"),
    ("show", "s1", "--names"),
    ("show", "s1", "--ids"),
    ("show", "s1", "--json"),
    ("why", "order-s1"),
    ("why", "order-s1", "--json"),
    ("log", "--all"),
    ("log", "--all", "--orders"),
    ("log", "--all", "--orders", "--jsonl", "-"),
    ("due", "--days", "4000"),
    ("due", "--days", "4000", "--json"),
    ("doctor",),
    ("doctor", "--json"),
    ("verify",),
]


def _spoil(url: str, hostile: str) -> None:
    """Put *hostile* behind every text of the database that names the customer, partner or actor."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for (table,) in tables:
            for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
                if str(kind).startswith(("VARCHAR", "TEXT", "JSON")):
                    for word in ("tailspin", "contoso", "amy"):
                        connection.execute(
                            f'UPDATE {table} SET "{column}" = replace("{column}", ?, ?)',  # noqa: S608
                            (word, word + hostile),
                        )
    connection.close()


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a subscription, whose texts have been spoiled since."""
    path: Path = tmp_path_factory.mktemp("hostile") / "store.db"
    url = f"sqlite:///{path}"
    store = Store.open(url, clock=SimulatedClock(SOLD_AT))
    order = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
    amy = Actor(ActorKind.USER, "amy")
    submit(store, Event("order-s1", "purchase", "s1", SOLD_AT, amy, order))
    store.close()
    _spoil(url, HOSTILE)
    return url


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_of_a_database_acts_upon_a_terminal(
    spoiled: str, sublife: Sublife, command: tuple[str, ...]
) -> None:
    said = sublife(*command, "--store", spoiled)

    assert said.out + said.complaints
    for text in (said.out, said.complaints):
        assert printable_lines(text) == text


@pytest.mark.parametrize("text", ["a\x1b[2Jb\r\n", "a\u202eb\r\n", '"\x9b31m",c\r\n'], ids=ascii)
def test_csv_that_is_shown_on_a_terminal_is_visible(text: str) -> None:
    out = io.BytesIO()
    shown = Shown(out, encoding="utf-8", newline="")

    shown.write(text)
    shown.flush()

    written = out.getvalue().decode()
    assert written == printable_lines(written)
    assert written.endswith("\n")
