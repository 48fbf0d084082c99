"""A row that cannot be read: every command names it, shows the others, and its status says so."""

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text, update

from sublife.events.intake import settle, submit
from sublife.events.outbox import Endpoint, add_endpoint, relay
from sublife.events.pause import pause
from sublife.events.simulation import simulate
from sublife.events.store import Store
from sublife.events.store.daemon import Daemon
from sublife.events.tables import metadata
from sublife.events.token import Role, new_token
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
NOW = datetime(2025, 10, 20, tzinfo=UTC)
AMY = Actor(ActorKind.USER, "amy")
SECRET = "whsec_" + "YWJj" * 8

SHOW = ("show", "bad")
LOG, ORDERS = ("log", "--all"), ("log", "--all", "--orders")
DUE = ("due", "--days", "800")
DELIVERY = ("deliveries", "show", "billing", "order-bad#0")
VERIFY, REBUILD, DOCTOR = ("verify",), ("verify", "--rebuild"), ("doctor",)
"""Each of them names the row; all that stand under no table must go on as if nothing were wrong."""
NAMING: dict[str, dict[tuple[str, ...], int]] = {
    "subject": {SHOW: 1, (*SHOW, "--json"): 1, DUE: 1, VERIFY: 1, DOCTOR: 1},
    "journal": {SHOW: 1, (*SHOW, "--json"): 1, (*SHOW, "--ids"): 1, VERIFY: 1},
    "activity": {LOG: 1, (*LOG, "--csv", "-"): 1, (*LOG, "--jsonl", "-"): 1, VERIFY: 1, REBUILD: 1},
    "order": {ORDERS: 1, (*ORDERS, "--csv", "-"): 1, VERIFY: 1, REBUILD: 1},
    "token": {("tokens", "list"): 1, ("tokens", "list", "--json"): 1, DOCTOR: 1},
    "delivery": {("deliveries", "list"): 1, DELIVERY: 2, DOCTOR: 1},
    "endpoint": {("endpoints", "list"): 1, ("endpoints", "list", "--json"): 1, DOCTOR: 1},
    "consumer": {("endpoints", "list"): 1, DOCTOR: 1},
    "pause": {DOCTOR: 1, ("show", "good"): 1, DUE: 1},
    "daemon": {DOCTOR: 1},
    "simulation": {("clock", "show"): 1, ("clock", "show", "--json"): 1, DOCTOR: 1},
}
UNTOUCHED = (("show", "good"), LOG, ("tokens", "list"))
"""Commands about other rows."""
WHERE = {
    "subject": "id = 'bad'",
    "journal": "subject = 'bad' AND sequence = 2",
    "activity": "subscription = 'bad'",
    "order": "subscription = 'bad'",
    "token": "label = 'second'",
    "delivery": "subject = 'bad'",
    "endpoint": "id = 'billing'",
    "consumer": "name = 'billing'",
    "pause": "lifecycle = 'migration'",
    "daemon": "id = 'd1'",
    "simulation": "tenant = 'whatif'",
}
OTHERS: dict[tuple[str, ...], tuple[str, ...]] = {
    LOG: ("good", "late"),
    ORDERS: ("good", "late"),
    DUE: ("good", "late"),
    ("tokens", "list"): ("first", "third"),
    ("deliveries", "list"): ("good", "late"),
    ("endpoints", "list"): ("other",),
    ("clock", "show"): ("perhaps",),
    SHOW: ("term", "renew"),
}
"""What is shown all the same."""
DAMAGES: tuple[tuple[str, str, Any], ...] = (
    ("subject", "snapshot", "{nope"),
    ("subject", "snapshot", "[]"),
    ("subject", "snapshot", '{"quantity": "many"}'),
    ("subject", "snapshot", None),
    ("subject", "lifecycle", "warranty"),
    ("subject", "lifecycle", None),
    ("subject", "due_at", "soon"),
    ("subject", "due_at", "0 days"),
    ("subject", "due_at", 12345),
    ("subject", "sequence", "x"),
    ("subject", "sequence", None),
    ("subject", "stamp", "x"),
    ("journal", "data", "{nope"),
    ("journal", "outcome", "[]"),
    ("journal", "outcome", None),
    ("journal", "actor", "{}"),
    ("journal", "effective_at", "soon"),
    ("journal", "recorded_at", 20251001),
    ("journal", "lifecycle", "warranty"),
    ("journal", "sequence", "x"),
    ("journal", "version", "x"),
    ("journal", "version", None),
    ("activity", "effective_at", "soon"),
    ("activity", "kind", "party"),
    ("activity", "version", "x"),
    ("activity", "number", None),
    ("order", "amount", "x"),
    ("order", "amount", "NaN"),
    ("order", "quantity", "many"),
    ("order", "quantity", None),
    ("order", "effective_at", 20251001),
    ("order", "recorded_at", "soon"),
    ("token", "role", "god"),
    ("token", "role", None),
    ("token", "created_at", "soon"),
    ("token", "expires_at", "never"),
    ("delivery", "attempts", "x"),
    ("delivery", "created_at", "soon"),
    ("delivery", "next_attempt_at", "soon"),
    ("endpoint", "body", "fax"),
    ("endpoint", "filters", "{nope"),
    ("endpoint", "filters", '{"colours": ["red"]}'),
    ("endpoint", "previous_until", "soon"),
    ("endpoint", "allow_http", "perhaps"),
    ("consumer", "paused_at", "soon"),
    ("pause", "paused_at", "soon"),
    ("daemon", "beat_at", "soon"),
    ("daemon", "pid", "x"),
    ("simulation", "now", "soon"),
    ("simulation", "created_at", 5),
)


def filled(url: str) -> None:
    """Fill a database: three subscriptions, an endpoint or two, tokens, a pause, simulations."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(url, clock=clock)
    for name in ("billing", "other"):
        endpoint = Endpoint(id=name, url="https://hooks.example/x", secret=SECRET)
        add_endpoint(store, endpoint, SOLD_AT)
    for name in ("bad", "good", "late"):
        order = Purchase(f"of-{name}", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
        submit(store, Event(f"order-{name}", "purchase", name, SOLD_AT, AMY, order))
    clock.move(NOW)
    settle(store, NOW)
    relay(store, NOW)
    for number, label in enumerate(("first", "second", "third")):
        secret = bytes([number]) * 40
        token, _ = new_token(
            secret, tenant="default", role=Role.READ, label=label, now=NOW, created_by="amy"
        )
        store.tokens.add(token)
    pause(store, by="amy", reason="moving house", tenant="default", lifecycle="migration")
    for name in ("whatif", "perhaps"):
        simulate(store, name, NOW)
    for name in ("d1", "d2"):
        store.daemons.beat(Daemon(name, "host", 1, "1", NOW, NOW))
    store.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a sound database holds, all of it in the file."""
    path = tmp_path_factory.mktemp("sound") / "store.db"
    filled(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


@pytest.fixture
def damage(sound: bytes, tmp_path: Path) -> Callable[[str, str, Any], str]:
    """Writes a sound database with one value that is damaged, and returns its address."""

    def damage_(table: str, column: str, value: Any) -> str:
        path = tmp_path / "store.db"
        path.write_bytes(sound)
        name = f"sublife_{table}"
        with closing(sqlite3.connect(path)) as connection, connection:
            if value is None:
                connection.execute(f"CREATE TABLE copied AS SELECT * FROM {name}")  # noqa: S608 – names of this test
                connection.execute(f"DROP TABLE {name}")
                connection.execute(f"ALTER TABLE copied RENAME TO {name}")
            statement = f"UPDATE {name} SET {column} = ? WHERE {WHERE[table]}"  # noqa: S608 – names of this test
            assert connection.execute(statement, (value,)).rowcount
        return f"sqlite:///{path}"

    return damage_


@pytest.fixture(autouse=True)
def at_now(set_now: Callable[[datetime], None]) -> None:
    """The machine's clock shows the instant at which everything was last written."""
    set_now(NOW)


def test_nothing_is_named_where_nothing_is_damaged(
    sound: bytes, tmp_path: Path, sublife: Sublife
) -> None:
    (tmp_path / "store.db").write_bytes(sound)
    paused = 1  # doctor names the pause

    for command in {each for commands in NAMING.values() for each in commands}:
        said = sublife(*command, "--store", f"sqlite:///{tmp_path / 'store.db'}")

        assert said.status == (paused if command == DOCTOR else 0), command
        assert "cannot be read" not in said.words + said.complaints


@pytest.mark.parametrize(
    ("table", "column", "value"), DAMAGES, ids=[f"{t}.{c}={v!r}" for t, c, v in DAMAGES]
)
def test_every_command_names_the_row_and_shows_the_others(
    table: str, column: str, value: Any, damage: Callable[..., str], sublife: Sublife
) -> None:
    url = damage(table, column, value)

    for command, status in NAMING[table].items():
        said = sublife(*command, "--store", url)

        heard = said.words + said.complaints
        assert (said.status, "Traceback" in heard) == (status, False), (command, heard)
        is_hashed = (table, command) == ("journal", VERIFY)  # which column is not always known
        assert is_hashed or column in heard, (command, heard)
        assert command in {VERIFY, REBUILD} or "cannot be read" in heard, (command, heard)
        for other in OTHERS.get(command, ()):
            assert other in said.words, (command, other)
    for command in UNTOUCHED:
        if command not in NAMING[table]:
            assert sublife(*command, "--store", url).status == 0, command


@pytest.mark.parametrize(("column", "value"), [("data", "{nope"), ("outcome", "[]"), ("actor", 5)])
def test_why_names_the_row_that_it_cannot_explain(
    column: str, value: Any, damage: Callable[..., str], sublife: Sublife
) -> None:
    url = damage("journal", column, value)
    event = "timer:bad/provisioning_ended/2024-10-01T02:35:00Z/1"

    said = sublife("why", event, "--store", url)
    before = sublife("why", "order-bad#0", "--store", url)
    after = sublife("why", "timer:bad/term_ended/2025-10-01T00:00:00Z/2", "--store", url)

    assert said.status == 2
    assert f"the row of event {event} in sublife_journal cannot be read" in said.complaints
    assert (before.status, after.status) == (0, 0)
    assert "cannot be read" not in before.words
    assert f"the row of event {event} in sublife_journal cannot be read" in after.words


def test_a_pause_that_cannot_be_read_can_be_ended(
    damage: Callable[..., str], sublife: Sublife
) -> None:
    url = damage("pause", "paused_at", "soon")

    which = ("--tenant", "default", "--lifecycle", "migration")
    ended = sublife("resume", *which, "--store", url)

    assert (ended.status, ended.words) == (0, "resumed: lifecycle migration of tenant default")
    assert sublife("doctor", "--store", url).status == 0


def test_of_many_rows_ten_are_named_and_the_others_counted(
    damage: Callable[..., str], sublife: Sublife
) -> None:
    url = damage("delivery", "attempts", "x")
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        count = connection.execute("UPDATE sublife_delivery SET attempts = 'x'").rowcount

    said = sublife("deliveries", "list", "--store", url)

    assert said.status == 1
    assert said.complaints.count("cannot be read:") == 10
    assert f"and {count - 10} more rows that cannot be read" in said.complaints


def test_a_secret_is_not_shown_when_its_row_cannot_be_read(
    damage: Callable[..., str], sublife: Sublife
) -> None:
    url = damage("endpoint", "secret", b"whsec_hidden")

    said = sublife("endpoints", "list", "--store", url)

    assert said.status == 1
    assert "column secret" in said.complaints
    assert "hidden" not in said.complaints


ON_POSTGRESQL: tuple[tuple[str, str, Any], ...] = (
    ("subject", "snapshot", "[]"),
    ("subject", "lifecycle", "warranty"),
    ("journal", "outcome", "[]"),
    ("journal", "actor", "{}"),
    ("activity", "kind", "party"),
    ("token", "role", "god"),
    ("endpoint", "body", "fax"),
)
"""Other columns have types there that keep such values out."""


@contextmanager
def damaged(url: str, table: str, column: str, value: str) -> Generator[None]:
    """Damage a row of a database on PostgreSQL, and put the value back at the end."""
    store = Store.open(url, clock=SimulatedClock(NOW))
    found, cell = metadata.tables[f"sublife_{table}"], text(WHERE[table])
    kept = select(found).where(cell)
    try:
        with store.engine.begin() as connection:
            was = connection.execute(kept).mappings().all()[0][column]
            connection.execute(update(found).where(cell).values({column: value}))
        yield
        with store.engine.begin() as connection:
            connection.execute(update(found).where(cell).values({column: was}))
    finally:
        store.close()


def test_on_postgresql_the_commands_name_what_its_types_let_through(
    migrated_database: str, sublife: Sublife
) -> None:
    filled(migrated_database)
    for table, column, value in ON_POSTGRESQL:
        with damaged(migrated_database, table, column, value):
            for command, status in NAMING[table].items():
                said = sublife(*command, "--store", migrated_database)

                is_hashed = (table, command) == ("journal", VERIFY)
                assert said.status == status, (table, column, command, said.complaints)
                assert is_hashed or column in said.words + said.complaints
