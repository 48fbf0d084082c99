"""A scenario that holds, and means to write, load and run one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sublife.events.store import Store
from sublife.scheduler.clock import SimulatedClock
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
