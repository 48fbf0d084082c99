"""Databases that can only be read, are missing, or are locked: what every command says and does."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sublife.events.intake import submit
from sublife.events.store import LockedError, ReadOnlyError, Store, StoreError, file
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
NOBODY = 65534
AMY = Actor(ActorKind.USER, "amy")
ORDER = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
READING = {
    "show": ("show", "s1"),
    "why": ("why", "e1"),
    "due": ("due", "--days", "1"),
    "log": ("log",),
    "verify": ("verify",),
    "verify --rebuild": ("verify", "--rebuild"),
    "doctor": ("doctor",),
    "deliveries list": ("deliveries", "list"),
    "endpoints list": ("endpoints", "list"),
    "tokens list": ("tokens", "list"),
    "clock show": ("clock", "show"),
    "migrate --check": ("migrate", "--check"),
}
WRITING = {
    "pause": ("pause", "--reason", "r", "--by", "amy"),
    "tokens create": ("tokens", "create", "--role", "read", "--label", "l"),
    "endpoints add": ("endpoints", "add", "e1", "https://example.org"),
    "migrate": ("migrate",),
    "daemon": ("daemon",),
}


def sold(path: Path) -> Path:
    """Make a database with one subscription."""
    store = Store.open(f"sqlite:///{path}", clock=SimulatedClock(SOLD_AT))
    submit(store, Event("e1", "purchase", "s1", SOLD_AT, AMY, ORDER))
    store.close()
    return path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, to be copied."""
    return sold(tmp_path_factory.mktemp("template") / "store.db")


@pytest.fixture
def path(template: Path) -> Iterator[Path]:
    """A database in a folder that any user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        copy = Path(folder) / "store.db"
        shutil.copyfile(template, copy)
        yield copy
        Path(folder).chmod(0o755)


@pytest.fixture
def unprivileged() -> Iterator[Callable[[], None]]:
    """Gives up the rights of root, which no permission bit holds back; for one test."""
    was_root = os.geteuid() == 0

    def give_up() -> None:
        if was_root:
            os.seteuid(NOBODY)

    yield give_up
    if was_root:
        os.seteuid(0)


def without_write(path: Path) -> None:
    """Take the right to write from everybody, on the file and its folder."""
    path.chmod(0o444)
    path.parent.chmod(0o555)


@pytest.mark.parametrize("command", READING.values(), ids=READING)
def test_a_command_that_reads_works_where_nobody_can_write(
    command: tuple[str, ...],
    path: Path,
    sublife: Sublife,
    unprivileged: Callable[[], None],
) -> None:
    """And leaves nothing behind."""
    before = sublife(*command, "--store", f"sqlite:///{path}")
    for each in path.parent.glob("store.db-*"):
        each.unlink()
    without_write(path)
    unprivileged()

    said = sublife(*command, "--store", f"sqlite:///{path}")

    assert (said.status, said.complaints) == (before.status, before.complaints)
    assert [each.name for each in path.parent.iterdir()] == ["store.db"]


def test_a_file_system_that_only_reads_is_read(
    path: Path, sublife: Sublife, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bits say otherwise, and root is held back as well."""

    def never(_path: Path) -> bool:
        return False

    monkeypatch.setattr(file, "may_write", never)
    monkeypatch.setattr(file, "can_change", never)

    said = sublife("show", "s1", "--store", f"sqlite:///{path}")

    assert (said.status, said.complaints) == (0, "")
    assert [each.name for each in path.parent.iterdir()] == ["store.db"]


def test_a_file_without_the_right_to_write_is_read_in_a_folder_with_it(
    path: Path, sublife: Sublife, unprivileged: Callable[[], None]
) -> None:
    """SQLite may keep its log's index there."""
    path.chmod(0o444)
    path.parent.chmod(0o777)
    unprivileged()

    assert sublife("show", "s1", "--store", f"sqlite:///{path}").status == 0


def test_what_a_crash_left_in_the_log_is_never_passed_over(
    template: Path, path: Path, sublife: Sublife, unprivileged: Callable[[], None]
) -> None:
    """A file read as it lies, without its log, would lack what was committed last."""
    writer = sqlite3.connect(path)
    writer.execute("CREATE TABLE t (x)")
    log = path.with_name("store.db-wal").read_bytes()
    writer.close()
    shutil.copyfile(template, path)
    path.with_name("store.db-wal").write_bytes(log)
    without_write(path)
    unprivileged()

    said = sublife("show", "s1", "--store", f"sqlite:///{path}")

    assert said.status == (0 if file.may_write(path.parent) else 2)
    assert "store.db-wal, that cannot be read" in said.complaints


@pytest.mark.parametrize("command", WRITING.values(), ids=WRITING)
def test_a_command_that_writes_says_why_it_cannot(
    command: tuple[str, ...],
    path: Path,
    sublife: Sublife,
    unprivileged: Callable[[], None],
) -> None:
    """With the file and the right that is missing; the file stays as it is."""
    for each in path.parent.glob("store.db-*"):
        each.unlink()
    before = path.read_bytes()
    without_write(path)
    unprivileged()

    said = sublife(*command, "--store", f"sqlite:///{path}")

    assert said.status == 2
    assert str(path) in said.complaints
    assert "right to write" in said.complaints
    assert path.read_bytes() == before


def test_a_store_that_only_reads_refuses_an_event(path: Path) -> None:
    """It says so instead of writing."""
    store = Store.open(f"sqlite:///{path}", clock=SimulatedClock(SOLD_AT), reading=True)

    with pytest.raises(ReadOnlyError, match=r"store\.db can only be read"):
        submit(store, Event("e2", "purchase", "s2", SOLD_AT, AMY, ORDER))
    store.close()


MISSING = {
    **READING,
    **WRITING,
    "resume": ("resume",),
    "repair": ("repair", "s1"),
    "tokens revoke": ("tokens", "revoke", "t1"),
    "endpoints pause": ("endpoints", "pause", "e1"),
    "deliveries prune": ("deliveries", "prune"),
    "clock create": ("clock", "create", "t"),
    "import": ("import", "orders.json"),
}
del MISSING["migrate"]  # makes it


@pytest.mark.parametrize("command", MISSING.values(), ids=MISSING)
def test_a_file_that_is_missing_is_named_with_its_full_path(
    command: tuple[str, ...],
    tmp_path: Path,
    sublife: Sublife,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is made, neither the database nor anything beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.json").write_text("[]")

    said = sublife(*command, "--store", "sqlite:///stroe.db")

    assert said.status == (1 if "--check" in command else 2), said.complaints
    assert f"there is no database file {tmp_path / 'stroe.db'}" in said.complaints
    assert [each.name for each in tmp_path.iterdir()] == ["orders.json"]


@pytest.mark.parametrize(
    "address", ["sqlite:///no/such/store.db", "sqlite:///file:stroe.db?uri=true", "sqlite:///."]
)
def test_a_path_that_leads_nowhere_is_told(
    address: str, tmp_path: Path, sublife: Sublife, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is missing, an address of SQLite's own, a folder in place of a file."""
    monkeypatch.chdir(tmp_path)

    said = sublife("show", "s1", "--store", address)

    assert said.status == 2
    assert str(tmp_path) in said.complaints
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def rolling_back(path: Path) -> Iterator[sqlite3.Connection]:
    """A host that writes to the file, which it has set to keep a rollback journal."""
    host = sqlite3.connect(path, isolation_level=None)
    host.execute("PRAGMA journal_mode=DELETE")
    host.execute("BEGIN EXCLUSIVE")
    yield host
    host.execute("ROLLBACK")
    host.close()


@pytest.mark.parametrize(
    "command",
    [READING["show"], READING["verify"], WRITING["pause"], READING["doctor"], WRITING["daemon"]],
)
def test_a_file_that_the_host_is_writing_to_is_named_as_locked(
    command: tuple[str, ...], path: Path, sublife: Sublife, rolling_back: sqlite3.Connection
) -> None:
    """Reading has to wait as well, since the file keeps a rollback journal."""
    assert rolling_back.in_transaction

    said = sublife(*command, "--store", f"sqlite:///{path}?timeout=0.05")

    assert said.status == 2
    assert f"the database file {path} is locked by another connection" in said.complaints
    assert "end its transaction" in said.complaints


@pytest.mark.parametrize("reading", [True, False])
def test_a_store_waits_for_the_host_and_then_says_that_the_file_is_locked(
    reading: bool, path: Path, rolling_back: sqlite3.Connection
) -> None:
    """Opening it to read, and to write."""
    url, clock = f"sqlite:///{path}?timeout=0.05", SimulatedClock(SOLD_AT)

    with pytest.raises(LockedError, match=f"the database file {path} is locked"):
        Store.open(url, clock=clock, reading=reading)
    rolling_back.execute("COMMIT")
    store = Store.open(url, clock=clock, reading=reading)
    found = store.get("s1")
    store.close()
    rolling_back.execute("BEGIN")

    assert found is not None


def test_a_file_without_tables_of_ours_names_what_to_run(tmp_path: Path) -> None:
    """By the address as it was given."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    (tmp_path / "empty.db").touch()

    with pytest.raises(StoreError, match=f"run sublife migrate --store {url}"):
        Store.open(url, clock=SimulatedClock(SOLD_AT), reading=True)
