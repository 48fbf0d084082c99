"""sublife log: what it shows of which period, where it writes, and the exit status."""

import csv
import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sublife.events.export import ACTIVITIES, ORDERS, month_before
from sublife.events.intake import settle, submit
from sublife.events.store import Store
from sublife.lifecycle.dates import Billing, Term
from sublife.lifecycle.model import Actor, ActorKind, Event
from sublife.lifecycle.subscription.model import Product, Purchase
from sublife.scheduler.cli import app
from sublife.scheduler.clock import SimulatedClock

FACTS = ("subscription-expired", "subscription-grace-started", "subscription-disabled")


class Said:
    """What a run of the command line printed, and its exit status."""

    def __init__(self, *arguments: object) -> None:
        result = CliRunner().invoke(app, ["log", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        self.status = result.exit_code
        self.out = result.stdout
        self.complaints = " ".join(result.stderr.split())


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in which `s1` has expired on 1 October 2025 and is disabled since the 31st."""
    address = f"sqlite:///{tmp_path / 'store.db'}"
    clock = SimulatedClock(datetime(2024, 10, 1, 2, 35, tzinfo=UTC))
    store = Store.open(address, clock=clock)
    amy = Actor(ActorKind.USER, "amy")
    for subject, customer in (("s1", "tailspin"), ("s2", "north\x1b[31mwind")):
        order = Purchase(
            customer, "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY, autorenew=False
        )
        submit(store, Event(f"order-{subject}", "purchase", subject, clock.now(), amy, order))
    clock.move(datetime(2025, 11, 1, tzinfo=UTC))
    settle(store, clock.now())
    store.close()
    return address


def shown(said: Said) -> list[str]:
    """Return the facts that a table shows, in order."""
    return [fact for line in said.out.splitlines() for fact in FACTS if fact in line]


class TestPeriod:
    @pytest.mark.freeze_time("2025-11-15T12:00:00Z")
    def test_the_last_month_is_shown_if_nothing_else_is_said(self, url: str) -> None:
        """EVT-07: from 15 October on, so the expiry of the 1st is not in it."""
        said = Said("--store", url)

        assert said.status == 0
        assert shown(said) == ["subscription-disabled"] * 2
        assert "2 activity records since 2025-10-15T12:00:00Z" in said.out

    def test_everything_is_shown_if_asked_for(self, url: str) -> None:
        """From the beginning on."""
        said = Said("--store", url, "--all", "--subscription", "s1")

        assert shown(said) == list(FACTS)
        assert "3 activity records of all times" in said.out

    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (("--since", "2025-10-01"), 6),
            (("--since", "2025-10-01T00:00:01Z"), 2),
            (("--since", "2025-10-01T02:00:00+02:00"), 6),
            (("--until", "2025-10-31"), 4),
            (("--until", "2025-10-01T00:00:00Z"), 0),
            (("--since", "2025-10-02", "--until", "2025-10-31T00:00:01Z"), 2),
            (("--all", "--until", "2025-10-31"), 4),
        ],
        ids=str,
    )
    def test_a_period_is_from_an_instant_on_up_to_another(
        self, url: str, options: tuple[str, ...], count: int
    ) -> None:
        """The first is in it, the last is not; with an end alone it is the month before it."""
        assert len(shown(Said("--store", url, *options))) == count

    @pytest.mark.parametrize(
        ("at", "before"),
        [
            ("2025-11-15T12:00:00+00:00", "2025-10-15T12:00:00+00:00"),
            ("2025-03-31T09:30:00+00:00", "2025-02-28T09:30:00+00:00"),
            ("2024-03-31T00:00:00+00:00", "2024-02-29T00:00:00+00:00"),
            ("2025-01-15T00:00:00+00:00", "2024-12-15T00:00:00+00:00"),
        ],
    )
    def test_a_month_is_a_calendar_month(self, at: str, before: str) -> None:
        """GEN-05: clamped to the last day of a shorter one."""
        assert month_before(datetime.fromisoformat(at)) == datetime.fromisoformat(before)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--since", "2025-10-01T00:00:00"), "has no time zone; write 2025-10-01T00:00:00Z"),
            (("--since", "last week"), "is no instant; write 2026-01-31"),
            (("--since", "2025-10-32"), "is no instant"),
            (("--since", "2025-10-02", "--until", "2025-10-01"), "is not before --until"),
            (("--all", "--since", "2025-10-01"), "--all and --since do not go together"),
        ],
    )
    def test_a_period_that_is_none_is_refused(
        self, url: str, options: tuple[str, ...], words: str
    ) -> None:
        """With what to write."""
        said = Said("--store", url, *options)

        assert said.status == 2
        assert words in said.complaints.replace("│ ", "").replace(" │", "")


class TestFilters:
    @pytest.mark.parametrize(
        ("options", "count"),
        [
            (("--customer", "tailspin"), 3),
            (("--customer", "nobody"), 0),
            (("--partner", "contoso"), 6),
            (("--subscription", "s2"), 3),
            (("--kind", "renewal"), 6),
            (("--kind", "migration"), 0),
            (("--kind", "renewal", "--subscription", "s1"), 3),
        ],
        ids=str,
    )
    def test_records_are_filtered(self, url: str, options: tuple[str, ...], count: int) -> None:
        """By customer, partner, subscription and kind."""
        assert len(shown(Said("--store", url, "--all", *options))) == count

    def test_order_records_are_shown_likewise(self, url: str) -> None:
        """EVT-09."""
        said = Said("--store", url, "--all", "--orders", "--customer", "tailspin")

        assert "order-s1" in said.out
        assert "E3 P1Y/monthly" in said.out
        assert "1 order record of all times" in said.out

    def test_order_records_have_no_kind(self, url: str) -> None:
        """A filter that can have no effect is refused."""
        said = Said("--store", url, "--orders", "--kind", "renewal")

        assert said.status == 2
        assert "order records have no kind" in said.complaints

    def test_a_tenant_sees_its_own(self, url: str) -> None:
        """One that has nothing is told which there are."""
        said = Said("--store", url, "--tenant", "other")

        assert said.status == 2
        assert 'nothing of tenant "other"; its tenants are default' in said.complaints

    def test_what_a_terminal_would_act_upon_is_not_printed(self, url: str) -> None:
        """A customer's name cannot change the colours."""
        said = Said("--store", url, "--all", "--subscription", "s2")

        assert r"north\x1b[31mwind" in said.out
        assert "\x1b[31mwind" not in said.out


class TestFiles:
    def test_csv_to_a_file(self, url: str, tmp_path: Path) -> None:
        """What was written is told beside the standard output."""
        path = tmp_path / "log.csv"

        said = Said("--store", url, "--all", "--csv", path)

        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert (said.status, said.out) == (0, "")
        assert said.complaints.startswith("6 activity records written to ")
        assert list(rows[0]) == list(ACTIVITIES.titles)
        assert [row["fact"] for row in rows if row["subscription"] == "s1"] == list(FACTS)

    def test_csv_to_the_standard_output(self, url: str) -> None:
        """Nothing else stands there."""
        said = Said("--store", url, "--all", "--orders", "--csv", "-")

        rows = list(csv.reader(said.out.splitlines()))
        assert tuple(rows[0]) == ORDERS.titles
        assert len(rows) == 3

    def test_json_lines_to_the_standard_output(self, url: str) -> None:
        """One record in a line."""
        said = Said("--store", url, "--all", "--subscription", "s1", "--jsonl", "-")

        records = [json.loads(line) for line in said.out.splitlines()]
        assert [record["fact"] for record in records] == list(FACTS)
        assert records[2]["effective_at"] == "2025-10-31T00:00:00Z"

    def test_json_lines_to_a_file(self, url: str, tmp_path: Path) -> None:
        """All or nothing."""
        path = tmp_path / "log.jsonl"

        said = Said("--store", url, "--all", "--jsonl", path)

        assert said.status == 0
        assert len(path.read_text(encoding="utf-8").splitlines()) == 6

    def test_parquet_to_a_file(self, url: str, tmp_path: Path) -> None:
        """With the columns of the record."""
        parquet: Any = import_module("pyarrow.parquet")
        path = tmp_path / "log.parquet"

        said = Said("--store", url, "--all", "--parquet", path)

        table = parquet.read_table(path)
        assert said.status == 0
        assert (table.num_rows, table.column_names) == (6, list(ACTIVITIES.fields))

    def test_parquet_is_not_printed(self, url: str) -> None:
        """It is no text."""
        said = Said("--store", url, "--parquet", "-")

        assert said.status == 2
        assert "is no text that could be printed; name a file" in said.complaints

    def test_only_one_file_is_written(self, url: str, tmp_path: Path) -> None:
        """Which of them, whoever asks decides."""
        said = Said("--store", url, "--csv", tmp_path / "a", "--jsonl", tmp_path / "b")

        assert said.status == 2
        assert "--csv and --jsonl do not go together" in said.complaints

    def test_a_file_that_cannot_be_written_is_told(self, url: str, tmp_path: Path) -> None:
        """With path and reason."""
        said = Said("--store", url, "--csv", tmp_path / "nowhere" / "log.csv")

        assert said.status == 2
        assert "cannot be written" in said.complaints


class TestStore:
    def test_a_file_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        """A slip of the pen leaves nothing behind."""
        path = tmp_path / "stroe.db"

        said = Said("--store", f"sqlite:///{path}")

        assert said.status == 2
        assert f"there is no database file {path}" in said.complaints
        assert not path.exists()

    def test_it_works_on_postgresql_too(self, migrated_database: str) -> None:
        """One command for every database."""
        clock = SimulatedClock(datetime(2024, 10, 1, 2, 35, tzinfo=UTC))
        store = Store.open(migrated_database, clock=clock)
        order = Purchase("tailspin", "contoso", Product("E3"), 30, Term.P1Y, Billing.MONTHLY)
        amy = Actor(ActorKind.USER, "amy")
        submit(store, Event("order-1", "purchase", "s1", clock.now(), amy, order))
        store.close()

        said = Said("--store", migrated_database, "--all", "--orders", "--jsonl", "-")

        assert said.status == 0
        assert json.loads(said.out)["subscription"] == "s1"
