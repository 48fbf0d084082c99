"""A database file with overwritten pages: every command says that it is damaged, and what to do."""

import random
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.store import DamagedError, Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
PAGE = 4096
COMMANDS = (
    ("show", "s1"),
    ("why", "e1"),
    ("due", "--days", "1"),
    ("log",),
    ("verify",),
    ("verify", "--rebuild"),
    ("doctor",),
    ("tokens", "list"),
    ("migrate", "--check"),
    ("migrate",),
    ("pause", "--reason", "r", "--by", "amy"),
)
DAEMON = ("daemon",)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a sound database of forty subscriptions holds, all of it in the file."""
    path = tmp_path_factory.mktemp("sound") / "store.db"
    store = Store.open(f"sqlite:///{path}", clock=SimulatedClock(SOLD_AT))
    for number in range(1, 41):
        submit(store, Event(f"e{number}", "purchase", f"s{number}", SOLD_AT, AMY, ORDER))
    store.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


def without_first_page(content: bytes) -> bytes:
    return b"\xff" * PAGE + content[PAGE:]


def without_pages(content: bytes) -> bytes:
    return content[:PAGE] + b"\xab" * (len(content) - PAGE)


def cut_short(content: bytes) -> bytes:
    return content[: PAGE + PAGE // 2]


def with_a_schema_that_is_no_text(content: bytes) -> bytes:
    return content.replace(b"CREATE TABLE", b"CREATE \xbc\xe1BLE")


DAMAGES = [without_first_page, without_pages, cut_short, with_a_schema_that_is_no_text]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", [*COMMANDS, DAEMON], ids=" ".join)
def test_a_damaged_file_is_named_with_where_to_start(
    command: tuple[str, ...],
    damage: Callable[[bytes], bytes],
    sound: bytes,
    tmp_path: Path,
    sublife: Sublife,
) -> None:
    """Restore a backup; the integrity check lists what is broken."""
    path = tmp_path / "store.db"
    path.write_bytes(damage(sound))

    said = sublife(*command, "--store", f"sqlite:///{path}")

    assert said.status == 2
    assert str(path) in said.complaints
    assert "restore the latest backup" in said.complaints
    assert "PRAGMA integrity_check" in said.complaints


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_library_raises_an_error_of_its_own(
    damage: Callable[[bytes], bytes], sound: bytes, tmp_path: Path
) -> None:
    """Which a host can tell from a database that is only busy."""
    path = tmp_path / "store.db"
    path.write_bytes(damage(sound))

    with pytest.raises(DamagedError, match="damaged"):
        Store.open(f"sqlite:///{path}", clock=SimulatedClock(SOLD_AT)).get("s1")


def test_text_that_is_none_is_damage_too(sound: bytes, tmp_path: Path, sublife: Sublife) -> None:
    """Bytes in a column of text."""
    path = tmp_path / "store.db"
    path.write_bytes(sound.replace(b"tailspin", b"tail\xff\xfein"))

    said = sublife("verify", "--store", f"sqlite:///{path}")

    assert said.status == 2
    assert "bytes that are no text" in said.complaints


@pytest.mark.soak
def test_whatever_pages_are_overwritten_no_command_ends_in_a_traceback(
    sound: bytes, tmp_path: Path, sublife: Sublife
) -> None:
    """`sublife` fails for any other exception; the seed is the number of the file."""
    for seed in range(sized(1, 150)):
        chance = random.Random(seed)  # noqa: S311 – damage is no secret
        content = bytearray(sound)
        for page in chance.sample(range(len(content) // PAGE), chance.choice([1, 3, 10])):
            content[page * PAGE : (page + 1) * PAGE] = chance.choice(
                [chance.randbytes(PAGE), bytes(PAGE)]
            )
        path = tmp_path / f"store-{seed}.db"
        path.write_bytes(content)
        for command in COMMANDS:
            said = sublife(*command, "--store", f"sqlite:///{path}")
            assert said.status in {0, 1, 2}, (seed, command)
