"""No command repeats a password, whatever is wrong with the address or setting it stands in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from sublife.events.store import StoreError
from sublife.events.store.database import open_engine
from sublife.events.store.upgrade import standing
from sublife.scheduler.cli import app
from sublife.scheduler.daemon.streaming import broker_of
from sublife.scheduler.settings import PREFIX, Settings, SettingsError, load
from tests.scale import sized

if TYPE_CHECKING:
    from tests.scheduler.conftest import Said

Sublife = Callable[..., "Said"]
MARK = "Tr0ub4dor"
"""What must never be seen; no word of ours."""
CLOSED = "127.0.0.1:1"
"""Where no server listens."""
REFUSED_AT_ONCE = {
    "an unknown database": f"mysql://bob:{MARK}@host/base",
    "an unknown driver of PostgreSQL": f"postgresql+asyncpg://bob:{MARK}@host/base",
    "an unknown driver of SQLite": f"sqlite+pysqlcipher://:{MARK}@/base.db",
    "a port in letters": f"postgresql://bob:{MARK}@host:port/base",
    "a password in place of the port": f"postgresql://bob:{MARK}/base",
    "a password in place of the port, and no base": f"postgresql://bob:{MARK}",
    "no scheme": f"bob:{MARK}@host/base",
    "slashes alone": f"//bob:{MARK}@host/base",
    "an old name": f"postgres://bob:{MARK}@host/base",
    "SQLite with a host": f"sqlite://bob:{MARK}@host/base.db",
    "SQLite with a host and a parameter": f"sqlite://bob@host/base.db?password={MARK}",
    "words of libpq": f"host=127.0.0.1 password={MARK}",
    "words of libpq in quotes": f"host=127.0.0.1 password = 'a {MARK}'",
    "a parameter of another database": f"mysql://host/base?password={MARK}",
    "a threshold": f"postgresql://bob:{MARK}@host/base?prepare_threshold={MARK}",
    "a password with a line break": f"mysql://bob:{MARK}\n@host/base",
    "a password with an escape sequence": f"mysql://bob:{MARK}\x1b@host/base",
    "a password with half a surrogate pair": f"mysql://bob:{MARK}\udcff@host/base",
    "a missing file": f"sqlite:///none.db?password={MARK}",
    "a missing file with a key": f"sqlite:///none.db?key={MARK}",
    "a missing file as a URI": f"sqlite:///file:none.db?uri=true&password={MARK}",
    "a missing folder": f"sqlite:///none/none.db?password={MARK}",
    "the password alone": MARK,
}
UNREACHABLE = {
    "a user and password": f"postgresql://bob:{MARK}@{CLOSED}/base",
    "a driver that is known": f"postgresql+psycopg://bob:{MARK}@{CLOSED}/base",
    "a slash in the password": f"postgresql://bob:a/{MARK}@{CLOSED}/base",
    "a question mark in the password": f"postgresql://bob:a?{MARK}@{CLOSED}/base",
    "a number sign in the password": f"postgresql://bob:a#{MARK}@{CLOSED}/base",
    "an at sign in the password": f"postgresql://bob:{MARK}@{MARK}@{CLOSED}/base",
    "percent-encoding": f"postgresql://bob:%41{MARK}@{CLOSED}/base",
    "a parameter": f"postgresql://{CLOSED}/base?password={MARK}",
    "a parameter in capitals": f"postgresql://{CLOSED}/base?PASSWORD={MARK}",
    "a misspelt parameter": f"postgresql://{CLOSED}/base?pasword={MARK}",
    "the password of a key": f"postgresql://{CLOSED}/base?sslpassword={MARK}",
    "a token": f"postgresql://{CLOSED}/base?token={MARK}",
    "two parameters": f"postgresql://{CLOSED}/base?connect_timeout=2&password={MARK}",
    "the same parameter twice": f"postgresql://{CLOSED}/base?password={MARK}&password={MARK}",
}
ADDRESSES = {**REFUSED_AT_ONCE, **UNREACHABLE}
GIVEN = {
    "replay": ("missing.yaml",),
    "import": ("missing.json",),
    "show": ("s1",),
    "why": ("s1",),
    "fork": ("s1", "--into", "whatif"),
    "clock create": ("whatif", "--at", "2026-01-01T00:00:00Z"),
    "clock advance": ("whatif", "--by", "1d"),
    "clock remove": ("whatif",),
    "pause": ("--reason", "audit"),
    "deliveries show": ("billing", "event#0"),
    "deliveries resend": ("billing", "event#0"),
    "endpoints add": ("billing", "https://hooks.example/"),
    "endpoints rotate-secret": ("billing",),
    "endpoints pause": ("billing",),
    "endpoints resume": ("billing",),
    "endpoints remove": ("billing",),
    "endpoints test": ("billing",),
    "tokens create": ("--label", "billing"),
    "tokens revoke": ("1",),
}
"""What a command needs besides the address."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command with the words that invoke it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    table = getattr(command, "table", {})
    for name, each in command.commands.items():
        found = table[name].load() if name in table else each
        yield from leaves(found, (*path, name))


def commands() -> list[tuple[str, ...]]:
    """Return every command that opens a database, by the words that invoke it."""
    return [
        path
        for path, command in leaves(typer.main.get_command(app))
        if any("--store" in each.opts for each in command.params)
    ]


COMMANDS = commands()
CASES = sized(
    [
        *((each, "a user and password") for each in COMMANDS if each != ("daemon",)),
        *((each, "an unknown database") for each in COMMANDS),
        *((("show",), name) for name in ADDRESSES),
        *((("daemon",), name) for name in REFUSED_AT_ONCE),
    ],
    [
        (command, name)
        for command in COMMANDS
        for name in ADDRESSES
        if command != ("daemon",) or name in REFUSED_AT_ONCE  # it would wait for the server
    ],
)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative address names a file that is not there."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("command", "name"), CASES, ids=[f"{' '.join(command)}: {name}" for command, name in CASES]
)
def test_no_command_repeats_the_password_of_an_address(
    command: tuple[str, ...], name: str, sublife: Sublife, caplog: pytest.LogCaptureFixture
) -> None:
    given = GIVEN.get(" ".join(command), ())

    said = sublife(*command, *given, "--store", ADDRESSES[name])

    assert said.status != 0
    assert MARK not in said.out
    assert MARK not in said.complaints
    assert MARK not in caplog.text


@pytest.mark.parametrize("url", ADDRESSES.values(), ids=ADDRESSES.keys())
def test_no_error_of_the_library_repeats_the_password_of_an_address(url: str) -> None:
    """Also of the daemon, which writes it to its log while it waits for the server."""
    said: list[str] = []

    for work in (lambda: standing(url).demand(), lambda: open_engine(url).connect()):
        try:
            work()
        except StoreError as error:
            said.append(str(error))
        except Exception as error:  # of SQLAlchemy, when the host connects by itself
            if "sqlalchemy" not in type(error).__module__:
                raise

    assert said
    assert MARK not in "".join(said)


OF_A_SETTING = {
    "alone": MARK,
    "an address": f"postgresql://bob:{MARK}@host/base",
    "two addresses": f"nats://bob:{MARK}@one:4222,nats://bob:{MARK}@two:port",
    "an address without a scheme": f"bob:{MARK}@host:99999999",
    "a parameter": f"http://host/?token={MARK}",
}


@pytest.mark.parametrize("value", OF_A_SETTING.values(), ids=OF_A_SETTING.keys())
@pytest.mark.parametrize("name", Settings.model_fields)
def test_no_error_repeats_what_stands_in_the_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password that was put into the wrong variable stays out of the message and its causes."""
    monkeypatch.setenv(f"{PREFIX}STORE", "sqlite:///none.db")
    monkeypatch.setenv(PREFIX + name.upper(), value)
    said = ""

    try:
        found = load()
    except SettingsError as error:
        said = f"{error} {error.__cause__}"
        assert f"{name} is not valid" in said
    else:
        said = repr(found) if name in {"store", "nats_url", "traces_to"} else ""

    assert MARK not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in ("store", "nats_url", "listen", "workers", "log_level")
        for value in OF_A_SETTING.values()
        if (name, value) != ("store", OF_A_SETTING["an address"])  # it would wait for the server
    ],
)
def test_a_daemon_that_cannot_start_repeats_no_setting(
    name: str,
    value: str,
    sublife: Sublife,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """From the file of settings, whose values are text too."""
    config = tmp_path / "sublife.toml"
    sublife("migrate", "--store", f"sqlite:///{tmp_path / 'store.db'}")
    settings = {"store": f"sqlite:///{tmp_path / 'store.db'}", name: value}
    lines = [f"{key} = '{each}'" for key, each in settings.items()]
    config.write_text("\n".join(lines), encoding="utf-8")

    said = sublife("daemon", "--config", config)

    assert said.status == 2, said.complaints
    assert MARK not in said.out + said.complaints + caplog.text


@pytest.mark.parametrize(
    ("value", "shown"), [("0", "'0'"), ("1.5", "'1.5'"), ("-3", "'-3'"), ("10" * 9, "'10101010")]
)
def test_a_number_is_repeated(value: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a secret, and says what to correct."""
    monkeypatch.setenv(f"{PREFIX}STORE", "sqlite:///none.db")
    monkeypatch.setenv(f"{PREFIX}WORKERS", value)

    with pytest.raises(SettingsError, match="workers cannot be") as raised:
        load()

    assert shown in str(raised.value)


@pytest.mark.parametrize("url", OF_A_SETTING.values(), ids=OF_A_SETTING.keys())
def test_no_error_about_a_broker_repeats_its_password(url: str) -> None:
    settings = load(flags={"store": "sqlite:///none.db", "nats_url": url})
    said = ""

    try:
        broker = broker_of(settings)
    except ValueError as error:
        said = str(error)
    else:
        assert broker is not None
        said = f"{broker!r} {broker.where}"

    assert MARK not in said
