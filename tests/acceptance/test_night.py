"""A night on PostgreSQL: four processes share subscriptions due at one midnight."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from sublife.events.intake import settle, submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.clock import SimulatedClock
from tests.scale import sized

SOLD_AT = datetime(2024, 10, 1, 2, 35, tzinfo=UTC)
TERM_END = datetime(2025, 10, 1, tzinfo=UTC)
NIGHT = TERM_END + timedelta(days=30)
DUE = sized(6_000, 50_000)
PROCESSES = 4
COPIES: LiteralString = """
INSERT INTO sublife_subject
SELECT (jsonb_populate_record(s, jsonb_build_object('id', 's' || n,
         'snapshot', s.snapshot || jsonb_build_object('id', 's' || n)))).*
FROM sublife_subject AS s, generate_series(1, %s) AS n
"""
"""Copies of the one subscription there is, with ids of their own."""
GAPS: LiteralString = """
SELECT count(*) FROM sublife_subject AS s
WHERE (SELECT count(*) FROM sublife_journal AS j
       WHERE j.tenant = s.tenant AND j.subject = s.id AND j.sequence > %s)
      <> s.sequence - %s
   OR s.sequence <> %s OR s.state <> 'disabled'
"""


def sow(address: str) -> int:
    """Put the subscriptions into their grace; return how many journal rows each has."""
    clock = SimulatedClock(SOLD_AT)
    store = Store.open(address, clock=clock)
    order = Purchase(
        "tailspin",
        "contoso",
        Product("E3"),
        30,
        Term.P1Y,
        Billing.MONTHLY,
        autorenew=False,
    )
    amy = Actor(ActorKind.USER, "amy")
    submit(store, Event("sale", "purchase", "s0", SOLD_AT, amy, order))
    clock.move(TERM_END)
    settle(store, TERM_END)
    rows = len(store.history("s0"))
    store.close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(COPIES, (DUE - 1,))
        connection.execute("VACUUM ANALYZE")
    return rows


@pytest.fixture
def settled(migrated_database: str) -> tuple[str, list[int], int]:
    """The address of a store after the night, what each process did, and the rows before."""
    rows = sow(migrated_database)
    return migrated_database, settled_by_processes(migrated_database, NIGHT), rows


def settled_by_processes(address: str, now: datetime, *more: str) -> list[int]:
    """Let several processes settle together; return how many events each of them applied.

    Args:
        address: of the store.
        now: UTC instant up to which they settle.
        more: arguments of `night.py`.
    """
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("night.py")),
                address,
                now.isoformat(),
                *more,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=600)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return counts


@pytest.mark.soak
def test_four_processes_move_each_exactly_once(
    settled: tuple[str, list[int], int],
) -> None:
    """GEN-08: no subject twice, none left, no gap in any sequence, no deadlock unretried."""
    address, counts, before = settled

    with psycopg.connect(address) as connection:
        (wrong,) = connection.execute(GAPS, (before, before, before + 1)).fetchone() or (None,)
        (moved,) = connection.execute(
            "SELECT count(*) FROM sublife_journal WHERE name = 'grace_ended'"
        ).fetchone() or (None,)
        (records,) = connection.execute(
            "SELECT count(*) FROM sublife_activity WHERE fact = 'subscription-disabled'"
        ).fetchone() or (None,)

    assert sum(counts) == DUE
    assert (moved, records, wrong) == (DUE, DUE, 0)
    assert all(each > 0 for each in counts)
