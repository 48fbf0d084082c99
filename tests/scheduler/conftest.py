"""A scenario that holds, and means to write, load and run one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sublife.events.intake import submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock, SystemClock
from sublife.scheduler.replay import Result, run
from sublife.scheduler.scenario import loads

SALE = """\
title: A sale, a refused reactivation and a suspension
rules: [SUB-02, SUB-07]
by: {user: amy}
steps:
  - at: 2024-10-01T02:35:00Z
    do: purchase
    subject: s1
    with:
      customer: tailspin
      partner: contoso
      product: {sku: E3}
      quantity: 30
      term: P1Y
      billing: monthly
    expect:
      state: active
      facts: [subscription-created, subscription-provisioned]
  - at: 2024-11-01T00:00:00Z
    do: reactivate
    subject: s1
    expect: {refused: BAD_STATE}
  - at: 2024-11-02T00:00:00Z
    do: suspend
    subject: s1
    expect: {state: suspended}
expect:
  refusals: [BAD_STATE]
"""


@pytest.fixture
def sale() -> str:
    """A scenario that holds: a sale, a refusal, a suspension."""
    return SALE


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a text to a file, by default a scenario, and returns its path."""

    def write_(text: str, name: str = "sale.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write_


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store in memory."""
    opened = Store.open("sqlite://", clock=SimulatedClock(datetime(2000, 1, 1, tzinfo=UTC)))
    yield opened
    opened.close()


@pytest.fixture
def play(store: Store) -> Callable[[str], Result]:
    """Runs the text of a scenario on an empty store."""

    def play_(text: str) -> Result:
        return run(loads(text, Path("scenario.yaml")), store)

    return play_


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind, for commands that open it by themselves."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_database"))
    return f"sqlite:///{tmp_path / 'store.db'}"


SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)


@pytest.fixture
def lapsing(database: str) -> str:
    """A store in which `s1` of Tailspin and `s2` of Northwind lapse on 1 October 2025."""
    opened = Store.open(database, clock=SimulatedClock(SOLD_AT))
    amy = Actor(ActorKind.USER, "amy")
    for subject, customer in (("s1", "tailspin"), ("s2", "northwind")):
        order = Purchase(
            customer, "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
        )
        submit(opened, Event(f"order-{subject}", "purchase", subject, SOLD_AT, amy, order))
    opened.close()
    return database


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, arguments: tuple[object, ...]) -> None:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = " ".join(result.stderr.split())

    @property
    def words(self) -> str:
        """What was printed, with every gap one space."""
        return " ".join(self.out.split())


@pytest.fixture
def sublife() -> Callable[..., Said]:
    """Runs the command line."""

    def run_(*arguments: object) -> Said:
        return Said(arguments)

    return run_


@pytest.fixture
def set_now(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Lets the machine's clock show an instant, for commands that work in this process."""

    def set_(at: datetime) -> None:
        def now(_self: SystemClock) -> datetime:
            return at

        monkeypatch.setattr(SystemClock, "now", now)

    return set_
